"""A limit to how often something may be tried."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable

__all__ = ["Throttle"]


class Throttle:
    """Counts failures by name; after *most* within *seconds* a name has to wait.

    Threads may share it. *clock* returns seconds.
    """

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with nothing counted."""
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._failures: dict[str, collections.deque[float]] = {}
        self._lock = threading.Lock()

    def is_exhausted(self, name: str) -> bool:
        """Return whether *name* failed too often to try again now."""
        with self._lock:
            self._forget()
            return len(self._failures.get(name, ())) >= self._most

    def count(self, name: str) -> None:
        """Count a failure of *name*."""
        with self._lock:
            self._failures.setdefault(name, collections.deque()).append(self._clock())

    def _forget(self) -> None:
        now = self._clock()
        for name in list(self._failures):
            failures = self._failures[name]
            while failures and now - failures[0] > self._seconds:
                failures.popleft()
            if not failures:
                del self._failures[name]
