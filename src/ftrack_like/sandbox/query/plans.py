"""Plans: which columns to select for a query, and how to make records from the rows.

A query selects attributes of a type and, over relations, of other types. Each step has a plan:

- A :class:`QueryPlan` is for the rows of one statement: those of the query, or those at the other
  end of a relation.
- These rows can have several concrete types. A :class:`TypePlan` for each says how a row becomes a
  record.
- A :class:`RelationPlan` fills an attribute of the records with related records. Its
  :class:`MemberRows` describe them, and lead to the next :class:`QueryPlan`.

A plan depends only on the schema and the :class:`~.selections.SelectedNames` (the names to select).
It depends on neither the data nor the user, so plans are cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Callable, Optional

from sqlalchemy import Select, select
from sqlalchemy.types import Float, Integer

from ftrack_like.sandbox.database.sql import Expression, keys_parameter, rarely
from ftrack_like.sandbox.query import custom_attributes
from ftrack_like.sandbox.query.computed import COMPUTATIONS, Computation
from ftrack_like.sandbox.query.names import Catalogue, Names
from ftrack_like.sandbox.query.paths import Paths
from ftrack_like.sandbox.query.selections import NOTHING, SelectedNames
from ftrack_like.sandbox.query.sources import (
    RowSource,
    link_conditions,
    stable_order,
    stored_column,
    table_source,
)
from ftrack_like.sandbox.schema.model import (
    Collection,
    Derived,
    EntityType,
    ManyToMany,
    OneToMany,
    Property,
    Reference,
    Scalar,
)
from ftrack_like.sandbox.tables.values import wire_converter

__all__ = [
    "MAXIMUM_MEMBERS",
    "MemberRows",
    "QueryPlan",
    "RelationPlan",
    "TypePlan",
    "members_plan",
    "root_plan",
]

#: The most rows that one statement for a relation may return.
MAXIMUM_MEMBERS = 500_000

Converter = Optional[Callable[[Any], Any]]


@dataclass(frozen=True)
class MemberRows:
    """The rows to load over one relation, and how they match their owners.

    It is hashable, and equal for the same relation and selection, so that owners of several types
    share one statement.

    *way* is ``reference``, ``one_to_many``, ``many_to_many`` or ``values`` (of custom attributes).
    *columns* are the columns of the target, or of the link *table*, that must equal the owner's
    values. *other* is the column of the link table with the member's id. *where* and *unless* are
    values that columns must have or must not have.
    """

    name: str
    way: str
    target: str
    columns: tuple[str, ...]
    selection: SelectedNames
    table: str = ""
    other: str = ""
    where: tuple[tuple[str, Any], ...] = ()
    unless: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class RelationPlan:
    """Load *members* into the attribute *name* of their owners.

    *places* are the indexes, in the owner's row, of the values that the members must match.
    """

    name: str
    places: tuple[int, ...]
    members: MemberRows


@dataclass
class TypePlan:
    """How to make a record from a row of a concrete type. A *place* is an index in the row.

    - *key*: ``(name, place)`` of the primary key.
    - *fields*: ``(name, place, converter)`` of stored values.
    - *finished*: ``(name, places, computation)`` of values that Python computes from the row.
    - *gathered*: ``(name, place, computation)`` of values that need another statement for all rows.
    - *relations*: the related records to load.
    """

    type_: EntityType
    key: tuple[tuple[str, int], ...]
    fields: list[tuple[str, int, Converter]] = field(default_factory=list)
    finished: list[tuple[str, tuple[int, ...], Computation]] = field(default_factory=list)
    gathered: list[tuple[str, int, Computation]] = field(default_factory=list)
    relations: list[RelationPlan] = field(default_factory=list)


class QueryPlan:
    """How to read the rows of *source* for a *selection*.

    A statement must select *columns*. *statement* does so for the keys in its parameter ``keys``.
    It is None for a root plan, whose caller makes the statement. *owner* contains the places of the
    values that identify the owner of a row. The first one is compared with the keys.
    """

    def __init__(self, catalogue: Catalogue, source: RowSource, selection: SelectedNames) -> None:
        self.catalogue = catalogue
        self.source = source
        self.columns: list[Expression] = []
        self.owner: tuple[int, ...] = ()
        self.statement: Optional[Select[Any]] = None
        #: The places of selected expressions, by a name for them, to select each only once.
        self._places: dict[Any, tuple[int, ...]] = {}
        self._paths = Paths(Names(catalogue, ""))
        base = source.type_
        #: The columns that determine the concrete type of a row, with their places.
        self._marks = tuple(
            (name, self._column(name)) for name in catalogue.model.classifier_columns(base.name)
        )
        concrete = {type_.name: type_ for type_ in catalogue.model.subtypes(base.name)}
        concrete[base.name] = base
        self._type_plans = {
            name: self._type_plan(type_, selection) for name, type_ in concrete.items()
        }
        #: The plan of the concrete type, by the values of these columns.
        self._by_marks: dict[tuple[Any, ...], TypePlan] = {}

    def type_plan(self, row: Any) -> TypePlan:
        """Return the plan for the concrete type of *row*."""
        marks = tuple([row[place] for _, place in self._marks])
        found = self._by_marks.get(marks)
        if found is None:
            values = {name: mark for (name, _), mark in zip(self._marks, marks)}
            type_ = self.catalogue.model.type_of_row(self.source.type_.name, values)
            found = self._type_plans[type_.name]
            # The limit bounds the memory, because clients can store any values in these columns.
            if len(self._by_marks) < 1_000:
                self._by_marks[marks] = found
        return found

    # -- columns ----------------------------------------------------------------------

    def _place(self, key: Any, *expressions: Expression) -> tuple[int, ...]:
        """Return the places of *expressions* in *columns*; add them if *key* is new."""
        if key not in self._places:
            start = len(self.columns)
            self.columns.extend(
                expression.label(f"c{start + index}")
                for index, expression in enumerate(expressions)
            )
            self._places[key] = tuple(range(start, len(self.columns)))
        return self._places[key]

    def _column(self, name: str) -> int:
        return self._place(name, self.source.column(name))[0]

    def match(self, *expressions: Expression) -> None:
        """Select *expressions* as the values that identify the owner of a row."""
        self.owner = tuple(
            self._place(("owner", index), expression)[0]
            for index, expression in enumerate(expressions)
        )

    # -- types ------------------------------------------------------------------------

    def _type_plan(self, type_: EntityType, selection: SelectedNames) -> TypePlan:
        key = tuple(
            (name, self._column(stored_column(type_.properties[name])))
            for name in type_.primary_key
        )
        plan = TypePlan(type_, key)
        selected = selection.names_for(type_)
        wanted = {**dict.fromkeys(always_selected(type_), NOTHING), **selected}
        for name, inner in wanted.items():
            property_ = type_.properties.get(name)
            if property_ is not None and name not in type_.primary_key:
                self._plan_property(plan, property_, inner)
        return plan

    def _plan_property(self, plan: TypePlan, property_: Property, inner: SelectedNames) -> None:
        if isinstance(property_, Scalar):
            self._plan_scalar(plan, property_)
        elif isinstance(property_, Reference):
            plan.relations.append(self._reference(property_, inner))
        elif isinstance(property_, Collection):
            plan.relations.append(self._collection(property_, inner))

    def _plan_scalar(self, plan: TypePlan, scalar: Scalar) -> None:
        name = scalar.name
        if scalar.computed is None:
            plan.fields.append((name, self._column(stored_column(scalar)), wire_converter(scalar)))
            return
        computation = COMPUTATIONS[scalar.computed]
        parts = computation.fetched(self.catalogue, self.source)
        places = self._place(("computed", scalar.computed), *parts)
        if computation.gather is not None:
            plan.gathered.append((name, places[0], computation))
        elif computation.finish is not None:
            plan.finished.append((name, places, computation))
        else:
            plan.fields.append((name, places[0], wire_converter(scalar)))

    def _reference(self, reference: Reference, inner: SelectedNames) -> RelationPlan:
        if reference.computed is None:
            places: tuple[int, ...] = (self._column(stored_column(reference)),)
        else:
            key = self._paths.key(self.source, reference)
            places = self._place(("computed", reference.computed), key)
        places += tuple(self._column(ours) for ours in reference.also.values())
        columns = (reference.target_column, *reference.also)
        members = MemberRows(reference.name, "reference", reference.target, columns, inner)
        return RelationPlan(reference.name, places, members)

    def _collection(self, collection: Collection, inner: SelectedNames) -> RelationPlan:
        how, name, target = collection.how, collection.name, collection.target
        if isinstance(how, OneToMany):
            where = tuple(sorted(how.where.items()))
            members = MemberRows(name, "one_to_many", target, (how.column,), inner, where=where)
            return RelationPlan(name, (self._column(how.own_column),), members)
        if isinstance(how, Derived):
            members = MemberRows(name, "values", target, ("entity_id",), inner)
            return RelationPlan(name, (self._column("id"),), members)
        members = MemberRows(
            name,
            "many_to_many",
            target,
            (how.own,),
            inner,
            how.table,
            how.other,
            tuple(sorted(how.where.items())),
            tuple(sorted(how.unless.items())),
        )
        return RelationPlan(name, (self._column(how.own_column),), members)


def always_selected(type_: EntityType) -> list[str]:
    """Return the attributes that each record of *type_* contains besides its key.

    Some system projections use the server-side name. The result has the name for clients.
    """
    by_alias = {property_.alias: name for name, property_ in type_.properties.items()}
    names = list(type_.default_projections)
    for name in type_.system_projections:
        known = name if name in type_.properties else by_alias.get(name.lstrip("_"))
        if known is not None:
            names.append(known)
    return names


# Whole plans


@lru_cache(maxsize=256)
def root_plan(catalogue: Catalogue, type_name: str, selection: SelectedNames) -> QueryPlan:
    """Return the plan for a query of *type_name*. The caller must make the statement."""
    paths = Paths(Names(catalogue, ""))
    return QueryPlan(catalogue, paths.any_row(catalogue.types[type_name]), selection)


@lru_cache(maxsize=512)
def members_plan(catalogue: Catalogue, members: MemberRows) -> QueryPlan:
    """Return the plan for *members*, with a statement that selects by the keys of the owners."""
    return _PLANNERS[members.way](catalogue, members)


def _finish(
    plan: QueryPlan, matched: tuple[Expression, ...], from_: Any, conditions: tuple[Any, ...]
) -> QueryPlan:
    plan.match(*matched)
    source = plan.source
    numeric = isinstance(matched[0].type, (Integer, Float))
    plan.statement = (
        select(*plan.columns)
        .select_from(from_)
        .where(rarely(keys_parameter(matched[0], "keys", numeric=numeric)))
        .where(*source.conditions, *conditions)
        .order_by(*source.leading, stable_order(source))
        .limit(MAXIMUM_MEMBERS + 1)
    )
    return plan


def _plan_referenced(catalogue: Catalogue, members: MemberRows) -> QueryPlan:
    source = table_source(catalogue, catalogue.types[members.target])
    plan = QueryPlan(catalogue, source, members.selection)
    matched = tuple(source.column(column) for column in members.columns)
    return _finish(plan, matched, source.from_, ())


def _plan_one_to_many(catalogue: Catalogue, members: MemberRows) -> QueryPlan:
    source = Paths(Names(catalogue, "")).any_row(catalogue.types[members.target])
    plan = QueryPlan(catalogue, source, members.selection)
    matched = tuple(source.column(column) for column in members.columns)
    where = tuple(source.column(name) == value for name, value in members.where)
    return _finish(plan, matched, source.from_, where)


def _plan_many_to_many(catalogue: Catalogue, members: MemberRows) -> QueryPlan:
    source = Paths(Names(catalogue, "")).any_row(catalogue.types[members.target])
    plan = QueryPlan(catalogue, source, members.selection)
    link = catalogue.tables[members.table].alias()
    how = ManyToMany(
        members.table,
        members.columns[0],
        members.other,
        dict(members.where),
        unless=dict(members.unless),
    )
    from_ = link.join(source.from_, link.c[how.other] == source.column("id"))
    return _finish(plan, (link.c[how.own],), from_, link_conditions(link, how))


def _plan_values(catalogue: Catalogue, members: MemberRows) -> QueryPlan:
    source = custom_attributes.all_values(catalogue, catalogue.types[members.target])
    plan = QueryPlan(catalogue, source, members.selection)
    return _finish(plan, (source.column("entity_id"),), source.from_, ())


_PLANNERS: Mapping[str, Callable[[Catalogue, MemberRows], QueryPlan]] = {
    "many_to_many": _plan_many_to_many,
    "one_to_many": _plan_one_to_many,
    "reference": _plan_referenced,
    "values": _plan_values,
}
