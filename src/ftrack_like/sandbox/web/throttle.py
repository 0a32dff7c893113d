"""A limit to how often something may be tried."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable

__all__ = ["Throttle"]


class Throttle:
    """Counts attempts by name; no more than *most* within *seconds* are let through.

    Threads may share it. *clock* returns seconds.
    """

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with nothing counted."""
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._attempts: dict[str, collections.deque[float]] = {}
        self._lock = threading.Lock()

    def admits(self, name: str) -> bool:
        """Count an attempt of *name* and return whether it may be made."""
        now = self._clock()
        with self._lock:
            self._forget(now)
            attempts = self._attempts.setdefault(name, collections.deque())
            if len(attempts) >= self._most:
                return False
            attempts.append(now)
            return True

    def _forget(self, now: float) -> None:
        for name in list(self._attempts):
            attempts = self._attempts[name]
            while attempts and now - attempts[0] > self._seconds:
                attempts.popleft()
            if not attempts:
                del self._attempts[name]
