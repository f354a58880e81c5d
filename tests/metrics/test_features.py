"""Distances of sets of pictures: what sees them, what is drawn, what the figures are called."""

import hashlib
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from tfstyle import images
from tfstyle.metrics import FewPicturesWarning, distribution_distances, distributions, features, picture_features
from tfstyle.nets.vgg import vgg
from tfstyle.train.data import PictureSet

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RNG = np.random.default_rng(3)
FILE = features._IMAGENET


@pytest.fixture(autouse=True)
def no_keras_files(tmp_path, monkeypatch):
    """Nothing that Keras has fetched is at hand."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture(scope="module")
def pictures():
    """Six of unlike sizes, uint8."""
    return [RNG.integers(0, 256, (17 + 5 * i, 40 - 3 * i, 3), dtype=np.uint8) for i in range(6)]


@pytest.fixture
def seen(monkeypatch):
    """Puts five means of a picture's parts in the place of VGG-19; the list of all batches that it has seen."""
    batches = []

    def network(batch):
        batches.append(batch)
        parts = [batch[:, :64].mean(axis=(1, 2)), batch[:, 64:, :, :2].mean(axis=(1, 2))]
        return np.concatenate(parts, axis=1)

    found = features._Extractor("vgg19", ("frechet_vgg19", "kernel_vgg19"), 128, "five means", "none", "0", network)
    monkeypatch.setattr(features, "_vgg19", lambda: found)
    return batches


@pytest.fixture
def small(monkeypatch):
    """Puts one convolution to 4 channels in Inception's place; makes further ones, of random weights."""

    def application(weights):
        image = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(4, 9, 9, activation="relu", data_format="channels_last")(image)
        model = keras.Model(image, keras.layers.BatchNormalization()(x))
        if weights == "imagenet":
            model.load_weights(features._cached())
        return model

    monkeypatch.setattr("tfstyle.nets.inception.application", application)
    return application


# Features


def test_the_stand_in_by_hand(pictures):
    found, told = picture_features(pictures, "vgg19")
    squares = [np.asarray(Image.fromarray(p).resize((128, 128), Image.Resampling.LANCZOS)) for p in pictures]
    layers = vgg(features.STAND_IN_LAYERS, normalized=True)(np.stack(squares).astype("float32") / 255)
    wanted = []
    for values in map(keras.ops.convert_to_numpy, layers.values()):
        width = values.shape[-1] // 16
        wanted += [values[..., i:i + width].mean(axis=(1, 2, 3)) for i in range(0, values.shape[-1], width)]
    assert found.shape == (6, 80) and found.dtype == np.float64
    np.testing.assert_allclose(found, np.stack(wanted, axis=1), rtol=1e-4)
    assert told["weights_sha256"].startswith("6cf486ab") and told["side"] == 128
    assert 0.2 < found.mean() < 5  # 1 over photographs


@pytest.mark.slow
def test_inception_by_hand(pictures, tmp_path):
    model = keras.applications.InceptionV3(include_top=False, weights=None)
    for variable in model.non_trainable_variables:  # such that pictures differ
        begin, spread = (0, 0.02) if "moving_mean" in variable.path else (0.3, 0.3)
        variable.assign(begin + spread * RNG.random(variable.shape, np.float32))
    model.save_weights(tmp_path / "mine.weights.h5")
    found, told = picture_features(pictures[:2], inception_weights=tmp_path / "mine.weights.h5")
    squares = [np.asarray(Image.fromarray(p).resize((299, 299), Image.Resampling.LANCZOS)) for p in pictures[:2]]
    maps = model(np.stack(squares).astype("float32") / 127.5 - 1, training=False)
    assert found.shape == (2, 2048) and np.abs(found[0] - found[1]).max() > 1e-3
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(maps).mean(axis=(1, 2)), rtol=1e-3, atol=1e-4)
    assert told["features"] == "inception_v3" and told["weights"] == "mine.weights.h5" and told["side"] == 299
    assert told["weights_sha256"] == hashlib.sha256((tmp_path / "mine.weights.h5").read_bytes()).hexdigest()


# Names


@pytest.mark.parametrize("ending", [".weights.h5", ".h5", ".keras"])
def test_any_file_of_weights_but_its_figures_have_their_own_names(small, pictures, tmp_path, ending):
    model, path = small(None), tmp_path / f"mine{ending}"
    model.save_weights(path) if ending == ".weights.h5" else model.save(path)
    for name in ("auto", "inception_v3"):
        found = distribution_distances(pictures, [p // 2 for p in pictures], name, path)
        assert set(found) == {
            "frechet_inception_v3", "kernel_inception_v3", "kernel_inception_v3_std", "protocol",
        }
        assert found["protocol"]["weights"] == path.name
    squares = np.stack([np.asarray(Image.fromarray(p).resize((299, 299), Image.Resampling.LANCZOS)) for p in pictures])
    maps = keras.ops.convert_to_numpy(model(squares.astype("float32") / 127.5 - 1, training=False))
    np.testing.assert_allclose(picture_features(pictures, "auto", path)[0], maps.mean(axis=(1, 2)), rtol=1e-4)


def test_only_the_file_of_imagenets_weights_makes_fid_and_kid(small, pictures, tmp_path, monkeypatch):
    cached = tmp_path / "keras" / "models" / FILE
    cached.parent.mkdir(parents=True)
    small(None).save(cached)
    fake = [p // 2 for p in pictures]
    other = distribution_distances(pictures, fake)  # at hand, under Keras' name, but not what Keras fetches
    assert "frechet_inception_v3" in other and "fid" not in other and other["protocol"]["weights"] == FILE
    monkeypatch.setattr(features, "_IMAGENET_MD5", hashlib.md5(cached.read_bytes()).hexdigest())
    for weights in ("imagenet", shutil.copy(cached, tmp_path / "renamed.h5")):
        found = distribution_distances(pictures, fake, inception_weights=weights)
        assert set(found) == {"fid", "kid", "kid_std", "protocol"}
        assert found["fid"] == pytest.approx(other["frechet_inception_v3"], rel=1e-9)
        assert found["protocol"]["weights"] == f"keras.applications inception_v3, {FILE}"


def test_what_keras_fetches_makes_fid(small, pictures, tmp_path, monkeypatch):
    def fetched(weights):
        assert weights == "imagenet"
        return small(None)

    monkeypatch.setattr("tfstyle.nets.inception.application", fetched)
    found = distribution_distances(pictures, pictures[::-1], "inception_v3")
    assert set(found) == {"fid", "kid", "kid_std", "protocol"} and found["protocol"]["weights_sha256"] is None


def test_the_stand_in_is_called_by_its_own_name(seen, pictures):
    for name in ("auto", "vgg19"):
        found = distribution_distances(pictures, [p[::-1] for p in pictures], name)
        assert set(found) == {"frechet_vgg19", "kernel_vgg19", "kernel_vgg19_std", "protocol"}
        assert found["protocol"]["features"] == "vgg19"


def test_auto_fetches_nothing(seen, pictures, monkeypatch):
    monkeypatch.setattr(keras.applications, "InceptionV3", None)
    assert "frechet_vgg19" in distribution_distances(pictures, pictures)


def test_what_cannot_be_fetched_is_said(pictures, monkeypatch, refusal):
    def offline(**_):
        raise OSError("no network")

    monkeypatch.setattr(keras.applications, "InceptionV3", offline)
    said = refusal(picture_features, pictures, "inception_v3")
    assert said.startswith("Keras could not fetch the ImageNet weights of inception_v3: check the network connection")


# Sets


def test_figures_and_protocol(seen, pictures):
    real, fake = pictures, [p // 2 for p in pictures]
    found = distribution_distances(real, fake, seed=7, subsets=11, subset_size=4)
    sides = [picture_features(side, "vgg19")[0] for side in (real, fake)]
    assert found["frechet_vgg19"] == distributions.frechet_distance(*sides)
    kernel = distributions.kernel_distance(*sides, 11, 4, 7)
    assert (found["kernel_vgg19"], found["kernel_vgg19_std"]) == kernel
    assert found["protocol"] == {
        "features": "vgg19", "text": "five means", "weights": "none", "weights_sha256": "0", "n": 6, "of": [6, 6],
        "d": 5, "side": 128, "resize": "Lanczos, 8 bits, squeezed to a square", "seed": 7, "subsets": 11,
        "subset_size": 4, "singular": False,
    }
    assert json.loads(json.dumps(found)) == found


def test_as_many_of_both_sides_drawn_by_the_seed(seen, pictures):
    with pytest.warns(FewPicturesWarning):
        found = distribution_distances(pictures, pictures[:3])
    assert found["protocol"]["n"] == 3 and found["protocol"]["of"] == [6, 3] and found["protocol"]["singular"]
    assert sum(map(len, seen)) == 6
    wanted = [images.resize(p, (128, 128)).astype(np.float32) / 255 for p in pictures]
    chosen = features.drawn(6, 3)
    np.testing.assert_array_equal(np.concatenate(seen), [wanted[i] for side in chosen for i in side])


def test_what_is_drawn():
    real, fake = features.drawn(50, 20, 10, seed=1)
    assert len(set(real.tolist())) == len(set(fake.tolist())) == 10
    assert real.max() < 50 and fake.max() < 20 and (np.diff(real) > 0).all() and (np.diff(fake) > 0).all()
    np.testing.assert_array_equal(real, features.drawn(50, 20, 10, seed=1)[0])
    assert real.tolist() != features.drawn(50, 20, 10, seed=2)[0].tolist()
    real, fake = features.drawn(5, 8)
    assert real.tolist() == [0, 1, 2, 3, 4] and len(fake) == 5


def test_any_source_of_pictures(seen, pictures, tmp_path):
    for i, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    wanted = picture_features(pictures)[0]
    paths = sorted(tmp_path.glob("*.png"))
    for source in (PictureSet(tmp_path), paths, map(str, paths)):
        np.testing.assert_array_equal(picture_features(source)[0], wanted)


def test_progress_is_told(seen, monkeypatch):
    monkeypatch.setattr(features, "_BATCH", 4)
    calls = []
    side = [RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(6)]
    distribution_distances(side, side[::-1], told=lambda *words: calls.append(words))
    assert calls == [(4, 12), (8, 12), (12, 12)]


def test_the_sets_own_order_does_not_matter(seen, pictures):
    fake = [p[::-1] for p in pictures]
    found = distribution_distances(pictures, fake, subset_size=6)
    again = distribution_distances(pictures[::-1], fake[2:] + fake[:2], subset_size=6)
    for name in ("frechet_vgg19", "kernel_vgg19"):
        assert again[name] == pytest.approx(found[name], rel=1e-6, abs=1e-9)


# What they refuse


@pytest.mark.parametrize(("options", "sentence"), [
    ({"features": "vgg16"}, "features must be one of 'auto', 'inception_v3', 'vgg19'; received 'vgg16'; did you mean"),
    ({"inception_weights": "gone.h5"}, "There is no file of weights 'gone.h5'; check the path, or give \"imagenet\"."),
    ({"inception_weights": 3}, 'inception_weights must be "imagenet" or a path; received 3.'),
    ({"features": "vgg19", "inception_weights": "x.h5"}, 'inception_weights are of no use to the features vgg19; '),
    ({"inception_weights": __file__}, f"{__file__} has an unknown ending; Inception's weights are read from .h5, "),
    ({"count": 7}, "There are 6 real and 6 fake pictures, fewer than the count of 7: lower it."),
    ({"count": 1}, "count must be a whole number of at least 2; received 1."),
    ({"seed": -1}, "seed must be a whole number of at least 0; received -1."),
    ({"subset_size": 7}, "subset_size must be a whole number from 2 to 6; received 7."),
    ({"subsets": 0}, "subsets must be a whole number of at least 1; received 0."),
])
def test_unusable_settings(seen, pictures, refusal, options, sentence):
    assert refusal(distribution_distances, pictures, pictures, **options).startswith(sentence)


@pytest.mark.parametrize("place", ["pictures", pathlib.Path("p")])
def test_a_folder_is_no_list_of_pictures(seen, pictures, refusal, place):
    sentence = refusal(distribution_distances, place, pictures, features="vgg19")
    assert sentence.startswith(f"real and fake must be lists of pictures; received {place!r}: give PictureSet(folder)")


def test_unusable_pictures(seen, pictures, refusal):
    said = "There must be at least 2 fake pictures for a distance of sets; received 1."
    assert refusal(distribution_distances, pictures, pictures[:1]) == said and seen == []
    assert refusal(picture_features, []) == "There must be at least one picture to look at; received none."
    small = [pictures[0], pictures[1][:15]]
    assert refusal(picture_features, small).startswith("picture 2 is 37x15 px (width x height); use one of at least 16")
    assert refusal(picture_features, ["gone.png"]).startswith("picture 1 'gone.png' does not exist; ")


def test_files_that_are_no_weights_of_inception(small, pictures, refusal, tmp_path):
    (tmp_path / "bad.h5").write_bytes(b"no HDF5")
    said = refusal(picture_features, pictures, inception_weights=tmp_path / "bad.h5")
    assert said.startswith(f"{tmp_path / 'bad.h5'} cannot be read as weights of inception_v3 without its top (")
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    said = refusal(picture_features, pictures, inception_weights=tmp_path / "other.weights.h5")
    assert said.endswith("it is damaged or of another kind, so give another file.")


def test_weights_that_make_no_numbers(small, pictures, refusal, tmp_path):
    model = small(None)
    model.layers[1].bias.assign([np.nan] * 4)
    model.save_weights(tmp_path / "mine.weights.h5")
    said = refusal(picture_features, pictures, inception_weights=tmp_path / "mine.weights.h5")
    assert said == "The features by mine.weights.h5 are not finite; give another file of weights."
