"""A queue that a signal handler may use while it interrupts another use on the same thread."""

from __future__ import annotations

import queue
import threading
from typing import TypeVar

__all__ = ["ReentrantQueue"]

_Item = TypeVar("_Item")


class ReentrantQueue(queue.Queue[_Item]):
    """An unbounded queue with a reentrant lock.

    The lock of :class:`queue.Queue` is not reentrant. If a signal handler publishes an event
    while the main thread takes one from the queue, it would wait for itself.
    """

    def __init__(self) -> None:
        """Initialise without items."""
        super().__init__()
        self.mutex = threading.RLock()  # type: ignore[assignment]
        self.not_empty = threading.Condition(self.mutex)
        self.not_full = threading.Condition(self.mutex)
        self.all_tasks_done = threading.Condition(self.mutex)
