"""Tell every session of the studio where published files live.

Put the folder of this file on FTRACK_EVENT_PLUGIN_PATH, or give it to a session as
``plugin_paths=[…]`` with ``plugin_arguments={"publish_root": "/mnt/projects"}``. From then on
``location="auto"`` publishes below that folder, by project, sequence, shot, asset and version.
"""

from __future__ import annotations

import functools
from typing import Any

from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.structure.standard import StandardStructure

LOCATION = "harbour.disk"


def configure_location(event: Any, publish_root: str) -> None:
    """Give the studio's location an accessor and a structure in the session of *event*."""
    session = event["data"]["session"]
    location = session.ensure("Location", {"name": LOCATION})
    location.accessor = DiskAccessor(prefix=publish_root)
    location.structure = StandardStructure()
    location.priority = 10


def register(session: Any, publish_root: str | None = None) -> None:
    """Subscribe in *session*; without *publish_root* the studio's location stays unconfigured."""
    if publish_root is None:
        return
    session.event_hub.subscribe(
        "topic=ftrack.api.session.configure-location",
        functools.partial(configure_location, publish_root=publish_root),
    )
