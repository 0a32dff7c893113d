"""Whose turn it is to write: a lock that passes from one batch to the next in a fair order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable

__all__ = ["Turns"]


@dataclass(eq=False)
class _Waiting:
    """One who waits since *arrived*; *mine* is set when the turn has come."""

    owner: str
    arrived: float
    handicap: float
    mine: threading.Event = field(default_factory=threading.Event)


class Turns:
    """A lock for one holder at a time; threads may share it.

    Those who wait take turns in the order of their arrival, but for two handicaps, each of at
    most *most* seconds: the seconds that one expects to hold the lock, and the seconds for which
    the same owner held it lately. So one long batch after another by one user, or many at once,
    do not keep a short one of somebody else waiting, and no batch waits for ever.
    """

    def __init__(self, most: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; nobody holds the lock."""
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._held = False
        self._waiting: list[_Waiting] = []
        #: For how many seconds an owner held the lock, and when that was counted, by owner.
        self._used: dict[str, tuple[float, float]] = {}

    def is_free(self) -> bool:
        """Return whether nobody waits for a turn."""
        with self._lock:
            return not self._waiting

    @contextmanager
    def take(self, owner: str = "", expected: float = 0.0) -> Iterator[None]:
        """Hold the lock within the block, which *owner* expects to take *expected* seconds."""
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
            waiting = _Waiting(owner, self._clock(), min(expected, self._most))
            self._waiting.append(waiting)
        try:
            waiting.mine.wait()
        except BaseException:  # a signal: the turn may have come all the same
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
        """Give the lock to the next in turn, if there is one."""
        self._held = bool(self._waiting)
        if self._waiting:
            now = self._clock()
            following = min(self._waiting, key=lambda one: self._turn(one, now))
            self._waiting.remove(following)
            following.mine.set()

    def _turn(self, one: _Waiting, now: float) -> float:
        return one.arrived + one.handicap + min(self._used_lately(one.owner, now), self._most)

    def _used_lately(self, owner: str, now: float) -> float:
        """Return the seconds for which *owner* held the lock, less those that went by since."""
        seconds, moment = self._used.get(owner, (0.0, now))
        return max(seconds - (now - moment), 0.0)
