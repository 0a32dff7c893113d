"""Tables and seed in a real PostgreSQL; skipped where none is given."""

from __future__ import annotations

import datetime
import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy
from sqlalchemy import create_engine, func, insert, select

from ftrack_like.sandbox.database.emptying import empty_tables
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.seed.site import seed, seed_demo_project
from ftrack_like.sandbox.tables.layout import TABLES, create_tables

URL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(URL is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL names no server"),
]

NOW = datetime.datetime(2024, 3, 1, 12, 0, 0)


@pytest.fixture(scope="module")
def database():
    """Return a seeded database in a namespace of its own."""
    namespace = f"test_{uuid.uuid4().hex}"
    engine = create_engine(URL)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {namespace}")
    url = sqlalchemy.make_url(URL).update_query_dict({"options": f"-csearch_path={namespace}"})
    found = Database(url.render_as_string(hide_password=False))
    with found.write() as connection:
        create_tables(connection)
        user_id = seed(connection, api_user="admin", api_key="secret", now=NOW)
        seed_demo_project(connection, now=NOW, created_by_id=user_id)
    yield found
    found.close()
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {namespace} CASCADE")
    engine.dispose()


def test_the_seed_fits_the_constraints(database):
    """All rows of the seed and of the demo project are accepted and there."""
    with database.read() as connection:
        count = connection.execute(select(func.count()).select_from(TABLES["context"])).scalar()

    assert count == 42


def test_foreign_keys_wait_for_the_end_of_the_transaction(database):
    """A row may point at one that comes later; what is still missing at the end is refused."""
    with database.write() as connection:
        connection.execute(insert(TABLES["component_location"]), {"id": "1", "component_id": "c"})
        connection.execute(
            insert(TABLES["component"]), {"id": "c", "system_type": "file", "name": "main"}
        )

    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as connection:
        connection.execute(insert(TABLES["component_location"]), {"id": "2", "component_id": "no"})


def test_integer_keys_count_up(database):
    """Rows of the log of events get the next number as their id."""
    with database.write() as connection:
        first = connection.execute(insert(TABLES["event"]), {"action": "a"}).inserted_primary_key
        second = connection.execute(insert(TABLES["event"]), {"action": "b"}).inserted_primary_key

    assert second[0] == first[0] + 1


def test_names_are_indexed_in_lower_case(database):
    """The index that comparisons without case go by exists."""
    with database.read() as connection:
        names = connection.exec_driver_sql(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'context'"
        )
        assert "ix_context_name_lower" in names.scalars().all()


#: The other transaction waits for a lock, or has taken back its locks.
TRIED = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'one'::regclass AND NOT granted)
        OR EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'ROLLBACK TO SAVEPOINT%%')
"""


def test_readers_and_a_reset_do_not_stop_each_other(database):
    """A reader of two tables ends, and so does the removal of their rows in the other order."""
    with database.write() as connection:
        for name in ("one", "two"):
            connection.exec_driver_sql(f"CREATE TABLE {name} (id int)")
            connection.exec_driver_sql(f"INSERT INTO {name} VALUES (1)")

    def empty():
        with database.write() as connection:
            empty_tables(connection, ["two", "one"])

    def tried():
        with database.read() as connection:  # a transaction sees only one state of this
            return connection.exec_driver_sql(TRIED).scalar()

    with ThreadPoolExecutor() as others:
        with database.read() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM one").scalar() == 1
            emptying = others.submit(empty)
            pause = threading.Event()
            while not tried():
                pause.wait(0.01)
            assert reader.exec_driver_sql("SELECT count(*) FROM two").scalar() == 1
        emptying.result(30)

    with database.read() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM two").scalar() == 0
