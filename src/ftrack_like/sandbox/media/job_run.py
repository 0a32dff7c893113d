"""One encode job, from the claim to its results.

A job runs with the rights that its user has at that time. To read the source, describe the outputs
and remove the source, it uses the same operations as a client's request. The server itself writes
the Job.

Each transaction for the job compares the token of the claim. The new files are complete before the
last transaction, and appear under their names at its end, while the row of the job is locked. So a
worker that has lost its job changes no entity, and replaces no file of the new owner.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import sqlalchemy.exc
from sqlalchemy.engine import Connection

from ftrack_like._base.errors import MediaError
from ftrack_like.sandbox.actions.compose import update_operation
from ftrack_like.sandbox.errors import SandboxError, StorageError
from ftrack_like.sandbox.media.encode_jobs import (
    Claim,
    EncodeJob,
    LostJobError,
    fail,
    finish,
    forget,
    keep_claim,
)
from ftrack_like.sandbox.media.encoding import Encoder
from ftrack_like.sandbox.media.incoming import IncomingFile
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.media.office import (
    Office,
    deletion,
    ended_values,
    existing_components,
    records,
)
from ftrack_like.sandbox.media.plan import REVIEWABLE, THUMBNAIL
from ftrack_like.sandbox.media.tools import MediaTools

__all__ = ["JobRun", "StoppedError"]

_LOGGER = logging.getLogger(__name__)

#: Seconds between two updates of the progress of a job.
_PROGRESS_INTERVAL = 0.5

#: Seconds for which the results wait for a database that is away, and between two attempts.
_PATIENCE = 20.0
_PAUSE = 0.5

#: The longest pause between two attempts to record a failure, in seconds.
_LONGEST_PAUSE = 5.0

#: What earlier jobs made for a version, and what the client published for it.
_EARLIER_OUTPUTS = (
    "select component.id, component.name from JobComponent"
    ' where component.version_id is "{}" and job.status is "done"'
)
_PUBLISHED = (
    'select id, name from FileComponent where version_id is "{}"'
    ' and metadata any (key is "publication_number")'
)

_MEMBERS = 'select id from Component where container_id is "{}"'

#: Expected errors: the Job shows their text.
_EXPECTED = (MediaError, SandboxError, OSError, LookupError)

#: Errors of a database that is not there or cannot store anything now: its disk is full, or another
#: program has locked it. They say nothing about the job.
_UNREACHABLE = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, StorageError)


class StoppedError(Exception):
    """The encoding was stopped before its end; the job must be handed back."""

    def __init__(self, *, counts: bool) -> None:
        """*counts* says whether this was a failed attempt, and not only a worker that stops."""
        super().__init__("The encoding was stopped.")
        self.counts = counts


class _UnwantedError(Exception):
    """The Job was deleted, or a user has ended it."""


class JobRun:
    """The work for *claim*, with files in *store*. *most* is the maximum number of attempts.

    Setting *stop* ends a running program; :meth:`run` then raises :exc:`StoppedError`.
    """

    def __init__(
        self,
        claim: Claim,
        store: MediaStore,
        tools: MediaTools,
        office: Office,
        stop: threading.Event,
        most: int,
    ) -> None:
        self._claim = claim
        self._job = claim.job
        self._store = store
        self._office = office
        self._stop = stop
        self._most = most
        self._encoder = Encoder(store, tools, stop)

    def run(self) -> Optional[str]:
        """Do the job, and record its end. Return the reason if it failed, else None.

        Raise :exc:`LostJobError` if another worker has the job, and :exc:`StoppedError` if it must
        be handed back. Nothing is written in both cases.
        """
        try:
            if self._claim.attempts > self._most:
                raise MediaError(_given_up(self._claim, self._most))
            self._require_wanted()
            self._change({"status": "running"})
            self._do()
        except LostJobError:
            raise
        except Exception as error:
            if self._stop.is_set():
                raise StoppedError(counts=False) from error
            if isinstance(error, _UNREACHABLE):
                _LOGGER.warning("The database failed during the encode job %s.", self._job.id)
                raise StoppedError(counts=True) from error
            if not isinstance(error, (*_EXPECTED, _UnwantedError)):
                _LOGGER.exception("Encode job %s failed because of a server error.", self._job.id)
            self._record_failure(error)
            return _text_of(error)
        return None

    def _do(self) -> None:
        job = self._job

        def query(expression: str) -> list[dict[str, Any]]:
            return self._query(expression, job.user_id)

        source = self._encoder.source_of(job, query)
        for component_id in (job.source_component_id, *(one.component_id for one in job.outputs)):
            self._office.require_component(job.user_id, "update", component_id)
        job, operations, files = self._encoder.encode(job, source, self._progress(), query)
        try:
            self._persist(lambda: self._store_results(job, source, operations, files))
        finally:
            for one in files:
                one.abort()

    def _persist(self, store: Callable[[], None]) -> None:
        """Call *store*, again if the database is away for a short time: an hour may be lost.

        If it was away during the commit, a repetition finds the job done, as :exc:`LostJobError`.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self._require_wanted()
                store()
                return
            except _UNREACHABLE:
                if time.monotonic() > end or self._stop.wait(_PAUSE):
                    raise

    def _store_results(
        self,
        job: EncodeJob,
        source: Mapping[str, Any],
        operations: list[dict[str, Any]],
        files: Sequence[IncomingFile],
    ) -> None:
        """Run *operations*, put *files* into place and end the job, in one transaction.

        A user who sees the finished job also sees its outputs, and no longer sees a source that is
        not kept. If the worker is killed, it has stored all of this, or the job is repeated.
        """
        done = ended_values(self._office, "done", job.shown(1.0))
        operations = [*operations, update_operation("Job", job.id, done)]
        replaced = self._replaced()
        operations += [deletion(one) for one in replaced]
        removed = [one["id"] for one in replaced]
        if not job.keep_original:
            operations.append(deletion(source))
            removed += [source["id"], *(one["id"] for one in source.get("members") or ())]

        def finish_job(connection: Connection) -> None:
            finish(connection, self._claim)
            for one in files:
                one.appear()

        encoded = [] if job.version_id is None else [job.version_id]
        self._office.execute(operations, job.user_id, finish_job, encoded)
        self._remove_data(removed)

    def _replaced(self) -> list[dict[str, Any]]:
        """Return the media of the version that the job replaces: it has one current movie.

        These are the outputs of earlier jobs, and what the client encoded and published. Components
        that a program made in another way stay.
        """
        job = self._job
        if job.version_id is None:
            return []
        own = {one.component_id for one in job.outputs}
        found = {}
        for query in (_EARLIER_OUTPUTS, _PUBLISHED):
            for one in self._query(query.format(job.version_id)):
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

    def _is_wanted(self) -> bool:
        """Return whether the Job exists and no user has ended it."""
        found = self._query(f'select status from Job where id is "{self._job.id}"')
        return any(one["status"] in {"queued", "running"} for one in found)

    def _require_wanted(self) -> None:
        """Raise :exc:`_UnwantedError` if the Job does not exist, or if a user has ended it."""
        if not self._is_wanted():
            raise _UnwantedError

    def _record_failure(self, error: Exception) -> None:
        """Record that the job failed with *error*, as soon as the database can store that.

        Raise :exc:`LostJobError` if another worker has got the job, and :exc:`StoppedError` if this
        one must stop before.
        """
        pause = _PAUSE
        while True:
            try:
                self._fail(error)
                return
            except _UNREACHABLE as failure:
                if pause == _PAUSE:
                    _LOGGER.warning(
                        "The failure of the encode job %s cannot be recorded yet: %s",
                        self._job.id,
                        str(failure).partition("\n")[0],
                    )
                if self._stop.wait(pause):
                    raise StoppedError(counts=False) from failure
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _fail(self, error: Exception) -> None:
        """Show *error* in the Job, and remove all that players could take for media.

        A user who sees the failed job no longer sees its outputs.
        """
        job = self._job
        ids = [one.component_id for one in job.outputs]
        operations = [deletion(one) for one in existing_components(self._office, ids)]
        is_wanted, text = self._is_wanted(), _text_of(error)
        if is_wanted:
            failed = ended_values(self._office, "failed", job.shown(error=text))
            operations.append(update_operation("Job", job.id, failed))

        def record(connection: Connection) -> None:
            fail(connection, self._claim, text)
            if not is_wanted:
                forget(connection, job.id)
            self._encoder.remove_data(job)

        self._remove_source()
        self._office.execute(operations, None, record)

    def _remove_source(self) -> None:
        """Remove a source that was uploaded only for the job: not kept, and part of nothing."""
        job = self._job
        if job.keep_original:
            return
        try:
            for source in existing_components(self._office, [job.source_component_id]):
                if source["version_id"] is None and source["container_id"] is None:
                    self._office.require_component(job.user_id, "update", source["id"])
                    members = self._query(_MEMBERS.format(source["id"]))
                    self._office.execute([deletion(source)], job.user_id, self._keep)
                    self._remove_data([source["id"], *(one["id"] for one in members)])
        except SandboxError as error:
            _LOGGER.warning("The source of the encode job %s stays: %s", job.id, error.content)

    def _progress(self) -> Callable[[float], None]:
        told = time.monotonic()

        def progress(share: float) -> None:
            nonlocal told
            if time.monotonic() - told < _PROGRESS_INTERVAL:
                return
            with contextlib.suppress(*_UNREACHABLE):  # the end of the job tries for longer
                self._require_wanted()
                self._change({"data": self._job.shown(round(min(max(share, 0.0), 1.0), 3))})
            told = time.monotonic()

        return progress

    def _query(self, expression: str, user_id: Optional[str] = None) -> list[dict[str, Any]]:
        return records(self._office, expression, user_id)

    def _change(self, values: Mapping[str, Any]) -> None:
        """Change the Job to *values*; raise :exc:`LostJobError` if the claim is lost."""
        self._office.execute([update_operation("Job", self._job.id, values)], None, self._keep)

    def _keep(self, connection: Connection) -> None:
        keep_claim(connection, self._claim)


def _given_up(claim: Claim, most: int) -> str:
    """Return the text for a job that no worker has ended in *most* attempts."""
    last = "" if claim.previous is None else f", the last time that of {claim.previous}"
    return (
        f"The encoding was given up: {most} times its worker ended before the encoding{last}. The "
        "media may need more memory than the machine has, or be damaged. An administrator finds "
        "the reason in the log of the worker, and can repeat the job."
    )


def _text_of(error: Exception) -> str:
    """Return the text of *error* for the user of the job."""
    if isinstance(error, SandboxError):
        return error.content
    if isinstance(error, _UnwantedError):
        return "The Job was deleted, or a user has ended it."
    if isinstance(error, OSError):  # the file is one of the server
        return f"The server could not read or write a file: {error.strerror}."
    if isinstance(error, _EXPECTED):
        return str(error)
    return "The server failed; its log contains the reason."
