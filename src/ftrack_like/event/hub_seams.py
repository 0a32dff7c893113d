"""The seam between the event hub and its parts.

Programs replace methods of a hub: in a subclass, on one hub, on the class, or with a decorator. A
part that called a method of its own, or that kept a bound method of the hub, would miss the
replacement. A part therefore never calls the hub directly. It calls the functions of one
:class:`HubSeams`, which look the method up on the hub at the time of the call.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional

from ftrack_like.event.handshake import SocketIoSession
from ftrack_like.event.pending import OnPacketAnswer, PacketAnswer
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.event.websockets import WebSocketLike
from ftrack_like.wire.events import Event, EventData
from ftrack_like.wire.packets import JsonValue

__all__ = ["HubSeams"]


class HubSeams(NamedTuple):
    """The functions of the hub that its parts call.

    State of the hub:

    * *get_logger* returns the logger.
    * *connected* returns whether there is a connection.
    * *expects_events* returns whether there is a connection, or one is being opened.
    * *event_namespace* returns the name of the Socket.IO event that carries events.
    * *server_url* returns the address of the server, for messages.
    * *headers* and *cookies* return the additions to the websocket request.
    * *websocket_address* returns the address for a granted session.
    * *subscribers* returns a copy of the list of subscribers.
    * *get_subscriber* returns the subscriber with the given id, or None.

    Connecting:

    * *init_connection* notes that a connection is being opened.
    * *get_socket_io_session* performs the handshake.
    * *opened* is called with a new websocket in place, and with the seconds without a connection
      before it, None for the first connection.
    * *lost* is called with the reason after a websocket was lost.
    * *unsubscribe_all* removes all subscribers.
    * *give_up* closes a websocket on which sending failed.

    Sending. Each function raises EventHubConnectionError if the connection is broken:

    * *send_sign* sends the packet with the given name, without data.
    * *acknowledge_packet* acknowledges the packet with the given number.
    * *prepare_event* adds the missing entries to the source of an event.
    * *emit* sends an event and has its answer passed to a function.
    * *announce* tells the server about a subscriber.
    * *subscribed* and *unsubscribed* handle the server's answers about a subscriber.
    * *publish_reply* publishes a reply to an event, with its data and source.

    Receiving:

    * *handle_packet* handles a packet: code, number, path and data.
    * *pop_packet_callback* returns and forgets the function that waits for an answer.
    * *handle* calls the subscribers of an event. Programs may queue other objects for it.
    """

    get_logger: Callable[[], logging.Logger]
    connected: Callable[[], bool]
    expects_events: Callable[[], bool]
    event_namespace: Callable[[], str]
    server_url: Callable[[], str]
    headers: Callable[[], Mapping[str, str]]
    cookies: Callable[[], Mapping[str, str]]
    websocket_address: Callable[[SocketIoSession], str]
    subscribers: Callable[[], list[Subscriber]]
    get_subscriber: Callable[[str], Optional[Subscriber]]

    init_connection: Callable[[], None]
    get_socket_io_session: Callable[[], SocketIoSession]
    opened: Callable[[Optional[float]], None]
    lost: Callable[[str], None]
    unsubscribe_all: Callable[[], None]
    give_up: Callable[[Optional[WebSocketLike]], None]

    send_sign: Callable[[str], None]
    acknowledge_packet: Callable[[str], None]
    prepare_event: Callable[[Event], None]
    emit: Callable[[Event, OnPacketAnswer], None]
    announce: Callable[[Subscriber], None]
    subscribed: Callable[[Subscriber, PacketAnswer], object]
    unsubscribed: Callable[[Subscriber, PacketAnswer], object]
    publish_reply: Callable[[Event, EventData, Mapping[str, JsonValue]], object]

    handle_packet: Callable[[str, str, str, str], object]
    pop_packet_callback: Callable[[int], Optional[OnPacketAnswer]]
    handle: Callable[[Event], object]

    @property
    def logger(self) -> logging.Logger:
        """The logger of the hub."""
        return self.get_logger()
