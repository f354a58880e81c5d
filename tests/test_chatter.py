"""TensorFlow's chatter is held back while it loads, and told when it matters."""

import io
import subprocess
import sys

import pytest

from tfstyle.chatter import _DONE, sieve

CHATTER = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795296658.507332   11803 port.cc:153] oneDNN custom operations are on.\n"
    b"E0000 00:00:1795296658.507332   11803 cuda_fft.cc:1] Unable to register cuFFT factory\n"
    b"To enable the following instructions: AVX2, rebuild TensorFlow with the appropriate compiler flags.\n"
)
NEWS = b"Illegal instruction\nF0000 00:00:1795296658.5   11803 cpu.cc:1] no AVX\nWARNING: something else\n"


def sieved(data):
    out = io.BytesIO()
    sieve(io.BytesIO(data), out)
    return out.getvalue()


def test_chatter_is_dropped_after_success():
    assert sieved(CHATTER + NEWS + _DONE) == NEWS


def test_chatter_is_told_at_the_end_without_success():
    assert sieved(CHATTER + NEWS) == NEWS + CHATTER


def loaded(tmp_path, ending, before="", env=""):
    """Exit code and stderr of a process that loads a chatty stand-in for TensorFlow."""
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(f"import os\nos.write(2, {CHATTER + NEWS!r})\n{ending}\n")
    code = f"""
import os, sys
{env}
sys.path.insert(0, {str(tmp_path)!r})
from tfstyle.chatter import hushed
{before}
with hushed():
    import tensorflow
os.write(2, b"after\\n")
print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
"""
    environment = {"PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=environment)
    return done.returncode, done.stdout, done.stderr


def test_a_good_import_is_quiet(tmp_path):
    assert loaded(tmp_path, "") == (0, b"3\n", NEWS + b"after\n")


def test_a_failed_import_tells_all(tmp_path):
    code, _, told = loaded(tmp_path, "raise ImportError('broken library')")
    assert code == 1
    assert told.startswith(NEWS + CHATTER) and told.endswith(b"ImportError: broken library\n")


def test_the_last_words_of_a_killed_process_are_told(tmp_path):
    code, _, told = loaded(tmp_path, "os.abort()")
    assert code < 0
    # The process that tells them may outlive the one that was killed, but both hold the pipe that was read.
    assert told == NEWS + CHATTER


def test_quitting_while_it_loads_is_no_failure(tmp_path):
    assert loaded(tmp_path, "raise SystemExit(130)") == (130, b"", NEWS)


@pytest.mark.parametrize("level, told", [("0", CHATTER + NEWS), ("1", NEWS), ("3", NEWS)])
def test_level_0_tells_everything(tmp_path, level, told):
    found = loaded(tmp_path, "", env=f"os.environ['TF_CPP_MIN_LOG_LEVEL'] = {level!r}")
    assert found == (0, f"{level}\n".encode(), told + b"after\n")


@pytest.mark.parametrize("before", ["import subprocess\nsys.executable = '/gone/python'"])
def test_without_another_process_there_is_chatter_but_no_failure(tmp_path, before):
    assert loaded(tmp_path, "", before=before) == (0, b"3\n", CHATTER + NEWS + b"after\n")


def test_a_program_without_a_console(tmp_path):
    assert loaded(tmp_path, "", before="sys.stderr = None") == (0, b"3\n", NEWS + b"after\n")


def test_a_program_without_stderr(tmp_path):
    before = "os.close(2); sys.stderr = None; real = os.write; os.write = lambda fd, text: fd == 2 or real(fd, text)"
    ending = "assert os.open(os.devnull, os.O_RDONLY) == 2"  # no pipe has got its number
    assert loaded(tmp_path, ending, before=before) == (0, b"3\n", b"")


def test_a_sieve_that_somebody_ends(tmp_path):
    before = "import subprocess\nreal = subprocess.Popen\n" \
             "subprocess.Popen = lambda *args, **options: vars(subprocess).setdefault('made', real(*args, **options))"
    ending = "import subprocess; subprocess.made.kill(); subprocess.made.wait()"
    code, out, told = loaded(tmp_path, ending, before=before)
    assert (code, out) == (0, b"3\n") and told.endswith(b"after\n")


@pytest.mark.slow
def test_in_a_notebook_a_public_name_loads_tensorflow_in_silence():
    code = """
import sys, types
sys.modules["ipykernel"] = types.ModuleType("ipykernel")
import tfstyle
tfstyle.stylize
assert "tensorflow" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert done.stderr == b""
