"""A lock for writers that passes from one batch to the next in a fair order.

The database has one writer at a time. A *turn* is the time for which a batch has the lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable

__all__ = ["Turns"]


@dataclass(eq=False)
class _WaitingThread:
    """A thread that has waited since *arrived*. *mine* is set when it gets the lock.

    *handicap* is the expected duration of its turn, in seconds. *owner* is the id of the
    user for whom it writes.
    """

    owner: str
    arrived: float
    handicap: float
    mine: threading.Event = field(default_factory=threading.Event)


class Turns:
    """A fair lock for threads.

    Waiting threads get the lock in the order of arrival plus two handicaps in seconds, as if they
    had arrived later:

    - the time for which the thread expects to have the lock;
    - the time for which the same owner has recently had the lock.

    So a user with long batches, or with many, hardly delays the short batch of another user. Each
    handicap is at most *most* seconds, which ensures that each batch gets its turn.
    """

    def __init__(self, most: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Initialise the lock as free."""
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._held = False
        self._waiting: list[_WaitingThread] = []
        #: By owner: the seconds for which the owner has had the lock, and the time of this count.
        #: :meth:`_used_lately` lets them expire.
        self._used: dict[str, tuple[float, float]] = {}

    def nobody_waits(self) -> bool:
        """Return whether no thread is waiting for the lock. A thread may have it."""
        with self._lock:
            return not self._waiting

    @contextmanager
    def take(self, owner: str = "", expected: float = 0.0) -> Iterator[None]:
        """Take the lock for the block. *owner* expects to need it for *expected* seconds."""
        self._acquire(owner, expected)
        began = self._clock()
        try:
            yield
        finally:
            self._release(owner, began)

    def _acquire(self, owner: str, expected: float) -> None:
        with self._lock:
            if not self._held:
                self._held = True
                return
            waiting = _WaitingThread(owner, self._clock(), min(expected, self._most))
            self._waiting.append(waiting)
        try:
            waiting.mine.wait()
        except BaseException:
            # For example, from a signal handler. The thread may already have got the lock.
            with self._lock:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
                else:
                    self._pass_on()
            raise

    def _release(self, owner: str, began: float) -> None:
        with self._lock:
            now = self._clock()
            self._used[owner] = (self._used_lately(owner, now) + now - began, now)
            self._used = {
                one: kept for one, kept in self._used.items() if self._used_lately(one, now) > 0
            }
            self._pass_on()

    def _pass_on(self) -> None:
        """Give the lock to the next waiting thread, if there is one."""
        self._held = bool(self._waiting)
        if self._waiting:
            now = self._clock()
            following = min(self._waiting, key=lambda one: self._turn(one, now))
            self._waiting.remove(following)
            following.mine.set()

    def _turn(self, one: _WaitingThread, now: float) -> float:
        """Return the time of arrival plus both handicaps. The smallest gets the lock next."""
        return one.arrived + one.handicap + min(self._used_lately(one.owner, now), self._most)

    def _used_lately(self, owner: str, now: float) -> float:
        """Return the seconds for which *owner* has had the lock, minus the time since then."""
        seconds, moment = self._used.get(owner, (0.0, now))
        return max(seconds - (now - moment), 0.0)
