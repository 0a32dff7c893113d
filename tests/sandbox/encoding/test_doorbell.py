"""The idle encode workers on PostgreSQL, when the server restarts or is away."""

from __future__ import annotations

import os
import pathlib
import tempfile
import threading
from contextlib import closing
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

import sqlalchemy
from tests.farm.servers import Postgres, removed_at_end
from tests.sandbox_processes import wait_until

from ftrack_like.sandbox.database import engine
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media import doorbell, jobs
from ftrack_like.testing import Sandbox

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not POSTGRESQL, reason="needs FTRACK_LIKE_TEST_POSTGRES_URL"),
]


def test_a_broken_connection_is_one_line_in_the_log(
    namespace: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doorbell listens again, and logs no traceback."""
    monkeypatch.setattr(doorbell, "_PAUSE", 0.05)
    woken = threading.Event()
    with namespace(POSTGRESQL) as url, closing(Database(url)) as database:
        bell = doorbell.Doorbell(database.engine, woken.set)
        bell.start()
        assert woken.wait(60)
        woken.clear()
        other = sqlalchemy.create_engine(url)
        with other.connect() as connection:
            ended = connection.exec_driver_sql(
                # Only those with locks of this namespace: other tests use the server too.
                "SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
                " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
                " AND objid = (hashtext(current_schema())::bigint & 4294967295)::oid"
            ).scalar_one()
        assert ended == 1
        assert woken.wait(60)
        bell.stop()
        other.dispose()
    assert [one.exc_info for one in caplog.records] == [None]
    assert "cannot wake the encode workers" in caplog.text


def test_an_outage_is_one_line_of_a_worker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that asks for jobs again and again says once that the database is away."""
    claims: list[int] = []
    claim = jobs.EncodeJobs.claim

    def counted(*arguments: Any) -> Any:
        claims.append(1)
        return claim(*arguments)

    monkeypatch.setattr(jobs.EncodeJobs, "claim", counted)
    for place, name in ((jobs, "_IDLE"), (jobs, "_PAUSE"), (engine, "_PATIENCE")):
        monkeypatch.setattr(place, name, 0.05)
    with (
        removed_at_end(pathlib.Path(tempfile.mkdtemp())) as folder,
        closing(Postgres(folder / "postgres")) as postgres,
        Sandbox(database=postgres.url, media=folder / "media"),
    ):
        for times in (1, 2):
            postgres.stop()
            wait_until(lambda: caplog.text.count("cannot ask the database for a job") == times)
            claims.clear()
            wait_until(lambda: len(claims) > 3)
            postgres.start()
            claims.clear()
            wait_until(lambda: len(claims) > 3)
        found = [one for one in caplog.records if "cannot ask the database" in one.getMessage()]
    assert [bool(one.exc_info) for one in found] == [False, False]
