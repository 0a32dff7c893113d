"""The events that the pages publish, as the web client of a site does."""

from __future__ import annotations

from collections.abc import Mapping

from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.wire.events import new_id

__all__ = ["tell_component_added"]

#: The program that the events name.
_PROGRAM = "ftrack.client.web"

_COMPONENT_ADDED = "ftrack.location.component-added"


def tell_component_added(
    broker: Broker, component_id: str, location_id: str, user: Mapping[str, str]
) -> None:
    """Publish that *user* uploaded the data of a component to a location."""
    data = {"component_id": component_id, "location_id": location_id}
    source = {"id": new_id(), "applicationId": _PROGRAM, "user": dict(user)}
    broker.publish({"topic": _COMPONENT_ADDED, "data": data, "source": source})
