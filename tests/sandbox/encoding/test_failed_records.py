"""Encode jobs whose end cannot be recorded at first, because the database can store nothing."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import sqlalchemy.exc

pytest.importorskip("av", reason="PyAV (media extra) is not installed")

from tests.sandbox.test_media_queue import (
    ON_BOTH,
    Encoder,
    encoder,
    make,
    movie,
    program,
    running_sandbox,
    wait_until,
)

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media import job_run, jobs
from ftrack_like.sandbox.media.encode_jobs import Claim, EncodeJobs, QueuedJob

__all__ = ["encoder", "make", "program", "running_sandbox"]

pytestmark = pytest.mark.ffmpeg


class FullDisk:
    """Refuses transactions that write, as a database on a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.is_full = threading.Event()
        self.refused: list[str] = []
        for name in ("write", "write_apart"):
            monkeypatch.setattr(Database, name, self._limited(getattr(Database, name)))

    def _limited(self, method: Any) -> Any:
        @contextlib.contextmanager
        def limited(database: Database, *arguments: Any) -> Iterator[Any]:
            with method(database, *arguments) as connection:
                if self.is_full.is_set():
                    self.refused.append(threading.current_thread().name)
                    cause = sqlite3.OperationalError("database or disk is full")
                    raise sqlalchemy.exc.OperationalError("COMMIT", None, cause)
                yield connection

        return limited

    def fill_when_encoded(self) -> None:
        """Let the disk be full as soon as the next encoding has ended, before it is recorded."""
        encode = job_run.Encoder.encode

        def filling(*arguments: Any) -> Any:
            self._monkeypatch.setattr(job_run.Encoder, "encode", encode)
            try:
                return encode(*arguments)
            finally:
                self.is_full.set()

        self._monkeypatch.setattr(job_run.Encoder, "encode", filling)

    def refused_by_workers(self) -> int:
        """Return how many transactions of encode workers were refused."""
        return sum(one.startswith("sandbox-encoding-1") for one in self.refused)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FullDisk]:
    """Return the disk of the database, which has space at first and at the end."""
    monkeypatch.setattr(job_run, "_PAUSE", 0.01)
    monkeypatch.setattr(jobs, "_PAUSE", 0.01)
    found = FullDisk(monkeypatch)
    yield found
    found.is_full.clear()


def wait_for_space(encoder: Encoder, disk: FullDisk, source: str) -> dict[str, Any]:
    """Return the Job for *source*, which ends after the disk was full for four transactions."""
    job = encoder.ask(source)
    wait_until(lambda: disk.refused_by_workers() >= 4)
    disk.is_full.clear()
    return encoder.wait(job)


@ON_BOTH
@pytest.mark.parametrize("patience", [0.0, 20.0])
def test_results_are_recorded_when_the_database_has_space_again(
    encoder: Encoder, make: Any, monkeypatch: pytest.MonkeyPatch, disk: FullDisk, patience: float
) -> None:
    """The job is done after all, without patience by encoding again."""
    monkeypatch.setattr(job_run, "_PATIENCE", patience)
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.2)))
    disk.fill_when_encoded()
    job = wait_for_space(encoder, disk, source)
    assert job["status"] == "done", job["data"]


@ON_BOTH
def test_a_failure_is_recorded_when_the_database_has_space_again(
    encoder: Encoder, disk: FullDisk
) -> None:
    """The Job has the reason of the failure, and the next job has its turn."""
    source = encoder.upload("main", ".mov", b"no movie")
    disk.fill_when_encoded()
    job = wait_for_space(encoder, disk, source)
    assert job["status"] == "failed"
    assert "contains no picture" in job["data"]["error"]
    assert encoder.wait(encoder.ask(encoder.upload("x", ".mov", b"no")))["status"] == "failed"


@ON_BOTH
def test_a_job_whose_failure_can_never_be_recorded_lets_others_have_their_turn(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, disk: FullDisk
) -> None:
    """After the last attempt, the queue shows the job as failed."""
    broken = encoder.upload("broken", ".mov", b"no movie")
    fail, end = job_run.fail, EncodeJobs.end
    queued: list[Optional[QueuedJob]] = []

    def failing(connection: Any, claim: Claim, error: str) -> None:
        if claim.job.source_component_id == broken:
            raise ZeroDivisionError
        fail(connection, claim, error)

    def ending(queue: EncodeJobs, claim: Claim, error: str) -> None:
        end(queue, claim, error)
        queued.append(queue.get(claim.job.id))

    monkeypatch.setattr(job_run, "fail", failing)
    monkeypatch.setattr(EncodeJobs, "end", ending)
    job = encoder.ask(broken)
    other = encoder.ask(encoder.upload("other", ".mov", b"no movie"))
    assert encoder.wait(other)["status"] == "failed"
    (found,) = queued
    assert found is not None
    assert (found.job.id, found.state, found.attempts) == (job, "failed", 4)
    assert "ZeroDivisionError" in str(found.error)
