"""What encode jobs are to do: kept in a table that no client reads or writes.

The ``Job`` entity shows a user how far the work is, and the user may write to it. The server
therefore takes nothing from it but whether it is still wanted. A row stays here until its work is
done, so that a restarted server finds what is left.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["EncodeJob", "EncodeJobs", "JobOutput", "keep_job"]

_TABLE = "encode_job"


@dataclass(frozen=True)
class JobOutput:
    """A file to make: the *name* of its component, its MIME *format* and the component's id."""

    name: str
    format: str
    component_id: str


@dataclass(frozen=True)
class EncodeJob:
    """Encode the component *source_component_id* for the user *user_id*.

    *id* is that of the Job. The user's rights are those at the time when the job runs.
    """

    id: str
    user_id: str
    source_component_id: str
    version_id: Optional[str]
    keep_original: bool
    outputs: Sequence[JobOutput]

    def shown(self, progress: float = 0.0, error: Optional[str] = None) -> str:
        """Return the JSON text that the Job shows as its ``data``."""
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


def keep_job(batch: Batch, job: EncodeJob) -> None:
    """Keep *job* with the changes of *batch*."""
    row = {**asdict(job), "outputs": json.dumps([asdict(one) for one in job.outputs])}
    batch.store.insert(_TABLE, {**row, "created_at": batch.now})


class EncodeJobs:
    """The jobs that are left to do in *database*; threads may share it."""

    def __init__(self, database: Database) -> None:
        """Prepare; the table exists."""
        self._database = database

    def waiting(self) -> list[str]:
        """Return the ids of all jobs that are left, the oldest first."""
        columns = TABLES[_TABLE].c
        statement = sqlalchemy.select(columns.id).order_by(columns.created_at, columns.id)
        with self._database.read() as connection:
            return list(connection.execute(statement).scalars())

    def get(self, job_id: str) -> Optional[EncodeJob]:
        """Return the job with the id *job_id*, None when it is done or unknown."""
        table = TABLES[_TABLE]
        statement = sqlalchemy.select(table).where(table.c.id == job_id)
        with self._database.read() as connection:
            found = connection.execute(statement).mappings().first()
        if found is None:
            return None
        return EncodeJob(
            id=found["id"],
            user_id=found["user_id"],
            source_component_id=found["source_component_id"],
            version_id=found["version_id"],
            keep_original=bool(found["keep_original"]),
            outputs=[JobOutput(**one) for one in json.loads(found["outputs"])],
        )

    def forget(self, job_id: str) -> None:
        """Remove a job that nothing is left to do for."""
        table = TABLES[_TABLE]
        with self._database.write() as connection:
            connection.execute(sqlalchemy.delete(table).where(table.c.id == job_id))
