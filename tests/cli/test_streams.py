"""Streams that are full, closed or read by nobody, a folder that has gone, and signals before all else is there."""

import json
import os
import signal
import subprocess
import sys

import pytest

FULL = "tfstyle: stdout cannot be written (No space left on device).\n"
MISSING = "tfstyle: content picture 'gone.png' does not exist; check the path.\n"
GOOD = ("stylize", "photo.png", "paint.png", "-o", "out.png", "--dry-run")
BAD = ("stylize", "gone.png", "paint.png", "-o", "out.png")
LINE = "out.png  512x384  would be painted\n"


def ran(how, *words, command=("-m", "tfstyle"), unbuffered=""):
    """(exit code, stdout, stderr) of a command that a shell starts with some redirections."""
    done = subprocess.run(
        ["sh", "-c", how.replace("tfstyle", '"$@"'), "sh", sys.executable, *command, *words], check=False,
        capture_output=True, text=True, env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"])
def unbuffered(request):
    return request.param


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("words", [
    ("--help",), ("--version",), ("stylize", "--help"), GOOD, (*GOOD, "--json"), ("completion", "bash")])
def test_a_full_disk(folder, unbuffered, words):
    if "completion" in words:
        pytest.importorskip("shtab", reason="needs tfstyle[completion]")
    assert ran("tfstyle >/dev/full", *words, unbuffered=unbuffered) == (1, "", FULL)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("how", ["tfstyle >/dev/full", "tfstyle >&-", "tfstyle <&-"])
def test_bad_input_has_its_own_sentence(folder, unbuffered, how):
    code, _, err = ran(how, *BAD, "--json", unbuffered=unbuffered)
    assert (code, err) == (2, MISSING)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_nobody_hears_what_is_wrong(folder, unbuffered):
    assert ran("tfstyle 2>/dev/full", *BAD, unbuffered=unbuffered) == (2, "", "")
    assert ran("tfstyle 2>&-", *BAD, unbuffered=unbuffered) == (2, "", "")


def test_no_reader(folder, unbuffered):
    read, write = os.pipe()
    os.close(read)
    for words, code, err in (((*BAD, "--json"), 2, MISSING), (GOOD, 1, ""), (("--help",), 1, "")):
        done = subprocess.run(
            [sys.executable, "-m", "tfstyle", *words], check=False, stdout=write, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
        assert (done.returncode, done.stderr) == (code, err)
    os.close(write)


@pytest.mark.parametrize(("how", "out"), [
    ("tfstyle >&-", ""), ("tfstyle 2>&-", LINE), ("tfstyle <&-", LINE), ("tfstyle <&- >&- 2>&-", "")])
def test_closed_streams(folder, how, out):
    assert ran(how, *GOOD) == (0, out, "")
    code, document, err = ran(how, *GOOD, "--json")
    assert (code, err) == (0, "") and bool(document) == bool(out)


def test_no_file_gets_the_number_of_a_closed_stream(folder):
    script = (
        "import os, subprocess, sys; from tfstyle.cli import main; code = main(sys.argv[1:])\n"
        "child = 'import sys; sys.exit(None in (sys.stdin, sys.stdout, sys.stderr))'\n"
        "child = subprocess.run([sys.executable, '-c', child]).returncode\n"
        "file = open('told', 'w'); print(code, child, file.fileno() > 2, file=file)"
    )
    assert ran("tfstyle <&- >&- 2>&-", *GOOD, command=("-c", script)) == (0, "", "")
    assert (folder / "told").read_text() == "0 0 True\n"


@pytest.mark.parametrize(("words", "sentence"), [
    ("stylize photo.png paint.png -o=x.png", "output 'x.png' cannot be written (No such file or directory); choose"),
    ("optimize photo.png paint.png -o out.png --trace=x.json --dry-run", "The current folder has been removed; change"),
    ("batch . paint.png -o=out", "The current folder has been removed; change to another.\n"),
])
def test_a_folder_that_has_gone(folder, words, sentence):
    words = [word if "=" in word else str(folder / word) if "." in word else word for word in words.split()]
    code, out, err = ran("mkdir gone && cd gone && rmdir ../gone && tfstyle", *words, "--json")
    assert code == 2 and err.startswith(f"tfstyle: {sentence}") and err.count("\n") == 1
    assert json.loads(out) == {"error": err[9:-1], "exit_code": 2}


# Sends a signal while tfstyle.cli is imported, by somebody who makes another error of what that raises.
STRUCK = """
import builtins, os, signal, sys, time
from tfstyle.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
real = builtins.__import__

def struck(name, *args, **options):
    if name == "tfstyle.cli":
        try:
            os.kill(os.getpid(), signum)
            time.sleep(5)
        except BaseException:
            raise ImportError("half loaded") from None
    return real(name, *args, **options)

builtins.__import__, signum = struck, int(sys.argv.pop(1))
sys.exit(main())
"""


@pytest.mark.parametrize(("signum", "code", "sentence"), [
    (signal.SIGINT, 130, "interrupted."), (signal.SIGTERM, 143, "terminated.")])
def test_signals_before_anything_else_is_there(signum, code, sentence):
    found = ran("tfstyle", str(int(signum)), "doctor", command=("-c", STRUCK))
    assert found == (code, "", f"tfstyle: {sentence}\n")
    found = ran("tfstyle", str(int(signum)), "doctor", "--json", command=("-c", STRUCK))
    assert found[::2] == (code, f"tfstyle: {sentence}\n")
    assert json.loads(found[1]) == {"error": sentence, "exit_code": code}


def test_little_is_imported_before_signals_are_taken():
    script = "import sys; before = set(sys.modules); import tfstyle.__main__; print(*set(sys.modules) - before)"
    found = ran("tfstyle", command=("-c", script))[1].split()
    assert "tfstyle.__main__" in found and not {"argparse", "subprocess", "tfstyle.cli"} & set(found)
