import numpy as np
import pytest
import tensorflow as tf

from tfstyle.gatys import GatysSettings
from tfstyle.gatys.objective import REPORT_CONTENT, REPORT_STYLE, Objective
from tfstyle.images import resize
from tfstyle.losses import content_loss, style_loss, style_statistic, total_variation

SHALLOW = dict(
    content_layers=("relu2_1",), style_layers=("relu1_1", "conv2_1"), style_layer_weights=(0.75, 0.25)
)


@pytest.fixture
def pictures(photo, painting, other_painting):
    return photo[:32, :40], [painting[:32, :36], other_painting[:24, :40]]


def value_and_gradient(objective, image, content, styles):
    return objective.value_and_gradient(
        tf.constant(image[None]),
        objective.measure_content(content),
        [objective.measure(style) for style in styles],
    )


def test_the_terms_and_their_weights(tiny_vgg):
    settings = GatysSettings(
        content_layers=("relu3_1", "relu4_2"),
        content_weight=4,
        style_weight=10,
        tv_weight=0.5,
        style_layers=("relu1_1", "pool2"),
        style_layer_weights=(0.25, 0.5),
    )
    assert Objective(settings, (1.0,)).terms == {
        "content/relu3_1": 2.0,
        "content/relu4_2": 2.0,
        "style/relu1_1": 2.5,
        "style/pool2": 5.0,
        "tv": 0.5,
    }


def test_layers_weigh_alike_by_default_and_sum_to_one(tiny_vgg):
    terms = Objective(GatysSettings(style_weight=1, content_weight=0, tv_weight=0), (1.0,)).terms
    assert terms == {f"style/relu{b}_1": 0.2 for b in range(1, 6)} | {"tv": 0.0}


def test_the_values_are_those_of_the_losses(tiny_vgg, pictures):
    settings = GatysSettings(
        content_weight=2, style_weight=20, tv_weight=0.3, tv_kind="squared", padding="zero", **SHALLOW
    )
    content, styles = pictures
    image = resize(styles[0], content.shape[:2])
    objective = Objective(settings, (0.75, 0.25))
    total, raw, _ = value_and_gradient(objective, image, content, styles)
    mine, theirs, *painted = (objective.features(picture[None]) for picture in (image, content, *styles))
    wanted = {
        "content/relu2_1": float(content_loss(mine["relu2_1"], theirs["relu2_1"])),
        "tv": float(total_variation(image[None], "squared")),
    }
    for name in settings.style_layers:
        each = [float(style_loss(mine[name], style_statistic(style[name]))) for style in painted]
        wanted[f"style/{name}"] = 0.75 * each[0] + 0.25 * each[1]
    assert raw.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(raw[name], value, rtol=1e-4, err_msg=name)
    weights = {"content/relu2_1": 2, "style/relu1_1": 15, "style/conv2_1": 5, "tv": 0.3}
    np.testing.assert_allclose(total, sum(weights[name] * value for name, value in wanted.items()), rtol=1e-4)


@pytest.mark.parametrize("statistic", ["gram", "moments", "wasserstein", "mmd"])
def test_the_gradient_is_the_slope(tiny_vgg, pictures, statistic):
    """Along its own direction the loss rises by the gradient's squared length."""
    settings = GatysSettings(tv_weight=0.1, tv_kind="squared", style_statistic=statistic, **SHALLOW)
    content, styles = pictures
    objective = Objective(settings, (0.5, 0.5))
    image = resize(styles[0], content.shape[:2]) * 0.5 + 0.25
    _, _, gradient = value_and_gradient(objective, image, content, styles)
    assert gradient.shape == (1, 32, 40, 3)
    direction = gradient[0].numpy()
    step = 0.005 * direction / np.abs(direction).max()
    ahead, back = (value_and_gradient(objective, image + sign * step, content, styles)[0] for sign in (1, -1))
    np.testing.assert_allclose(ahead - back, 2 * np.sum(step * direction), rtol=0.03)


def test_at_its_target_a_loss_is_zero_and_flat(tiny_vgg, photo):
    objective = Objective(GatysSettings(style_weight=0, tv_weight=0, **SHALLOW), ())
    total, raw, gradient = value_and_gradient(objective, photo, photo, [])
    assert total == 0 and raw["content/relu2_1"] == 0 and raw["tv"] > 0
    np.testing.assert_array_equal(gradient, np.zeros((1, *photo.shape)))
    objective = Objective(GatysSettings(content_weight=0, tv_weight=0, **SHALLOW), (1.0,))
    whole = resize(photo, (32, 48))  # sides at which nothing is mirrored outward
    total, _, gradient = value_and_gradient(objective, whole, None, [whole])
    assert 0 <= total < 1e-9 and np.abs(gradient).max() < 1e-5


def test_one_compiled_function_serves_all_sizes(tiny_vgg, photo, painting):
    objective = Objective(GatysSettings(**SHALLOW), (1.0,))
    compiled = set()
    for shape in ((16, 16), (45, 61), (30, 17)):
        _, _, gradient = value_and_gradient(
            objective, resize(painting, shape), resize(photo, shape), [painting]
        )
        assert gradient.shape == (1, *shape, 3)
        compiled |= set(objective._compiled.values())
    assert len(compiled) == 2


@pytest.mark.parametrize(
    ("padding", "mode"), [("reflect", "reflect"), ("replicate", "symmetric"), ("zero", None)]
)
def test_no_row_of_the_picture_is_dropped_by_pooling(tiny_vgg, photo, padding, mode):
    """Sides are mirrored out to multiples of 16, below and to the right; not with zero padding."""
    run, judge = (
        Objective(GatysSettings(padding=padding, **SHALLOW), (), plain=plain) for plain in (False, True)
    )
    for height, width in ((45, 61), (16, 17), (32, 31), (48, 32)):
        picture = wide = resize(photo, (height, width))
        if mode:
            wide = np.pad(picture, [(0, -height % 16), (0, -width % 16), (0, 0)], mode)
        for objective, seen in ((run, wide), (judge, picture)):
            found = objective.measure_content(picture).content[0]
            np.testing.assert_allclose(found, objective.features(seen[None])["relu2_1"], rtol=1e-4, atol=1e-3)


def test_a_term_of_weight_zero_spoils_nothing(tiny_vgg, pictures, monkeypatch):
    """It is told, but not asked for its gradient: here its slope is infinite."""
    monkeypatch.setattr("tfstyle.gatys.objective.total_variation", lambda x, _: tf.sqrt(tf.reduce_sum(x - x)))
    content, styles = pictures
    objective = Objective(GatysSettings(tv_weight=0, **SHALLOW), (0.5, 0.5))
    total, raw, gradient = value_and_gradient(objective, content, content, styles)
    assert raw["tv"] == 0 and np.isfinite(total) and np.isfinite(gradient).all()


def test_the_network_of_the_report_is_the_plain_one(monkeypatch):
    asked = []

    def spy(layers, **options):
        asked.append((layers, options))
        return lambda image: image

    monkeypatch.setattr("tfstyle.gatys.objective.vgg", spy)
    settings = GatysSettings(
        pooling="average",
        normalized=True,
        padding="replicate",
        content_layers="pool3",
        network="vgg16",
        network_weights="w",
    )
    Objective(settings, (1.0,), "bfloat16")
    Objective(settings, (1.0,), plain=True)
    same = {"network": "vgg16", "weights": "w"}
    assert asked[0][1] == same | {
        "pooling": "average",
        "normalized": True,
        "padding": "replicate",
        "dtype": "bfloat16",
    }
    assert asked[1][1] == same  # and the rest as `vgg` has it: maximum pooling, zero padding, float32
    assert set(asked[0][0]) == {"pool3", *settings.style_layers}
    assert set(asked[1][0]) == {"pool3", REPORT_CONTENT, *REPORT_STYLE}
    assert len(asked[1][0]) == len(set(asked[1][0]))


def test_a_report_rounds_to_8_bits(tiny_vgg, photo, painting):
    judge = Objective(GatysSettings(**SHALLOW), (1.0,), plain=True)
    exact = np.round(photo * 255).astype(np.float32) / 255
    style = np.round(painting * 255).astype(np.float32) / 255
    raw, figures = judge.report(
        exact + np.float32(1e-4), exact - np.float32(1e-4), [style + np.float32(1e-3)]
    )
    assert (raw, figures) == judge.report(exact, exact, [style])
    assert figures["content_loss"] == 0 and raw["content/relu2_1"] == 0
    assert figures.keys() == {"content_loss", "style_rel", "style_loss", "tv"}


def test_a_report_tells_what_there_is_to_tell(tiny_vgg, photo, painting):
    settings = GatysSettings(content_weight=0, **SHALLOW)
    raw, figures = Objective(settings, (1.0,), plain=True).report(photo, None, [painting])
    assert figures.keys() == {"style_rel", "style_loss", "tv"} and "content/relu2_1" not in raw
    settings = GatysSettings(style_weight=0, **SHALLOW)
    raw, figures = Objective(settings, (), plain=True).report(photo, photo, [])
    assert figures.keys() == {"content_loss", "tv"} and raw.keys() == {"content/relu2_1", "tv"}
    # A picture that weighed nothing in the run is still judged by.
    _, figures = Objective(settings, (1.0,), plain=True).report(photo, photo, [painting])
    assert "style_rel" in figures
