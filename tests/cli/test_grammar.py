"""One grammar for all verbs: flags, names, help and examples, whoever adds the next one."""

import pytest

from tfstyle import cli
from tfstyle.cli import VERBS, flags, layout, main
from tfstyle.cli.train_networks import NETWORKS

# Those that write and start nothing.
LOOKING = ("doctor", "completion")
# Those that need nothing to be named.
ALONE = ("serve", "web", "doctor", "train")
ALL = [(verb,) for verb in VERBS if verb != "train"] + [("train", network) for network in NETWORKS]


def name(words):
    return " ".join(words)


def parser_of(*words):
    made = cli.Parser(prog=f"tfstyle {words[0]}")
    cli._add_flags(words[0], made, list(words))
    return made


def helped(capsys, *words):
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("words", ALL, ids=name)
def test_the_flags_that_all_have(words):
    known = parser_of(*words)._option_string_actions
    for flag in ("-h", "--help", "--quiet", "--json", "--flagfile"):
        assert flag in known, flag
    assert ("--dry-run" in known) == (words[0] not in LOOKING)
    assert known["--json"].help == "print one JSON document on stdout instead of lines"
    assert known["--flagfile"].metavar == "FILE"
    if "--output" in known:
        assert "-o" in known and known["--output"].metavar.startswith(("OUT", "FOLDER"))


@pytest.mark.parametrize("words", ALL, ids=name)
def test_help_has_one_order(capsys, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    text = helped(capsys, *words)
    assert text.startswith(f"usage: tfstyle {' '.join(words)}")
    lists = [line for line in text.splitlines() if line.startswith("  --") and line.endswith("}")]  # nowhere to break
    assert max(len(line) for line in text.splitlines() if line not in lists) <= 80
    assert text.count("exit codes:") == 1 and text.count("\nexamples:\n") == 1
    titles = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles[0] == "options" and titles[-1] == "examples" and titles.count("the run") == 1
    settings = [title for title in titles if title.endswith(" settings")]
    assert not set(titles[:titles.index("the run")]) & set(settings)
    last = text.rstrip().splitlines()[-1]
    assert last.startswith("  ") and text.index("exit codes:") < text.index("\nexamples:\n")


@pytest.mark.parametrize("words", ALL, ids=name)
def test_examples_parse_and_their_settings_hold(words):
    """Every one, with whatever its flags say of settings."""
    commands = layout.examples(parser_of(*words).epilog)
    assert commands
    for _, *command in commands:
        assert command[:len(words)] == list(words)
        assert not any("(" in word for word in command), "what an example does stands behind a #, as shells have it"
        parser = parser_of(*command)
        args, rest = parser.parse_known_args(command[1:])
        cli._take(rest, args, parser)
        for settings in getattr(parser, "settings", ()):
            settings(**flags.given(args, settings))


def test_train_alone_lists_examples_of_all_networks(capsys):
    text = helped(capsys, "train")
    assert all(f"  tfstyle train {network} " in text for network in NETWORKS)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ALONE])
def test_a_verb_alone_says_what_it_needs(refused, verb):
    parser = parser_of(verb)
    said = refused(verb)
    assert said.startswith(f"tfstyle {verb} needs ")
    assert said.endswith(f", such as {' '.join(layout.examples(parser.epilog)[0])}.")


@pytest.mark.parametrize("words", ALL, ids=name)
def test_unknown_flags_and_abbreviations(refused, words):
    _, *command = layout.examples(parser_of(*words).epilog)[0]
    assert refused(*command, "--quite") == "There is no flag --quite; did you mean --quiet?"
    assert refused(*command, "--jso") == "There is no flag --jso; did you mean --json?"
