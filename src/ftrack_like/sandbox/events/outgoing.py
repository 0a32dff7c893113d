"""What waits to be written to one websocket, filled from any thread."""

from __future__ import annotations

import asyncio
import collections
import threading
from typing import Optional

__all__ = ["BYTES_LIMIT", "Outgoing"]

#: How much may wait for a slow reader, in characters, before it is cut off.
BYTES_LIMIT = 8 * 1024 * 1024
PACKETS_LIMIT = 5000


class Outgoing:
    """A queue of packets from any thread to one coroutine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Initialise an empty queue whose reader runs on *loop*."""
        self.overflow = False
        self._loop = loop
        self._guard = threading.Lock()
        self._packets: collections.deque[str] = collections.deque()
        self._size = 0
        self._stirred = asyncio.Event()
        self._closed = False

    def put(self, packet: str) -> None:
        """Add *packet*; one too many sets `overflow` and drops it. May be called anywhere."""
        with self._guard:
            if self._closed or self.overflow:
                return
            self._size += len(packet)
            self._packets.append(packet)
            if self._size > BYTES_LIMIT or len(self._packets) > PACKETS_LIMIT:
                self.overflow = True
            if len(self._packets) > 1 and not self.overflow:
                return  # the reader was woken for an earlier one
        self._wake()

    async def get(self, timeout: float) -> Optional[str]:
        """Return the next packet, or None after *timeout* seconds or on an overflow."""
        if not self._packets:
            try:
                await asyncio.wait_for(self._stirred.wait(), timeout)
            except asyncio.TimeoutError:
                return None
        with self._guard:
            self._stirred.clear()
            if self.overflow or not self._packets:
                return None
            packet = self._packets.popleft()
            self._size -= len(packet)
            return packet

    def close(self) -> None:
        """Take nothing more."""
        with self._guard:
            self._closed = True
            self._packets.clear()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._stirred.set)
        except RuntimeError:  # the loop has ended, and with it the websocket
            self.close()
