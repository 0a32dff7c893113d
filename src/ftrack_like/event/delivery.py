"""Book-keeping of deliveries: what was sent, what came, who waits for a reply.

Everything here is pure: moments are handed in, in seconds of a clock that never goes back. The
books hold no lock; the hub guards them.

What goes in at one end and out at the other is an ordered dictionary: looking for the first entry
of a plain one passes by all that were removed before it.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Hashable, Iterator
from typing import Any, Callable, Generic, NamedTuple, Optional, TypeVar

__all__ = ["Arrivals", "Outbox", "RecentlySeen", "ReplyBook", "Sending", "back_off"]

Item = TypeVar("Item")


class Sending(NamedTuple):
    """An *event* to send, and the *callback* for the server's answer to it, or None."""

    event: Any
    callback: Optional[Callable[[Any], Any]] = None


class Outbox:
    """Events that were sent and that the server has not acknowledged, in the order of sending."""

    def __init__(self, limit: int) -> None:
        """Initialise an outbox that holds at most *limit* events."""
        self.limit = limit
        self.forgotten = 0
        self._sendings: collections.OrderedDict[int, Sending] = collections.OrderedDict()

    def __len__(self) -> int:
        """Return how many events wait for their acknowledgement."""
        return len(self._sendings)

    def add(self, number: int, sending: Sending) -> bool:
        """Remember *sending*, which goes out as packet *number*.

        Return False if the oldest event had to be forgotten for it. It was sent, so it has
        probably arrived; only a drop of the connection right now would lose it.
        """
        self._sendings[number] = sending
        if len(self._sendings) <= self.limit:
            return True
        self._sendings.popitem(last=False)
        self.forgotten += 1
        return False

    def acknowledge(self, number: int) -> None:
        """Forget the event that went out as packet *number*, if it is still there."""
        self._sendings.pop(number, None)

    def take_all(self) -> list[Sending]:
        """Return all events, oldest first, and forget them: they are to be sent again."""
        sendings = list(self._sendings.values())
        self._sendings.clear()
        return sendings


class Arrivals:
    """What arrived from the server and is not acknowledged yet.

    Packets come in order: to acknowledge one acknowledges all before it.
    """

    def __init__(self, count: int, patience: float) -> None:
        """Initialise for *count* packets to acknowledge together, within *patience* seconds."""
        self._count = count
        self._patience = patience
        self._latest = ""
        self._arrived = 0
        self._due = 0.0

    def add(self, identifier: str, now: float) -> bool:
        """Remember the packet *identifier*; return whether it is time to acknowledge it."""
        if not self._latest:
            self._due = now + self._patience
        self._latest = identifier
        self._arrived += 1
        return self._arrived >= self._count

    def left(self, now: float) -> Optional[float]:
        """Return in how many seconds to acknowledge, None if there is nothing to."""
        return max(0.0, self._due - now) if self._latest else None

    def take(self) -> str:
        """Return the latest packet's identifier, empty without any, and forget it."""
        latest, self._latest, self._arrived = self._latest, "", 0
        return latest


class RecentlySeen:
    """Remembers the latest texts that it was shown."""

    def __init__(self, limit: int) -> None:
        """Initialise a memory for *limit* texts."""
        self._limit = limit
        self._seen: collections.OrderedDict[Hashable, None] = collections.OrderedDict()

    def is_repeat(self, text: Hashable) -> bool:
        """Remember *text* and return whether it was remembered already."""
        if text in self._seen:
            return True
        self._seen[text] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return False


class ReplyBook(Generic[Item]):
    """Who waits for replies to which event, each for a limited time."""

    def __init__(self, limit: int) -> None:
        """Initialise a book for at most *limit* events; beyond it the oldest are let go."""
        self._limit = limit
        self._entries: collections.OrderedDict[str, tuple[float, Item]] = collections.OrderedDict()

    def __len__(self) -> int:
        """Return for how many events somebody waits."""
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the ids of the events."""
        return iter(list(self._entries))

    def add(self, event_id: str, item: Item, now: float, lifetime: float) -> None:
        """Let *item* wait for replies to the event *event_id*, for *lifetime* seconds."""
        self.release(now)
        self._entries.pop(event_id, None)
        self._entries[event_id] = (now + lifetime, item)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, event_id: Any) -> Optional[Item]:
        """Return who waits for replies to the event *event_id*, or None."""
        entry = self._entries.get(event_id)
        return None if entry is None else entry[1]

    def remove(self, event_id: str) -> None:
        """Wait no longer for replies to the event *event_id*."""
        self._entries.pop(event_id, None)

    def release(self, now: float) -> None:
        """Let go of those whose time is over, as far as they came before all others."""
        while self._entries:
            oldest = next(iter(self._entries))
            if self._entries[oldest][0] > now:
                return
            self._entries.popitem(last=False)


def back_off(outage: float, dice: Callable[[float, float], float] = random.uniform) -> float:
    """Return how many seconds to wait before the next try to connect.

    *outage* tells for how many seconds there has been no connection. The wait grows with it, from
    0.2 to 20 seconds, so that a server is found again within less than half the time that it was
    away; *dice* spreads the clients of one server, so that they do not all come back at once.
    """
    return min(20.0, max(0.2, 0.4 * outage)) * dice(0.5, 1.0)
