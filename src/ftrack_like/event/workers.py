"""Worker threads for slow handlers, which keep the order of events with the same key."""

from __future__ import annotations

import collections
import threading
from collections.abc import Hashable
from types import TracebackType
from typing import Any, Callable, Optional

__all__ = ["WorkerPool"]

#: How many items a pool takes before it asks to wait.
CAPACITY = 256


class WorkerPool:
    """Handles items on several threads; items with the same key one after the other.

    Use it as a context: leaving waits for the handlers that are running, and what no thread has
    begun is in `leftover` afterwards, in the order of :meth:`put`.
    """

    def __init__(self, handle: Callable[[Any], Any], workers: int) -> None:
        """Initialise a pool of *workers* threads that call *handle* with each item.

        *handle* must not raise. Raise :exc:`ValueError` if *workers* is not positive.
        """
        if workers < 1:
            raise ValueError(f"A pool needs at least one worker, not {workers}.")
        self.leftover: list[Any] = []
        self._handle = handle
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, collections.deque[tuple[int, Any]]] = {}
        self._ready: collections.deque[Hashable] = collections.deque()
        self._sequence = 0
        self._taken = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"ftrack-event-worker-{number}", daemon=True)
            for number in range(workers)
        ]

    def __enter__(self) -> WorkerPool:
        """Start the threads and return the pool."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """End the threads. When an error ends the context, nobody waits for running handlers."""
        with self._changed:
            self._closed = True
            pairs = (pair for items in self._waiting.values() for pair in items)
            waiting = sorted(pairs, key=lambda pair: pair[0])
            self.leftover = [item for _, item in waiting]
            for items in self._waiting.values():
                items.clear()
            self._ready.clear()
            self._changed.notify_all()
        if kind is None:
            for thread in self._threads:
                thread.join()

    def has_room(self, timeout: float) -> bool:
        """Return whether another item may be put, after waiting at most *timeout* seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._taken < CAPACITY, timeout)

    def put(self, key: Hashable, item: Any) -> None:
        """Have *item* handled after all items put before it under the same *key*."""
        with self._changed:
            self._taken += 1
            self._sequence += 1
            if key in self._waiting:
                self._waiting[key].append((self._sequence, item))
            else:
                self._waiting[key] = collections.deque([(self._sequence, item)])
                self._ready.append(key)
                self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._closed)
                if self._closed:
                    return
                key = self._ready.popleft()
                _, item = self._waiting[key].popleft()
            try:
                self._handle(item)
            finally:
                self._done(key)

    def _done(self, key: Hashable) -> None:
        """Hand the next item under *key* to any thread; a key without items is forgotten."""
        with self._changed:
            self._taken -= 1
            if self._waiting[key]:
                self._ready.append(key)
            else:
                del self._waiting[key]
            self._changed.notify_all()
