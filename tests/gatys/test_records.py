"""Records and results: what a run tells, and whether it is true."""

import dataclasses
import json

import numpy as np
import pytest

from tfstyle.gatys import Record
from tfstyle.machine import bfloat16_wins
from tfstyle.images import fit, to_uint8

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def totals(result):
    return [record["total"] for record in result.records if "final" not in record]


# One run of two scales, looked at from all sides


@pytest.fixture(scope="module")
def pyramid(run, photo, painting):
    """Two scales of 5 and 4 steps: (result, records that the callback got, the pictures they carried)."""
    records, pictures = [], []

    def callback(record):
        records.append(record)
        pictures.append(record.image())

    result = run(
        photo,
        [painting],
        size=61,
        scales=2,
        steps=(5, 4),
        tv_weight=0.25,
        content_weight=2.0,
        callback=callback,
    )
    return result, records, pictures


def test_the_result_is_a_picture_of_the_contents_shape(pyramid, photo):
    image = pyramid[0].image
    assert image.shape == photo.shape == (45, 61, 3) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    assert image.std() > 0.05 and np.abs(image - photo).max() > 0.05


def test_the_callers_pictures_are_untouched(pyramid, photo, painting):
    assert not photo.flags.writeable and not painting.flags.writeable  # a write would have raised


def test_one_record_for_each_step_and_one_at_the_end(pyramid):
    _, records, _ = pyramid
    assert all(isinstance(record, Record) for record in records)
    assert [record.step for record in records] == [*range(1, 10), 9]
    assert {record.steps for record in records} == {9}
    assert [record.scale for record in records] == [30] * 5 + [61] * 5
    assert [record.figures is None for record in records] == [True] * 9 + [False]
    seconds = [record.seconds for record in records]
    assert seconds == sorted(seconds) and 0 < seconds[0] < seconds[-1]


def test_records_hold_every_loss_raw_and_weighted(pyramid):
    weights = {"content/relu4_2": 2.0, "tv": 0.25} | {f"style/{name}": 6.0 / 5 for name in STYLE_LAYERS}
    for record in pyramid[1]:
        assert record.raw.keys() == record.weighted.keys() == weights.keys()
        for name, weight in weights.items():
            assert record.raw[name] >= 0
            np.testing.assert_allclose(record.weighted[name], weight * record.raw[name], rtol=1e-6)
        np.testing.assert_allclose(record.total, sum(record.weighted.values()), rtol=1e-6)


def test_records_carry_the_picture_that_they_judge(pyramid):
    _, records, pictures = pyramid
    assert [picture.shape for picture in pictures] == [(22, 30, 3)] * 5 + [(45, 61, 3)] * 5
    for record, picture in zip(records, pictures, strict=True):
        assert picture.dtype == np.float32 and picture.min() >= 0 and picture.max() <= 1
        tv = sum(np.abs(np.diff(to_uint8(picture) / 255, axis=axis)).mean() for axis in (0, 1))
        assert (
            abs(record.raw["tv"] - tv) < 0.003
        )  # its corners are rounded, and the picture is not, to 8 bits
        np.testing.assert_array_equal(record.image(), picture)


def test_the_loss_falls_at_every_scale(pyramid):
    found = totals(pyramid[0])
    assert found[0] > 1.3 * min(found[:5]) and found[5] > 1.1 * min(found[5:])


def test_the_result_is_the_best_picture_of_the_last_scale(pyramid):
    result, _, pictures = pyramid
    best = 5 + int(np.argmin(totals(result)[5:]))
    np.testing.assert_array_equal(result.image, pictures[best])
    np.testing.assert_array_equal(result.final.image(), result.image)


def test_records_are_json(pyramid):
    result, records, _ = pyramid
    assert (
        json.loads(json.dumps(result.records)) == result.records == [record.as_dict() for record in records]
    )
    assert [record.get("final", False) for record in result.records] == [False] * 9 + [True]


def test_the_result_knows_how_it_came_about(pyramid):
    result, records, _ = pyramid
    told = {"size": 61, "scales": 2, "steps": (5, 4), "tv_weight": 0.25, "content_weight": 2.0}
    assert dataclasses.asdict(result.settings).items() >= told.items()
    assert result.final is records[-1] and result.interrupted is False
    assert "array" not in repr(result) and "array" not in repr(records[0])  # pictures do not flood a notebook


def test_the_figures_of_the_final_record(told_truly, pyramid, photo, painting):
    told_truly(pyramid[0], photo, [fit(painting, 61)])


def test_the_terms_of_the_final_record_are_the_plain_networks(pyramid):
    final = pyramid[1][-1]
    np.testing.assert_allclose(final.raw["content/relu4_2"], final.figures["content_loss"], rtol=1e-6)
    mean = np.mean([final.raw[f"style/{name}"] for name in STYLE_LAYERS])
    np.testing.assert_allclose(mean, final.figures["style_rel"], rtol=1e-5)


# The figures of other runs


def test_figures_of_another_network(run, told_truly, photo, painting):
    result = run(
        photo,
        [painting],
        pooling="average",
        normalized=True,
        padding="replicate",
        steps=3,
        style_normalization="paper",
        content_normalization="paper",
    )
    told_truly(result, fit(photo, 48), [fit(painting, 48)])


@pytest.mark.skipif(not bfloat16_wins()[0], reason="this processor has no bfloat16")
def test_figures_of_a_run_in_bfloat16(run, told_truly, photo, painting):
    result = run(photo, [painting], precision="bfloat16")
    told_truly(result, fit(photo, 48), [fit(painting, 48)])
    same = run(photo, [painting])
    assert not np.array_equal(result.image, same.image)  # it did run otherwise
    np.testing.assert_allclose(min(totals(result)), min(totals(same)), rtol=0.1)


def test_figures_of_several_styles_at_another_scale(run, told_truly, photo, painting, other_painting):
    result = run(photo, [painting, other_painting], style_weights=(3, 1), style_scale=0.75, steps=2)
    styles = [fit(painting, 36), fit(other_painting, 36)]
    told_truly(result, fit(photo, 48), styles, (0.75, 0.25))


def test_without_a_report_no_second_network_looks(run, tiny_vgg, monkeypatch, photo, painting):
    records = []
    whole = run(photo, [painting], steps=3)
    monkeypatch.setattr("tfstyle.gatys.objective.Objective.report", pytest.fail)
    result = run(photo, [painting], steps=3, callback=records.append, report=False)
    np.testing.assert_array_equal(result.image, whole.image)
    assert [record.step for record in records] == [1, 2, 3, 3] and result.final is records[-1]
    assert result.final.figures is None and result.final.raw == result.final.weighted == {}
    np.testing.assert_array_equal(result.final.image(), result.image)
