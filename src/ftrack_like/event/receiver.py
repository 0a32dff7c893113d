"""The receiver reads the packets of the server and passes each to the part that it concerns."""

from __future__ import annotations

from typing import Callable, Union

from ftrack_like import exception
from ftrack_like.event.courier import Courier
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.inbox import Inbox
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event

__all__ = ["Receiver"]


class Receiver:
    """Handles packets, on the thread that reads. No packet may end that thread."""

    def __init__(self, seams: HubSeams, courier: Courier, inbox: Inbox) -> None:
        """Initialise for the hub behind *seams*, with its *courier* and its *inbox*."""
        self._seams = seams
        self._courier = courier
        self._inbox = inbox
        #: The handler for each kind of message. The other kinds need none.
        self._handlers: dict[type, Callable[..., None]] = {
            packets.Heartbeat: self._on_heartbeat,
            packets.EventMessage: self._on_event,
            packets.Acknowledgement: self._on_acknowledgement,
            packets.Fault: self._on_fault,
            packets.Disconnect: self._on_disconnect,
            packets.Unreadable: self._on_unreadable,
        }

    def receive(self, payload: Union[str, bytes]) -> None:
        """Pass *payload*, fresh from the websocket, to the hub. Log exceptions."""
        if payload == "":
            return
        try:
            self._seams.handle_packet(*packets.split(payload))
        except Exception:
            self._seams.logger.exception("Error handling a packet of the event server.")

    def handle(self, message: packets.Message, identifier: str) -> None:
        """Handle *message*, which came in the packet with the number *identifier*."""
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message, identifier)

    def _on_heartbeat(self, message: packets.Heartbeat, identifier: str) -> None:
        try:
            self._seams.send_sign("heartbeat")
        except exception.EventHubConnectionError as error:
            self._seams.logger.debug(f"A heartbeat was not answered: {error}")

    def _on_event(self, message: packets.EventMessage, identifier: str) -> None:
        if message.name != self._seams.event_namespace():
            self._seams.logger.debug(f"Ignoring the unknown event {message.name[:100]!r}.")
            return
        for argument in message.arguments:
            try:
                event = Event(**wire_events.from_wire(argument))
            except ValueError as error:
                self._seams.logger.warning(f"Ignoring a malformed event: {error}.")
            else:
                if not self._inbox.accept(event):
                    # Without an acknowledgement, the server sends the event again.
                    self._seams.give_up(self._courier.websocket)
                    return
        if identifier:
            self._courier.arrived(identifier)

    def _on_acknowledgement(self, message: packets.Acknowledgement, identifier: str) -> None:
        callback = self._seams.pop_packet_callback(message.identifier)
        if callback is not None:
            answer = message.arguments[0] if message.arguments else {}
            callback(answer if isinstance(answer, dict) else {"success": True})

    def _on_fault(self, message: packets.Fault, identifier: str) -> None:
        text = f"The event server reports an error: {message.reason} {message.advice}"
        self._seams.logger.error(text.strip())

    def _on_disconnect(self, message: packets.Disconnect, identifier: str) -> None:
        self._seams.logger.debug("The event server is disconnecting.")
        self._seams.give_up(self._courier.websocket)

    def _on_unreadable(self, message: packets.Unreadable, identifier: str) -> None:
        self._seams.logger.warning(
            f"Ignoring an unreadable packet of the event server: {message.reason}"
        )
