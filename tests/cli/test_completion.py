"""tfstyle completion: what a real shell makes of the script."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tfstyle.cli import VERBS, main
from tfstyle.cli.completion import EXAMPLES, PLACES, SHELLS, whole_parser, written
from tfstyle.cli.train_networks import NETWORKS

pytest.importorskip("shtab", reason="needs tfstyle[completion]")


@pytest.fixture(scope="module")
def scripts():
    """{shell: script}, made once."""
    return {shell: written(shell) for shell in SHELLS}


@pytest.fixture
def complete(scripts, folder):
    """Asks bash what Tab offers for the last of some words, in a folder of pictures and one other folder."""
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    os.mkdir("photos")
    (folder / "script").write_text(scripts["bash"])

    def ask(*words):
        code = """
source ./script
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_shtab_tfstyle
printf "%s\\n" "${COMPREPLY[@]}"
"""
        command = ["bash", "--norc", "-c", code, "bash", "tfstyle", *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.stderr == "", done.stderr
        return sorted(done.stdout.split())

    return ask


def test_verbs(complete):
    assert complete("") == sorted(VERBS)
    assert complete("ex") == ["export"] and complete("e") == ["enlarge", "evaluate", "export"]


def test_flags(complete):
    assert complete("stylize", "--styl") == ["--style-scale", "--style-size"]
    assert complete("optimize", "a.png", "b.png", "--qu") == ["--quality", "--quiet"]
    assert "--dry-run" in complete("serve", "-") and "--dry-run" not in complete("doctor", "-")


def test_choices(complete):
    assert complete("stylize", "a.png", "b.png", "--color", "") == ["histogram", "luminance", "match", "style"]
    assert complete("optimize", "--preset", "g") == ["gatys2016"]
    assert complete("translate", "a.png", "--direction", "b") == ["b2a", "b2b"]
    assert complete("export", "s") == ["style", "superres"]
    assert complete("completion", "z") == ["zsh"]


def test_files_and_folders(complete):
    everything = ["glass.png", "paint.png", "photo.png", "photos", "script"]
    assert complete("stylize", "") == complete("stylize", "photo.png", "") == everything
    assert complete("stylize", "photo.png", "paint.png", "glass.png", "p") == ["paint.png", "photo.png", "photos"]
    assert complete("stylize", "a.png", "b.png", "-o", "gl") == ["glass.png"]
    assert complete("stylize", "a.png", "--masks", "b.png", "gl") == ["glass.png"]
    assert complete("evaluate", "p") == complete("serve", "--models", "") == ["photos"]
    assert complete("stylize", "a.png", "--quiet", "gl") == ["glass.png"]


def test_words_or_files(complete):
    assert complete("stylize", "a.png", "--model", "n") == ["night"]
    assert complete("stylize", "a.png", "--model", "gl") == ["glass.png"]
    assert complete("optimize", "a.png", "--init", "no") == ["noise"]
    assert complete("translate", "a.png", "--model", "m") == ["monet"]


def test_the_networks_of_train(complete):
    assert complete("train", "") == sorted(NETWORKS)
    assert complete("train", "superres", "--content-dir", "") == ["photos"]
    assert complete("train", "superres", "--fac") == ["--factor"]
    assert complete("train", "arbitrary", "--fac") == []


@pytest.mark.parametrize(("rule", "line", "wanted"), [
    ("n@--format", "export arbitrary --format ", "savedmodel litert onnx"),
    ("n@--format", "batch 'my photos' --format ", "png jpg jpeg webp tif tiff avif"),
    ("n@--network", "optimize *.png --network ", "vgg19 vgg16"),
    ("c@--network=", "train style --network=", "compact paper"),
    ("n@--network", "train arbitrary --network ", ""),
    ("c@--", "web --p", "help host port no-browser"), ("c@--", "doctor --", "help quiet json flagfile"),
    ("c@--", "train superres --", "factor"), ("c@--", "--ver", "help version"),
])
def test_tcsh_knows_the_verb(scripts, folder, rule, line, wanted):
    command = re.search(rf"'{re.escape(rule)}@`(.*)`@'", scripts["tcsh"])[1]
    if not shutil.which("tcsh"):
        pytest.skip("needs tcsh")
    done = subprocess.run(
        ["tcsh", "-f", "-c", command], check=False, capture_output=True, text=True,
        env=os.environ | {"COMMAND_LINE": f"tfstyle {line}"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    offered = done.stdout.split()
    assert len(offered) == len(set(offered)) and set(wanted.split()) <= set(offered)
    if rule != "c@--":
        assert offered == wanted.split()
    elif "web" in line:
        assert "strength" not in offered


def test_tcsh_completes_pictures_after_the_first(scripts):
    assert scripts["tcsh"].rstrip().endswith("'p/*/f/'")


def test_all_that_stands_alone_is_completed():
    """Every argument without a flag names a file, a folder or a choice."""
    verbs = next(action for action in whole_parser()._actions if action.choices).choices
    for parser in verbs.values():
        for action in parser._get_positional_actions():
            assert action.choices or hasattr(action, "complete"), f"{parser.prog} {action.metavar}"


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_can_read_it(scripts, shell, tmp_path):
    """The syntax, where the shell is there; in any case all verbs."""
    assert all(verb in scripts[shell] for verb in VERBS)
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    path = tmp_path / "script"
    path.write_text(scripts[shell])
    done = subprocess.run([shell, "-n", str(path)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_head_names_the_place_that_the_help_names(scripts, shell):
    lines = scripts[shell].splitlines()
    assert (lines[0] == "#compdef tfstyle") == (shell == "zsh")
    comments = [line for line in lines[:6] if line.startswith("# ")]
    assert len(comments) == 1 and comments[0].endswith(f" in {shell}, made by shtab; its place: {PLACES[shell]}")
    assert f"tfstyle completion {shell} > {PLACES[shell]}" in EXAMPLES
    assert "AUTOMATICALLY" not in scripts[shell] and "_completion/tfstyle" not in scripts[shell]


def test_the_verb(scripts, capsys, refused):
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr() == (scripts["bash"] + "\n", "")
    assert main(["completion", "zsh", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"shell": "zsh", "script": scripts["zsh"]}
    said = refused("completion", "bsh")
    assert said == "SHELL must be one of 'bash', 'zsh', 'tcsh', 'fish'; received 'bsh'; did you mean 'bash'?"


def test_without_shtab(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert refused("completion", "bash") == "tfstyle completion needs shtab: pip install 'tfstyle[completion]'."


def test_with_an_older_shtab(refused, monkeypatch):
    monkeypatch.setattr("shtab.SUPPORTED_SHELLS", ["bash", "zsh", "tcsh"])
    assert refused("completion", "fish") == "This shtab knows no fish: pip install --upgrade 'tfstyle[completion]'."
