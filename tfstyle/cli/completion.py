"""tfstyle completion: prints the script by which Tab completes verbs, flags, choices and files in a shell."""

import collections
import importlib
import re

from tfstyle.checks import InputError, check_choice
from tfstyle.cli import VERBS, Parser, manners
from tfstyle.cli.train_networks import NETWORKS
from tfstyle.export.settings import NAMES
from tfstyle.gatys.settings import PRESETS, STARTS
from tfstyle.version import __version__
from tfstyle.weights.files import shipped_styles, shipped_translations

PLACES = {
    "bash": "~/.local/share/bash-completion/completions/tfstyle", "zsh": "~/.zfunc/_tfstyle",
    "tcsh": "~/.tfstyle.tcsh", "fish": "~/.config/fish/completions/tfstyle.fish",
}
SHELLS = tuple(PLACES)
EXAMPLES = f"""The script knows the verbs and flags of this version; print it anew after an update. Its folder must be
there: mkdir -p makes it.

examples:
  tfstyle completion bash > {PLACES["bash"]}
  tfstyle completion zsh > {PLACES["zsh"]}  # with fpath+=~/.zfunc before compinit in ~/.zshrc
  tfstyle completion tcsh > {PLACES["tcsh"]}  # with source ~/.tfstyle.tcsh in ~/.tcshrc
  tfstyle completion fish > {PLACES["fish"]}
"""
# What help calls a value says what it is, and {a,b} lists it.
_FILES = ("A", "CONTENT", "FILE", "INPUT_GLOB", "MASK", "OUT", "PHOTO", "PICTURE", "REF", "STYLE", "VIDEO")
_FOLDERS = ("DIR", "FAKE_DIR", "FOLDER", "OUT_DIR", "REAL_DIR")
_CHOICES = {"--preset": PRESETS, "ENGINE": NAMES, "SHELL": SHELLS}
# Values that are a word or else a file.
_WORDS = {"--init": STARTS, "--network-weights": ("default", "imagenet"), "--loss-weights": ("default", "imagenet"),
          "--inception-weights": ("imagenet",), "--vgg16-weights": ("imagenet",), "--lpips-weights": ("none",)}


def add_flags(parser):
    """Adds the verb's flags."""
    parser.usage = "tfstyle completion SHELL [flags]"
    add = parser.add_argument_group("what for").add_argument
    add("shell", metavar="SHELL", help=", ".join(SHELLS))
    manners.add_run(parser, quiet="of no effect here: the script is all that is printed", dry_run=False)


def run(args):
    """Prints the script; always 0."""
    check_choice("SHELL", args.shell, SHELLS)
    try:
        import shtab
    except ImportError:
        raise InputError("tfstyle completion needs shtab: pip install 'tfstyle[completion]'.") from None
    if args.shell not in shtab.SUPPORTED_SHELLS:
        raise InputError(f"This shtab knows no {args.shell}: pip install --upgrade 'tfstyle[completion]'.")
    script = written(args.shell)
    if args.json:
        manners.tell(args, "", shell=args.shell, script=script)
    else:
        print(script)
    return 0


def written(shell):
    """The script for a shell."""
    import shtab

    parser = whole_parser()
    script = headed(shtab.complete(parser, shell), shell)
    return told_apart(script, parser) if shell == "tcsh" else script


def told_apart(script, parser):
    """The script for tcsh, to whose rules shtab tells no verb, with rules that ask how the command line begins."""
    flags, values = {}, collections.defaultdict(dict)
    for words, inner in _verbs(parser, ()):
        flags[words] = [flag[2:] for flag in inner._option_string_actions if flag.startswith("--")]
        for flag, action in inner._option_string_actions.items():
            values[flag][words] = tuple(action.choices or ())
    differing = {flag: lists for flag, lists in values.items() if len(set(lists.values())) > 1}
    rules = [_asking(*at, lists) for flag, lists in differing.items() for at in (("n", flag), ("c", f"{flag}="))]
    start = "complete tfstyle \\\n"
    script = script.replace(start, start + "".join(f"        {rule} \\\n" for rule in rules), 1)
    script = re.sub(r"'c/--/\(.*?\)/'", lambda _: _asking("c", "--", flags), script, count=1)
    return script.replace("'p/*/()/'", "'p/*/f/'")  # all further arguments without a flag are pictures


def _verbs(parser, words):
    """(words, parser) of whatever has flags of its own: (), ("stylize",), ("train", "style")."""
    inside = [action.choices for action in parser._get_positional_actions() if isinstance(action.choices, dict)]
    if not words or not inside:
        yield words, parser
    for word, inner in inside[0].items() if inside else ():
        yield from _verbs(inner, (*words, word))


def _asking(kind, pattern, lists):
    """A rule of tcsh that takes a list by the words with which the command line begins."""
    tests = {0: '"$cmd[2]" =~ -*', 1: '"$cmd[2]" == "{0}"', 2: '"$cmd[2] $cmd[3]" == "{0} {1}"'}
    cases = [f"if ({tests[len(words)].format(*words)}) echo {' '.join(some)}" for words, some in lists.items() if some]
    return f"'{kind}@{pattern}@`set noglob; set cmd=($COMMAND_LINE \"\" \"\"); {'; '.join(cases)}`@'"


def headed(script, shell):
    """The script with a comment of ours in place of shtab's, which names other places than the documentation does."""
    lines = script.splitlines()
    start = 1 if lines[0].startswith("#compdef") else 0  # zsh looks for it in the first line
    end = next(number for number in range(start, len(lines)) if lines[number] and lines[number][0] != "#")
    head = [f"# Tab for tfstyle {__version__} in {shell}, made by shtab; its place: {PLACES[shell]}", ""]
    return "\n".join(lines[:start] + head + lines[end:])


def whole_parser():
    """One parser with the flags of all verbs, and of all that can be trained, each with what it completes."""
    whole = Parser(prog="tfstyle")
    whole.add_argument("--version", action="version", version="", help="show the version and exit")
    verbs = whole.add_subparsers()
    for verb, text in VERBS.items():
        parser = verbs.add_parser(verb, help=text)
        module = importlib.import_module(f"tfstyle.cli.{verb}")
        if verb != "train":
            _add(module, parser, verb)
            continue
        networks = parser.add_subparsers()
        for network, its in NETWORKS.items():
            inner = networks.add_parser(network, help=its.text)
            _add(module, inner, verb, network)
            inner._actions = [action for action in inner._actions if action.metavar != "NETWORK"]
    return whole


def _add(module, parser, *words):
    """Adds a verb's flags, and to each of them what shtab asks for: `choices` for words, `complete` for files."""
    import shtab

    parser.words, parser.epilog = words, ""
    module.add_flags(parser)
    for action in parser._actions:
        name = action.option_strings[-1] if action.option_strings else action.metavar
        metavar = action.metavar[0] if isinstance(action.metavar, tuple) else action.metavar or ""
        kind, listed = metavar.partition(".")[0], re.search(r"\{(.*)\}", metavar)
        known = _WORDS.get(name, ()) or (_models(words[0]) if name == "--model" else ())
        if listed:
            action.choices = [*listed[1].split(","), *(["none"] if metavar.endswith("|none") else [])]
        elif name in _CHOICES:
            action.choices = list(_CHOICES[name])
        elif kind in _FOLDERS:
            action.complete = shtab.DIRECTORY
        elif known:
            action.complete = _words_or_file(known)
        elif kind in _FILES:
            action.complete = shtab.FILE


def _models(verb):
    """Names of the shipped networks that --model of a verb takes beside files."""
    styles, translations = shipped_styles(), shipped_translations()
    return {
        "client": (), "enlarge": ("default",), "export": ("default", *styles, *translations), "translate": translations,
    }.get(verb, ("default", *styles))


def _words_or_file(words):
    """What shtab takes for a value that is one of some words or a file; tcsh and fish complete the file alone."""
    import shtab

    listed = " ".join(words)
    name = f"_tfstyle_file_or_{re.sub('[^a-z0-9]+', '_', listed)}"
    return shtab.FILE | {
        "bash": name, "zsh": name,
        "preamble": {
            "bash": f'{name}() {{\n  compgen -f -- "$1"\n  compgen -W "{listed}" -- "$1"\n}}\n',
            "zsh": f"{name}() {{\n  _alternative 'words:word:({listed})' 'files:file:_files'\n}}\n",
        },
    }
