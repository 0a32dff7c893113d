"""Counts of a session's requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

__all__ = ["Statistics"]

_NAMES = (
    "requests",
    "bytes_sent",
    "bytes_received",
    "cache_hits",
    "grouped_loads",
    "retries",
    "pages_ahead",
    "pages_unused",
)


class Statistics(Mapping[str, int]):
    """Counters since the session started, or since :meth:`reset`: a mapping of names to numbers.

    Each counter is an attribute too.

    - *requests*: requests sent, retries included.
    - *bytes_sent* and *bytes_received*: the bytes of the bodies, compressed if they were.
    - *cache_hits*: entities that ``get`` found without a request.
    - *grouped_loads*: lazy loads that loaded a value for several entities.
    - *retries*: requests that repeated a failed one.
    - *pages_ahead*: pages of queries that were requested before the program came to them.
    - *pages_unused*: those of *pages_ahead* that the program did not read.

    Any thread may read them.
    """

    requests: int
    bytes_sent: int
    bytes_received: int
    cache_hits: int
    grouped_loads: int
    retries: int
    pages_ahead: int
    pages_unused: int

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

    def __getitem__(self, name: str) -> int:
        """Return the counter *name*."""
        if name not in _NAMES:
            raise KeyError(name)
        count: int = getattr(self, name)
        return count

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the counters."""
        return iter(_NAMES)

    def __len__(self) -> int:
        """Return the number of counters."""
        return len(_NAMES)

    def as_dict(self) -> dict[str, int]:
        """Return the counters as a new mapping of names to numbers."""
        return {name: getattr(self, name) for name in _NAMES}

    def __repr__(self) -> str:
        """Return all counters in one line."""
        shown = ", ".join(f"{name}={count}" for name, count in self.as_dict().items())
        return f"<{type(self).__name__} {shown}>"
