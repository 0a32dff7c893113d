"""The clients of the broker, their subscribers, and the events that wait for them.

A client is an event hub in a program. The broker keeps a client for a while after its websocket is
closed, so that a hub that reconnects receives the events that it missed. An event takes one of
three ways:

* The client is connected: the event is sent. A client that acknowledges events (*replays*) may lose
  the connection before it reads them, so sent events are kept until they are acknowledged.
* The client is away: the event is held.
* The client is returning: the event is held until the client has subscribed again. Then all held
  events that match its subscribers are sent, in order.

When a websocket closes, its unacknowledged events are put before the held events. The hub may
receive an event twice in this way, and drops the repeat.

The classes here are pure and take no lock: the broker guards them.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional

from ftrack_like.wire import expression as event_expression
from ftrack_like.wire import packets
from ftrack_like.wire.events import new_id
from ftrack_like.wire.states import WEBSOCKET, advance
from ftrack_like.wire.topics import Topics

__all__ = [
    "BUFFER_LIMIT",
    "EXPRESSION_LIMIT",
    "IDENTIFIER_LIMIT",
    "SUBSCRIPTIONS_LIMIT",
    "Client",
    "Matches",
    "Position",
    "RemoteSubscriber",
    "Speak",
    "Websocket",
    "compile_bounded",
]

#: The maximum number of events that are kept for an absent client, and of events that are kept
#: until a client acknowledges them, and their size in characters of JSON. Beyond that, the oldest
#: are dropped.
BUFFER_LIMIT = 10_000
BUFFER_SIZE = 64 * 1024 * 1024

#: The maximum length of an expression and of an id, in characters, and of all expressions and
#: metadata of a client. The broker compares each event with all of these.
EXPRESSION_LIMIT = 64 * 1024
IDENTIFIER_LIMIT = 1024
SUBSCRIPTIONS_LIMIT = 1024 * 1024

_numbers = itertools.count(1)

#: Returns whether an event, or the metadata of a subscriber, matches an expression.
Matches = Callable[[Mapping[str, Any]], bool]

#: Returns the user to put into an event, given the user that the event names.
Speak = Callable[[Any], Mapping[str, Any]]


class Websocket:
    """A websocket of a user; *send* takes the text of a packet and must not block."""

    def __init__(
        self,
        username: str,
        send: Callable[[str], None],
        replays: bool,
        now: float,
        speak: Optional[Speak] = None,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """Initialise the websocket that *username* opened at *now*.

        *replays* means that the client acknowledges events and drops repeated events. *speak* is
        called with the user that an event of the client names, and returns the user to put into the
        event. *end* closes the websocket.
        """
        self.number: int = next(_numbers)
        self.username = username
        self.replays = replays
        self.send = send
        self.end = end
        self.speak: Speak = speak or (lambda said: {"username": username})
        self.heard = now
        self.state: str = "opening"
        self.hub_id: Optional[str] = None

    def step(self, happening: str) -> None:
        """Advance to the state that follows *happening*."""
        self.state = advance(WEBSOCKET, self.state, happening)


@dataclass(eq=False)
class RemoteSubscriber:
    """A subscriber: its *metadata*, for targets of events, and its expression."""

    identifier: str
    metadata: Mapping[str, Any]
    text: str
    topics: Optional[Topics]
    matches: Matches
    client: Client
    size: int = 0

    @classmethod
    def read(cls, data: Any, client: Client) -> RemoteSubscriber:
        """Return the subscriber that *data*, of an event `ftrack.meta.subscribe`, describes.

        Raise :exc:`ValueError` or :exc:`~ftrack_like.exception.ParseError` if *data* is invalid.
        """
        metadata = data.get("subscriber") if isinstance(data, Mapping) else None
        text = data.get("subscription") if isinstance(data, Mapping) else None
        identifier = metadata.get("id") if isinstance(metadata, Mapping) else None
        if not (isinstance(identifier, str) and identifier):
            raise ValueError("The data must have a mapping subscriber with an id, as text.")
        if len(identifier) > IDENTIFIER_LIMIT:
            raise ValueError(f"The id of a subscriber has at most {IDENTIFIER_LIMIT} characters.")
        if not isinstance(text, str):
            raise ValueError("The data must have a subscription, as text.")
        expression, matches = compile_bounded(text)
        topics = event_expression.topics_of(expression)
        size = len(text) + len(packets.dumps(metadata))
        return cls(identifier, dict(metadata or {}), text, topics, matches, client, size)

    def equals(self, other: RemoteSubscriber) -> bool:
        """Return whether *other* is the same subscription, sent once more.

        A hub that connects while a program subscribes sends the subscription twice.
        """
        return (self.text, self.metadata) == (other.text, other.metadata)

    def name_user(self) -> None:
        """Replace the user in the metadata by the user of the connection, as in events.

        A target such as `user.id="…"` otherwise reached everybody who claims to be this user.
        """
        websocket, said = self.client.websocket, self.metadata.get("user")
        if websocket is not None and isinstance(said, Mapping):
            self.metadata = {**self.metadata, "user": {**said, **websocket.speak(said)}}


def compile_bounded(text: str) -> tuple[event_expression.Expression, Matches]:
    """Return the expression *text*, parsed and as a function.

    Raise :exc:`ValueError` if it is too long, :exc:`~ftrack_like.exception.ParseError` if it is
    invalid.
    """
    if len(text) > EXPRESSION_LIMIT:
        raise ValueError(
            f"An expression has at most {EXPRESSION_LIMIT} characters, not {len(text)}."
        )
    expression = event_expression.Parser().parse(text)
    return expression, event_expression.compile_expression(expression)


class Position(NamedTuple):
    """The events of the outbox that a process has routed.

    These are the events of all transactions that *snapshot*, a snapshot of PostgreSQL, sees, and
    the events with the numbers *further*.
    """

    snapshot: str
    further: tuple[int, ...] = ()


@dataclass
class UnsentEvent:
    """An event on its way to a client: the event, the JSON of its packet, and its number.

    *number* is the number in the outbox of the server, None if there is no outbox.
    """

    event: Mapping[str, Any]
    data: str
    number: Optional[int] = None


class Backlog:
    """Numbered events in order; beyond the limits, only the latest are kept."""

    def __init__(self) -> None:
        self._waiting: collections.deque[tuple[int, UnsentEvent]] = collections.deque()
        self._size = 0
        #: Whether events were dropped because of the limits.
        self.overflowed: bool = False

    def add(self, number: int, waiting: UnsentEvent) -> None:
        """Add an event; *number* must be higher than all earlier numbers."""
        self._waiting.append((number, waiting))
        self._size += len(waiting.data)
        while len(self._waiting) > BUFFER_LIMIT or self._size > BUFFER_SIZE:
            self._drop_oldest()
            self.overflowed = True

    def drop_through(self, number: int) -> None:
        """Drop the events up to *number*."""
        while self._waiting and self._waiting[0][0] <= number:
            self._drop_oldest()

    def take_all(self) -> list[UnsentEvent]:
        """Return all events, oldest first, and drop them."""
        taken = [waiting for _, waiting in self._waiting]
        self._waiting.clear()
        self._size = 0
        return taken

    def numbers(self) -> list[int]:
        """Return the numbers in the outbox of all events, oldest first."""
        return [one.number for _, one in self._waiting if one.number is not None]

    def _drop_oldest(self) -> None:
        _, waiting = self._waiting.popleft()
        self._size -= len(waiting.data)


class Client:
    """An event hub in a program, as the broker knows it.

    `websocket` is None while the client is away. `expected` contains the ids of subscribers from
    before that the client has not subscribed again. While there are any, the broker holds new
    events back, so that they arrive after the missed events. It waits for missing subscriptions
    until `resume_at`. It also holds events back while `claims` subscriptions wait for the other
    processes of the site.
    """

    def __init__(self, websocket: Websocket) -> None:
        """Initialise a client that has just opened *websocket*."""
        self.id: str = new_id()
        self.username: str = websocket.username
        self.websocket: Optional[Websocket] = websocket
        self.subscribers: dict[str, RemoteSubscriber] = {}
        self.expected: set[str] = set()
        self.resuming: bool = False
        self.claims: int = 0
        #: Whether the events that were held for an earlier websocket are all there.
        self.is_complete: bool = True
        #: The ids of the subscribers that the client had in another process.
        self.inherited: AbstractSet[str] = frozenset()
        self.resume_at: float = 0.0
        self.gone_at: Optional[float] = None
        self._held = Backlog()
        self._unacknowledged = Backlog()
        self._number = 0

    @property
    def has_overflowed(self) -> bool:
        """Return whether too many events waited for the client, and some were dropped."""
        return self._held.overflowed or self._unacknowledged.overflowed

    @property
    def hub_id(self) -> Optional[str]:
        """Return the id of the hub in the events that it publishes, None if not known."""
        return None if self.websocket is None else self.websocket.hub_id

    def deliver(self, waiting: UnsentEvent) -> None:
        """Send an event to the client, or hold it while the client is away or returning."""
        if self.websocket is None or self.resuming or self.claims:
            self._hold(waiting)
        else:
            self._send(self.websocket, waiting)

    def acknowledge(self, number: int) -> None:
        """Drop the event that was sent as packet *number*, and all earlier events.

        A client reads in order and may acknowledge many events at once.
        """
        self._unacknowledged.drop_through(number)

    def leave(self, now: float) -> None:
        """Note that the websocket is closed; from now on events are held."""
        sent, held = self._unacknowledged.take_all(), self._held.take_all()
        for waiting in [*(sent if self._replays else ()), *held]:
            self._hold(waiting)
        self.websocket = None
        self.gone_at = now

    def inherit(self, old: Client) -> None:
        """Take over from *old*, the same hub on an earlier websocket that is closed."""
        self.resuming = True
        self.is_complete = not old.has_overflowed
        for waiting in [*old._held.take_all(), *self._held.take_all()]:
            self._hold(waiting)
        for identifier, subscriber in old.subscribers.items():
            subscriber.client = self
            self.subscribers.setdefault(identifier, subscriber)
            self.expected.add(identifier)
        old.subscribers.clear()

    def replay(self, missed: Sequence[UnsentEvent], inherited: AbstractSet[str]) -> None:
        """Hold the *missed* events, which include those held for the *inherited* subscribers."""
        known = {waiting.number for waiting in missed}
        others = [one for name, one in self.subscribers.items() if name not in inherited]
        held = self._held.take_all()
        for waiting in missed:
            self._hold(waiting)
        for waiting in held:
            if waiting.number not in known and any(one.matches(waiting.event) for one in others):
                self._hold(waiting)

    def pending(self) -> list[int]:
        """Return the numbers in the outbox of the events to send again after a new connection."""
        sent = self._unacknowledged.numbers() if self._replays else []
        return [*sent, *self._held.numbers()]

    def resume_if_ready(self) -> None:
        """Send the held events if no subscription is missing, and none waits."""
        if not self.expected and not self.claims:
            self.resume()

    def resume(self) -> None:
        """Send the held events that match the current subscribers."""
        self.resuming = False
        self.expected.clear()
        if self.websocket is None or self.claims:
            return
        for waiting in self._held.take_all():
            if any(entry.matches(waiting.event) for entry in self.subscribers.values()):
                self.deliver(waiting)

    def require_room(self, subscriber: RemoteSubscriber) -> None:
        """Raise :exc:`ValueError` if *subscriber* exceeds the limits of the client."""
        kept = (one for one in self.subscribers.values() if one.identifier != subscriber.identifier)
        if sum(one.size for one in kept) + subscriber.size > SUBSCRIPTIONS_LIMIT:
            raise ValueError(
                f"The subscriptions of one client have at most {SUBSCRIPTIONS_LIMIT} characters, "
                "with the metadata of the subscribers. Unsubscribe others first."
            )

    @property
    def _replays(self) -> bool:
        return self.websocket is not None and self.websocket.replays

    def _hold(self, waiting: UnsentEvent) -> None:
        self._number += 1
        self._held.add(self._number, waiting)

    def _send(self, websocket: Websocket, waiting: UnsentEvent) -> None:
        identifier = ""
        if websocket.replays:
            self._number += 1
            identifier = f"{self._number}+"
            self._unacknowledged.add(self._number, waiting)
        websocket.send(packets.join(packets.Packet("5", identifier, "", waiting.data)))
