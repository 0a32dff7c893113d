"""`ftrack-like get`: print the attributes of entities."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftrack_like.cli._arguments import add_type_argument
from ftrack_like.cli._columns import Column, column_of, columns_of
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import identifying, ids_in, schema_of, type_named
from ftrack_like.cli._finding import find_entities
from ftrack_like.cli._known_names import check_columns
from ftrack_like.cli._output import (
    add_output_arguments,
    format_of,
    write_details,
    write_rows,
)
from ftrack_like.cli._units import with_units

if TYPE_CHECKING:
    from ftrack_like._base.types import Json

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "print the attributes of entities"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    add_type_argument(parser, "type of the entity, such as Task")
    parser.add_argument(
        "ids",
        metavar="ID",
        nargs="+",
        help="id, name or path such as show/sq010/sh010; '-' reads ids from standard input",
    )
    parser.add_argument(
        "-c",
        "--columns",
        metavar="PATHS",
        type=columns_of,
        help="what to print, such as name,status.name (default: all values, names of references "
        "and custom attributes)",
    )
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the entities in *arguments*; return the exit status."""
    ids = ids_in(arguments.ids)
    with open_session(arguments) as session:
        entity_type = type_named(session, arguments.type)
        schema = schema_of(session, entity_type)
        check_columns(session, entity_type, arguments.columns or ())
        columns = arguments.columns or _own_columns(schema, session.schemas)
        projections = [column.projection for column in columns]
        entities = find_entities(session, entity_type, ids, projections)
        with session.auto_populating(False):
            found = [
                {column.name: column.value(entity) for column in columns} for entity in entities
            ]
    if not arguments.columns:
        found = [_unfolded(values) for values in found]
    _write_found_values(arguments, found)
    return 0


def _write_found_values(arguments: argparse.Namespace, found: list[dict[str, Json]]) -> None:
    """Write the values of one entity, or of several in the form that suits the format."""
    chosen = format_of(arguments)
    if len(found) == 1:
        values = with_units(found[0]) if chosen == "table" else found[0]
        write_details(arguments, values)
    elif chosen == "table":
        for number, values in enumerate(found):
            if number:
                print()
            write_details(arguments, with_units(values))
    else:
        names = list(dict.fromkeys(name for values in found for name in values))
        rows = [[values.get(name) for name in names] for values in found]
        write_rows(arguments, names, rows)


def _own_columns(schema: Mapping[str, Any], schemas: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return columns for all values of *schema*, with the names of references."""
    naming = {str(each["id"]): identifying(each) for each in schemas}
    properties: Mapping[str, Any] = schema["properties"]
    names = []
    for name, fragment in sorted(properties.items(), key=_reading_order):
        kind, target = fragment.get("type"), fragment.get("$ref")
        if name.startswith("_") or kind in ("array", "object"):  # Addresses of files are objects.
            continue
        if target is not None:
            if naming.get(target):
                names.append(f"{name}.{naming[target]}")
        elif kind != "mapped_array" or name in ("custom_attributes", "metadata"):
            names.append(name)
    return [column_of(name) for name in names]


def _reading_order(item: tuple[str, Any]) -> tuple[bool, bool, str]:
    """Return the sorting key of an attribute: the id and the name first."""
    return item[0] != "id", item[0] != "name", item[0]


def _unfolded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* with an entry for each key of the custom attributes and metadata."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in ("custom_attributes", "metadata") and isinstance(value, dict):
            found.update({f"{name}.{key}": value[key] for key in sorted(value)})
        else:
            found[name] = value
    return found
