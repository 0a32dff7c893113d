"""A server's answers to queries for tasks, page by page, which note what is requested when."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

WINDOW = re.compile(r"offset (\d+) limit (\d+)")
TEXT = "select name from Task"
SIZE = 10


def name_of(number: int) -> str:
    """Return the name of the task *number*."""
    return f"task {number}"


class Tasks:
    """Answers queries for *total* tasks. *before* is called with each offset, on its thread."""

    def __init__(self, plain_result: Callable[[Any], Any], total: int) -> None:
        self.total = total
        self.offsets: list[int] = []
        self.before: Callable[[int], Any] = lambda offset: None
        self._plain_result = plain_result
        self._running = 0
        self.most_running = 0
        self.changed = threading.Condition()

    def __call__(self, batch: Any) -> Any:
        return [self._answer(operation) for operation in batch]

    def _answer(self, operation: Any) -> Any:
        found = WINDOW.search(operation.get("expression", ""))
        if found is None:
            return self._plain_result(operation)
        start, size = int(found[1]), int(found[2])
        with self.changed:
            self.offsets.append(start)
            self._running += 1
            self.most_running = max(self.most_running, self._running)
            self.changed.notify_all()
        try:
            fault = self.before(start)
        finally:
            with self.changed:
                self._running -= 1
        if fault is not None:
            raise RuntimeError(fault)
        end = min(start + size, self.total)
        data = [
            {"__entity_type__": "Task", "id": f"t{number}", "name": name_of(number)}
            for number in range(start, end)
        ]
        following = end if end < self.total else None
        return {"action": "query", "data": data, "metadata": {"next": {"offset": following}}}


def settle() -> None:
    """Wait until no request ahead is under way."""
    for name in ("ftrack-prefetch", "ftrack-like-ahead"):  # The first starts the others.
        for thread in threading.enumerate():
            if thread.name == name:
                thread.join(60)


def names(rows: Any) -> list[str]:
    """Return the names of *rows*."""
    return [row["name"] for row in rows]
