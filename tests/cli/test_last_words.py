"""The end of a process that trains with others: what C++ says last, exit codes, and other aborts, which stay."""

import json
import signal
import subprocess
import sys

import pytest

START = """
import argparse, os, sys
from tfstyle.cli import manners
from tfstyle.cli.last_words import LastWords
args = argparse.Namespace(json="--json" in sys.argv, told=False)
words = LastWords("the others have gone.", lambda sentence: manners.tell_end(args, sentence, 1))
words.come_before_jax()
print("from Python", file=sys.stderr)
os.write(2, b"from C++\\n")
"""
FATAL = (
    "os.write(2, b'F1122 16:36:00.2 client.h:80] Terminating process because the JAX distributed service detected "
    "fatal errors. This most\\n*** Check failure stack trace: ***\\n    @ 0x7f2d5b240634 LogMessage\\n')\n"
)


@pytest.fixture
def ended():
    """A function (code, words of a command line) that runs it after `START`: (exit code, stdout, sorted stderr)."""

    def run(code, *words):
        done = subprocess.run(
            [sys.executable, "-c", START + code, *words], check=False, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout, sorted(done.stderr.splitlines())

    return run


def test_an_abort_by_jax_is_one_sentence(ended):
    assert ended(FATAL + "os.abort()") == (1, "", ["from C++", "from Python", "tfstyle: the others have gone."])
    code, out, told = ended("words.sentence = 'not all have come.'\n" + FATAL + "os.abort()")
    assert (code, told[-1]) == (1, "tfstyle: not all have come.")


@pytest.mark.parametrize("told", [False, True])
def test_a_script_has_one_document(ended, told):
    first = "    print('{}', file=args.stdout)\n    args.told = True\n" if told else ""
    code = f"with manners.one_document(args):\n    print('to stderr', flush=True)\n{first}    os.abort()\n"
    code, out, lines = ended(FATAL + code, "--json")
    assert (code, lines) == (1, ["from C++", "from Python", "tfstyle: the others have gone.", "to stderr"])
    assert json.loads(out) == ({} if told else {"error": "the others have gone.", "exit_code": 1})


def test_an_abort_in_another_thread(ended):
    code = "import threading, time\nthreading.Thread(target=os.abort).start()\ntime.sleep(60)"
    assert ended(FATAL + code) == (1, "", ["from C++", "from Python", "tfstyle: the others have gone."])


def test_what_is_said_already_is_not_said_twice(ended):
    code = "import threading\nthreading.Thread(target=os.abort, daemon=True).start()\nprint('said', file=sys.stderr)\n"
    code = "words.told, words.code = True, 1\n" + FATAL + code
    assert ended(code) == (1, "", ["from C++", "from Python", "said"])


def test_other_aborts_stay(ended):
    code, _, told = ended("os.write(2, b'free(): invalid pointer\\n')\nos.abort()")
    assert code == -signal.SIGABRT and "free(): invalid pointer" in told


def test_a_run_that_has_failed_waits_for_nobody(ended):
    """JAX would ask the others at its end, which ours comes before."""
    late = "import atexit\natexit.register(print, 'flushed first')\nwords.code = 2\nprint('out')"
    assert ended(late) == (2, "out\nflushed first\n", ["from C++", "from Python"])
