"""Lists, repeats and cancels encode jobs, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from sqlalchemy.engine import Connection

from ftrack_like.sandbox.actions.compose import update_operation
from ftrack_like.sandbox.errors import NotFoundError, ValidationError
from ftrack_like.sandbox.media.encode_jobs import (
    EncodeJobs,
    QueuedJob,
    cancel_job,
    repeat_job,
)
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.media.office import (
    Office,
    deletion,
    ended_values,
    existing_components,
    records,
)
from ftrack_like.sandbox.media.plan import file_type_of, output_operations

__all__ = ["CANCELLED", "QueueManager"]

#: The error of a cancelled job.
CANCELLED = "An administrator has cancelled this encoding."

_VERSIONS = "select id, version, link, asset.name from AssetVersion where id in ({})"
#: How many ids are in one query.
_PATHS_AT_ONCE = 500
_JOB = 'select status from Job where id is "{}"'
_SOURCE = 'select name, members.id from Component where id is "{}"'


class QueueManager:
    """The queue *jobs* with the files in *store*, None if this process does not see them.

    *office* runs operations, and *wake* wakes the workers of this process.
    """

    def __init__(
        self,
        jobs: EncodeJobs,
        store: Optional[MediaStore],
        office: Office,
        wake: Callable[[], None],
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._office = office
        self._wake = wake

    def list_jobs(self) -> list[QueuedJob]:
        """Return all jobs that wait, run or have failed, the oldest first."""
        return self._jobs.list_jobs()

    def version_paths(self, jobs: Iterable[QueuedJob]) -> dict[str, str]:
        """Return the paths of the versions of *jobs*, ``{version id: show/shot/asset/v003}``.

        Jobs without a version, and versions that were deleted, are left out.
        """
        ids = sorted({one.job.version_id for one in jobs if one.job.version_id is not None})
        found = {}
        assets: dict[str, str] = {}  # Only the first record of an asset in an answer has its name.
        for start in range(0, len(ids), _PATHS_AT_ONCE):
            listed = ", ".join(f'"{one}"' for one in ids[start : start + _PATHS_AT_ONCE])
            for row in records(self._office, _VERSIONS.format(listed)):
                asset = row["asset"]
                name = assets.setdefault(asset["id"], asset.get("name") or "")
                names = [*(str(one["name"]) for one in row["link"][:-1]), name]
                found[row["id"]] = "/".join([*names, f"v{row['version']:03}"])
        return found

    def repeat(self, job_id: str) -> None:
        """Let a worker do a failed job again.

        Raise :exc:`NotFoundError` for an unknown job, and :exc:`ValidationError` if the job has not
        failed, or if its source or its Job are gone. Without a store, only the worker can find that
        the data of the source are gone.
        """
        queued = self._require(job_id)
        job = queued.job
        if queued.state != "failed":
            raise ValidationError(f"Only failed jobs can be repeated; {job_id} is {queued.state}.")
        self._require_source(queued)
        existing = {
            one["id"]
            for one in existing_components(
                self._office, [output.component_id for output in job.outputs]
            )
        }
        status = {"status": "queued", "data": job.shown(), "finished_at": None}
        operations: list[Mapping[str, Any]] = [update_operation("Job", job.id, status)]
        for output in job.outputs:
            if output.component_id not in existing:
                operations += output_operations(
                    output, file_type_of(output.name), job.version_id, job.id
                )

        def repeat(connection: Connection) -> None:
            if not repeat_job(connection, job_id):
                raise ValidationError(f"The job {job_id} is being repeated already.")

        self._office.execute(operations, None, repeat)
        self._wake()

    def cancel(self, job_id: str) -> None:
        """Fail a job that waits or runs; its worker stops with its next heartbeat.

        Raise :exc:`NotFoundError` for an unknown job, and :exc:`ValidationError` for a failed one.
        """
        job = self._require(job_id).job
        ids = [output.component_id for output in job.outputs]
        operations = [deletion(one) for one in existing_components(self._office, ids)]
        if records(self._office, _JOB.format(job.id)):
            failed = ended_values(self._office, "failed", job.shown(error=CANCELLED))
            operations.append(update_operation("Job", job.id, failed))

        def cancel(connection: Connection) -> None:
            if not cancel_job(connection, job_id, CANCELLED):
                raise ValidationError(f"The job {job_id} has ended already.")

        self._office.execute(operations, None, cancel)

    def _require(self, job_id: str) -> QueuedJob:
        found: Optional[QueuedJob] = self._jobs.get(job_id)
        if found is None:
            raise NotFoundError(
                f"There is no encode job {job_id!r} in the queue. Jobs that are done leave it."
            )
        return found

    def _require_source(self, queued: QueuedJob) -> None:
        """Raise :exc:`ValidationError` if the job cannot be repeated with success."""
        job = queued.job
        if not records(self._office, _JOB.format(job.id)):
            raise ValidationError(f"The Job {job.id} was deleted; request the encoding again.")
        found = records(self._office, _SOURCE.format(job.source_component_id))
        members = [one["id"] for one in found[0].get("members") or ()] if found else []
        store = self._store
        if not found or not (
            store is None or all(map(store.exists, members or [job.source_component_id]))
        ):
            raise ValidationError(
                f"The source of the job {job.id} was removed; upload it and request the encoding "
                f"again: ftrack-like encode FILE --version {job.version_id or 'VERSION'}"
            )
