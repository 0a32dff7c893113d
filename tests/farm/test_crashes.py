"""What is stored, and what is known of it, after a crash of PostgreSQL."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Iterator
from contextlib import closing

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")

import sqlalchemy
from tests.farm.servers import Postgres, removed_at_end

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.repeats import TransactionLostError, repeated
from ftrack_like.sandbox.events import outbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stops servers as POSIX systems do")

#: A crash loses the ids of transactions that were given up: PostgreSQL writes that they were given
#: up after 10 s, not after 0.2 s, and does not write the next id for standby servers.
NOTHING_WRITTEN_BY_ITSELF = {
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": 0,
}


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """Return a server that a crash makes forget the transactions that were not committed."""
    with (
        removed_at_end(pathlib.Path(tempfile.mkdtemp())) as folder,
        closing(Postgres(folder / "postgres", **NOTHING_WRITTEN_BY_ITSELF)) as made,
    ):
        yield made


def current_id(connection: sqlalchemy.Connection) -> int:
    """Return the id of the transaction of *connection*."""
    return int(str(connection.exec_driver_sql("SELECT pg_current_xact_id()::text").scalar()))


def store(database: Database, content: str) -> int:
    """Store an event; return the id of its transaction."""
    with database.write() as connection:
        outbox.append(connection, [(outbox.EVENT, content)])
        return current_id(connection)


def test_ids_that_come_again_after_a_crash_hide_no_event(postgres: Postgres) -> None:
    """A reader finds each event once, even if its transaction has the id of an earlier one."""
    with closing(Database(postgres.url)) as database:
        with outbox.connect(database, "test") as connection:
            outbox.create_tables(connection)
            snapshot = outbox.current_snapshot(connection)
            store(database, "first")
            for _ in range(3):
                with database.engine.connect() as given_up:
                    last = current_id(given_up)
            at_start = outbox.current_snapshot(connection)
            snapshot, rows = outbox.read_new(connection, snapshot)
            assert [one.content for one in rows] == ["first"]
            assert outbox.read_new(connection, at_start)[1] == []
        postgres.crash()
        # The first attempt may meet a connection that the crash broke, as a batch may.
        again = repeated(lambda: store(database, "second"))
        assert again <= last, "PostgreSQL has not used an id again"
        with outbox.connect(database, "test") as connection:
            for known in (snapshot, at_start):
                later, rows = outbox.read_new(connection, known)
                assert [one.content for one in rows] == ["second"]
                assert outbox.read_new(connection, later)[1] == []


@pytest.mark.parametrize("others", [0, 3], ids=["unknown id", "id of another"])
def test_a_commit_that_a_crash_prevented_is_not_taken_for_saved(
    postgres: Postgres, others: int
) -> None:
    """After the crash, the id is unknown or belongs to another transaction, which was saved."""
    ids = []

    def crash(connection: sqlalchemy.Connection) -> None:
        postgres.crash()
        other = sqlalchemy.create_engine(postgres.url)
        for number in range(others):
            with other.begin() as following:
                following.exec_driver_sql(f"INSERT INTO kept VALUES ({number})")
                ids.append(current_id(following))
        other.dispose()

    with closing(Database(postgres.url)) as database:
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE kept (number int)")
        sqlalchemy.event.listen(database.engine, "commit", crash, once=True)
        lost = []

        def write() -> None:
            with database.write() as connection:
                connection.exec_driver_sql("INSERT INTO kept VALUES (100)")
                lost.append(current_id(connection))

        with pytest.raises(TransactionLostError):
            write()
        assert not ids or lost[0] in ids, "PostgreSQL has not used the id again"
        with database.read() as connection:
            rows = connection.exec_driver_sql("SELECT number FROM kept").scalars()
            assert sorted(rows) == list(range(others))
