"""What a journal keeps, and what it can do.

An entry is an event under its id. It passes through these states::

    waiting ──claim──> claimed ──finish──> done
       ^                  │
       ├──── retry ───────┤
       │                  └──bury──> dead ──repeat──> waiting

The lease of a claim ends when its worker does not renew it. The entry then waits again. An entry
that is done keeps only its id, so that the same event is not handled twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional, Protocol

__all__ = [
    "DONE_LIMIT",
    "LEASE",
    "SIZE_LIMIT",
    "WAITING_LIMIT",
    "Counts",
    "DeadLetter",
    "Journal",
    "JournalClaim",
]

#: The seconds after which a claim ends that is not renewed.
LEASE = 30.0
#: The maximum number of events that wait in a journal or are dead, and of their characters.
WAITING_LIMIT = 100_000
SIZE_LIMIT = 1024 * 1024 * 1024
#: The number of handled events whose ids a journal keeps.
DONE_LIMIT = 50_000


class JournalClaim(NamedTuple):
    """An entry that a worker handles.

    *event* is the JSON text of the event, *tries* counts the earlier tries, and *done* contains the
    keys of the subscribers that have handled the event.
    """

    identifier: str
    event: str
    tries: int
    done: Sequence[str]


class DeadLetter(NamedTuple):
    """An event that could not be handled: its JSON text, the tries, the last error, the time."""

    identifier: str
    event: str
    tries: int
    error: str
    #: The time of the last try, in seconds since 1970.
    moment: float


class Counts(NamedTuple):
    """The numbers of entries in each state."""

    waiting: int
    claimed: int
    dead: int
    done: int


class Journal(Protocol):
    """Keeps events until they are handled. Threads may share a journal, processes a place.

    Each method raises :exc:`~ftrack_like.exception.EventJournalError` if the place cannot be used,
    and :exc:`~ftrack_like.exception.EventJournalBusyError` if it probably can be used soon.
    """

    place: str

    def add(self, identifier: str, event: str) -> bool:
        """Keep *event*, JSON text, durably; return False if *identifier* was added before.

        Raise :exc:`~ftrack_like.exception.EventJournalBusyError` if too many events wait.
        """

    def claim(self) -> Optional[JournalClaim]:
        """JournalClaim the oldest entry that is due for this object; None if none is."""

    def begin(self, claim: JournalClaim) -> bool:
        """Count a try of *claim*; return False if the claim was lost."""

    def finish(self, claim: JournalClaim) -> None:
        """Note that the event of *claim* was handled."""

    def retry(self, claim: JournalClaim, done: Sequence[str], error: str, pause: float) -> None:
        """Let the entry wait for *pause* seconds; *done* are the subscribers that handled it."""

    def bury(self, claim: JournalClaim, done: Sequence[str], error: str) -> None:
        """Make the entry a dead letter; *done* are the subscribers that handled it."""

    def release(self, claim: JournalClaim) -> None:
        """Give the entry back without a try."""

    def renew(self, identifiers: Iterable[str]) -> None:
        """Renew the leases of this object on the entries *identifiers* and on its subscribers."""

    def subscriber_id(self, key: str, known: Optional[str] = None) -> str:
        """Return an id for the subscriber *key* that no living worker uses, or the *known* one.

        A worker takes over the id of a worker that ended, so that the server sends it the events
        that the other one missed.
        """

    def belong_to(self, server: str) -> None:
        """Note that the events come from *server*; raise EventJournalError for another server."""

    def position(self) -> Optional[str]:
        """Return the last activity row that the journal includes, None if not known."""

    def set_position(self, position: str) -> None:
        """Store *position* for :meth:`position`."""

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first."""

    def repeat(self, identifiers: Iterable[str]) -> int:
        """Let the dead letters *identifiers* wait again, with all tries; return their number."""

    def drop(self, identifiers: Iterable[str]) -> int:
        """Remove the dead letters *identifiers*; return their number."""

    def counts(self) -> Counts:
        """Return the numbers of entries in each state."""

    def close(self) -> None:
        """Give up all claims and ids of this object, and close the place."""
