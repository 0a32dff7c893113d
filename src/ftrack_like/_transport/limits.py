"""How long a request may take in total, and how a session ends its running requests.

The time-out of a socket bounds each single wait, so a server that sends a byte now and then is
never given up on. A limit bounds the whole: :class:`Deadline` a call, :class:`SlowestRate` a
transfer. The sockets of :mod:`ftrack_like._transport.sockets` observe the limit of the context
that sends the request.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextvars import ContextVar
from typing import Generic, Optional, Protocol, TypeVar, Union

import urllib3

__all__ = [
    "CURRENT_LIMIT",
    "Abortable",
    "Deadline",
    "Limit",
    "OpenConnections",
    "Setting",
    "SlowestRate",
    "Timeout",
    "limited",
    "read_timeout",
    "total_for",
]

#: What requests takes as a time-out, in seconds: one for all, or one to connect and one to read.
Timeout = Union[None, float, tuple[Optional[float], Optional[float]], urllib3.Timeout]

#: A request may take this many times as long as the server may be silent, unless told otherwise.
TIMES_THE_TIMEOUT = 2

#: An answer that comes at this rate or faster, in bytes a second, extends a derived deadline, so
#: that a slow line still brings a long answer.
EXTENDING_RATE = 64 * 1024

#: The slowest rate of a transfer, in bytes a second.
SLOWEST_RATE = 1024


class Limit(Protocol):
    """A bound of one request. One thread uses it at a time."""

    def left(self) -> float:
        """Return for how many seconds a wait that begins now may last; 0 or less for none."""

    def moved(self, count: int) -> None:
        """Record the end of the wait, in which *count* bytes were sent or received."""

    def explain(self) -> str:
        """Return the words of an error for a request that reached the limit."""


class Deadline:
    """A bound of *seconds* from now on, which *extending_rate* bytes a second extend."""

    def __init__(self, seconds: float, extending_rate: Optional[float] = None) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._bonus = 0.0 if extending_rate is None else 1 / extending_rate

    def left(self) -> float:
        """Return how many seconds are left."""
        return self._end - time.monotonic()

    def moved(self, count: int) -> None:
        """Extend the deadline by what *count* bytes earn."""
        self._end += count * self._bonus

    def explain(self) -> str:
        """Return what happened when the deadline passed."""
        return f"the deadline of {self._seconds:.4g} s passed before the server was done"


class SlowestRate:
    """A bound that a transfer reaches when it moves too few bytes.

    In *window* seconds of waiting for the other side at least *rate* bytes a second must move.
    What this side does between two waits takes no time.
    """

    def __init__(self, window: float, rate: float = SLOWEST_RATE) -> None:
        self._window = window
        self._rate = rate
        self._begun = 0.0
        self._waited = 0.0
        self._moved = 0

    def left(self) -> float:
        """Return how many seconds of waiting are left until enough bytes must have moved."""
        self._begun = time.monotonic()
        return self._window - self._waited

    def moved(self, count: int) -> None:
        """Begin a new window once enough bytes have moved in this one."""
        self._waited += time.monotonic() - self._begun
        self._moved += count
        if self._moved >= self._window * self._rate:
            self._waited, self._moved = 0.0, 0

    def explain(self) -> str:
        """Return what happened when too few bytes moved."""
        return (
            f"fewer than {self._rate:.4g} bytes a second moved for {self._window:.4g} s, so it "
            "timed out"
        )


#: The limit of the request that this context sends; None for none.
CURRENT_LIMIT: ContextVar[Optional[Limit]] = ContextVar("CURRENT_LIMIT", default=None)


_Value = TypeVar("_Value")


class Setting(Generic[_Value]):
    """A context manager that gives *variable* the *value*; twice as fast as a generator's."""

    __slots__ = ("_token", "_value", "_variable")

    def __init__(self, variable: ContextVar[_Value], value: _Value) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *error: object) -> None:
        self._variable.reset(self._token)


def limited(limit: Optional[Limit]) -> Setting[Optional[Limit]]:
    """Have requests that are sent within the context observe *limit*."""
    return Setting(CURRENT_LIMIT, limit)


def read_timeout(timeout: Timeout) -> Optional[float]:
    """Return for how many seconds a server may be silent under *timeout*; None for ever."""
    if isinstance(timeout, urllib3.Timeout):
        started = timeout.clone()
        started.start_connect()
        found = started.read_timeout
        return found if isinstance(found, (int, float)) else None
    return timeout[1] if isinstance(timeout, tuple) else timeout


def total_for(timeout: Timeout) -> Optional[float]:
    """Return the seconds that one request with *timeout* may take; None for no bound."""
    silence = read_timeout(timeout)
    return None if silence is None else silence * TIMES_THE_TIMEOUT


class Abortable(Protocol):
    """A connection that another thread may cut."""

    def abort(self) -> None:
        """Wake the thread that waits on the connection, with an error."""


class OpenConnections:
    """The connections of a session, which :meth:`end` cuts. Threads may share it."""

    def __init__(self) -> None:
        self.renew_lock()

    def renew_lock(self) -> None:
        """Begin without connections, also in a forked process, which shares none."""
        self._lock = threading.Lock()
        self._members: weakref.WeakSet[Abortable] = weakref.WeakSet()
        self._ended = threading.Event()
        self._process = os.getpid()

    @property
    def ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._ended.is_set()

    def add(self, connection: Abortable) -> None:
        """Cut *connection* when :meth:`end` is called, at once if it was called before."""
        with self._lock:
            self._members.add(connection)
        if self.ended:
            connection.abort()

    def wait(self, seconds: float) -> bool:
        """Wait for *seconds*; return True at once when :meth:`end` is called."""
        return self._ended.wait(seconds)

    def end(self) -> None:
        """Cut all connections, those of requests under way too."""
        self._ended.set()
        if self._process != os.getpid():
            return  # They belong to the process that this one was forked from.
        with self._lock:
            members = list(self._members)
        for each in members:
            each.abort()
