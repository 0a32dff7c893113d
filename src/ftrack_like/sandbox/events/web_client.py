"""The events that the pages publish, as the web client of a site does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrack_like.wire.events import new_id

__all__ = ["component_added"]

#: The program that the events name.
_PROGRAM = "ftrack.client.web"

_COMPONENT_ADDED = "ftrack.location.component-added"


def component_added(
    component_id: str, location_id: str, user: Mapping[str, str]
) -> Mapping[str, Any]:
    """Return the event that *user* uploaded the data of a component to a location."""
    data = {"component_id": component_id, "location_id": location_id}
    source = {"id": new_id(), "applicationId": _PROGRAM, "user": dict(user)}
    return {"topic": _COMPONENT_ADDED, "data": data, "source": source}
