"""The manifest: what is read again, whatever a kill has left of it."""

import errno
import json
import os
import pathlib
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tfstyle.batch.manifest import DONE, FAILED, check_same, keeping, read_manifest
from tfstyle.checks import InputError

HEAD = {"version": "1", "pattern": "/p/*", "styles": ["a"], "settings": {"size": 32, "color": "style"},
        "overwrite": False}


def line(photo, state=DONE, sentence=None):
    return {"photo": photo, "result": photo, "state": state, "sentence": sentence, "seconds": 0.5}


def written(folder, lines, head=HEAD, anew=False):
    with keeping(str(folder), head, anew) as note:
        for one in lines:
            note([one])
    return pathlib.Path(folder, "manifest.jsonl")


def test_nothing_there(tmp_path):
    assert read_manifest(tmp_path) == (None, {})
    (tmp_path / "manifest.jsonl").write_bytes(b"")
    assert read_manifest(tmp_path) == (None, {})


def test_the_last_line_of_a_picture_counts(tmp_path):
    written(tmp_path, [line("a", FAILED, "It is bad."), line("b"), line("a")])
    head, lines = read_manifest(tmp_path)
    assert head == HEAD and lines == {"a": line("a"), "b": line("b")}


def test_another_head_begins_anew(tmp_path):
    path = written(tmp_path, [line("a"), line("b")])
    other = HEAD | {"styles": ["z"], "overwrite": True}
    written(tmp_path, [line("b")], other)
    assert read_manifest(tmp_path)[0] == HEAD  # one that goes on writes no head
    before = path.read_bytes()
    written(tmp_path, [line("c")], other, anew=True)
    assert path.read_bytes().startswith(before)  # until the new head is there, the old one holds
    assert read_manifest(tmp_path) == (other, {"c": line("c")})


PHOTOS = some.text(min_size=1).map(lambda text: text + "\udcff")  # names of bytes that are no text, too


@given(some.lists(some.tuples(PHOTOS, some.sampled_from([DONE, FAILED]))), some.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_cut_off_anywhere_it_holds_what_was_whole(tmp_path, pictures, data):
    lines = [line(photo, state, None if state == DONE else photo) for photo, state in pictures]
    (tmp_path / "manifest.jsonl").unlink(missing_ok=True)
    path = written(tmp_path, lines)
    whole = path.read_bytes()
    end = data.draw(some.integers(0, len(whole)))
    path.write_bytes(whole[:end])
    count = whole[:end].count(b"\n")
    kept = {one["photo"]: one for one in lines[:max(0, count - 1)]}
    assert read_manifest(tmp_path) == (HEAD if count else None, kept)
    more = line("more")
    written(tmp_path, [more])
    assert read_manifest(tmp_path) == (HEAD, kept | {"more": more})
    assert all(map(json.loads, path.read_text().splitlines()))


@pytest.mark.parametrize("damage", [b"\0" * 40, b"{}", b'{"photo": "x"}', b"[" * 100000, b"[1]", b"\xff\xfe"])
def test_a_damaged_line_is_none(tmp_path, damage):
    path = written(tmp_path, [line("a")])
    with open(path, "ab") as file:
        file.write(damage + b"\n")
    written(tmp_path, [line("b")])
    assert read_manifest(tmp_path) == (HEAD, {"a": line("a"), "b": line("b")})


def test_a_long_torn_line(tmp_path):
    path = written(tmp_path, [line("a")])
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * 200000)
    written(tmp_path, [])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ['{"mine": 1}', '{"mine', "x", '{"versions', "\n\n", ""])
def test_a_foreign_file_of_one_line_is_kept(tmp_path, text):
    path = tmp_path / "manifest.jsonl"
    path.write_text(text)
    if not text:
        written(tmp_path, [])
        assert read_manifest(tmp_path) == (HEAD, {})
        return
    for refused in (read_manifest, lambda folder: written(folder, []), lambda folder: written(folder, [], anew=True)):
        with pytest.raises(InputError, match="is no manifest of a batch; move it away"):
            refused(tmp_path)
        assert path.read_text() == text


def test_a_file_of_another_make(tmp_path, refusal):
    (tmp_path / "manifest.jsonl").write_text('{"kind": "something"}\n')
    assert refusal(read_manifest, tmp_path) == (
        f"{tmp_path / 'manifest.jsonl'} is no manifest of a batch; move it away, or choose another output."
    )
    os.remove(tmp_path / "manifest.jsonl")
    os.mkdir(tmp_path / "manifest.jsonl")
    assert "cannot be read (Is a directory)" in refusal(read_manifest, tmp_path)
    assert "cannot be written (Is a directory)" in refusal(written, tmp_path, [])


@pytest.mark.parametrize(("change", "named"), [
    ({"settings": {"size": 64, "color": "style"}}, "setting of size (32, and now 64)"),
    ({"settings": {"size": None, "color": "style"}}, "setting of size (32, and now none)"),
    ({"settings": HEAD["settings"] | {"texture": "f" * 64}}, f"setting of texture (none, and now {'f' * 37}...)"),
    ({"styles": ["a", "b"]}, "style"),
    ({"pattern": "/q/*"}, "pattern"),
])
def test_what_differs_is_named(refusal, change, named):
    assert refusal(check_same, HEAD, HEAD | change, "out") == (
        f"out holds pictures of another {named}; give the same as then, choose another output, or overwrite them."
    )


def test_what_may_differ():
    check_same(HEAD, HEAD | {"version": "2", "overwrite": True}, "out")


def test_the_same_network_in_another_place(refusal):
    before, now, other = (
        HEAD | {"settings": HEAD["settings"] | {"model": model, "model_sha256": digest}}
        for model, digest in (("a.npz", "1" * 64), ("in/a.npz", "1" * 64), ("b.npz", "2" * 64))
    )
    check_same(before, now, "out")
    assert "another setting of model (a.npz, and now b.npz);" in refusal(check_same, before, other, "out")
    named, renamed = (
        HEAD | {"settings": HEAD["settings"] | {"model": model, "model_sha256": None}} for model in ("night", "day")
    )
    assert "another setting of model (night, and now day);" in refusal(check_same, named, renamed, "out")


def test_a_disk_that_takes_no_more(tmp_path):
    pytest.importorskip("resource")
    code = f"""
import resource
from tfstyle.batch.manifest import keeping
from tfstyle.checks import InputError
line = {line("a")!r}
try:
    with keeping({str(tmp_path)!r}, {HEAD!r}, False) as note:
        note([line])
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))
        while True:
            note([line])
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    path = tmp_path / "manifest.jsonl"
    told = f"{path} cannot be written (File too large); mend that, and the same command goes on.\n"
    assert (done.stdout, done.stderr) == (told, "")
    text = path.read_bytes()
    assert 300 < len(text) <= 400 and text.endswith(b"}\n")  # whole lines
    written(tmp_path, [line("b")])
    assert read_manifest(tmp_path) == (HEAD, {"a": line("a"), "b": line("b")})


def test_a_disk_without_locks(tmp_path, monkeypatch, capsys):
    fcntl = pytest.importorskip("fcntl")

    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    path = written(tmp_path, [line("a")])
    assert tuple(capsys.readouterr()) == (
        "", f"tfstyle: {path} cannot be locked here; start no second command for it meanwhile.\n"
    )
    assert read_manifest(tmp_path) == (HEAD, {"a": line("a")})


def test_one_process_at_a_time(tmp_path, refusal):
    pytest.importorskip("fcntl")
    code = f"""
import sys
from tfstyle.batch.manifest import keeping
with keeping({str(tmp_path)!r}, {HEAD}, False):
    print("in", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        assert other.stdout.readline() == b"in\n"
        told = refusal(written, tmp_path, [])
        other.kill()
    assert told == f"Another process is writing {tmp_path / 'manifest.jsonl'}; wait for it, or choose another output."
    written(tmp_path, [line("a")])
