"""The leases of encode jobs, when the clock of the database jumps."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

import sqlalchemy

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media.encode_jobs import EncodeJobs, Worker
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

LEASE = 30.0
JOB = {
    "id": "job",
    "user_id": "user",
    "source_component_id": "component",
    "keep_original": False,
    "outputs": "[]",
    "created_at": "2026-12-01T12:00:00",
}


@pytest.fixture(params=[None, pytest.param(POSTGRESQL, marks=pytest.mark.postgres)])
def database(request: Any, namespace: Any, tmp_path: pathlib.Path) -> Iterator[Database]:
    """Return a database with one encode job, on SQLite and on PostgreSQL."""
    with namespace(request.param) as url:
        place = {"url": url, "media": tmp_path} if url else {"data": tmp_path}
        with closing(SiteData(**place)) as site:
            database = site.open()
            with database.write() as connection:
                connection.execute(sqlalchemy.insert(TABLES["encode_job"]).values(**JOB))
            yield database


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_of_the_clock_keeps_no_job_from_workers(database: Database, jump: float) -> None:
    """After a jump another worker can have the job, and the first one notices that it lost it."""
    jobs = EncodeJobs(database)
    first = jobs.claim(Worker("one", "a"), LEASE)
    assert first is not None
    assert jobs.claim(Worker("two", "b"), LEASE) is None
    columns = TABLES["encode_job"].c
    with database.write() as connection:
        # The clock jumps, so the times of before are as far away in the other direction.
        connection.execute(
            sqlalchemy.update(TABLES["encode_job"]).values(
                beat_at=columns.beat_at - jump, expires_at=columns.expires_at - jump
            )
        )
    second = jobs.claim(Worker("two", "b"), LEASE)
    assert second is not None
    assert not jobs.beat(first, LEASE)
    assert jobs.beat(second, LEASE)


def test_a_worker_whose_claim_was_not_answered_leaves_the_job_to_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the connection breaks after a claim was saved, the job is free when its lease ends."""
    jobs = EncodeJobs(database)
    lost = jobs.claim(Worker("one", "a"), LEASE)
    assert lost is not None
    assert jobs.claim(Worker("one", "a"), LEASE) is None
    with database.write() as connection:
        connection.execute(sqlalchemy.update(TABLES["encode_job"]).values(expires_at=0.0))
    again = jobs.claim(Worker("one", "a"), LEASE)
    assert again is not None
    assert again.attempts == 2
    # A repeated hand-back finds another token, and changes nothing.
    jobs.hand_back(again)
    jobs.hand_back(again)
    (waiting,) = jobs.list_jobs()
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
