import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfstyle.checks import InputError
from tfstyle.gatys import GatysSettings, checkpoint, optimize
from tfstyle.gatys.inputs import Pictures

# Shallow layers, for a quick start: what they see is of no matter here.
SETTINGS = dict(
    size=64,
    scales=2,
    steps=(4, 5),
    precision="float32",
    content_layers="relu2_1",
    style_layers=("relu1_1", "relu2_1"),
)


class Killed(Exception):
    """Stands for a kill: the loop does not catch it, so it leaves only what the last checkpoint holds."""


def at_step(step, error=Killed):
    def callback(record):
        if record.step == step and record.figures is None:
            raise error

    return callback


def told(result):
    """The records without the clock."""
    return [{name: value for name, value in record.items() if name != "seconds"} for record in result.records]


# Resuming


@pytest.mark.parametrize(
    "other",
    [
        dict(optimizer="lbfgs", history=3),
        dict(optimizer="lbfgs", average=0.5),
        dict(optimizer="adam", average=0.7, init="noise", tv_weight=0.1),
        # Steps so long that the best picture comes before the break.
        dict(optimizer="adam", style_statistic="moments", learning_rate=0.5, schedule="constant"),
    ],
    ids=["lbfgs", "lbfgs-average", "adam-average", "adam"],
)
def test_a_killed_run_goes_on_to_the_same_bits(tiny_vgg, tmp_path, photo, painting, other_painting, other):
    """Killed in the middle of the first scale, at its end and just before the end of all, and resumed."""
    recipe, path = GatysSettings(**SETTINGS | other), tmp_path / "run.npz"
    pictures = photo, [painting, other_painting]
    whole = optimize(*pictures, recipe, style_weights=(2, 1))
    for step in (3, 5, 9):
        with pytest.raises(Killed):
            optimize(
                *pictures,
                recipe,
                style_weights=(2, 1),
                callback=at_step(step),
                checkpoint=path,
                checkpoint_seconds=0,
            )
    steps = []
    resumed = optimize(
        *pictures,
        recipe,
        style_weights=(2, 1),
        checkpoint=path,
        callback=lambda record: steps.append(record.step),
    )
    assert steps == [9, 9]  # the step that the last kill undid, and the final record
    np.testing.assert_array_equal(resumed.image, whole.image)
    assert told(resumed) == told(whole)
    seconds = [record["seconds"] for record in resumed.records]
    assert seconds == sorted(seconds)
    assert os.listdir(tmp_path) == ["run.npz"]


@pytest.mark.parametrize("step", [2, 4, 6])
def test_a_run_that_the_callback_stopped_goes_on(tiny_vgg, tmp_path, photo, painting, step):
    """In the middle of a scale and at its end, without waiting for the next checkpoint."""
    recipe, path = GatysSettings(**SETTINGS), tmp_path / "run.npz"
    whole = optimize(photo, [painting], recipe)
    stopped = optimize(
        photo, [painting], recipe, checkpoint=path, callback=lambda record: record.step == step
    )
    assert stopped.interrupted and len(stopped.records) == step + 1
    steps = []
    resumed = optimize(
        photo, [painting], recipe, checkpoint=path, callback=lambda record: steps.append(record.step)
    )
    assert steps == [*range(step + 1, 10), 9] and not resumed.interrupted
    np.testing.assert_array_equal(resumed.image, whole.image)
    assert told(resumed) == told(whole)


def test_a_finished_run_returns_at_once(tiny_vgg, tmp_path, photo, painting):
    recipe, path = GatysSettings(**SETTINGS | {"steps": 2}), tmp_path / "run.npz"
    first = optimize(photo, [painting], recipe, checkpoint=path)
    records = []
    again = optimize(photo, [painting], recipe, checkpoint=path, callback=records.append)
    assert [record.figures is not None for record in records] == [True]
    np.testing.assert_array_equal(again.image, first.image)
    assert told(again) == told(first)


def test_between_checkpoints_nothing_is_written(tiny_vgg, tmp_path, photo, painting):
    path = tmp_path / "run.npz"
    with pytest.raises(Killed):
        optimize(
            photo,
            [painting],
            GatysSettings(**SETTINGS),
            callback=at_step(5),
            checkpoint=path,
            checkpoint_seconds=3600,
        )
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_kill_9(tmp_path, threads):
    """The real thing, with the real network: SIGKILL while steps run, then the same command again."""
    script = textwrap.dedent(f"""
        import sys
        import numpy as np
        from tfstyle.gatys import GatysSettings, optimize
        photo, painting = np.random.default_rng(1).random((2, 48, 64, 3), np.float32)
        settings = GatysSettings(size=64, scales=2, steps=12, precision="float32", deterministic=True)
        def callback(record):
            print(record.step, flush=True)
        path = sys.argv[1] if sys.argv[1:] else None
        last = dict(callback=callback, checkpoint=path, checkpoint_seconds=0)
        result = optimize(photo, [painting], settings, **last)
        np.save({str(tmp_path)!r} + "/" + ("resumed" if path else "whole") + ".npy", result.image)
    """)
    command = [sys.executable, "-c", script]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command.append(str(tmp_path / "run.npz"))
    for step in (5, 17):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            for line in process.stdout:
                if int(line) >= step:
                    process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    finished = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert int(finished.stdout.split()[0]) >= 16
    np.testing.assert_array_equal(np.load(tmp_path / "resumed.npy"), np.load(tmp_path / "whole.npy"))


# Other runs


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    return tmp_path_factory.mktemp("run") / "run.npz"


def test_another_run_is_refused(tiny_vgg, run_path, photo, painting, other_painting):
    recipe = GatysSettings(**SETTINGS | {"steps": 1})
    optimize(photo, [painting], recipe, checkpoint=run_path)

    def refused(name, content=photo, styles=(painting,), settings=recipe, **options):
        with pytest.raises(InputError) as error:
            optimize(content, list(styles), settings, checkpoint=run_path, **options)
        assert f"{run_path} belongs to another run, which differs in {name};" in str(error.value)

    refused("steps", settings=GatysSettings(**SETTINGS | {"steps": 2}))
    refused("content_weight", settings=GatysSettings(**SETTINGS | {"steps": 1, "content_weight": 2}))
    refused("content picture", content=1 - photo)
    refused("style picture 1", styles=[other_painting])
    refused("style picture 2", styles=[painting, other_painting])
    refused("start picture", start=painting)
    optimize(photo, [painting], recipe, checkpoint=run_path)  # which leaves the file as good as it was


def test_the_weights_of_the_styles_belong_to_the_run(photo, painting):
    run, other = (
        checkpoint.fingerprint(GatysSettings(), Pictures(photo, [painting, painting], weights, None), None)
        for weights in ((0.5, 0.5), (0.3, 0.7))
    )
    with pytest.raises(InputError, match="differs in weights of the styles;"):
        checkpoint.check_same_run("run.npz", run, other)
    checkpoint.check_same_run("run.npz", run, dict(run))


# Files


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small checkpoint with state of every kind."""
    path = tmp_path_factory.mktemp("saved") / "run.npz"
    image = tf.random.stateless_uniform((1, 3, 4, 3), (1, 2))
    state = {"s": [image, 2 * image], "y": [], "image": image, "value": 0.1 + 0.2, "count": 3}
    checkpoint.save(
        path, {"seed": "0"}, {"step": 7, "records": [{"total": 1 / 3}]}, image, None, image / 2, state
    )
    return path, image, state


def test_what_is_saved_is_read(saved):
    path, image, state = saved
    run, progress, *pictures, found = checkpoint.read(path)
    assert run == {"seed": "0"}
    assert progress == {"step": 7, "records": [{"total": 1 / 3}]}
    np.testing.assert_array_equal(pictures[0], image)
    assert pictures[1] is None
    np.testing.assert_array_equal(pictures[2], image / 2)
    assert found.keys() == state.keys()
    assert found["y"] == [] and len(found["s"]) == 2
    np.testing.assert_array_equal(found["s"][1], 2 * image)
    assert type(found["value"]) is float and found["value"] == state["value"]
    assert type(found["count"]) is int and found["count"] == 3


@settings(
    deadline=None, max_examples=80, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_file_is_refused(saved, tmp_path, data):
    """Cut anywhere, or with a piece overwritten: refused in one sentence, or still with the same contents."""
    whole = saved[0].read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    patch = data.draw(st.one_of(st.none(), st.binary(min_size=1, max_size=9)))
    damaged = whole[:place] if patch is None else whole[:place] + patch + whole[place + len(patch) :]
    path = tmp_path / "damaged.npz"
    path.write_bytes(damaged)
    try:
        run, progress, image, *_ = checkpoint.read(path)
    except InputError as error:
        assert str(error).startswith(f"{path} is no checkpoint of this version of tfstyle;")
    else:
        assert patch is not None  # padding, dates and the like
        assert run == {"seed": "0"} and progress["step"] == 7
        np.testing.assert_array_equal(image, saved[1])


def test_other_files_are_refused(tmp_path):
    np.save(tmp_path / "array.npz.npy", np.zeros(3))
    (tmp_path / "array.npz.npy").rename(tmp_path / "array.npz")
    np.savez(tmp_path / "weights.npz", kernel=np.zeros(3))
    (tmp_path / "text.npz").write_text("no checkpoint")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "folder.npz").mkdir()
    for name in ("array", "weights", "text", "empty", "folder"):
        with pytest.raises(InputError, match=f"{name}.npz is no checkpoint of this version of tfstyle;"):
            checkpoint.read(tmp_path / f"{name}.npz")
    with pytest.raises(InputError, match="There is no checkpoint .*missing.npz; check the path"):
        checkpoint.read(tmp_path / "missing.npz")


def test_a_place_that_takes_no_checkpoint_is_told_before_the_run(tmp_path, photo, painting, monkeypatch):
    def refused(path, words):
        with pytest.raises(InputError, match=words):
            optimize(photo, [painting], GatysSettings(size=64), checkpoint=path, callback=pytest.fail)

    refused(tmp_path / "missing" / "run.npz", "no folder to lie in; make .*missing first")
    refused(tmp_path, "is a folder; name a file in it")
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(tmp_path / "run.npz", "may not be written there; choose another folder")


def test_a_failing_write_keeps_the_old_checkpoint(saved, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    path.write_bytes(saved[0].read_bytes())

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, {}, {}, saved[1], None, None, {})
    assert path.read_bytes() == pathlib.Path(saved[0]).read_bytes()
    assert os.listdir(tmp_path) == ["run.npz"]
