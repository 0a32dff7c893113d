"""The events that the pages publish, as the web client of a site does."""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping
from typing import Any

from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.wire import packets
from ftrack_like.wire.events import new_id

__all__ = ["ask", "tell_component_added"]

#: The program that the events name.
_PROGRAM = "ftrack.client.web"

_COMPONENT_ADDED = "ftrack.location.component-added"


def ask(
    broker: Broker,
    topic: str,
    data: Mapping[str, Any],
    user: Mapping[str, str],
    patience: float = 2.0,
) -> list[Any]:
    """Publish an event in the name of *user* (id and username); return the data of the replies.

    Return as soon as each program that received the event has replied, and otherwise after
    *patience* seconds. A program without a reply does not count as a fault.
    """
    own_id, event_id = new_id(), new_id()
    replies: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receive(packet: str) -> None:
        message = packets.read(packets.split(packet))
        if isinstance(message, packets.EventMessage):
            for event in message.arguments:
                if event["inReplyToEvent"] == event_id:
                    replies.put(event["data"])

    def send(event: Mapping[str, Any]) -> None:
        text = packets.dumps(packets.event_data(event))
        broker.receive(websocket, packets.join(packets.Packet("5", data=text)))

    source = {"id": own_id, "applicationId": _PROGRAM, "user": dict(user)}
    websocket = broker.connect(user["username"], receive)
    try:
        subscription = {"subscriber": {"id": own_id}, "subscription": "topic=ftrack.meta.reply"}
        send({"topic": "ftrack.meta.subscribe", "data": subscription, "source": source})
        asked = broker.publish({"id": event_id, "topic": topic, "data": data, "source": source})
        return _collect(replies, asked, patience)
    finally:
        broker.receive(websocket, packets.join(packets.Packet("0")))
        broker.disconnect(websocket)


def tell_component_added(
    broker: Broker, component_id: str, location_id: str, user: Mapping[str, str]
) -> None:
    """Publish that *user* uploaded the data of a component to a location."""
    data = {"component_id": component_id, "location_id": location_id}
    source = {"id": new_id(), "applicationId": _PROGRAM, "user": dict(user)}
    broker.publish({"topic": _COMPONENT_ADDED, "data": data, "source": source})


def _collect(replies: queue.SimpleQueue[Any], count: int, patience: float) -> list[Any]:
    """Return at most *count* of *replies*, which arrive within *patience* seconds."""
    found: list[Any] = []
    deadline = time.monotonic() + patience
    while len(found) < count:
        try:
            found.append(replies.get(timeout=max(0.0, deadline - time.monotonic())))
        except queue.Empty:
            break
    return found
