"""The encode workers of a process: threads that claim the jobs of the queue and run ffmpeg.

The queue is in the database (:mod:`.encode_jobs`), and any number of processes share it. A thread
claims one job at a time. Another thread extends the leases of all claimed jobs.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

from sqlalchemy.exc import DBAPIError

from ftrack_like.sandbox.actions.compose import update_operation
from ftrack_like.sandbox.database.outages import is_outage
from ftrack_like.sandbox.media.doorbell import Doorbell
from ftrack_like.sandbox.media.encode_jobs import Claim, EncodeJobs, LostJobError, Worker
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.media.office import Office, deletion, ended_values, records
from ftrack_like.sandbox.media.plan import JOB_TYPE
from ftrack_like.sandbox.media.tools import MediaTools

__all__ = ["EncodeQueue", "EncodeSettings"]

_LOGGER = logging.getLogger(__name__)
#: The logger that :mod:`ftrack_like.sandbox.operations.logs` shows; this package may not import it.
_ENCODINGS = logging.getLogger("ftrack_like.sandbox.encodings")

_OPEN_JOBS = f'select id from Job where type is "{JOB_TYPE}" and status in ("queued", "running")'

#: The output components of a job that have no data.
_EMPTY_OUTPUTS = (
    'select component.id from JobComponent where job_id is "{}" and component.size is 0'
)

#: The ``data`` of such a Job.
_UNKNOWN = {
    "description": "Encoding media",
    "error": "The server has lost the details of this job. Request the encoding again.",
}

#: A lease that does not end, in seconds.
_FOR_EVER = 1e9

#: Heartbeats in the time of a lease.
_BEATS = 4

#: Seconds until an idle worker looks for jobs without having been woken: for jobs whose worker was
#: killed, and for lost notifications.
_IDLE = 5.0

#: Seconds that a worker waits after an error of the database, and at most after many errors.
_PAUSE, _LONGEST_PAUSE = 1.0, 15.0


@dataclass(frozen=True)
class EncodeSettings:
    """The number of *workers*, each of which encodes one job at a time; 0 for none.

    *lease* are the seconds after which another worker takes the job of a killed worker. *attempts*
    is the number of times that a job is begun before it fails.
    """

    workers: int = 1
    lease: float = 30.0
    attempts: int = 3


class EncodeQueue:
    """Encodes *jobs* in threads, with files in *store*. *office* runs operations."""

    def __init__(
        self,
        store: MediaStore,
        tools: MediaTools,
        jobs: EncodeJobs,
        office: Office,
        settings: EncodeSettings,
    ) -> None:
        """Nothing runs before :meth:`start`."""
        self._store = store
        self._tools = tools
        self._jobs = jobs
        self._office = office
        self._settings = settings
        # All workers of an SQLite site are threads of this process, which end only with it.
        self._lease = _FOR_EVER if jobs.database.is_sqlite else settings.lease
        self._worker = Worker(f"process {os.getpid()}", platform.node() or "an unnamed machine")
        self._stop = threading.Event()
        #: Wakes the workers. It counts the calls, so that each idle worker notices each call.
        self._wake = threading.Condition()
        self._woken = 0
        self._lock = threading.Lock()
        #: The running jobs, with the events that end their programs.
        self._running: dict[str, tuple[Claim, threading.Event]] = {}
        self._doorbell = Doorbell(jobs.database.engine, self.wake)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        if self._jobs.database.is_sqlite:
            # Only one process uses the file, and it has not begun a job yet.
            self._jobs.free_all()
        self._end_unknown()
        if not self._settings.workers:
            return
        self._jobs.forget_old()
        self._begin("sandbox-encoding-leases", self._extend)
        for number in range(self._settings.workers):
            self._begin(f"sandbox-encoding-{number + 1}", self._work)
        self._doorbell.start()

    def wake(self) -> None:
        """Let idle workers look for jobs now; call this after a job is committed."""
        with self._wake:
            self._woken += 1
            self._wake.notify_all()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop, and wait up to *timeout* seconds. Other workers get the running jobs."""
        self._stop.set()
        with self._lock:
            for _, ended in self._running.values():
                ended.set()
        self.wake()
        self._doorbell.stop()
        for thread in self._threads:
            thread.join(timeout)

    def _begin(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _end_unknown(self) -> None:
        """Mark open Jobs without an entry in the queue as failed; they would wait forever."""
        # A worker of another process may end a job at any time. So a Job counts only if it is
        # still open after the look at the queue.
        before = self._query(_OPEN_JOBS)
        known = {one.job.id for one in self._jobs.list_jobs()} if before else set()
        unknown = {one["id"] for one in before} - known
        if unknown:
            unknown &= {one["id"] for one in self._query(_OPEN_JOBS)}
        for job_id in unknown:
            links = self._query(_EMPTY_OUTPUTS.format(job_id))
            ended = ended_values(self._office, "failed", json.dumps(_UNKNOWN))
            changes = [update_operation("Job", job_id, ended)]
            self._office.execute(changes + [deletion(one["component"]) for one in links])

    def _query(self, expression: str) -> list[dict[str, Any]]:
        return records(self._office, expression)

    # -- in the threads ----------------------------------------------------------------------

    def _work(self) -> None:
        """Do one job after the other."""
        # On SQLite, nothing can happen to the queue without a call of wake().
        idle = None if self._jobs.database.is_sqlite else _IDLE
        is_away = False
        while not self._stop.is_set():
            with self._wake:
                seen = self._woken
            try:
                claim = self._jobs.claim(self._worker, self._lease)
            except Exception as error:
                was_away, is_away = is_away, isinstance(error, DBAPIError) and is_outage(error)
                if not self._stop.is_set() and not (was_away and is_away):
                    _LOGGER.error(
                        "An encode worker cannot ask the database for a job: %s",
                        str(error).partition("\n")[0],
                        exc_info=not is_away,
                    )
                self._stop.wait(_PAUSE)
                continue
            is_away = False
            if claim is not None:
                self._run(claim)
                continue
            self._sleep(seen, idle)

    def _sleep(self, seen: int, seconds: Optional[float]) -> None:
        """Wait until :meth:`wake` was called after *seen* calls, at most for *seconds*."""
        with self._wake:
            self._wake.wait_for(lambda: self._woken != seen or self._stop.is_set(), seconds)

    def _run(self, claim: Claim) -> None:
        ended = threading.Event()
        with self._lock:
            self._running[claim.token] = claim, ended
            if self._stop.is_set():
                ended.set()
        try:
            self._run_job(claim, ended)
        except LostJobError:
            _LOGGER.info("Another worker has the encode job %s, or it was cancelled.", claim.job.id)
        except Exception as error:
            if not self._stop.is_set():
                _LOGGER.exception("Encode job %s could not be processed.", claim.job.id)
            self._stop.wait(_PAUSE)
            self._persist(claim, functools.partial(self._give_up, claim, error))
        finally:
            with self._lock:
                del self._running[claim.token]

    def _run_job(self, claim: Claim, ended: threading.Event) -> None:
        # lazy: a server without encodings does not need the memory for the code.
        from ftrack_like.sandbox.media.job_run import JobRun, StoppedError

        most = self._settings.attempts
        begun = time.monotonic()
        _log(claim, "taken", attempt=claim.attempts)
        try:
            reason = JobRun(claim, self._store, self._tools, self._office, ended, most).run()
            seconds = round(time.monotonic() - begun, 1)
            if reason is None:
                _log(claim, "done", seconds=seconds)
            else:
                _log(claim, "failed", seconds=seconds, reason=reason)
        except StoppedError as error:
            _log(claim, "handed back", seconds=round(time.monotonic() - begun, 1))
            hand_back = functools.partial(self._jobs.hand_back, claim, counts=error.counts)
            self._persist(claim, hand_back)

    def _give_up(self, claim: Claim, error: Exception) -> None:
        """Let a worker try the job of *claim* again, or end it if this was the last attempt.

        *error* is an error of the server: not even the failure of the job could be recorded as
        usual. Without an end, the worker would try this job forever, before all later ones.
        """
        if claim.attempts > self._settings.attempts:
            name = type(error).__name__
            self._jobs.end(claim, f"The server failed ({name}); its log contains the reason.")
        else:
            self._jobs.hand_back(claim, counts=True)

    def _persist(self, claim: Claim, record: Callable[[], None]) -> None:
        """Call *record*, which records the end of *claim*, until it succeeds or the worker stops.

        The lease of a job on SQLite does not end, so no other worker would take the job. On
        PostgreSQL, another worker takes it if the lease ends before.
        """
        pause = _PAUSE
        while not self._recorded(claim, record):
            # A database that is away must not keep the worker from stopping. The next start or
            # another worker takes the job then.
            if self._stop.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _recorded(self, claim: Claim, record: Callable[[], None]) -> bool:
        """Call *record* and return whether it succeeded."""
        try:
            record()
        except Exception as error:
            _LOGGER.warning(
                "The end of the encode job %s could not be recorded yet: %s",
                claim.job.id,
                str(error).partition("\n")[0],
            )
            return False
        return True

    def _extend(self) -> None:
        """Extend the leases of the running jobs, and end the programs of lost ones."""
        while not self._stop.wait(self._settings.lease / _BEATS):
            with self._lock:
                running = list(self._running.values())
            for claim, ended in running:
                try:
                    if not self._jobs.beat(claim, self._lease):
                        ended.set()
                except Exception as error:  # the next beat may reach the database
                    _LOGGER.warning(
                        "The lease of the encode job %s could not be extended: %s",
                        claim.job.id,
                        str(error).partition("\n")[0],
                    )


def _log(claim: Claim, state: str, **facts: object) -> None:
    """Log that the job of *claim* is in *state* now, with *facts*."""
    job = claim.job
    known = {"job": job.id, "state": state, "version": job.version_id, **facts}
    words = ", ".join(f"{name} {value}" for name, value in facts.items())
    version = "" if job.version_id is None else f" of the version {job.version_id}"
    _ENCODINGS.info(
        "Encode job %s%s: %s (%s).", job.id, version, state, words, extra={"facts": known}
    )
