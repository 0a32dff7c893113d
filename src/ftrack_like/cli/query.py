"""`ftrack-like query`: print the entities that a query finds."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.cli._arguments import positive
from ftrack_like.cli._columns import Column, column_of, columns_of, projections_for
from ftrack_like.cli._conditions import as_servers_read
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import type_named
from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._expressions import quoting
from ftrack_like.cli._known_names import check_columns, with_names_of_references
from ftrack_like.cli._output import add_output_arguments, format_of, is_terminal, write_rows
from ftrack_like.cli._progress import ProgressBar
from ftrack_like.cli._unknown_values import print_unknown_values

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.query import QueryResult
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "print the entities that a query finds"

_PAGE = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.add_argument(
        "expression",
        metavar="EXPRESSION",
        help="such as 'Task where status.name is \"In Progress\"' or 'select name from Project'; "
        "'-' reads it from standard input",
    )
    parser.add_argument(
        "-c",
        "--columns",
        metavar="PATHS",
        type=columns_of,
        help="what to print, such as name,status.name,custom.fstart (default: the projections "
        "of the expression, else the id, name, type, status and parent)",
    )
    parser.add_argument(
        "-L", "--limit", metavar="N", type=positive, help="print at most N entities"
    )
    parser.add_argument("--count", action="store_true", help="print only how many there are")
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what the query in *arguments* finds; return the exit status."""
    from ftrack_like.query import outline  # lazy: "--help" answers at once

    if arguments.count and arguments.columns:
        raise UsageMistake("--count prints a number and has no --columns.")
    text = sys.stdin.read() if arguments.expression == "-" else arguments.expression
    typed = as_servers_read(text.strip())
    with open_session(arguments) as session, quoting(typed, session):
        is_table = format_of(arguments) == "table"
        expression, columns = _with_columns(session, typed, arguments.columns, is_table)
        if arguments.count:
            total = len(session.query(expression, page_size=1))
            print(total if arguments.limit is None else min(total, arguments.limit))
            count = total
        else:
            is_usual = not arguments.columns and not outline(typed).has_projections
            count = _write_found(session, arguments, expression, columns, is_usual)
        if not count:
            print_unknown_values(session, _queried_type(expression), expression)
    return 0


def _write_found(
    session: Session,
    arguments: argparse.Namespace,
    expression: str,
    columns: list[Column],
    is_usual: bool,
) -> int:
    """Write the *columns* of what *expression* finds; return the number of rows.

    *is_usual* is whether the columns are the usual ones of the type, not chosen ones.
    """
    size = _PAGE if arguments.limit is None else min(arguments.limit, _PAGE)
    result = session.query(expression, page_size=size)
    if not columns:
        columns = _columns_of_rows(result)
    is_table = format_of(arguments) == "table"
    with session.auto_populating(False):
        found = _rows(result, columns, arguments.limit, is_table)
        rows = _with_progress(found, arguments.limit) if is_table else found
        # An id that was not asked for gives way to the columns that people look at.
        count = write_rows(arguments, [each.name for each in columns], rows, short_ids=is_usual)
    if not count and is_table and is_terminal(sys.stderr):
        print("Nothing found.", file=sys.stderr)
    return count


def _queried_type(expression: str) -> str:
    """Return the type that *expression* queries."""
    from ftrack_like.query import outline  # lazy: "--help" answers at once

    return outline(expression).entity_type or ""


def _with_columns(
    session: Session, expression: str, chosen: Optional[list[Column]], is_table: bool
) -> tuple[str, list[Column]]:
    """Return *expression* with projections for the *chosen* columns, and the columns to print.

    The columns are empty if only the rows know them, as counts do. For a table, references get
    their names.
    """
    from ftrack_like.query import outline, projections_of  # lazy: "--help" answers at once

    parts = outline(expression)
    if parts.entity_type is None:
        raise UsageMistake(
            f"{expression!r} is not a query. Write a type, such as Task, then conditions: "
            "Task where name is lighting."
        )
    if parts.has_projections:
        body = expression[projections_of(expression)[1] :]
        names = projections_of(expression)[0]
        if any("(" in name for name in names) and not chosen:
            return expression, []
        entity_type = type_named(session, parts.entity_type)
        columns = chosen or [*map(column_of, names)]
        if is_table:
            columns = with_names_of_references(session, entity_type, columns)
        if chosen or any(each.projection != each.name or each.naming for each in columns):
            check_columns(session, entity_type, columns)
            return f"select {projections_for(columns)} from {body}", columns
        return expression, columns  # The server reports the place of an unknown name.
    entity_type = type_named(session, parts.entity_type)
    start = expression.index(parts.entity_type)
    body = entity_type + expression[start + len(parts.entity_type) :]
    usual = catalogue_of(session).usual_columns(entity_type)
    columns = chosen or [column_of(name) for name in usual]
    check_columns(session, entity_type, chosen or ())
    if is_table:
        columns = with_names_of_references(session, entity_type, columns)
    return f"select {projections_for(columns)} from {body}", columns


def _columns_of_rows(result: QueryResult[Entity]) -> list[Column]:
    """Return the columns of the first row of *result*, a mapping."""
    first: object = result.first()  # Rows of counts are mappings.
    names = [name for name in first if not name.startswith("__")] if isinstance(first, dict) else []
    return [column_of(name) for name in names]


def _rows(
    result: QueryResult[Entity], columns: list[Column], limit: Optional[int], is_table: bool
) -> Iterator[list[Json]]:
    """Yield the values of *columns* for at most *limit* rows of *result*, for people in a table."""
    entities: Iterable[Entity] = result.iterate() if limit is None else result
    for entity in itertools.islice(entities, limit):
        if is_table:
            yield [column.shown(entity) for column in columns]
        else:
            yield [column.value(entity) for column in columns]


def _with_progress(rows: Iterator[list[Json]], limit: Optional[int]) -> Iterator[list[Json]]:
    """Yield *rows*, at most *limit*, and show the progress; a table needs all of them first."""
    with ProgressBar("Loading", limit, delay=0.5) as bar:
        for row in rows:
            bar.advance()
            yield row
