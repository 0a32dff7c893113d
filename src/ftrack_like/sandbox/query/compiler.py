"""Compile a parsed query to one SQL statement.

The statement selects the columns that a plan needs (:mod:`ftrack_like.sandbox.query.plans`), or the
groups of a query with ``group by``. A :class:`~ftrack_like.sandbox.query.sources.RowSource`
represents a row in the statement, and a :class:`~ftrack_like.sandbox.query.sources.Step` leads from
a row over a relation to other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from sqlalchemy import ColumnElement, FromClause, Integer, Select, cast, func, select

from ftrack_like.sandbox.access.visibility import deciding_project, visible
from ftrack_like.sandbox.database.sql import Expression, folded
from ftrack_like.sandbox.language import Aggregate, Path, Query
from ftrack_like.sandbox.query.conditions import Conditions
from ftrack_like.sandbox.query.names import Catalogue, Names
from ftrack_like.sandbox.query.operands import Operand
from ftrack_like.sandbox.query.paths import Paths
from ftrack_like.sandbox.query.sources import RowSource, Step, stable_order

__all__ = ["Compiler"]

#: The most rows in the answer to a query with ``group by``.
MAXIMUM_GROUPS = 50_000


#: The functions that combine the aggregates of parts of a group, by the function of the aggregate.
_COMBINED: Mapping[str, str] = {"count": "sum", "max": "max", "min": "min", "sum": "sum"}


@dataclass(frozen=True)
class _GroupRows:
    """The rows to group: those of *source* that meet *conditions*.

    *values* are the aggregates of the query over these rows, by their text.
    """

    source: RowSource
    values: Mapping[str, Operand]
    conditions: tuple[Expression, ...] = ()


class Compiler:
    """Compiles the query *text* with the types and tables of *catalogue*.

    All methods raise :exc:`~ftrack_like.sandbox.language.ExpressionError` if the query names an
    unknown type or attribute, or uses one in the wrong way.
    """

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        self.names: Names = Names(catalogue, text)
        self.paths: Paths = Paths(self.names)
        self._conditions = Conditions(self.paths, self._subquery)

    def source(self, query: Query) -> RowSource:
        """Return a source for the rows of the entity type of *query*."""
        return self.paths.any_row(self.names.type_(query.entity_type, query.position))

    def rows(self, query: Query, source: RowSource, columns: list[Expression]) -> Select[Any]:
        """Return a statement that selects *columns* of the rows that match *query*, in its order.

        The caller must add offset and limit.
        """
        from_ = source.from_
        keys = []
        for order in query.order_by:
            # A collection has several values, of which sortable() chooses one by the direction.
            if self.paths.is_single(source.type_, order.path):
                value, from_ = self.paths.joined(source, order.path, from_)
            else:
                value = self.paths.sortable(source, order.path, descending=order.descending)
            keys.append(ordered(value, order.descending))
        statement = self._filtered(query, source, columns, from_)
        return statement.order_by(*keys, stable_order(source))

    def _filtered(
        self,
        query: Query,
        source: RowSource,
        columns: list[Expression],
        from_: Optional[FromClause] = None,
    ) -> Select[Any]:
        """Return a statement for the rows that match *query*, selected from *from_* if given."""
        rows = source.from_ if from_ is None else from_
        statement = select(*columns).select_from(rows).where(*source.conditions)
        if query.criteria is not None:
            statement = statement.where(self._conditions.of(query.criteria, source))
        return statement

    def _order(self, query: Query, source: RowSource) -> list[Expression]:
        return [
            ordered(
                self.paths.sortable(source, order.path, descending=order.descending),
                order.descending,
            )
            for order in query.order_by
        ]

    # -- queries within queries ---------------------------------------------------------

    def _subquery(self, query: Query, folding: bool) -> tuple[Select[Any], str]:
        """Return a statement for the sub-query *query*, and the kind of its values.

        The sub-query must select exactly one attribute, which may be a path such as
        ``parent.name``. Its offset and limit count its entities, not the values at the end of
        the path. With *folding* the values are in lower case.
        """
        path = self._one_projection(query)
        self.paths.count_step(query.position)
        owner = self.source(query)
        statement = self._filtered(query, owner, [])
        if query.limit is not None or query.offset:
            statement = statement.order_by(*self._order(query, owner), stable_order(owner))
            statement = limited(statement, query.offset, query.limit)
        for part in path.parts[:-1]:
            _, step = self.paths.step(owner, part)
            statement = _led_on(statement, step)
            owner = step.target
        value = self.paths.final(owner, path.parts[-1])
        expression = folded(value.expression, None) if folding else value.expression
        return statement.add_columns(expression), value.kind

    def _one_projection(self, query: Query) -> Path:
        projections = query.projections or ()
        if len(projections) != 1 or isinstance(projections[0], Aggregate):
            raise self.names.fail(
                "A query inside 'in' must select exactly one attribute.", query.position
            )
        return projections[0]

    # -- groups -------------------------------------------------------------------------

    def groups(self, query: Query) -> tuple[list[str], Select[Any], list[str]]:
        """Compile a *query* with ``group by`` or aggregates.

        Return the names of the columns, the statement, and the kinds of the columns. The groups
        have the values of all attributes after ``group by``, also of those that are not selected.
        """
        rows = self._counted(query) or self._each(query)
        grouped: dict[str, Operand] = {}
        from_ = rows.source.from_
        for path in query.group_by:
            grouped[str(path)], from_ = self.paths.joined(rows.source, path, from_)
        columns: list[Expression] = []
        names: list[str] = []
        kinds: list[str] = []
        projections = query.projections or ()
        selected = {str(one) for one in projections}
        hidden = [path for path in query.group_by if str(path) not in selected]
        for projection in (*projections, *hidden):
            value = self._group_column(rows, projection, grouped)
            columns.append(value.expression)
            kinds.append(value.kind)
            names.append(group_name(projection))
        statement = select(*columns).select_from(from_).where(*rows.conditions)
        if grouped:
            sorting = [value.sorting() for value in grouped.values()]
            statement = statement.group_by(*sorting)
        statement = statement.order_by(*self._group_order(query, grouped))
        limit = MAXIMUM_GROUPS if query.limit is None else min(query.limit, MAXIMUM_GROUPS)
        return names, limited(statement, query.offset, limit), kinds

    def _each(self, query: Query) -> _GroupRows:
        """Return the rows that match *query*."""
        source = self.source(query)
        aggregates = [one for one in query.projections or () if isinstance(one, Aggregate)]
        values = {str(one): self._aggregate(source, one) for one in aggregates}
        conditions = source.conditions
        if query.criteria is not None:
            conditions = (*conditions, self._conditions.of(query.criteria, source))
        return _GroupRows(source, values, conditions)

    def _counted(self, query: Query) -> Optional[_GroupRows]:
        """Return the rows that match *query*, aggregated by their own columns.

        Groups such as ``status.name`` then join one row for each status with its name, and not one
        for each entity. Rights are tested for each project, and not for each row. Return None if
        the own columns do not determine the groups.
        """
        type_ = self.names.type_(query.entity_type, query.position)
        catalogue = self.names.catalogue
        is_limited = catalogue.restricted and not catalogue.all_projects
        project = deciding_project(type_.table) if is_limited else None
        source = self.paths.any_row(type_, has_hidden=project is not None)
        keys = {project} if project is not None else set()
        for path in query.group_by:
            deciding = self.paths.own_columns(source, path)
            if deciding is None:
                return None
            keys |= deciding
        aggregates = {
            str(one): one for one in query.projections or () if isinstance(one, Aggregate)
        }
        if not any(len(path.parts) > 1 for path in query.group_by) or not all(
            one.function in _COMBINED and len(one.path.parts) == 1 for one in aggregates.values()
        ):
            return None
        parts = {name: self._aggregate(source, one) for name, one in aggregates.items()}
        if any(value.kind == "text" for value in parts.values()):
            # SQLite compares the result of min() or max() with case, unlike the column in it.
            return None
        own = {name: source.column(name) for name in sorted(keys)}
        columns: list[Expression] = [one.label(name) for name, one in own.items()]
        columns += [one.expression.label(f"part_{n}") for n, one in enumerate(parts.values())]
        inner = self._filtered(query, source, columns).group_by(*own.values()).subquery()
        values = {
            name: Operand(
                getattr(func, _COMBINED[one.function])(inner.c[f"part_{number}"]), parts[name].kind
            )
            for number, (name, one) in enumerate(aggregates.items())
        }
        groups = RowSource(type_, inner, {name: inner.c[name] for name in own})
        if project is None:
            return _GroupRows(groups, values)
        seen = visible(catalogue.tables, type_.table, groups.columns)
        return _GroupRows(groups, values, (seen,))

    def _group_order(self, query: Query, grouped: dict[str, Operand]) -> list[Expression]:
        keys = []
        for order in query.order_by:
            value = grouped.get(str(order.path))
            if value is None:
                raise self.names.fail(
                    f"{order.path} is not in 'group by' and cannot order the groups.",
                    order.path.position,
                )
            keys.append(ordered(value, order.descending))
        return [*keys, *(ordered(value, False) for value in grouped.values())]

    def _group_column(
        self, rows: _GroupRows, projection: Union[Path, Aggregate], grouped: dict[str, Operand]
    ) -> Operand:
        if isinstance(projection, Aggregate):
            return rows.values[str(projection)]
        value = grouped.get(str(projection))
        if value is None:
            raise self.names.fail(
                f"{projection} must be in 'group by' or inside an aggregate.",
                projection.position,
            )
        if value.kind != "text":
            return value
        # Groups ignore case. If the texts of a group differ in case, return one of the texts.
        return Operand(func.min(value.expression), value.kind)

    def _aggregate(self, source: RowSource, aggregate: Aggregate) -> Operand:
        value = self.paths.sortable(source, aggregate.path)
        expression = value.expression
        if value.kind == "boolean":
            # PostgreSQL has no min() and max() for booleans.
            expression = cast(expression, Integer())
        function: ColumnElement[Any] = getattr(func, aggregate.function)(expression)
        if aggregate.function == "count" and getattr(expression, "primary_key", False):
            # Without the column, which is never NULL, an index can be enough to count.
            function = func.count()
        if aggregate.function in ("avg", "sum") and value.kind != "number":
            raise self.names.fail(
                f"{aggregate} needs numbers, but {aggregate.path} is not a number.",
                aggregate.path.position,
            )
        kind = "number" if aggregate.function in ("avg", "count", "sum") else value.kind
        return Operand(function, kind)


def _led_on(statement: Select[Any], step: Step) -> Select[Any]:
    """Return a statement for the rows to which *step* leads from the rows of *statement*.

    It uses ``IN`` if possible. A join would repeat a row that several owners have.
    """
    if step.own is None or step.other is None or step.correlated:
        return statement.select_from(step.from_).where(step.joined())
    owners = statement.add_columns(step.own)
    return select().select_from(step.from_).where(step.other.in_(owners), *step.conditions)


def group_name(projection: Any) -> str:
    """Return the key of *projection* in the records of a grouped query: ``count_id``."""
    if isinstance(projection, Aggregate):
        return f"{projection.function}_{projection.path}".replace(".", "_")
    return str(projection)


def ordered(value: Operand, descending: bool) -> Expression:
    """Return *value* as a key for ``ORDER BY``. NULL comes first, or last if *descending*."""
    key = value.sorting()
    return key.desc().nulls_last() if descending else key.asc().nulls_first()


def limited(statement: Select[Any], offset: int, limit: Optional[int]) -> Select[Any]:
    """Return *statement* with an offset, and with a limit unless *limit* is None."""
    if offset:
        statement = statement.offset(offset)
    return statement if limit is None else statement.limit(limit)
