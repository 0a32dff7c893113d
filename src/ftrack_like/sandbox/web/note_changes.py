"""Notice cheaply that the notes of a review page have not changed.

Pages ask for their list of notes every few seconds. Reading and rendering 200 notes takes a few
tenths of a second, so the answer to an unchanged list must not need it.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import threading
import time
from collections.abc import Callable
from typing import Optional

from starlette.responses import Response

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.web.pages import Asked

__all__ = ["NoteChanges", "answer_if_changed"]

#: The types whose changes can change a list of notes.
_TYPES = frozenset(
    {
        "Collaborator",
        "FileComponent",
        "Metadata",
        "Note",
        "NoteAnnotationComponent",
        "NoteComponent",
        "ReviewSession",
        "ReviewSessionInvitee",
        "ReviewSessionObject",
        "ReviewSessionObjectAnnotation",
        "User",
        "UserSecurityRole",
    }
)

#: The signed addresses in the list change each hour.
_ADDRESS_SECONDS = 3600


class NoteChanges:
    """Counts the batches of the server that may change a list of notes."""

    def __init__(self) -> None:
        """Start to count, with a number that no other start of the server uses."""
        self._start = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._number = 0

    def committed(self, batch: Batch) -> None:
        """Count *batch* if it may change a list; call this after its commit."""
        if any(change.entity_type in _TYPES for change in batch.changes):
            self._number = next(self._numbers)

    def reset(self) -> None:
        """Note that all data have been replaced."""
        self._number = next(self._numbers)

    @property
    def stamp(self) -> str:
        """Return a text that differs after each change, and after the addresses have changed."""
        return f"{self._start}-{self._number}-{_hour()}"


#: The state of a PostgreSQL database that a transaction sees: the transactions that have ended, and
#: the start of the server, which tells a restored copy from its original. Two transactions with the
#: same text see the same rows.
_STATE = "SELECT pg_postmaster_start_time()::text || pg_current_snapshot()::text"

_STARTING = threading.Lock()


def answer_if_changed(asked: Asked, make: Callable[[], Response]) -> Response:
    """Return the response of *make*, or status 304 if the browser's copy is current.

    The tag of a response is a stamp of the server's data and a digest of the text. An equal stamp
    is enough. With another stamp the texts decide, because most changes are in other reviews.
    """
    question = hashlib.sha256(asked.request.url.query.encode("utf-8")).hexdigest()[:8]
    # Before the data are read, so that a change in the meantime counts.
    stamp = f"{_stamp(asked)}-{question}"
    known = asked.request.headers.get("if-none-match", "").strip('"')
    if known.partition(".")[0] == stamp:
        return _unchanged(known)
    response = make()
    tag = f"{stamp}.{hashlib.sha256(bytes(response.body)).hexdigest()[:24]}"
    if known.partition(".")[2] == tag.partition(".")[2]:
        return _unchanged(tag)
    response.headers["ETag"] = f'"{tag}"'
    return response


def _stamp(asked: Asked) -> str:
    """Return a text that differs after each change that a list of notes may show."""
    database = asked.api.database
    if database.is_sqlite:
        return _counted(asked).stamp
    # Other processes change the data too.
    with database.read() as connection:
        state = str(connection.exec_driver_sql(_STATE).scalar())
    return f"{hashlib.sha256(state.encode()).hexdigest()[:16]}-{_hour()}"


def _counted(asked: Asked) -> NoteChanges:
    """Return what counts the changes of this process; the first call makes it."""
    state = asked.request.app.state
    with _STARTING:
        changes: Optional[NoteChanges] = getattr(state, "note_changes", None)
        if changes is None:
            changes = state.note_changes = NoteChanges()
            asked.api.listeners.append(changes.committed)
            asked.api.reset_listeners.append(changes.reset)
        return changes


def _hour() -> int:
    """Return the number of the hour, in which the signed addresses stay the same."""
    return int(time.time() // _ADDRESS_SECONDS)


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": f'"{tag}"', "Cache-Control": "no-store"})
