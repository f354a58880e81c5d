"""The front door to the optimizer: which pictures and settings reach it, and what comes out."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfstyle
from tfstyle.api import optimize_pictures
from tfstyle.images import fit, resize, to_uint8

# Shallow layers, for a quick start: what they see is of no matter here.
SHALLOW = dict(
    size=32, steps=1, precision="float32", content_layers="relu2_1", style_layers=("relu1_1", "relu2_1")
)
optimize = functools.partial(tfstyle.stylize, method="optimize")


def pixels(image):
    return np.asarray(image, np.uint8)


def test_it_paints(files):
    """With the real network, at the defaults but for size and steps."""
    records = []
    image = optimize(*map(str, files), size=40, steps=6, callback=records.append)
    assert isinstance(image, Image.Image) and image.mode == "RGB" and image.size == (40, 30)
    assert len(records) == 7 and all(isinstance(record, tfstyle.Record) for record in records)
    assert min(record.total for record in records[:-1]) < 0.8 * records[0].total
    assert np.abs(pixels(image).astype(int) - to_uint8(fit(pixels(Image.open(files[0])), 40))).mean() > 3
    # What is written is what was judged: 8 bits lose nothing.
    np.testing.assert_array_equal(pixels(image), to_uint8(records[-1].image()))


class Reached(Exception):
    """The engine was called, with these pictures."""


@pytest.fixture
def reaching(monkeypatch):
    """Calls `stylize` and returns the content and the styles that reach the engine."""

    def engine(content, styles, *_, **__):
        raise Reached(content, styles)

    def call(*pictures, **options):
        with pytest.raises(Reached) as reached:
            optimize(*pictures, **options)
        return reached.value.args

    monkeypatch.setattr("tfstyle.gatys.optimize", engine)
    return call


def test_every_kind_of_picture_is_one_picture(reaching, files):
    arrays = [pixels(Image.open(path)) for path in files]
    for kind in (
        files,
        map(str, files),
        (path.read_bytes() for path in files),
        map(Image.open, files),
        arrays,
        map(tf.constant, arrays),
        (array[None] for array in arrays),
    ):
        content, styles = reaching(*kind, size=None)
        for found, array in zip(
            (content, *styles), arrays, strict=True
        ):  # the style at the content's long side
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, fit(array, 61) / np.float32(255))


@pytest.mark.parametrize(
    ("options", "content", "style"),
    [
        ({}, (378, 512, 3), (512, 439, 3)),
        ({"size": 40}, (30, 40, 3), (40, 34, 3)),
        ({"size": None}, (45, 61, 3), (61, 52, 3)),
        ({"size": 40, "style_scale": 1.5}, (30, 40, 3), (60, 51, 3)),
    ],
)
def test_the_sizes_that_reach_the_engine(reaching, files, options, content, style):
    found, styles = reaching(*files, **{"size": 512} | options)
    assert found.shape == content and [one.shape for one in styles] == [style]


def test_alpha_is_put_back(tiny_vgg, files, photo):
    alpha = np.linspace(0.1, 1, photo.shape[1]) * np.ones((photo.shape[0], 1))
    rgba = to_uint8(np.dstack([photo, alpha]))
    image = optimize(rgba, files[1], **SHALLOW)
    assert image.mode == "RGBA" and image.size == (32, 24)
    np.testing.assert_array_equal(pixels(image)[..., 3], fit(rgba[..., 3], 32))
    plain = optimize(rgba[..., :3], files[1], **SHALLOW)
    np.testing.assert_array_equal(pixels(image)[..., :3], pixels(plain))
    # That of a style is of no matter.
    assert optimize(files[0], rgba, **SHALLOW).mode == "RGB"


def test_gray_pictures(tiny_vgg, photo, painting):
    gray, painted = (to_uint8(picture.mean(-1)) for picture in (photo, painting))
    image = optimize(gray, Image.fromarray(painted), **SHALLOW)
    assert image.mode == "RGB" and image.size == (32, 24)
    colored = optimize(*(np.stack([picture] * 3, axis=-1) for picture in (gray, painted)), **SHALLOW)
    np.testing.assert_array_equal(pixels(image), pixels(colored))


def test_sizes(tiny_vgg, files):
    assert optimize(*files, **SHALLOW | {"size": None}).size == (61, 45)
    result, alpha = optimize_pictures(*files, **SHALLOW | {"size": 95})
    assert result.image.shape == (70, 95, 3) and alpha is None


def test_8_bit_pictures_are_resized_as_the_evaluator_does(tiny_vgg, files):
    """Pillow's Lanczos on bytes, for content and style alike: then the style itself has no style error."""
    scaled = [
        Image.open(path).resize(size, Image.Resampling.LANCZOS)
        for path, size in zip(files, ((32, 24), (27, 32)))
    ]
    result, _ = optimize_pictures(*files, **SHALLOW, callback=lambda record: True)
    direct, _ = optimize_pictures(*scaled, **SHALLOW, callback=lambda record: True)
    np.testing.assert_array_equal(result.image, pixels(scaled[0]) / np.float32(255))
    assert result.final.figures == direct.final.figures
    assert result.final.figures["content_loss"] == 0


def test_several_styles(tiny_vgg, files, other_painting):
    styles = [files[1], other_painting]
    one, other, alike = (
        pixels(optimize(files[0], styles, weights=weights, **SHALLOW | {"steps": 3}))
        for weights in ((1, 0), (0, 1), None)
    )
    single = pixels(optimize(files[0], files[1], **SHALLOW | {"steps": 3}))
    assert np.abs(one.astype(int) - single).max() <= 1
    assert np.abs(one.astype(int) - other).max() > 5 and np.abs(one.astype(int) - alike).max() > 2
    result, _ = optimize_pictures(files[0], styles, weights=[3, 1], **SHALLOW)
    assert result.image.shape == (24, 32, 3)


@pytest.mark.parametrize("preset", ["default", "tf-tutorial"])
def test_a_texture_from_the_style_alone(tiny_vgg, files, preset):
    settings = {**SHALLOW, "preset": preset}
    image = optimize(None, files[1], **settings)
    assert image.mode == "RGB" and image.size == (27, 32)
    assert optimize(None, files[1], **settings | {"style_scale": 2.0}).size in ((27, 32), (28, 32))
    assert optimize(None, files[1], **settings | {"size": None}).size == (48, 56)
    # It starts from noise: another seed, another texture; unless told to start elsewhere.
    other = optimize(None, files[1], **settings, seed=1)
    assert np.abs(pixels(image).astype(int) - pixels(other)).max() > 20
    started, _ = optimize_pictures(None, files[1], init="style", callback=lambda record: True, **settings)
    np.testing.assert_array_equal(to_uint8(started.image), fit(pixels(Image.open(files[1])), 32))


def test_the_content_alone(tiny_vgg, files):
    assert optimize(files[0], None, init="noise", **SHALLOW).size == (32, 24)
    with pytest.raises(tfstyle.InputError, match="neither a content nor a style picture|both 0"):
        optimize(None, None, **SHALLOW)
    with pytest.raises(tfstyle.InputError, match="no content picture"):
        optimize(None, files[1], content_weight=1, **SHALLOW)
    with pytest.raises(tfstyle.InputError, match="no style picture"):
        optimize(files[0], [], **SHALLOW)


def test_starts(tiny_vgg, files, other_painting, tmp_path):
    def start(init):
        result, _ = optimize_pictures(*files, init=init, callback=lambda record: True, **SHALLOW)
        return result.image

    content, style = (fit(pixels(Image.open(path)), 32) for path in files)
    np.testing.assert_array_equal(to_uint8(start("content")), content)
    np.testing.assert_allclose(start("style"), resize(style / np.float32(255), (24, 32)), atol=1e-6)
    expected = resize(other_painting, (24, 32))
    path = tmp_path / "start.png"
    Image.fromarray(to_uint8(other_painting)).save(path)
    for init in (other_painting, str(path), path, path.read_bytes()):
        np.testing.assert_allclose(start(init), expected, atol=0.005)


def test_a_run_goes_on_from_the_picture_of_a_checkpoint(tiny_vgg, files, tmp_path):
    path = tmp_path / "run.npz"
    before = pixels(optimize(*files, checkpoint=path, **SHALLOW | {"steps": 3}))
    images = []
    optimize(*files, init=str(path), callback=lambda r: images.append(to_uint8(r.image())), **SHALLOW)
    assert np.abs(images[0].astype(int) - before).mean() < 20
    content = fit(pixels(Image.open(files[0])), 32)
    assert not np.array_equal(images[0], content)
    again = pixels(optimize(*files, checkpoint=path, **SHALLOW | {"steps": 3}))
    np.testing.assert_array_equal(again, before)


def test_the_callback_stops_the_run(tiny_vgg, files):
    steps = []

    def callback(record):
        steps.append(record.step)
        return len(steps) == 2

    optimize(*files, callback=callback, **SHALLOW | {"steps": 9})
    assert steps == [1, 2, 2]


def test_progress_is_shown_where_it_is_asked_for(tiny_vgg, files, capfd):
    plain = optimize(*files, **SHALLOW)
    assert optimize(*files, progress=False, **SHALLOW) == plain
    assert capfd.readouterr() == ("", "")
    seen = []
    assert optimize(*files, progress=True, callback=seen.append, **SHALLOW) == plain
    out, error = capfd.readouterr()
    assert out == "" and "32 px, step 1 of 1" in error
    assert [record.step for record in seen] == [1, 1]


def test_what_is_planned_is_told_before_the_first_step(files, monkeypatch):
    told = []

    def run(*_, **__):
        raise Reached(told.pop())

    monkeypatch.setattr("tfstyle.gatys.optimize", run)
    two_scales = SHALLOW | {"size": 64, "scales": 2, "steps": (2, 1)}
    for content, settings, scales in (
        (files[0], two_scales, [(24, 32, 2), (47, 64, 1)]),
        (None, two_scales, [(32, 28, 2), (64, 55, 1)]),
        (files[0], SHALLOW | {"size": None, "photoreal": True}, [(45, 61, 1)]),
    ):
        with pytest.raises(Reached) as reached:
            optimize_pictures(content, files[1], planned=told.append, **settings)
        assert reached.value.args == (scales,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "optimise"}, "method must be one of .* did you mean 'optimize'."),
        ({"model": "x"}, "model is a setting of the method fast, not of optimize; use that method or leave model out."),
        ({"preset": "tf_tutorial"}, "preset must be one of .* did you mean 'tf-tutorial'."),
        ({"style_weigth": 3}, "setting must be one of .* did you mean 'style_weight'."),
        ({"pooling": "avg"}, "pooling must be one of 'max', 'average'; received 'avg'"),
        ({"size": 12}, "size must be a whole number of at least 16; received 12"),
        ({"size": "big"}, "size must be a whole number"),
        ({"steps": 0}, "steps must be a whole number from 1"),
        (
            {"init": "contents"},
            "The init 'contents' is neither content, style, noise nor the path of a picture or checkpoint",
        ),
        ({"init": "missing.npz"}, "There is no checkpoint missing.npz"),
        ({"init": np.zeros((3, 3))}, "start picture"),
        ({"weights": [1, 2]}, "one weight for the one style; received 2"),
        ({"checkpoint": "/no/such/folder/run.npz"}, "no folder to lie in"),
        ({"checkpoint": 5}, r"checkpoint must be a path \(str or pathlib.Path\); received int"),
        ({"callback": 5}, "callback must be a function; received int"),
        ({"callback": 5, "progress": True}, "callback must be a function; received int"),
        ({"progress": "yes"}, "progress must be True, False or None; received 'yes'."),
    ],
)
def test_what_does_not_work_is_told_in_one_sentence(files, monkeypatch, options, words):
    monkeypatch.setattr("tfstyle.gatys.objective.vgg", pytest.fail)  # and before any work
    with pytest.raises(tfstyle.InputError, match=words) as error:
        optimize(*files, **options)
    said = str(error.value)
    assert "\n" not in said and said.endswith((".", "?"))


def test_pictures_that_do_not_work_are_told_by_their_role(files, tmp_path, network_file):
    (tmp_path / "text.jpg").write_text("no picture")
    for method, settings in (("optimize", {}), ("fast", {"model": network_file})):
        for wrong in (tmp_path / "text.jpg", "missing.png", tmp_path, b"", np.full((20, 20, 3), 2.0), 7):
            with pytest.raises(tfstyle.InputError, match="^content picture"):
                tfstyle.stylize(wrong, files[1], method, **settings)
            with pytest.raises(tfstyle.InputError, match="^style picture"):
                tfstyle.stylize(files[0], wrong, method, **settings)
    with pytest.raises(tfstyle.InputError, match="^method must be"):
        tfstyle.stylize(files[0], np.zeros((20, 20, 3)), np.zeros((20, 20, 3)))  # two styles, but no list


def test_a_result_shows_in_a_notebook(tiny_vgg, files):
    image = optimize(*files, **SHALLOW)
    data = io.BytesIO()
    image.save(data, "PNG")
    assert Image.open(data).size == image.size
    assert image._repr_png_().startswith(b"\x89PNG")
