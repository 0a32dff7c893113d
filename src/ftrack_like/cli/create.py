"""`ftrack-like create`: create entities."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.cli._arguments import add_type_argument
from ftrack_like.cli._assignments import apply_keyed, assignments_of_several, plain_values
from ftrack_like.cli._changes import add_dry_run_argument, apply_changes, write_changed
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import summed_up, type_named
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._foreseen import refuse_incomplete, refuse_taken_name
from ftrack_like.cli._output import (
    add_output_arguments,
    as_json_text,
    format_of,
    is_terminal,
    write_details,
)
from ftrack_like.cli._text import amount, printable

if TYPE_CHECKING:
    from ftrack_like.cli._assignments import Assignment
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "create entities"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Create an entity and print its id. Values have the type that the schema says; "
        "a reference is an id, a name or a path. With several names, such as name=sh010 "
        "name=sh020, create an entity for each of them, all or none. The shells bash and zsh "
        "write these for name=sh{010..100..10}."
    )
    add_type_argument(parser, "type of the entity, such as Task")
    parser.add_argument(
        "assignments",
        metavar="ATTRIBUTE=VALUE",
        nargs="*",
        help="such as name=sh010, parent=show/sq010, custom.fstart=1001, metadata.shelf=12, "
        "description=@note.txt (a file) or bid:=28800 (JSON)",
    )
    add_dry_run_argument(parser)
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Create the entities in *arguments*; return the exit status."""
    shared, names = assignments_of_several(arguments.assignments)
    with open_session(arguments) as session:
        entity_type = type_named(session, arguments.type)
        _refuse_listed_names(session, entity_type, shared)
        values = plain_values(session, entity_type, shared)
        named = [plain_values(session, entity_type, [each]) for each in names] or [{}]
        refuse_incomplete(session, entity_type, {**values, **named[0]})
        try:
            entities = [session.create(entity_type, {**values, **each}) for each in named]
        except ValueError as error:  # Of a class that refuses values, such as types of jobs.
            raise CommandError(str(error)) from error
        if arguments.dry_run:
            for entity in entities:
                refuse_taken_name(session, entity)
        apply_keyed(session, entities, shared)
        if not apply_changes(session, arguments):
            return 0
        _print_created(arguments, entities)
        if format_of(arguments) in ("table", "tsv") and is_terminal(sys.stdout):
            _show_chosen_type(entities[0], shared)
    return 0


def _refuse_listed_names(
    session: Session, entity_type: str, assignments: Iterable[Assignment]
) -> None:
    """Raise an error if the name in *assignments*, of a context, looks like a list of names."""
    if "Context" not in catalogue_of(session).bases(entity_type):
        return
    for each in assignments:
        parts = [part.strip() for part in each.text.split(",")]
        if each.path == ("name",) and not each.is_json and len(parts) > 1 and all(parts):
            several = " ".join(f"name={part}" for part in parts)
            raise CommandError(
                f"{each.source!r} is one name with commas. For an entity each write: {several}. "
                f"For this very name write JSON: name:='{as_json_text(each.text)}'"
            )


def _print_created(arguments: argparse.Namespace, entities: Sequence[Entity]) -> None:
    """Print the keys of the new *entities*, and on a terminal their type."""
    if format_of(arguments) in ("table", "tsv"):
        keys = [",".join(map(str, each.operation_key().values())) for each in entities]
        for text in keys:
            print(text)
        if is_terminal(sys.stdout):
            kind = entities[0].entity_type
            many = f"{amount(len(entities), kind)}: {summed_up(entities)}"
            print(
                printable(f"Created {many if len(entities) > 1 else f'{kind} {keys[0]}'}."),
                file=sys.stderr,
            )
    elif len(entities) > 1:
        write_changed(arguments, [(each, {}) for each in entities])
    else:
        key = dict(entities[0].operation_key())
        write_details(arguments, {"type": entities[0].entity_type, **key})


def _show_chosen_type(entity: Entity, assignments: Iterable[Assignment]) -> None:
    """Say which type the server has chosen for *entity*, which was created without one."""
    given = {assignment.attribute for assignment in assignments}
    if given & {"type", "type_id"} or not {"type", "type_id"} <= set(entity.keys()):
        return
    chosen = entity["type"]
    if chosen is not None:
        advice = f"its type is {chosen['name']}, which the server chose. Give another: type=NAME"
        print(printable(f"No type was given, so {advice}"), file=sys.stderr)
