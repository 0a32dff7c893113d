"""The encode jobs, in a table that no client can read or write.

The ``Job`` entity shows the progress to a user, and the user may write to it. So the server only
reads from it whether the job is still wanted.

Any number of workers share the table, in threads of servers and in processes on other machines. A
worker *claims* a job: it stores a new token and the time at which its lease ends, and moves that
time on with each heartbeat. When the lease has ended, another worker claims the job with another
token. A transaction that writes for a job first compares the token (:func:`keep_claim`,
:func:`finish`, :func:`fail`). So a worker that was paused and has lost its job writes nothing.

=========== ======================================================================================
state       meaning
=========== ======================================================================================
``waiting``  a worker may claim the job
``running``  a worker has it until ``expires_at``
``failed``   the job has failed; it stays for :data:`FAILED_SECONDS`, so that it can be repeated
=========== ======================================================================================

The row of a finished job is removed in the transaction that writes its results. All times are
seconds (Unix time) of the database's clock, because the clocks of machines differ.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.times import database_time
from ftrack_like.sandbox.media.doorbell import ring
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = [
    "FAILED_SECONDS",
    "Claim",
    "EncodeJob",
    "EncodeJobs",
    "JobOutput",
    "LostJobError",
    "QueuedJob",
    "Worker",
    "cancel_job",
    "fail",
    "finish",
    "forget",
    "keep_claim",
    "keep_job",
    "repeat_job",
]

_TABLE = "encode_job"

#: Seconds for which a failed job can be repeated.
FAILED_SECONDS = 30 * 24 * 3600.0


class LostJobError(Exception):
    """Another worker has the job, or it was cancelled: nothing may be written for it."""


@dataclass(frozen=True)
class JobOutput:
    """A file to make: the *name* and the id of its component, and its MIME *format*."""

    name: str
    format: str
    component_id: str


@dataclass(frozen=True)
class EncodeJob:
    """Encode the component *source_component_id* for the user *user_id*.

    *id* is the id of the Job. The rights of the user are checked when the job runs.
    """

    id: str
    user_id: str
    source_component_id: str
    version_id: Optional[str]
    keep_original: bool
    outputs: Sequence[JobOutput]

    def shown(self, progress: float = 0.0, error: Optional[str] = None) -> str:
        """Return the JSON text for the ``data`` of the Job; *progress* is from 0.0 to 1.0."""
        data: dict[str, Any] = {
            "description": "Encoding media",
            "source_component_id": self.source_component_id,
            "keep_original": self.keep_original,
            "version_id": self.version_id,
            "progress": progress,
            "output": [asdict(one) for one in self.outputs],
        }
        if error is not None:
            data["error"] = error
        return json.dumps(data)


@dataclass(frozen=True)
class Worker:
    """A worker that claims jobs: its *name*, such as ``process 123``, and its *machine*."""

    name: str
    machine: str

    def __str__(self) -> str:
        """Return both as words for people."""
        return f"{self.name} on {self.machine}"


@dataclass(frozen=True)
class Claim:
    """A job that a worker has, with the *token* of this claim.

    *attempts* counts the claims of the job, this one included. *previous* is the worker that had
    the job before and did not end it, None for the first attempt.
    """

    job: EncodeJob
    token: str
    attempts: int
    previous: Optional[Worker] = None


@dataclass(frozen=True)
class QueuedJob:
    """A job of the queue, for people.

    *state* is ``waiting``, ``running`` or ``failed``. The times are seconds (Unix time); those that
    do not apply are None.
    """

    job: EncodeJob
    state: str
    created_at: str
    attempts: int
    worker: Optional[Worker]
    started_at: Optional[float]
    beat_at: Optional[float]
    ended_at: Optional[float]
    error: Optional[str]


def keep_job(batch: Batch, job: EncodeJob) -> None:
    """Store *job* with the changes of *batch*, and wake a worker when they are committed."""
    row = {**asdict(job), "outputs": json.dumps([asdict(one) for one in job.outputs])}
    # A batch has the turn to write, so no other one can take the same number.
    latest = sqlalchemy.select(sqlalchemy.func.max(TABLES[_TABLE].c.number))
    number = (batch.store.execute(latest).scalar() or 0) + 1
    state = {"number": number, "state": "waiting", "attempts": 0, "created_at": batch.now}
    batch.store.insert(_TABLE, {**row, **state})
    ring(batch.store.connection)


class EncodeJobs:
    """The jobs in *database*; threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        """Return the database."""
        return self._database

    def list_jobs(self) -> list[QueuedJob]:
        """Return all jobs of the queue, the oldest first."""
        columns = TABLES[_TABLE].c
        statement = sqlalchemy.select(TABLES[_TABLE]).order_by(columns.number, columns.id)
        with self._database.read() as connection:
            return [_queued(dict(one)) for one in connection.execute(statement).mappings()]

    def get(self, job_id: str) -> Optional[QueuedJob]:
        """Return the job with the id *job_id*, None if it is done or unknown."""
        statement = sqlalchemy.select(TABLES[_TABLE]).where(TABLES[_TABLE].c.id == job_id)
        with self._database.read() as connection:
            found = connection.execute(statement).mappings().first()
        return None if found is None else _queued(dict(found))

    def claim(self, worker: Worker, lease: float) -> Optional[Claim]:
        """Return the oldest job that waits or whose lease has ended, None if there is none.

        It belongs to *worker* for *lease* seconds, or longer with :meth:`beat`. If the clock of the
        database was set back by more, leases of before would end late, so they have ended.
        """
        table = TABLES[_TABLE]
        with self._writing() as (connection, now):
            ended = sqlalchemy.or_(table.c.expires_at < now, table.c.beat_at > now + lease)
            free = sqlalchemy.or_(
                table.c.state == "waiting", sqlalchemy.and_(table.c.state == "running", ended)
            )
            statement = (
                sqlalchemy.select(table)
                .where(free)
                .order_by(table.c.number, table.c.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            row = connection.execute(statement).mappings().first()
            if row is None:
                return None
            found = dict(row)
            values = {
                "state": "running",
                "attempts": found["attempts"] + 1,
                "token": uuid.uuid4().hex,
                "worker": worker.name,
                "machine": worker.machine,
                "started_at": now,
                "beat_at": now,
                "expires_at": now + lease,
            }
            changed = sqlalchemy.update(table).where(table.c.id == found["id"])
            connection.execute(changed.values(**values))
        return Claim(_job(found), values["token"], values["attempts"], _worker(found))

    def beat(self, claim: Claim, lease: float) -> bool:
        """Extend *claim* to *lease* seconds from now; return whether it is still valid."""
        with self._writing() as (connection, now):
            values = {"beat_at": now, "expires_at": now + lease}
            return _change(connection, claim, values)

    def hand_back(self, claim: Claim, *, counts: bool = False) -> None:
        """Let another worker have the job of *claim*; do nothing if the claim is lost.

        An attempt *counts* unless the worker has only been asked to stop.
        """
        values = {"token": None, "expires_at": None} if counts else _NO_WORKER
        attempts = claim.attempts if counts else claim.attempts - 1
        with self._writing() as (connection, _):
            _change(connection, claim, {**values, "state": "waiting", "attempts": attempts})
            ring(connection)

    def end(self, claim: Claim, error: str) -> None:
        """End the job of *claim* with *error*; do nothing if the claim is lost.

        Only the queue shows this. :func:`fail` belongs to a transaction that changes the Job too.
        """
        with self._writing() as (connection, now):
            _change(connection, claim, _failed(error, now))

    def free_all(self) -> None:
        """Let workers have all running jobs, because no process that has one can exist."""
        table = TABLES[_TABLE]
        running = sqlalchemy.update(table).where(table.c.state == "running")
        with self._writing() as (connection, _):
            connection.execute(running.values(expires_at=0.0))

    def forget_old(self) -> None:
        """Remove the jobs that failed more than :data:`FAILED_SECONDS` ago."""
        columns = TABLES[_TABLE].c
        with self._writing() as (connection, now):
            old = (columns.state == "failed", columns.ended_at < now - FAILED_SECONDS)
            connection.execute(sqlalchemy.delete(TABLES[_TABLE]).where(*old))

    @contextmanager
    def _writing(self) -> Iterator[tuple[Connection, float]]:
        """Yield a connection that changes jobs, and the time."""
        with self._database.write_apart() as connection:
            yield connection, database_time(connection)


# The following belong to a transaction that changes entities too.


def keep_claim(connection: Connection, claim: Claim) -> None:
    """Lock the row of *claim* until the end of the transaction; raise :exc:`LostJobError`."""
    if not _change(connection, claim, {"beat_at": database_time(connection)}):
        raise LostJobError


def finish(connection: Connection, claim: Claim) -> None:
    """Remove the finished job of *claim*; raise :exc:`LostJobError` if the claim is lost."""
    table = TABLES[_TABLE]
    if connection.execute(sqlalchemy.delete(table).where(*_is(claim))).rowcount != 1:
        raise LostJobError


def fail(connection: Connection, claim: Claim, error: str) -> None:
    """Record why the job of *claim* failed; raise :exc:`LostJobError` if the claim is lost."""
    if not _change(connection, claim, _failed(error, database_time(connection))):
        raise LostJobError


def repeat_job(connection: Connection, job_id: str) -> bool:
    """Let a worker do a failed job again; return False if the job has not failed."""
    table = TABLES[_TABLE]
    failed = sqlalchemy.update(table).where(table.c.id == job_id, table.c.state == "failed")
    values = {**_NO_WORKER, "state": "waiting", "attempts": 0, "ended_at": None, "error": None}
    is_repeated = connection.execute(failed.values(**values)).rowcount == 1
    ring(connection)
    return is_repeated


def cancel_job(connection: Connection, job_id: str, error: str) -> bool:
    """Fail a waiting or running job with *error*; return False if it is neither."""
    table = TABLES[_TABLE]
    open_job = (table.c.id == job_id, table.c.state.in_(("waiting", "running")))
    values = {
        **_NO_WORKER,
        "state": "failed",
        "error": error,
        "ended_at": database_time(connection),
    }
    changed = sqlalchemy.update(table).where(*open_job).values(**values)
    return connection.execute(changed).rowcount == 1


def forget(connection: Connection, job_id: str) -> None:
    """Remove a job whatever its state."""
    table = TABLES[_TABLE]
    connection.execute(sqlalchemy.delete(table).where(table.c.id == job_id))


_NO_WORKER: Mapping[str, None] = dict.fromkeys(
    ("token", "worker", "machine", "started_at", "beat_at", "expires_at")
)


def _failed(error: str, now: float) -> Mapping[str, Any]:
    """Return the values of a job that failed *now* with *error*."""
    return {
        "token": None,
        "expires_at": None,
        "ended_at": now,
        "state": "failed",
        "error": error,
    }


def _change(connection: Connection, claim: Claim, values: Mapping[str, Any]) -> bool:
    """Change the row of *claim* to *values*; return False if the claim is lost."""
    statement = sqlalchemy.update(TABLES[_TABLE]).where(*_is(claim)).values(**values)
    return connection.execute(statement).rowcount == 1


def _is(claim: Claim) -> tuple[sqlalchemy.ColumnElement[bool], ...]:
    columns = TABLES[_TABLE].c
    return (columns.id == claim.job.id, columns.token == claim.token)


def _job(row: Mapping[str, Any]) -> EncodeJob:
    return EncodeJob(
        id=row["id"],
        user_id=row["user_id"],
        source_component_id=row["source_component_id"],
        version_id=row["version_id"],
        keep_original=bool(row["keep_original"]),
        outputs=[JobOutput(**one) for one in json.loads(row["outputs"])],
    )


def _worker(row: Mapping[str, Any]) -> Optional[Worker]:
    return None if row["worker"] is None else Worker(row["worker"], row["machine"])


def _queued(row: Mapping[str, Any]) -> QueuedJob:
    return QueuedJob(
        job=_job(row),
        state=row["state"],
        created_at=row["created_at"],
        attempts=row["attempts"],
        worker=_worker(row),
        started_at=row["started_at"],
        beat_at=row["beat_at"],
        ended_at=row["ended_at"],
        error=row["error"],
    )
