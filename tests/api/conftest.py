"""A photograph and a painting as files, for the tests of the front door."""

import pytest
from PIL import Image

from tfstyle.images import to_uint8


@pytest.fixture
def files(tmp_path, photo, painting):
    """A photograph and a painting as 8-bit files: (path, path)."""
    paths = tmp_path / "photo.png", tmp_path / "painting.png"
    for path, picture in zip(paths, (photo, painting), strict=True):
        Image.fromarray(to_uint8(picture)).save(path)
    return paths
