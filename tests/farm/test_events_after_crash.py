"""Events that are stored after a crash of PostgreSQL."""

from __future__ import annotations

import os
import pathlib
import tempfile
from contextlib import closing

import pytest

if not os.environ.get("FTRACK_LIKE_TEST_CHAOS_SECONDS"):
    pytest.skip("crashes a server of its own: tox run -e farm", allow_module_level=True)
pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")

from tests.farm.servers import Postgres, removed_at_end

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.repeats import repeated
from ftrack_like.sandbox.events import outbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stops servers as POSIX systems do")


def store(database: Database, content: str) -> int:
    """Store an event; return the id of its transaction."""
    with database.write() as connection:
        outbox.append(connection, [(outbox.EVENT, content)])
        found = connection.exec_driver_sql("SELECT pg_current_xact_id()::text").scalar()
    return int(str(found))


def test_ids_that_come_again_after_a_crash_hide_no_event() -> None:
    """A reader finds each event once, even if its transaction has the id of an earlier one."""
    with (
        removed_at_end(pathlib.Path(tempfile.mkdtemp())) as folder,
        # The end of a transaction that is given up is lost if it is not written before the crash.
        closing(Postgres(folder / "postgres", "wal_writer_delay=10s")) as postgres,
        closing(Database(postgres.url)) as database,
    ):
        with outbox.connect(database, "test") as connection:
            outbox.create_tables(connection)
            snapshot = outbox.current_snapshot(connection)
            store(database, "first")
            for _ in range(3):
                with database.engine.connect() as given_up:
                    last = given_up.exec_driver_sql("SELECT pg_current_xact_id()::text").scalar()
            at_start = outbox.current_snapshot(connection)
            snapshot, rows = outbox.read_new(connection, snapshot)
            assert [one.content for one in rows] == ["first"]
            assert outbox.read_new(connection, at_start)[1] == []
        postgres.crash()
        # The first attempt may meet a connection that the crash broke, as a batch may.
        again = repeated(lambda: store(database, "second"))
        assert again <= int(str(last)), "PostgreSQL has not used an id again"
        with outbox.connect(database, "test") as connection:
            for known in (snapshot, at_start):
                later, rows = outbox.read_new(connection, known)
                assert [one.content for one in rows] == ["second"]
                assert outbox.read_new(connection, later)[1] == []
