"""Rows of types within a statement, and the steps from one to another through relations.

A :class:`Source` is one row of a type as a statement sees it. A :class:`Step` leads from an
owner's row to the rows at the other end of a relation; it can say that one of them fits a
condition, or be joined to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from sqlalchemy import FromClause, Select, exists, or_, select

from ftrack_like.sandbox.schema.model import Collection, EntityType, ManyToMany, OneToMany, Property
from ftrack_like.sandbox.storage.names import Catalogue
from ftrack_like.sandbox.storage.sql import Expression, all_of, row_order
from ftrack_like.sandbox.storage.visibility import is_narrowed, visible

__all__ = [
    "Source",
    "Step",
    "collection_step",
    "fits_type",
    "key_columns",
    "link_conditions",
    "stable_order",
    "stored_column",
    "table_source",
]


class Source:
    """A row of *type_* in a statement.

    *from_* is what the statement selects from and *columns* are the values of the row by the
    names of the table's columns; *conditions* must hold in each statement that has the row.
    *leading* is what members of a collection are ordered by before anything else.
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
        """Return the value of the column *name*."""
        return self.columns[name]


def table_source(catalogue: Catalogue, type_: EntityType) -> Source:
    """Return any row of the table of *type_*; over a restricted catalogue one that is seen."""
    alias = catalogue.tables[type_.table].alias()
    columns = dict(alias.c.items())
    if catalogue.restricted and is_narrowed(type_.table):
        seen = visible(catalogue.tables, type_.table, columns)
        return Source(type_, alias, columns, (seen,))
    return Source(type_, alias, columns)


def fits_type(catalogue: Catalogue, source: Source, type_: EntityType) -> Optional[Expression]:
    """Return whether the row of *source* is of *type_*, None where every row is."""
    alternatives = [
        all_of([source.column(column) == value for column, value in classifier.items()])
        for classifier in catalogue.alternatives(type_.name)
    ]
    return or_(*alternatives) if alternatives else None


class Step:
    """A step from an owner to *target* rows.

    The owner's *own* value equals *other*, a value of the rows that the step brings in
    (*from_*); *conditions* also hold. Either may be None for a step that *conditions* alone
    describe. If *correlated*, they name the owner's row.
    """

    def __init__(
        self,
        target: Source,
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
        """Return whether a target fits *inner*; None fits all.

        If *apart*, those that fit are looked for at the head of the statement where possible.
        """
        conditions = [*self.conditions] if inner is None else [*self.conditions, inner]
        if inner is None or self.own is None or self.other is None:
            return exists().select_from(self.from_).where(*self._link(), *conditions)
        # Databases evaluate this once and drive the search by it; "exists" they ask each row.
        members = select(self.other).select_from(self.from_).where(*conditions)
        return self.own.in_(set_apart(members) if apart and not self.correlated else members)

    def joined(self) -> Expression:
        """Return the condition under which a statement that selects from both joins them."""
        return all_of([*self._link(), *self.conditions])


def set_apart(statement: Select[Any]) -> Select[Any]:
    """Return *statement*, of one column, with its body at the head of the whole (``WITH``).

    SQLite can read only so many queries within one another.
    """
    body = statement.cte()
    return select(*body.c)


def collection_step(
    catalogue: Catalogue, owner: Source, collection: Collection, target: Source
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
    """Return what rows of *link* must fulfil to count."""
    wanted = [link.c[name] == value for name, value in how.where.items()]
    unwanted = [link.c[name] != value for name, value in how.unless.items()]
    return (*wanted, *unwanted)


def stable_order(source: Source) -> Expression:
    """Return the key that makes any order of rows of *source* the same each time."""
    return row_order(*key_columns(source))


def key_columns(source: Source) -> list[Expression]:
    """Return the values of the row's key, in the order of the type's ``primary_key``."""
    return [
        source.column(stored_column(source.type_.properties[name]))
        for name in source.type_.primary_key
    ]


def stored_column(property_: Property) -> str:
    """Return the column of *property_*; keys of some types have the name alone."""
    column: Optional[str] = getattr(property_, "column", None)
    return column or property_.name
