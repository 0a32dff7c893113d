"""The queue of encode jobs: a worker thread runs ffmpeg for one job at a time.

The queue is in the database (:mod:`.encode_jobs`), so a restarted server continues with the
remaining jobs. A job runs with the rights that its user has at that time. To read the source,
describe the outputs and remove the source, it uses the same operations as a client's request. The
server itself writes the Job.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Protocol

from ftrack_like._base.errors import MediaError
from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.media.encode_jobs import EncodeJob, EncodeJobs
from ftrack_like.sandbox.media.encoding import Encoder, update_operation
from ftrack_like.sandbox.media.plan import JOB_TYPE, REVIEWABLE, THUMBNAIL
from ftrack_like.sandbox.media.store import ComponentStore
from ftrack_like.sandbox.media.tools import MediaTools

__all__ = ["EncodeQueue", "Office"]

_LOGGER = logging.getLogger(__name__)

#: Seconds between two updates of the progress of a job.
_PROGRESS_INTERVAL = 0.5

_OPEN_JOBS = f'select id from Job where type is "{JOB_TYPE}" and status in ("queued", "running")'

#: The output components of a job that have no data.
_EMPTY_OUTPUTS = (
    'select component.id from JobComponent where job_id is "{}" and component.size is 0'
)

#: What earlier jobs made for a version, and what the client published for it.
_EARLIER_OUTPUTS = (
    "select component.id, component.name from JobComponent"
    ' where component.version_id is "{}" and job.status is "done"'
)
_PUBLISHED = (
    'select id, name from FileComponent where version_id is "{}"'
    ' and metadata any (key is "publication_number")'
)

_COMPONENTS = "select id, version_id, container_id from Component where id in ({})"
_MEMBERS = 'select id from Component where container_id is "{}"'

#: Expected errors: the Job shows their text.
_EXPECTED = (MediaError, SandboxError, OSError, LookupError)


class Office(Protocol):
    """Runs operations of the protocol, each time in one transaction.

    All methods raise :exc:`~ftrack_like.sandbox.errors.SandboxError`.
    """

    def execute(
        self, operations: Sequence[Mapping[str, Any]], user_id: Optional[str] = None
    ) -> list[Any]:
        """Return the results of *operations*, run for a user, or for the server if None.

        An unknown or inactive user may do nothing.
        """

    def tell_encoded(self, version_id: str) -> None:
        """Publish that the media of a version are encoded; never raise an error."""

    def require_component(self, user_id: str, action: str, component_id: str) -> None:
        """Raise an error unless the user may ``read`` or ``update`` the data of a component."""


class EncodeQueue:
    """Encodes the jobs that :meth:`submit` receives, in a separate thread.

    *jobs* describes the work of each job, *office* runs operations.
    """

    def __init__(
        self, store: ComponentStore, tools: MediaTools, jobs: EncodeJobs, office: Office
    ) -> None:
        """Nothing runs before :meth:`start`."""
        self._store = store
        self._jobs = jobs
        self._office = office
        self._waiting: queue.Queue[Optional[str]] = queue.Queue()
        self._stop = threading.Event()
        self._encoder = Encoder(store, tools, self._stop)
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Start the thread, first with the jobs that an earlier server left."""
        left = self._jobs.waiting()
        self._end_unknown(left)
        for job_id in left:
            self.submit(job_id)
        self._thread = threading.Thread(target=self._work, name="sandbox-encoding", daemon=True)
        self._thread.start()

    def submit(self, job_id: str) -> None:
        """Add the job *job_id* to the queue; call this after the job is committed."""
        self._waiting.put(job_id)

    def stop(self, timeout: float = 5.0) -> None:
        """Stop, and wait up to *timeout* seconds. The next start repeats a running job."""
        self._stop.set()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def _end_unknown(self, known: Sequence[str]) -> None:
        """Mark open Jobs without an entry in the queue as failed; they would wait forever."""
        error = "The server has lost the details of this job. Request the encoding again."
        data = f'{{"description": "Encoding media", "error": "{error}"}}'
        for job in self._query(_OPEN_JOBS, None):
            if job["id"] not in known:
                changes = [update_operation("Job", job["id"], _ended("failed", data))]
                links = self._query(_EMPTY_OUTPUTS.format(job["id"]), None)
                self._office.execute(changes + [_deletion(one["component"]) for one in links])

    # -- in the thread -----------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            job_id = self._waiting.get()
            if job_id is None:
                return
            try:
                self._run(job_id)
            except Exception:
                # The worker continues with the next job. The row of this job stays, so that the
                # next start tries it again.
                if not self._stop.is_set():
                    _LOGGER.exception("Encode job %s could not be processed.", job_id)

    def _run(self, job_id: str) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        try:
            self._require_wanted(job)
            self._change(job, {"status": "running"})
            self._do(job)
        except Exception as error:
            if self._stop.is_set():
                return
            if not isinstance(error, (*_EXPECTED, _UnwantedError)):
                _LOGGER.exception("Encode job %s failed because of a server error.", job_id)
            self._fail(job, error)
        self._jobs.forget(job_id)

    def _do(self, job: EncodeJob) -> None:
        source = self._encoder.source_of(job, lambda expression: self._query(expression, job))
        for component_id in (job.source_component_id, *(one.component_id for one in job.outputs)):
            self._office.require_component(job.user_id, "update", component_id)
        job, operations = self._encoder.encode(job, source, self._progress(job))
        self._require_wanted(job)
        # All in one transaction: a user who sees the finished job also sees its outputs, and no
        # longer sees a source that is not kept. If the server is killed, it has stored all of this,
        # or repeats the job.
        operations.append(update_operation("Job", job.id, _ended("done", job.shown(1.0))))
        replaced = self._replaced(job)
        operations += [_deletion(one) for one in replaced]
        removed = [one["id"] for one in replaced]
        if not job.keep_original:
            operations.append(_deletion(source))
            removed += [source["id"], *(one["id"] for one in source.get("members") or ())]
        self._office.execute(operations, job.user_id)
        if job.version_id is not None:
            self._office.tell_encoded(job.version_id)
        self._remove_data(removed)

    def _replaced(self, job: EncodeJob) -> list[dict[str, Any]]:
        """Return the media of the version that *job* replaces: a version has one current movie.

        These are the outputs of earlier jobs, and what the client encoded and published. Components
        that a program made in another way stay.
        """
        if job.version_id is None:
            return []
        own = {one.component_id for one in job.outputs}
        found = {}
        for query in (_EARLIER_OUTPUTS, _PUBLISHED):
            for one in self._query(query.format(job.version_id), None):
                component = one.get("component") or one
                name = component["name"]
                if name == THUMBNAIL.name or name.startswith(REVIEWABLE):
                    found[component["id"]] = component
        return [one for id_, one in found.items() if id_ not in own]

    def _remove_data(self, component_ids: Sequence[str]) -> None:
        for component_id in component_ids:
            try:
                self._store.remove(component_id)
            except (OSError, ValueError) as error:
                _LOGGER.warning(
                    "Could not remove the data of component %s: %s", component_id, error
                )

    def _is_wanted(self, job: EncodeJob) -> bool:
        """Return whether the Job exists and no user has ended it."""
        expression = f'select status from Job where id is "{job.id}"'
        return any(one["status"] in {"queued", "running"} for one in self._query(expression, None))

    def _require_wanted(self, job: EncodeJob) -> None:
        """Raise :exc:`_UnwantedError` if the Job does not exist, or if a user has ended it."""
        if not self._is_wanted(job):
            raise _UnwantedError

    def _fail(self, job: EncodeJob, error: Exception) -> None:
        """Show *error* in the Job, and remove all that players could take for media.

        A user who sees the failed job no longer sees its outputs.
        """
        self._encoder.remove_data(job)
        self._remove_source(job)
        ids = [one.component_id for one in job.outputs]
        operations = [_deletion(one) for one in self._existing(ids)]
        if self._is_wanted(job):
            text = _text_of(error)
            operations.append(
                update_operation("Job", job.id, _ended("failed", job.shown(error=text)))
            )
        if operations:
            self._office.execute(operations)

    def _remove_source(self, job: EncodeJob) -> None:
        """Remove a source that was uploaded only for *job*: it is not kept, and part of nothing."""
        if job.keep_original:
            return
        try:
            for source in self._existing([job.source_component_id]):
                if source["version_id"] is None and source["container_id"] is None:
                    self._office.require_component(job.user_id, "update", source["id"])
                    members = self._query(_MEMBERS.format(source["id"]), None)
                    self._office.execute([_deletion(source)], job.user_id)
                    self._remove_data([source["id"], *(one["id"] for one in members)])
        except SandboxError as error:
            _LOGGER.warning("The source of the encode job %s stays: %s", job.id, error.content)

    def _existing(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the records of the existing components among *ids*."""
        listed = ", ".join(f'"{one}"' for one in ids)
        return self._query(_COMPONENTS.format(listed), None)

    def _progress(self, job: EncodeJob) -> Callable[[float], None]:
        told = time.monotonic()

        def progress(share: float) -> None:
            nonlocal told
            if time.monotonic() - told >= _PROGRESS_INTERVAL:
                self._require_wanted(job)
                told = time.monotonic()
                self._change(job, {"data": job.shown(round(min(max(share, 0.0), 1.0), 3))})

        return progress

    def _query(self, expression: str, job: Optional[EncodeJob]) -> list[dict[str, Any]]:
        operation = {"action": "query", "expression": expression}
        result = self._office.execute([operation], None if job is None else job.user_id)
        return list(result[0]["data"])

    def _change(self, job: EncodeJob, values: Mapping[str, Any]) -> None:
        self._office.execute([update_operation("Job", job.id, values)])


class _UnwantedError(Exception):
    """The Job was deleted, or a user has ended it."""


def _text_of(error: Exception) -> str:
    """Return the text of *error* for the user of the job."""
    if isinstance(error, SandboxError):
        return error.content
    if isinstance(error, OSError):  # the file is one of the server
        return f"The server could not read or write a file: {error.strerror}."
    if isinstance(error, _EXPECTED):
        return str(error)
    return "The server failed; its log contains the reason."


def _deletion(component: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation that deletes *component*."""
    return {
        "action": "delete",
        "entity_type": component["__entity_type__"],
        "entity_key": [component["id"]],
    }


def _ended(status: str, data: str) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return {
        "status": status,
        "data": data,
        "finished_at": {"__type__": "datetime", "value": moment},
    }
