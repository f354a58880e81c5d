"""SavedModels are kept whole or not at all, and those of the repository are today's."""

import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from tfstyle import images
from tfstyle.export import ExportError, card, loaders, savedmodel
from tfstyle.nets import arbitrary_weights

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = pathlib.Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"


def everything(folder):
    """Every file and folder below one, by its path from there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def other_network(network_file, tmp_path):
    """A network that differs from the small one in its last layer's bias alone."""
    predictor, transformer, config = arbitrary_weights.load(network_file)
    bias = predictor.get_layer("code").bias
    bias.assign(bias + 0.5)
    path = tmp_path / "other.npz"
    arbitrary_weights.save(path, predictor, transformer, config)
    return path


# Whole or not at all


def test_a_version_that_is_there_is_refused(refusal, tmp_path):
    (tmp_path / "arbitrary" / "3").mkdir(parents=True)
    assert refusal(savedmodel.export, "arbitrary", tmp_path, version=3) == (
        f"{tmp_path}/arbitrary/3 is there already; give the next version, or replace it (replace=True, --replace)."
    )
    assert everything(tmp_path) == ["arbitrary", "arbitrary/3"]


@pytest.mark.parametrize(("name", "options", "sentence"), [
    ("arbitary", {}, "name must be one of 'arbitrary', 'gatys', 'style', 'superres', 'translate'; received 'arbi"),
    ("arbitrary", {"precision": "float16"}, "precision must be one of 'float32', 'bfloat16'; received 'float16'; did "),
    ("arbitrary", {"version": 0}, "version must be a whole number of at least 1; received 0."),
    ("arbitrary", {"replace": 1}, "replace must be True or False; received 1."),
    ("gatys", {"model": "mine.npz"}, "The optimizer is exported in float32 with the VGG-19 of tfstyle; leave model "),
    ("gatys", {"precision": "bfloat16"}, "The optimizer is exported in float32 with the VGG-19 of tfstyle; leave "),
])
def test_settings_refused(refusal, tmp_path, name, options, sentence):
    assert refusal(savedmodel.export, name, tmp_path, **options).startswith(sentence)
    assert everything(tmp_path) == []


def test_a_model_that_is_not_there(refusal, tmp_path):
    said = refusal(savedmodel.export, "arbitrary", tmp_path, model="gone.npz")
    assert said == "There is no file 'gone.npz' with the network's weights; check the path."
    assert [path for path in everything(tmp_path) if path != "arbitrary"] == []


@pytest.mark.parametrize("where", ["arbitrary", "arbitrary/1"])
def test_a_file_in_the_folders_place(refusal, tmp_path, saved, unchecked, where):
    path = tmp_path / where
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    said = refusal(savedmodel.export, "arbitrary", tmp_path, replace=True)
    assert said.startswith(f"{tmp_path}/arbitrary/1 cannot be written (") and said.endswith("; choose another folder.")
    assert path.read_text() == "mine" and everything(tmp_path) == sorted({"arbitrary", where})


def test_replaced(tmp_path, saved, unchecked, without_warmup):
    path = tmp_path / "models" / "arbitrary" / "2"
    path.mkdir(parents=True)
    (path / "stale.txt").write_text("old")
    (path.parent / "1").mkdir()
    found, differences = savedmodel.export("arbitrary", tmp_path / "models", version=2, replace=True)
    assert found == path and differences == {"hub": 1.26e-7}
    assert everything(tmp_path / "models") == sorted(["arbitrary", "arbitrary/1", "arbitrary/2", *(
        f"arbitrary/2/{name}" for name in (
            "assets.extra", "assets.extra/card.json", "fingerprint.pb", "saved_model.pb", "variables",
            "variables/variables.index", "variables/variables.data-00000-of-00001",
        ) + (("assets",) if (path / "assets").exists() else ())
    )])


def refused_export(folder, error, **options):
    """Tries to replace a version that is served, and returns why that was not done."""
    path = folder / "models" / "arbitrary" / "1"
    path.mkdir(parents=True)
    (path / "served.txt").write_text("old")
    with pytest.raises(error) as found:
        savedmodel.export("arbitrary", folder / "models", replace=True, **options)
    assert everything(folder / "models") == ["arbitrary", "arbitrary/1", "arbitrary/1/served.txt"]
    return str(found.value)


@pytest.mark.parametrize("error", [ExportError, KeyboardInterrupt, tf.errors.ResourceExhaustedError])
def test_what_did_not_pass_is_not_kept(tmp_path, saved, monkeypatch, error):
    def check(path, settings):
        assert (pathlib.Path(path) / "saved_model.pb").exists()
        raise error(None, None, "memory") if error is tf.errors.ResourceExhaustedError else error("words")

    monkeypatch.setattr(savedmodel, "check_arbitrary", check)
    refused_export(tmp_path, error)


def test_a_full_disk_is_plain_words_and_leaves_no_folder(tmp_path, single_files, refusal, monkeypatch):
    def save(module, path, signatures):
        (pathlib.Path(path) / "variables").mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, f"{{{{node}}}} {path}; No space left on device [Op:SaveV2]")

    monkeypatch.setattr(tf.saved_model, "save", save)
    said = refusal(savedmodel.export, "style", tmp_path / "new" / "x", model=single_files["wave"])
    assert said == (
        f"{tmp_path}/new/x/wave/1 cannot be written (No space left on device); choose another folder."
    )
    assert everything(tmp_path) == []


def test_a_disk_that_is_full_for_warm_up_requests_alone(tmp_path, saved, unchecked, refusal, monkeypatch):
    def write(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "requests; No space left on device")

    monkeypatch.setattr("tfstyle.export.warmup.write", write)
    assert "(No space left on device)" in refusal(savedmodel.export, "arbitrary", tmp_path)
    assert everything(tmp_path) == []


def test_ctrl_c_leaves_no_folder(tmp_path, saved, monkeypatch):
    def check(path, settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(savedmodel, "check_arbitrary", check)
    (tmp_path / "old").mkdir()
    for folder in ("new/x", "old"):
        with pytest.raises(KeyboardInterrupt):
            savedmodel.export("arbitrary", tmp_path / folder)
        assert everything(tmp_path) == ["old"]


@pytest.mark.slow
def test_a_graph_that_computes_something_else_is_not_kept(tmp_path, saved, other_network):
    """The graph is the small network's, and the settings name another: its codes are off by 0.5."""
    words = refused_export(tmp_path, ExportError, model=other_network)
    told = re.fullmatch(r"The exported graph was not kept: .* differs from Python by (\S+), more than \S+\.", words)
    assert float(told[1]) > 0.01


# What the repository holds


def asked(name):
    """Requests of every signature: (signature, inputs)."""
    content, style = (
        images.resize(images.read(DATA / file).rgb, shape)[None]
        for file, shape in (("chelsea_96.jpg", (40, 56)), ("swirl_128.jpg", (48, 36)))
    )
    files = {
        f"{key}_bytes": [tf.io.encode_png(images.to_uint8(picture[0])).numpy()]
        for key, picture in (("content", content), ("style", style))
    }
    pictures = {"content_image": content, "style_image": style}
    yield "serving_default", pictures
    if name == "gatys":
        few = {"steps": np.int32([3]), **{f"{kind}_weight": np.float32([2]) for kind in ("content", "style", "tv")}}
        yield "optimize", pictures | few
        yield "optimize_look", few | {
            "content_image": content, "style_image": np.stack([style, style[:, ::-1]], axis=1),
            "weights": np.float32([[1, 2]]), "strength": np.float32([0.5]), "color": np.array(["match"], object),
        }
        yield "optimize_bytes", files | few
        return
    yield "style_code", {"style_image": style}
    code = np.linspace(-1, 1, 100, dtype=np.float32)[None]
    yield "stylize_code", {"content_image": content, "style_code": code}
    yield "stylize_look", {
        "content_image": content, "style_code": np.stack([code, -code], axis=1), "color": np.array(["match"], object),
        "masks": np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 2, 4, 6), "strength": np.float32([0.5]),
    }
    yield "stylize", pictures | {"strength": np.float32([0.5])}
    yield "stylize_bytes", files | {"strength": np.float32([0.5])}


def numbers(answer):
    """An answer's one tensor as numbers, files as pixels in [0, 1]."""
    (tensor,) = answer.values()
    return tensor if tensor.dtype == np.float32 else images.read(tensor[0]).rgb


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arbitrary", "gatys"])
def test_what_is_committed_is_what_is_saved_today(tmp_path, name, logs):
    path = ROOT / "saved_models" / name / "1"
    module = savedmodel.save(name, tmp_path)
    assert card.signatures(path) == card.signatures(tmp_path)
    assert card.array_hashes(path) == card.array_hashes(tmp_path)
    content = json.loads((path / card.FILE).read_text(encoding="utf-8"))
    assert content["signatures"] == card.signatures(path)
    assert content["sha256"]["variables"] == card.array_hashes(path)
    assert content["weights"] == "shipped with tfstyle" and content["differences_from_python"]
    assert content["pictures"] | module.bounds == content["pictures"] and len(content["pictures"]) > len(module.bounds)
    assert len(logs(path)) > 1
    requests = dict(asked(name))
    assert set(requests) == set(card.signatures(path))
    with loaders.in_session(path) as old, loaders.in_session(tmp_path) as new:
        for signature, inputs in requests.items():
            found, wanted = (numbers(call(signature, **inputs)) for call in (old, new))
            most = 1e-6 if "bytes" not in signature else 1 / 255 + 1e-6  # a byte may round the other way
            np.testing.assert_allclose(found, wanted, rtol=0, atol=most, err_msg=signature)


@pytest.mark.slow
def test_what_is_committed_loads_as_tf_hubs_module_does():
    import tensorflow_hub as hub

    from tfstyle.stylizer import ArbitraryStylizer

    content, style = dict(asked("arbitrary"))["serving_default"].values()
    found = hub.load(str(ROOT / "saved_models" / "arbitrary" / "1"))(tf.constant(content), tf.constant(style))
    assert isinstance(found, (list, tuple)) and len(found) == 1
    engine = ArbitraryStylizer(precision="float32")
    wanted = engine.stylize_batch(content, engine.style_code(style[0], 48)[None])
    np.testing.assert_allclose(found[0].numpy(), wanted, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_optimizer_is_exported(tmp_path):
    path, differences = savedmodel.export("gatys", tmp_path)
    assert path == tmp_path / "gatys" / "1" and len(differences) == 14
    content = json.loads((path / card.FILE).read_text(encoding="utf-8"))
    assert content["pictures"] | {"most_pixels": 2**20, "most_steps": 500} == content["pictures"]
    assert content["differences_from_python"].keys() == differences.keys()


@pytest.mark.slow
def test_bfloat16_where_the_processor_has_it(tmp_path, network_file):
    from tfstyle.machine import bfloat16_wins

    if not bfloat16_wins()[0]:
        pytest.skip("bfloat16 would be emulated")
    path, differences = savedmodel.export("arbitrary", tmp_path, model=network_file, precision="bfloat16")
    assert json.loads((path / card.FILE).read_text(encoding="utf-8"))["precision"] == "bfloat16"
    assert 1e-5 < max(differences.values()) <= 0.05
