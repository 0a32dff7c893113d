"""Worker threads for slow handlers. Items with a common key keep their order."""

from __future__ import annotations

import collections
import threading
from collections.abc import Hashable
from types import TracebackType
from typing import Callable, Generic, Optional, TypeVar

__all__ = ["WorkerPool"]

#: The maximum number of unfinished items in a pool.
CAPACITY = 256

Item = TypeVar("Item")


class _Entry(Generic[Item]):
    """An *item* with its *keys*. It starts when no earlier entry has one of these keys."""

    def __init__(self, item: Item, keys: tuple[Hashable, ...]) -> None:
        self.item = item
        self.keys = keys
        #: The number of keys under which an earlier entry is unfinished.
        self.blocked = 0


class WorkerPool(Generic[Item]):
    """Handles items on several threads, items with a common key one after the other.

    Use it as a context manager. Leaving waits for the running handlers. Afterwards `leftover`
    contains the items that were not started, in the order of :meth:`put`. If there are items, at
    least one is started.
    """

    def __init__(self, handle: Callable[[Item], object], workers: int) -> None:
        """Initialise a pool of *workers* threads that call *handle* with each item.

        *handle* must not raise an :exc:`Exception`. Another exception, such as
        :exc:`SystemExit`, ends the pool; leaving the context raises it.

        Raise :exc:`ValueError` if *workers* is not positive.
        """
        if workers < 1:
            raise ValueError(f"A pool needs at least one worker, not {workers}.")
        self.leftover: list[Item] = []
        self._handle = handle
        self._changed = threading.Condition()
        #: The unfinished entries by key, in order. A running entry is the first of its keys.
        self._queues: dict[Hashable, collections.deque[_Entry[Item]]] = {}
        self._unbegun: dict[int, _Entry[Item]] = {}
        self._ready: collections.deque[_Entry[Item]] = collections.deque()
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
        """Whether the pool takes items. A handler that raises may end it."""
        return not self._closed

    def __enter__(self) -> WorkerPool[Item]:
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
        """End the threads. After an exception, do not wait for running handlers."""
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

    def put(self, key: Hashable, item: Item, *more_keys: Hashable) -> None:
        """Add *item*. It starts after all earlier items with *key* or one of *more_keys*."""
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

    def _done(self, entry: _Entry[Item]) -> None:
        """Start the entries that waited only for *entry*; remove keys without entries."""
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
        """Start no more entries, and keep the rest in `leftover`."""
        self._closed = True
        self.leftover += [each.item for each in self._unbegun.values()]
        self._unbegun.clear()
        self._ready.clear()
        self._changed.notify_all()
