"""The exchange: the way of an event from where it is published to the clients of a site.

A broker knows the clients of its own process. It hands each event to its exchange, and the exchange
passes the event to the brokers of all processes. A site on SQLite has one process, so its
:class:`LocalExchange` calls the broker at once. Processes that share a PostgreSQL database use
:class:`~ftrack_like.sandbox.events.postgresql.PostgresExchange`.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Optional, Protocol

from ftrack_like.sandbox.events.clients import Client, Position, RemoteSubscriber
from ftrack_like.wire import packets
from ftrack_like.wire.events import new_id

__all__ = [
    "Exchange",
    "Left",
    "LocalExchange",
    "Origin",
    "Parcel",
    "Router",
    "Settle",
    "completed",
]

#: The number of published events to remember, so that a repeated event is routed once.
REMEMBERED_EVENTS = 20_000

#: Called once when a request of a client is done, with None or with the reason of a refusal. Any
#: thread may call it.
Settle = Callable[[Optional[str]], None]


class Origin(NamedTuple):
    """What identifies an event of a client: *username*, the id of the hub, and the *event* id.

    *websocket* is the websocket that the event came on. A program that publishes the same event
    twice on one websocket means two events. On another websocket, the event is a repetition.
    """

    username: str
    hub: Optional[str]
    event: str
    websocket: str


@dataclass(frozen=True)
class Parcel:
    """A complete *event* in its wire form, and as JSON.

    A *restricted* event is reduced to what each user may see. *number* is the number of the event
    in the outbox, None if there is no outbox.
    """

    event: Mapping[str, Any]
    text: str
    restricted: bool = False
    number: Optional[int] = None


@dataclass(frozen=True)
class Left:
    """What a client has received when it left: all events up to *position*, without *pending*.

    *is_complete* is false if too many events waited for it, and some were dropped.
    """

    position: Optional[Position]
    pending: Sequence[int] = field(default=())
    is_complete: bool = True


class Router(Protocol):
    """The part of a broker that an exchange uses. Any thread may call the methods."""

    def route(self, parcel: Parcel) -> int:
        """Pass *parcel* to the matching clients of this process; return their number."""

    def reached(self, snapshot: str) -> None:
        """Note that all events that *snapshot* of the outbox sees are routed."""

    def claimed(self, client: Client, identifier: str, problem: Optional[str]) -> bool:
        """End a claim that :meth:`Exchange.claim` began; a *problem* removes the subscriber.

        Return whether the subscriber gets all events since its connection to another process.
        """

    def adopt(
        self,
        client: Client,
        subscribers: Sequence[Mapping[str, Any]],
        missed: Sequence[Parcel],
        is_complete: bool,
    ) -> None:
        """Give *client* the *subscribers* and the *missed* events of its earlier connection."""

    def release(self, client_id: str, hub_id: Optional[str]) -> Optional[Left]:
        """Give up a client that returned to another process; None if it is unknown.

        Raise :exc:`ValueError` if it is connected here and *hub_id* is another hub.
        """

    def abandon(self, client_ids: Sequence[str]) -> None:
        """Drop clients that other processes have adopted, and close their websockets."""

    def remembered(self) -> Sequence[tuple[Client, Left]]:
        """Return the clients whose subscriptions are settled, with what they have received."""

    def forget_rights(self, usernames: Sequence[str]) -> None:
        """Read the rights of all users again, and end the connections of *usernames*."""


class Exchange(Protocol):
    """Passes events and subscriptions between the processes of a site."""

    def attach(self, router: Router) -> None:
        """Route events with *router* from now on. Call this once, before any other method."""

    def post(self, parcel: Parcel, origin: Optional[Origin], settle: Settle) -> int:
        """Route *parcel* in all processes, and call *settle* when it cannot be lost any more.

        Drop the parcel if another websocket of its *origin* has brought it before. Return the
        number of clients that it went to, or 0 if it is routed later.
        """

    def claim(
        self, subscriber: RemoteSubscriber, settle: Settle, resumed: Callable[[], None]
    ) -> bool:
        """Record that *subscriber* is connected to this process; return whether that is done.

        Otherwise the exchange calls :meth:`Router.claimed` later. Another process may hold the
        subscriber; then the exchange calls :meth:`Router.adopt` before. It calls *resumed* before
        *settle* if the subscriber gets all events since its connection to the other process.
        """

    def drop(self, client: Client, identifier: str) -> None:
        """Forget a subscriber that *client* does not have any more."""

    def start(self) -> None:
        """Begin to carry events; call this once, after :meth:`attach`."""

    def stop(self) -> None:
        """Carry what is on the way, and end."""

    def catch_up(self, seconds: float = 5.0) -> None:
        """Return when all events that were stored before the call are routed in this process.

        Raise :exc:`TimeoutError` after *seconds*.
        """


class LocalExchange:
    """The exchange of a site with one process: the broker routes each event at once."""

    def __init__(self) -> None:
        self._router: Optional[Router] = None
        #: On which websocket an event was published first, by user, hub and event.
        self._published: collections.OrderedDict[tuple[str, Optional[str], str], str] = (
            collections.OrderedDict()
        )

    def attach(self, router: Router) -> None:
        """Route events with *router*."""
        self._router = router

    def post(self, parcel: Parcel, origin: Optional[Origin], settle: Settle) -> int:
        """Route *parcel* unless it is a repetition; see :class:`Exchange`."""
        assert self._router is not None, "the exchange has no broker"
        count = 0
        if origin is None or not self._is_repeat(origin):
            count = self._router.route(parcel)
        settle(None)
        return count

    def _is_repeat(self, origin: Origin) -> bool:
        """Return whether another websocket of the same hub brought the event before."""
        first = self._published.setdefault(origin[:3], origin.websocket)
        if len(self._published) > REMEMBERED_EVENTS:
            self._published.popitem(last=False)
        return first != origin.websocket

    def claim(
        self, subscriber: RemoteSubscriber, settle: Settle, resumed: Callable[[], None]
    ) -> bool:
        """Do nothing: no other process can hold the subscriber."""
        settle(None)
        return True

    def drop(self, client: Client, identifier: str) -> None:
        """Do nothing, because only the broker stores subscribers."""

    def start(self) -> None:
        """Do nothing, because the broker does the work."""

    def stop(self) -> None:
        """Do nothing, because nothing is on the way."""

    def catch_up(self, seconds: float = 5.0) -> None:
        """Return at once, because each event is routed when it is published."""


def completed(event: Mapping[str, Any], restricted: bool = False) -> Parcel:
    """Return the parcel for *event*, in its wire form, with all its values.

    Missing values of `id`, `source`, `target` and `inReplyToEvent` are filled in. `sent` is always
    None, as on a site.
    """
    complete = {
        "data": {},
        "source": {},
        "target": "",
        "inReplyToEvent": None,
        **event,
        "id": event.get("id") or new_id(),
        "sent": None,
    }
    return Parcel(complete, packets.dumps(complete), restricted)
