"""tfstyle serve: starts TensorFlow Serving on a folder of SavedModels, or says how to."""

import argparse
import errno
import os
import pathlib
import shlex
import shutil
import sys
import tempfile

import tfstyle
from tfstyle.atomic import replaced
from tfstyle.checks import InputError, check_number
from tfstyle.cli import flags, manners
from tfstyle.serving import config

SERVER = "tensorflow_model_server"
FAILED = "there is no server on the PATH, or it cannot be started; else the exit code is the server's"
EXAMPLES = """The server listens on every address of the machine and asks nobody who they are: keep it behind a \
firewall. deploy/README.md of the repository has Docker, Docker Compose and Kubernetes.

examples:
  tfstyle serve
  tfstyle serve --models exported --only arbitrary --rest-port 9001 --grpc-port 9000
  tfstyle serve --dry-run  # prints models.config and the command
"""


def add_flags(parser):
    """Adds the verb's flags."""
    parser.usage = "tfstyle serve [flags]"
    add = parser.add_argument_group("models").add_argument
    add("--models", metavar="DIR", help="folder of <name>/<version>/ (default: saved_models beside the package)")
    add("--only", metavar="NAME", action="append", default=[],
        help="of a model in that folder, such as arbitrary; may be given again (default: all that it has)")
    add = parser.add_argument_group("the server").add_argument
    add("--rest-port", metavar="N", default="8501", help="for REST (default: 8501)")
    add("--grpc-port", metavar="N", default="8500", help="for gRPC (default: 8500)")
    add("--timeout", metavar="SECONDS", default="600", help="after which a REST call is given up (default: 600)")
    add("--batching", action=argparse.BooleanOptionalAction, default=False,
        help="compute calls that come together in one go, for arbitrary alone; it has its price, see "
             "deploy/SIZING.md (default: no)")
    add("--config", metavar="DIR", help="folder to write models.config into (default: a temporary one, which stays)")
    manners.add_run(parser, quiet="nothing but what the server says")


def run(args):
    """Runs the verb: does not return when the server starts; 0 after --dry-run, 1 if there is no server."""
    options = {
        "rest_port": _port("--rest-port", args.rest_port),
        "grpc_port": _port("--grpc-port", args.grpc_port),
        "timeout": check_number("--timeout", flags.number(args.timeout), 1, 86400),
        "batching": args.batching,
    }
    if options["rest_port"] == options["grpc_port"]:
        raise InputError(f"--rest-port and --grpc-port are both {options['rest_port']}; give each its own.")
    folder = _folder(args.models)
    models = config.find_models(folder, args.only)
    if args.batching and list(models) != ["arbitrary"]:
        raise InputError("--batching is for the model arbitrary, because gatys is never batched; add --only arbitrary.")
    facts = {"models": models, "folder": folder, **options}
    if args.dry_run:
        if args.config is not None:
            _check_config(args.config, _texts("", args.batching))
        text = config.models_config(models, folder)
        command = [SERVER, *config.server_flags(args.config or ".", **options)]
        manners.tell(args, f"{text}{shlex.join(command)}", **facts, models_config=text, command=command)
        return 0
    installed = shutil.which(SERVER) is not None
    where = _write(args.config, config.models_config(models, folder if installed else "/models"), args.batching)
    if not installed:
        docker = _docker(folder, where, options)
        sentence = f"{SERVER} is not on the PATH; Docker has it: {docker}"
        raise manners.Failed(sentence, **facts, config=where, docker=docker)
    command = [SERVER, *config.server_flags(where, **options)]
    manners.tell(args, "", **facts, config=where, command=command)
    if not args.quiet:
        named = ", ".join(f"{name} {version}" for name, version in models.items())
        print(
            f"tfstyle: {SERVER} serves {named} by REST on port {options['rest_port']} and by gRPC on port "
            f"{options['grpc_port']}, on every address of this machine.", file=sys.stderr, flush=True,
        )
    return _start(command)


def _port(flag, text):
    return check_number(flag, flags.number(text), 1, 65535, integer=True)


def _folder(given):
    """The absolute path of the SavedModels' folder; without --models, that of a checkout."""
    if given is not None:
        return os.path.abspath(given)
    beside = pathlib.Path(tfstyle.__file__).resolve().parents[1] / "saved_models"
    if not beside.is_dir():
        raise InputError(
            "There are no SavedModels beside the package: first tfstyle export arbitrary -o DIR, "
            "then tfstyle serve --models DIR."
        )
    return str(beside)


def _write(folder, models_config, batching):
    """Writes what the server reads; returns the absolute path of the folder.

    The server reads it after it has taken the place of this process, so that nobody is left to remove it.
    """
    try:
        if folder is None:
            folder = tempfile.mkdtemp(prefix="tfstyle-serve-")
            os.chmod(folder, 0o755)  # a container's user is another
        os.makedirs(folder, exist_ok=True)
        for name, text in _texts(models_config, batching).items():
            with replaced(os.path.join(folder, name)) as path, open(path, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return os.path.abspath(folder)


def _texts(models_config, batching):
    """What the server reads: {name of the file: text}."""
    return {"models.config": models_config} | ({"batching.config": config.BATCHING} if batching else {})


def _check_config(folder, names):
    """Raises `InputError` where `_write` would, but makes and writes nothing."""
    there = folder
    while there and not os.path.lexists(there):
        there = os.path.dirname(there)
    try:
        if there == folder:  # there already, or no name at all: nothing is made, what is no folder is refused
            os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=there or "."):
            pass
        if any(os.path.isdir(os.path.join(folder, name)) for name in names):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder, error):
    return InputError(f"--config {str(folder)!r} cannot be written to: {error.strerror}.")


def _docker(folder, where, options):
    """The docker command that serves the same on the loopback."""
    ports = (f"-p 127.0.0.1:{port}:{port}" for port in (options["rest_port"], options["grpc_port"]))
    mounts = (f"-v {shlex.quote(f'{path}:{inside}:ro')}" for path, inside in ((folder, "/models"), (where, "/config")))
    inside = shlex.join(config.server_flags("/config", **options))
    return (
        f"docker run --rm --init {' '.join(ports)} {' '.join(mounts)} --entrypoint {SERVER} {config.IMAGE} {inside}"
    )


def _start(command):
    """Puts the server in the place of this process, so that it gets the signals and its exit code is ours."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise manners.Failed(f"{SERVER} cannot be started: {error.strerror}.") from None
