"""What all tests share: tiny pictures, a small stand-in for VGG, and a watch over the repository's files."""

import os
import pathlib

import hypothesis
import numpy as np
import pytest

# The same examples in every run: what fails, fails for everyone.
hypothesis.settings.register_profile("same", derandomize=True, database=None)
hypothesis.settings.load_profile("same")

# Read when TensorFlow is imported. Tiny pictures gain nothing from threads, and lose much on a busy machine.
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
for variable in THREADS:
    os.environ.setdefault(variable, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Caches of tools, never committed. Anything else that a test leaves behind is a defect.
CACHES = {
    ".git",
    ".hypothesis",
    ".pytest_cache",
    "__pycache__",
    ".ipynb_checkpoints",
    ".venv",
    "build",
    "dist",
    ".ruff_cache",
}


def repository_files():
    """Every file of the checkout but the caches."""
    found = set()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in CACHES and not name.endswith(".egg-info")]
        found.update(os.path.join(folder, name) for name in files)
    return found


@pytest.fixture(scope="module", autouse=True)
def no_new_files():
    """Fails the module whose tests leave files in the repository; `tmp_path` is where they belong."""
    before = repository_files()
    yield
    left = sorted(repository_files() - before)
    assert not left, f"tests left files in the repository: {left}"


def _frozen(picture):
    """Read-only, so that a function that writes into its caller's picture is found out."""
    picture = np.ascontiguousarray(picture, np.float32)
    picture.setflags(write=False)
    return picture


@pytest.fixture(scope="session")
def photo():
    """A disc before a sky that darkens upward: (45, 61, 3) float32, odd on both sides."""
    y, x = np.mgrid[0:1:45j, 0:1:61j]
    sky = np.stack([0.3 + 0.4 * y, 0.5 + 0.3 * y, 0.9 - 0.2 * y], axis=-1)
    disc = np.hypot(x - 0.4, 0.8 * (y - 0.5)) < 0.27
    return _frozen(np.where(disc[..., None], [0.8, 0.35, 0.15], sky))


@pytest.fixture(scope="session")
def painting():
    """Bent stripes in three colors: (56, 48, 3) float32."""
    y, x = np.mgrid[0:1:56j, 0:1:48j]
    phase = 40 * x + 12 * np.sin(5 * y) + 9 * np.cos(7 * x * y)
    return _frozen(0.5 + 0.45 * np.sin(phase[..., None] + np.array([0.0, 1.5, 3.5])))


@pytest.fixture(scope="session")
def other_painting():
    """Warm squares of two sizes: (40, 64, 3) float32."""
    y, x = np.mgrid[0:40, 0:64]
    squares = ((y // 4 + x // 4) % 2 + (y // 11 + x // 9) % 2) / 2
    return _frozen(squares[..., None] * [0.9, 0.6, 0.1] + 0.05)


@pytest.fixture(scope="session")
def refusal():
    """Calls a function that must refuse its arguments, and returns its one sentence."""
    from tfstyle.checks import InputError

    def call(function, *args, **options):
        with pytest.raises(InputError) as error:
            function(*args, **options)
        assert "\n" not in str(error.value) and str(error.value)[-1] in ".?"
        return str(error.value)

    return call


@pytest.fixture
def threads(monkeypatch):
    """Processes that a test starts take all cores, as they do at users' machines."""
    for variable in THREADS:
        monkeypatch.delenv(variable)


@pytest.fixture
def tiny_vgg(monkeypatch):
    """Lets the optimiser look through five random convolutions, one for each block of VGG.

    It is for tests of the loop, not of the look. Names mean what they do in VGG, but for the number in the
    block, which is of no matter.
    """
    import tensorflow as tf

    random = np.random.default_rng(8)
    depths = (3, 4, 4, 4, 4, 4)
    kernels = [
        tf.constant(random.standard_normal((3, 3, depths[b], 4), np.float32) / np.sqrt(4.5 * depths[b]))
        for b in range(5)
    ]

    def tiny(layers, **options):
        dtype = options.get("dtype", "float32")
        blocks = {name: int(next(filter(str.isdigit, name))) for name in layers}

        def features(image):
            x, found = tf.cast(tf.convert_to_tensor(image) * 255.0 - 115.0, dtype), {}
            for block, kernel in enumerate(kernels[: max(blocks.values())], start=1):
                before = tf.nn.conv2d(x, tf.cast(kernel, dtype), 1, "SAME") + 0.1
                after = tf.nn.relu(before)
                here = [name for name in layers if blocks[name] == block]
                if block < max(blocks.values()) or any("pool" in name for name in here):
                    x = tf.nn.max_pool2d(after, 2, 2, "VALID")
                for name in here:
                    found[name] = x if "pool" in name else before if name.startswith("conv") else after
            return found

        return features

    monkeypatch.setattr("tfstyle.gatys.objective.vgg", tiny)


@pytest.fixture(scope="session")
def network_file(tmp_path_factory):
    """A small arbitrary-style network of random weights that heeds its code: the path of an .npz."""
    from tfstyle.nets import arbitrary, arbitrary_weights

    config = arbitrary.ArbitraryConfig(widths=(4, 6, 8, 8), blocks=1, code=12, hidden=16)
    models = arbitrary.style_predictor(config), arbitrary.transformer(config)
    random = np.random.default_rng(4)
    for model in models:
        for variable in model.variables:
            if "kernel" in variable.path:
                spread = 0.3 if "norm" in variable.path else np.prod(variable.shape[:-1]) ** -0.5
                variable.assign(spread * random.standard_normal(variable.shape, np.float32))
    path = tmp_path_factory.mktemp("network") / "network.npz"
    arbitrary_weights.save(path, *models, config)
    return path


@pytest.fixture
def listed():
    """Lists the files below a folder."""
    return lambda top: sorted(
        os.path.relpath(os.path.join(where, name), top) for where, _, names in os.walk(top) for name in names
    )


@pytest.fixture
def quick(monkeypatch):
    """Puts a painter without a network in place of the real one: it turns photos over. Returns what it was given."""
    from tfstyle import folder, images

    seen = []

    def painter(job):
        def paint(photo):
            seen.append(photo)
            rgb, alpha = photo
            return images.to_pil(255 - rgb, alpha)
        return paint

    monkeypatch.setattr(folder, "_painter", painter)
    return seen
