"""Batches in one process: what is painted, what is gone on with, and what is refused."""

import contextlib
import errno
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import folder
from tfstyle.batch import job
from tfstyle.batch.job import paint_batch, prepared_batch, stylize_batch
from tfstyle.batch.manifest import read_manifest
from tfstyle.batch.settings import RaySettings
from tfstyle.folder import FolderResult

OURS = {"model": "network.npz", "precision": "float32", "size": 32}
RESULTS = ["a.jpg", "b.gif.png", "b.png", "in/a.jpg", "in/deep/c.webp"]
MANIFEST = "manifest.jsonl"


def run(output="out", style="paint.png", pattern="photos", **options):
    return stylize_batch(pattern, style, output, **(OURS | options))


def states(lines):
    return [(line["photo"], line["state"]) for line in lines]


def test_all_in_a_folder(here, listed, quick, manifest):
    assert run() == FolderResult([f"out/{name}" for name in RESULTS], [], {}, 0)
    assert listed("out") == sorted([*RESULTS, MANIFEST])
    head, lines = manifest("out")
    assert head["version"] == tfstyle.__version__ and head["settings"]["size"] == 32 and len(head["styles"][0]) == 64
    assert [line["result"] for line in lines] == RESULTS and {line["state"] for line in lines} == {"done"}
    assert all(line["seconds"] >= 0 and line["sentence"] is None for line in lines)


def test_as_alone(here):
    run(pattern="photos/**/a.jpg", format="png", strength=0.6)
    for photo in ("a", "in/a"):
        wanted = tfstyle.stylize(f"photos/{photo}.jpg", "paint.png", **OURS, strength=0.6)
        with Image.open(f"out/{photo}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(wanted))


# Going on


def test_the_same_call_goes_on(here, quick, manifest):
    run()
    os.remove("out/in/a.jpg")
    result = run()
    assert result.done == ["out/in/a.jpg"] and len(result.skipped) == 4 and len(quick) == 6
    assert len(manifest("out")[1]) == 6
    assert run().done == [] and len(quick) == 6


def test_what_has_failed_is_tried_again(here, quick, manifest):
    good = (here / "photos" / "b.png").read_bytes()
    (here / "photos" / "b.png").write_bytes(b"no picture")
    result = run()
    assert list(result.failed) == ["photos/b.png"] and len(result.done) == 4
    told = {line["photo"]: line["sentence"] for line in manifest("out")[1]}
    assert told == dict.fromkeys(("a.jpg", "b.gif", "in/a.jpg", "in/deep/c.webp")) | {
        "b.png": result.failed["photos/b.png"]
    }
    (here / "photos" / "b.png").write_bytes(good)
    job = prepared_batch("photos", "paint.png", "out", **OURS)
    assert job.retried == 1 and job.todo == [("b.png", "b.png")]
    assert paint_batch(job).done == ["out/b.png"]
    assert states(manifest("out")[1])[-1] == ("b.png", "done")


def test_new_pictures_are_found(here, quick):
    run()
    Image.new("RGB", (20, 20)).save("photos/new.png")
    assert run().done == ["out/new.png"]


def test_what_was_written_and_not_noted_is_noted(here, quick, manifest):
    """As when the command is killed between a picture and its line; or the pictures come from elsewhere."""
    run()
    path = here / "out" / MANIFEST
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]) + b'{"photo": "in/a')
    assert run().done == [] and len(quick) == 5
    lines = manifest("out")[1]
    assert sorted(states(lines)) == sorted((photo, "done") for photo in ("a.jpg", "b.gif", "b.png", "in/a.jpg",
                                                                       "in/deep/c.webp"))
    assert lines[-1]["seconds"] is None


def test_what_a_kill_has_left_is_removed(here, quick, listed):
    os.makedirs("out/in")
    for path in ("out/.tfstyle-0123456789abcdef.png", "out/in/.tfstyle-0123456789abcdef.jpg", "out/mine.txt"):
        (here / path).write_bytes(b"half")
        os.utime(path, (0, 0))
    run()
    assert listed("out") == sorted([*RESULTS, MANIFEST, "mine.txt"])


def test_what_another_process_is_writing_stays(here, quick, listed):
    os.mkdir("out")
    early, late = "out/.tfstyle-0123456789abcdef.png", "out/.tfstyle-fedcba9876543210.png"
    (here / early).write_bytes(b"half")
    os.utime(early, (time.time() + 60,) * 2)
    run(callback=lambda result: (here / late).write_bytes(b"half") and False)
    assert listed("out") == sorted([*RESULTS, MANIFEST, *map(os.path.basename, (early, late))])


def test_what_killed_actors_leave_is_removed(here, listed, monkeypatch):
    os.mkdir("out")

    def paint_on_ray(ray, pairs, order, settings, tell):
        for name in (f".tfstyle-{order.mark}0123456789abcdef.png", ".tfstyle-0123456789abcdef.png"):
            (here / "out" / name).write_bytes(b"half")
        tell([], True)

    monkeypatch.setattr(job, "check_address", lambda address: None)
    monkeypatch.setattr(job, "connected", lambda address, settings: contextlib.nullcontext())
    monkeypatch.setattr(job, "paint_on_ray", paint_on_ray)
    assert run(ray_address="auto").left == 5
    assert listed("out") == sorted([".tfstyle-0123456789abcdef.png", MANIFEST])


@pytest.mark.parametrize(("change", "named"), [
    ({"size": 48}, "setting of size (32, and now 48)"),
    ({"style": "other.png"}, "style;"),
    ({"style": ["paint.png", "other.png"]}, "style;"),
    ({"texture": "other.png"}, "setting of texture (none, and now "),
    ({"quality": 90}, "setting of quality (95, and now 90)"),
    ({"format": "png"}, "setting of format (none, and now png)"),
    ({"pattern": "photos/*"}, "pattern"),
])
def test_another_style_or_setting_is_refused(here, quick, refusal, listed, change, named):
    run()
    before = (here / "out" / MANIFEST).read_bytes()
    assert refusal(run, **change).startswith(f"out holds pictures of another {named}")
    assert (here / "out" / MANIFEST).read_bytes() == before and len(quick) == 5


def test_the_same_style_by_another_name(here, quick):
    run()
    os.rename("paint.png", "renamed.png")
    assert len(run(style="renamed.png").skipped) == 5
    assert len(run(style=(here / "renamed.png").read_bytes()).skipped) == 5


def test_a_run_that_painted_nothing_binds_nobody(here, quick):
    """It was refused, by a cluster for one."""
    run()
    for name in RESULTS:
        os.remove(f"out/{name}")
    first = (here / "out" / MANIFEST).read_text().splitlines(keepends=True)[0]
    (here / "out" / MANIFEST).write_text(first)
    assert len(run(size=48).done) == 5 and read_manifest("out")[0]["settings"]["size"] == 48


def test_another_network_of_the_same_name_is_refused(here, quick, refusal):
    run()
    with open("network.npz", "ab") as file:
        file.write(b"\0")
    assert "another setting of model_sha256" in refusal(run)


def test_overwriting_that_was_stopped_goes_on_with_the_rest(here, quick):
    """What lies there of the old style does not pass for the new."""
    run()
    result = run(style="other.png", overwrite=True, callback=lambda result: len(result.done) == 1)
    assert result.left > 0
    again = run(style="other.png")
    assert sorted(again.done + again.skipped) == sorted(f"out/{name}" for name in RESULTS)
    assert len(again.skipped) == len(result.done) and len(quick) == 10
    assert read_manifest("out")[0]["overwrite"] is True


# Stopping


def test_a_callback_sees_what_is_done_and_stops_it(here, quick):
    for number in range(30):
        os.link("photos/b.png", f"photos/x{number:02}.png")
    told = []
    result = run(callback=lambda result: told.append((len(result.done), result.left)) or len(told) == 2)
    assert told[:2] == [(1, 34), (2, 33)] and 0 < result.left < 33
    assert len(run().done) == result.left


def test_a_full_disk_stops_it(here, monkeypatch, quick):
    for number in range(30):
        os.link("photos/b.png", f"photos/x{number:02}.png")

    def replace(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    result = run()
    assert result.left and result.failed and not result.done
    monkeypatch.undo()
    os.chdir(here)


def test_a_defect_at_one_picture_is_its_own(here, defects, manifest):
    defects.add(2)
    result = run()
    assert result.failed == {"photos/b.gif": "RuntimeError: no good"} and len(result.done) == 4 and not result.left
    assert [line["photo"] for line in manifest("out")[1] if line["state"] == "failed"] == ["b.gif"]
    assert run().done == ["out/b.gif.png"]


@pytest.mark.parametrize("stage", ["decode", "encode"])
def test_a_defect_in_a_file_is_its_own(here, quick, monkeypatch, stage):
    name = {"decode": "pixels", "encode": "images"}[stage]
    real = getattr(folder, name)

    def pixels(path, **options):
        if path.endswith("b.gif"):
            raise SystemError("lost")
        return real(path, **options)

    class Images:
        def __getattr__(self, name):
            return getattr(real, name)

        def write(self, path, *args, **options):
            if path.endswith("b.gif.png"):
                raise SystemError("lost")
            return real.write(path, *args, **options)

    monkeypatch.setattr(folder, name, pixels if stage == "decode" else Images())
    result = run()
    assert result.failed == {"photos/b.gif": "SystemError: lost"} and len(result.done) == 4


def test_defects_in_a_row_stop_it(here, defects, refusal, manifest):
    for number in range(75):
        os.link("photos/b.png", f"photos/x{number:02}.png")
    defects |= set(range(80)) - set(range(11, 21)) - set(range(31, 41))
    assert refusal(run) == (
        "20 pictures in a row have failed by RuntimeError, of which the manifest tells more; mend that, and the same "
        "command goes on."
    )
    failed = [line["photo"] for line in manifest("out")[1] if line["state"] == "failed"]
    assert 40 <= len(failed) < 60  # 10 and 10 have good ones between them
    again = prepared_batch("photos", "paint.png", "out", **OURS)
    assert again.retried == len(failed) and len(again.todo) == 60
    assert {photo for photo, _ in again.todo[-len(failed):]} == set(failed)  # they come last


def test_pictures_that_are_at_fault_do_not_stop_it(here, quick):
    for number in range(45):
        with open(f"photos/x{number:02}.png", "wb") as file:
            file.write(b"no picture")
    result = run()
    assert len(result.failed) == 45 and len(result.done) == 5 and not result.left


def test_threads():
    assert [RaySettings(cpus=cpus).threads for cpus in (0.5, 1, 2.7, 4)] == [1, 1, 2, 4]


def test_light(here, quick):
    run()
    code = f"""
import sys
import tfstyle
result = tfstyle.stylize_batch("photos", "paint.png", "out", **{OURS})
print(len(result.skipped), [name for name in ("tensorflow", "keras", "ray") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == "5 []\n", done.stderr
