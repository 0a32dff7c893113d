"""Cancel the work of a thread from another thread, such as the thread of an event loop.

Python cannot end a thread. So the thread ends itself: before each request, each wait and each chunk
of a file it calls :func:`check_cancelled`, which raises :class:`AbandonedError`. A thread that
waits for a socket would not notice. So cancelling also shuts down the sockets of the requests that
the work waits for. Requests that write are the exception: the server may be applying them, so the
work waits for their answers, within the usual time limits.

Each thread of the work raises the error once. Afterwards it may send the requests that clean up,
just as after Ctrl-C. The error is not an :exc:`Exception`, so that no code retries the work.

Synchronous programs have no current cancellation, and a check costs a look at a context variable.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Optional, Protocol

__all__ = [
    "CURRENT_CANCELLATION",
    "LONGEST_WAIT",
    "AbandonedError",
    "Cancellable",
    "Cancellation",
    "check_cancelled",
    "hold",
    "run_to_the_end",
    "wait_unless_cancelled",
]

#: A thread whose work can be cancelled waits at most this many seconds at a time.
LONGEST_WAIT = 0.1

#: Guards which work uses which socket. Held for moments, and never by a signal handler: the work
#: that can be cancelled does not run on the main thread.
_guard = threading.Lock()


class AbandonedError(BaseException):
    """The caller does not need the result any more."""


class Cancellable(Protocol):
    """A socket that another thread may shut down."""

    cancellation: Optional[Cancellation]

    def abort(self) -> None:
        """Raise an error in the thread that waits for the socket."""


class Cancellation:
    """The means to cancel one piece of work, which may use several threads."""

    def __init__(self) -> None:
        """Initialise for work that is not cancelled."""
        self._is_cancelled = False
        self._is_over = False
        self._sockets: weakref.WeakSet[Cancellable] = weakref.WeakSet()
        self._told: set[int] = set()

    def cancel(self) -> None:
        """Cancel the work, unless it is over. Does not wait."""
        with _guard:
            if self._is_over or self._is_cancelled:
                return
            self._is_cancelled = True
            for each in list(self._sockets):
                if each.cancellation is self:
                    each.abort()

    def finish(self) -> None:
        """Note that the work is over: its sockets may serve other work now."""
        with _guard:
            self._is_over = True
            self._sockets.clear()

    def check(self) -> None:
        """Raise :class:`AbandonedError` if the work is cancelled, once on each thread."""
        if self._is_cancelled and not self._is_over:
            thread = threading.get_ident()
            if thread not in self._told:
                self._told.add(thread)
                raise AbandonedError

    def keep(self, used: Cancellable) -> None:
        """Shut *used* down when the work is cancelled. The caller holds the guard."""
        if not self._is_over:
            self._sockets.add(used)


#: The cancellation of the current work; None for work that cannot be cancelled.
CURRENT_CANCELLATION: ContextVar[Optional[Cancellation]] = ContextVar(
    "CURRENT_CANCELLATION", default=None
)


def run_to_the_end(function: Callable[..., object], *arguments: object) -> None:
    """Call ``function(*arguments)`` as work that cannot be cancelled."""
    context = copy_context()
    context.run(CURRENT_CANCELLATION.set, None)
    context.run(function, *arguments)


def check_cancelled() -> None:
    """Raise :class:`AbandonedError` if the current work is cancelled."""
    cancellation = CURRENT_CANCELLATION.get()
    if cancellation is not None:
        cancellation.check()


def hold(used: Cancellable, is_reading: bool) -> None:
    """Note that the current work begins a request on *used*; only reading can be shut down."""
    cancellation = CURRENT_CANCELLATION.get() if is_reading else None
    if cancellation is None and used.cancellation is None:
        return
    with _guard:
        used.cancellation = cancellation
        if cancellation is not None:
            cancellation.keep(used)
    check_cancelled()


def wait_unless_cancelled(event: threading.Event, seconds: Optional[float]) -> bool:
    """Wait for *event*, at most *seconds*; return whether it is set.

    Raise :class:`AbandonedError` when the current work is cancelled.
    """
    cancellation = CURRENT_CANCELLATION.get()
    if cancellation is None:
        return event.wait(seconds)
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        cancellation.check()
        left = LONGEST_WAIT if end is None else end - time.monotonic()
        if event.wait(max(0.0, min(left, LONGEST_WAIT))):
            return True
        if left <= 0:
            return False
