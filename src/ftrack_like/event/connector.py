"""The connector opens and ends the connection to the event server.

A :class:`~ftrack_like.event.link.Link` stays connected by itself. The connector owns the link of
the hub, and replaces it when the program disconnects and connects again. Each link runs a thread,
which may call after the program has moved on to the next link. So :meth:`Connector.opened` and
:meth:`Connector.lost` compare the calling link with the current one, under the lock, before they
change anything.
"""

from __future__ import annotations

import threading
import time
from typing import Optional

from ftrack_like import exception
from ftrack_like._transport.connection_settings import ConnectionSettings
from ftrack_like._transport.limits import OpenConnections, RequestDeadline, limited
from ftrack_like._transport.names import SlowNameError
from ftrack_like._transport.sockets import registering
from ftrack_like.event.courier import Courier
from ftrack_like.event.handshake import require_websocket
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.link import Link, LinkHooks, weakly
from ftrack_like.event.receiver import Receiver
from ftrack_like.event.websockets import WebSocketLike, open_websocket

__all__ = ["CONNECT_TIMEOUT", "Connector"]

#: The default time limit for each step of connecting, in seconds.
CONNECT_TIMEOUT = 10.0
#: The default time limit for connecting as a whole, in seconds.
CONNECT_DEADLINE = 20.0
#: How long disconnecting waits for acknowledgements, in seconds.
CLOSING_PATIENCE = 0.6
#: When disconnecting breaks off a stuck socket, in seconds.
CLOSING_LIMIT = 1.2
#: The heartbeat of a server that does not give one, in seconds.
USUAL_HEARTBEAT = 15


class Connector:
    """Connects and disconnects a hub. Threads may share a connector.

    `_changed` guards the link and the flags. A thread that needs the guard of the courier too
    takes that one first.
    """

    def __init__(
        self, seams: HubSeams, courier: Courier, receiver: Receiver, settings: ConnectionSettings
    ) -> None:
        """Initialise without a connection.

        A new websocket goes to *courier*, its messages go to *receiver*.
        """
        self._seams = seams
        self._courier = courier
        self._receiver = receiver
        self._settings = settings
        self.renew()

    def renew(self) -> None:
        """Forget the connection, and create a new lock. A forked child starts with this."""
        self._changed = threading.Condition()
        self.link: Optional[Link] = None
        #: Whether there is a connection, or the program expects one: events are then queued.
        self.initialised: bool = False
        self.intentional_disconnect: bool = False
        #: The sockets that are being opened. Disconnecting closes them.
        self._opening = OpenConnections()

    def connect(self) -> None:
        """Connect now, and open the connection again whenever it is lost.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the server cannot be
        reached or refuses, or if there is a connection already.
        """
        link = self._new_link()
        try:
            link.open()
        except exception.EventHubConnectionError as error:
            with self._changed:
                if self.link is link:
                    self.link, self.initialised = None, False
            raise exception.EventHubConnectionError(
                'Failed to connect to event server at {url} with error: "{error}".',
                details={"url": self._seams.server_url(), "error": str(error)},
            ) from error
        link.start()
        self._courier.wait_ready(CONNECT_TIMEOUT)

    def connect_in_background(self) -> None:
        """Connect on the thread of the link, which tries until it succeeds.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if there is a connection
        already.
        """
        self._new_link().start()

    def wait_connected(self, timeout: Optional[float]) -> bool:
        """Return whether the hub is connected and ready, after at most *timeout* seconds.

        None as *timeout* waits while a connection is being opened.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not (self._seams.connected() and self._courier.ready):
                left = 1.0 if deadline is None else deadline - time.monotonic()
                if left <= 0 or not self._seams.expects_events():
                    return False
                self._changed.wait(min(left, 0.05))
            return True

    def disconnect(self, unsubscribe: bool, reconnect: bool, returns: bool = False) -> None:
        """Disconnect within two seconds, and remove all subscribers if *unsubscribe* is true.

        *reconnect* keeps later events for the next connection. *returns* means that another process
        may continue the subscriptions, so the server should keep the events for it.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` without a connection.
        """
        with self._changed:
            link = self.link
            if link is None and not self._seams.connected():
                raise exception.EventHubConnectionError("Not currently connected.")
            self.link = None
            self.intentional_disconnect = True
            self.initialised = reconnect
            opening = self._opening
            self._changed.notify_all()
        opening.end()
        polite = self._say_goodbye(link, unsubscribe, for_good=not (reconnect or returns))
        websocket = self._courier.websocket
        if link is not None:
            link.close(politely=polite)
        elif websocket is not None:
            websocket.close()
        self._courier.websocket = None

    def give_up(self, websocket: Optional[WebSocketLike]) -> None:
        """Shut *websocket* down after a fault. The link opens another one."""
        link = self.link
        if link is not None:
            self._courier.websocket = None
            link.suspect(websocket)

    def _new_link(self) -> Link:
        with self._changed:
            if self.link is not None or self._seams.connected():
                raise exception.EventHubConnectionError("Already connected.")
            hooks = LinkHooks(
                self.open,
                self.opened,
                self._courier.send_waiting,
                self._receiver.receive,
                self.lost,
            )
            self.link = Link(weakly(hooks), self._seams.logger)
            # Only the hub refers to the connector, so both are collected together.
            self.link.end_with(self)
            self._opening = OpenConnections()
            self.intentional_disconnect = False
            self._seams.init_connection()
            return self.link

    def open(self) -> tuple[WebSocketLike, float]:
        """Return a websocket and its heartbeat in seconds, or raise EventHubConnectionError."""
        deadline = RequestDeadline(self._settings.deadline or CONNECT_DEADLINE)
        try:
            with limited(deadline), registering(self._opening):
                return self._open()
        except exception.EventHubConnectionError:
            raise
        except Exception as error:  # any other exception would end the thread of the link
            is_late = deadline.left() <= 0 and not isinstance(error, SlowNameError)
            text = deadline.explain() if is_late else str(error)[:500]
            raise exception.EventHubConnectionError(
                "Failed to connect to server: {error}", details={"error": text}
            ) from error

    def _open(self) -> tuple[WebSocketLike, float]:
        session = self._seams.get_socket_io_session()
        require_websocket(session)
        websocket = open_websocket(
            self._seams.websocket_address(session),
            self._seams.headers(),
            self._seams.cookies(),
            self._settings,
            self._settings.connect_timeout or CONNECT_TIMEOUT,
        )
        return websocket, float(session.heartbeatTimeout or USUAL_HEARTBEAT)

    def opened(self, link: Link, websocket: WebSocketLike, gap: Optional[float]) -> None:
        """Use *websocket* from now on, unless *link* is an old one.

        *gap* is the number of seconds without a connection, None for the first websocket.
        """
        with self._courier.guard, self._changed:
            if self.link is not link or link.closed:
                return
            self._courier.begin(websocket, again=gap is not None)
            self._changed.notify_all()
        self._seams.opened(gap)

    def lost(self, link: Link, reason: str) -> None:
        """Note that the websocket of *link* is gone; close *link* if it is an old one."""
        with self._changed:
            is_current = self.link is link
            if is_current:
                self._courier.websocket = None
                self._changed.notify_all()
        if self.intentional_disconnect or not is_current:
            link.close()
        if is_current:
            self._seams.lost(reason)

    def _say_goodbye(self, link: Optional[Link], unsubscribe: bool, for_good: bool) -> bool:
        """Finish all exchanges with the server; return False if the socket is stuck.

        *for_good* makes the server forget the hub at once, instead of waiting for its return.
        """
        # This thread, or another one with the guard, may be stuck in sending. Shutting the socket
        # down wakes them all.
        impatience = threading.Timer(CLOSING_LIMIT, link.break_off if link else lambda: None)
        impatience.daemon = True
        impatience.start()
        try:
            if self._seams.connected() and not self._courier.wait_settled(CLOSING_PATIENCE):
                self._seams.logger.warning(
                    f"The event server did not acknowledge {self._courier.waiting} published "
                    "events before the event hub disconnected."
                )
            if unsubscribe:
                self._seams.unsubscribe_all()
            if for_good and self._seams.connected():
                self._seams.send_sign("disconnect")
        except exception.EventHubConnectionError:
            return False
        finally:
            impatience.cancel()
        return self._seams.connected()
