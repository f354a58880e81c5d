"""Training for one style: batches, the loss by hand, where a run starts, what it leaves, resume."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import tfstyle
from tfstyle import images
from tfstyle.nets import network_files
from tfstyle.nets.feedforward import FeedForwardConfig
from tfstyle.train import data, feedforward, loop
from tfstyle.train.data import PictureSet, random_square, shuffled
from tfstyle.train.feedforward import Crops, Training, train_style
from tfstyle.train.perceptual_settings import StylePace, StyleSettings

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TINY = StyleSettings(
    crop=32, photos=2, style_size=48, style_layers=("relu1_1", "relu2_1"), content_layer="relu2_2", style_weight=3.0,
    tv_weight=0.125, widths=(4, 4, 4, 8), blocks=1,
)
PAPER = dataclasses.replace(TINY, network="paper", widths=(4, 4, 8), normalization="batch")
PACE = StylePace(steps=3, warmup=1, average=0.5, log_every=1, checkpoint_every=1, precision="float32", workers=1)


@pytest.fixture(scope="module")
def photos(folders):
    return PictureSet(folders[0])


@pytest.fixture(scope="module")
def model(painting):
    keras.utils.set_random_seed(4)
    return Training(TINY, images.read(painting, size=48).rgb)


@pytest.fixture(scope="module")
def run(photos, painting, tmp_path_factory):
    """A function (settings, workdir or None for a new one, stop after, ...) -> workdir of a run."""

    def train(settings=TINY, workdir=None, stop=None, pace=PACE, **options):
        workdir = workdir or tmp_path_factory.mktemp("run")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(feedforward, "PREVIEW_SIDE", 32)
            patch.setattr("tfstyle.train.journal._board", lambda folder, done: None)
            done = train_style(
                photos, painting, workdir, settings, pace, callback=lambda step, _: step == stop, **options
            )
        assert done == (stop or pace.steps)
        return workdir

    return train


@pytest.fixture(scope="module")
def finished(run):
    return run()


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor).astype(np.float64)


def arrays(workdir):
    with np.load(workdir / "checkpoint.npz") as file:
        return {name: file[name] for name in file.files if name != "head"}


# Batches


@pytest.mark.parametrize("zoom", [1.5, 1.0])
@pytest.mark.parametrize("photo_side", [None, 36])
def test_what_a_batch_holds(photos, zoom, photo_side):
    """Changing this changes every run that is resumed."""
    batch = Crops(photos, dataclasses.replace(TINY, photo_side=photo_side), zoom)[7]
    rng = np.random.default_rng([0, 2, 7])
    pictures = [data.reduced(photos[shuffled(3, 14 + i, 0)], photo_side) for i in range(2)]
    assert list(batch) == ["photo"]
    np.testing.assert_array_equal(batch["photo"], [random_square(one, 32, rng, zoom) for one in pictures])


def test_seeds_draw_differently(photos):
    batch, other = (Crops(photos, dataclasses.replace(TINY, seed=seed))[0]["photo"] for seed in (0, 1))
    assert (batch != other).any()


# The loss


def gram(features):
    rows = features.reshape(len(features), -1, features.shape[-1])
    return rows.transpose(0, 2, 1) @ rows / rows.shape[1]


def test_the_loss_by_hand(model, photos, painting):
    batch = Crops(photos, TINY)[1]
    model.reset_metrics()
    answer = model(batch)
    loss = float(model.compute_loss(x=batch, y_pred=answer))
    found = {name: float(one.result()) for name, one in model.trackers.items()}

    image = numbers(answer["image"])
    features = {name: numbers(one) for name, one in model.judge(answer["image"]).items()}
    wanted = {name: numbers(one) for name, one in model.judge((batch["photo"] / 255).astype("float32")).items()}
    style = {name: numbers(one) for name, one in model.judge(images.read(painting, size=48).rgb[None]).items()}
    error = ((features["relu2_2"] - wanted["relu2_2"]) ** 2).mean(axis=(1, 2, 3))
    terms = {"content": (error / (wanted["relu2_2"] ** 2).mean(axis=(1, 2, 3))).mean()}
    for name in TINY.style_layers:
        target = gram(style[name])
        terms[f"gram{name[4:]}"] = (((gram(features[name]) - target) ** 2).sum((1, 2)) / (target**2).sum()).mean()
    terms["style"] = (terms["gram1_1"] + terms["gram2_1"]) / 2
    terms["tv"] = sum(np.abs(np.diff(image, axis=axis)).mean() for axis in (1, 2))
    assert found.keys() == terms.keys()
    for name, value in terms.items():
        tolerance = 0.02 if name == "tv" else 1e-3  # the corner of |d| is rounded off
        np.testing.assert_allclose(found[name], value, rtol=tolerance, err_msg=name)
    np.testing.assert_allclose(loss, found["content"] + 3 * found["style"] + 0.125 * found["tv"], rtol=1e-5)


def test_only_the_network_is_trained(model):
    assert [v.path for v in model.trainable_variables] == [v.path for v in model.network.trainable_variables]
    assert len(model.trainable_variables) > 20 and not model.beside


def test_a_photograph_is_not_read_deeper_than_its_content(painting):
    """Style layers may lie beyond the content layer."""
    deep = dataclasses.replace(TINY, style_layers=("relu3_1",), content_layer="relu1_2")
    names = [layer.name for layer in Training(deep, images.read(painting, size=48).rgb).reader.layers]
    assert "block1_conv2" in names and not any(name.startswith("block2") for name in names)


@pytest.mark.parametrize("settings", [TINY, PAPER], ids=["compact", "paper"])
def test_steps_lower_the_loss(photos, painting, settings):
    keras.utils.set_random_seed(0)
    model = Training(settings, images.read(painting, size=48).rgb)
    loop._compile(model, dataclasses.replace(PACE, steps=100, warmup=0, learning_rate=0.02))
    batch = Crops(photos, settings)[0]
    losses = []
    for _ in range(8):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(batch, return_dict=True)["loss"]))
    assert losses[-1] < 0.9 * losses[0]


# Where a run starts


def test_default_is_the_shipped_network_under_the_painting_s_code(painting):
    """To within rounding, what the stylizer paints after that painting."""
    settings = StyleSettings(crop=32, style_size=48, style_layers=("relu1_1",), content_layer="relu1_1")
    shown = images.read(painting, size=48).rgb
    keras.utils.set_random_seed(1)
    model = Training(settings, shown)
    photo = np.random.default_rng(5).random((1, 24, 33, 3), np.float32)
    before = numbers(model.network(photo))
    feedforward._start(model.config, shown, None)(model)
    engine = tfstyle.ArbitraryStylizer(precision="float32")
    wanted = engine.stylize_batch(photo, engine.style_code(shown, 48)[None])
    np.testing.assert_allclose(numbers(model.network(photo)), wanted, atol=1e-4)
    assert np.abs(before - wanted).mean() > 0.02


@pytest.mark.parametrize("config", [
    FeedForwardConfig("paper"), FeedForwardConfig(blocks=3), FeedForwardConfig(normalization="batch"),
    FeedForwardConfig(widths=(4, 4, 4, 8)),
])
def test_a_network_of_another_shape_starts_at_random(config, refusal):
    assert feedforward._start(config, None, None) is None
    assert refusal(feedforward._start, config, None, "default") == (
        "The init default needs a network of the shipped one's shape; leave network, widths, blocks and normalization "
        "as they are, or use the init random."
    )


def test_random_is_random_whatever_the_shape():
    assert feedforward._start(FeedForwardConfig(), None, "random") is None


@pytest.mark.parametrize("name", ["checkpoint.npz", "weights.npz", "weights.keras"])
def test_a_new_run_may_start_from_files(finished, tmp_path, painting, name):
    network, config = network_files.load(finished / "weights.npz", "style")
    network_files.save(tmp_path / "weights.keras", network, config)
    keras.utils.set_random_seed(9)
    model = Training(TINY, images.read(painting, size=48).rgb)
    loop._compile(model, PACE)
    feedforward._start(model.config, None, (tmp_path if name.endswith("keras") else finished) / name)(model)
    for found, wanted in zip(model.trainable_variables, network.trainable_variables, strict=True):
        if name == "checkpoint.npz":
            found = numbers(found).astype("float16")
        np.testing.assert_array_equal(numbers(found), numbers(wanted))


def test_files_that_do_not_fit(finished, painting, tmp_path, refusal):
    other = Training(dataclasses.replace(TINY, blocks=2), images.read(painting, size=48).rgb)
    loop._compile(other, PACE)

    def start(path):
        feedforward._start(other.config, None, path)(other)

    said = refusal(start, finished / "weights.npz")
    assert "weights.npz is of a network of another shape; " in said and "blocks=1" in said
    assert "checkpoint.npz is of another network " in refusal(start, finished / "checkpoint.npz")
    (tmp_path / "a.npz").write_bytes(b"x")
    assert "a.npz holds no network of tfstyle, or is damaged " in refusal(start, tmp_path / "a.npz")


# A run


def test_what_a_run_leaves(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "checkpoint.npz", "log.jsonl", "previews", "weights.npz"
    ]
    lines = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert set(lines[0]) == {
        "step", "seconds", "learning_rate", "loss", *Training.TERMS, *(f"gram{name[4:]}" for name in TINY.style_layers)
    }


def test_the_sheet_shows_photographs_and_what_they_become(finished):
    sheet = images.read(finished / "previews" / "step-000003.png").rgb
    assert sheet.shape == (2 * 36 - 4, 3 * 36 - 4, 3)
    tiles = [sheet[36 * i:36 * i + 32, 36 * j:36 * j + 32] for i in range(2) for j in range(3)]
    assert all(np.ptp(tile) > 0.02 for tile in tiles)
    assert all(np.abs(tiles[j] - tiles[3 + j]).mean() > 0.01 for j in range(3))


def test_the_weights_are_the_averages_and_can_be_used(finished):
    network, config = network_files.load(finished / "weights.npz", "style")
    assert config == FeedForwardConfig("compact", (4, 4, 4, 8), 1)
    kept = arrays(finished)
    for i, variable in enumerate(network.trainable_variables):
        np.testing.assert_array_equal(numbers(variable), kept[f"optimizer/{1 + i}"].astype("float16"))
    assert network(np.full((1, 20, 31, 3), 0.5, "float32")).shape == (1, 20, 31, 3)


@pytest.mark.parametrize("settings", [TINY, PAPER], ids=["compact", "paper"])
def test_three_steps_are_two_and_one_more(run, finished, settings):
    whole = arrays(finished if settings is TINY else run(settings))
    workdir = run(settings, stop=2)
    stopped = arrays(workdir)
    assert int(stopped["step"]) == 2
    resumed = arrays(run(settings, workdir))
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(resumed[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert any((stopped[name] != whole[name]).any() for name in whole if name.startswith("model/"))


def test_statistics_of_batches_are_kept(run):
    workdir = run(PAPER)
    kept = arrays(workdir)
    network, config = network_files.load(workdir / "weights.npz", "style")
    assert config.normalization == "batch" and len(network.non_trainable_variables) > 10
    fresh = feedforward.feedforward(config)
    for i, variable in enumerate(network.non_trainable_variables):
        np.testing.assert_array_equal(numbers(variable), kept[f"beside/{i}"].astype("float16"))
        assert (kept[f"beside/{i}"] != numbers(fresh.non_trainable_variables[i])).any()
    assert f"beside/{len(network.non_trainable_variables)}" not in kept


def test_another_painting_is_another_run(finished, photos, other_painting, refusal):
    said = refusal(train_style, photos, other_painting, finished, TINY, PACE)
    assert "checkpoint.npz is of a run in which painting was '" in said


@pytest.mark.parametrize(("given", "words"), [
    ({"content_layer": "relu4_9"}, "vgg19 has no layer 'relu4_9'; did you mean "),
    ({"style_layers": ("relu1_1", "rel2_1")}, "vgg19 has no layer 'rel2_1'; did you mean "),
    ({"style_layers": ()}, "At least one VGG layer must be named"),
    ({"loss_network": "vgg16"}, "No vgg16 weights are shipped: "),
])
def test_a_judge_that_cannot_be_built(photos, painting, tmp_path, refusal, given, words):
    assert refusal(train_style, photos, painting, tmp_path, dataclasses.replace(TINY, **given), PACE).startswith(words)
