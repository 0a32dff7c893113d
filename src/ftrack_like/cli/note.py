"""`ftrack-like note`: write a note on an entity."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Callable, Optional, cast

from ftrack_like.cli._arguments import add_type_argument
from ftrack_like.cli._changes import add_dry_run_argument, apply_changes
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import described, type_named
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._finding import find_entities, find_entity
from ftrack_like.cli._output import add_output_arguments, format_of, is_terminal, write_details
from ftrack_like.cli._progress import ProgressBar
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.location import Location
    from ftrack_like.entity.note import Note
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "write a note on an entity"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    add_type_argument(parser, "type of the entity, such as Task")
    parser.add_argument("id", metavar="ID", help="its id, name or path")
    parser.add_argument(
        "text", metavar="TEXT", nargs="?", help="the note (default: standard input in a pipe)"
    )
    parser.add_argument(
        "--to",
        metavar="NAME",
        action="append",
        default=[],
        help="user or group to notify; may be repeated",
    )
    parser.add_argument(
        "-a",
        "--attach",
        metavar="FILE",
        action="append",
        default=[],
        help="file to attach; may be repeated",
    )
    parser.add_argument(
        "-l",
        "--label",
        metavar="NAME",
        action="append",
        default=[],
        help="label of the note; may be repeated",
    )
    parser.add_argument("--reply-to", metavar="ID", help="id of the note to reply to")
    add_dry_run_argument(parser)
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the note in *arguments*; return the exit status."""
    if arguments.text == "":
        raise UsageMistake("The text of the note is empty.")
    if arguments.text in (None, "-") and is_terminal(sys.stdin):
        raise UsageMistake("There is no text. Pass it as an argument or in a pipe.")
    for path in arguments.attach:
        if not os.path.isfile(path):
            raise UsageMistake(f"--attach {path!r}: there is no such file.")
    with open_session(arguments) as session:
        # Without a type or an id, the text is in the place of the id: so read a pipe after these.
        entity = find_entity(session, _given_type(session, arguments), arguments.id)
        text = _text_or_input(arguments)
        write = _prepared(session, arguments, entity, text)
        if arguments.dry_run:
            write()
            apply_changes(session, arguments)
            for path in arguments.attach:
                print(f"attach {path!r} to the note", file=sys.stderr)
            return 0
        with _uploaded(session, arguments.attach) as components:
            note = write()
            for component in components:
                link = {"component_id": component["id"], "note_id": note["id"]}
                session.create("NoteComponent", link)
            session.commit()
        if format_of(arguments) in ("table", "tsv"):
            print(note["id"])
            if is_terminal(sys.stderr):
                text = f"Wrote a note on {entity.entity_type} {described(entity)}."
                print(printable(text), file=sys.stderr)
        else:
            write_details(arguments, {"type": "Note", "id": note["id"]})
    return 0


def _given_type(session: Session, arguments: argparse.Namespace) -> str:
    """Return the type in *arguments*; without a text, an error shows where the type belongs."""
    try:
        return type_named(session, arguments.type)
    except CommandError as error:
        if arguments.text is None:
            text = f"{error} The type comes first: ftrack-like note TYPE ID TEXT"
            raise UsageMistake(text) from error
        raise


def _text_or_input(arguments: argparse.Namespace) -> str:
    """Return the text in *arguments*, by default standard input."""
    if arguments.text not in (None, "-"):
        return str(arguments.text)
    text = sys.stdin.read().strip()
    if not text:
        raise UsageMistake("The text of the note is empty.")
    return text


def _prepared(
    session: Session, arguments: argparse.Namespace, entity: Entity, text: str
) -> Callable[[], Entity]:
    """Return a function that creates a note with *text* on *entity*.

    All that may be wrong is found here, before files are uploaded.
    """
    author = find_entity(session, "User", session.api_user)
    create: Optional[Callable[..., Entity]] = getattr(entity, "create_note", None)
    if create is None:
        raise CommandError(f"The type {entity.entity_type} has no notes.")
    recipients = find_entities(session, "Resource", arguments.to)
    labels = find_entities(session, "NoteLabel", arguments.label)
    if arguments.reply_to is None:
        return functools.partial(create, text, author, recipients=recipients, labels=labels)
    if recipients or labels:
        raise UsageMistake("A reply has the recipients and labels of the note it replies to.")
    original = find_entity(session, "Note", arguments.reply_to, ["parent_id"])
    if original["parent_id"] != entity["id"]:
        raise CommandError(f"The note {arguments.reply_to!r} is not on this {entity.entity_type}.")
    return functools.partial(cast("Note", original).create_reply, text, author)


@contextlib.contextmanager
def _uploaded(session: Session, paths: list[str]) -> Iterator[list[Entity]]:
    """Upload the files at *paths* and yield their components; remove them after an exception."""
    components: list[Entity] = []
    try:
        for path in paths:
            server = session.query('Location where name is "ftrack.server"').one()
            name = os.path.splitext(os.path.basename(path))[0]
            with ProgressBar(f"Uploading {os.path.basename(path)}") as bar:
                components.append(
                    session.create_component(
                        path,
                        {"name": name},
                        location=cast("Location", server),
                        progress=bar.update,
                    )
                )
        yield components
    except BaseException:
        session.rollback()
        for component in components:
            session.delete(component)
        session.commit()
        raise
