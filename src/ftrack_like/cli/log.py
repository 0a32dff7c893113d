"""`ftrack-like log time`: log time on a task."""

from __future__ import annotations

import argparse
import sys

from ftrack_like._base.clocks import utc_now
from ftrack_like._values.units import seconds_in, time_text
from ftrack_like.cli._changes import add_dry_run_argument, apply_changes
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import described
from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._finding import find_entity
from ftrack_like.cli._output import add_output_arguments, format_of, is_terminal, write_details
from ftrack_like.cli._text import printable

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "log time on a task"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    time = actions.add_parser(
        "time",
        help="log time on a task or another context",
        description="Log time on a task or another context, for the user of the session.",
    )
    time.add_argument(
        "id", metavar="TASK", help="id, name or path such as show/sq010/sh010/lighting"
    )
    time.add_argument(
        "duration", metavar="DURATION", type=duration, help="such as 1h30m, 45m, 1.5h or 1:30"
    )
    time.add_argument("-m", "--comment", metavar="TEXT", default="", help="what was done")
    time.add_argument(
        "--start", metavar="DATE", help="start, such as 2026-03-09T14:00 in UTC (default: now)"
    )
    add_dry_run_argument(time)
    add_output_arguments(time)
    add_connection_arguments(time)


def duration(text: str) -> float:
    """Return the seconds in *text*, such as ``1h30m`` or ``1:30``."""
    try:
        return seconds_in(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(arguments: argparse.Namespace) -> int:
    """Log the time in *arguments*; return the exit status."""
    import arrow  # lazy: "--help" answers at once

    try:
        start = None if arguments.start is None else arrow.get(arguments.start)
    except (arrow.parser.ParserError, ValueError) as error:
        raise UsageMistake(
            f"--start {arguments.start!r} is not a date. Write 2026-03-09T14:00."
        ) from error
    with open_session(arguments) as session:
        context = find_entity(session, "Context", arguments.id)
        user = find_entity(session, "User", session.api_user)
        entry = session.create(
            "Timelog",
            {
                "user_id": user["id"],
                "context_id": context["id"],
                "duration": arguments.duration,
                "start": arrow.get(utc_now(session.server_url)) if start is None else start,
                "comment": arguments.comment,
            },
        )
        if not apply_changes(session, arguments):
            return 0
        if format_of(arguments) in ("table", "tsv"):
            print(entry["id"])
            if is_terminal(sys.stderr):
                text = f"Logged {time_text(arguments.duration)} on {described(context)}."
                print(printable(text), file=sys.stderr)
        else:
            write_details(arguments, {"type": "Timelog", "id": entry["id"]})
    return 0
