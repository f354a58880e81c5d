"""What all verbs tell, and that with --json it is one document whatever happens."""

import argparse
import copy
import io
import json
import math
import os
import pathlib
import sys
import threading

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.cli import doctor, main, manners
from tfstyle.cli.ends import Ended


def args(json=False, quiet=False, **more):
    return argparse.Namespace(json=json, quiet=quiet, told=False, **more)


def test_lines_for_people(capsys):
    manners.tell(args(), "out.png  64x48", width=64)
    assert capsys.readouterr().out == "out.png  64x48\n"
    manners.tell(args(quiet=True), "out.png  64x48")
    manners.tell(args(), "")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_a_document_for_programs(capsys, quiet):
    given = args(json=True, quiet=quiet)
    manners.tell(given, "a line", path=pathlib.Path("a/b.png"), sizes=(3, 4), text="naïve \udcff", none=None, yes=True)
    found = json.loads(capsys.readouterr().out)
    assert found == {"path": "a/b.png", "sizes": [3, 4], "text": "naïve \udcff", "none": None, "yes": True}
    assert given.told


def test_numbers_are_finite_and_plain(capsys):
    facts = {"psnr": math.inf, "loss": math.nan, "deep": [{"x": -math.inf}], "one": np.float32(0.5), "two": np.int64(2),
             "array": np.array([[1.0, np.nan]])}
    manners.tell(args(json=True), "", **facts)
    assert json.loads(capsys.readouterr().out) == {
        "psnr": None, "loss": None, "deep": [{"x": None}], "one": 0.5, "two": 2, "array": [[1.0, None]],
    }


def test_a_dry_run_says_so(capsys):
    manners.tell(args(json=True, dry_run=True), "", width=64)
    assert capsys.readouterr().out == '{\n "dry_run": true,\n "width": 64\n}\n'
    manners.tell(args(json=True, dry_run=False), "", width=64)
    assert json.loads(capsys.readouterr().out) == {"width": 64}


@pytest.fixture
def ran(monkeypatch, capsys):
    """Runs tfstyle doctor --json with another function in its place; returns (exit code, document, stderr)."""

    def run(function, *words):
        monkeypatch.setattr(doctor, "run", function)
        code = main(["doctor", "--json", *words])
        told = capsys.readouterr()
        return code, json.loads(told.out), told.err

    return run


def raising(error):
    def run(args):
        raise error

    return run


@pytest.mark.parametrize(("error", "code", "sentence", "said"), [
    (InputError("This is wrong; do that."), 2, "This is wrong; do that.", "tfstyle: This is wrong; do that.\n"),
    (manners.Failed("memory ran out."), 1, "memory ran out.", "tfstyle: memory ran out.\n"),
    (KeyboardInterrupt(), 130, "interrupted.", "tfstyle: interrupted.\n"),
    (Ended(143, "terminated."), 143, "terminated.", "tfstyle: terminated.\n"),
    (Ended(130), 130, "interrupted.", ""),
])
def test_failures_are_documents_too(ran, error, code, sentence, said):
    assert ran(raising(error)) == (code, {"error": sentence, "exit_code": code}, said)


def test_a_failure_may_bring_facts(ran):
    found = ran(raising(manners.Failed("No server.", docker="docker run x")))[1]
    assert found == {"error": "No server.", "exit_code": 1, "docker": "docker run x"}


def test_bad_usage_is_a_document_too(folder, capsys):
    (folder / "json.flags").write_text("--json\n")
    for words in (["--json", "stylize"], ["stylize", "--flagfile=json.flags", "--sizze", "3"], ["stylise", "--json"],
                  ["train", "--json"]):
        assert main(words) == 2
        told = capsys.readouterr()
        found = json.loads(told.out)
        assert found.keys() == {"error", "exit_code"} and found["exit_code"] == 2
        assert told.err == f"tfstyle: {found['error']}\n"


def test_one_document_and_no_more(ran):
    """A failure after it has been printed is told on stderr; other things printed go there, too."""

    def run(args):
        print("Downloading data from far away")
        manners.tell(args, "", width=64)
        raise manners.Failed("the disk is full.")

    assert ran(run) == (1, {"width": 64}, "Downloading data from far away\ntfstyle: the disk is full.\n")


def test_a_verb_that_says_nothing(ran):
    assert ran(lambda args: 1)[1] == {"error": "it came to nothing, as stderr says.", "exit_code": 1}


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("code", "wanted"), [(0, 1), (1, 1), (143, 143)])
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_no_work_is_lost_because_stdout_is_full(monkeypatch, capsys, words, code, wanted):
    done = []

    def run(args):
        print("a line")
        manners.tell(args, "another", width=64)
        done.append(True)
        return code

    monkeypatch.setattr(doctor, "run", run)
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["doctor", *words]) == wanted and done
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["a line"] * len(words) + ["tfstyle: stdout cannot be written (No space left on device)."]


def test_stdout_is_given_back(ran):
    before = sys.stdout
    ran(lambda args: 0)
    assert sys.stdout is before


def test_runs_in_threads_leave_stdout_as_it_was(monkeypatch):
    before, meet = sys.stdout, threading.Barrier(4)
    monkeypatch.setattr(doctor, "run", lambda args: meet.wait(60) and 0)
    threads = [threading.Thread(target=main, args=[["doctor"]]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is before


def test_a_stream_of_the_callers_is_left_alone(tmp_path):
    open_ = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        manners.mute(io.StringIO())
    assert not open_ or len(os.listdir("/proc/self/fd")) == open_
    with open(tmp_path / "told.txt", "w") as file:
        manners.mute(file)
        file.write("still there")
    assert (tmp_path / "told.txt").read_text() == "still there"


def test_stdout_can_be_copied():
    assert copy.copy(manners.Stdout(io.StringIO())).getvalue() == ""


def test_a_sentence_that_nobody_takes(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Full())
    assert main(["doctor", "now"]) == 2


def test_a_defect_leaves_a_document_and_its_traceback(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "run", raising(ZeroDivisionError("division by zero")))
    with pytest.raises(ZeroDivisionError):
        main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found == {"error": "ZeroDivisionError: division by zero", "exit_code": 1}
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])
    assert capsys.readouterr().out == ""
