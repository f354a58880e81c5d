import json
import math
import pathlib

import numpy as np
import pytest
from PIL import Image

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.metrics import Evaluator, mean_variation, perceptual_distance, ssim

DATA = pathlib.Path(__file__).parents[1] / "data"


@pytest.fixture
def pictures(photo, painting, other_painting):
    """(content 61x45, style 48x56, stylized 61x45), uint8."""
    mixture = 0.5 * photo + 0.5 * images.resize(other_painting, photo.shape[:2])
    return tuple(map(images.to_uint8, (photo, painting, mixture)))


@pytest.fixture(scope="module")
def evaluator():
    """With VGG itself, at 64 px."""
    return Evaluator(64)


def lanczos(picture, width, height):
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def nearly(wanted):
    """Approximately, through nested dicts."""
    return {name: nearly(v) if isinstance(v, dict) else pytest.approx(v, rel=1e-4) for name, v in wanted.items()}


# The figures


def test_figures_are_those_of_numpy(looks, recomputed, pictures):
    content, style, stylized = pictures
    figures = Evaluator(61)(*pictures)
    at_size = lanczos(style, 52, 61)
    wanted = nearly(recomputed(content, at_size, stylized))
    wanted |= {
        "tv": mean_variation(stylized), "tv_content": mean_variation(content), "tv_style": mean_variation(at_size),
        "ssim": ssim(content, stylized), "eval_size": [61, 45], "stylized_size": [61, 45], "aspect_error": 0.0,
    }
    assert figures == wanted


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("china_128", "mosaic_128", "chelsea_96"), dict(
            content_loss=0.923911, content_mse=1239560.0, style_loss=54621900000.0, style_rel=0.548631,
            style_layers=dict(relu1_1=86666.3, relu2_1=163600000.0, relu3_1=1173100000.0, relu4_1=271363000000.0,
                              relu5_1=410207000.0),
            style_rel_layers=dict(relu1_1=0.293104, relu2_1=0.322937, relu3_1=0.628366, relu4_1=0.540975,
                                  relu5_1=0.957772),
            style_of_content=67351700000.0, style_rel_of_content=0.951202, adain_loss=717907.0, adain_rel=0.201326,
            tv=0.103732, tv_content=0.107989, tv_style=0.223944, ssim=0.0891098, vgg_dist=1.40675,
            aspect_error=0.0039139,
        )),
        (("chelsea_96", "swirl_128", "coffee_96"), dict(
            content_loss=2.21669, content_mse=1849270.0, style_loss=98948900000.0, style_rel=1.16688,
            style_layers=dict(relu1_1=936794.0, relu2_1=189664000.0, relu3_1=1061410000.0, relu4_1=492668000000.0,
                              relu5_1=824844000.0),
            style_rel_layers=dict(relu1_1=1.73128, relu2_1=0.477704, relu3_1=0.716757, relu4_1=0.963136,
                                  relu5_1=1.94551),
            style_of_content=55121600000.0, style_rel_of_content=0.67784, adain_loss=891226.0, adain_rel=0.357057,
            tv=0.121371, tv_content=0.103585, tv_style=0.127986, ssim=0.0461411, vgg_dist=1.20386, aspect_error=0.0,
        )),
    ],
)
def test_figures_are_those_of_an_evaluator_in_pytorch(evaluator, names, wanted):
    """One of the same protocol, written apart from this one, with the same weights, at 64 px."""
    figures = evaluator(*(DATA / f"{name}.jpg" for name in names))
    told = {"stylized_size": [96, 64], "eval_size": [64, 42 if "china" in names[0] else 43]}
    assert figures == nearly(wanted) | told


def test_the_content_itself(looks, pictures):
    content, style, _ = pictures
    figures = Evaluator(61)(content, style, content)
    assert [figures[name] for name in ("content_loss", "content_mse", "vgg_dist", "aspect_error")] == [0, 0, 0, 0]
    assert figures["ssim"] == pytest.approx(1, abs=1e-12)
    assert figures["style_loss"] == figures["style_of_content"] > 0
    assert figures["style_rel"] == figures["style_rel_of_content"] > 0
    assert figures["tv"] == figures["tv_content"] > 0


def test_the_style_itself(looks, pictures):
    content, _, style = pictures
    figures = Evaluator(61)(content, style, style)
    assert [figures[name] for name in ("style_loss", "style_rel", "adain_loss", "adain_rel")] == [0, 0, 0, 0]
    assert {*figures["style_layers"].values(), *figures["style_rel_layers"].values()} == {0}
    assert figures["content_loss"] > 0 and figures["style_rel_of_content"] > 0
    assert figures["tv"] == figures["tv_style"]


def test_figures_are_ready_for_json(looks, pictures):
    figures = Evaluator(32)(*pictures)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


# Two pictures alone


def test_perceptual_distance_is_vgg_dist_at_the_pictures_own_size(looks, recomputed, pictures, tmp_path):
    content, style, stylized = pictures
    found = perceptual_distance(content, stylized)
    assert looks == [(45, 61)] * 2
    assert found == Evaluator(61)(*pictures)["vgg_dist"]
    assert found == pytest.approx(recomputed(content, style, stylized)["vgg_dist"], rel=1e-4)
    Image.fromarray(content).save(tmp_path / "content.png")
    half = Image.fromarray(np.dstack([stylized, np.full(stylized.shape[:2], 99, np.uint8)]))
    assert perceptual_distance(half, tmp_path / "content.png") == pytest.approx(found, rel=1e-6)


def test_perceptual_distance_by_vgg_itself(evaluator):
    picture = images.to_uint8(images.read(DATA / "chelsea_96.jpg", size=64).rgb)
    assert perceptual_distance(picture, picture) == 0
    shifted = np.roll(picture, 8, axis=1)
    assert perceptual_distance(picture, shifted) == pytest.approx(evaluator(picture, picture, shifted)["vgg_dist"])


def test_pictures_of_unlike_shapes_have_no_distance(looks, pictures, refusal):
    content, style, _ = pictures
    said = "pictures to compare must have one shape; received (45, 61, 3) and (56, 48, 3): resize one of them."
    assert refusal(perceptual_distance, content, style) == said
    assert refusal(perceptual_distance, content, content[:9]).startswith("second picture is 61x9 px")
    assert looks == []


# The size


def test_pictures_are_measured_at_the_size_asked_for(looks, pictures):
    content, style, stylized = pictures
    figures = Evaluator(40)(content, style, lanczos(stylized, 90, 70))
    assert sorted(looks) == sorted([(30, 40), (40, 34), (30, 40)])
    assert figures["eval_size"] == [40, 30] and figures["stylized_size"] == [90, 70]
    assert figures["aspect_error"] == pytest.approx(abs(math.log(90 / 70 / (61 / 45))), abs=1e-12)
    prepared = lanczos(content, 40, 30), lanczos(style, 34, 40), lanczos(lanczos(stylized, 90, 70), 40, 30)
    assert Evaluator(40)(*prepared) == figures | {"stylized_size": [40, 30], "aspect_error": 0.0}


def test_small_pictures_are_enlarged(looks, pictures):
    figures = Evaluator(80)(*pictures)
    assert figures["eval_size"] == [80, 59] and (80, 69) in looks


# What it takes


def test_any_form_of_a_picture_gives_the_same_figures(looks, pictures, tmp_path):
    content, style, stylized = pictures
    wanted = Evaluator(40)(*pictures)
    assert Evaluator(40)(content / np.float32(255), style / np.float32(255), stylized / np.float32(255)) == wanted
    Image.fromarray(content).save(tmp_path / "content.png")
    half = Image.fromarray(np.dstack([stylized, np.full(stylized.shape[:2], 99, np.uint8)]))
    half.save(tmp_path / "stylized.png")
    assert Evaluator(40)(str(tmp_path / "content.png"), Image.fromarray(style), tmp_path / "stylized.png") == wanted


def test_floats_are_rounded_to_8_bits_as_a_file_would_be(looks, pictures):
    content, style, stylized = pictures
    off = (stylized / np.float32(255) + np.float32(0.4 / 255)).clip(0, 1)
    assert Evaluator(40)(content, style, off) == Evaluator(40)(*pictures)


def test_content_and_styles_are_looked_at_once_in_a_grid(looks, pictures):
    content, style, stylized = pictures
    evaluator, contents, styles = Evaluator(32), (content, content[:, ::-1]), (style, style[::-1])
    grid = [evaluator(c, s, stylized) for c in contents for s in styles]
    assert len(looks) == 2 + 2 + 4
    assert grid == [Evaluator(32)(c, s, stylized) for c in contents for s in styles]


def test_a_changed_picture_is_looked_at_anew(looks, pictures, tmp_path):
    content, style, stylized = pictures
    evaluator, path = Evaluator(32), tmp_path / "style.png"
    Image.fromarray(style).save(path)
    before = evaluator(content, path, stylized)
    Image.fromarray(stylized).save(path)
    assert evaluator(content, path, stylized)["style_rel"] == 0 < before["style_rel"]


# What it refuses


@pytest.mark.parametrize(
    ("size", "sentence"),
    [(15, "size must be a whole number of at least 16; received 15"), ("512", "received '512'"), (None, "None")],
)
def test_an_impossible_size_is_refused(looks, size, sentence):
    with pytest.raises(InputError, match=sentence):
        Evaluator(size)


def test_unusable_pictures_are_named(looks, pictures, tmp_path):
    content, style, stylized = pictures
    evaluator = Evaluator(32)
    with pytest.raises(InputError, match="content picture '.*absent.png' does not exist"):
        evaluator(tmp_path / "absent.png", style, stylized)
    with pytest.raises(InputError, match="style picture is 48x12 px .* at least 16 px"):
        evaluator(content, style[:12], stylized)
    with pytest.raises(InputError, match="content picture .* would be 9 px at size 32; use a size of at least 56"):
        evaluator(content[:17], style, stylized)
    with pytest.raises(InputError, match="stylized picture holds NaN"):
        evaluator(content, style, np.full((20, 20, 3), np.nan))
    assert looks == []
