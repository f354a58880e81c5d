"""tfstyle web: the page in the browser."""

import os
import sys
import webbrowser

from tfstyle.chatter import hushed
from tfstyle.cli import ends, flags, manners
from tfstyle.web.guard import is_private
from tfstyle.web.server import at_work, check_gradio, launch, listening, url
from tfstyle.web.settings import WebSettings

EXAMPLES = """The page is for this machine alone unless --host says otherwise; it asks nobody who they
are. docs/web.md tells what every control does, and how to put it behind a server that asks.

exit codes: 2 bad input or usage, such as a port in use; 130 ended by Ctrl-C, as it is meant to; 143
ended by SIGTERM.

examples:
  tfstyle web
  tfstyle web --port 8000 --no-browser --largest 1024 --seconds 120
  tfstyle web --name paint.example.org --no-browser
"""


def add_flags(parser):
    """Adds the verb's flags, one for each field of `WebSettings`."""
    parser.usage = "tfstyle web [flags]"
    manners.add_run(parser, quiet="no line that tells the address")
    flags.add_settings(parser, WebSettings)


def run(args):
    """Runs the verb: serves the page until a signal ends it; 0 after --dry-run."""
    settings = WebSettings(**flags.given(args, WebSettings))
    check_gradio()
    if args.dry_run:
        with listening(settings.host, settings.port):
            _warn(settings.host)
        address = url(settings.host, settings.port)
        manners.tell(args, f"would serve the page at {address}", url=address, dry_run=True)
        return 0

    def ready(address):
        _warn(settings.host)
        manners.tell(args, f"The page is at {address} until Ctrl-C.", url=address)
        sys.stdout.flush()
        if settings.browser and _has_screen():
            webbrowser.open(address)

    try:
        launch(settings, ready=ready, around=hushed)
    except (KeyboardInterrupt, ends.Ended) as end:
        if at_work():
            _end_now(args, end if isinstance(end, ends.Ended) else ends.Ended(ends.INTERRUPTED, "interrupted."))
        raise
    return 0


def _warn(host):
    """Says, --quiet or not, that the page is not for this machine alone; only once the address is known to be one."""
    if not is_private(host):
        manners.say(
            f"anybody who reaches {host} of this machine in the network can use the page, and its processors with it; "
            "--host 127.0.0.1 keeps it to this machine."
        )


def _end_now(args, end):
    """Ends the process as it would end, but without the interpreter's own end."""
    if not args.told:
        manners.tell(args, "", error=end.sentence, exit_code=end.code)
    print(f"tfstyle: {end.sentence}", file=sys.stderr, flush=True)
    os._exit(end.code)


def _has_screen():
    """Whether there is a desktop: in a terminal alone, a text browser would take that over."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
