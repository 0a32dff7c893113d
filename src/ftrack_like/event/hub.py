"""The event hub: subscribe, publish, and hear what others publish.

Delivery, in plain words: an event that was published is kept until the server acknowledges it and
sent again, with the same id, after the connection was lost. A hub drops what it has received
already. The buffers have bounds, see `BUFFER_LIMIT` and `QUEUE_LIMIT`; reaching one is logged.

:mod:`ftrack_like.event.router` knows who is told, :mod:`ftrack_like.event.server_side` the server.
"""

from __future__ import annotations

import functools
import queue
import socket
import time
from collections.abc import Hashable, Mapping
from typing import Any, Callable, Optional, Union

from ftrack_like import exception
from ftrack_like._seams import keeps_originals
from ftrack_like._transport.settings import ConnectionSettings
from ftrack_like.event.courier import BUFFER_LIMIT, refuse_huge
from ftrack_like.event.delivery import ReplyBook
from ftrack_like.event.handshake import ServerDetails, SocketIoSession
from ftrack_like.event.inbox import QUEUE_LIMIT, Inbox, collect
from ftrack_like.event.router import Router, SubscriberList, target_matcher
from ftrack_like.event.server_side import CONNECT_TIMEOUT, ServerSide
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.event.subscription_context import SubscriptionContext
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import expression as event_expression
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event, new_id

__all__ = ["BUFFER_LIMIT", "QUEUE_LIMIT", "EventHub", "ServerDetails", "SocketIoSession"]

#: How long replies to an event reach its `on_reply`, in seconds.
REPLY_LIFETIME = 900.0
#: A callback that takes longer than this many seconds is named in the log.
SLOW_CALLBACK = 5.0
Callback = Callable[[Event], Any]


def _host_name() -> str:
    """Return the name of this machine, which events carry; empty if the system has none."""
    try:
        return socket.gethostname()
    except (OSError, UnicodeError):
        return ""


@keeps_originals
class EventHub(ServerSide):
    """Passes events between subscribers in this process and, when connected, the event server.

    Threads may share a hub. Callbacks run on the thread that calls :meth:`wait`, or that
    publishes synchronously. In a forked child a hub is not connected, and may connect again.
    """

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

        *api_user* and *api_key* are the credentials. *headers* and *cookies* are sent along when
        connecting.

        *verify* (True, False or the path of a CA bundle), *cert* (the path of a client
        certificate, or of it and its key) and *proxies* (`{scheme: address}`) are meant as
        requests means them; None takes what the environment says. *connect_timeout*, in seconds,
        bounds each step of connecting; None means 10. *deadline*, in seconds, bounds connecting as
        a whole; None means 20.

        Raise :exc:`ValueError` if *server_url* names no host.
        """
        timeout = CONNECT_TIMEOUT if connect_timeout is None else connect_timeout
        settings = ConnectionSettings.normal(verify, cert, proxies, timeout, deadline)
        super().__init__(server_url, api_user, api_key, settings)
        self._headers = dict(headers or {})
        self._cookies = dict(cookies or {})
        self._host = _host_name()
        self._router = Router()
        self._expression_parser = event_expression.Parser()
        self._inbox = Inbox(self)
        self._reply_callbacks: ReplyBook[Callback] = ReplyBook(BUFFER_LIMIT)
        self._awaited: ReplyBook[queue.Queue[Event]] = ReplyBook(BUFFER_LIMIT)
        # Called with each event on the thread that receives it; they must be quick, and not raise.
        self._watchers: list[Callable[[Event], object]] = []

    @property
    def _subscribers(self) -> SubscriberList:
        """The subscribers, in the order of subscribing; the hub's own for replies comes first."""
        return self._router.subscribers

    # Subscribing.

    def subscribe(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Optional[dict[str, Any]] = None,
        priority: int = 100,
    ) -> str:
        """Have *callback* called with each event that *subscription* asks for.

        *subscription* is an expression such as `"topic=ftrack.update"`. What *callback* returns,
        unless it is None, is sent as a reply to who published the event.

        *subscriber* is metadata that targets of events are compared with; an `id` is added to it
        if it has none. Callbacks with a lower *priority* are called first.

        Return the id of the subscriber. Raise :exc:`~ftrack_like.exception.NotUniqueError` if
        there is one with the same id, and :exc:`~ftrack_like.exception.ParseError` if
        *subscription* breaks the rules of expressions.
        """
        entry = self._add_subscriber(subscription, callback, subscriber, priority)
        try:
            self._notify_server_about_subscriber(entry)
        except Exception:
            with self._lock:
                self._router.remove(entry)
            raise
        identifier: str = entry.metadata["id"]
        return identifier

    def subscription(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Optional[dict[str, Any]] = None,
        priority: int = 100,
    ) -> SubscriptionContext:
        """Return a context that subscribes on entering and unsubscribes on leaving.

        The arguments are those of :meth:`subscribe`. The context gives the id of the subscriber.
        """
        return SubscriptionContext(
            functools.partial(self.subscribe, subscription, callback, subscriber, priority),
            self.unsubscribe,
        )

    def unsubscribe(self, subscriber_identifier: str) -> None:
        """Remove the subscriber with the id *subscriber_identifier*.

        Raise :exc:`~ftrack_like.exception.NotFoundError` if there is none.
        """
        with self._lock:
            entry = self._router.get(subscriber_identifier)
            if entry is None:
                raise exception.NotFoundError(
                    "Cannot unsubscribe missing subscriber with identifier {identifier}",
                    details={"identifier": subscriber_identifier},
                )
            self._router.remove(entry)
        self._withdraw(entry)

    def get_subscriber_by_identifier(self, identifier: str) -> Optional[Subscriber]:
        """Return the subscriber with the id *identifier*, or None."""
        with self._lock:
            return self._router.get(identifier)

    def _add_subscriber(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Optional[dict[str, Any]] = None,
        priority: int = 100,
    ) -> Subscriber:
        metadata = {} if subscriber is None else subscriber
        metadata.setdefault("id", new_id())
        entry = Subscriber(subscription, callback, metadata, priority)
        with self._lock:
            if self._router.get(metadata["id"]) is not None:
                raise exception.NotUniqueError(
                    "Subscriber with identifier {identifier} already exists.",
                    details={"identifier": metadata["id"]},
                )
            self._router.add(entry)
        return entry

    def _notify_server_about_subscriber(self, subscriber: Subscriber) -> None:
        if not self._courier.announce(subscriber):
            self.logger.debug("Subscriber %s waits for a connection.", subscriber.metadata["id"])

    def _subscribers_now(self) -> list[Subscriber]:
        with self._lock:
            return list(self._router.subscribers)

    def _announce(self, subscriber: Subscriber) -> None:
        if self.get_subscriber_by_identifier(subscriber.metadata["id"]) is not subscriber:
            self._courier.answered(subscriber)
            return  # unsubscribed meanwhile
        data = {
            "subscriber": subscriber.metadata,
            "subscription": str(subscriber.subscription),
        }
        event = Event(topic="ftrack.meta.subscribe", data=data)
        self._prepare_event(event)
        self._emit(event, functools.partial(self._on_subscribed, subscriber))

    def _withdraw(self, subscriber: Subscriber) -> None:
        if not self._courier.withdraw(subscriber) or not self.connected:
            return
        data = {"subscriber": subscriber.metadata}
        event = Event(topic="ftrack.meta.unsubscribe", data=data)
        self._prepare_event(event)
        try:
            self._emit(event, functools.partial(self._on_unsubscribed, subscriber))
        except exception.EventHubConnectionError as error:
            self.logger.debug(f"The server was not told to unsubscribe {subscriber}: {error}")

    def _unsubscribe_all(self) -> None:
        with self._lock:
            entries = list(self._router.subscribers)
            self._router = Router()
        for entry in entries:
            self._withdraw(entry)

    def _on_subscribed(self, subscriber: Subscriber, response: Mapping[str, Any]) -> None:
        self._courier.answered(subscriber)
        if response.get("success"):
            return
        again = " It will be tried again." if self._courier.retry(subscriber) else ""
        self.logger.warning(
            f"Server failed to subscribe subscriber {subscriber.metadata['id']}: "
            f"{response.get('message')}{again}"
        )

    def _on_unsubscribed(self, subscriber: Subscriber, response: Mapping[str, Any]) -> None:
        if not response.get("success"):
            self.logger.warning(
                f"Server failed to unsubscribe subscriber {subscriber.metadata['id']}: "
                f"{response.get('message')}"
            )

    # Publishing.

    def publish(
        self,
        event: Event,
        synchronous: bool = False,
        on_reply: Optional[Callback] = None,
        on_error: str = "raise",
    ) -> Any:
        """Publish *event*.

        A *synchronous* event goes to the subscribers of this hub only, now and on this thread;
        return the list of what their callbacks returned. Any other event goes to the server,
        which passes it on to all who subscribed, this hub included; return None if it was sent
        and True if it is kept until there is a connection.

        The thread that calls :meth:`wait` calls *on_reply* with each reply of a quarter of an hour.

        Raise :exc:`~ftrack_like.exception.EventHubError` if the event can be neither sent nor
        kept; with *on_error* set to `"ignore"`, log that instead.
        """
        try:
            return self._publish(event, synchronous=synchronous, on_reply=on_reply)
        except exception.EventHubError as error:
            if on_error != "ignore":
                raise
            self.logger.debug(f"The event {event} was not published: {error}")
            return None

    def publish_reply(
        self, source_event: Event, data: Any, source: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """Publish *data* as a reply to *source_event*.

        *source* describes the sender, as in an event; the hub fills what is missing.
        """
        reply = Event(topic="ftrack.meta.reply", data=data)
        self._prepare_reply_event(reply, source_event, source)
        return self.publish(reply)

    def publish_and_wait(
        self, event: Event, timeout: float = 10.0, *, all_replies: bool = False
    ) -> Union[Event, list[Event], None]:
        """Publish *event* and return the first reply, or None after *timeout* seconds.

        With *all_replies*, return the list of all replies that came within *timeout* seconds.
        Callbacks of this very process reply only if another thread calls :meth:`wait`.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if there is no connection.
        """
        replies: queue.Queue[Event] = queue.Queue()
        deadline = time.monotonic() + timeout
        identifier = event["id"]
        with self._lock:
            self._awaited.add(identifier, replies, time.monotonic(), timeout)
        try:
            self.publish(event)
            return collect(replies, deadline, all_replies)
        finally:
            with self._lock:
                self._awaited.remove(identifier)

    def _publish(
        self,
        event: Event,
        synchronous: bool = False,
        callback: Optional[Callable[[Any], Any]] = None,
        on_reply: Optional[Callback] = None,
    ) -> Any:
        self._prepare_event(event)
        if synchronous:
            return self._handle(event, synchronous=True)
        if not (self.connected or self._connection_initialised):
            raise exception.EventHubConnectionError(
                "Cannot publish event asynchronously as not connected to server."
            )
        if on_reply is not None:
            with self._lock:
                now = time.monotonic()
                self._reply_callbacks.add(event["id"], on_reply, now, REPLY_LIFETIME)
        return self._courier.deliver(
            event, callback or functools.partial(self._on_published, event)
        )

    def _prepare_event(self, event: Event) -> None:
        """Fill in the source of *event* where it says nothing."""
        source = event["source"]
        source.setdefault("id", self.id)
        source.setdefault("user", {"username": self._api_user})
        source.setdefault("host", self._host)

    def _prepare_reply_event(
        self, event: Event, source_event: Event, source: Optional[Mapping[str, Any]] = None
    ) -> None:
        """Make *event* a reply to *source_event* that comes from *source*."""
        event["target"] = f"id={source_event['source']['id']}"
        event["in_reply_to_event"] = source_event["id"]
        if source is not None:
            event["source"] = dict(source)

    def _emit(self, event: Event, callback: Callable[[Any], Any]) -> None:
        self._emit_event_packet(self._event_namespace, event, callback)

    def _emit_event_packet(
        self, namespace: str, event: Event, callback: Optional[Callable[[Any], Any]]
    ) -> None:
        """Send *event* to the server.

        Raise EventHubConnectionError if the connection is broken, EventHubError if *event* is huge.
        """
        data = self._encode({"name": namespace, "args": [event]})
        refuse_huge(event, len(data))
        self._send_packet(self._code_name_mapping["event"], data, callback=callback)

    def _on_published(self, event: Event, response: Mapping[str, Any]) -> None:
        if not response.get("success", True):
            text = "Server responded with error while publishing event %s. Error was: %s"
            self.logger.error(text, event, response.get("message"))

    def _encode(self, data: Any) -> str:
        """Return *data*, in which there may be events, as JSON text."""
        return packets.dumps(data, default=self._encode_object_hook)

    def _encode_object_hook(self, item: Any) -> Any:
        if isinstance(item, Event):
            return wire_events.to_wire(item._data)
        raise TypeError(f"{item!r} is not JSON serializable")

    def _decode(self, string: str) -> Any:
        """Return the value of the JSON text *string*, with the fields of events named ours."""
        return wire_events.decode(string, self._decode_object_hook)

    def _decode_object_hook(self, item: dict[str, Any]) -> dict[str, Any]:
        if "inReplyToEvent" in item:
            item["in_reply_to_event"] = item.pop("inReplyToEvent")
        return item

    # Hearing.

    def wait(
        self,
        duration: Optional[float] = None,
        *,
        workers: Optional[int] = None,
        key: Optional[Callable[[Event], Hashable]] = None,
    ) -> None:
        """Handle events for *duration* seconds, or until the hub disconnects if None.

        At least one event that waits is handled: a timer of a user interface may call ``wait(0)``.
        A lost connection is opened again meanwhile. A queued ``ftrack.meta.disconnected`` ends it.

        *workers* threads handle the events if the number is given; callbacks must be ready for
        that. Events with the same *key*, a function of the event, are handled in order. If it is
        None, those about one entity are, replies to one event, and other events of one publisher.

        Raise EventHubConnectionError if the hub is not connected and nothing is connecting it.
        """
        if not (self.connected or self._connection_initialised):
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

    def _rest(self) -> bool:
        with self._lock:
            self._reply_callbacks.release(time.monotonic())
        return self.connected or self._connection_initialised

    def _handle(self, event: Event, synchronous: bool = False) -> Optional[list[Any]]:
        """Call the subscribers that *event* is for, and return the list of their answers."""
        target = event["target"]
        try:
            wanted = target_matcher(target) if target else None
        except exception.ParseError:
            self.logger.exception(
                f"Cannot handle event as failed to parse event target information: {event}"
            )
            return None
        with self._lock:
            candidates = self._router.candidates(event["topic"])
        results: list[Any] = []
        for subscriber in candidates:
            if wanted is not None and not wanted(subscriber.metadata):
                continue
            if not subscriber.interested_in(event):
                continue
            self._call(subscriber, event, synchronous, results)
            if event.is_stopped():
                self.logger.debug(f"Subscriber {subscriber} stopped event {event}.")
                break
        return results

    def _call(
        self, subscriber: Subscriber, event: Event, synchronous: bool, results: list[Any]
    ) -> None:
        """Call *subscriber* with *event*, add its answer to *results* and send it as a reply."""
        begin = time.monotonic()
        try:
            response = subscriber.callback(event)
        except Exception:
            self.logger.exception(f"Error calling subscriber {subscriber} for event {event}.")
            return
        finally:
            elapsed = time.monotonic() - begin
            if elapsed > SLOW_CALLBACK:
                self.logger.warning(
                    f"Subscriber {subscriber} took {elapsed:.1f} seconds for an event about "
                    f"{event['topic']}; other events had to wait."
                )
        results.append(response)
        if not (synchronous or response is None):
            self._reply_safely(subscriber, event, response)

    def _reply_safely(self, subscriber: Subscriber, event: Event, response: Any) -> None:
        """Send *response* as a reply to *event*; a fault ends up in the log."""
        try:
            self.publish_reply(event, response, subscriber.metadata)
        except Exception:
            text = f"The answer {response!r} of {subscriber} to {event} was not sent."
            self.logger.exception(text)

    def _handle_reply(self, event: Event) -> None:
        """Pass *event*, a reply, to the `on_reply` of the event that it answers."""
        with self._lock:
            callback = self._reply_callbacks.get(event["in_reply_to_event"])
        if callback is not None:
            callback(event)

    def _accept(self, event: Event) -> None:
        if self._inbox.is_repeat(event):
            self.logger.debug(f"Ignoring the event {event['id']}, which was received before.")
            return
        for watch in tuple(self._watchers):
            watch(event)
        if event["topic"] == "ftrack.meta.reply":
            with self._lock:
                replies = self._awaited.get(event["in_reply_to_event"])
            if replies is not None:
                replies.put(event)
        self._inbox.put(event)

    def _tell_connected(self, gap: Optional[float]) -> None:
        with self._lock:
            if self._router.get(self.id) is None:
                own = Subscriber(
                    "topic=ftrack.meta.reply", self._handle_reply, {"id": self.id}, 100
                )
                self._router.subscribers.insert(0, own)
        self._tell("ftrack.meta.connected", {})
        if gap is not None:
            self._tell("ftrack.meta.reconnected", {"gap": gap})

    def _tell_disconnected(self, reason: str) -> None:
        self._tell("ftrack.meta.disconnected", {})

    def _tell(self, topic: str, data: dict[str, Any]) -> None:
        event = Event(topic=topic, data=data)
        self._prepare_event(event)
        self._inbox.put_own(event)
