"""A database server that is away, ends the connection of a batch, or is busy at a start."""

from __future__ import annotations

import os
import pathlib
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

import requests
import sqlalchemy
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from ftrack_like.sandbox.database import commit_marks, engine, postgresql
from ftrack_like.sandbox.database.deadline import deadline
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.outages import is_outage
from ftrack_like.sandbox.database.repeats import repeated

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

needs_postgresql = pytest.mark.skipif(
    POSTGRESQL is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL is not set"
)


@pytest.fixture
def database(namespace: Any) -> Iterator[Database]:
    """Return an empty namespace in PostgreSQL."""
    with namespace(POSTGRESQL) as url, closing(Database(url)) as opened:
        yield opened


def lose_connection(database: Database, transaction: Callable[[], Any]) -> None:
    """Let the server end the connection of *transaction* before a statement."""
    with transaction() as connection, deadline(connection, 60), deadline(connection, 30):
        number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with database.read() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({number})")
        connection.exec_driver_sql("SELECT 1")


@needs_postgresql
@pytest.mark.parametrize("kind", ["read", "write", "write_apart"])
def test_a_lost_connection_is_an_outage(database: Database, kind: str) -> None:
    """The error of the statement comes out, and not one of the clean-up; then all works again."""
    transaction: Callable[[], Any] = getattr(database, kind)
    with pytest.raises(DBAPIError) as caught:
        lose_connection(database, transaction)
    assert is_outage(caught.value)
    with transaction() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


@needs_postgresql
def test_a_process_that_stops_in_a_transaction_holds_up_no_others(
    namespace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL rolls its transaction back, and when the process continues, it is repeated."""
    monkeypatch.setattr(postgresql, "_SILENCE", 500)
    has_written = threading.Event()
    attempts: list[int] = []
    with namespace(POSTGRESQL) as url, closing(Database(url)) as stopped:
        with stopped.write() as connection:
            connection.exec_driver_sql("CREATE TABLE lines (line text)")

        def write() -> None:
            with stopped.write() as connection:
                connection.exec_driver_sql("INSERT INTO lines VALUES ('first')")
                attempts.append(1)
                assert has_written.wait(60)
                connection.exec_driver_sql("INSERT INTO lines VALUES ('last')")

        def write_too() -> None:
            with closing(Database(url)) as other, other.write() as connection:
                connection.exec_driver_sql("INSERT INTO lines VALUES ('other')")
            has_written.set()

        with ThreadPoolExecutor(1) as pool:
            stopping = pool.submit(repeated, write)
            while not attempts:
                time.sleep(0.01)
            write_too()
            stopping.result(60)
        with stopped.read() as connection:
            lines = connection.exec_driver_sql("SELECT line FROM lines").scalars().all()
    assert (sorted(lines), len(attempts)) == (["first", "last", "other"], 2)


@needs_postgresql
def test_loading_rows_may_take_its_time(namespace: Any) -> None:
    """The time limit for silent transactions does not apply while no other process writes."""
    with namespace(POSTGRESQL) as url, closing(Database(url)) as database:
        with database.load() as connection:
            limit = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
    assert limit == "0"


@needs_postgresql
@pytest.mark.parametrize(
    "statement",
    ["SELECT 1 / 0", "SELECT * FROM missing", "SET statement_timeout = 1; SELECT pg_sleep(9)"],
)
def test_a_refused_statement_is_no_outage(database: Database, statement: str) -> None:
    """An error of a statement says nothing about the server."""
    with database.read() as connection, pytest.raises(DBAPIError) as caught:
        connection.exec_driver_sql(statement)
    assert not is_outage(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT", {}, sqlite3.OperationalError("database is locked")),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed")),
    ],
)
def test_an_error_of_sqlite_is_no_outage(error: DBAPIError) -> None:
    """SQLite has no server that could be away."""
    assert not is_outage(error)


@needs_postgresql
def test_a_process_starts_beside_transactions_that_store_events(database: Database) -> None:
    """The tables of events exist, so a process that starts waits for no transaction."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    from ftrack_like.sandbox.events import outbox

    with outbox.connect(database, "test") as first:
        outbox.create_tables(first)
    with database.write() as connection:
        outbox.append(connection, [(outbox.EVENT, "{}")])
        with outbox.connect(database, "test") as starting:
            starting.execute("SET lock_timeout = 1000")
            outbox.create_tables(starting)


def test_a_request_without_a_database_is_repeated_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers 503 with Retry-After, also to a strict client, and works again later."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    from tests.farm.servers import Postgres, removed_at_end

    from ftrack_like.testing import Sandbox

    with (
        removed_at_end(pathlib.Path(tempfile.mkdtemp())) as folder,
        closing(Postgres(folder / "postgres")) as postgres,
        Sandbox(database=postgres.url, media=folder / "media") as sandbox,
    ):
        headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
        batch = [{"action": "query", "expression": "select id from User limit 1"}]

        def ask(strict: bool = False) -> requests.Response:
            more = {"ftrack-strict-api": "true"} if strict else {}
            address = f"{sandbox.server_url}/api"
            return requests.post(address, json=batch, headers={**headers, **more}, timeout=60)

        assert ask().status_code == 200
        postgres.stop()
        with monkeypatch.context() as patch:
            patch.setattr(engine, "_PATIENCE", 0.5)  # Each request takes that long.
            for strict in (False, True):
                answer = ask(strict)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert "database" in answer.text
        postgres.start()
        assert len(ask().json()[0]["data"]) == 1


def test_an_outage_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transactions wait for the server together: later ones fail at once until it is back."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    from tests.farm.servers import Postgres, removed_at_end

    attempts: list[int] = []
    with (
        removed_at_end(pathlib.Path(tempfile.mkdtemp())) as folder,
        closing(Postgres(folder / "postgres")) as postgres,
        closing(Database(postgres.url)) as database,
    ):

        def write() -> int:
            attempts.clear()
            with database.write() as connection:
                return int(connection.exec_driver_sql("SELECT 1").scalar_one())

        assert write() == 1
        sqlalchemy.event.listen(
            database.engine, "do_connect", lambda *found, **named: attempts.append(1)
        )
        monkeypatch.setattr(engine, "_PATIENCE", 1.0)
        for _ in range(2):
            postgres.stop()
            with pytest.raises(DBAPIError):
                repeated(write)
            assert len(attempts) > 1
            with pytest.raises(DBAPIError):
                write()
            assert len(attempts) == 1
            postgres.start()
            assert write() == 1


@needs_postgresql
@pytest.mark.parametrize("saved", [True, False])
def test_a_client_settles_a_commit_whose_outcome_the_server_does_not_know(
    namespace: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    """The client takes it neither for refused nor for saved: it asks, and saves it once."""
    from ftrack_like.testing import Sandbox

    cuts: list[int] = []

    def cut(connection: sqlalchemy.Connection) -> None:
        sql = "SELECT pg_backend_pid() FROM context WHERE name = 'film'"
        number = None if cuts else connection.exec_driver_sql(sql).scalar()
        if number is None:
            return
        cuts.append(number)
        if saved:
            connection.exec_driver_sql("COMMIT")
        with other.connect() as ending:
            ending.exec_driver_sql(f"SELECT pg_terminate_backend({number})")
        connection.exec_driver_sql("SELECT 1")

    with (
        namespace(POSTGRESQL) as url,
        Sandbox(database=url, media=tmp_path) as sandbox,
        sandbox.session() as session,
    ):
        other = sqlalchemy.create_engine(url)
        session.create("Project", {"name": "film", "full_name": "Film"})
        with monkeypatch.context() as patch:
            patch.setattr(commit_marks, "was_saved", lambda *asked: None)
            sqlalchemy.event.listen(sqlalchemy.Engine, "commit", cut)
            try:
                session.commit()
            finally:
                sqlalchemy.event.remove(sqlalchemy.Engine, "commit", cut)
        assert len(session.query('select id from Project where name is "film"').all()) == 1
        other.dispose()
    assert len(cuts) == 1
