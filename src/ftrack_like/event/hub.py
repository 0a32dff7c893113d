"""The event hub: subscribe to events, publish events, and handle the events of others.

A hub is a facade over four parts. Each part has its own lock:

* The connection: :mod:`ftrack_like.event.connector` opens and ends it, and
  :mod:`ftrack_like.event.link` reads from it and opens it again after a fault.
* The courier, :mod:`ftrack_like.event.courier`, sends packets and keeps events until the server
  acknowledges them. :mod:`ftrack_like.event.replies` keeps the callbacks that wait for replies.
* The inbox, :mod:`ftrack_like.event.inbox`, queues received events for :meth:`EventHub.wait`.
  :mod:`ftrack_like.event.receiver` parses the packets and fills the inbox.
* The router, :mod:`ftrack_like.event.router`, calls the subscribers of an event.

:mod:`ftrack_like.event.announcements` tells the server about the subscribers.
:mod:`ftrack_like.event.durable` adds journals for durable subscriptions.

Programs override and patch the methods of a hub, private ones too. So the parts call these methods
only through the functions of :class:`~ftrack_like.event.hub_seams.HubSeams`, and many private
methods here only pass a call on to a part.
"""

from __future__ import annotations

import functools
import logging
import queue
import socket
import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Callable, Literal, Optional, Union, overload

from ftrack_like import exception
from ftrack_like._base.seams import keeps_originals
from ftrack_like._base.value_errors import shown
from ftrack_like._transport.connection_settings import ConnectionSettings
from ftrack_like.event import handshake, watching
from ftrack_like.event.announcements import Announcements
from ftrack_like.event.connector import CONNECT_TIMEOUT, Connector
from ftrack_like.event.consumers import Consumer
from ftrack_like.event.courier import BUFFER_LIMIT, Courier, WaitingEvent, refuse_huge
from ftrack_like.event.durability import Durability
from ftrack_like.event.durable import DurableSubscriptions
from ftrack_like.event.forks import renew_after_fork
from ftrack_like.event.handshake import ServerDetails, SocketIoSession
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.inbox import CONNECTED_TOPIC, DISCONNECTED_TOPIC, QUEUE_LIMIT, Inbox
from ftrack_like.event.missed import ActivityRows
from ftrack_like.event.part_attribute import PartAttribute
from ftrack_like.event.pending import OnPacketAnswer, PacketAnswer, ReplyBook
from ftrack_like.event.receiver import Receiver
from ftrack_like.event.replies import REPLY_TOPIC, Replies, collect
from ftrack_like.event.router import Router, SubscriberList
from ftrack_like.event.subscriber import Callback, Metadata, Subscriber
from ftrack_like.event.subscription_context import SubscriptionContext
from ftrack_like.event.websockets import WebSocketLike
from ftrack_like.logging import set_up_logging
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import expression as event_expression
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event, EventData, new_id
from ftrack_like.wire.packets import JsonValue

__all__ = ["BUFFER_LIMIT", "QUEUE_LIMIT", "EventHub", "ServerDetails", "SocketIoSession"]


#: The priority of the callbacks of :meth:`EventHub.watch`, before those of programs.
FIRST = -1_000_000


def _host_name() -> str:
    """Return the name of this machine for the source of events; empty if there is none."""
    try:
        return socket.gethostname()
    except (OSError, UnicodeError):
        return ""


@keeps_originals
class EventHub:
    """Passes events between subscribers in this process and, when connected, the event server.

    Threads may share a hub. Callbacks run on the thread that calls :meth:`wait`, or on the thread
    that publishes synchronously. In a forked child a hub is not connected, and may connect again.
    """

    # Programs use these private names. The values belong to the parts.
    _connection: PartAttribute[Optional[WebSocketLike]] = PartAttribute("_courier", "websocket")
    _connection_initialised: PartAttribute[bool] = PartAttribute("_connector", "initialised")
    _intentional_disconnect: PartAttribute[bool] = PartAttribute(
        "_connector", "intentional_disconnect"
    )
    _event_queue: PartAttribute[queue.Queue[object]] = PartAttribute("_inbox", "queue")
    _event_send_queue: PartAttribute[queue.Queue[WaitingEvent]] = PartAttribute(
        "_courier", "send_queue"
    )
    _lock: PartAttribute[object] = PartAttribute("_router", "lock")
    _packet_callbacks: PartAttribute[OrderedDict[int, OnPacketAnswer]] = PartAttribute(
        "_courier", "packet_callbacks"
    )
    _reply_callbacks: PartAttribute[ReplyBook[Callback]] = PartAttribute("_replies", "callbacks")
    _subscribers: PartAttribute[SubscriberList] = PartAttribute("_router", "subscribers")
    _watchers: PartAttribute[list[Callable[[Event], object]]] = PartAttribute("_inbox", "watchers")

    def __init__(
        self,
        server_url: str,
        api_user: str,
        api_key: str,
        headers: Optional[Mapping[str, str]] = None,
        cookies: Optional[Mapping[str, str]] = None,
        *,
        verify: Union[bool, str, None] = None,
        cert: Union[str, tuple[str, str], None] = None,
        proxies: Optional[Mapping[str, str]] = None,
        connect_timeout: Optional[float] = None,
        deadline: Optional[float] = None,
    ) -> None:
        """Initialise a hub for the server at *server_url*, without connecting.

        *api_user* and *api_key* are the credentials. The hub adds *headers* and *cookies* to its
        requests when it connects.

        *verify* (True, False or the path of a CA bundle), *cert* (the path of a client
        certificate, or the paths of certificate and key) and *proxies* (`{scheme: address}`) have
        the same meaning as in requests; None reads the environment. *connect_timeout*, in seconds,
        limits each step of connecting; None means 10. *deadline*, in seconds, limits connecting
        as a whole; None means 20.

        Raise :exc:`ValueError` if *server_url* has no scheme or host.
        """
        set_up_logging()
        self.logger: logging.Logger = logging.getLogger(
            f"{type(self).__module__}.{type(self).__name__}"
        )
        self.id: str = new_id()
        self.server: ServerDetails = handshake.server_details(server_url)
        self._server_url = server_url
        self._api_user = api_user
        self._api_key = api_key
        #: Called with the user and the key that the server refused. Returns others, or None.
        self.renew_credentials: Optional[Callable[[tuple[str, str]], Optional[tuple[str, str]]]] = (
            None
        )
        #: The activity of the server, in which durable subscriptions find events that they missed.
        self.activity_rows: Optional[ActivityRows] = None
        #: Called before the hub connects. An error of the function prevents that.
        self.before_connecting: Optional[Callable[[], None]] = None
        self._headers = dict(headers or {})
        self._cookies = dict(cookies or {})
        timeout = CONNECT_TIMEOUT if connect_timeout is None else connect_timeout
        self._settings = ConnectionSettings.normal(verify, cert, proxies, timeout, deadline)
        self._host = _host_name()
        self._event_namespace = packets.EVENT_NAME
        self._expression_parser = event_expression.Parser()
        self._code_name_mapping = {
            **packets.CODES,
            **{name: code for code, name in packets.CODES.items()},
        }
        self._make_parts()

    def _make_parts(self) -> None:
        """Set the parts of this hub."""
        seams = self._make_seams()
        self._router = Router(seams)
        self._replies = Replies()
        self._durable = DurableSubscriptions(
            seams, lambda: (self._api_key,), lambda: self.activity_rows
        )
        self._inbox = Inbox(seams, self._replies, self._durable)
        self._courier = Courier(seams)
        self._announcements = Announcements(seams, self._router, self._courier, self._durable)
        self._receiver = Receiver(seams, self._courier, self._inbox)
        self._connector = Connector(seams, self._courier, self._receiver, self._settings)
        renew_after_fork(
            *(self._router, self._replies, self._durable, self._inbox, self._courier),
            self._connector,
        )

    def _make_seams(self) -> HubSeams:
        """Return the functions that the parts call. Each looks its method up at the call."""
        return HubSeams(
            get_logger=lambda: self.logger,
            connected=lambda: self.connected,
            expects_events=lambda: self.connected or self._connector.initialised,
            event_namespace=lambda: self._event_namespace,
            server_url=lambda: self.get_server_url(),
            headers=lambda: self._headers,
            cookies=lambda: self._cookies,
            websocket_address=lambda session: self._websocket_address(session),
            subscribers=lambda: self._router.all(),
            get_subscriber=lambda identifier: self.get_subscriber_by_identifier(identifier),
            init_connection=lambda: self.init_connection(),
            get_socket_io_session=lambda: self._get_socket_io_session(),
            opened=lambda gap: self._tell_connected(gap),
            lost=lambda reason: self._tell(DISCONNECTED_TOPIC, {}),
            unsubscribe_all=lambda: self._announcements.withdraw_all(),
            give_up=lambda websocket: self._connector.give_up(websocket),
            send_sign=lambda name: self._send_packet(self._code_name_mapping[name]),
            acknowledge_packet=lambda number: self._acknowledge_packet(number),
            prepare_event=lambda event: self._prepare_event(event),
            emit=lambda event, callback: self._emit_event_packet(
                self._event_namespace, event, callback
            ),
            subscribed=lambda subscriber, answer: self._on_subscribed(subscriber, answer),
            unsubscribed=lambda subscriber, answer: self._on_unsubscribed(subscriber, answer),
            announce=lambda subscriber: self._announcements.announce(subscriber),
            publish_reply=lambda event, data, source: self.publish_reply(event, data, source),
            handle_packet=lambda *parts: self._handle_packet(*parts),
            pop_packet_callback=lambda number: self._pop_packet_callback(number),
            handle=lambda event: self._handle(event),
        )

    def __repr__(self) -> str:
        """Return the class, the server and the state of the connection as text."""
        state = "connected" if self.connected else "not connected"
        return f"<{self.__class__.__name__} {self.get_server_url()} {state}>"

    # The server.

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.server.scheme == "https"

    def get_network_location(self) -> str:
        """Return the host of the server as `host`, or as `host:port` if a port was given.

        An IPv6 address is in square brackets.
        """
        name, port = self.server.hostname, self.server.port
        host = f"[{name}]" if ":" in name else name
        return host if port is None else f"{host}:{port}"

    def get_server_url(self) -> str:
        """Return the address of the event server."""
        return f"{self.server.scheme}://{self.get_network_location()}"

    # Connecting.

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the server."""
        websocket = self._courier.websocket
        return websocket is not None and bool(getattr(websocket, "connected", True))

    def init_connection(self) -> None:
        """Announce a connection, so that events that are published before it are queued."""
        self._connector.initialised = True

    def connect(self) -> None:
        """Connect now, and open the connection again whenever it is lost.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the server cannot be
        reached or refuses, or if the hub is connected already, and
        :exc:`~ftrack_like.exception.EventJournalError` if the journal of a durable subscription
        cannot be opened.
        """
        if self.before_connecting is not None:
            self.before_connecting()
        self._durable.resume()
        self._connector.connect()

    def connect_in_background(self) -> None:
        """Connect on a separate thread, which tries until it succeeds.

        Until then, published events are queued. Raise
        :exc:`~ftrack_like.exception.EventHubConnectionError` if the hub is connected already, and
        :exc:`~ftrack_like.exception.EventJournalError` if the journal of a durable subscription
        cannot be opened.
        """
        if self.before_connecting is not None:
            self.before_connecting()
        self._durable.resume()
        self._connector.connect_in_background()

    def wait_connected(self, timeout: Optional[float] = None) -> bool:
        """Return whether the hub is connected, after at most *timeout* seconds.

        Connected means that the server knows all subscribers and that all queued events were
        sent. None as *timeout* has no limit, but returns False if no connection is being opened.
        """
        return self._connector.wait_connected(timeout)

    def disconnect(self, unsubscribe: bool = True, reconnect: bool = False) -> None:
        """Disconnect, within two seconds even if the server does not answer.

        *unsubscribe* removes all subscribers. *reconnect* announces that the program will connect
        again: events that it publishes until then are queued.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the hub is neither
        connected nor connecting.
        """
        try:
            self._connector.disconnect(unsubscribe, reconnect, returns=bool(self._durable))
        finally:
            self._durable.pause(for_good=not reconnect)

    def close(self) -> None:
        """Disconnect, or stop connecting. Never raises.

        Subscribers stay, for synchronous events. The events of durable subscriptions stay in their
        journals.
        """
        try:
            self.disconnect(unsubscribe=False)
        except exception.EventHubConnectionError:
            self._connector.initialised = False

    def reconnect(self, attempts: int = 10, delay: float = 5) -> None:
        """Disconnect and connect, with at most *attempts* tries and *delay* seconds between them.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if all tries fail. A lost
        connection does not need this method: the hub opens it again by itself.
        """
        if self._connector.link is not None or self.connected:
            self.disconnect(unsubscribe=False, reconnect=True)
        for attempt in range(attempts):
            try:
                self.connect()
                return
            except exception.EventHubConnectionError as error:
                self.logger.debug(f"Attempt {attempt + 1} of {attempts} failed: {error}")
                if attempt + 1 < attempts:
                    time.sleep(delay)
        raise exception.EventHubConnectionError(
            "Failed to reconnect to event server at {url} after {attempts} attempts.",
            details={"url": self.get_server_url(), "attempts": attempts},
        )

    def _get_socket_io_session(self) -> SocketIoSession:
        """Return the session that the server grants, or raise EventHubConnectionError."""
        used = (self._api_user, self._api_key)
        try:
            return self._shake_hands()
        except exception.EventHubConnectionError as error:
            if self.renew_credentials is None or not handshake.refuses_credentials(error):
                raise
            renewed = self.renew_credentials(used)
            if renewed is None:
                raise
        self.use_credentials(*renewed)
        return self._shake_hands()

    def make_durable(self, durability: Durability) -> None:
        """Make later subscriptions durable, with the settings *durability*.

        Subscriptions to questions stay as they are, such as those to ``ftrack.action.discover`` and
        ``ftrack.action.launch``: the user who asks does not wait for an answer after a restart.

        Raise :exc:`~ftrack_like.exception.EventJournalError` if the journal cannot be used.
        """
        self._durable.use_always(durability)
        self._use_lasting_id()

    def use_credentials(self, api_user: str, api_key: str) -> None:
        """Use *api_user* and *api_key* for the next connection; the current one stays open."""
        self._api_user, self._api_key = api_user, api_key

    def _shake_hands(self) -> SocketIoSession:
        return handshake.shake_hands(
            self.get_server_url(),
            self._api_user,
            self._api_key,
            self._headers,
            self._cookies,
            self._settings,
        )

    def _websocket_address(self, session: SocketIoSession) -> str:
        scheme = "wss" if self.secure else "ws"
        return f"{scheme}://{self.get_network_location()}/socket.io/1/websocket/{session.id}"

    def _tell_connected(self, gap: Optional[float]) -> None:
        """Queue events about a new connection, and receive replies through it.

        *gap* is the number of seconds without a connection before it; None for the first one.
        """
        own = Subscriber(
            f"topic={REPLY_TOPIC}", lambda event: self._handle_reply(event), {"id": self.id}, 100
        )
        self._router.add_first(own)
        self._tell(CONNECTED_TOPIC, {})
        if gap is not None:
            self._tell("ftrack.meta.reconnected", {"gap": gap})

    def _tell(self, topic: str, data: EventData) -> None:
        event = Event(topic=topic, data=data)
        self._prepare_event(event)
        self._inbox.put_own(event)

    # Subscribing.

    def subscribe(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Optional[Metadata] = None,
        priority: int = 100,
        *,
        durable: Union[str, Durability, None] = None,
    ) -> str:
        """Call *callback* with each event that matches *subscription*, and return an id.

        *subscription* is an expression such as `"topic=ftrack.update"`. The hub sends the result
        of *callback*, unless it is None, as a reply to the publisher of the event.

        *subscriber* is the metadata of the subscriber. The targets of events are compared with
        it. An `id` is added if it is missing. Callbacks with a lower *priority* are called first.

        *durable* is a durable name, or the settings with one. The hub then keeps each event in a
        journal until *callback* has returned. It repeats the event if *callback* raises an
        exception or the process ends. Processes with the same name share the events.

        Raise :exc:`~ftrack_like.exception.NotUniqueError` if there is a subscriber with the same
        id, :exc:`~ftrack_like.exception.ParseError` if the syntax of *subscription* is wrong, and
        :exc:`~ftrack_like.exception.EventJournalError` if the journal cannot be used.
        """
        chosen = self._durable.choose(subscription, durable)
        if chosen is None:
            return self._subscribe(subscription, callback, subscriber, priority)
        consumer, metadata = self._durable.enter(chosen, subscription, callback, subscriber)
        self._use_lasting_id()
        try:
            return self._subscribe(subscription, consumer, metadata, priority)
        except Exception:
            self._durable.leave(consumer)
            raise

    def _use_lasting_id(self) -> None:
        """Take over the id of a hub of an ended process, unless the server knows this hub.

        The server holds the events of the other hub back until the same hub has returned.
        """
        if not (self.connected or self._connector.initialised):
            self.id = self._durable.hub_id or self.id

    def _subscribe(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Optional[Metadata],
        priority: int,
    ) -> str:
        entry = self._add_subscriber(subscription, callback, subscriber, priority)
        if isinstance(callback, Consumer):
            callback.subscriber = entry
        try:
            self._notify_server_about_subscriber(entry)
        except Exception:
            self._router.remove(entry)
            raise
        identifier: str = entry.metadata["id"]
        return identifier

    def subscription(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Optional[Metadata] = None,
        priority: int = 100,
        *,
        durable: Union[str, Durability, None] = None,
    ) -> SubscriptionContext:
        """Return a context that subscribes on entering and unsubscribes on leaving.

        The arguments are those of :meth:`subscribe`. The context yields the id of the subscriber.
        """
        # A program may have replaced `subscribe` by a method without this argument.
        more = {} if durable is None else {"durable": durable}
        return SubscriptionContext(
            functools.partial(self.subscribe, subscription, callback, subscriber, priority, **more),
            self.unsubscribe,
        )

    def unsubscribe(self, subscriber_identifier: str) -> None:
        """Remove the subscriber with the id *subscriber_identifier*.

        Raise :exc:`~ftrack_like.exception.NotFoundError` if there is none.
        """
        self._announcements.withdraw(self._router.pop(subscriber_identifier))

    def get_subscriber_by_identifier(self, identifier: str) -> Optional[Subscriber]:
        """Return the subscriber with the id *identifier*, or None."""
        return self._router.get(identifier)

    def _add_subscriber(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Optional[Metadata] = None,
        priority: int = 100,
    ) -> Subscriber:
        metadata = {} if subscriber is None else subscriber
        metadata.setdefault("id", new_id())
        entry = Subscriber(subscription, callback, metadata, priority)
        self._router.add(entry)
        return entry

    def _notify_server_about_subscriber(self, subscriber: Subscriber) -> None:
        if not self._courier.announce(subscriber):
            self.logger.debug("Subscriber %s waits for a connection.", subscriber.metadata["id"])

    def _on_subscribed(self, subscriber: Subscriber, response: PacketAnswer) -> None:
        """Handle the server's answer *response* about a new *subscriber*."""
        self._announcements.subscribed(subscriber, response)

    def _on_unsubscribed(self, subscriber: Subscriber, response: PacketAnswer) -> None:
        """Handle the server's answer *response* about a removed *subscriber*."""
        self._announcements.unsubscribed(subscriber, response)

    def watch(
        self, subscription: str, watcher: Callable[[Event], object], callback: Callback
    ) -> Callable[[], None]:
        """Pass each event to *watcher* as soon as it arrives; return a function that ends this.

        *watcher* is called on the thread that reads the connection, also while no thread calls
        :meth:`wait`. It must be quick, and must not raise. It gets the hub's own events about its
        connection too. *callback* is called before those of other subscribers, by :meth:`wait`,
        with the events that match *subscription* and that another subscriber wants.
        """
        return watching.watch_inbox(
            self._inbox,
            watcher,
            lambda metadata: self.subscribe(subscription, callback, metadata, FIRST),
            self.unsubscribe,
        )

    # Publishing.

    @overload
    def publish(
        self,
        event: Event,
        synchronous: Literal[False] = False,
        on_reply: Optional[Callback] = None,
        on_error: str = "raise",
    ) -> Optional[bool]: ...

    @overload
    def publish(
        self,
        event: Event,
        synchronous: Literal[True],
        on_reply: Optional[Callback] = None,
        on_error: str = "raise",
    ) -> Optional[list[EventData]]: ...

    @overload
    def publish(
        self,
        event: Event,
        synchronous: bool,
        on_reply: Optional[Callback] = None,
        on_error: str = "raise",
    ) -> Union[list[EventData], bool, None]: ...

    def publish(
        self,
        event: Event,
        synchronous: bool = False,
        on_reply: Optional[Callback] = None,
        on_error: str = "raise",
    ) -> Union[list[EventData], bool, None]:
        """Publish *event*.

        A *synchronous* event goes to the subscribers of this hub only, now and on this thread.
        Return the list of the results of their callbacks; None if the target of *event* cannot be
        parsed.

        Any other event goes to the server, which passes it on to all subscribers, including those
        of this hub. Return None if it was sent, True if it is queued until there is a connection.
        The thread that calls :meth:`wait` calls *on_reply* with each reply of the next 15 minutes.

        Raise :exc:`TypeError` if *event* is not an event, and
        :exc:`~ftrack_like.exception.EventHubError` if it can be neither sent nor queued. With
        *on_error* set to `"ignore"`, log that instead.
        """
        try:
            return self._publish(event, synchronous=synchronous, on_reply=on_reply)
        except exception.EventHubError as error:
            if on_error != "ignore":
                raise
            self.logger.debug(f"The event {event} was not published: {error}")
            return None

    def publish_reply(
        self,
        source_event: Event,
        data: EventData,
        source: Optional[Mapping[str, JsonValue]] = None,
    ) -> Optional[bool]:
        """Publish *data* as a reply to *source_event*, and return as :meth:`publish` does.

        *source* describes the sender, as in an event. The hub adds missing entries.
        """
        _require_event(source_event)
        reply = Event(topic=REPLY_TOPIC, data=data)
        self._prepare_reply_event(reply, source_event, source)
        return self.publish(reply)

    @overload
    def publish_and_wait(
        self, event: Event, timeout: float = 10.0, *, all_replies: Literal[False] = False
    ) -> Optional[Event]: ...

    @overload
    def publish_and_wait(
        self, event: Event, timeout: float = 10.0, *, all_replies: Literal[True]
    ) -> list[Event]: ...

    @overload
    def publish_and_wait(
        self, event: Event, timeout: float = 10.0, *, all_replies: bool
    ) -> Union[Event, list[Event], None]: ...

    def publish_and_wait(
        self, event: Event, timeout: float = 10.0, *, all_replies: bool = False
    ) -> Union[Event, list[Event], None]:
        """Publish *event* and return the first reply, or None after *timeout* seconds.

        With *all_replies*, wait for *timeout* seconds and return the list of all replies.
        Callbacks in this process reply only if another thread calls :meth:`wait`.

        Raise :exc:`TypeError` if *event* is not an event, and
        :exc:`~ftrack_like.exception.EventHubConnectionError` without a connection.
        """
        _require_event(event)
        deadline = time.monotonic() + timeout
        with self._replies.waiting_for(event["id"], timeout) as replies:
            self.publish(event)
            return collect(replies, deadline, all_replies)

    def _publish(
        self,
        event: Event,
        synchronous: bool = False,
        callback: Optional[OnPacketAnswer] = None,
        on_reply: Optional[Callback] = None,
    ) -> Union[list[EventData], bool, None]:
        self._prepare_event(event)
        if synchronous:
            return self._handle(event, synchronous=True)
        if not (self.connected or self._connector.initialised):
            raise exception.EventHubConnectionError(
                "Cannot publish event asynchronously as not connected to server."
            )
        if on_reply is not None:
            self._replies.expect(event["id"], on_reply)
        on_answer = callback or functools.partial(self._on_published, event)
        return self._courier.deliver(event, on_answer)

    def _prepare_event(self, event: Event) -> None:
        """Add the missing entries to the source of *event*."""
        _require_event(event)
        source = event["source"]
        source.setdefault("id", self.id)
        source.setdefault("user", {"username": self._api_user})
        source.setdefault("host", self._host)

    def _prepare_reply_event(
        self,
        event: Event,
        source_event: Event,
        source: Optional[Mapping[str, JsonValue]] = None,
    ) -> None:
        """Make *event* a reply to *source_event* from *source*."""
        event["target"] = f"id={source_event['source']['id']}"
        event["in_reply_to_event"] = source_event["id"]
        if source is not None:
            event["source"] = dict(source)

    def _emit_event_packet(
        self, namespace: str, event: Event, callback: Optional[OnPacketAnswer]
    ) -> None:
        """Send *event* to the server.

        Raise EventHubConnectionError if the connection is broken, EventHubError if *event* is huge.
        """
        data = self._encode({"name": namespace, "args": [event]})
        refuse_huge(event, len(data))
        self._send_packet(self._code_name_mapping["event"], data, callback=callback)

    def _on_published(self, event: Event, response: PacketAnswer) -> None:
        if not response.get("success", True):
            text = "Server responded with error while publishing event %s. Error was: %s"
            self.logger.error(text, event, response.get("message"))

    # Packets.

    def _send_packet(
        self, code: str, data: str = "", callback: Optional[OnPacketAnswer] = None
    ) -> None:
        """Send a packet on the calling thread.

        *callback* is called with the server's answer, on the thread that reads. Raise
        :exc:`~ftrack_like.exception.EventHubConnectionError` if the connection is broken.
        """
        # A new connection discards all callbacks. The guard makes it wait until the packet is sent.
        with self._courier.guard:
            number = None if callback is None else self._add_packet_callback(callback)
            identifier = "" if number is None else f"{number}+"
            try:
                text = self._courier.send(packets.Packet(code, identifier, "", data))
            except Exception:
                self._pop_packet_callback(number)
                raise
        self.logger.debug("Sent packet: %s", text)

    def _add_packet_callback(self, callback: OnPacketAnswer) -> int:
        """Return the number for a new packet, whose answer goes to *callback*."""
        return self._courier.expect_answer(callback)

    def _pop_packet_callback(self, packet_identifier: Optional[int]) -> Optional[OnPacketAnswer]:
        """Remove and return the callback for the packet with that number; None without one."""
        return self._courier.take_callback(packet_identifier)

    def _acknowledge_packet(self, packet_identifier: str, *args: JsonValue) -> None:
        """Tell the server that its packet *packet_identifier* arrived."""
        packet = packets.acknowledgement(packet_identifier, *args)
        self._send_packet(packet.code, packet.data)

    def _handle_packet(self, code: str, packet_identifier: str, path: str, data: str) -> None:
        """Handle one packet of the server, on the thread that reads."""
        packet = packets.Packet(code, packet_identifier, path, data)
        self._receiver.handle(packets.read(packet, self._decode), packet_identifier)

    def _encode(self, data: JsonValue) -> str:
        """Return *data*, which may contain events, as JSON text."""
        return packets.dumps(data, default=self._encode_object_hook)

    def _encode_object_hook(self, item: object) -> JsonValue:
        if isinstance(item, Event):
            return wire_events.to_wire(item)
        raise TypeError(f"{item!r} is not JSON serializable")

    def _decode(self, string: str) -> JsonValue:
        """Return the value of the JSON text *string*, with the field names of our events."""
        return packets.decode_events(string, self._decode_object_hook)

    def _decode_object_hook(self, item: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if "inReplyToEvent" in item:
            item["in_reply_to_event"] = item.pop("inReplyToEvent")
        return item

    # Handling.

    def wait(
        self,
        duration: Optional[float] = None,
        *,
        workers: Optional[int] = None,
        key: Optional[Callable[[Event], Hashable]] = None,
    ) -> None:
        """Handle events for *duration* seconds, or until the hub disconnects if None.

        Handle at least one waiting event: the timer of a user interface may call ``wait(0)``. A
        lost connection is opened again while this waits. An event ``ftrack.meta.disconnected``
        ends the wait, except the events that the hub itself queues for a lost connection.

        With *workers*, that many threads handle the events. The callbacks must be thread-safe.
        Events with the same *key*, a function of the event, keep their order. Without *key*, the
        events about one entity do, and so do the replies to one event and the other events of one
        publisher.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the hub is neither
        connected nor connecting.
        """
        if not (self.connected or self._connector.initialised):
            raise exception.EventHubConnectionError(
                "The event hub does not have a connection to the event server, so there is nothing "
                "to wait for. Call connect() first, or create the session with "
                "auto_connect_event_hub=True."
            )
        deadline = None if duration is None else time.monotonic() + duration
        if workers is None:
            self._inbox.handle_all(deadline)
        else:
            self._inbox.handle_all_with(deadline, workers, key)

    def _handle(self, event: Event, synchronous: bool = False) -> Optional[list[EventData]]:
        """Call the subscribers that match *event*, and return the list of their results.

        Return None if the target of *event* cannot be parsed.
        """
        return self._router.dispatch(event, synchronous)

    def _handle_reply(self, event: Event) -> None:
        """Pass the reply *event* to the `on_reply` of the event that it answers."""
        callback = self._replies.callback_for(event)
        if callback is not None:
            callback(event)


def _require_event(event: object) -> None:
    """Raise :exc:`TypeError` unless *event* is an event, or a mapping with the same fields."""
    if isinstance(event, Event) or (isinstance(event, Mapping) and "source" in event):
        return
    topic = event if isinstance(event, str) else "studio.example"
    raise TypeError(
        f"The event hub publishes an event, or a mapping with all fields of an event, not "
        f"{shown(event)}. Pass Event(topic={topic[:80]!r}, data={{…}}), after "
        "'from ftrack_like.event.base import Event'."
    )
