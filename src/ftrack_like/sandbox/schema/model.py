"""The classes of which the schema consists: entity types and properties.

The declarations in the other modules of this package are instances of these classes. Other parts
derive from them the JSON schemas for clients, the database tables, the SQL of queries, and the
validation of creations and updates. This module depends on neither SQL nor HTTP.

Terms: A *type* is an entity type that clients see, such as ``Task``. A *table* stores the rows of
one or more types: ``Task``, ``Shot`` and ``Project`` are rows of ``context``. A *column* contains
the values of a property in that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ftrack_like.sandbox.schema.belonging import RowPlace

__all__ = [
    "Collection",
    "Derived",
    "EntityType",
    "ManyToMany",
    "Model",
    "OneToMany",
    "Property",
    "Reference",
    "Scalar",
]


@dataclass(frozen=True)
class Property:
    """The base of all properties.

    *name* is the attribute name that clients write. *facets* are further entries of the JSON
    schema, exactly as the server sends them: ``alias_for``, ``description``, ``default``,
    ``format``, ``enum``, ``transform``, ``restricted_projection`` and so on. The class of the
    property determines the entries ``type``, ``$ref`` and ``items``.
    """

    name: str
    facets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        """Return the server-side name, which events use: ``statusid`` for ``status_id``."""
        return str(self.facets.get("alias_for", self.name))


@dataclass(frozen=True)
class Scalar(Property):
    """A property with a single value.

    *type* is the type in the JSON schema: ``string``, ``number``, ``integer``, ``boolean``,
    ``object`` or ``variable``, or None if the schema has no type. *column* is the column that
    stores the value. If the query compiler computes the value instead, *column* is None and
    *computed* names the computation, for example ``thumbnail_url``.

    A foreign key has the facet ``format: foreign_key``. Its *references* is the pair (type name,
    property name) of the target, or None if the target varies.
    """

    type: Optional[str] = "string"
    column: Optional[str] = None
    computed: Optional[str] = None
    references: Optional[tuple[str, str]] = None

    @property
    def format(self) -> Optional[str]:
        """Return ``date-time``, ``date``, ``foreign_key`` or None."""
        value = self.facets.get("format")
        return str(value) if value is not None else None


@dataclass(frozen=True)
class Reference(Property):
    """A relation to one entity of *target*.

    *column* of the owner's table contains *target_column* of the target's table. If the primary
    key of the target has several columns, *also* maps the further columns of the target to those
    of the owner: ``{"group": "group"}``.

    *computed* names a computation, either because the relation is not stored
    (``latest_version``), or because the column may also contain ids of other types
    (``recipient_user``). *served_target* is the type in the JSON schema if it is narrower than
    the rows: ``Task`` for any ``TypedContext``.
    """

    target: str = ""
    column: Optional[str] = None
    target_column: str = "id"
    computed: Optional[str] = None
    also: Mapping[str, str] = field(default_factory=dict)
    served_target: Optional[str] = None


@dataclass(frozen=True)
class OneToMany:
    """The members are the rows of the target whose *column* equals the owner's *own_column*.

    *where* gives further values that columns of the target must have: ``{"type": "assignment"}``.
    """

    column: str
    own_column: str = "id"
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ManyToMany:
    """Rows of *table* link the members to the owner.

    Column *own* of *table* equals *own_column* of the owner, and column *other* contains the id of
    the member. *where* gives values that columns of a link row must have, *unless* values that
    they must not have: ``{"depth": 0}``. If *read_only*, only the server writes the links, as in
    ``context_ancestry``.
    """

    table: str
    own: str
    other: str
    where: Mapping[str, Any] = field(default_factory=dict)
    read_only: bool = False
    own_column: str = "id"
    unless: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Derived:
    """The query compiler's *computation* finds the members: ``custom_attributes``."""

    computation: str


@dataclass(frozen=True)
class Collection(Property):
    """A relation to any number of entities of *target*. *how* says how to find the members.

    The JSON schema has the type ``mapped_array`` if there is a *key_value* (``("key", "value")``),
    or if the facet ``restricted_projection`` is true. Queries can use a restricted collection in
    criteria, but cannot select it. *served_target* is as for a :class:`Reference`.
    """

    target: str = ""
    how: Union[OneToMany, ManyToMany, Derived] = field(default_factory=lambda: Derived(""))
    key_value: Optional[tuple[str, str]] = None
    served_target: Optional[str] = None

    @property
    def mapped(self) -> bool:
        """Return whether the type in the JSON schema is ``mapped_array``."""
        return self.key_value is not None or bool(self.facets.get("restricted_projection"))


@dataclass(frozen=True, eq=False)
class EntityType:
    """An entity type. Two of them are equal only if they are the same object, as caches need it.

    - *table* stores its rows.
    - *classifier* contains the column values that mark a row of *table* as this type:
      ``{"context_type": "task", "object_type_id": "bad9…"}`` for ``Shot``,
      ``{"context_type": "task"}`` for ``TypedContext``, ``{}`` for ``Context``. Queries filter by
      them, and creations store them.
    - *bases* are the types whose queries include this one: ``("TypedContext", "Context")`` for
      ``Shot``.
    - *concrete* is true if rows have this type in answers (``Shot``), and false if they have the
      type of a sub-type (``TypedContext``).
    - *read_only* is true if clients cannot create, update or delete entities.
    - *json_type* is the ``type`` in the JSON schema. Three types have none.
    - *family*, *place* and *owner* determine who can see and change the rows of *table*. A type
      without a base declares them for the whole table. Roles allow actions by *family*; without a
      family only administrators can change rows. *owner* is a pair: a column with the id of a user
      and None, or a column with the id of another row and the table of this row, which has the
      owner.

    The other fields have the names and meanings of the JSON schema.

    A query of a type returns the rows that match the classifier of the type or of a sub-type (see
    :meth:`Model.alternatives`). A row has the concrete type with the longest classifier that
    matches (see :meth:`Model.type_of_row`).
    """

    name: str
    table: str
    properties: Mapping[str, Property]
    classifier: Mapping[str, Any] = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    concrete: bool = True
    read_only: bool = False
    primary_key: tuple[str, ...] = ("id",)
    default_projections: tuple[str, ...] = ("id",)
    system_projections: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    alias_for: Any = None
    mixin: Optional[str] = None
    json_type: Optional[str] = "object"
    family: Optional[str] = None
    place: Optional[RowPlace] = None
    owner: Optional[tuple[str, Optional[str]]] = None


@dataclass(frozen=True, eq=False)
class Model:
    """All types by name: ``model.types["Task"].properties["status"].target == "Status"``.

    Two models are equal only if they are the same object, as caches need it.
    """

    types: Mapping[str, EntityType]
    # Cached results of subtypes() and alternatives(), which are called for each row of a batch.
    _subtypes: dict[str, tuple[EntityType, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _alternatives: dict[str, tuple[Mapping[str, Any], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def subtypes(self, name: str) -> tuple[EntityType, ...]:
        """Return the concrete types of the rows that a query of *name* returns."""
        known = self._subtypes.get(name)
        if known is None:
            known = self._subtypes[name] = tuple(
                type_
                for type_ in self.types.values()
                if type_.concrete and (type_.name == name or name in type_.bases)
            )
        return known

    def alternatives(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Return mappings of column values. A row is a *name* if it matches one of the mappings.

        For ``Shot``: ``({"context_type": "task", "object_type_id": "bad9…"},)``. If the result is
        empty, every row of the table matches. All columns are columns of the table, so that a
        caller can make a condition from the result directly.
        """
        known = self._alternatives.get(name)
        if known is None:
            known = self._alternatives[name] = self._find_alternatives(name)
        return known

    def _find_alternatives(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Compute the result of :meth:`alternatives`.

        No condition is necessary if *name* and its sub-types are all types of the table, or if
        *name* is concrete and has no classifier. Otherwise the result contains the classifiers of
        the type and its sub-types, without those that only narrow another one.
        """
        asked = self.types[name]
        beside = [type_ for type_ in self.types.values() if type_.table == asked.table]
        below = [type_ for type_ in beside if name in type_.bases]
        everything = len(below) + 1 == len(beside)
        if everything or (asked.concrete and not asked.classifier):
            return ()
        found = [type_.classifier for type_ in (asked, *below) if type_.classifier]
        wider = [one for one in found if not any(_narrows(one, other) for other in found)]
        return tuple(one for place, one in enumerate(wider) if one not in wider[:place])

    def type_of_row(self, name: str, row: Mapping[str, Any]) -> EntityType:
        """Return the concrete type of *row* (values by column): *name* or one of its sub-types.

        If none matches, return the type *name*. This happens for the rows of an object type whose
        name cannot be that of an entity type.
        """
        fitting = [
            type_
            for type_ in self.subtypes(name)
            if all(row.get(column) == value for column, value in type_.classifier.items())
        ]
        return max(fitting, key=lambda type_: len(type_.classifier), default=self.types[name])

    def classifier_columns(self, name: str) -> tuple[str, ...]:
        """Return the columns from which :meth:`type_of_row` finds the type of a row of *name*."""
        columns = {column for type_ in self.subtypes(name) for column in type_.classifier}
        return tuple(sorted(columns))


def _narrows(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether *one* has all conditions of *other* and more.

    Every row that matches *one* then matches *other* too, so *one* is superfluous.
    """
    return len(other) < len(one) and other.items() <= one.items()
