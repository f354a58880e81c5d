"""Pictures for tfstyle optimize, and what a run of it leaves."""

import os

import numpy as np
import pytest
from PIL import Image

INPUTS = ["glass.png", "left.png", "paint.png", "photo.png"]


@pytest.fixture
def files(folder):
    """Lists what a run has left beside the input pictures, of which left.png is a mask: white on the left."""
    Image.fromarray(np.uint8([[255, 0]])).resize((40, 30)).save("left.png")
    return lambda: sorted(set(os.listdir()) - set(INPUTS))
