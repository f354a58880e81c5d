"""What the tests of the exported optimizer share: a photograph in two sizes, and the SavedModel as a server has it."""

import pathlib

import pytest

from tfstyle import images

DATA = pathlib.Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def session(gatys_session):
    return gatys_session


@pytest.fixture(scope="module")
def photo():
    """A photograph, in whose flat parts no bit decides what max pooling takes; painted in two scales: (45, 61, 3)."""
    return images.resize(images.read(DATA / "chelsea_96.jpg").rgb, (45, 61))


@pytest.fixture(scope="module")
def small(photo):
    """The photo in a size that is painted in one scale: (34, 46, 3)."""
    return images.resize(photo, (34, 46))
