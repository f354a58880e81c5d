"""How runs end, fit and repeat."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from tfstyle.checks import InputError
from tfstyle.gatys import GatysSettings, NonFiniteError, optimize
from tfstyle.machine import resolve
from tfstyle.images import resize

SHALLOW = dict(content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))  # for a quick start


def totals(result):
    return [record["total"] for record in result.records if "final" not in record]


# Ends


def test_a_callback_that_returns_true_ends_the_run(run, tiny_vgg, photo, painting):
    records = []

    def callback(record):
        records.append(record)
        return record.step == 3

    result = run(photo, [painting], steps=9, callback=callback, **SHALLOW)
    assert [record.step for record in records] == [1, 2, 3, 3]
    assert [record.figures is None for record in records] == [True, True, True, False]
    assert result.interrupted and records[-1].steps == 9
    best = records[int(np.argmin(totals(result)))]
    np.testing.assert_array_equal(result.image, best.image())


@pytest.mark.parametrize("step", [1, 3, 5])
def test_ctrl_c_returns_the_best_picture_so_far(run, tiny_vgg, photo, painting, step):
    """At the first step, at a later one, and at the first one of the second scale."""
    pictures = []

    def callback(record):
        if record.figures is None:
            pictures.append(record.image())
            if record.step == step:
                raise KeyboardInterrupt

    result = run(photo, [painting], scales=2, steps=4, callback=callback, **SHALLOW)
    assert result.interrupted and len(pictures) == step
    assert result.image.shape == (35, 48, 3) and result.final.figures
    first = 4 if step > 4 else 0
    best = pictures[first + int(np.argmin(totals(result)[first:]))]
    np.testing.assert_array_equal(result.image, resize(best, (35, 48)))


@pytest.mark.parametrize(
    ("name", "patched", "term"),
    [
        ("content_loss", lambda *_: tf.constant(np.inf), "content/relu2_1"),
        ("style_distance", lambda *_, **__: tf.constant(np.nan), "style/relu1_1"),
        ("total_variation", lambda *_: tf.constant(-np.inf), "tv"),
        # A value of 0, whose slope is infinite.
        ("total_variation", lambda image, _: tf.sqrt(tf.reduce_sum(image - image)), "The gradient"),
    ],
)
def test_non_finite_values_stop_the_run(run, tiny_vgg, monkeypatch, photo, painting, name, patched, term):
    monkeypatch.setattr(f"tfstyle.gatys.objective.{name}", patched)
    records = []
    with pytest.raises(NonFiniteError) as error:
        run(photo, [painting], tv_weight=1, callback=records.append, **SHALLOW)
    said = str(error.value)
    assert said.startswith(f"{term} became infinite or not a number at step 1 of the 48x35 px scale; try ")
    assert records == [] and isinstance(error.value, ArithmeticError)


def test_other_errors_of_a_callback_are_the_callers(run, tiny_vgg, photo, painting):
    with pytest.raises(ZeroDivisionError):
        run(photo, [painting], callback=lambda record: 1 / 0, **SHALLOW)


# Memory and precision


def test_a_run_that_does_not_fit_is_refused_before_it_starts(run, monkeypatch, photo, painting):
    monkeypatch.setattr("tfstyle.gatys.memory.available", lambda: 2**20)
    monkeypatch.setattr("tfstyle.gatys.objective.vgg", pytest.fail)
    with pytest.raises(InputError, match="A 48x35 px picture needs about .* GiB of memory"):
        run(photo, [painting], callback=pytest.fail)


@pytest.mark.parametrize("wins", [True, False])
def test_auto_is_bfloat16_where_it_wins(monkeypatch, wins):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (wins, "a test says so"))
    assert resolve("auto") == ("bfloat16" if wins else "float32")
    assert resolve("float32") == "float32"
    if wins:
        assert resolve("bfloat16") == "bfloat16"
    else:
        with pytest.raises(
            InputError, match="precision bfloat16 would be slower .*a test says so.*precision auto"
        ):
            resolve("bfloat16")


# Repeatability


def test_the_seed_decides(run, tiny_vgg, photo, painting):
    options = dict(init="noise", steps=3, **SHALLOW)
    one, same, other = (run(photo, [painting], seed=seed, **options) for seed in (5, 5, 6))
    np.testing.assert_allclose(same.image, one.image, atol=1e-5)
    assert np.abs(other.image - one.image).max() > 0.1


DETERMINISTIC = textwrap.dedent("""
    import hashlib
    import numpy as np
    from tfstyle.gatys import GatysSettings, optimize
    photo, painting = np.random.default_rng(1).random((2, 48, 40, 3), np.float32)
    for _ in range({times}):
        settings = GatysSettings(size=48, scales=2, steps=2, init="noise", deterministic=True)
        result = optimize(photo, [painting], settings, report=False)
        print(hashlib.sha256(result.image.tobytes()).hexdigest(), result.records[-2]["total"])
""")


def repeated(times):
    """In a process of its own, since the setting holds for the whole process."""
    command = [sys.executable, "-c", DETERMINISTIC.format(times=times)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_deterministic_runs_agree_to_the_bit(threads):
    first, second = repeated(2)
    assert len(first.split()[0]) == 64 and first == second


@pytest.mark.slow
def test_deterministic_processes_agree_to_the_bit(threads):
    assert repeated(1) == repeated(1)


def test_deterministic_asks_tensorflow(run, tiny_vgg, monkeypatch, photo, painting):
    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    for wanted in (False, True):
        run(
            photo,
            [painting],
            deterministic=wanted,
            callback=lambda record: asked.append(record.step) or True,
            **SHALLOW,
        )
    assert asked == [1, 1, True, 1, 1]  # before the first step, and only where it is wanted


def test_settings_are_optional(tiny_vgg, photo, painting):
    result = optimize(photo, [painting], callback=lambda record: True)
    assert result.settings == GatysSettings() and result.image.shape == (378, 512, 3)
