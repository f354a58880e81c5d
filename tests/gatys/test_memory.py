import pytest

from tfstyle.checks import InputError
from tfstyle.gatys import GatysSettings, memory

GIB = 2**30


@pytest.fixture
def free(monkeypatch):
    """Sets the memory that the machine seems to have."""
    return lambda gibibytes: monkeypatch.setattr(memory, "available", lambda: int(gibibytes * GIB))


@pytest.fixture
def bfloat16(monkeypatch):
    """Sets whether the processor seems to have bfloat16."""
    return lambda wins: monkeypatch.setattr(memory, "bfloat16_wins", lambda: (wins, "a test says so"))


def refusal(*args):
    with pytest.raises(InputError) as error:
        memory.check_fits(*args)
    return str(error.value)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_more_pixels_need_more_memory(dtype):
    settings = GatysSettings()
    sizes = [memory.estimate(3 * side, 4 * side, settings, dtype) for side in (16, 64, 128, 256, 512)]
    assert sizes == sorted(sizes) and sizes[-1] > 4 * sizes[2]
    assert memory.estimate(300, 400, settings, dtype) == memory.estimate(400, 300, settings, dtype)


def test_what_costs_memory():
    plain = memory.estimate(768, 1024, GatysSettings(), "float32")
    assert memory.estimate(768, 1024, GatysSettings(), "bfloat16") < plain
    assert memory.estimate(768, 1024, GatysSettings(optimizer="adam"), "float32") < plain
    assert memory.estimate(768, 1024, GatysSettings(history=50), "float32") > plain
    assert memory.estimate(768, 1024, GatysSettings(style_scale=4.0), "float32") > plain
    shallow = GatysSettings(content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))
    assert memory.estimate(768, 1024, shallow, "float32") < plain


def test_the_sizes_that_are_promised():
    """At the defaults, 512 px in 1.3 GiB and 1024 px in 4 GiB; and no less than the features alone."""
    features = 300 * 2  # bytes a pixel in bfloat16, of every map to relu5_1 once
    for side, most in ((512, 1.3), (1024, 4.0)):
        need = memory.estimate(side * 3 // 4, side, GatysSettings(), "bfloat16")
        assert side**2 * 3 // 4 * features < need <= most * GIB


def test_a_run_that_fits_is_let_through(free):
    need = memory.estimate(384, 512, GatysSettings(), "float32")
    free(need / GIB + 0.01)
    assert memory.check_fits(384, 512, GatysSettings(), "float32") is None
    free(need / GIB - 0.01)
    refusal(384, 512, GatysSettings(tiled="no"), "float32")


@pytest.mark.parametrize(
    ("dtype", "wins", "optimizer", "remedy"),
    [
        ("float32", True, "lbfgs", "precision bfloat16"),
        ("float32", False, "lbfgs", "optimizer adam"),
        ("bfloat16", True, "lbfgs", "optimizer adam"),
        ("float32", False, "adam", "close other programs"),
        ("bfloat16", True, "adam", "close other programs"),
    ],
)
@pytest.mark.parametrize("tiled", ["auto", "no"])
def test_a_refusal_names_remedies_that_work(free, bfloat16, dtype, wins, optimizer, remedy, tiled):
    free(1.5)
    bfloat16(wins)
    settings = GatysSettings(optimizer=optimizer, tiled=tiled)
    said = refusal(1536, 2048, settings, dtype)
    assert said.startswith("A 2048x1536 px picture needs about ") and "1.5 GiB are free" in said
    assert ("even strip by strip" in said) == (tiled == "auto")
    assert remedy in said
    assert ("bfloat16" in said) == (remedy == "precision bfloat16")
    assert ("adam" in said) == (remedy == "optimizer adam")
    side = int(said.split("use the size ")[1].split(",")[0])
    assert 256 <= side < 2048 and side % 16 == 0
    memory.check_fits(side * 3 // 4, side, settings, dtype)  # the first remedy helps
    with pytest.raises(InputError):
        memory.check_fits(
            (side + 32) * 3 // 4, side + 32, settings, dtype
        )  # and asks for no more than needed


def test_where_nothing_fits_no_size_is_named(free):
    free(0.1)
    said = refusal(512, 512, GatysSettings(), "float32")
    assert "use the size" not in said and "close other programs or take a machine with more memory" in said


def test_a_large_painting_counts(free):
    free(4)
    memory.check_fits(512, 512, GatysSettings(tiled="no"), "bfloat16")
    refusal(512, 512, GatysSettings(style_scale=8.0, tiled="no"), "bfloat16")
    refusal(512, 512, GatysSettings(style_size=4096, tiled="no"), "bfloat16")
    assert memory.check_fits(512, 512, GatysSettings(style_scale=8.0), "bfloat16")  # it is measured in strips


def test_available_memory_is_plausible():
    assert 2**27 < memory.available() < 2**50


# Strips


def test_strips_only_where_the_whole_does_not_fit(free):
    for settings in (GatysSettings(), GatysSettings(tiled="no")):
        free(16)
        assert memory.check_fits(1536, 2048, settings, "bfloat16") is None
    free(4)
    assert memory.check_fits(1536, 2048, GatysSettings(), "bfloat16") < 1536 * 2048
    said = refusal(1536, 2048, GatysSettings(tiled="no"), "bfloat16")
    assert "use tiled auto" in said
    said = refusal(1536, 2048, GatysSettings(style_statistic="moments"), "bfloat16")
    assert "tiled" not in said and "strip" not in said


def test_strips_where_they_are_asked_for(free):
    free(64)
    assert memory.check_fits(1536, 2048, GatysSettings(tiled="yes"), "bfloat16") == memory.MOST["bfloat16"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("gibibytes", [2.5, 3, 4])
def test_strips_are_as_large_as_memory_allows(free, dtype, gibibytes):
    free(gibibytes)
    settings = GatysSettings(optimizer="adam")
    strip = memory.check_fits(1536, 2048, settings, dtype)
    assert memory.estimate(1536, 2048, settings, dtype, strip) <= gibibytes * GIB
    larger = memory.estimate(1536, 2048, settings, dtype, strip * 4 // 3)
    assert strip == memory.MOST[dtype] or larger > gibibytes * GIB


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_2048_px_in_strips_are_promised_in_4_gib(free, dtype):
    need = memory.estimate(1536, 2048, GatysSettings(), dtype, memory.MOST[dtype])
    assert need < 4 * GIB < memory.estimate(1536, 2048, GatysSettings(), dtype)


def test_masks_cost_memory():
    assert memory.estimate(384, 512, GatysSettings(), "float32", regions=2) > memory.estimate(
        384, 512, GatysSettings(), "float32", regions=1
    ) > memory.estimate(384, 512, GatysSettings(), "float32")
