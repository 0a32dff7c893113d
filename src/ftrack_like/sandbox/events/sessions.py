"""Sessions: permissions to open a websocket, each valid once and for a short time.

A client gets a session by the handshake of the protocol. A page of the sandbox gets one by a form
of a logged-in user, because a page does not know the user's API key.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import Callable, NamedTuple, Optional, Protocol

__all__ = ["Caller", "Granted", "SessionStore", "Sessions", "session_text"]

#: Seconds that a session may wait for its websocket after the handshake, and the maximum number of
#: waiting sessions.
SESSION_LIFETIME = 30.0
SESSIONS_LIMIT = 10_000


class Caller(Protocol):
    """The user of a request."""

    @property
    def id(self) -> str:
        """Return the user's id."""

    @property
    def username(self) -> str:
        """Return the user's name."""

    @property
    def unrestricted(self) -> bool:
        """Return whether the user may see everything."""


class Granted(NamedTuple):
    """A session from a handshake; *deadline* is a time of the clock."""

    user: Caller
    replays: bool
    deadline: float = float("inf")


class SessionStore(Protocol):
    """Sessions that wait for their websocket. *blocks* says that the methods take a while."""

    blocks: bool

    def grant(self, user: Caller, replays: bool = False) -> str:
        """Return a new session of *user*, as the text `SESSION:HEARTBEAT:CLOSE:websocket`."""

    def take(self, identifier: str) -> Optional[Granted]:
        """Return the session *identifier* and forget it; None if it is unknown or too old."""


class Sessions:
    """The sessions of the only process of a site. Threads may share it."""

    blocks: bool = False

    def __init__(self, heartbeat: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Initialise without sessions. *heartbeat* is told to the clients, in seconds."""
        self._heartbeat = heartbeat
        self._clock = clock
        self._lock = threading.Lock()
        self._granted: dict[str, Granted] = {}

    def grant(self, user: Caller, replays: bool = False) -> str:
        """Return a new session of *user*, as the text `SESSION:HEARTBEAT:CLOSE:websocket`.

        *replays* means that the client acknowledges events and drops repeated events.
        """
        now = self._clock()
        identifier = secrets.token_hex(16)
        with self._lock:
            self._forget_stale(now)
            self._granted[identifier] = Granted(user, replays, now + SESSION_LIFETIME)
        return session_text(identifier, self._heartbeat)

    def take(self, identifier: str) -> Optional[Granted]:
        """Return the session *identifier* and forget it; None if it is unknown or too old."""
        with self._lock:
            granted = self._granted.pop(identifier, None)
        return granted if granted is not None and granted.deadline >= self._clock() else None

    def _forget_stale(self, now: float) -> None:
        while self._granted:
            oldest = next(iter(self._granted))
            if self._granted[oldest].deadline > now and len(self._granted) < SESSIONS_LIMIT:
                return
            del self._granted[oldest]


def session_text(identifier: str, heartbeat: float) -> str:
    """Return the answer to a handshake; *heartbeat* is in seconds."""
    seconds = max(1, round(heartbeat))
    return f"{identifier}:{seconds}:{2 * seconds}:websocket"
