"""`ftrack-like set`: change the attributes of entities."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ftrack_like._base.words import with_article
from ftrack_like.cli._arguments import add_type_argument
from ftrack_like.cli._assignments import (
    apply_keyed,
    assignments_of,
    is_form,
    plain_values,
    projections_to_set,
)
from ftrack_like.cli._changes import add_dry_run_argument, apply_changes, write_changed
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import described, each_once, ids_in, schema_of, type_named
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._finding import find_entities
from ftrack_like.cli._foreseen import refuse_taken_name
from ftrack_like.cli._output import add_output_arguments, format_of, is_terminal, write_details
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "change the attributes of entities"

#: The name of the owner in the keys of custom attributes, and of entries of the metadata.
_OWNERS = ("entity_id", "parent_id")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    add_type_argument(parser, "type of the entity, such as Task")
    parser.add_argument(
        "first",
        metavar="ID",
        help="id, name or path such as show/sq010/sh010; more may follow, and '-' reads ids from "
        "standard input",
    )
    parser.add_argument(
        "assignments",
        metavar="ATTRIBUTE=VALUE",
        nargs="+",
        help="such as status=Completed, bid=8h, custom.fstart=1001, metadata.shelf=12, "
        "description=@note.txt (a file) or bid:=null (JSON)",
    )
    add_dry_run_argument(parser)
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Change the entities in *arguments*; return the exit status."""
    words = [arguments.first, *arguments.assignments]
    count = next((number for number, word in enumerate(words) if number and is_form(word)), None)
    if count is None and is_form(words[0]):
        raise UsageMistake(
            f"The id comes first. Write: ftrack-like set {arguments.type} {words[1]} {words[0]}"
        )
    if count is None:
        raise UsageMistake(
            f"{words[-1]!r} is not an assignment. Write attribute=value, such as status=Completed."
        )
    assignments, ids = assignments_of(words[count:]), ids_in(words[:count])
    with open_session(arguments) as session:
        entity_type = type_named(session, arguments.type)
        values = plain_values(session, entity_type, assignments)
        projections = projections_to_set(session, entity_type, assignments)
        _refuse_key(session, entity_type, values)
        entities = each_once(find_entities(session, entity_type, ids, projections))
        for entity in entities:
            entity.update(values)
            if arguments.dry_run:
                refuse_taken_name(session, entity)
        apply_keyed(session, entities, assignments)
        changed = _which_change(session, entities)
        if not apply_changes(session, arguments):
            return 0
        _print_changed(arguments, list(zip(entities, changed)))
    return 0


def _refuse_key(session: Session, entity_type: str, names: Iterable[str]) -> None:
    """Raise an error if one of *names* is a part of the primary key of *entity_type*."""
    for name in names:
        if name in schema_of(session, entity_type)["primary_key"]:
            raise CommandError(
                f"{name!r} is the key of {with_article(entity_type)} and cannot change."
            )


def _which_change(session: Session, entities: Iterable[Entity]) -> list[bool]:
    """Return for each of *entities* whether the pending changes of *session* concern it."""
    touched: set[tuple[Value, ...]] = set()
    for change in session.pending():
        key = change.entity_key
        touched.add(tuple(key.values()))
        touched.update((key[name],) for name in _OWNERS if name in key)
    return [tuple(each.operation_key().values()) in touched for each in entities]


def _print_changed(arguments: argparse.Namespace, found: list[tuple[Entity, bool]]) -> None:
    """Print which entities were changed, *found* with whether that is so."""
    if len(found) > 1:
        write_changed(arguments, [(entity, {"changed": each}) for entity, each in found])
    elif format_of(arguments) in ("json", "jsonl", "csv"):
        entity, changed = found[0]
        key = dict(entity.operation_key())
        write_details(arguments, {"type": entity.entity_type, **key, "changed": changed})
    if is_terminal(sys.stderr):
        for entity, changed in found:
            word = "Changed" if changed else "Nothing to change for"
            text = f"{word} {entity.entity_type} {described(entity)}."
            print(printable(text), file=sys.stderr)
