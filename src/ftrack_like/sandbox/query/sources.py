"""Rows in a statement, and the steps from one row to others over relations.

The query compiler works with two objects. A :class:`RowSource` represents a row of a type in a
statement: an alias of its table and the expressions of its columns. A :class:`Step` leads from the
row of an owner to the rows at the other end of a relation. It makes either the condition that such
a row exists, or a join.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from sqlalchemy import FromClause, Select, exists, or_, select

from ftrack_like.sandbox.access.visibility import is_narrowed, visible
from ftrack_like.sandbox.database.sql import Expression, all_of, row_order
from ftrack_like.sandbox.query.names import Catalogue
from ftrack_like.sandbox.schema.model import Collection, EntityType, ManyToMany, OneToMany, Property

__all__ = [
    "RowSource",
    "Step",
    "collection_step",
    "fits_type",
    "key_columns",
    "link_conditions",
    "stable_order",
    "stored_column",
    "table_source",
]


class RowSource:
    """A row of *type_* in a statement.

    The statement must select from *from_* and contain *conditions*. *columns* are the expressions
    of the row's values by the names of the table's columns. *leading* are the first keys of the
    order of rows as members of a collection.
    """

    def __init__(
        self,
        type_: EntityType,
        from_: FromClause,
        columns: Mapping[str, Expression],
        conditions: tuple[Expression, ...] = (),
        leading: tuple[Expression, ...] = (),
    ) -> None:
        self.leading = leading
        self.type_ = type_
        self.from_ = from_
        self.columns = columns
        self.conditions = conditions

    def column(self, name: str) -> Expression:
        """Return the expression of the column *name*."""
        return self.columns[name]


def table_source(catalogue: Catalogue, type_: EntityType, *, has_hidden: bool = False) -> RowSource:
    """Return a source for all rows of the table of *type_*, including those of other types.

    With a restricted catalogue the source has only rows that the user can see. With *has_hidden*
    it has the others too, and the caller must exclude them.
    """
    alias = catalogue.tables[type_.table].alias()
    columns = dict(alias.c.items())
    if catalogue.restricted and is_narrowed(type_.table) and not has_hidden:
        seen = visible(catalogue.tables, type_.table, columns, all_projects=catalogue.all_projects)
        return RowSource(type_, alias, columns, (seen,))
    return RowSource(type_, alias, columns)


def fits_type(catalogue: Catalogue, source: RowSource, type_: EntityType) -> Optional[Expression]:
    """Return the condition that the row of *source* has the type *type_*, or None if all have."""
    alternatives = [
        all_of([source.column(column) == value for column, value in classifier.items()])
        for classifier in catalogue.alternatives(type_.name)
    ]
    return or_(*alternatives) if alternatives else None


class Step:
    """A step over a relation from the row of an owner to *target* rows.

    *from_* contains the target and, for a many-to-many relation, the link table. Its expression
    *other* equals the owner's expression *own*. Both are None if only *conditions* describe the
    relation. *correlated* is true if the conditions refer to the owner's row.
    """

    def __init__(
        self,
        target: RowSource,
        from_: FromClause,
        own: Optional[Expression],
        other: Optional[Expression],
        conditions: tuple[Expression, ...] = (),
        *,
        correlated: bool = False,
    ) -> None:
        self.target = target
        self.correlated: bool = correlated or own is None
        self.from_ = from_
        self.own = own
        self.other = other
        self.conditions: tuple[Any, ...] = (*conditions, *target.conditions)

    def _link(self) -> list[Expression]:
        if self.own is None or self.other is None:
            return []
        matched: Any = self.other == self.own
        return [matched]

    def exists(self, inner: Optional[Expression], *, apart: bool = False) -> Expression:
        """Return the condition that a target exists and *inner* is true for it (None: for any).

        With *apart* the sub-query becomes a common table expression if possible; see
        :func:`set_apart`.
        """
        conditions = [*self.conditions] if inner is None else [*self.conditions, inner]
        if inner is None or self.own is None or self.other is None:
            return exists().select_from(self.from_).where(*self._link(), *conditions)
        # "IN" is faster here than "EXISTS". Databases evaluate its sub-query once and can start
        # from its result. They evaluate "EXISTS" for each row of the owner.
        members = select(self.other).select_from(self.from_).where(*conditions)
        return self.own.in_(set_apart(members) if apart and not self.correlated else members)

    def joined(self) -> Expression:
        """Return the join condition for a statement that selects from the owner and *from_*."""
        return all_of([*self._link(), *self.conditions])


def set_apart(statement: Select[Any]) -> Select[Any]:
    """Return *statement* with its body as a common table expression (``WITH``).

    *statement* must select a single column. SQLAlchemy writes the body at the beginning of the
    whole statement. This reduces the depth of nested queries, which SQLite's parser limits.
    """
    body = statement.cte()
    return select(*body.c)


def collection_step(
    catalogue: Catalogue, owner: RowSource, collection: Collection, target: RowSource
) -> Step:
    """Return the step from *owner* to the members of a stored *collection*."""
    how = collection.how
    if isinstance(how, OneToMany):
        where = tuple(target.column(name) == value for name, value in how.where.items())
        own = owner.column(how.own_column)
        return Step(target, target.from_, own, target.column(how.column), where)
    assert isinstance(how, ManyToMany)
    link = catalogue.tables[how.table].alias()
    from_ = link.join(target.from_, link.c[how.other] == target.column("id"))
    conditions = link_conditions(link, how)
    return Step(target, from_, owner.column(how.own_column), link.c[how.own], conditions)


def link_conditions(link: FromClause, how: ManyToMany) -> tuple[Expression, ...]:
    """Return the conditions for rows of the link table *link*."""
    wanted = [link.c[name] == value for name, value in how.where.items()]
    unwanted = [link.c[name] != value for name, value in how.unless.items()]
    return (*wanted, *unwanted)


def stable_order(source: RowSource) -> Expression:
    """Return the last key of an order, which makes the order of the rows of *source* unique."""
    return row_order(*key_columns(source))


def key_columns(source: RowSource) -> list[Expression]:
    """Return the expressions of the primary key, in the order of the type's ``primary_key``."""
    return [
        source.column(stored_column(source.type_.properties[name]))
        for name in source.type_.primary_key
    ]


def stored_column(property_: Property) -> str:
    """Return the column of *property_*. Without a column the name is that of the column."""
    column: Optional[str] = getattr(property_, "column", None)
    return column or property_.name
