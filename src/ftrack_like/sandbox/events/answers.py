"""The acknowledgements that the broker sends for the packets of clients."""

from __future__ import annotations

import contextlib
import threading
from typing import Optional

from ftrack_like.sandbox.events.clients import Websocket
from ftrack_like.wire import packets

__all__ = ["Answer", "taken"]

#: The arguments of an acknowledgement without a problem, as JSON. Most acknowledgements are equal.
_SUCCESS = packets.dumps([{"success": True}])
_RESUMED = packets.dumps([{"success": True, "resumed": True}])

#: Nearly all packets have one event, whose settlement needs no lock.
_NO_LOCK = contextlib.nullcontext()


class Answer:
    """Acknowledges a packet when all its *count* events are settled. Threads may share it."""

    __slots__ = ("_identifier", "_left", "_lock", "_problem", "_resumed", "_websocket")

    def __init__(self, websocket: Optional[Websocket], identifier: str, count: int) -> None:
        self._websocket = websocket
        self._identifier = identifier
        self._left = count
        self._problem: Optional[str] = None
        self._resumed = False
        self._lock = threading.Lock() if count > 1 else _NO_LOCK
        if not count:
            self._send()

    def resume(self) -> None:
        """Note that a subscriber gets all events since its last websocket."""
        self._resumed = True

    def settle(self, problem: Optional[str]) -> None:
        """Note that an event is done; a *problem* is the reason why it was refused."""
        with self._lock:
            self._left -= 1
            self._problem = problem or self._problem
            done = not self._left
        if done:
            self._send()

    def _send(self) -> None:
        if self._identifier and self._websocket is not None:
            if self._problem is None:
                answer = _RESUMED if self._resumed else _SUCCESS
            else:
                answer = packets.dumps([{"success": False, "message": self._problem}])
            self._websocket.send(f"6:::{self._identifier.rstrip('+')}+{answer}")


def taken(identifier: str) -> str:
    """Return the reason why a subscriber with a known id is refused."""
    return f"A subscriber with the id {identifier} is subscribed already."
