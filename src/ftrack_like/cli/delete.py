"""`ftrack-like delete`: delete entities."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ftrack_like.cli._arguments import add_type_argument
from ftrack_like.cli._belongings import belongings_of, counted
from ftrack_like.cli._changes import (
    add_confirmation_argument,
    add_dry_run_argument,
    apply_changes,
    write_changed,
)
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import described, each_once, ids_in, summed_up, type_named
from ftrack_like.cli._finding import find_entities
from ftrack_like.cli._output import add_output_arguments, is_terminal

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "delete entities"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Delete entities and all that belongs to them, in one transaction. The command asks "
        "first; without a terminal it needs --yes."
    )
    add_type_argument(parser, "type of the entities, such as Task")
    parser.add_argument(
        "ids", metavar="ID", nargs="+", help="id, name or path; '-' reads ids from standard input"
    )
    add_dry_run_argument(parser)
    add_confirmation_argument(parser)
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Delete the entities in *arguments*; return the exit status."""
    ids = ids_in(arguments.ids)
    with open_session(arguments) as session:
        entity_type = type_named(session, arguments.type)
        entities = each_once(find_entities(session, entity_type, ids))
        needs_counts = arguments.dry_run or not arguments.yes
        belongings = belongings_of(session, entities) if needs_counts else {}
        for entity in entities:
            session.delete(entity)
        count, question = len(entities), _question(entities, belongings)
        if not apply_changes(session, arguments, question, belongings):
            return 0
        write_changed(arguments, [(entity, {}) for entity in entities])
        if is_terminal(sys.stderr):
            print(f"Deleted {count} {entity_type}.", file=sys.stderr)
    return 0


def _question(entities: Sequence[Entity], belongings: Mapping[str, Mapping[str, int]]) -> str:
    """Return the question whether to delete *entities* with their *belongings*."""
    total: Counter[str] = sum((Counter(each) for each in belongings.values()), Counter())
    words = counted(total)
    if len(entities) == 1:
        named = f"{entities[0].entity_type} {described(entities[0])}"
        return f"Delete {named}{f' and with it {words}' if words else ''}?"
    kinds = counted(Counter(each.entity_type for each in entities))
    named = summed_up(entities)
    return f"Delete {kinds} ({named}){f' and with them {words}' if words else ''}?"
