"""Faults at random. The same seed gives the same faults to the same sequence of requests."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Optional

from ftrack_like.sandbox.interference.faults import DROP, HALF, LOSE, Fault, FaultSource, Outcome
from ftrack_like.sandbox.interference.requests import SeenRequest

__all__ = ["Chaos", "Report"]

#: Called with the number of a request, the request, and what happened to it.
Report = Callable[[int, SeenRequest, Fault], None]

#: The paths of programs. Pages for people stay undisturbed.
_PATHS = ("/api", "/component", "/socket.io")

#: Each outcome with its weight.
_OUTCOMES: dict[Optional[Outcome], int] = {
    DROP: 3,
    LOSE: 3,
    HALF: 2,
    500: 1,
    502: 2,
    503: 3,
    429: 1,
    None: 5,
}

#: The longest pause, in seconds.
_LONGEST = 1.0


class Chaos(FaultSource):
    """Disturbs the share *rate* of all requests, from 0 to 1; *seed* makes it repeatable.

    *report* is called for each fault, on the thread of the server.
    """

    def __init__(self, rate: float, seed: int, report: Optional[Report] = None) -> None:
        """Raise :exc:`ValueError` if *rate* is not from 0 to 1."""
        if not 0 <= rate <= 1:
            raise ValueError(f"The share of disturbed requests is from 0 to 1, not {rate!r}.")
        self.seed = seed
        self._rate = rate
        self._report = report
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._count = 0

    def draw(self, request: SeenRequest) -> Optional[Fault]:
        """Return a fault, or None for a normal answer."""
        if not any(Fault(None, path=path).hits(request) for path in _PATHS):
            return None
        with self._lock:
            self._count += 1
            number = self._count
            # The same numbers are drawn for each request, so that a fault does not move the others.
            hit = self._random.random() < self._rate
            (outcome,) = self._random.choices(list(_OUTCOMES), list(_OUTCOMES.values()))
            pause = round(self._random.uniform(0.0, _LONGEST), 3)
        if not hit:
            return None
        fault = Fault(outcome, pause if outcome is None else 0.0, request.path, retry_after=1.0)
        if self._report is not None:
            self._report(number, request, fault)
        return fault

    def draw_for_message(self) -> bool:
        """Return whether to close the websocket."""
        with self._lock:
            return self._random.random() < self._rate
