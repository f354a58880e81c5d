"""The one-pass engine in Python, and its SavedModel in both loaders."""

import pytest

import tfstyle
from tfstyle.export import loaders


@pytest.fixture(scope="module")
def engine(network_file):
    return tfstyle.ArbitraryStylizer(network_file, precision="float32")


@pytest.fixture(scope="module")
def session(arbitrary_session):
    return arbitrary_session


@pytest.fixture(scope="module")
def two(arbitrary_saved):
    return loaders.signature_calls(arbitrary_saved)


@pytest.fixture(scope="module", params=["session", "two"])
def call(request):
    """The SavedModel in TensorFlow Serving's loader, then in TensorFlow 2's."""
    return request.getfixturevalue(request.param)
