"""Limits on the number of failed attempts."""

from __future__ import annotations

import collections
import hashlib
import threading
import time
from collections.abc import Callable
from typing import Optional, Protocol

from ftrack_like.sandbox.network.peer import PEER, group_of

__all__ = ["Attempts", "Counters", "Throttle", "ThrottleLike"]

#: The time for which failures count, in seconds.
_SECONDS = 60.0
#: An address may fail this many times as often as each user name.
_NAMES = 5
#: The number of correct keys to remember.
_REMEMBERED = 10_000


class ThrottleLike(Protocol):
    """Counts failures by name, as :class:`Throttle` does. Threads may share it."""

    def is_exhausted(self, name: str) -> bool:
        """Return whether *name* has failed too often to try again now."""

    def seconds_left(self, name: str) -> float:
        """Return the seconds that *name* has to wait, 0 if it may try again now."""

    def count(self, name: str) -> None:
        """Count a failure of *name*."""

    def clear(self) -> None:
        """Forget all failures."""


class Throttle:
    """Counts failures by name; after *most* failures within *seconds*, a name has to wait.

    Threads may share it. *clock* returns seconds.
    """

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._failures: dict[str, collections.deque[float]] = {}
        self._swept = clock()
        self._lock = threading.Lock()

    def is_exhausted(self, name: str) -> bool:
        """Return whether *name* has failed too often to try again now."""
        return self.seconds_left(name) > 0

    def seconds_left(self, name: str) -> float:
        """Return the seconds that *name* has to wait, 0 if it may try again now."""
        with self._lock:
            failures = self._failures.get(name)
            if failures is None:
                return 0.0
            now = self._clock()
            self._forget(failures, now)
            if len(failures) < self._most:
                return 0.0
            return max(0.001, failures[-self._most] + self._seconds - now)

    def count(self, name: str) -> None:
        """Count a failure of *name*."""
        with self._lock:
            now = self._clock()
            if now - self._swept > self._seconds:
                self._sweep(now)
            self._failures.setdefault(name, collections.deque()).append(now)

    def clear(self) -> None:
        """Forget all failures."""
        with self._lock:
            self._failures.clear()

    def _sweep(self, now: float) -> None:
        self._swept = now
        for name in list(self._failures):
            self._forget(self._failures[name], now)
            if not self._failures[name]:
                del self._failures[name]

    def _forget(self, failures: collections.deque[float], now: float) -> None:
        while failures and now - failures[0] > self._seconds:
            failures.popleft()


class Counters:
    """The counters of a server, which lie in the memory of its one process."""

    def __init__(self) -> None:
        """Begin without counters."""
        self._counters: dict[str, ThrottleLike] = {}
        self._guard = threading.Lock()

    def counter(self, purpose: str, most: int, seconds: float) -> ThrottleLike:
        """Return the counter for *purpose*; see :class:`Throttle` for the rest."""
        with self._guard:
            if purpose not in self._counters:
                self._counters[purpose] = self._make(purpose, most, seconds)
            return self._counters[purpose]

    def _make(self, purpose: str, most: int, seconds: float) -> ThrottleLike:
        """Return a new counter for *purpose*."""
        return Throttle(most, seconds)

    def remember(self, digest: bytes) -> None:
        """Note for other processes that the credentials with *digest* are correct."""

    def remembers(self, digest: bytes) -> bool:
        """Return whether another process has seen that the credentials are correct."""
        return False


class Attempts:
    """Counts wrong keys by address and user name, for all routes that check a key.

    A key that was correct before from the same address always passes. So a client that repeats a
    wrong key does not lock out a client that is working.
    """

    def __init__(self, most: int, counters: Optional[Counters] = None) -> None:
        """Allow *most* failures per minute; *counters* makes what counts them."""
        counters = self._counters = Counters() if counters is None else counters
        self._by_name = counters.counter("name", most, _SECONDS)
        self._by_address = counters.counter("address", _NAMES * most, _SECONDS)
        self._known: collections.OrderedDict[bytes, None] = collections.OrderedDict()
        self._lock = threading.Lock()

    def seconds_left(self, username: str, key: str) -> float:
        """Return the seconds that a client with these credentials has to wait, 0 if none."""
        address, name = self._names(username)
        digest = self._digest(name, key)
        if digest in self._known:  # first: then most requests need not look anything up
            return 0.0
        left = max(self._by_name.seconds_left(name), self._by_address.seconds_left(address))
        return 0.0 if left and self._counters.remembers(digest) else left

    def failed(self, username: str) -> None:
        """Count a wrong key or user name."""
        address, name = self._names(username)
        self._by_name.count(name)
        self._by_address.count(address)

    def succeeded(self, username: str, key: str) -> None:
        """Remember that the credentials are correct."""
        digest = self._digest(self._names(username)[1], key)
        if digest not in self._known:
            self._counters.remember(digest)
        with self._lock:
            self._known[digest] = None
            self._known.move_to_end(digest)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget all failures."""
        self._by_name.clear()
        self._by_address.clear()

    def _names(self, username: str) -> tuple[str, str]:
        address = group_of(PEER.get())
        return address, f"{address} {username.lower()}"

    def _digest(self, name: str, key: str) -> bytes:
        return hashlib.sha256(f"{name}\0{key}".encode("utf-8", "surrogatepass")).digest()
