"""Example plugin: give entities of one type methods of your own.

It shows how to take part in the making of entity classes. A session publishes the event
``ftrack.api.session.construct-entity-type`` for each type of the server's schemas; whoever
returns a class for it decides what entities of that type can do. This plugin adds to tasks::

    task.is_assigned_to(user)
    task.bid_in_days

Put the folder of this file on ``FTRACK_EVENT_PLUGIN_PATH``, or pass it to a session as
``plugin_paths``. The keyword ``hours_in_a_day`` may be passed in ``plugin_arguments``.
"""

from __future__ import annotations

import functools
from typing import Any

import ftrack_like
import ftrack_like.entity.factory


class StudioFactory(ftrack_like.entity.factory.StandardFactory):
    """Make classes as sessions do, with more for tasks."""

    def __init__(self, hours_in_a_day: float) -> None:
        """Initialise with the number of *hours_in_a_day* of work."""
        super().__init__()
        self.hours_in_a_day = hours_in_a_day

    def create(self, schema: Any, bases: Any = None) -> Any:
        """Return the class for *schema*; the one for tasks has more to offer."""
        made = super().create(schema, bases=bases)
        if schema["id"] == "Task":
            hours_in_a_day = self.hours_in_a_day

            def is_assigned_to(self: Any, user: Any) -> bool:
                """Return whether *user* is among those who do this task."""
                return any(entry["resource_id"] == user["id"] for entry in self["assignments"])

            def bid_in_days(self: Any) -> float:
                """Return the estimate in days of work; the server holds seconds."""
                return float((self["bid"] or 0) / 3600 / hours_in_a_day)

            made.is_assigned_to = is_assigned_to
            made.bid_in_days = property(bid_in_days)
        return made


def construct_entity_type(event: Any, factory: StudioFactory) -> Any:
    """Return the class for the schema in *event*; None leaves it to the session."""
    schema = event["data"]["schema"]
    if schema["id"] != "Task":
        return None
    event.stop()  # Only one class can be used.
    return factory.create(schema)


def register(session: Any, hours_in_a_day: float = 8.0) -> None:
    """Subscribe to the event by which *session* asks for its entity classes."""
    if not isinstance(session, ftrack_like.Session):
        # Other programs may load the same folder with other arguments.
        return
    session.event_hub.subscribe(
        "topic=ftrack.api.session.construct-entity-type",
        functools.partial(construct_entity_type, factory=StudioFactory(hours_in_a_day)),
    )
