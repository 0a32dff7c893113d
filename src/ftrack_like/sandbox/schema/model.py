"""The shape of the sandbox's own declarative schema: what a type and a property are.

From values of these classes follow the JSON schemas that clients receive, the database
tables, the way a query is compiled and what a create or an update may say. Declarations live
in the modules beside this one; nothing here knows SQL or HTTP.

Words used here: *type* is an entity type that clients see (``Task``); *table* is where its
rows are stored (several types may share one: ``Task``, ``Shot`` and ``Project`` are rows of
``context``); *column* is the name of the stored value in that table.
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
    """What every property of a type has in common.

    *name* is what clients write; *facets* are the remaining JSON schema entries exactly as
    served (``alias_for``, ``description``, ``default``, ``format``, ``enum``, ``transform``,
    ``restricted_projection``, …), without ``type``, ``$ref`` and ``items``, which follow from
    the class of the property.
    """

    name: str
    facets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        """Return the server-side name, which events use (``statusid`` for ``status_id``)."""
        return str(self.facets.get("alias_for", self.name))


@dataclass(frozen=True)
class Scalar(Property):
    """A single value.

    *type* is the JSON schema type (``string``, ``number``, ``integer``, ``boolean``,
    ``object``, ``variable`` or None where the schema states none). *column* names the stored
    column. *computed* names a computation instead (then *column* is None): a key of the
    computation table of the query compiler, such as ``link`` or ``thumbnail_url``.
    A foreign key is a Scalar with ``format: foreign_key``; *references* then is
    ``(type name, property name)`` of what it points at, or None where the target varies.
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
    """A to-one relation: *column* of the own table holds *target_column* of *target*'s table.

    *computed* names a computation where the relation is not stored (``latest_version``), or where
    not all that the column may hold is meant (``recipient_user``); *also*
    are further columns of the target that equal own ones (``{"group": "group"}``: target column
    to own column), for targets whose key is composed. *served_target* is the type that the JSON
    schema names where rows may be of more types (``Task`` for any ``TypedContext``).
    """

    target: str = ""
    column: Optional[str] = None
    target_column: str = "id"
    computed: Optional[str] = None
    also: Mapping[str, str] = field(default_factory=dict)
    served_target: Optional[str] = None


@dataclass(frozen=True)
class OneToMany:
    """Members are the rows of the target whose *column* holds the owner's *own_column*.

    *where* are further fixed values of the target's columns (``{"parent_type": "task"}``).
    """

    column: str
    own_column: str = "id"
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ManyToMany:
    """Members are linked by rows of *table*: *own* holds the owner's id, *other* the member's.

    *own* matches the owner's *own_column*. *where* are further fixed values of the link rows,
    *unless* are values that a link row must not have (``{"depth": 0}``). *read_only* links are
    kept by the server (``context_ancestry``).
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
    """Members come from the named computation of the query compiler (``custom_attributes``)."""

    computation: str


@dataclass(frozen=True)
class Collection(Property):
    """A to-many relation to *target*; *how* says where its members are found.

    With *key_value* (``("key", "value")``) it is a ``mapped_array``, as is one that is
    ``restricted_projection`` (which may be filtered but not projected). *served_target* is as
    for a :class:`Reference`.
    """

    target: str = ""
    how: Union[OneToMany, ManyToMany, Derived] = field(default_factory=lambda: Derived(""))
    key_value: Optional[tuple[str, str]] = None
    served_target: Optional[str] = None

    @property
    def mapped(self) -> bool:
        """Return whether the schema says ``mapped_array``."""
        return self.key_value is not None or bool(self.facets.get("restricted_projection"))


@dataclass(frozen=True)
class EntityType:
    """An entity type.

    *table*: where rows are stored. *classifier*: column values that mark a row of *table* as
    this type, used both to filter queries and to fill creates (``{"context_type": "task",
    "object_type_id": "bad9…"}`` for ``Shot``; only ``{"context_type": "task"}`` for
    ``TypedContext``; ``{}`` for ``Context``). *concrete*: whether rows answer as this very
    type (``Shot``) or as their concrete one (``TypedContext``). *bases*: names of the types
    that a query of which includes this one (``Shot``: ``("TypedContext", "Context")``).
    *read_only*: clients may not create, update or delete. *json_type* is what the schema states
    as its ``type`` (three types state none). *family*, *place* and *owner* decide who may see and
    change rows of *table*; the type of a table that extends no other states them. Roles allow
    actions by *family*; without one only administrators may change rows. *owner* is the column
    with the user whose row it is, with None, or a column with the table of the row that tells. The
    remaining fields are the JSON schema's, in its words.

    A query of a type answers the rows that fit the classifier of the type or of one of its
    sub-types (see :meth:`Model.alternatives`); a row is of the concrete type with the longest
    classifier that it fits (see :meth:`Model.type_of_row`).
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


@dataclass(frozen=True)
class Model:
    """All types, by name. ``model.types["Task"].properties["status"].target == "Status"``."""

    types: Mapping[str, EntityType]
    #: The results of :meth:`subtypes` and :meth:`alternatives`, which each row of a batch asks for.
    _subtypes: dict[str, tuple[EntityType, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _alternatives: dict[str, tuple[Mapping[str, Any], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def subtypes(self, name: str) -> tuple[EntityType, ...]:
        """Return the concrete types whose rows a query of *name* answers, *name*'s own too."""
        known = self._subtypes.get(name)
        if known is None:
            known = self._subtypes[name] = tuple(
                type_
                for type_ in self.types.values()
                if type_.concrete and (type_.name == name or name in type_.bases)
            )
        return known

    def alternatives(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Return the column values that mark rows of *name*: any one of them must hold.

        ``({"context_type": "task", "object_type_id": "bad9…"},)`` for ``Shot``. Empty means that
        every row of the table fits. Columns of the table alone are named, so that the answer can
        be turned into a condition as it is.
        """
        known = self._alternatives.get(name)
        if known is None:
            known = self._alternatives[name] = self._find_alternatives(name)
        return known

    def _find_alternatives(self, name: str) -> tuple[Mapping[str, Any], ...]:
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
        """Return the concrete type of *row* (values by column) among *name* and its sub-types.

        Without one that fits, *name* itself: an object type that a site added has no type of
        its own, its rows answer as what was asked for.
        """
        fitting = [
            type_
            for type_ in self.subtypes(name)
            if all(row.get(column) == value for column, value in type_.classifier.items())
        ]
        return max(fitting, key=lambda type_: len(type_.classifier), default=self.types[name])

    def classifier_columns(self, name: str) -> tuple[str, ...]:
        """Return the columns that :meth:`type_of_row` needs to tell the sub-types of *name*."""
        columns = {column for type_ in self.subtypes(name) for column in type_.classifier}
        return tuple(sorted(columns))


def _narrows(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether every row that fits *one* also fits *other*, which asks for less."""
    return len(other) < len(one) and other.items() <= one.items()
