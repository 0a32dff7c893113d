"""`ftrack-like events dead`: the events that durable listeners could not handle."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like.event.journal import DeadLetter, Journal

__all__ = ["add_parser", "run"]


def add_parser(actions: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to *actions*, the sub-commands of ``events``."""
    dead = actions.add_parser(
        "dead",
        help="list, repeat or drop the events that a durable listener could not handle",
        description="List, repeat or drop the dead letters of 'listen --durable': the events whose "
        "callbacks failed in every try.",
    )
    steps = dead.add_subparsers(dest="step", metavar="STEP", required=True)
    listing = steps.add_parser("list", help="print the dead letters, oldest first")
    listing.add_argument(
        "--json", action="store_true", help="print one line of JSON each, with the event"
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


def run(arguments: argparse.Namespace) -> int:
    """List, repeat or drop the dead letters that *arguments* name; return the exit status."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.event.journal import known_names, open_journal  # lazy: likewise

    try:
        is_server = "://" in (arguments.journal or "")
        if not is_server and not _exists(arguments):
            known = ", ".join(known_names(arguments.journal)) or "none"
            raise CommandError(f"There is no journal {arguments.name!r}. Known journals: {known}.")
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
    letters = journal.dead_letters()
    for letter in letters:
        print(_as_json(letter) if arguments.json else _as_text(letter))
    if not letters and not arguments.json:
        counts = journal.counts()
        print(f"No dead letters. {counts.waiting + counts.claimed} events wait.")
    return 0


def _move_letters(journal: Journal, arguments: argparse.Namespace) -> int:
    if bool(arguments.ids) == arguments.all:
        raise UsageMistake("Pass the ids of events, or --all.")
    known = [letter.identifier for letter in journal.dead_letters()]
    chosen = known if arguments.all else [_letter_with(each, known) for each in arguments.ids]
    if arguments.step == "repeat":
        print(f"{journal.repeat(chosen)} events will be tried again.")
    else:
        print(f"{journal.drop(chosen)} events dropped.")
    return 0


def _letter_with(beginning: str, known: Sequence[str]) -> str:
    """Return the only id of *known* with this *beginning*; raise CommandError otherwise."""
    found = [each for each in known if each.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    problem = "several dead letters" if found else "no dead letter"
    raise CommandError(f"There is {problem} with an id that begins with {beginning!r}.")


def _as_json(letter: DeadLetter) -> str:
    fields = {
        "id": letter.identifier,
        "tries": letter.tries,
        "error": letter.error,
        "failed_at": _failed_at(letter),
        "event": json.loads(letter.event),
    }
    return json.dumps(fields)


def _as_text(letter: DeadLetter) -> str:
    topic = json.loads(letter.event).get("topic", "?")
    tries = f"{letter.tries} tries"
    line = f"{letter.identifier} {_failed_at(letter)} {topic} {tries}: {letter.error}"
    return printable(" ".join(line.split()))


def _failed_at(letter: DeadLetter) -> str:
    moment = datetime.fromtimestamp(letter.moment, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
