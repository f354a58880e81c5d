"""SavedModels of all engines, saved and loaded once for all tests, and how a graph's refusals are read."""

import contextlib
import functools
import re
import shutil
import sys
import types

import numpy as np
import pytest

# In place of 192 px, so that pictures of 48 px are painted in two scales; the tests bring it to Python, too.
COARSEST = 24


@pytest.fixture(scope="session")
def arbitrary_saved(network_file, tmp_path_factory):
    """The path of a SavedModel of the small one-pass network, as `save` writes it."""
    from tfstyle.export import savedmodel
    from tfstyle.export.settings import ExportSettings

    path = tmp_path_factory.mktemp("arbitrary") / "1"
    savedmodel.save("arbitrary", path, ExportSettings(model=network_file))
    return path


@pytest.fixture(scope="session")
def gatys_saved(tmp_path_factory):
    """The path of a SavedModel of the optimizer whose pyramid is small and whose default steps are few: 3, then 2."""
    from tfstyle.export import gatys, savedmodel
    from tfstyle.gatys.settings import GatysSettings

    path = tmp_path_factory.mktemp("gatys") / "1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gatys, "COARSEST", COARSEST)
        patch.setattr(gatys, "GatysSettings", functools.partial(GatysSettings, steps=(3, 2)))
        savedmodel.save("gatys", path)
    return path


@pytest.fixture(scope="session")
def single_files(tmp_path_factory):
    """Small networks of one picture, of random weights, as users keep them: {name: path}.

    "wave" and "old" paint in one style, the second by the paper's network, which takes 25 px and more; "larger"
    enlarges by 4.
    """
    from tfstyle.nets import network_files
    from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
    from tfstyle.nets.superres import SuperResConfig, superres

    random, folder = np.random.default_rng(6), tmp_path_factory.mktemp("single")
    files = {name: folder / file for name, file in
             (("wave", "wave.npz"), ("old", "old.keras"), ("larger", "larger.npz"))}
    configs = {
        "wave": FeedForwardConfig("compact", (4, 6, 8, 8), 1), "old": FeedForwardConfig("paper", (4, 6, 8), 3, "batch"),
        "larger": SuperResConfig(4, 6, 1),
    }
    for name, config in configs.items():
        model = superres(config) if name == "larger" else feedforward(config)
        for variable in model.variables:
            if "kernel" in variable.path:
                spread = (2 / np.prod(variable.shape[:-1])) ** 0.5  # keeps its size from layer to layer
                variable.assign(spread * random.standard_normal(variable.shape, np.float32))
            elif "variance" in variable.path:
                variable.assign(0.5 + random.random(variable.shape, np.float32))
        network_files.save(files[name], model, config)
    return files


@pytest.fixture(scope="session")
def single_saved(single_files, tmp_path_factory):
    """Their SavedModels, as `save` writes them: {name: path}."""
    from tfstyle.export import savedmodel
    from tfstyle.export.settings import ExportSettings

    paths = {}
    for name, file in single_files.items():
        paths[name] = tmp_path_factory.mktemp(name) / "1"
        paths[name].mkdir()
        engine = "superres" if name == "larger" else "style"
        savedmodel.save(engine, paths[name], ExportSettings(model=file))
    return paths


@pytest.fixture(scope="session")
def single_calls(single_saved):
    """Those in both loaders: {(loader, name): function}."""
    from tfstyle.export import loaders

    calls = {("tensorflow", name): loaders.signature_calls(path) for name, path in single_saved.items()}
    with contextlib.ExitStack() as stack:
        for name, path in single_saved.items():
            calls["session", name] = stack.enter_context(loaders.in_session(path))
        yield calls


@pytest.fixture(scope="session")
def style_session(single_calls):
    return single_calls["session", "wave"]


@pytest.fixture(scope="session")
def superres_session(single_calls):
    return single_calls["session", "larger"]


@pytest.fixture(scope="session")
def translation_files(tmp_path_factory):
    """Small networks between two domains, of random weights, as users keep them: {name: path}, "monet" and "munit"."""
    from tfstyle.nets import network_files
    from tfstyle.nets.dsmap import DSMAPConfig, dsmap

    random, folder = np.random.default_rng(12), tmp_path_factory.mktemp("translation")
    small = {"width": 4, "hidden": 8, "blocks": 1}
    files = {
        folder / "monet.npz": DSMAPConfig(**small),
        folder / "munit.keras": DSMAPConfig(**small, halvings=2, mapping=False, shared_tail=False),
    }
    for path, config in files.items():
        model = dsmap(config)
        for variable in model.variables:
            values = random.standard_normal(variable.shape, np.float32)
            if "kernel" in variable.path:
                values *= (2 / np.prod(variable.shape[:-1])) ** 0.5  # keeps its size from layer to layer
            else:
                values = 0.1 * values + ("gamma" in variable.path)
            variable.assign(values)
        network_files.save(path, model, config)
    return {path.stem: path for path in files}


@pytest.fixture(scope="session")
def translation_saved(translation_files, tmp_path_factory):
    """Their SavedModels, as `save` writes them: {name and direction: path}, "monet_a2b" and "munit_b2a"."""
    from tfstyle.export import savedmodel
    from tfstyle.export.settings import ExportSettings

    paths = {}
    for name, direction in (("monet", None), ("munit", "b2a")):
        settings = ExportSettings(model=translation_files[name], direction=direction)
        path = tmp_path_factory.mktemp(name) / "1"
        path.mkdir()
        savedmodel.save("translate", path, settings)
        paths[settings.served_as("translate")] = path
    return paths


@pytest.fixture(scope="session")
def translate_session(translation_saved):
    """The first of them in the loader of TensorFlow Serving."""
    from tfstyle.export import loaders

    with loaders.in_session(translation_saved["monet_a2b"]) as call:
        yield call


@pytest.fixture(scope="session")
def arbitrary_session(arbitrary_saved):
    """`arbitrary_saved` in the loader of TensorFlow Serving."""
    from tfstyle.export import loaders

    with loaders.in_session(arbitrary_saved) as call:
        yield call


@pytest.fixture(scope="session")
def gatys_session(gatys_saved):
    """`gatys_saved` in the loader of TensorFlow Serving."""
    from tfstyle.export import loaders

    with loaders.in_session(gatys_saved) as call:
        yield call


@pytest.fixture
def small_pyramid(monkeypatch):
    """Python's pyramid as that of `gatys_saved`."""
    monkeypatch.setattr("tfstyle.gatys.pyramid.COARSEST", COARSEST)


@pytest.fixture(scope="session")
def told():
    """Calls what must be refused by a graph (INVALID_ARGUMENT), and returns the graph's one sentence."""
    import tensorflow as tf

    def call(function, *args, **options):
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            function(*args, **options)
        sentence = re.search(r"assertion failed: \[(.*)\]\n", error.value.message)
        assert sentence, error.value.message
        assert sentence[1].endswith(".")
        return sentence[1]

    return call


@pytest.fixture
def saved(arbitrary_saved, monkeypatch):
    """Takes the small network's SavedModel for what `save` writes, which takes seconds."""
    from tfstyle.export import savedmodel

    def save(name, path, settings):
        shutil.copytree(arbitrary_saved, path, dirs_exist_ok=True)
        return types.SimpleNamespace(bounds={"most_pixels": 7})

    monkeypatch.setattr(savedmodel, "save", save)


@pytest.fixture
def unchecked(monkeypatch):
    """Believes it."""
    monkeypatch.setattr("tfstyle.export.savedmodel.check_arbitrary", lambda path, settings: {"hub": 1.26e-7})


@pytest.fixture
def without_warmup(monkeypatch):
    """As where tensorflow-serving-api is not installed."""
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)


@pytest.fixture
def logs():
    """The logs of a warm-up file, as TensorFlow Serving reads them."""
    import tensorflow as tf

    from tfstyle.export import warmup

    protos = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2", reason="needs tfstyle[grpc]")

    def logs(path):
        records = tf.data.TFRecordDataset(str(path / warmup.FILE)).as_numpy_iterator()
        return [protos.PredictionLog.FromString(record) for record in records]

    return logs
