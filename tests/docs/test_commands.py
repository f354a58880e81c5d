"""Every `tfstyle` line in the Markdown pages is one that the command line takes, and every flag there is one of its."""

import importlib
import pathlib
import re
import runpy
import shlex
import subprocess
from types import SimpleNamespace

import pytest

from tfstyle import cli
from tfstyle.cli.train_networks import NETWORKS

PAGES = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).with_name("pages.py"))))
OF_SCRIPTS = ("benchmarks/", "deploy/")  # whose flags are those of scripts and servers
# In a shell without a path nothing is found but its own words and this.
STAND_IN = 'PATH=/nowhere; tfstyle() { printf "%s\\0" "$@" $\'\\1\' >&9; }\n'


def asked(script, folder):
    """The words of every call of tfstyle in a piece of shell, as the shell itself reads it."""
    told = folder / "told"
    whole = f"exec 9>{shlex.quote(str(told))}\n{STAND_IN}{script}\nwait"
    subprocess.run(["bash", "-c", whole], cwd=folder, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=30)
    calls = told.read_text(encoding="utf-8").split("\1\0")[:-1]
    return [call.split("\0")[:-1] for call in calls]


def flags_of(verb, *words):
    """The flags of one verb."""
    parser = cli.Parser(prog="tfstyle")
    cli._add_flags(verb, parser, [verb, *words])
    return set(parser._option_string_actions)


@pytest.fixture(scope="module")
def flags():
    """{verb: its flags}"""
    found = {verb: flags_of(verb) for verb in cli.VERBS if verb != "train"}
    return found | {"train": set().union(*(flags_of("train", network) for network in NETWORKS))}


def fault(words, capsys, monkeypatch):
    """Why the command line does not take some words, or None. Nothing is done."""
    if words and words[0] in cli.VERBS:
        module = importlib.import_module(f"tfstyle.cli.{words[0]}")
        monkeypatch.setattr(module, "run", lambda args: 0)
    try:
        code = cli.main(words)
    except SystemExit as end:  # --help, --version
        code = end.code
    told = capsys.readouterr().err
    return told if code else None


@pytest.mark.parametrize("name", [name for name in PAGES.markdown() if PAGES.commands(name)])
def test_lines_of_the_shell(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    scripts = PAGES.commands(name)
    calls = [words for script in scripts for words in asked(script, tmp_path)]
    assert bool(calls) is any(re.search(r"^(\w+=\S+ )*tfstyle ", script, re.MULTILINE) for script in scripts)
    faults = {" ".join(words): why for words in calls if (why := fault(words, capsys, monkeypatch))}
    assert faults == {}


@pytest.mark.parametrize("name", [
    name for name in PAGES.markdown()
    if not name.startswith(OF_SCRIPTS) and any("--" in code for code in PAGES.inline(name))
])
def test_flags_within_lines(name, flags):
    every = set().union(*flags.values())
    for code in PAGES.inline(name):
        words = [word for word in code.split() if word not in ("…", "...")]
        if "tfstyle" in words:
            words = words[words.index("tfstyle"):]  # what stands before it has flags of its own
            verb = words[1:2]
            if verb and verb != ["VERB"] and not verb[0].startswith(("-", "[")):
                assert verb[0] in cli.VERBS, code
                own = flags[verb[0]]
            else:
                own = every | {"--version"}
        elif code.startswith("--") and "_" not in words[0]:  # with underscores: TensorFlow Serving's
            own = every
        else:
            continue
        found = {word.partition("=")[0].rstrip(",;)") for word in words if word.startswith("--") and word != "--"}
        assert found <= own, code


def test_there_are_enough(tmp_path):
    calls = [words for name in PAGES.markdown() for script in PAGES.commands(name) for words in asked(script, tmp_path)]
    assert len(calls) > 50
    assert {words[0] for words in calls} >= {"stylize", "optimize", "video", "batch", "web", "train", "serve", "client"}


@pytest.mark.parametrize("script, words", [
    ("tfstyle stylize a.jpg 'b c.jpg' -o out.png  # why", [["stylize", "a.jpg", "b c.jpg", "-o", "out.png"]]),
    ("X=1 tfstyle doctor | head -1 && rm -rf /", [["doctor"]]),
    ("run='tfstyle web'\n$run --port \\\n  1", [["web", "--port", "1"]]),
    ("docker run tfstyle", []),
])
def test_the_shell_reads_as_it_should(script, words, tmp_path):
    assert asked(script, tmp_path) == words


def test_the_test_sees_what_it_should(capsys, monkeypatch):
    good = ["stylize", "a.jpg", "b.jpg", "-o", "out.png"]
    assert fault(good, capsys, monkeypatch) is None
    assert "--strenght" in fault([*good, "--strenght", "1"], capsys, monkeypatch)
    assert "required" in fault(good[:-2], capsys, monkeypatch)
    assert fault(["paint"], capsys, monkeypatch)
