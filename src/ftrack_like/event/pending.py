"""Records of what is pending: sent events, received packets, and replies.

Everything in this module is pure: callers pass the time, in seconds of a monotonic clock. The
records have no locks; the parts of the hub that own them do.

The records are ordered dictionaries that get entries at one end and lose them at the other.
Finding the first entry of a plain dictionary would pass over all the removed ones before it.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Hashable, Iterator, Mapping
from typing import Callable, Generic, NamedTuple, Optional, TypeVar

from ftrack_like.wire.events import Event
from ftrack_like.wire.packets import JsonValue

__all__ = [
    "Arrivals",
    "OnPacketAnswer",
    "Outbox",
    "OutgoingEvent",
    "PacketAnswer",
    "RecentlySeen",
    "ReplyBook",
    "back_off",
]

ReplyReceiver = TypeVar("ReplyReceiver")

#: The server's answer to a packet, such as `{"success": True}`.
PacketAnswer = Mapping[str, JsonValue]
#: A function to call with the server's answer to a packet.
OnPacketAnswer = Callable[[PacketAnswer], object]


class OutgoingEvent(NamedTuple):
    """An *event* to send, and the *callback* for the server's answer to it, or None."""

    event: Event
    callback: Optional[OnPacketAnswer] = None


class Outbox:
    """The events that were sent and not acknowledged, in the order of sending."""

    def __init__(self, limit: int) -> None:
        """Initialise an outbox for at most *limit* events."""
        self.limit = limit
        self.forgotten: int = 0
        self._sendings: collections.OrderedDict[int, OutgoingEvent] = collections.OrderedDict()

    def __len__(self) -> int:
        """Return the number of events without an acknowledgement."""
        return len(self._sendings)

    def add(self, number: int, sending: OutgoingEvent) -> bool:
        """Add *sending* under the packet *number*.

        Return False if this removed the oldest event. That event was sent, so it has probably
        arrived. It is lost only if the connection broke before the server read it.
        """
        self._sendings[number] = sending
        if len(self._sendings) <= self.limit:
            return True
        self._sendings.popitem(last=False)
        self.forgotten += 1
        return False

    def acknowledge(self, number: int) -> None:
        """Remove the event with the packet *number*, if it is there."""
        self._sendings.pop(number, None)

    def take_all(self) -> list[OutgoingEvent]:
        """Remove all events and return them, oldest first, to be sent again."""
        sendings = list(self._sendings.values())
        self._sendings.clear()
        return sendings


class Arrivals:
    """The received packets that are not acknowledged yet.

    Packets arrive in order. Acknowledging a packet acknowledges all earlier packets.
    """

    def __init__(self, count: int, patience: float) -> None:
        """Initialise for one acknowledgement per *count* packets, or after *patience* seconds."""
        self._count = count
        self._patience = patience
        self._latest = ""
        self._arrived = 0
        self._due = 0.0

    def add(self, identifier: str, now: float) -> bool:
        """Add the packet *identifier*; return whether there are enough to acknowledge."""
        if not self._latest:
            self._due = now + self._patience
        self._latest = identifier
        self._arrived += 1
        return self._arrived >= self._count

    def left(self, now: float) -> Optional[float]:
        """Return the seconds until the next acknowledgement is due, None without packets."""
        return max(0.0, self._due - now) if self._latest else None

    def take(self) -> str:
        """Remove all packets and return the latest identifier, empty without packets."""
        latest, self._latest, self._arrived = self._latest, "", 0
        return latest


class RecentlySeen:
    """The latest texts that were shown to it."""

    def __init__(self, limit: int) -> None:
        """Initialise for the latest *limit* texts."""
        self._limit = limit
        self._seen: collections.OrderedDict[Hashable, None] = collections.OrderedDict()

    def is_repeat(self, text: Hashable) -> bool:
        """Add *text* and return whether it was there already."""
        if text in self._seen:
            return True
        self._seen[text] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return False


class ReplyBook(Generic[ReplyReceiver]):
    """The receivers of replies, by the id of the event, each for a limited time."""

    def __init__(self, limit: int) -> None:
        """Initialise for at most *limit* events; the oldest are removed beyond that."""
        self._limit = limit
        self._entries: collections.OrderedDict[str, tuple[float, ReplyReceiver]] = (
            collections.OrderedDict()
        )

    def __len__(self) -> int:
        """Return the number of events with a receiver."""
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids of the events."""
        return iter(list(self._entries))

    def add(self, event_id: str, item: ReplyReceiver, now: float, lifetime: float) -> None:
        """Add *item* as the receiver for the event *event_id*, for *lifetime* seconds."""
        self.release(now)
        self._entries.pop(event_id, None)
        self._entries[event_id] = (now + lifetime, item)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, event_id: str) -> Optional[ReplyReceiver]:
        """Return the receiver for the event *event_id*, or None."""
        entry = self._entries.get(event_id)
        return None if entry is None else entry[1]

    def remove(self, event_id: str) -> None:
        """Remove the receiver for the event *event_id*."""
        self._entries.pop(event_id, None)

    def release(self, now: float) -> None:
        """Remove expired receivers, oldest first, up to the first that has not expired."""
        while self._entries:
            oldest = next(iter(self._entries))
            if self._entries[oldest][0] > now:
                return
            self._entries.popitem(last=False)


def back_off(outage: float, dice: Callable[[float, float], float] = random.uniform) -> float:
    """Return the seconds to wait before the next try to connect.

    *outage* is the number of seconds without a connection. The wait grows with it, from 0.2 to 20
    seconds. A client therefore finds the server again in less than half the time of the outage.
    *dice* spreads the clients of a server, so that they do not all return at once.
    """
    return min(20.0, max(0.2, 0.4 * outage)) * dice(0.5, 1.0)
