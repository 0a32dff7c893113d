"""The half of the event hub that faces the server: connecting, packets, staying connected.

What is sent when is the business of :mod:`ftrack_like.event.courier`, the socket with its
thread, of :mod:`ftrack_like.event.connection`.
"""

from __future__ import annotations

import collections
import logging
import os
import queue
import threading
import time
import weakref
from typing import Any, Callable, Optional, Union

from ftrack_like import exception
from ftrack_like._transport.limits import Deadline, OpenConnections, limited
from ftrack_like._transport.settings import ConnectionSettings
from ftrack_like._transport.sockets import registering
from ftrack_like.event import handshake
from ftrack_like.event.connection import Link, LinkHooks, faults, open_websocket, weakly
from ftrack_like.event.courier import BUFFER_LIMIT, Courier
from ftrack_like.event.delivery import Arrivals
from ftrack_like.event.handshake import ServerDetails, SocketIoSession, server_details
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event, new_id

__all__ = ["ServerSide"]

#: How long to wait for the server when connecting, in seconds, if nothing else was said.
CONNECT_TIMEOUT = 10.0
#: How long connecting may take as a whole, in seconds, if nothing else was said.
CONNECT_DEADLINE = 20.0
#: How long a hub that is closed waits for acknowledgements, and for a stuck socket, in seconds.
CLOSING_PATIENCE = 0.6
CLOSING_LIMIT = 1.2
#: How many events are acknowledged by one packet, and how long an event may wait for others to
#: be acknowledged with, in seconds. What the server sends again meanwhile is dropped as a repeat.
ACKNOWLEDGED_AT_ONCE = 50
ACKNOWLEDGED_WITHIN = 0.5
#: The heartbeat to expect of a server that names none, in seconds.
USUAL_HEARTBEAT = 15
#: What to call with the answers to packets, by the numbers of these.
PacketCallbacks = collections.OrderedDict[int, Callable[[Any], Any]]
#: The hubs of this process, to part them from their connections in a forked child.
_hubs: weakref.WeakSet[ServerSide] = weakref.WeakSet()


class ServerSide:
    """Knows the event server and keeps the connection to it.

    :class:`~ftrack_like.event.hub.EventHub` is this and the half that faces the program.
    """

    def __init__(
        self, server_url: str, api_user: str, api_key: str, settings: ConnectionSettings
    ) -> None:
        """Initialise for the server at *server_url*, without connecting.

        Raise :exc:`ValueError` if *server_url* names no host.
        """
        self.logger = logging.getLogger(f"{type(self).__module__}.{type(self).__name__}")
        self.id = new_id()
        self.server: ServerDetails = server_details(server_url)
        self._server_url = server_url
        self._api_user = api_user
        self._api_key = api_key
        self._headers: dict[str, str] = {}
        self._cookies: dict[str, str] = {}
        self._settings = settings
        self._event_namespace = packets.EVENT_NAME
        self._code_name_mapping = {
            **packets.CODES,
            **{name: code for code, name in packets.CODES.items()},
        }
        self._start_unconnected()
        _hubs.add(self)

    def _start_unconnected(self) -> None:
        """Set what belongs to connections as if there had never been one."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._event_queue: queue.Queue[Any] = queue.Queue()
        self._event_send_queue: queue.Queue[Any] = queue.Queue()
        self._packet_callbacks: PacketCallbacks = collections.OrderedDict()
        self._unique_packet_id = 0
        self._arrivals = Arrivals(ACKNOWLEDGED_AT_ONCE, ACKNOWLEDGED_WITHIN)
        self._connection: Any = None
        self._connection_initialised = False
        self._intentional_disconnect = False
        self._link: Optional[Link] = None
        #: What is being opened; it is cut when the hub disconnects.
        self._opening = OpenConnections()
        self._courier = Courier(self)

    def __repr__(self) -> str:
        """Return the class, the server and whether there is a connection."""
        state = "connected" if self.connected else "not connected"
        return f"<{self.__class__.__name__} {self.get_server_url()} {state}>"

    @property
    def secure(self) -> bool:
        """Return whether the connection is encrypted."""
        return self.server.scheme == "https"

    def get_network_location(self) -> str:
        """Return the host, and the port if it was given, as `host:port`."""
        if self.server.port is None:
            return self.server.hostname
        return f"{self.server.hostname}:{self.server.port}"

    def get_server_url(self) -> str:
        """Return the address of the event server."""
        return f"{self.server.scheme}://{self.get_network_location()}"

    # Connecting.

    @property
    def connected(self) -> bool:
        """Return whether there is a connection to the server."""
        connection = self._connection
        return connection is not None and bool(getattr(connection, "connected", True))

    def init_connection(self) -> None:
        """Announce that a connection is coming, so that events are kept for it until then."""
        self._connection_initialised = True

    def connect(self) -> None:
        """Connect now, and stay connected: a lost connection is opened again.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the server cannot be
        reached or refuses, or if the hub is connected already.
        """
        link = self._new_link()
        try:
            link.open()
        except exception.EventHubConnectionError as error:
            with self._changed:
                if self._link is link:
                    self._link, self._connection_initialised = None, False
            raise exception.EventHubConnectionError(
                'Failed to connect to event server at {url} with error: "{error}".',
                details={"url": self.get_server_url(), "error": str(error)},
            ) from error
        link.start()
        self._courier.wait_ready(CONNECT_TIMEOUT)

    def connect_in_background(self) -> None:
        """Connect on a thread of the hub's own, trying again until it works.

        Events that are published before are kept. Raise
        :exc:`~ftrack_like.exception.EventHubConnectionError` if the hub is connected already.
        """
        self._new_link().start()

    def wait_connected(self, timeout: Optional[float] = None) -> bool:
        """Return whether the hub is connected, after at most *timeout* seconds.

        Connected means that the server knows all subscribers and was sent everything that
        waited. None as *timeout* waits for as long as it takes, but not for a hub that
        nobody connects.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not (self.connected and self._courier.ready):
                left = 1.0 if deadline is None else deadline - time.monotonic()
                if left <= 0 or not (self._connection_initialised or self.connected):
                    return False
                self._changed.wait(min(left, 0.05))
            return True

    def disconnect(self, unsubscribe: bool = True, reconnect: bool = False) -> None:
        """Disconnect, within two seconds whatever the server does, and stay so.

        With *unsubscribe*, all subscribers are removed. With *reconnect*, the caller is going to
        connect again: events that are published meanwhile are kept.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the hub is not connected
        nor about to be.
        """
        with self._changed:
            link = self._link
            if link is None and not self.connected:
                raise exception.EventHubConnectionError("Not currently connected.")
            self._link = None
            self._intentional_disconnect = True
            self._connection_initialised = reconnect
            opening = self._opening
            self._changed.notify_all()
        opening.end()
        polite = self._say_goodbye(link, unsubscribe, for_good=not reconnect)
        if link is not None:
            link.close(politely=polite)
        elif self._connection is not None:
            self._connection.close()
        self._connection = None

    def close(self) -> None:
        """Disconnect if connected, and stop trying to connect if not. Never raises.

        Subscribers stay, for synchronous events.
        """
        try:
            self.disconnect(unsubscribe=False)
        except exception.EventHubConnectionError:
            self._connection_initialised = False

    def reconnect(self, attempts: int = 10, delay: float = 5) -> None:
        """Connect again, trying *attempts* times with *delay* seconds in between.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if none of them succeeds. A
        connection that is lost by itself needs none of this: it is opened again by itself.
        """
        if self._link is not None or self.connected:
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

    def _new_link(self) -> Link:
        with self._changed:
            if self._link is not None or self.connected:
                raise exception.EventHubConnectionError("Already connected.")
            hooks = LinkHooks(self._open, self._opened, self._idle, self._received, self._lost)
            self._link = Link(weakly(hooks), self.logger)
            self._link.end_with(self)
            self._opening = OpenConnections()
            self._intentional_disconnect = False
            self.init_connection()
            return self._link

    def _get_socket_io_session(self) -> SocketIoSession:
        """Return the session that the server grants, or raise EventHubConnectionError."""
        return handshake.shake_hands(
            self.get_server_url(),
            self._api_user,
            self._api_key,
            self._headers,
            self._cookies,
            self._settings,
        )

    def _open(self) -> tuple[Any, float]:
        """Return a websocket and its heartbeat in seconds, or raise EventHubConnectionError."""
        deadline = Deadline(self._settings.deadline or CONNECT_DEADLINE)
        try:
            with limited(deadline), registering(self._opening):
                return self._open_websocket(self._get_socket_io_session())
        except exception.EventHubConnectionError:
            raise
        except Exception as error:  # whatever it is, it must not end the thread that connects
            text = deadline.explain() if deadline.left() <= 0 else str(error)[:500]
            raise exception.EventHubConnectionError(
                "Failed to connect to server: {error}", details={"error": text}
            ) from error

    def _open_websocket(self, session: SocketIoSession) -> tuple[Any, float]:
        handshake.require_websocket(session)
        scheme = "wss" if self.secure else "ws"
        address = f"{scheme}://{self.get_network_location()}/socket.io/1/websocket/{session.id}"
        timeout = self._settings.connect_timeout or CONNECT_TIMEOUT
        connection = open_websocket(address, self._headers, self._cookies, self._settings, timeout)
        return connection, float(session.heartbeatTimeout or USUAL_HEARTBEAT)

    def _opened(self, link: Link, connection: Any, gap: Optional[float]) -> None:
        """Take over *connection*, the first one or the first after *gap* seconds without."""
        with self._courier.guard, self._changed:
            if self._link is not link or link.closed:
                return
            self._packet_callbacks.clear()
            self._arrivals.take()
            self._courier.begin(again=gap is not None)
            self._connection = connection
            self._changed.notify_all()
        self._tell_connected(gap)

    def _lost(self, link: Link, reason: str) -> None:
        with self._changed:
            parted = self._link is not link
            if not parted:
                self._connection = None
                self._changed.notify_all()
        if parted or self._intentional_disconnect:
            link.close()
        if not parted:
            self._tell_disconnected(reason)

    def _give_up(self, connection: Any) -> None:
        """Use *connection* no longer; the link opens another one."""
        if self._link is not None:
            self._connection = None
            self._link.suspect(connection)

    def _say_goodbye(self, link: Optional[Link], unsubscribe: bool, for_good: bool) -> bool:
        """Finish business with the server; return False if the socket is stuck.

        *for_good* lets the server forget the hub at once, instead of waiting for its return.
        """
        # Sending may be stuck, here or in another thread that holds the guard; a broken socket
        # sets everybody free.
        impatience = threading.Timer(CLOSING_LIMIT, link.break_off if link else lambda: None)
        impatience.daemon = True
        impatience.start()
        try:
            if self.connected and not self._courier.wait_settled(CLOSING_PATIENCE):
                self.logger.warning(
                    f"The event server did not acknowledge {self._courier.waiting} published "
                    "events before the event hub disconnected."
                )
            if unsubscribe:
                self._unsubscribe_all()
            if for_good and self.connected:
                self._send_packet(self._code_name_mapping["disconnect"])
        except exception.EventHubConnectionError:
            return False
        finally:
            impatience.cancel()
        return self.connected

    # Packets.

    def _send_packet(
        self, code: str, data: str = "", callback: Optional[Callable[[Any], Any]] = None
    ) -> None:
        """Send a packet on the calling thread.

        *callback* is called with the server's answer, on the thread that reads. Raise
        :exc:`~ftrack_like.exception.EventHubConnectionError` if the connection is broken.
        """
        with self._courier.guard:
            connection = self._connection
            if connection is None:
                raise exception.EventHubConnectionError("The event hub is not connected.")
            number = None if callback is None else self._add_packet_callback(callback)
            identifier = "" if number is None else f"{number}+"
            packet = packets.join(packets.Packet(code, identifier, "", data))
            try:
                connection.send(packet)
            except Exception as error:
                self._pop_packet_callback(number)
                if not isinstance(error, faults()):
                    raise
                self._give_up(connection)
                raise exception.EventHubConnectionError(
                    "Sending to the event server failed: {error}", details={"error": str(error)}
                ) from error
        self.logger.debug("Sent packet: %s", packet)

    def _add_packet_callback(self, callback: Callable[[Any], Any]) -> int:
        """Return a new packet's number, to whose answer *callback* is to be called."""
        with self._lock:
            self._unique_packet_id += 1
            self._packet_callbacks[self._unique_packet_id] = callback
            if len(self._packet_callbacks) > 2 * BUFFER_LIMIT:  # the server answers nothing
                self._packet_callbacks.popitem(last=False)
            return self._unique_packet_id

    def _pop_packet_callback(self, packet_identifier: Any) -> Optional[Callable[[Any], Any]]:
        """Return the callback for the packet with that number and forget it; None without."""
        with self._lock:
            return self._packet_callbacks.pop(packet_identifier, None)

    def _acknowledge_packet(self, packet_identifier: str, *args: Any) -> None:
        """Tell the server that its packet *packet_identifier* arrived."""
        packet = packets.acknowledgement(packet_identifier, *args)
        self._send_packet(packet.code, packet.data)

    def _received(self, payload: Union[str, bytes]) -> None:
        """Handle *payload*, fresh from the websocket; whatever it is, reading goes on."""
        if payload == "":
            return
        try:
            self._handle_packet(*packets.split(payload))
        except Exception:
            self.logger.exception("Error handling a packet of the event server.")

    def _handle_packet(self, code: str, packet_identifier: str, path: str, data: str) -> None:
        """Handle one packet of the server, on the thread that reads."""
        packet = packets.Packet(code, packet_identifier, path, data)
        message = packets.read(packet, self._decode)
        handler = _HANDLERS.get(type(message))
        if handler is not None:
            handler(self, message, packet_identifier)

    def _on_heartbeat(self, message: packets.Heartbeat, identifier: str) -> None:
        try:
            self._send_packet(self._code_name_mapping["heartbeat"])
        except exception.EventHubConnectionError as error:
            self.logger.debug(f"A heartbeat was not answered: {error}")

    def _on_event(self, message: packets.EventMessage, identifier: str) -> None:
        if message.name != self._event_namespace:
            self.logger.debug(f"Ignoring an event of the unknown kind {message.name[:100]!r}.")
            return
        for argument in message.arguments:
            try:
                event = Event(**wire_events.from_wire(argument))
            except ValueError as error:
                self.logger.warning(f"Ignoring something that is no event: {error}.")
            else:
                self._accept(event)
        if identifier and self._arrivals.add(identifier, time.monotonic()):
            self._acknowledge_arrivals()

    def _idle(self, last: bool) -> Optional[float]:
        """Use a moment without packets to send what waits.

        Return after how many seconds to do so again, None if not for that. This may be the *last*
        such moment for long.
        """
        left = self._arrivals.left(time.monotonic())
        if last or left == 0:
            self._acknowledge_arrivals()
            left = None
        pause = self._courier.catch_up()
        return min((each for each in (left, pause) if each is not None), default=None)

    def _acknowledge_arrivals(self) -> None:
        identifier = self._arrivals.take()
        if not identifier:
            return
        try:
            self._acknowledge_packet(identifier)
        except exception.EventHubConnectionError as error:
            self.logger.debug(f"An event was not acknowledged: {error}")

    def _on_acknowledgement(self, message: packets.Acknowledgement, identifier: str) -> None:
        callback = self._pop_packet_callback(message.identifier)
        if callback is not None:
            response = message.arguments[0] if message.arguments else {}
            callback(response if isinstance(response, dict) else {"success": True})

    def _on_fault(self, message: packets.Fault, identifier: str) -> None:
        self.logger.error(f"The event server complains: {message.reason} {message.advice}".strip())

    def _on_disconnect(self, message: packets.Disconnect, identifier: str) -> None:
        self.logger.debug("The event server is disconnecting.")
        self._give_up(self._connection)

    def _on_unreadable(self, message: packets.Unreadable, identifier: str) -> None:
        self.logger.warning(f"Ignoring an unreadable packet of the event server: {message.reason}")

    # What the half that faces the program does.

    def _decode(self, string: str) -> Any:
        """Return the value of the JSON text *string*."""
        raise NotImplementedError

    def _emit(self, event: Event, callback: Callable[[Any], Any]) -> None:
        """Send *event*; raise EventHubConnectionError if the connection is broken."""
        raise NotImplementedError

    def _subscribers_now(self) -> list[Any]:
        """Return the subscribers, first one first."""
        raise NotImplementedError

    def _announce(self, subscriber: Any) -> None:
        """Tell the server about *subscriber*; raise EventHubConnectionError if broken."""
        raise NotImplementedError

    def _accept(self, event: Event) -> None:
        """Take *event*, which the server sent."""
        raise NotImplementedError

    def _tell_connected(self, gap: Optional[float]) -> None:
        """Tell subscribers that there is a connection, after *gap* seconds without one."""
        raise NotImplementedError

    def _tell_disconnected(self, reason: str) -> None:
        """Tell subscribers that the connection was lost for *reason*."""
        raise NotImplementedError

    def _unsubscribe_all(self) -> None:
        """Remove all subscribers, here and, if possible, at the server."""
        raise NotImplementedError


#: What to do about which message; the other kinds need nothing.
_HANDLERS: dict[type, Callable[[ServerSide, Any, str], None]] = {
    packets.Heartbeat: ServerSide._on_heartbeat,
    packets.EventMessage: ServerSide._on_event,
    packets.Acknowledgement: ServerSide._on_acknowledgement,
    packets.Fault: ServerSide._on_fault,
    packets.Disconnect: ServerSide._on_disconnect,
    packets.Unreadable: ServerSide._on_unreadable,
}


def _part_from_connections() -> None:
    """In a forked child: leave the parent's connections alone.

    The threads that read them, and perhaps held the locks, exist in the parent only.
    """
    for hub in list(_hubs):
        hub._start_unconnected()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_part_from_connections)
