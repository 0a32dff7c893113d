"""The packets that wait to be written to a websocket, filled from any thread."""

from __future__ import annotations

import asyncio
import collections
import threading
import time
from typing import Callable, Optional

__all__ = ["Outgoing"]

#: The maximum number of packets, and of characters, that may wait for a reader that has taken
#: nothing for ``STALL_LIMIT`` seconds. A reader that takes packets is only busy.
PACKETS_LIMIT = 1000
SIZE_LIMIT = 4 * 1024 * 1024
STALL_LIMIT = 2.0
#: The maximum number of characters that may wait for any reader.
HARD_LIMIT = 64 * 1024 * 1024


class Outgoing:
    """A queue of packets from any thread to one coroutine."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Initialise an empty queue whose reader runs on *loop*."""
        self.overflow: bool = False
        self._loop = loop
        self._clock = clock
        self._guard = threading.Lock()
        self._packets: collections.deque[str] = collections.deque()
        self._size = 0
        self._taken_at = clock()
        self._stirred = asyncio.Event()
        self._closed = False

    def put(self, packet: str) -> None:
        """Add *packet*, unless the queue has overflowed. May be called from any thread."""
        with self._guard:
            if self._closed or self.overflow:
                return
            if not self._packets:
                self._taken_at = self._clock()
            self._packets.append(packet)
            self._size += len(packet)
            self.overflow = self._size > HARD_LIMIT
            if len(self._packets) > 1 and not self.overflow:
                return  # an earlier packet woke the reader
        self._wake()

    async def get(self) -> Optional[str]:
        """Return the next packet; None after an overflow or the end."""
        # No time-out, because `asyncio.wait_for` may swallow a cancellation.
        while not self._packets and not self.overflow and not self._closed:
            await self._stirred.wait()
            self._stirred.clear()
        with self._guard:
            if self.overflow or self._closed:
                return None
            packet = self._packets.popleft()
            self._size -= len(packet)
            self._taken_at = self._clock()
            return packet

    def check(self) -> bool:
        """Return whether the queue has overflowed, or its reader takes nothing."""
        with self._guard:
            full = self._size > SIZE_LIMIT or len(self._packets) > PACKETS_LIMIT
            if full and self._clock() - self._taken_at > STALL_LIMIT:
                self.overflow = True
            return self.overflow

    def end(self) -> None:
        """Stop the reader at once. May be called from any thread."""
        self.close()
        self._wake()

    def close(self) -> None:
        """Drop the waiting packets and accept no more."""
        with self._guard:
            self._closed = True
            self._packets.clear()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._stirred.set)
        except RuntimeError:  # the loop has ended, and with it the websocket
            self.close()
