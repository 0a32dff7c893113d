"""Tables and seed in a real PostgreSQL; skipped where none is given."""

from __future__ import annotations

import contextlib
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
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables import trigrams
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.tables.migrations import migrate

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


def test_a_migration_from_layout_4_renews_the_indexes(database):
    """A migrated database has the indexes of a new one."""
    sql = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
    with database.write() as connection:
        wanted = sorted(map(tuple, connection.exec_driver_sql(sql)))
        connection.exec_driver_sql("DROP INDEX ix_context_name_lower")
        connection.exec_driver_sql("DROP INDEX ix_timelog_user_id_start")
        connection.exec_driver_sql("CREATE INDEX ix_context_name_lower ON context (lower(name))")
        connection.exec_driver_sql("CREATE INDEX ix_timelog_user_id ON timelog (user_id)")
        migrate(connection, 4)

        assert sorted(map(tuple, connection.exec_driver_sql(sql))) == wanted


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


@pytest.fixture
def two_tables(database):
    """Return the database with two tables of one row each."""
    with database.write() as connection:
        for name in ("one", "two"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
            connection.exec_driver_sql(f"CREATE TABLE {name} (id serial)")
            connection.exec_driver_sql(f"INSERT INTO {name} DEFAULT VALUES")
    return database


def ids(connection, name):
    """Return the ids of the rows in the table *name*."""
    return connection.exec_driver_sql(f"SELECT id FROM {name}").scalars().all()


def empty(database):
    """Empty both tables, in the other order."""
    with database.write() as connection:
        empty_tables(connection, ["two", "one"])


def test_readers_and_a_reset_of_large_tables_do_not_stop_each_other(two_tables, monkeypatch):
    """A reader of two tables ends, and so does the removal of their rows in the other order."""
    monkeypatch.setattr("ftrack_like.sandbox.database.emptying._SMALL", 0)

    with ThreadPoolExecutor() as others:
        with two_tables.read() as reader:
            assert ids(reader, "one") == [1]
            emptying = others.submit(empty, two_tables)
            pause = threading.Event()
            while not _is_tried(two_tables):
                pause.wait(0.01)
            assert ids(reader, "two") == [1]
        emptying.result(30)

    with two_tables.read() as reader:
        assert ids(reader, "two") == []


def test_a_reset_of_small_tables_waits_for_no_reader(two_tables):
    """The reader sees the rows until its end, and later ones do not."""
    with two_tables.read() as reader:
        assert ids(reader, "one") == [1]
        empty(two_tables)
        assert ids(reader, "two") == [1]
    with two_tables.read() as reader:
        assert ids(reader, "one") + ids(reader, "two") == []


@pytest.mark.parametrize("small", [0, 2**30])
def test_numbers_begin_again_after_a_reset(two_tables, monkeypatch, small):
    """The next row has the number 1, in small tables and in large ones."""
    monkeypatch.setattr("ftrack_like.sandbox.database.emptying._SMALL", small)
    empty(two_tables)
    with two_tables.write() as connection:
        connection.exec_driver_sql("INSERT INTO one DEFAULT VALUES")
        assert ids(connection, "one") == [1]


def test_a_reset_of_small_tables_waits_for_writers(two_tables):
    """A row that another transaction is about to add is removed as well."""
    with ThreadPoolExecutor() as others:
        with two_tables.write_apart() as writer:
            writer.exec_driver_sql("INSERT INTO one DEFAULT VALUES")
            emptying = others.submit(empty, two_tables)
            pause = threading.Event()
            while not _is_tried(two_tables):
                pause.wait(0.01)
        emptying.result(30)
    with two_tables.read() as reader:
        assert ids(reader, "one") == []


def _is_tried(database):
    """Return whether :func:`empty` has found a lock of others."""
    with database.read() as connection:  # a transaction sees only one state of this
        return connection.exec_driver_sql(TRIED).scalar()


def test_a_server_without_trigrams_says_why(namespace, monkeypatch, caplog):
    """Without the extension the site opens, and the log says what searches lack."""
    monkeypatch.setattr(trigrams, "_SCHEMA", "SELECT NULL")
    monkeypatch.setattr(trigrams, "_CREATE", "CREATE EXTENSION not_installed_here")
    with namespace(URL) as url, contextlib.closing(SiteData(url=url)) as site:
        with site.open().read() as connection:
            names = connection.exec_driver_sql(
                "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
            )
            assert not {*names.scalars()} & {*trigrams.TRIGRAM_INDEXES}
    (told,) = [one for one in caplog.messages if "pg_trgm" in one]
    assert "not_installed_here" in told
    assert "CREATE EXTENSION pg_trgm" in told


def contexts(connection):
    """Return the number of contexts, which all belong to the demo project."""
    return connection.execute(select(func.count()).select_from(TABLES["context"])).scalar()


def test_a_new_site_with_the_demo_project_has_the_trigrams(namespace):
    """An empty database becomes a site with the demo project, and a reset makes it again."""
    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
    with namespace(URL) as url, contextlib.closing(SiteData(url=url, demo=True)) as site:
        database = site.open()
        with database.read() as connection:
            if not connection.exec_driver_sql(trigrams._SCHEMA).scalar():
                pytest.skip("the extension pg_trgm cannot be created on this server")
            assert {*trigrams.TRIGRAM_INDEXES} <= {*connection.exec_driver_sql(indexes).scalars()}
            assert contexts(connection) == 42
        site.reset()
        with database.read() as connection:
            assert contexts(connection) == 42


def test_steps_of_a_migration_do_not_wait_for_each_other(namespace):
    """All steps change a site with rows, as one transaction."""
    with namespace(URL) as url, contextlib.closing(SiteData(url=url, demo=True)) as site:
        with site.open().write() as connection:
            migrate(connection, 1)


def test_a_later_start_adds_the_trigrams(namespace, monkeypatch):
    """The indexes appear at the first start that can create them."""
    with namespace(URL) as url:
        with monkeypatch.context() as patch:
            patch.setattr(trigrams, "_SCHEMA", "SELECT NULL")
            patch.setattr(trigrams, "_CREATE", "CREATE EXTENSION not_installed_here")
            SiteData(url=url).open().close()
        with contextlib.closing(SiteData(url=url)) as site, site.open().read() as connection:
            if not connection.exec_driver_sql(trigrams._SCHEMA).scalar():
                pytest.skip("the extension pg_trgm cannot be created on this server")
            names = connection.exec_driver_sql(
                "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
            )
            assert {*trigrams.TRIGRAM_INDEXES} <= {*names.scalars()}
