"""Wait for jobs: by events if the event hub receives them, else by polling."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ftrack_like import exception
from ftrack_like._transport.cancellation import wait_unless_cancelled
from ftrack_like._values.literals import quoted

if TYPE_CHECKING:
    from ftrack_like._base.types import Progress
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.job import Job
    from ftrack_like.event.base import Event
    from ftrack_like.session import Session

__all__ = ["rising", "share_of", "wait_for_job"]

#: Seconds between two looks at the job: at first, at most without events, and at most with events.
#: With events, a look only makes up for lost events.
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 2.0
_LONGEST_WAIT_WITH_EVENTS = 15.0


def wait_for_job(
    session: Session,
    job: Union[Entity, str],
    timeout: Optional[float] = None,
    progress: Optional[Progress] = None,
) -> Job:
    """Return *job* when it is done; see :meth:`Session.wait_for_job`."""
    job_id = job if isinstance(job, str) else job["id"]
    deadline = None if timeout is None else time.monotonic() + timeout
    tell = rising(progress) if progress is not None else _ignore
    wait = _FIRST_WAIT
    with _news_of(session, job_id) as news:
        while True:
            found, status, data = _look(session, job_id)
            if status == "failed":
                raise exception.JobFailedError(found, _failure_reason(data))
            tell(100 if status == "done" else _percent(data), 100)
            if status == "done":
                return found
            left = _left(deadline, found, status, timeout)
            if wait_unless_cancelled(news, min(wait, left)):
                news.clear()
                wait = _FIRST_WAIT
            else:
                wait = min(wait * 1.5, _longest_wait(session))


def rising(progress: Progress) -> Progress:
    """Return a function that calls *progress* only if ``done`` is higher than ever before."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        if done > told:
            told = done
            progress(done, total)

    return tell


def share_of(progress: Optional[Progress], begin: int, end: int) -> Optional[Progress]:
    """Return a progress function for a part of the work, from *begin* to *end* per cent.

    It converts its values and calls *progress* with the percentage of the whole work. Return None
    if *progress* is None.
    """
    if progress is None:
        return None
    tell = progress
    return lambda done, total: tell(begin + (end - begin) * min(done, total) // max(total, 1), 100)


def _look(session: Session, job_id: str) -> tuple[Job, str, Mapping[str, Any]]:
    """Query the job; return it with its status and its data.

    Raise :exc:`~ftrack_like.exception.NotFoundError` if it does not exist.
    """
    found = session.query(f"select status, data from Job where id is {quoted(job_id)}").first()
    if found is None:
        raise exception.NotFoundError(
            "The job {job_id} does not exist; it may have been deleted.", {"job_id": job_id}
        )
    try:
        data = json.loads(found["data"] or "{}")
    except ValueError:
        data = None  # Jobs of other programs may store any text there.
    return cast("Job", found), str(found["status"]), data if isinstance(data, Mapping) else {}


def _percent(data: Mapping[str, Any]) -> int:
    """Return the progress in the *data* of a job as a percentage from 0 to 99."""
    progress = data.get("progress")
    return min(max(int(progress * 100), 0), 99) if isinstance(progress, (int, float)) else 0


def _failure_reason(data: Mapping[str, Any]) -> str:
    """Return the reason for a failure from the *data* of a job."""
    return str(data.get("error") or data.get("description") or "the job does not say why")


def _left(deadline: Optional[float], job: Job, status: str, timeout: Optional[float]) -> float:
    """Return the seconds left until *deadline*.

    Raise :exc:`~ftrack_like.exception.JobTimeoutError` when it has passed.
    """
    if deadline is None:
        return threading.TIMEOUT_MAX
    left = deadline - time.monotonic()
    if left <= 0:
        raise exception.JobTimeoutError(job, status, timeout)
    return left


def _longest_wait(session: Session) -> float:
    """Return the longest time between two looks at the job, in seconds."""
    return _LONGEST_WAIT_WITH_EVENTS if _hears(session) else _LONGEST_WAIT


def _hears(session: Session) -> bool:
    """Return whether the session receives events from the server."""
    hub = getattr(session, "event_hub", None)
    return bool(getattr(hub, "connected", False)) and hasattr(hub, "_watchers")


@contextlib.contextmanager
def _news_of(session: Session, job_id: str) -> Generator[threading.Event, None, None]:
    """Yield an event object that is set when the server reports a change of the job.

    The thread that receives events sets it. So it also works inside a callback, while the program
    does not handle events.
    """
    news = threading.Event()
    if not _hears(session):
        yield news
        return

    def watch(event: Event) -> None:
        if event["topic"] == "ftrack.update" and job_id in _changed(event["data"]):
            news.set()

    hub = session.event_hub
    hub._watchers.append(watch)  # noqa: SLF001 - the hub of this library
    try:
        with hub.subscription("topic=ftrack.update", _ignore):
            yield news
    finally:
        hub._watchers.remove(watch)  # noqa: SLF001 - the hub of this library


def _changed(data: object) -> set[Any]:
    """Return the ids of the changed entities in the *data* of an event, of any shape."""
    entries = data.get("entities") if isinstance(data, Mapping) else None
    if not isinstance(entries, list):
        return set()
    return {entry.get("entityId") for entry in entries if isinstance(entry, Mapping)}


def _ignore(*arguments: object) -> None:
    """Do nothing: a subscriber that only makes the server send events, or a missing *progress*."""
