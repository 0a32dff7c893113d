"""Example plugin: encode what is published, so that it can be reviewed in the browser.

It shows how a listener works for others: it hears of each component that is added to a location,
has movies and images encoded for their version, tells how that goes in a job of the user who
published, and shows that user a message in the end. The same content is encoded once.

Put the folder of this file on ``FTRACK_EVENT_PLUGIN_PATH`` of a program that listens, on a machine
that can read the studio's locations, such as ``ftrack-like listen``; or pass it to a session as
``plugin_paths``, connect its event hub and call ``session.event_hub.wait(workers=2)``. Sessions
whose hub is not connected hear nothing and do nothing.

With the variable ``STUDIO_ENCODE=local`` the encoding itself happens on that machine, with ffmpeg.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any, Optional

import ftrack_like
import ftrack_like.event.base
import ftrack_like.exception
import ftrack_like.media

LOGGER = logging.getLogger("studio.encode_on_publish")

#: What is encoded, by file type. Sequences of images are left to the renderer here.
FILE_TYPES = {".mov", ".mp4", ".avi", ".mkv", ".mxf", ".png", ".jpg", ".tif", ".exr", ".dpx"}

#: How the names of the components begin that encoding makes itself.
OWN_NAMES = ("ftrackreview-", "thumbnail")

#: Seconds that one encoding may take.
PATIENCE = 3600


class Encoder:
    """Encodes what the events of *session* tell of."""

    def __init__(self, session: ftrack_like.Session) -> None:
        self.session = session

    def __call__(self, event: Any) -> None:
        """Encode each component that *event*, an ``ftrack.update``, says to be in a location."""
        for entry in event["data"].get("entities") or ():
            if entry.get("entity_type") == "ComponentLocation" and entry.get("action") == "add":
                found = self.find(entry["entityId"])
                if found is not None:
                    self.encode(found, (event["source"].get("user") or {}).get("id"))

    def find(self, entry_id: str) -> Optional[Any]:
        """Return the ComponentLocation with the id *entry_id* if it is to be encoded, else None."""
        found = self.session.query(
            "select component.name, component.file_type, component.version.asset.name, "
            "component.version.version, location.name "
            f'from ComponentLocation where id is "{entry_id}"'
        ).first()
        if found is None:
            return None
        component, location = found["component"], found["location"]
        wanted = (
            component.entity_type == "FileComponent"
            and component["version"] is not None
            and not component["name"].startswith(OWN_NAMES)
            and component["file_type"].lower() in FILE_TYPES
            and location.accessor
        )
        return found if wanted else None

    def encode(self, found: Any, user_id: Optional[str]) -> None:
        """Encode the component of *found*, a ComponentLocation, in a job of the user."""
        version = found["component"]["version"]
        title = f"{version['asset']['name']} v{version['version']:03}"
        job = self.session.create(
            "Job",
            {
                "status": "running",
                "user_id": user_id or self.own_user_id(),
                "data": json.dumps({"description": f"Encoding {title}"}),
            },
        )
        self.session.commit()
        try:
            self.publish(version, found["component"], found["location"])
        except (ftrack_like.exception.Error, OSError) as error:
            LOGGER.exception(f"{title} could not be encoded.")
            message = f"{title} could not be encoded: {error}"
            job["status"] = "failed"
            job["data"] = json.dumps({"description": f"Encoding {title}", "error": str(error)})
        else:
            message = f"{title} can be reviewed."
            job["status"] = "done"
        self.session.commit()
        self.show_message(job["user"], message, job["status"] == "done")

    def publish(self, version: Any, component: Any, location: Any) -> None:
        """Make what reviewers look at of *component*, which lies in *location*."""
        identifier = location.get_resource_identifier(component)
        try:
            path = location.accessor.get_filesystem_path(identifier)
        except ftrack_like.exception.AccessorUnsupportedOperationError:
            # On the server, where it can be read at once.
            version.encode_media(component, wait=True, timeout=PATIENCE)
            return
        way = os.environ.get("STUDIO_ENCODE", "server")
        ftrack_like.media.publish_reviewable(version, path, encode=way, timeout=PATIENCE)

    def show_message(self, user: Any, message: str, success: bool) -> None:
        """Show *message* to *user* in the web interface, if that is open."""
        self.session.event_hub.publish(
            ftrack_like.event.base.Event(
                topic="ftrack.action.trigger-user-interface",
                data={"type": "message", "success": success, "message": message},
                target=f'applicationId=ftrack.client.web and user.id="{user["id"]}"',
            ),
            on_error="ignore",
        )

    def own_user_id(self) -> str:
        """Return the id of the user in whose name this runs."""
        user = self.session.query(f'User where username is "{self.session.api_user}"').one()
        return str(user["id"])


def register(session: Any) -> None:
    """Subscribe in *session*."""
    if not isinstance(session, ftrack_like.Session):
        # Other programs may load the same folder with other arguments.
        return
    session.event_hub.subscribe("topic=ftrack.update", Encoder(session))
