"""`ftrack-like demo`: a server with a demo project, to try everything at once."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from typing import TYPE_CHECKING

from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._interrupt import interruptible
from ftrack_like.cli._output import has_colours
from ftrack_like.cli._streams import silence

if TYPE_CHECKING:
    from ftrack_like.cli._demo_review import ReviewPages
    from ftrack_like.sandbox.server import SandboxServer

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "start a server with a demo project, and print how to use it"

_TEXT = """\
{bold}The demo server answers at {url}{plain}
Stop it with Ctrl-C. It then forgets all data.

{bold}In a browser{plain}, open {url}/browse
    user     {user}
    API key  {key}

{bold}In another shell{plain}, paste:
{environment}

    ftrack-like query "select name, parent.name, status.name from Task limit 10"

{bold}In Python{plain}, paste:
    import ftrack_like

    session = ftrack_like.Session(
        server_url={url!r},
        api_user={user!r},
        api_key={key!r},
    )
    for task in session.query("select name, parent.name, status.name from Task limit 10"):
        print(task["parent"]["name"], task["name"], task["status"]["name"])
"""

_REVIEW_TEXT = """\
{bold}In a browser, as the guest {guest}{plain}, without a log-in:
    review: {pages.guest}
{bold}The same review for users{plain}, with all decisions and notes:
    {pages.user}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Start a server with a demo project, print its address, the log-in, lines to paste into a "
        "shell and into Python, and a page to open. If ffmpeg and the extra 'media' are installed, "
        "it then encodes two clips, and prints the address of a review that shows them. It runs "
        "until Ctrl-C and keeps no data. Use sandbox for a server that keeps its data."
    )
    parser.add_argument(
        "--port",
        metavar="PORT",
        type=_port,
        default=0,
        help="port to listen on (default: any free one)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON for the server, and a second one for the review",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the server until Ctrl-C; return the exit status."""
    from ftrack_like.cli._demo_review import DemoReview  # lazy: "--help" answers at once

    with interruptible():
        server = _server(arguments.port)
        review = DemoReview(server, lambda made: _print_review(made, arguments))
        try:
            _start(server)
            _print_usage(server, arguments)
            review.start()
            _wait_forever()
        finally:
            try:
                review.stop()  # it still sends requests
            finally:
                server.stop()
    return 0


def _start(server: SandboxServer) -> None:
    """Start *server*; raise :exc:`CommandError` if it cannot listen or does not answer."""
    try:
        server.start()
    except (OSError, RuntimeError) as error:
        raise CommandError(str(getattr(error, "strerror", None) or error)) from error


def _server(port: int) -> SandboxServer:
    """Return the server; raise :exc:`CommandError` without the extra."""
    from ftrack_like._base.errors import missing_package  # lazy: "--help" answers at once

    try:
        from ftrack_like.sandbox.server import SandboxServer  # lazy: likewise
    except ModuleNotFoundError as error:
        text = missing_package("The demo", str(error.name), "sandbox")
        raise CommandError(text) from error
    return SandboxServer(port=port, demo=True)


def _print_usage(server: SandboxServer, arguments: argparse.Namespace) -> None:
    """Print how to use *server*."""
    url, user, key = server.server_url, server.api_user, server.api_key
    bold, plain = _marks()
    lines = {"FTRACK_SERVER": url, "FTRACK_API_USER": user, "FTRACK_API_KEY": key}
    text = _TEXT.format(
        url=url,
        user=user,
        key=key,
        bold=bold,
        plain=plain,
        environment="\n".join(
            f"    export {name}={shlex.quote(value)}" for name, value in lines.items()
        ),
    )
    known = {"server_url": url, "api_user": user, "api_key": key, "page": f"{url}/browse"}
    _print(json.dumps(known) if arguments.json else text)


def _print_review(made: ReviewPages | str, arguments: argparse.Namespace) -> None:
    """Print the pages of the review, or the sentence that says why there is none."""
    from ftrack_like.cli._demo_review import GUEST  # lazy: "--help" answers at once

    if isinstance(made, str):
        _print(json.dumps({"review": None, "reason": made}) if arguments.json else made)
    elif arguments.json:
        _print(json.dumps({"review": made.guest, "review_page": made.user}))
    else:
        bold, plain = _marks()
        _print(_REVIEW_TEXT.format(pages=made, guest=GUEST[0], bold=bold, plain=plain))


def _marks() -> tuple[str, str]:
    """Return the texts that begin and end bold letters."""
    return ("\x1b[1m", "\x1b[0m") if has_colours(sys.stdout) else ("", "")


def _print(text: str) -> None:
    """Print *text* at once."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # The reader has gone, but other clients may know the address.
        silence(sys.stdout)


def _wait_forever() -> None:
    """Wait until a signal ends the command."""
    import threading  # lazy: "--help" answers at once

    forever = threading.Event()
    while not forever.wait(60):
        pass  # on Windows, a wait without a time-out cannot be interrupted


def _port(text: str) -> int:
    """Return the port in *text*, from 0 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) < 6) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)
