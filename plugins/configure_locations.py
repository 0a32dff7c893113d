"""Example plugin: give locations an accessor, a structure and a priority.

It shows how sessions learn where a studio keeps its files. A session publishes the event
``ftrack.api.session.configure-location`` as it starts, after its built-in locations; this plugin
answers by configuring two locations: the studio's main storage, which comes first for everything
published, and the built-in unmanaged location, which gets a priority after it.

Put the folder of this file on ``FTRACK_EVENT_PLUGIN_PATH``, or pass it to a session as
``plugin_paths``. The storage is where the variable ``STUDIO_STORAGE`` says, else in the folder
``storage`` of your home.
"""

from __future__ import annotations

import os
from typing import Any

import ftrack_like
import ftrack_like.accessor.disk
import ftrack_like.structure.standard
import ftrack_like.symbol

#: The name of the studio's storage on the server.
LOCATION_NAME = "studio.main-storage"


def configure_locations(event: Any) -> None:
    """Configure the locations of the session in *event*."""
    session = event["data"]["session"]

    # Created by the first session that ever runs, found by all others.
    location = session.ensure("Location", {"name": LOCATION_NAME})
    location.accessor = ftrack_like.accessor.disk.DiskAccessor(
        prefix=os.environ.get("STUDIO_STORAGE", "~/storage")
    )
    location.structure = ftrack_like.structure.standard.StandardStructure(
        project_versions_prefix="project_files"
    )
    # The lowest number comes first; locations that are not configured have 95.
    location.priority = 10

    unmanaged = session.get("Location", ftrack_like.symbol.UNMANAGED_LOCATION_ID)
    unmanaged.priority = 20


def register(session: Any) -> None:
    """Subscribe to the event by which *session* asks for its locations."""
    if not isinstance(session, ftrack_like.Session):
        # Other programs may load the same folder with other arguments.
        return
    session.event_hub.subscribe("topic=ftrack.api.session.configure-location", configure_locations)
