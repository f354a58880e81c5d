"""tfstyle web: the page in the browser."""

import os
import sys
import webbrowser

from tfstyle.cli import flags, manners
from tfstyle.chatter import hushed
from tfstyle.web.server import check_gradio, is_private, launch, url
from tfstyle.web.settings import WebSettings

EXAMPLES = """The page is for this machine alone unless --host says otherwise; it asks nobody who they
are. docs/web.md tells what every control does, and how to put it behind a server that asks.

exit codes: 2 bad input or usage, such as a port in use; 130 ended by Ctrl-C, as it is meant to.

examples:
  tfstyle web
  tfstyle web --port 8000 --no-browser --largest 1024 --seconds 120
"""


def add_flags(parser):
    """Adds the verb's flags, one for each field of `WebSettings`."""
    parser.usage = "tfstyle web [flags]"
    manners.add_run(parser, quiet="no line that tells the address")
    flags.add_settings(parser, WebSettings)


def run(args):
    """Runs the verb: serves the page until KeyboardInterrupt; 0 after --dry-run."""
    settings = WebSettings(**flags.given(args, WebSettings))
    check_gradio()
    if not is_private(settings.host):
        print(
            f"tfstyle: anybody who reaches {settings.host} of this machine in the network can use the page, and its "
            "processors with it; --host 127.0.0.1 keeps it to this machine.", file=sys.stderr, flush=True,
        )
    if args.dry_run:
        address = url(settings.host, settings.port)
        manners.tell(args, f"would serve the page at {address}", url=address, dry_run=True)
        return 0

    def ready(address):
        manners.tell(args, f"The page is at {address} until Ctrl-C.", url=address)
        sys.stdout.flush()
        if settings.browser and _has_screen():
            webbrowser.open(address)

    launch(settings, ready=ready, around=hushed)
    return 0


def _has_screen():
    """Whether there is a desktop: in a terminal alone, a text browser would take that over."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
