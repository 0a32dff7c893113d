"""The database tables of the sandbox, made from the schema.

The stored properties of the types determine the columns. Types that share a table also share
columns. Besides the tables of types there are link tables such as ``context_scope``, and tables
that only the server uses:

``context_ancestry``  each context with its ancestors and their distance; itself at depth 0
``user_api_key``      the digest of each user's API key (:mod:`ftrack_like.sandbox.access.keys`)
``server_value``      values of the server, by name, such as the layout version
``upload``            announced, running and finished uploads
``encode_job``        the encode jobs to run (:mod:`ftrack_like.sandbox.media.encode_jobs`)
``webhook_delivery``  the webhooks to send (:mod:`ftrack_like.sandbox.webhooks.queue`)

Ids and texts are stored as text, times as ``YYYY-MM-DDTHH:MM:SS`` in UTC, objects and values
without a fixed type as JSON. Comparisons of words ignore case: the columns have the collation
NOCASE in SQLite, and additional lower-case indexes in PostgreSQL.

The database checks foreign keys when a transaction ends, so that a batch can insert rows in any
order. The actions, not the database, delete the dependents of a deleted row. Only a few columns
are NOT NULL: keys, classifiers, and required values with a default. A later operation of the batch
may still set the other required values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Optional, Union

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    literal_column,
)
from sqlalchemy.types import TypeEngine

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import (
    Collection,
    EntityType,
    ManyToMany,
    OneToMany,
    Reference,
    Scalar,
)

__all__ = ["METADATA", "TABLES", "add_postgresql_indexes", "create_tables", "is_project"]


METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

#: A text that compares without case.
WORDS = Text().with_variant(Text(collation="NOCASE"), "sqlite")

#: Whole numbers. SQLite generates values only for a key of the type INTEGER. In PostgreSQL INTEGER
#: is too small for file sizes.
WHOLE = BigInteger().with_variant(Integer(), "sqlite")

#: ``YYYY-MM-DDTHH:MM:SS``.
MOMENT = String(19)

_SIMPLE_TYPES: Mapping[Optional[str], TypeEngine[Any]] = {
    "boolean": Boolean(),
    "integer": WHOLE,
    "number": Float(),
    "object": Text(),
    "variable": Text(),
}

#: Columns without a property, by table.
_FURTHER_COLUMNS: Mapping[str, Mapping[str, TypeEngine[Any]]] = {
    "action": {"action_type": WORDS},
    "custom_attribute_configuration": {"kind": WORDS},
    "custom_attribute_value": {"text": WORDS, "number": Float()},
    "note_component": {"note_component_type": WORDS},
}

#: Indexes besides those for relations. An index that begins with the column of a relation replaces
#: the index for this relation.
_FURTHER_INDEXES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "appointment": (("context_id", "type"), ("resource_id", "type")),
    "asset": (("context_id", "name"), ("name",)),
    "asset_version": (("asset_id", "version"), ("date",)),
    "component": (("name",),),
    "component_location": (("component_id", "location_id"), ("resource_identifier",)),
    "context": (
        ("object_type_id", "context_type"),
        ("parent_id", "name"),
        ("project_id", "context_type", "object_type_id"),
        # Counts by status read only one of these indexes, for a project or with rights the second.
        ("status_id", "object_type_id", "context_type"),
        ("project_id", "object_type_id", "status_id", "context_type"),
        ("name",),
        ("end_date",),
    ),
    "context_ancestry": (("descendant_id", "depth"),),
    "custom_attribute_configuration": (("key",), ("entity_type",)),
    "custom_attribute_value": (
        ("entity_id",),
        ("configuration_id", "text"),
        ("configuration_id", "number"),
    ),
    "encode_job": (("state", "number"),),
    "job": (("status",), ("created_at",)),
    "list": (("name",),),
    "list_object": (("list_id", "entity_id"), ("entity_id", "list_id")),
    "metadata": (("key", "value"),),
    "note": (("parent_id", "date"), ("date",)),
    "resource": (("username",), ("email",), ("name",)),
    "status_change": (("parent_id", "date"),),
    "timelog": (("context_id", "duration"), ("start",), ("user_id", "start")),
    "upload": (("component_id",),),
    "webhook_delivery": (("action_id", "due_at"),),
}

#: Indexes that only PostgreSQL has, in lower case. Its planner would otherwise find the first names
#: of a project by reading the names of all projects.
_LOWER_INDEXES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "context": (("project_id", "object_type_id", "name"),)
}

#: Columns whose values must be unique.
_UNIQUE: Mapping[str, tuple[tuple[str, ...], ...]] = {"timer": (("user_id",),)}

#: Columns of words that the server writes itself and compares with case.
_EXACT = frozenset({"context_type"})

#: The name of the index of projects.
_PROJECT_INDEX = "ix_context_project"

# The columns of each table, from the schema


class _Layout:
    """The columns of a table, from all types that share it."""

    def __init__(self, name: str, types: Iterable[EntityType]) -> None:
        """Collect the columns of *types*, which share the table *name*."""
        self.name = name
        self.types = list(types)
        self.key = self.types[0].primary_key
        self.kinds: dict[str, TypeEngine[Any]] = {}
        self.targets: dict[str, set[str]] = defaultdict(set)
        for type_ in self.types:
            for property_ in type_.properties.values():
                if isinstance(property_, (Scalar, Reference)) and property_.column is not None:
                    self._add(property_, property_.column)

    def _add(self, property_: Union[Scalar, Reference], column: str) -> None:
        """Record the type and the foreign key of *column* from *property_*."""
        if isinstance(property_, Scalar):
            # This replaces the type from a reference, which is less exact.
            self.kinds[column] = _kind(property_, column in self.key)
            pointed_at = property_.references
        else:
            self.kinds.setdefault(column, Text())
            pointed_at = (property_.target, property_.target_column)
        if pointed_at is not None and _can_be_checked(*pointed_at):
            self.targets[column].add(_place(*pointed_at))

    def columns(self) -> Iterator[Column[Any]]:
        """Yield the columns, beginning with the primary key."""
        kinds = {**self.kinds, **_FURTHER_COLUMNS.get(self.name, {})}
        never_null = set(self.key) | self._always_filled()
        for name in (*self.key, *sorted(kinds.keys() - set(self.key))):
            yield Column(
                name,
                kinds[name],
                *self._constraint(name),
                primary_key=name in self.key,
                nullable=name not in never_null,
            )

    def _constraint(self, column: str) -> Iterator[ForeignKey]:
        """Yield a foreign key for *column* if it always refers to rows of the same table."""
        if self.key != (column,) and len(self.targets[column]) == 1:
            yield _foreign_key(*self.targets[column])

    def _always_filled(self) -> set[str]:
        """Return the columns, besides the key, that have a value in each row."""
        concrete = [set(type_.classifier) for type_ in self.types if type_.concrete]
        return set.intersection(*concrete) | set.intersection(*map(_defaulted, self.types))


def _defaulted(type_: EntityType) -> set[str]:
    """Return the required columns of *type_* that have a default and are not texts."""
    required = [type_.properties[name] for name in type_.required if name in type_.properties]
    return {
        scalar.column
        for scalar in required
        if isinstance(scalar, Scalar)
        and scalar.column is not None
        and scalar.type != "string"
        and "default" in scalar.facets
    }


def _kind(scalar: Scalar, in_key: bool) -> TypeEngine[Any]:
    """Return the database type of *scalar*."""
    if scalar.type in _SIMPLE_TYPES:
        return _SIMPLE_TYPES[scalar.type]
    if scalar.format == "date-time":
        return MOMENT
    if in_key or scalar.references is not None or scalar.name.endswith("_id"):
        return Text()
    return WORDS


def _can_be_checked(target: str, name: str) -> bool:
    """Return whether *name* is the whole primary key of *target*."""
    return MODEL.types[target].primary_key == (name,)


def _place(target: str, column: str) -> str:
    """Return ``table.column`` for *column* of the type *target*."""
    return f"{MODEL.types[target].table}.{column}"


def _foreign_key(place: str) -> ForeignKey:
    """Return a foreign key to *place* that is checked when the transaction ends."""
    return ForeignKey(place, deferrable=True, initially="DEFERRED")


def _collections() -> Iterator[tuple[EntityType, Collection]]:
    """Yield each collection with its type."""
    for type_ in MODEL.types.values():
        for property_ in type_.properties.values():
            if isinstance(property_, Collection):
                yield type_, property_


# Tables


def _make_type_tables() -> None:
    """Make the tables of the entity types."""
    sharing: dict[str, list[EntityType]] = defaultdict(list)
    for type_ in MODEL.types.values():
        sharing[type_.table].append(type_)
    for name in sorted(sharing):
        Table(name, METADATA, *_Layout(name, sharing[name]).columns())


def _make_link_tables() -> None:
    """Make the link tables of many-to-many relations."""
    for type_, collection in _collections():
        how = collection.how
        if isinstance(how, ManyToMany) and how.table not in METADATA.tables:
            own = _link_column(how.own, type_.name)
            Table(how.table, METADATA, own, _link_column(how.other, collection.target))


def _link_column(name: str, target: str) -> Column[Any]:
    return Column(name, Text(), _foreign_key(_place(target, "id")), primary_key=True)


def _make_server_tables() -> None:
    """Make the tables of ancestors, keys and other values, which only the server writes."""
    Table(
        "context_ancestry",
        METADATA,
        _link_column("ancestor_id", "Context"),
        _link_column("descendant_id", "Context"),
        Column("depth", Integer(), nullable=False),
    )
    Table(
        "user_api_key",
        METADATA,
        Column("user_id", Text(), _foreign_key("resource.id"), primary_key=True),
        Column("digest", Text(), nullable=False, unique=True),
        Column("created_at", MOMENT, nullable=False),
    )
    Table(
        "server_value",
        METADATA,
        Column("name", Text(), primary_key=True),
        Column("value", Text()),
    )


def _make_media_tables() -> None:
    """Make the tables of uploads and of jobs that encode media, which only the server writes."""
    Table(
        "upload",
        METADATA,
        Column("id", Text(), primary_key=True),
        Column("component_id", Text(), nullable=False),
        Column("user_id", Text()),
        Column("file_name", Text()),
        Column("file_size", WHOLE),
        Column("checksum", Text()),
        Column("part_count", Integer()),
        Column("created_at", MOMENT, nullable=False),
        Column("completed_at", MOMENT),
    )
    # No foreign keys: a job whose entities were deleted reports this when it runs.
    Table(
        "encode_job",
        METADATA,
        Column("id", Text(), primary_key=True),
        Column("user_id", Text(), nullable=False),
        Column("source_component_id", Text(), nullable=False),
        Column("version_id", Text()),
        Column("keep_original", Boolean(), nullable=False),
        Column("outputs", Text(), nullable=False),
        # The order of the jobs: times in whole seconds do not order the jobs of a second.
        Column("number", WHOLE, nullable=False, server_default="0"),
        Column("created_at", MOMENT, nullable=False),
        Column("state", Text(), nullable=False, server_default="waiting"),
        Column("attempts", Integer(), nullable=False, server_default="0"),
        Column("token", Text()),
        Column("worker", Text()),
        Column("machine", Text()),
        Column("started_at", Float()),
        Column("beat_at", Float()),
        Column("expires_at", Float()),
        Column("ended_at", Float()),
        Column("error", Text()),
    )


def _make_delivery_table() -> None:
    """Make the table of deliveries of webhooks, which only the server writes."""
    # No foreign key: the deletion of a webhook removes its deliveries, and a delivery may run then.
    Table(
        "webhook_delivery",
        METADATA,
        Column("number", WHOLE, primary_key=True),
        Column("action_id", Text(), nullable=False),
        Column("event_id", Text(), nullable=False),
        Column("summary", Text(), nullable=False),
        Column("body", Text(), nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("due_at", Float(), nullable=False),
    )


# Indexes


def _make_indexes() -> None:
    """Add the indexes for relations and for frequent queries."""
    wanted: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for table in METADATA.tables.values():
        wanted[table.name].update((key.parent.name,) for key in table.foreign_keys)
    for _, collection in _collections():
        how = collection.how
        if isinstance(how, OneToMany):
            wanted[MODEL.types[collection.target].table].add((how.column,))
        elif isinstance(how, ManyToMany):
            wanted[how.table].update([(how.own,), (how.other,)])
    for name in sorted(METADATA.tables):
        _make_table_indexes(METADATA.tables[name], wanted[name])
    _make_project_index(METADATA.tables["context"])


def is_project(columns: Any) -> Any:
    """Return the SQL condition that the row of the table ``context`` with *columns* is a project.

    The index of projects has this condition. A database uses the index only for a statement that
    contains the same condition literally, so the value must not be a bound parameter.
    """
    return columns.context_type == literal_column("'show'")


def _make_project_index(table: Table) -> None:
    """Add an index of only the projects, which each request of a restricted user reads."""
    Index(_PROJECT_INDEX, table.c.is_private, table.c.id, sqlite_where=is_project(table.c))


def _make_table_indexes(table: Table, wanted: Iterable[tuple[str, ...]]) -> None:
    """Add the further indexes of *table*, and the *wanted* ones that these do not replace."""
    further = _FURTHER_INDEXES.get(table.name, ())
    unique = _UNIQUE.get(table.name, ())
    begun = {columns[0] for columns in (*further, *unique)}
    begun.add(next(iter(table.primary_key.columns)).name)
    needed = [columns for columns in sorted(wanted) if columns[0] not in begun]
    for columns in (*needed, *further):
        Index(None, *(table.c[column] for column in columns))
    for columns in unique:
        Index(None, *(table.c[column] for column in columns), unique=True)


@cache
def add_postgresql_indexes() -> None:
    """Complete the indexes for PostgreSQL, once: the condition of one, and those in lower case.

    Most sandboxes use SQLite. They need neither the memory for these indexes nor the dialect of
    PostgreSQL, which SQLAlchemy imports for the condition.
    """
    for table in list(METADATA.tables.values()):
        for index in list(table.indexes):
            if not index.unique:
                _add_lower_case_index(table, [column.name for column in index.columns])
            if index.name == _PROJECT_INDEX:
                index.dialect_options["postgresql"]["where"] = is_project(table.c)
        for columns in _LOWER_INDEXES.get(table.name, ()):
            _add_lower_case_index(table, columns)


def _add_lower_case_index(table: Table, columns: Sequence[str]) -> None:
    """Add an index of *columns* in lower case, as PostgreSQL compares and orders words.

    The index has the order of ``order by``: first the rows without a value, then by character
    codes, then by id. With this collation it also finds the words that begin with a text.
    """
    words = {column for column in columns if table.c[column].type is WORDS} - _EXACT
    if not words:
        return
    expressions: list[Any] = [
        func.lower(table.c[column]).collate("C").nulls_first()
        if column in words
        else table.c[column]
        for column in columns
    ]
    if len(columns) == 1:
        expressions += table.primary_key.columns
    name = f"ix_{table.name}_{'_'.join(columns)}_lower"
    Index(name, *expressions).ddl_if(dialect="postgresql")


_make_type_tables()
_make_server_tables()
_make_media_tables()
_make_delivery_table()
_make_link_tables()
_make_indexes()

#: All tables by name.
TABLES: Mapping[str, Table] = METADATA.tables


def create_tables(connection: Connection) -> None:
    """Create all tables and indexes in an empty database, in the transaction of *connection*."""
    if connection.dialect.name == "postgresql":
        add_postgresql_indexes()
    METADATA.create_all(connection, checkfirst=False)
