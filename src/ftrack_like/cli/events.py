"""`ftrack-like events`: print events as they happen, and the dead letters of journals."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Optional, TextIO

from ftrack_like.cli import _dead_letters
from ftrack_like.cli._arguments import positive
from ftrack_like.cli._connection import add_connection_arguments, connection_of
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._interrupt import interruptible
from ftrack_like.cli._streams import silence
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like.wire.events import Event

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "watch events, and list events that could not be handled"

#: Escape sequences for styles on a terminal.
_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[1;36m", "\x1b[0m"
#: The topics of events that the hub itself publishes, and no server sends.
_LOCAL = frozenset({"ftrack.meta.connected", "ftrack.meta.disconnected", "ftrack.meta.reconnected"})
#: The maximum length of the data on a terminal, in characters.
_SHOWN = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    tail = actions.add_parser(
        "tail",
        help="print events as they happen, until interrupted",
        description="Print events as they happen: coloured lines on a terminal, one line of "
        "JSON each otherwise.",
    )
    tail.add_argument(
        "expression",
        metavar="EXPRESSION",
        nargs="?",
        help="which events, such as 'topic=ftrack.update' (default: all)",
    )
    tail.add_argument(
        "--topic",
        metavar="TOPIC",
        action="append",
        default=[],
        help="only events with this topic, such as ftrack.update or 'ftrack.*'; may be repeated",
    )
    tail.add_argument(
        "--json",
        "--jsonl",
        dest="json",
        action="store_true",
        help="print one line of JSON each on a terminal too",
    )
    tail.add_argument("--count", metavar="N", type=positive, help="stop after N events")
    add_connection_arguments(tail)
    _dead_letters.add_parser(actions)


def run(arguments: argparse.Namespace) -> int:
    """Run the action in *arguments*; return the exit status.

    Raise :exc:`KeyboardInterrupt` at SIGINT.
    """
    return _dead_letters.run(arguments) if arguments.action == "dead" else _tail(arguments)


def _tail(arguments: argparse.Namespace) -> int:
    """Print the events that match *arguments*; return the exit status.

    Raise :exc:`KeyboardInterrupt` at SIGINT.
    """
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._session.arguments import credentials  # lazy: likewise
    from ftrack_like.event.hub import EventHub  # lazy: likewise

    with interruptible():
        try:
            chosen = connection_of(arguments)
            found = credentials(
                chosen.server_url, chosen.api_key, chosen.api_user, profile=chosen.profile
            )
            hub = EventHub(found.server_url, found.api_user, found.api_key)
            printer = Printer(sys.stdout, arguments.count, arguments.json)
            hub.subscribe(_expression_for(arguments), lambda event: printer.show(event, hub.close))
            hub.connect()
            print(f"Listening to {hub.get_server_url()}. Stop with Ctrl-C.", file=sys.stderr)
            try:
                while hub.connected:  # events may end a wait, but not this command
                    hub.wait()
            finally:
                hub.close()
        except BrokenPipeError:
            raise  # the reader of the output has gone, which is not an error
        except (exception.Error, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
    return 0


def _expression_for(arguments: argparse.Namespace) -> str:
    """Return the expression for the events that *arguments* name."""
    topics = " or ".join(f"topic={topic}" for topic in arguments.topic)
    if topics and arguments.expression:
        return f"({arguments.expression}) and ({topics})"
    return arguments.expression or topics or "topic=*"


class Printer:
    """Prints events on *stream*: lines for people on a terminal, else lines of JSON."""

    def __init__(
        self, stream: TextIO, count: Optional[int] = None, always_json: bool = False
    ) -> None:
        """Initialise with the *count* of events to print; None means no limit.

        With *always_json*, print JSON on a terminal too.
        """
        self._stream = stream
        self._left = count
        self._colours = stream.isatty() and "NO_COLOR" not in os.environ
        self._terminal = stream.isatty() and not always_json

    def show(self, event: Event, stop: Callable[[], object]) -> None:
        """Print *event*, and call *stop* if it was the last one."""
        if self._left == 0 or event["topic"] in _LOCAL:
            return
        line = self._for_people(event) if self._terminal else as_json(event)
        try:
            print(line, file=self._stream, flush=True)
        except BrokenPipeError:
            silence(self._stream)
            self._left = 1
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                stop()

    def _for_people(self, event: Event) -> str:
        user = (event["source"].get("user") or {}).get("username") or "?"
        data = printable(json.dumps(event["data"], default=str))
        if len(data) > _SHOWN:
            data = f"{data[:_SHOWN]}…"
        # Servers leave "sent" empty, so this is the time at which the event arrived.
        arrived = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        moment, topic = printable(str(event["sent"] or arrived)), printable(event["topic"])
        if not self._colours:
            return f"{moment} {topic} {printable(user)} {data}"
        return (
            f"{_DIM}{moment}{_PLAIN} {_BOLD}{topic}{_PLAIN} {printable(user)} {_DIM}{data}{_PLAIN}"
        )


def as_json(event: Event) -> str:
    """Return *event* in its wire form, as one line of JSON."""
    from ftrack_like.wire.events import to_wire  # lazy: "--help" answers at once

    return json.dumps(to_wire(event), default=str)
