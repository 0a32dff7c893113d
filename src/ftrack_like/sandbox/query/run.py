"""Run queries: parse an expression, compile it to SQL, and load the records of the answer.

The stages are: :mod:`ftrack_like.sandbox.language` parses the text to a tree,
:mod:`.selections` collects the selected attributes, :mod:`.plans` determines the columns,
:mod:`.compiler` makes the statement, and :mod:`.projections` makes records from its rows. Compiled
statements and plans are cached, because programs repeat the same queries.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Optional, Union

from sqlalchemy import Connection, Select, and_, or_
from sqlalchemy.exc import DBAPIError

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.database.deadline import StatementTimeoutError, deadline
from ftrack_like.sandbox.database.refusals import refusal
from ftrack_like.sandbox.database.sql import keys_parameter, prepare
from ftrack_like.sandbox.language import (
    Aggregate,
    ExpressionError,
    Path,
    Query,
    parse,
    parse_path,
    to_text,
)
from ftrack_like.sandbox.query.compiler import Compiler, limited
from ftrack_like.sandbox.query.computed import NOW
from ftrack_like.sandbox.query.names import Catalogue, Names
from ftrack_like.sandbox.query.plans import QueryPlan, root_plan
from ftrack_like.sandbox.query.projections import RecordLoader, TooManyRowsError
from ftrack_like.sandbox.query.selections import NOTHING, SelectedNames, selection_of
from ftrack_like.sandbox.query.sources import key_columns
from ftrack_like.sandbox.schema.model import Model
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["MAXIMUM_PAGE", "QueryPage", "read_records", "run_query"]

#: The most rows in one answer. *next_offset* is the offset of the remaining rows.
MAXIMUM_PAGE = 50_000
#: The time limit for all statements of a query together, in seconds.
MAXIMUM_SECONDS = 60.0

#: The most compiled queries that are kept, and the most steps over relations of each.
_MOST_COMPILED = 512
_SMALL = 12

_KEPT: Mapping[str, Any] = {}
_NOT_KEPT: Mapping[str, Any] = {"compiled_cache": None}


@dataclass(frozen=True)
class QueryPage:
    """The JSON *records* of a page, and the offset of the next page, or None for the last."""

    records: list[dict[str, Any]]
    next_offset: Optional[int]


@dataclass(frozen=True)
class _Compiled:
    """A compiled query. *plan* makes records from the rows of *statement*.

    *options* are the options for running the statement.
    """

    plan: QueryPlan
    statement: Select[Any]
    options: Mapping[str, Any]
    offset: int
    limit: int


def run_query(
    connection: Connection,
    model: Model,
    expression: Union[str, Query],
    context: RequestContext,
) -> QueryPage:
    """Return the answer to *expression*, a text or a parsed query.

    With ``group by`` or aggregates the records are ``{"count_id": 3, "status.name": "Done"}``.

    Raise :exc:`~ftrack_like.sandbox.language.ExpressionError` if the expression has wrong syntax,
    names an unknown type or attribute, or exceeds a limit of time, rows or the database.
    """
    # Errors point into a text, so a tree must be printed first.
    text = expression if isinstance(expression, str) else to_text(expression)
    prepare(connection)
    try:
        with deadline(connection, MAXIMUM_SECONDS):
            return _run(connection, _catalogue(model, context), text, context)
    except StatementTimeoutError as error:
        raise ExpressionError(f"The query takes {error}.", 0, text) from None
    except TooManyRowsError as error:
        raise ExpressionError(f"{error} Query fewer entities with 'limit'.", 0, text) from None
    except DBAPIError as error:
        # SQLite's parser limits the depth of SQL. The limit for an expression depends on its
        # paths and on the permission conditions, so it cannot be checked before.
        if "parser stack overflow" in str(error.orig):
            message = "The expression nests deeper than the database allows."
            raise ExpressionError(message, 0, text) from None
        refused = refusal(error)
        if refused is None:
            raise
        message = f"The expression exceeds a limit of the database: {refused}."
        raise ExpressionError(message, 0, text) from None


def check_query(model: Model, expression: str, context: RequestContext) -> None:
    """Raise :exc:`~ftrack_like.sandbox.language.ExpressionError` if *expression* is not valid."""
    query = parse(expression)
    if not query.group_by and not any(
        isinstance(one, Aggregate) for one in query.projections or ()
    ):
        _compile(_catalogue(model, context), expression, query)


def _run(
    connection: Connection, catalogue: Catalogue, text: str, context: RequestContext
) -> QueryPage:
    query = parse(text)
    if query.group_by or any(isinstance(one, Aggregate) for one in query.projections or ()):
        return _run_groups(connection, catalogue, query, text, context)
    compiled = _compiled(catalogue, text, query)
    rows: Sequence[Any] = connection.execute(
        compiled.statement, _parameters(context), execution_options=compiled.options
    ).all()
    more = len(rows) > compiled.limit
    records = RecordLoader(connection, catalogue, context).load(
        compiled.plan, rows[: compiled.limit] if more else rows
    )
    # With "limit 0" the next page would have the same offset, and a client would loop forever.
    following = compiled.offset + compiled.limit if more and compiled.limit else None
    return QueryPage(records, following)


def _parameters(context: RequestContext) -> dict[str, Any]:
    """Return the parameters of statements that do not come from the expression."""
    return {NOW: context.now.isoformat(), **context.parameters}


def _catalogue(model: Model, context: RequestContext) -> Catalogue:
    """Return the catalogue of *model* for the rights in *context*.

    Return the same object each time, because it is the key of cached plans.
    """
    rights = context.rights
    return _catalogue_for(model, rights is not None, rights is None or rights.sees_all_projects)


@functools.lru_cache(maxsize=192)
def _catalogue_for(model: Model, restricted: bool, all_projects: bool) -> Catalogue:
    return Catalogue(model, TABLES, restricted=restricted, all_projects=all_projects)


_COMPILED: OrderedDict[tuple[Catalogue, str], _Compiled] = OrderedDict()
_COMPILED_LOCK = threading.Lock()


def _compiled(catalogue: Catalogue, text: str, query: Query) -> _Compiled:
    """Return the compiled *query*, which is the tree of *text*; keep it if it is small."""
    key = (catalogue, text)
    with _COMPILED_LOCK:
        found = _COMPILED.get(key)
        if found is not None:
            _COMPILED.move_to_end(key)
            return found
    found = _compile(catalogue, text, query)
    if len(text) <= 4_000 and found.options is _KEPT:
        with _COMPILED_LOCK:
            _COMPILED[key] = found
            if len(_COMPILED) > _MOST_COMPILED:
                _COMPILED.popitem(last=False)
    return found


def forget_compiled() -> None:
    """Forget all compiled queries; tests that change a limit need it."""
    with _COMPILED_LOCK:
        _COMPILED.clear()


def _compile(catalogue: Catalogue, text: str, query: Query) -> _Compiled:
    compiler = Compiler(catalogue, text)
    type_ = compiler.names.type_(query.entity_type, query.position)
    paths = [path for path in query.projections or () if isinstance(path, Path)]
    selection = selection_of(compiler.names, type_, paths)
    plan = root_plan(catalogue, type_.name, selection)
    statement = compiler.rows(query, plan.source, plan.columns)
    limit = MAXIMUM_PAGE if query.limit is None else min(query.limit, MAXIMUM_PAGE)
    # Select one row more than the limit, to know whether there is another page.
    statement = limited(statement, query.offset, limit + 1)
    return _Compiled(plan, statement, _options(compiler), query.offset, limit)


def _options(compiler: Compiler) -> Mapping[str, Any]:
    """Return the options for running the statement that *compiler* made.

    The engine keeps compiled statements. Large ones would fill the memory.
    """
    return _KEPT if compiler.paths.steps <= _SMALL else _NOT_KEPT


def _run_groups(
    connection: Connection,
    catalogue: Catalogue,
    query: Query,
    text: str,
    context: RequestContext,
) -> QueryPage:
    compiler = Compiler(catalogue, text)
    names, statement, kinds = compiler.groups(query)
    rows = connection.execute(statement, _parameters(context), execution_options=_options(compiler))
    records = [
        {name: _group_value(kind, value) for name, kind, value in zip(names, kinds, row)}
        for row in rows
    ]
    return QueryPage(records, None)


def _group_value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "date-time":
        return {"__type__": "datetime", "value": value}
    if kind == "date":
        return {"__type__": "date", "value": value}
    if isinstance(value, Decimal):
        # PostgreSQL returns counts and sums of whole numbers as decimals.
        return float(value) if value.as_tuple().exponent else int(value)
    return bool(value) if kind in ("boolean", "flag") else value


def read_records(
    connection: Connection,
    model: Model,
    type_name: str,
    keys: Iterable[Sequence[Any]],
    projections: Optional[Iterable[str]],
    context: RequestContext,
) -> list[dict[str, Any]]:
    """Return the JSON records of the entities of *type_name* with *keys*, in the order of *keys*.

    A key contains values in the order of the type's primary key. Keys without an entity have no
    record. *projections* are paths as after ``select``. None selects the default projections.
    """
    prepare(connection)
    catalogue = _catalogue(model, context)
    type_ = catalogue.types[type_name]
    plan = root_plan(catalogue, type_name, _selection(catalogue, type_name, projections))
    wanted = [tuple(key) for key in keys]
    columns = key_columns(plan.source)
    statement = Compiler(catalogue, type_name).rows(parse(type_name), plan.source, plan.columns)
    if len(columns) == 1:
        values = list(dict.fromkeys(key[0] for key in wanted))
        condition = keys_parameter(columns[0], "keys", numeric=_numeric(values))
        parameters = {"keys": values, **_parameters(context)}
        rows = connection.execute(statement.where(condition), parameters).all()
    else:
        rows = []
        for start in range(0, len(wanted), 200):
            some = wanted[start : start + 200]
            matches = [and_(*(c == v for c, v in zip(columns, key))) for key in some]
            rows += connection.execute(statement.where(or_(*matches)), _parameters(context)).all()
    records = RecordLoader(connection, catalogue, context).load(plan, rows)
    by_key = {tuple(record[name] for name in type_.primary_key): record for record in records}
    return [by_key[key] for key in dict.fromkeys(wanted) if key in by_key]


def _numeric(values: Sequence[Any]) -> bool:
    return bool(values) and not isinstance(values[0], str)


def _selection(
    catalogue: Catalogue, type_name: str, projections: Optional[Iterable[str]]
) -> SelectedNames:
    if projections is None:
        return NOTHING
    paths = list(projections)
    text = ", ".join(paths)
    return selection_of(
        Names(catalogue, text), catalogue.types[type_name], [parse_path(path) for path in paths]
    )
