"""Worker threads for slow handlers, which keep the order of items that have a key in common."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Hashable
from types import TracebackType
from typing import Any, Callable, Optional

__all__ = ["WorkerPool"]

#: How many items a pool takes before it asks to wait.
CAPACITY = 256


@dataclasses.dataclass(eq=False)
class _Entry:
    """An *item* with its *keys*; it may begin once no earlier one has any of them."""

    item: Any
    keys: tuple[Hashable, ...]
    #: Under how many of the keys an earlier entry is not done yet.
    blocked: int = 0


class WorkerPool:
    """Handles items on several threads; items with a key in common one after the other.

    Use it as a context: leaving waits for the handlers that are running, and what no thread has
    begun is in `leftover` afterwards, in the order of :meth:`put`. At least one item is begun, if
    any was put.
    """

    def __init__(self, handle: Callable[[Any], Any], workers: int) -> None:
        """Initialise a pool of *workers* threads that call *handle* with each item.

        *handle* must not raise an :exc:`Exception`. Any other exception, such as
        :exc:`SystemExit`, ends the pool and is raised when the context is left.

        Raise :exc:`ValueError` if *workers* is not positive.
        """
        if workers < 1:
            raise ValueError(f"A pool needs at least one worker, not {workers}.")
        self.leftover: list[Any] = []
        self._handle = handle
        self._changed = threading.Condition()
        #: The entries that are not done, in order; a running one stays the first of its keys.
        self._queues: dict[Hashable, collections.deque[_Entry]] = {}
        self._unbegun: dict[int, _Entry] = {}
        self._ready: collections.deque[_Entry] = collections.deque()
        self._taken = 0
        self._has_begun = False
        self._closed = False
        self._failure: Optional[BaseException] = None
        self._threads = [
            threading.Thread(target=self._work, name=f"ftrack-event-worker-{number}", daemon=True)
            for number in range(workers)
        ]

    @property
    def works(self) -> bool:
        """Return whether the pool takes items; it does until a handler ends it."""
        return not self._closed

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
            if kind is None:
                self._changed.wait_for(lambda: self._has_begun or self._closed or not self._taken)
            self._close()
        if kind is None:
            for thread in self._threads:
                thread.join()
            if self._failure is not None:
                raise self._failure

    def has_room(self, timeout: float) -> bool:
        """Return whether another item may be put, after waiting at most *timeout* seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._taken < CAPACITY or self._closed, timeout)

    def put(self, key: Hashable, item: Any, *more_keys: Hashable) -> None:
        """Have *item* handled after all items put before it under *key* or any of *more_keys*."""
        entry = _Entry(item, tuple(dict.fromkeys((key, *more_keys))))
        with self._changed:
            self._taken += 1
            for each in entry.keys:
                queue = self._queues.setdefault(each, collections.deque())
                entry.blocked += bool(queue)
                queue.append(entry)
            self._unbegun[id(entry)] = entry
            if self._closed:
                self._close()
            elif not entry.blocked:
                self._ready.append(entry)
                self._changed.notify()

    def drain(self) -> None:
        """Wait until all items were handled, or a handler ended the pool."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._closed)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._closed)
                if self._closed:
                    return
                entry = self._ready.popleft()
                del self._unbegun[id(entry)]
                self._has_begun = True
                self._changed.notify_all()
            try:
                self._handle(entry.item)
            except BaseException as error:
                with self._changed:
                    self._failure = self._failure or error
                    self._close()
            self._done(entry)

    def _done(self, entry: _Entry) -> None:
        """Let the entries begin that waited for *entry* alone; forget keys without entries."""
        with self._changed:
            self._taken -= 1
            for key in entry.keys:
                queue = self._queues[key]
                queue.popleft()
                if not queue:
                    del self._queues[key]
                    continue
                queue[0].blocked -= 1
                if not (queue[0].blocked or self._closed):
                    self._ready.append(queue[0])
            self._changed.notify_all()

    def _close(self) -> None:
        """Let nothing more begin, and keep what has not begun."""
        self._closed = True
        self.leftover += [each.item for each in self._unbegun.values()]
        self._unbegun.clear()
        self._ready.clear()
        self._changed.notify_all()
