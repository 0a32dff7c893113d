"""The broker: receives events from clients and from the sandbox, and routes them.

It does not use sockets. A websocket is a function that takes text, and the caller passes in the
packets that it received. Every method may be called from any thread and never blocks.

The broker knows the clients of this process. Its exchange passes events to the brokers of the other
processes of the site, and tells which clients return to another process.
"""

from __future__ import annotations

import collections
import datetime
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from ftrack_like._base.errors import ParseError
from ftrack_like.sandbox.clock import utc_now
from ftrack_like.sandbox.events.answers import Answer, taken
from ftrack_like.sandbox.events.audit import Audit
from ftrack_like.sandbox.events.clients import (
    IDENTIFIER_LIMIT,
    Client,
    RemoteSubscriber,
    Speak,
    Websocket,
)
from ftrack_like.sandbox.events.departures import Departures
from ftrack_like.sandbox.events.exchange import (
    Exchange,
    Left,
    LocalExchange,
    Origin,
    Parcel,
    Settle,
    completed,
)
from ftrack_like.sandbox.events.targets import require_target, target_matches
from ftrack_like.sandbox.events.views import View, Views
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import packets
from ftrack_like.wire.events import new_id
from ftrack_like.wire.topics import TopicIndex

__all__ = ["Broker"]

#: Seconds for which an absent client is remembered, and the maximum number of absent clients.
RETENTION = 120.0
RETAINED_CLIENTS = 1000
#: Seconds that a returning client may take from one subscription to the next. After that, it
#: receives the events that it missed.
RESUME_PATIENCE = 5.0

#: Topics of events that clients expect only from the server, or from themselves.
_OURS = frozenset(
    {
        "ftrack.update",
        "ftrack.meta.connected",
        "ftrack.meta.disconnected",
        "ftrack.meta.reconnected",
    }
)


class Broker:
    """Routes events by subscription and target, one copy for each client."""

    def __init__(
        self,
        heartbeat: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime.datetime] = utc_now,
        view: Optional[View] = None,
        exchange: Optional[Exchange] = None,
    ) -> None:
        """Initialise a broker without clients.

        A client that is silent for 1.5 times *heartbeat* seconds counts as gone. *clock* returns
        seconds. *now* returns the time in UTC for the audit. *view* reduces restricted events for
        each user; without it, users see whole events. *exchange* connects the broker with those of
        other processes; None means that there are no others.
        """
        self._now = now
        self._views = Views(view)
        self.heartbeat = heartbeat
        self._clock = clock
        self._lock = threading.RLock()
        self._index: TopicIndex[RemoteSubscriber] = TopicIndex()
        self._by_identifier: dict[str, RemoteSubscriber] = {}
        self._clients: dict[Websocket, Client] = {}
        self._away: collections.OrderedDict[Client, None] = collections.OrderedDict()
        self._audit = Audit()
        #: Makes the numbers of websockets differ from those of other processes.
        self._token = new_id()
        self._departures = Departures()
        #: Called when another process has changed the rights of users.
        self.rights_listeners: list[Callable[[], None]] = []
        #: The way to the brokers of other processes.
        self.exchange: Exchange = exchange or LocalExchange()
        self.exchange.attach(self)
        #: Called with each published event, in order. They must return at once and never raise.
        self.listeners: list[Callable[[Mapping[str, Any]], None]] = []

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
                self._note_leaving(client)
            self._forget_the_long_gone()

    def dismiss(self, username: str) -> None:
        """Close the websockets of *username*, and drop its clients with their missed events."""
        with self._lock:
            leaving = [one for one in self._clients if one.username == username]
            for websocket in leaving:
                self.disconnect(websocket)
                websocket.end()
            for client in [one for one in self._away if one.username == username]:
                self._forget(client)

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

    def publish(self, event: Mapping[str, Any], restricted: bool = False) -> int:
        """Pass *event*, in its wire form, to the matching clients of all processes.

        Return the number of clients that it went to, or 0 if it is routed later. Missing values of
        `id`, `source`, `target` and `inReplyToEvent` are filled in. `sent` is always None, as on a
        site. A *restricted* event is reduced to what each user may see.
        """
        return self.exchange.post(completed(event, restricted), None, _ignore)

    def route(self, parcel: Parcel) -> int:
        """Pass *parcel* to the matching clients of this process; return their number."""
        with self._lock:
            self._forget_the_long_gone()
            recipients = self._recipients(parcel.event)
            # Look up what each user may see first: if that fails, no client has got the event.
            copies = self._views.copies(parcel, recipients) if recipients else {}
            self._audit.add(parcel.text, len(recipients), self._now())
            for client in recipients:
                copy = copies[client.username]
                if copy is not None:
                    client.deliver(copy)
            for listener in tuple(self.listeners):
                listener(parcel.event)
            if parcel.number is not None:
                self._departures.routed(parcel.number)
            return len(recipients)

    def reached(self, snapshot: str) -> None:
        """Note that all events that *snapshot* of the outbox sees are routed."""
        with self._lock:
            self._departures.reached(snapshot)

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

    def subscriptions(self) -> list[str]:
        """Return the expressions of the subscribers of this process."""
        with self._lock:
            return [each.text for each in self._by_identifier.values()]

    def hubs_for(self, event: Mapping[str, Any]) -> set[Optional[str]]:
        """Return the ids of the hubs of this process that *event* would reach, None if not known.

        *event* is in its wire form.
        """
        with self._lock:
            return {each.hub_id for each in self._recipients(completed(event).event)}

    def _recipients(self, event: Mapping[str, Any]) -> list[Client]:
        try:
            wanted = target_matches(event["target"]) if event["target"] else None
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
        arguments = message.arguments if message.name == packets.EVENT_NAME else ()
        answer = Answer(client.websocket, identifier, len(arguments))
        for argument in arguments:
            try:
                self._take(client, argument, answer)
            except (ValueError, ParseError) as error:
                answer.settle(str(error))

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

    def _take(self, client: Client, argument: Any, answer: Answer) -> None:
        """Handle an event of *client*, and settle the *answer* when that is done.

        Raise ValueError or ParseError, without settling it, if it is not possible.
        """
        fields = wire_events.from_wire(argument)
        if client.websocket is not None:
            client.websocket.hub_id = _text(fields["source"].get("id"))
        topic = fields["topic"]
        if max(len(topic), len(fields.get("id") or "")) > IDENTIFIER_LIMIT:
            raise ValueError(
                f"Topic and id of an event have at most {IDENTIFIER_LIMIT} characters."
            )
        if topic == "ftrack.meta.subscribe":
            self._subscribe(RemoteSubscriber.read(fields["data"], client), answer)
        elif topic == "ftrack.meta.unsubscribe":
            self._unsubscribe(client, fields["data"])
            answer.settle(None)
        elif topic in _OURS:
            raise ValueError(f"Only the server publishes events of the topic {topic}.")
        else:
            self._pass_on(client, fields, answer.settle)

    def _pass_on(self, client: Client, fields: dict[str, Any], settle: Settle) -> None:
        """Give an event of *client* to the exchange, in the name of its user."""
        websocket, origin = client.websocket, None
        if websocket is not None:
            if fields.get("id") is not None:
                name = f"{self._token}.{websocket.number}"
                origin = Origin(client.username, websocket.hub_id, fields["id"], name)
            source = fields["source"]
            fields["source"] = {**source, "user": websocket.speak(source.get("user"))}
        if fields["target"]:
            require_target(fields["target"])
        event = {
            "data": fields["data"],
            "source": fields["source"],
            "target": fields["target"],
            "inReplyToEvent": fields.get("in_reply_to_event"),
            "topic": fields["topic"],
            "id": fields.get("id") or new_id(),
            "sent": None,
        }
        self.exchange.post(Parcel(event, packets.dumps(event)), origin, settle)

    def _subscribe(self, subscriber: RemoteSubscriber, answer: Answer) -> None:
        client = subscriber.client
        subscriber.name_user()
        client.require_room(subscriber)
        holder = self._by_identifier.get(subscriber.identifier)
        if holder is not None:
            if holder.client is not client:
                self._take_over(client, holder)
            elif subscriber.identifier not in client.expected and not holder.equals(subscriber):
                raise ValueError(taken(subscriber.identifier))
            self._remove(self._by_identifier[subscriber.identifier])
        self._by_identifier[subscriber.identifier] = subscriber
        client.subscribers[subscriber.identifier] = subscriber
        self._index.add(subscriber, subscriber.topics)
        resumed = subscriber.identifier in client.expected and client.is_complete
        client.expected.discard(subscriber.identifier)
        client.resume_at = self._clock() + RESUME_PATIENCE
        if resumed:
            answer.resume()
        if not self.exchange.claim(subscriber, answer.settle, answer.resume):
            client.claims += 1
        elif client.resuming:
            client.resume_if_ready()

    def _take_over(self, client: Client, holder: RemoteSubscriber) -> None:
        """Move the subscribers of *holder*'s client to *client*, or raise ValueError.

        Both clients must be the same hub, or the websocket of the old client must be broken.
        """
        old = holder.client
        if old.username != client.username:
            raise ValueError(taken(holder.identifier))
        if old.websocket is not None:
            same_hub = old.hub_id is not None and old.hub_id == client.hub_id
            if not (same_hub or self.is_silent(old.websocket)):
                raise ValueError(taken(holder.identifier))
            self.disconnect(old.websocket)
        self._away.pop(old, None)
        self._departures.forget(old)
        client.inherit(old)

    def _unsubscribe(self, client: Client, data: Any) -> None:
        metadata = data.get("subscriber") if isinstance(data, Mapping) else None
        identifier = metadata.get("id") if isinstance(metadata, Mapping) else None
        subscriber = client.subscribers.get(identifier) if isinstance(identifier, str) else None
        if subscriber is None:
            raise ValueError(f"There is no subscriber with the id {identifier!r} to unsubscribe.")
        self._remove(subscriber)
        client.expected.discard(subscriber.identifier)
        if client.resuming:
            client.resume_if_ready()

    def _remove(self, subscriber: RemoteSubscriber) -> None:
        """Drop *subscriber* for all processes."""
        self._detach(subscriber)
        self.exchange.drop(subscriber.client, subscriber.identifier)

    def _detach(self, subscriber: RemoteSubscriber) -> None:
        """Drop *subscriber* in this process."""
        self._index.remove(subscriber, subscriber.topics)
        self._by_identifier.pop(subscriber.identifier, None)
        subscriber.client.subscribers.pop(subscriber.identifier, None)

    def _forget(self, client: Client) -> None:
        """Drop the absent *client* for all processes."""
        del self._away[client]
        self._departures.forget(client)
        for subscriber in list(client.subscribers.values()):
            self._remove(subscriber)

    def _forget_the_long_gone(self) -> None:
        if not self._away:
            return
        now = self._clock()
        while self._away:
            client = next(iter(self._away))
            recent = client.gone_at is not None and now - client.gone_at < RETENTION
            if recent and len(self._away) <= RETAINED_CLIENTS:
                return
            self._forget(client)

    # Other processes.

    def claimed(self, client: Client, identifier: str, problem: Optional[str]) -> bool:
        """End the claim of a subscriber that waited; a *problem* removes the subscriber.

        Return whether the subscriber gets all events since its connection to another process.
        """
        with self._lock:
            client.claims -= 1
            subscriber = client.subscribers.get(identifier)
            if problem is not None and subscriber is not None:
                self._detach(subscriber)
            client.resume_if_ready()
            self._note_leaving(client)
            return problem is None and client.is_complete and identifier in client.inherited

    def adopt(
        self,
        client: Client,
        subscribers: Sequence[Mapping[str, Any]],
        missed: Sequence[Parcel],
        is_complete: bool,
    ) -> None:
        """Give *client* what it had in another process.

        *subscribers* are the data of its events `ftrack.meta.subscribe`, and *missed* the events
        since it left there, which are all if *is_complete*. It waits for the client to subscribe
        again, as in one process.
        """
        with self._lock:
            read = [RemoteSubscriber.read(data, client) for data in subscribers]
            for subscriber in read:
                if subscriber.identifier not in self._by_identifier:
                    self._by_identifier[subscriber.identifier] = subscriber
                    client.subscribers[subscriber.identifier] = subscriber
                    self._index.add(subscriber, subscriber.topics)
                    client.expected.add(subscriber.identifier)
            client.resuming = True
            client.resume_at = self._clock() + RESUME_PATIENCE
            found = [
                self._views.seen_by(client.username, one) for one in missed if _wants(client, one)
            ]
            client.is_complete = is_complete
            client.inherited = {one.identifier for one in read}
            client.replay([one for one in found if one is not None], client.inherited)

    def release(self, client_id: str, hub_id: Optional[str]) -> Optional[Left]:
        """Give up a client that returned to another process; return what it has received.

        Return None for an unknown client. Raise ValueError if it is connected here, and *hub_id*
        is another hub.
        """
        with self._lock:
            client = next((one for one in self._known() if one.id == client_id), None)
            if client is None or client.claims:
                return None
            if client.websocket is not None:
                same_hub = client.hub_id is not None and client.hub_id == hub_id
                if not (same_hub or self.is_silent(client.websocket)):
                    raise ValueError("The client is connected.")
                self.disconnect(client.websocket)
            return self._let_go(client)

    def abandon(self, client_ids: Sequence[str]) -> None:
        """Drop clients that other processes have adopted, and close their websockets."""
        with self._lock:
            for client in [one for one in self._known() if one.id in client_ids]:
                websocket = client.websocket
                if websocket is not None:
                    self.disconnect(websocket)
                    websocket.end()
                self._let_go(client)

    def remembered(self) -> Sequence[tuple[Client, Left]]:
        """Return the clients with subscribers, and what each has received."""
        with self._lock:
            return [
                (client, self._departures.of(client))
                for client in self._known()
                if client.subscribers and not client.claims
            ]

    def forget_rights(self, usernames: Sequence[str]) -> None:
        """Read the rights of all users again, and end the connections of *usernames*."""
        for listener in self.rights_listeners:
            listener()
        for username in usernames:
            self.dismiss(username)

    def _known(self) -> list[Client]:
        return [*self._clients.values(), *self._away]

    def _let_go(self, client: Client) -> Left:
        """Drop the absent *client* in this process; return what it has received."""
        self._away.pop(client, None)
        for subscriber in list(client.subscribers.values()):
            self._detach(subscriber)
        return self._departures.take(client)

    def _note_leaving(self, client: Client) -> None:
        """Note what the absent *client* has received, once its subscriptions are settled."""
        if client in self._away and not client.claims:
            self._departures.note(client)


#: The handlers by kind of packet; the other kinds need no handler.
_HANDLERS: dict[type, Callable[[Broker, Client, Any, str], None]] = {
    packets.EventMessage: Broker._on_event,  # noqa: SLF001 - the class above
    packets.Acknowledgement: Broker._on_acknowledgement,  # noqa: SLF001 - the class above
    packets.Disconnect: Broker._on_disconnect,  # noqa: SLF001 - the class above
}


def _ignore(problem: Optional[str]) -> None:
    """Settle an event that no client waits for."""


def _wants(client: Client, parcel: Parcel) -> bool:
    """Return whether a subscriber of *client* matches *parcel*."""
    target = parcel.event["target"]
    wanted = target_matches(target) if target else None
    return any(
        (wanted is None or wanted(one.metadata)) and one.matches(parcel.event)
        for one in client.subscribers.values()
    )


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None
