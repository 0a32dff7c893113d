"""The broker: receives events from clients and from the sandbox, and routes them.

It does not use sockets. A websocket is a function that takes text, and the caller passes in the
packets that it received. Every method may be called from any thread and never blocks.
"""

from __future__ import annotations

import collections
import datetime
import functools
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ftrack_like._base.errors import ParseError
from ftrack_like.sandbox.events.audit import Audit
from ftrack_like.sandbox.events.clients import (
    IDENTIFIER_LIMIT,
    Client,
    Matches,
    RemoteSubscriber,
    Speak,
    UnsentEvent,
    Websocket,
    compile_bounded,
)
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import packets
from ftrack_like.wire.events import new_id
from ftrack_like.wire.topics import TopicIndex

__all__ = ["Broker", "sent_now"]

_LOGGER = logging.getLogger(__name__)

#: Seconds for which an absent client is remembered, and the maximum number of absent clients.
RETENTION = 120.0
RETAINED_CLIENTS = 1000
#: Seconds that a returning client may take from one subscription to the next. After that, it
#: receives the events that it missed.
RESUME_PATIENCE = 5.0
#: The number of event ids to remember, so that a repeated event is routed once.
REMEMBERED_EVENTS = 20_000
#: Longer targets (in characters) are compiled each time and not remembered.
REMEMBERED_TARGET = 1024

#: Topics of events that clients expect only from the server, or from themselves.
_OURS = frozenset(
    {
        "ftrack.update",
        "ftrack.meta.connected",
        "ftrack.meta.disconnected",
        "ftrack.meta.reconnected",
    }
)


def sent_now() -> str:
    """Return the current time for the audit: UTC, with milliseconds."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return f"{now.isoformat(timespec='milliseconds')}Z"


#: Returns the part of an event that a user may see, given the user's name; None for nothing.
View = Callable[[str, Mapping[str, Any]], Optional[Mapping[str, Any]]]


class Broker:
    """Routes events by subscription and target, one copy for each client."""

    def __init__(
        self, heartbeat: float = 15.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Initialise a broker without clients.

        A client that is silent for 1.5 times *heartbeat* seconds counts as gone. *clock* returns
        seconds.
        """
        self.heartbeat = heartbeat
        self._clock = clock
        self._lock = threading.RLock()
        self._index: TopicIndex[RemoteSubscriber] = TopicIndex()
        self._by_identifier: dict[str, RemoteSubscriber] = {}
        self._clients: dict[Websocket, Client] = {}
        self._away: collections.OrderedDict[Client, None] = collections.OrderedDict()
        #: On which websocket an event was published first, by user, hub and event.
        self._published: collections.OrderedDict[tuple[str, Any, str], int] = (
            collections.OrderedDict()
        )
        self._audit = Audit()

    # Websockets.

    def connect(
        self,
        username: str,
        send: Callable[[str], None],
        replays: bool = False,
        *,
        speak: Optional[Speak] = None,
        end: Callable[[], None] = lambda: None,
    ) -> Websocket:
        """Return a new websocket of *username*; *send* sends packets to it.

        *speak* returns the user to put into an event. *end* closes the websocket and must not
        block. See :class:`~ftrack_like.sandbox.events.clients.Websocket`.
        """
        with self._lock:
            websocket = Websocket(username, send, replays, self._clock(), speak, end)
            self._clients[websocket] = Client(websocket)
            websocket.step("connect")
            send(packets.GREETING)
            return websocket

    def receive(self, websocket: Websocket, payload: Any) -> None:
        """Handle *payload*, any text or bytes that *websocket* received."""
        packet = packets.split(payload)
        message = packets.read(packet)
        with self._lock:
            websocket.heard = self._clock()
            client = self._clients.get(websocket)
            handler = _HANDLERS.get(type(message))
            if client is not None and handler is not None:
                handler(self, client, message, packet.identifier)

    def disconnect(self, websocket: Websocket) -> None:
        """Note that *websocket* is closed. Its client may return on another one."""
        with self._lock:
            websocket.step("lost")
            client = self._clients.pop(websocket, None)
            if client is None:
                return
            client.leave(self._clock())
            if client.subscribers:
                self._away[client] = None
            self._forget_the_long_gone()

    def dismiss(self, username: str) -> None:
        """Close the websockets of *username*, and drop its clients with their missed events."""
        with self._lock:
            leaving = [one for one in self._clients if one.username == username]
            for websocket in leaving:
                self.disconnect(websocket)
                websocket.end()
            for client in [one for one in self._away if one.username == username]:
                del self._away[client]
                for subscriber in list(client.subscribers.values()):
                    self._remove(subscriber)

    def is_silent(self, websocket: Websocket) -> bool:
        """Return whether *websocket* has been silent for so long that it must be broken."""
        return self._clock() - websocket.heard > 1.5 * self.heartbeat

    def resume_late(self, websocket: Websocket) -> None:
        """Send the held events to a client that has not repeated all its subscriptions in time.

        Call this regularly for each websocket.
        """
        with self._lock:
            client = self._clients.get(websocket)
            late = client is not None and self._clock() >= client.resume_at
            if client is not None and client.resuming and late:
                for identifier in client.expected:
                    self._remove(client.subscribers[identifier])
                client.resume()

    # Events.

    def publish(self, event: Mapping[str, Any], view: Optional[View] = None) -> int:
        """Route *event*, in its wire form, to the matching clients; return their number.

        Missing values of `id`, `source`, `target` and `inReplyToEvent` are filled in. `sent` is
        always None, as on a site. *view* is called with a user name and the event; it returns the
        part that the user may see, None for nothing. Without *view*, users see the whole event.
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
        text = packets.dumps(complete)
        with self._lock:
            self._forget_the_long_gone()
            recipients = self._recipients(complete)
            self._audit.add(text, len(recipients), sent_now())
            if recipients:
                self._deliver(complete, text, recipients, view)
            return len(recipients)

    def _deliver(
        self, event: Mapping[str, Any], text: str, recipients: list[Client], view: Optional[View]
    ) -> None:
        """Send *event*, *text* as JSON, to *recipients*; *view* reduces it for each user."""
        whole: Optional[UnsentEvent] = None
        by_user: dict[str, Optional[UnsentEvent]] = {}
        for client in recipients:
            name = client.username
            if name not in by_user:
                seen = event if view is None else view(name, event)
                if seen is event:
                    whole = whole or UnsentEvent(event, packets.event_text(text))
                    by_user[name] = whole
                else:
                    by_user[name] = _waiting(seen)
            waiting = by_user[name]
            if waiting is not None:
                client.deliver(waiting)

    def audit(self, limit: Optional[int] = None) -> list[dict[str, Any]]:
        """Return the latest events, oldest first: `{"event": {…}, "recipients": int, "sent": str}`.

        *limit* is the maximum number; None means all events that are kept.
        """
        with self._lock:
            return self._audit.latest(limit)

    def statistics(self) -> dict[str, int]:
        """Return the numbers of websockets, subscribers and absent clients."""
        with self._lock:
            return {
                "connections": len(self._clients),
                "subscribers": len(self._by_identifier),
                "away": len(self._away),
            }

    def _recipients(self, event: Mapping[str, Any]) -> list[Client]:
        try:
            wanted = _target_matches(event["target"]) if event["target"] else None
        except ParseError as error:
            raise ValueError(f"The target is invalid. {error}") from error
        clients: dict[Client, None] = {}
        for subscriber in self._index.candidates(event["topic"]):
            if subscriber.client in clients:
                continue
            if wanted is not None and not wanted(subscriber.metadata):
                continue
            if subscriber.matches(event):
                clients[subscriber.client] = None
        return list(clients)

    # Packets of clients.

    def _on_event(self, client: Client, message: packets.EventMessage, identifier: str) -> None:
        answer: dict[str, Any] = {"success": True}
        if message.name == packets.EVENT_NAME:
            for argument in message.arguments:
                try:
                    self._take(client, argument)
                except (ValueError, ParseError) as error:
                    answer = {"success": False, "message": str(error)}
        if identifier and client.websocket is not None:
            client.websocket.send(packets.join(packets.acknowledgement(identifier, answer)))

    def _on_acknowledgement(
        self, client: Client, message: packets.Acknowledgement, identifier: str
    ) -> None:
        client.acknowledge(message.identifier)

    def _on_disconnect(self, client: Client, message: packets.Disconnect, identifier: str) -> None:
        """Drop the subscribers of a client that disconnects properly."""
        if client.websocket is not None:
            client.websocket.step("disconnect")
        for subscriber in list(client.subscribers.values()):
            self._remove(subscriber)

    def _take(self, client: Client, argument: Any) -> None:
        """Handle an event of *client*; raise ValueError or ParseError if that is not possible."""
        fields = wire_events.from_wire(argument)
        if client.websocket is not None:
            client.websocket.hub_id = _text(fields["source"].get("id"))
        topic = fields["topic"]
        if max(len(topic), len(fields.get("id") or "")) > IDENTIFIER_LIMIT:
            raise ValueError(
                f"Topic and id of an event have at most {IDENTIFIER_LIMIT} characters."
            )
        if topic == "ftrack.meta.subscribe":
            self._subscribe(RemoteSubscriber.read(fields["data"], client))
        elif topic == "ftrack.meta.unsubscribe":
            self._unsubscribe(client, fields["data"])
        elif topic in _OURS:
            raise ValueError(f"Only the server publishes events of the topic {topic}.")
        elif not self._is_repeat(client, fields):
            if client.websocket is not None:
                source = fields["source"]
                fields["source"] = {**source, "user": client.websocket.speak(source.get("user"))}
            self.publish(wire_events.to_wire(fields))

    def _is_repeat(self, client: Client, fields: Mapping[str, Any]) -> bool:
        """Return whether the event came before, on an earlier websocket of the same hub.

        A program that publishes the same event twice on one websocket means two events.
        """
        websocket, identifier = client.websocket, fields.get("id")
        if websocket is None or identifier is None:
            return False
        event = (client.username, websocket.hub_id, identifier)
        first = self._published.setdefault(event, websocket.number)
        if len(self._published) > REMEMBERED_EVENTS:
            self._published.popitem(last=False)
        return first != websocket.number

    def _subscribe(self, subscriber: RemoteSubscriber) -> None:
        client = subscriber.client
        client.require_room(subscriber)
        holder = self._by_identifier.get(subscriber.identifier)
        if holder is not None:
            if holder.client is not client:
                self._take_over(client, holder)
            elif subscriber.identifier not in client.expected and not holder.equals(subscriber):
                raise ValueError(_taken(subscriber.identifier))
            self._remove(self._by_identifier[subscriber.identifier])
        self._by_identifier[subscriber.identifier] = subscriber
        client.subscribers[subscriber.identifier] = subscriber
        self._index.add(subscriber, subscriber.topics)
        client.expected.discard(subscriber.identifier)
        client.resume_at = self._clock() + RESUME_PATIENCE
        if client.resuming and not client.expected:
            client.resume()

    def _take_over(self, client: Client, holder: RemoteSubscriber) -> None:
        """Move the subscribers of *holder*'s client to *client*, or raise ValueError.

        Both clients must be the same hub, or the websocket of the old client must be broken.
        """
        old = holder.client
        if old.username != client.username:
            raise ValueError(_taken(holder.identifier))
        if old.websocket is not None:
            same_hub = old.hub_id is not None and old.hub_id == client.hub_id
            if not (same_hub or self.is_silent(old.websocket)):
                raise ValueError(_taken(holder.identifier))
            self.disconnect(old.websocket)
        self._away.pop(old, None)
        client.inherit(old)

    def _unsubscribe(self, client: Client, data: Any) -> None:
        metadata = data.get("subscriber") if isinstance(data, Mapping) else None
        identifier = metadata.get("id") if isinstance(metadata, Mapping) else None
        subscriber = client.subscribers.get(identifier) if isinstance(identifier, str) else None
        if subscriber is None:
            raise ValueError(f"There is no subscriber with the id {identifier!r} to unsubscribe.")
        self._remove(subscriber)
        client.expected.discard(subscriber.identifier)
        if client.resuming and not client.expected:
            client.resume()

    def _remove(self, subscriber: RemoteSubscriber) -> None:
        self._index.remove(subscriber, subscriber.topics)
        self._by_identifier.pop(subscriber.identifier, None)
        subscriber.client.subscribers.pop(subscriber.identifier, None)

    def _forget_the_long_gone(self) -> None:
        now = self._clock()
        while self._away:
            client = next(iter(self._away))
            recent = client.gone_at is not None and now - client.gone_at < RETENTION
            if recent and len(self._away) <= RETAINED_CLIENTS:
                return
            del self._away[client]
            for subscriber in list(client.subscribers.values()):
                self._remove(subscriber)


#: The handlers by kind of packet; the other kinds need no handler.
_HANDLERS: dict[type, Callable[[Broker, Client, Any, str], None]] = {
    packets.EventMessage: Broker._on_event,  # noqa: SLF001 - the class above
    packets.Acknowledgement: Broker._on_acknowledgement,  # noqa: SLF001 - the class above
    packets.Disconnect: Broker._on_disconnect,  # noqa: SLF001 - the class above
}


def _waiting(event: Optional[Mapping[str, Any]]) -> Optional[UnsentEvent]:
    return None if event is None else UnsentEvent(event, packets.dumps(packets.event_data(event)))


def _target_matches(target: str) -> Matches:
    short = len(target) <= REMEMBERED_TARGET
    return _remembered_target(target) if short else compile_bounded(target)[1]


@functools.lru_cache(maxsize=1024)
def _remembered_target(target: str) -> Matches:
    return compile_bounded(target)[1]


def _taken(identifier: str) -> str:
    return f"A subscriber with the id {identifier} is subscribed already."


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None
