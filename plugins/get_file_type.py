"""Example plugin: say what counts as the file type of a path.

It shows how to answer a question of the session. ``Session.create_component`` takes the last
suffix of a path as the file type of the component, so that a compressed point cache
``cache.bgeo.sc`` would be of the type ``.sc``. Before that it publishes the event
``ftrack.api.session.get-file-type-from-string`` with the path; the first answer that is not
empty wins. This plugin knows some types of two parts.

Put the folder of this file on ``FTRACK_EVENT_PLUGIN_PATH``, or pass it to a session as
``plugin_paths``.
"""

from __future__ import annotations

from typing import Any, Optional

import ftrack_like

#: File types that are more than the last suffix.
LONG_TYPES = (".bgeo.sc", ".tar.gz", ".vrscene.gz")


def get_file_type(event: Any) -> Optional[str]:
    """Return the file type of the path in *event*; None leaves it to the session."""
    path = event["data"]["file_path"].lower()
    for file_type in LONG_TYPES:
        if path.endswith(file_type):
            return file_type
    return None


def register(session: Any) -> None:
    """Subscribe to the event by which *session* asks for file types."""
    if not isinstance(session, ftrack_like.Session):
        # Other programs may load the same folder with other arguments.
        return
    session.event_hub.subscribe("topic=ftrack.api.session.get-file-type-from-string", get_file_type)
