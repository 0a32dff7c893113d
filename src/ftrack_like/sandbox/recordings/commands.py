"""The commands ``sandbox record`` and ``sandbox replay``."""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
from typing import TYPE_CHECKING

from ftrack_like._base.errors import missing_package
from ftrack_like.sandbox.console import fail, in_words, port, stopping
from ftrack_like.sandbox.recordings.file import RecordingError

if TYPE_CHECKING:
    from ftrack_like.sandbox.recordings.serving import AppServer

__all__ = ["add_commands"]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands ``record`` and ``replay`` to *commands*; each sets ``serve``."""
    record = commands.add_parser(
        "record",
        help="pass requests on to a server and record them",
        description="Pass requests on to a server, and record them with its answers. Keys, "
        "people's names and addresses are replaced in the file.",
    )
    record.add_argument("url", metavar="URL", help="the address of the server")
    record.add_argument(
        "--to",
        metavar="FILE",
        type=pathlib.Path,
        default=pathlib.Path("recording.json"),
        help="the file to write (default: %(default)s)",
    )
    record.add_argument(
        "--replace",
        metavar="TEXT=TEXT",
        action="append",
        default=[],
        type=_replacement,
        help="replace a further text, such as the name of a film; may be given several times",
    )
    record.add_argument(
        "--keep-names",
        action="store_true",
        help="do not replace the names and mail addresses of people",
    )
    record.set_defaults(serve=_record)
    replay = commands.add_parser(
        "replay",
        help="answer clients from a recording",
        description="Answer clients from a recording, without the server. A request that is not "
        "in the recording receives an error that names it.",
    )
    replay.add_argument("file", metavar="FILE", type=pathlib.Path, help="the recording")
    replay.set_defaults(serve=_replay)
    for each in (record, replay):
        each.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
        )
        each.add_argument(
            "--port", type=port, default=5005, help="port; 0 picks a free one (default: 5005)"
        )


def _replacement(text: str) -> tuple[str, str]:
    """Return the two texts of ``old=new``."""
    old, equals, new = text.partition("=")
    if not old or not equals or not new:
        raise argparse.ArgumentTypeError(f"it must be like TEXT=TEXT, not {text!r}")
    return old, new


def _record(arguments: argparse.Namespace) -> int:
    """Record until a signal comes; return the exit status."""
    # lazy: "--help" answers at once, and the error for a missing extra can name it.
    try:
        from ftrack_like.sandbox.recordings.recorder import Recorder
    except ModuleNotFoundError as error:
        return _lacking(error)
    try:
        server = Recorder(
            arguments.url,
            arguments.to,
            arguments.host,
            arguments.port,
            replacements=dict(arguments.replace),
            keeps_names=arguments.keep_names,
        )
    except ValueError as error:
        return fail(str(error))
    goal = f"Requests to {{url}} go to {arguments.url} and into {arguments.to}."
    status = _serve(server, goal)
    print(f"{arguments.to}: {server.count} requests and answers.", file=sys.stderr)
    return status


def _replay(arguments: argparse.Namespace) -> int:
    """Answer until a signal comes; return the exit status."""
    # lazy: see _record.
    try:
        from ftrack_like.sandbox.recordings.replay import Replay
    except ModuleNotFoundError as error:
        return _lacking(error)
    try:
        server = Replay(arguments.file, arguments.host, arguments.port)
    except RecordingError as error:
        return fail(str(error))
    return _serve(server, f"{{url}} answers from {arguments.file}, as user {server.api_user}.")


def _lacking(error: ModuleNotFoundError) -> int:
    """Report that a package of the extra is missing; return the exit status."""
    return fail(missing_package("The sandbox", str(error.name), "sandbox"))


def _serve(server: AppServer, words: str) -> int:
    """Run *server* until SIGINT or SIGTERM; print *words* when it answers.

    The status is 130 after SIGINT, and 1 if the server cannot start or cannot write its file.
    """
    with stopping() as stop:
        try:
            server.start()
            try:
                print(f"{words.format(url=server.server_url)} Stop it with Ctrl-C.", flush=True)
                while not stop.wait(60):
                    pass  # on Windows, a wait without a time-out cannot be interrupted
            finally:
                server.stop()
        except (OSError, RuntimeError, RecordingError) as error:
            return fail(in_words(error))
    return 128 + signal.SIGINT if stop.number == signal.SIGINT else 0
