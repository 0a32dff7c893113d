"""`ftrack-like create`: create an entity."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ftrack_like.cli._arguments import add_type_argument
from ftrack_like.cli._assignments import apply_keyed, assignments_of, plain_values
from ftrack_like.cli._changes import add_dry_run_argument, apply_changes
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import type_named
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._foreseen import refuse_incomplete, refuse_taken_name
from ftrack_like.cli._output import add_output_arguments, format_of, is_terminal, write_details
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like.cli._assignments import Assignment
    from ftrack_like.entity.base import Entity

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "create an entity"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Create an entity and print its id. Values have the type that the schema says; "
        "a reference is an id, a name or a path."
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
    """Create the entity in *arguments*; return the exit status."""
    assignments = assignments_of(arguments.assignments)
    with open_session(arguments) as session:
        entity_type = type_named(session, arguments.type)
        values = plain_values(session, entity_type, assignments)
        refuse_incomplete(session, entity_type, values)
        try:
            entity = session.create(entity_type, values)
        except ValueError as error:  # Of a class that refuses values, such as types of jobs.
            raise CommandError(str(error)) from error
        if arguments.dry_run:
            refuse_taken_name(session, entity)
        apply_keyed(session, [entity], assignments)
        key = dict(entity.operation_key())
        if not apply_changes(session, arguments):
            return 0
        text = ",".join(map(str, key.values()))
        if format_of(arguments) in ("table", "tsv"):
            print(text)
            if is_terminal(sys.stdout):
                print(printable(f"Created {entity_type} {text}."), file=sys.stderr)
                _show_chosen_type(entity, assignments)
        else:
            write_details(arguments, {"type": entity_type, **key})
    return 0


def _show_chosen_type(entity: Entity, assignments: Iterable[Assignment]) -> None:
    """Say which type the server has chosen for *entity*, which was created without one."""
    given = {assignment.attribute for assignment in assignments}
    if given & {"type", "type_id"} or not {"type", "type_id"} <= set(entity.keys()):
        return
    chosen = entity["type"]
    if chosen is not None:
        advice = f"its type is {chosen['name']}, which the server chose. Give another: type=NAME"
        print(printable(f"No type was given, so {advice}"), file=sys.stderr)
