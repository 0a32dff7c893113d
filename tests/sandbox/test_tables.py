"""The tables that follow from the schema, in a real database."""

from __future__ import annotations

import re

import pytest
import sqlalchemy
from sqlalchemy import Boolean, create_mock_engine, insert, select
from sqlalchemy.dialects import postgresql

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Collection, ManyToMany, OneToMany, Scalar
from ftrack_like.sandbox.tables.layout import (
    METADATA,
    TABLES,
    add_postgresql_indexes,
    create_tables,
)


@pytest.fixture(scope="module")
def database():
    """Return a database with all tables, and nothing in them."""
    found = Database()
    with found.write() as connection:
        create_tables(connection)
    yield found
    found.close()


def plan(connection, sql, *values):
    """Return SQLite's plan for *sql* as one text."""
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
    return "\n".join(row[3] for row in rows)


def test_every_type_has_its_table(database):
    """All tables exist in the database under the names that the types give."""
    existing = set(sqlalchemy.inspect(database.engine).get_table_names())

    assert {type_.table for type_ in MODEL.types.values()} <= existing
    assert existing == set(TABLES)


def test_every_relation_is_indexed():
    """Whatever a foreign key, a collection or a link goes by is the first column of an index."""
    wanted = {
        (key.parent.table.name, key.parent.name) for t in TABLES.values() for key in t.foreign_keys
    }
    for type_ in MODEL.types.values():
        for collection in type_.properties.values():
            if not isinstance(collection, Collection):
                continue
            if isinstance(collection.how, OneToMany):
                wanted.add((MODEL.types[collection.target].table, collection.how.column))
            elif isinstance(collection.how, ManyToMany):
                wanted.add((collection.how.table, collection.how.own))
                wanted.add((collection.how.table, collection.how.other))
    indexed = set()
    for table in TABLES.values():
        indexed.add((table.name, next(iter(table.primary_key.columns)).name))
        for index in table.indexes:
            first = next(iter(index.expressions))
            indexed.add((table.name, getattr(first, "name", None)))

    assert wanted - indexed == set()


def test_foreign_keys_wait_for_the_end_of_the_transaction(database):
    """A row may point at one that comes later; what is still missing at the end is refused."""
    with database.write() as connection:
        connection.execute(insert(TABLES["component_location"]), {"id": "1", "component_id": "c"})
        connection.execute(
            insert(TABLES["component"]), {"id": "c", "system_type": "file", "name": "main"}
        )

    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as connection:
        connection.execute(insert(TABLES["component_location"]), {"id": "2", "component_id": "no"})


def test_columns_that_point_at_several_tables_have_no_constraint():
    """Parents of notes, and ends of links between anything, cannot be checked by the database."""
    free = [
        ("note", "parent_id"),
        ("status_change", "parent_id"),
        ("custom_attribute_link", "from_id"),
        ("custom_attribute_link", "to_id"),
        ("custom_attribute_value", "entity_id"),
        ("list_object", "entity_id"),
    ]

    assert [place for place in free if TABLES[place[0]].c[place[1]].foreign_keys] == []


def test_stored_forms_follow_from_the_schema():
    """Moments are texts of nineteen characters, truths booleans, ids plain text."""
    context = TABLES["context"].c
    assert context.created_at.type.length == 19
    assert isinstance(context.is_private.type, Boolean)
    assert context.id.type.compile() == "TEXT"
    assert TABLES["component"].c.size.type.compile(postgresql.dialect()) == "BIGINT"


def test_words_are_compared_without_case(database):
    """Names know no case, ids do."""
    status = TABLES["status"]
    with database.write() as connection:
        connection.execute(
            insert(status), {"id": "Case", "name": "In Progress", "is_active": True, "sort": 0}
        )
        by_name = select(status.c.id).where(status.c.name == "in progress")
        by_id = select(status.c.id).where(status.c.id == "case")

        assert connection.execute(by_name).scalars().all() == ["Case"]
        assert connection.execute(by_id).scalars().all() == []


def test_what_always_has_a_default_may_not_be_null():
    """Keys, marks of types and defaulted truths are never null; names may come later."""
    assert not TABLES["context"].c.context_type.nullable
    assert not TABLES["asset_version"].c.is_published.nullable
    assert not TABLES["metadata"].c.key.nullable
    assert TABLES["context"].c.name.nullable
    assert TABLES["context"].c.object_type_id.nullable
    assert TABLES["component_location"].c.component_id.nullable


def test_integer_keys_count_up(database):
    """Rows of the log of events get the next number as their id."""
    event = TABLES["event"]
    with database.write() as connection:
        first = connection.execute(insert(event), {"action": "a"}).inserted_primary_key[0]
        second = connection.execute(insert(event), {"action": "b"}).inserted_primary_key[0]

    assert second == first + 1


def test_a_user_has_one_timer(database):
    """Even the database itself refuses a second timer of a user."""
    with database.write() as connection:
        connection.execute(insert(TABLES["resource"]), {"id": "timed", "resource_type": "user"})
        connection.execute(insert(TABLES["timer"]), {"id": "1", "user_id": "timed"})

    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as connection:
        connection.execute(insert(TABLES["timer"]), {"id": "2", "user_id": "timed"})


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM context WHERE name = ?", "ix_context_name"),
        ("SELECT * FROM context WHERE parent_id = ? AND name = ?", "ix_context_parent_id_name"),
        ("SELECT * FROM metadata WHERE parent_id = ?", "sqlite_autoindex_metadata_1"),
        ("SELECT * FROM metadata WHERE key = ? AND value = ?", "ix_metadata_key_value"),
        ("SELECT * FROM resource WHERE username = ?", "ix_resource_username"),
        (
            "SELECT max(version) FROM asset_version WHERE asset_id = ?",
            "ix_asset_version_asset_id_version",
        ),
        (
            "SELECT * FROM custom_attribute_value WHERE entity_id = ?",
            "ix_custom_attribute_value_entity_id",
        ),
        (
            "SELECT * FROM custom_attribute_value WHERE configuration_id = ? AND number > ?",
            "ix_custom_attribute_value_configuration_id_number",
        ),
        (
            "SELECT ancestor_id FROM context_ancestry WHERE descendant_id = ?",
            "ix_context_ancestry_descendant_id_depth",
        ),
    ],
)
def test_frequent_questions_use_their_index(database, sql, index):
    """What queries often ask for is answered by an index, not by reading the table."""
    with database.read() as connection:
        assert index in plan(connection, sql, *["x"] * sql.count("?"))


@pytest.fixture(scope="module")
def script():
    """Return what makes the tables in PostgreSQL, as one text."""
    statements = []
    engine = create_mock_engine(
        "postgresql+psycopg://",
        lambda sql, *_, **__: statements.append(str(sql.compile(dialect=engine.dialect))),
    )
    add_postgresql_indexes()
    METADATA.create_all(engine, checkfirst=False)
    return "\n".join(statements)


def test_names_fit_postgresql(script):
    """No name is longer than the 63 bytes that PostgreSQL keeps, and none is made twice."""
    names = re.findall(r"(?:INDEX|CONSTRAINT) \"?(\w+)", script)

    assert len(names) > 300
    assert [name for name in names if len(name) > 63] == []
    assert len(names) == len(set(names))


def test_postgresql_gets_lower_case_indexes(script):
    """For PostgreSQL the names of rows are indexed in lower case, and keys are deferrable."""
    order = '((lower(name) COLLATE "C") NULLS FIRST, id)'
    assert f"CREATE INDEX ix_context_name_lower ON context {order}" in " ".join(script.split())
    assert "DEFERRABLE INITIALLY DEFERRED" in script
    assert "NOCASE" not in script


def test_sqlite_gets_no_lower_case_indexes(database):
    """SQLite, whose columns know no case, needs no second index for that."""
    with database.read() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()

    assert "ix_context_name" in names
    assert not [name for name in names if name.endswith("_lower")]


def test_every_stored_scalar_has_the_type_of_its_column():
    """Whatever a shared column is to several types, it is stored in one way."""
    for type_ in MODEL.types.values():
        for scalar in type_.properties.values():
            if isinstance(scalar, Scalar) and scalar.column and scalar.type == "boolean":
                assert isinstance(TABLES[type_.table].c[scalar.column].type, Boolean)
