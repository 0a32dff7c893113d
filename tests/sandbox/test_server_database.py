"""The sandbox's database: transactions of many readers and one writer."""

from __future__ import annotations

import pathlib
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

import sqlalchemy

from ftrack_like.sandbox.database.engine import Database

TABLE = "CREATE TABLE one (id TEXT PRIMARY KEY, other TEXT REFERENCES one (id))"
COUNT = "SELECT count(*) FROM one"


@pytest.fixture
def database() -> Iterator[Database]:
    """Return a private database with one table."""
    opened = Database()
    with opened.write() as connection:
        connection.exec_driver_sql(TABLE)
    yield opened
    opened.close()


def insert(connection: sqlalchemy.Connection, *ids: str) -> None:
    """Insert rows with *ids*."""
    for id_ in ids:
        connection.exec_driver_sql("INSERT INTO one VALUES (?, NULL)", (id_,))


def count(database: Database) -> int:
    """Return how many rows there are."""
    with database.read() as connection:
        return connection.exec_driver_sql(COUNT).scalar()


def test_write_is_kept_when_the_block_ends(database: Database) -> None:
    """A transaction without an exception is committed."""
    with database.write() as connection:
        insert(connection, "a")
    assert count(database) == 1


def test_exception_takes_everything_back(database: Database) -> None:
    """A transaction that an exception leaves is rolled back, tables made in it included."""

    def fail() -> None:
        with database.write() as connection:
            insert(connection, "a")
            connection.exec_driver_sql("CREATE TABLE two (id TEXT)")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert count(database) == 0
    with database.read() as connection:
        assert not sqlalchemy.inspect(connection).has_table("two")


def test_reader_sees_one_state_throughout(database: Database) -> None:
    """What is committed while a reader reads does not show in that transaction."""
    with database.read() as reader:
        before = reader.exec_driver_sql(COUNT).scalar()
        with database.write() as writer:
            insert(writer, "a")
        assert reader.exec_driver_sql(COUNT).scalar() == before
    assert count(database) == before + 1


def test_references_are_checked_at_the_end(database: Database) -> None:
    """A row may come before the row that it points at; one that never comes is refused."""
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO one VALUES ('a', 'b')")
        insert(connection, "b")
    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as connection:
        connection.exec_driver_sql("INSERT INTO one VALUES ('c', 'nothing')")
    assert count(database) == 2


def test_writers_take_turns(tmp_path: pathlib.Path) -> None:
    """Writers of one process and of others on one file wait for each other, and none fails."""
    path = str(tmp_path / "shared.sqlite")
    databases = [Database.at_path(path) for _ in range(3)]
    with databases[0].write() as connection:
        connection.exec_driver_sql(TABLE)

    def write(number: int) -> None:
        with databases[number % 3].write() as connection:
            found = connection.exec_driver_sql(COUNT).scalar()
            insert(connection, str(found))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(60)))
    assert count(databases[1]) == 60
    for database in databases:
        database.close()


def test_replacing_waits_for_no_reader(database: Database) -> None:
    """A database is replaced as one transaction, while readers go on with what they see."""
    snapshot = sqlite3.connect(":memory:", check_same_thread=False)
    snapshot.executescript(f"{TABLE}; INSERT INTO one VALUES ('fresh', NULL)")
    with database.write() as connection:
        insert(connection, "a", "b", "c")
    with database.read() as reader:
        assert reader.exec_driver_sql(COUNT).scalar() == 3
        done = threading.Event()
        threading.Thread(
            target=lambda: (database.replace_with(snapshot), done.set()), daemon=True
        ).start()
        assert done.wait(10)
        assert reader.exec_driver_sql(COUNT).scalar() == 3
    assert count(database) == 1
    snapshot.close()


def test_private_database_is_deleted_when_closed() -> None:
    """A database without a place leaves nothing behind."""
    database = Database()
    with database.write() as connection:
        connection.exec_driver_sql(TABLE)
    path = database.path
    assert path is not None
    assert path.exists()
    database.close()
    assert not path.parent.exists()


def test_path_may_hold_any_characters(tmp_path: pathlib.Path) -> None:
    """A folder's name with blanks, percent signs and other scripts is taken as it is."""
    path = tmp_path / "Käse & 100% #?+ dir" / "a b.sqlite"
    path.parent.mkdir()
    database = Database.at_path(str(path))
    with database.write() as connection:
        connection.exec_driver_sql(TABLE)
    database.close()
    assert path.exists()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_reached_by_one_driver(scheme: str) -> None:
    """Whatever a PostgreSQL URL names, psycopg serves it; nothing is opened before it is used."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    database = Database(f"{scheme}://user@localhost/nowhere")
    assert database.engine.dialect.driver == "psycopg"
    assert not database.is_sqlite
    assert database.path is None
    database.close()
