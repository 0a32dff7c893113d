"""`ftrack-like events dead`: the events that durable listeners could not handle."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._output import add_output_arguments, format_of, is_terminal, write_rows
from ftrack_like.cli._text import amount, printable
from ftrack_like.cli._unknown import no_journal

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.event.journal import DeadLetter, Journal

__all__ = ["add_parser", "run"]

_COLUMNS = ("id", "failed_at", "topic", "tries", "error")


def add_parser(actions: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to *actions*, the sub-commands of ``events``."""
    dead = actions.add_parser(
        "dead",
        help="list, repeat or drop the events that a durable listener could not handle",
        description="List, repeat or drop the dead letters of 'listen --durable': the events whose "
        "callbacks failed in every try.",
    )
    steps = dead.add_subparsers(dest="step", metavar="STEP", required=True)
    listing = steps.add_parser(
        "list",
        help="print the dead letters, oldest first",
        description="Print the dead letters, oldest first. JSON has the events too.",
    )
    repeat = steps.add_parser(
        "repeat", help="return dead letters to the listeners, which try them again"
    )
    drop = steps.add_parser("drop", help="remove dead letters for good")
    for parser in (listing, repeat, drop):
        parser.add_argument("name", metavar="NAME", help="the durable name")
        if parser is not listing:
            parser.add_argument(
                "ids", metavar="ID", nargs="*", help="the ids of events, or their first characters"
            )
            parser.add_argument("--all", action="store_true", help="all dead letters of NAME")
        parser.add_argument(
            "--journal",
            metavar="PLACE",
            help="the place of the journal: a folder, or the address redis://… of a server "
            "(default: FTRACK_EVENT_JOURNAL, else the data folder of the user)",
        )
    add_output_arguments(listing)


def run(arguments: argparse.Namespace) -> int:
    """List, repeat or drop the dead letters that *arguments* name; return the exit status."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.event.journal import (  # lazy: likewise
        known_names,
        open_journal,
        place_of_journals,
    )

    try:
        is_server = "://" in (arguments.journal or "")
        if not is_server and not _exists(arguments):
            raise no_journal(
                arguments.name,
                known_names(arguments.journal),
                place_of_journals(arguments.journal),
            )
        journal = open_journal(arguments.name, arguments.journal)
        act = _print_letters if arguments.step == "list" else _move_letters
        try:
            return act(journal, arguments)
        finally:
            journal.close()
    except (exception.Error, ImportError, ValueError) as error:
        raise CommandError(str(error)) from error


def _exists(arguments: argparse.Namespace) -> bool:
    """Return whether there is a journal, or the place cannot tell."""
    from ftrack_like import exception  # lazy: likewise
    from ftrack_like.event.journal import known_names  # lazy: likewise

    try:
        return arguments.name in known_names(arguments.journal)
    except exception.EventJournalError:
        return True


def _print_letters(journal: Journal, arguments: argparse.Namespace) -> int:
    from ftrack_like.event.journal import place_of_journals  # lazy: "--help" answers at once

    letters = journal.dead_letters()
    with_event = format_of(arguments) in ("json", "jsonl")
    columns = (*_COLUMNS, "event") if with_event else _COLUMNS
    # The beginning of an id, which "repeat" and "drop" accept, leaves room for the error.
    rows = [_row(each)[: len(columns)] for each in letters]
    write_rows(arguments, columns, rows, short_ids=True)
    if not letters and is_terminal(sys.stderr):
        counts = journal.counts()
        place = place_of_journals(arguments.journal)
        waiting = amount(counts.waiting + counts.claimed, "event")
        text = f"No dead letters of {arguments.name!r} in {place}. Waiting: {waiting}."
        print(printable(text), file=sys.stderr)
    return 0


def _move_letters(journal: Journal, arguments: argparse.Namespace) -> int:
    if bool(arguments.ids) == arguments.all:
        raise UsageMistake("Pass the ids of events, or --all.")
    known = [letter.identifier for letter in journal.dead_letters()]
    chosen = known if arguments.all else [_letter_with(each, known) for each in arguments.ids]
    if arguments.step == "repeat":
        print(f"{amount(journal.repeat(chosen), 'event')} will be tried again.")
    else:
        print(f"{amount(journal.drop(chosen), 'event')} dropped.")
    return 0


def _letter_with(beginning: str, known: Sequence[str]) -> str:
    """Return the only id of *known* with this *beginning*; raise CommandError otherwise."""
    found = [each for each in known if each.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    problem = "several dead letters" if found else "no dead letter"
    raise CommandError(f"There is {problem} with an id that begins with {beginning!r}.")


def _row(letter: DeadLetter) -> list[Json]:
    """Return *letter* as a row of the columns, and its event."""
    event = json.loads(letter.event)
    topic = event.get("topic", "?")
    return [letter.identifier, _failed_at(letter), topic, letter.tries, letter.error, event]


def _failed_at(letter: DeadLetter) -> str:
    moment = datetime.fromtimestamp(letter.moment, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
