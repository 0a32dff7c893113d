"""The object with which a test disturbs and watches its server."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Optional, Union

from ftrack_like.sandbox.interference.faults import Fault, FaultSource, Outcome, read_faults
from ftrack_like.sandbox.interference.requests import SeenRequest

__all__ = ["Switchboard"]


class Switchboard:
    """The planned faults of a server, and its watchers. Any thread may use it.

    *chaos* draws faults for the requests that no planned fault hits.
    """

    def __init__(self, chaos: Optional[FaultSource] = None) -> None:
        """Begin without planned faults."""
        self._lock = threading.Lock()
        self._planned: collections.deque[Fault] = collections.deque()
        self._watchers: list[list[SeenRequest]] = []
        self.chaos = chaos
        #: Whether a request must pass through the switchboard at all.
        self.is_active: bool = chaos is not None
        #: Whether it must know the operations of a batch.
        self.reads_batches: bool = False

    def plan(
        self,
        outcomes: Union[Outcome, Sequence[Outcome], None],
        *,
        times: int = 1,
        path: str = "/api",
        action: Optional[str] = None,
        delay: float = 0.0,
        retry_after: Optional[float] = None,
    ) -> None:
        """Plan a fault for each of the next requests that it can hit; see :class:`Fault`.

        Faults are used in the order in which they were planned. Raise :exc:`ValueError` if a value
        is invalid; then nothing is planned.
        """
        faults = read_faults(
            outcomes, times, path=path, action=action, delay=delay, retry_after=retry_after
        )
        with self._lock:
            self._planned.extend(faults)
            self._refresh()

    @property
    def planned(self) -> int:
        """Return the number of faults that have not hit a request yet."""
        return len(self._planned)

    def clear(self) -> None:
        """Drop all planned faults."""
        with self._lock:
            self._planned.clear()
            self._refresh()

    @contextmanager
    def watching(self) -> Iterator[list[SeenRequest]]:
        """Yield a list to which the server adds each request that it receives in the block."""
        seen: list[SeenRequest] = []
        with self._lock:
            self._watchers.append(seen)
            self._refresh()
        try:
            yield seen
        finally:
            with self._lock:
                self._watchers = [one for one in self._watchers if one is not seen]
                self._refresh()

    def receive(self, request: SeenRequest) -> Optional[Fault]:
        """Note *request*, and return what must happen to it, None for a normal answer."""
        with self._lock:
            for seen in self._watchers:
                seen.append(request)
            for fault in self._planned:
                if fault.hits(request):
                    self._planned.remove(fault)
                    self._refresh()
                    return fault
        return None if self.chaos is None else self.chaos.draw(request)

    def _refresh(self) -> None:
        self.is_active = bool(self._planned or self._watchers or self.chaos is not None)
        self.reads_batches = bool(self._watchers) or any(one.action for one in self._planned)
