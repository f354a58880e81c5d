"""Moments of large pictures, which are measured strip by strip."""

import numpy as np
import pytest

from tfstyle import moments


@pytest.fixture(scope="module")
def reader():
    return moments.MomentsReader("float32")


def test_large_pictures_are_measured_strip_by_strip(reader, monkeypatch):
    """The same moments to rounding: 203 rows in strips of 80, the features of the last one rounded down."""
    picture = np.random.default_rng(5).random((1, 203, 40, 3), np.float32)
    whole, seen = reader(picture), []
    monkeypatch.setattr(moments, "WHOLE", 1)
    monkeypatch.setattr(moments, "STRIP", 1)
    measure = reader._measure_strip
    monkeypatch.setattr(
        reader, "_measure_strip", lambda p, *rows: seen.append((p.shape[1], *rows)) or measure(p, *rows)
    )
    np.testing.assert_allclose(reader(picture), whole, rtol=1e-5, atol=1e-5)
    assert seen == [(120, 0, 40), (160, 40, 40), (83, 40, 0)]


def test_a_smaller_margin_would_show(reader, monkeypatch):
    picture = np.random.default_rng(5).random((1, 120, 24, 3), np.float32)
    whole = reader(picture)
    monkeypatch.setattr(moments, "WHOLE", 1)
    monkeypatch.setattr(moments, "STRIP", 1)
    monkeypatch.setattr(moments, "MARGIN", 16)
    assert np.abs(reader(picture) - whole).max() > 1e-3
