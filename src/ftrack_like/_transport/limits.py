"""Limit the total time of a request, and end the running requests of a session.

The time-out of a socket limits only each single wait. A server that sends a byte now and then
could keep a request waiting forever. So there are limits for the whole request:
:class:`RequestDeadline` for a call, :class:`SlowestRate` for a transfer. The sockets of
:mod:`ftrack_like._transport.sockets` observe the limit in :data:`CURRENT_LIMIT`.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextvars import ContextVar
from typing import Generic, Optional, Protocol, TypeVar, Union

import urllib3

from ftrack_like._transport.cancellation import wait_unless_cancelled

__all__ = [
    "CURRENT_LIMIT",
    "Abortable",
    "HttpTimeout",
    "Limit",
    "OpenConnections",
    "RequestDeadline",
    "SlowestRate",
    "VariableSetting",
    "limited",
    "read_timeout",
    "total_for",
]

#: A time-out of requests, in seconds: one number, or a pair of numbers to connect and to read.
HttpTimeout = Union[None, float, tuple[Optional[float], Optional[float]], urllib3.Timeout]

#: The default limit of a request, as a multiple of its read time-out.
TIMES_THE_TIMEOUT = 2

#: An answer that arrives at this rate or faster, in bytes per second, extends the default limit.
#: So a long answer is complete even over a slow line.
EXTENDING_RATE = 64 * 1024

#: The slowest rate of a transfer, in bytes per second.
SLOWEST_RATE = 1024


class Limit(Protocol):
    """The limit of one request. One thread uses it at a time.

    The socket calls :meth:`left` before each wait and :meth:`moved` after the wait.
    """

    def left(self) -> float:
        """Return how many seconds a wait that begins now may last; 0 or less at the limit."""

    def moved(self, count: int) -> None:
        """Record the end of a wait that sent or received *count* bytes."""

    def explain(self) -> str:
        """Return the text of the error for a request that reached the limit."""


class RequestDeadline:
    """A limit of *seconds* from now. Each byte extends it by ``1 / extending_rate`` seconds."""

    def __init__(self, seconds: float, extending_rate: Optional[float] = None) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._bonus = 0.0 if extending_rate is None else 1 / extending_rate

    def left(self) -> float:
        """Return how many seconds are left."""
        return self._end - time.monotonic()

    def moved(self, count: int) -> None:
        """Extend the deadline for *count* bytes."""
        self._end += count * self._bonus

    def explain(self) -> str:
        """Return the text of the error for a passed deadline."""
        return f"the deadline of {self._seconds:.4g} s passed before the server was done"


class SlowestRate:
    """A limit for a transfer that moves too few bytes.

    In *window* seconds of waiting for the server, on average at least *rate* bytes per second must
    move. The time between two waits does not count: there the client works on the data.
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
        """Begin a new window if enough bytes have moved in the current window."""
        self._waited += time.monotonic() - self._begun
        self._moved += count
        if self._moved >= self._window * self._rate:
            self._waited, self._moved = 0.0, 0

    def explain(self) -> str:
        """Return the text of the error for too few bytes."""
        return (
            f"fewer than {self._rate:.4g} bytes a second moved for {self._window:.4g} s, so it "
            "timed out"
        )


#: The limit of the current request; None without a limit.
CURRENT_LIMIT: ContextVar[Optional[Limit]] = ContextVar("CURRENT_LIMIT", default=None)


_Value = TypeVar("_Value")


class VariableSetting(Generic[_Value]):
    """A context manager that sets *variable* to *value*; twice as fast as ``@contextmanager``."""

    __slots__ = ("_token", "_value", "_variable")

    def __init__(self, variable: ContextVar[_Value], value: _Value) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *error: object) -> None:
        self._variable.reset(self._token)


def limited(limit: Optional[Limit]) -> VariableSetting[Optional[Limit]]:
    """Return a context manager; requests that are sent inside it observe *limit*."""
    return VariableSetting(CURRENT_LIMIT, limit)


def read_timeout(timeout: HttpTimeout) -> Optional[float]:
    """Return the read time-out of *timeout* in seconds; None without a limit."""
    if isinstance(timeout, urllib3.Timeout):
        started = timeout.clone()
        started.start_connect()
        found = started.read_timeout
        return found if isinstance(found, (int, float)) else None
    return timeout[1] if isinstance(timeout, tuple) else timeout


def total_for(timeout: HttpTimeout) -> Optional[float]:
    """Return the default limit in seconds of a request with *timeout*; None without a limit."""
    silence = read_timeout(timeout)
    return None if silence is None else silence * TIMES_THE_TIMEOUT


class Abortable(Protocol):
    """A connection that another thread may cut."""

    def abort(self) -> None:
        """Raise an error in the thread that waits for the connection."""


class OpenConnections:
    """The connections of a session; :meth:`end` cuts them. Threads may share it."""

    def __init__(self) -> None:
        self.renew_lock()

    def renew_lock(self) -> None:
        """Start without connections, also in a forked process, which must not use the parent's."""
        self._lock = threading.RLock()  # A signal handler may make a call inside a call.
        self._members: weakref.WeakSet[Abortable] = weakref.WeakSet()
        self._ended = threading.Event()
        self._process = os.getpid()

    @property
    def ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._ended.is_set()

    def add(self, connection: Abortable) -> None:
        """Register *connection* for :meth:`end`; cut it at once if the session has ended."""
        with self._lock:
            self._members.add(connection)
        if self.ended:
            connection.abort()

    def wait(self, seconds: float) -> bool:
        """Wait *seconds* and return False; return True as soon as :meth:`end` is called."""
        return wait_unless_cancelled(self._ended, seconds)

    def end(self) -> None:
        """Cut all connections, including those of running requests."""
        self._ended.set()
        if self._process != os.getpid():
            return  # The connections belong to the parent process.
        with self._lock:
            members = list(self._members)
        for each in members:
            each.abort()
