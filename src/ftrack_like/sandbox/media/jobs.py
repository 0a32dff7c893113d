"""The queue of encode jobs: one worker thread that drives ffmpeg, a job at a time.

The queue lives in the database (:mod:`.encode_jobs`); a restarted server takes up what is left.
The work is done with the rights that the user who asked for it has when the job runs: reading the
source, describing the outputs and removing the source go through the same operations as a
client's request. The Job itself is written by the server.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Protocol

from ftrack_like._errors import MediaError
from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.media.encode_jobs import EncodeJob, EncodeJobs
from ftrack_like.sandbox.media.encoding import Encoder, update_operation
from ftrack_like.sandbox.media.plan import JOB_TYPE
from ftrack_like.sandbox.media.store import ComponentStore
from ftrack_like.sandbox.media.tools import MediaTools

__all__ = ["EncodeQueue", "Office"]

_LOGGER = logging.getLogger(__name__)

#: Seconds between two notes of progress in a job.
_PROGRESS_INTERVAL = 0.5

_OPEN_JOBS = f'select id from Job where type is "{JOB_TYPE}" and status in ("queued", "running")'

#: What keeps a job from being done and is told in it as it stands.
_EXPECTED = (MediaError, SandboxError, OSError, LookupError)


class Office(Protocol):
    """Runs operations of the protocol, each time in one transaction.

    Methods raise :exc:`~ftrack_like.sandbox.errors.SandboxError`.
    """

    def execute(
        self, operations: Sequence[Mapping[str, Any]], user_id: Optional[str] = None
    ) -> list[Any]:
        """Return the results of *operations*, run for a user, or for the server itself.

        A user who does not exist or is not active any more may do nothing.
        """

    def require_component(self, user_id: str, action: str, component_id: str) -> None:
        """Raise an error unless the user may ``read`` or ``update`` the data of a component."""


class EncodeQueue:
    """Encodes for the jobs that :meth:`submit` names, in a thread of its own.

    *jobs* says what they are to do, *office* runs operations.
    """

    def __init__(
        self, store: ComponentStore, tools: MediaTools, jobs: EncodeJobs, office: Office
    ) -> None:
        """Prepare; nothing runs before :meth:`start`."""
        self._store = store
        self._jobs = jobs
        self._office = office
        self._waiting: queue.Queue[Optional[str]] = queue.Queue()
        self._stop = threading.Event()
        self._encoder = Encoder(store, tools, self._stop)
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Start to work, first on what an earlier server left."""
        left = self._jobs.waiting()
        self._end_unknown(left)
        for job_id in left:
            self.submit(job_id)
        self._thread = threading.Thread(target=self._work, name="sandbox-encoding", daemon=True)
        self._thread.start()

    def submit(self, job_id: str) -> None:
        """Encode for the job *job_id* when its turn comes; call it once the job is committed."""
        self._waiting.put(job_id)

    def stop(self, timeout: float = 5.0) -> None:
        """Stop: a running job is ended and taken up by the next start. Wait *timeout* seconds."""
        self._stop.set()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def _end_unknown(self, known: Sequence[str]) -> None:
        """Let no job wait for ever that the server knows nothing of but the entity."""
        found = self._office.execute([{"action": "query", "expression": _OPEN_JOBS}])[0]["data"]
        error = "The server does not know what to encode. Ask for the encoding again."
        data = f'{{"description": "Encoding media", "error": "{error}"}}'
        changes = [
            update_operation("Job", job["id"], _ended("failed", data))
            for job in found
            if job["id"] not in known
        ]
        if changes:
            self._office.execute(changes)

    # -- in the thread -----------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            job_id = self._waiting.get()
            if job_id is None:
                return
            try:
                self._run(job_id)
            except Exception:
                # The worker outlives any job: the next one may do better. The row of this one
                # stays, so that the next start takes it up.
                if not self._stop.is_set():
                    _LOGGER.exception("Encode job %s could not be worked on.", job_id)

    def _run(self, job_id: str) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        if self._is_wanted(job):
            try:
                self._change(job, {"status": "running"})
                self._do(job)
            except Exception as error:
                if self._stop.is_set():
                    return
                if not isinstance(error, _EXPECTED):
                    _LOGGER.exception("Encode job %s failed by a fault of the server.", job_id)
                self._fail(job, error)
        self._jobs.forget(job_id)

    def _do(self, job: EncodeJob) -> None:
        source = self._encoder.source_of(job, lambda expression: self._query(expression, job))
        for component_id in (job.source_component_id, *(one.component_id for one in job.outputs)):
            self._office.require_component(job.user_id, "update", component_id)
        operations = self._encoder.encode(job, source, self._progress(job))
        # All at once: who sees the job done sees the outputs, and a source that is not kept no
        # more; and a server that is killed either did it all or does it all again.
        operations.append(update_operation("Job", job.id, _ended("done", job.shown(1.0))))
        removed: list[str] = []
        if not job.keep_original:
            operations.append(
                {
                    "action": "delete",
                    "entity_type": source["__entity_type__"],
                    "entity_key": [source["id"]],
                }
            )
            removed = [source["id"], *(one["id"] for one in source.get("members") or ())]
        self._office.execute(operations, job.user_id)
        for component_id in removed:
            try:
                self._store.remove(component_id)
            except (OSError, ValueError) as error:
                _LOGGER.warning("The data of component %s stays: %s", component_id, error)

    def _is_wanted(self, job: EncodeJob) -> bool:
        """Return whether the Job exists and was not ended by its user."""
        expression = f'select status from Job where id is "{job.id}"'
        return any(one["status"] in {"queued", "running"} for one in self._query(expression, None))

    def _fail(self, job: EncodeJob, error: Exception) -> None:
        text = "The server failed; its log says why."
        if isinstance(error, SandboxError):
            text = error.content
        elif isinstance(error, OSError):  # the file is one of the server
            text = f"The server could not read or write a file: {error.strerror}."
        elif isinstance(error, _EXPECTED):
            text = str(error)
        if self._is_wanted(job):
            self._change(job, _ended("failed", job.shown(error=text)))

    def _progress(self, job: EncodeJob) -> Callable[[float], None]:
        told = time.monotonic()

        def progress(share: float) -> None:
            nonlocal told
            if time.monotonic() - told >= _PROGRESS_INTERVAL:
                told = time.monotonic()
                self._change(job, {"data": job.shown(round(min(max(share, 0.0), 1.0), 3))})

        return progress

    def _query(self, expression: str, job: Optional[EncodeJob]) -> list[dict[str, Any]]:
        operation = {"action": "query", "expression": expression}
        result = self._office.execute([operation], None if job is None else job.user_id)
        return list(result[0]["data"])

    def _change(self, job: EncodeJob, values: Mapping[str, Any]) -> None:
        self._office.execute([update_operation("Job", job.id, values)])


def _ended(status: str, data: str) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return {
        "status": status,
        "data": data,
        "finished_at": {"__type__": "datetime", "value": moment},
    }
