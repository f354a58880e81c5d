"""Verbs, unknown words, help, and where everything is said."""

import subprocess
import sys

import pytest

from tfstyle import __version__
from tfstyle.cli import VERBS, flags, main
from tfstyle.gatys.settings import PRESETS


def helped(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


@pytest.mark.parametrize("words, sentence", [
    (["optimise"], "There is no verb 'optimise'; did you mean 'optimize'?"),
    (["zzz"], f"There is no verb 'zzz'; there are {', '.join(VERBS)}."),
    (["optimize", "a.png", "b.png"],
     "The following arguments are required: -o/--output; see tfstyle optimize --help."),
    (["optimize", "-o", "x.png"],
     "The following arguments are required: CONTENT; see tfstyle optimize --help."),
    (["optimize", "a.png", "b.png", "-o"],
     "Argument -o/--output: expected one argument; see tfstyle optimize --help."),
    (["optimize", "a", "b", "-o", "x.png", "--stpes", "3"],
     "There is no flag --stpes; did you mean --steps?"),
    (["optimize", "a", "b", "-o", "x.png", "--style-wieght=3"],
     "There is no flag --style-wieght; did you mean --style-weight?"),
    (["optimize", "a", "b", "-o", "x.png", "--step", "3"], "There is no flag --step; did you mean --steps?"),
    (["optimize", "a", "b", "-o", "x.png", "--%$"], "There is no flag --%$; see tfstyle optimize --help."),
    (["stylize", "a.png", "-o", "x.png"],
     "There is no STYLE picture; name one after CONTENT, or give a --model of one style."),
    (["stylize", "a", "b", "-o", "x.png", "--strenght=1"],
     "There is no flag --strenght; did you mean --strength?"),
    (["doctor", "--jsn"], "There is no flag --jsn; did you mean --json?"),
    (["doctor", "now"], "tfstyle doctor takes no argument 'now'; see tfstyle doctor --help."),
    (["--versoin"], "There is no flag --versoin; did you mean --version?"),
])
def test_bad_words(refused, words, sentence):
    assert refused(*words) == sentence


def test_nothing_said_shows_the_help_on_stderr(capsys):
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out == "" and "verbs:" in told.err
    assert told.err.splitlines()[-1] == (
        "tfstyle: Say what to do, such as tfstyle stylize photo.jpg painting.jpg -o painted.png."
    )


def test_version(capsys):
    assert helped(capsys, "--version") == f"tfstyle {__version__}\n"


def test_help_names_the_verbs_and_nothing_of_absl(capsys):
    text = helped(capsys, "--help")
    for verb in VERBS:
        assert f"\n    {verb} " in text or f"\n    {verb}\n" in text
    assert "exit codes: 0 done" in text
    for foreign in ("helpfull", "undefok", "verbosity", "flagfile"):
        assert foreign not in text
    assert helped(capsys, "-h") == text


def test_help_of_optimize(capsys):
    text = helped(capsys, "optimize", "--help")
    assert text.startswith("usage: tfstyle optimize CONTENT [STYLE ...] -o OUT [flags]\n")
    titles = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "options", "pictures", "files beside the picture", "the run", "look settings", "run settings",
        "picture settings", "loss settings", "optimizer settings", "network settings",
        "presets, which flags of your own override", "examples",
    ]
    assert "(default: 512)" in text and "helpfull" not in text and "undefok" not in text
    presets = " ".join(text[text.index("presets,"):].split())
    for name, recipe in PRESETS.items():
        words = " ".join(flags.typed(*setting) for setting in recipe.items())
        assert f" {name}: {words or 'the defaults shown above'}" in presets


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(capsys, verb):
    assert f"tfstyle {verb}" in helped(capsys, verb, "--help")


def test_flagfile(refused, folder):
    (folder / "recipe.flags").write_text("# ours\n--size=8\n")
    words = ["optimize", "photo.png", "paint.png", "-o", "x.png"]
    wanted = "--size must be a whole number of at least 16; received 8."
    assert refused(*words, "--flagfile=recipe.flags") == wanted
    assert refused(*words, "--flagfile", "recipe.flags") == wanted
    assert refused(*words, "--flagfile=missing.flags") == (
        "--flagfile 'missing.flags' cannot be read (No such file or directory); check the path."
    )
    (folder / "one.flags").write_text("--flagfile=two.flags\n")
    (folder / "two.flags").write_text("--size=64\n--flagfile=one.flags\n")
    assert refused(*words, "--flagfile=one.flags") == (
        "--flagfile 'one.flags' leads to itself; take the line out that names it."
    )
    (folder / "torn.flags").write_bytes(b"--size=\xff\n")
    assert refused(*words, "--flagfile=torn.flags").startswith("--flagfile names a file that is no text; ")


def test_bad_command_lines_import_no_tensorflow(folder):
    (folder / "text.jpg").write_text("no picture")
    good = ["optimize", "photo.png", "paint.png", "-o", "out.png"]
    lines = [
        ["optimise"], ["stylize", "a"], ["optimize", "photo.png"], [*good, "--steps", "x"],
        [*good, "--preset", "no"], [*good, "--stpes", "2"], [*good, "--scales", "9"],
        ["optimize", "gone.png", "paint.png", "-o", "out.png"],
        ["optimize", "text.jpg", "paint.png", "-o", "out.png"], [*good, "--trace", "none/x.json"],
        ["optimize", "photo.png", "paint.png", "-o", "out.gif"], [*good, "--network-weights", "gone.npz"],
        [*good, "--init", "gone"], [*good, "--network", "vgg16"],
    ]
    code = f"""
import sys
from tfstyle.cli import main
print([main(line) for line in {lines}], "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == f"{[2] * len(lines)} False\n"
    assert done.stderr.count("\n") == len(lines) and done.stderr.count("tfstyle: ") == len(lines)
    assert not (folder / "out.png").exists()


def test_a_reader_that_leaves_is_no_fault():
    """`tfstyle doctor --help | head -1`, with a pipe closed before anything is written."""
    code = "import sys, tfstyle.cli.doctor as d, tfstyle.cli as c; d.run = lambda args: print('x' * 99999)"
    command = [sys.executable, "-c", f"{code}; sys.exit(c.main(['doctor']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 1


def test_ctrl_c_while_tensorflow_loads(folder):
    """The picture so far would be the photo: none is written, and nothing else is said."""
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text(
        "import os, signal, time\n"
        "os.write(2, b'I0000 00:00:1795296658.5 11803 port.cc:153] oneDNN\\n')\n"
        "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.path.insert(0, '.')\n"
        "from tfstyle.cli import main\n"
        "sys.exit(main(['optimize', 'photo.png', 'paint.png', '-o', 'out.png']))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stdout == "" and done.stderr == "\ntfstyle: interrupted.\n"
    assert not (folder / "out.png").exists()
