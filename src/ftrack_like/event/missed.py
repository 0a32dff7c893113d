"""Events that a listener missed, made from the activity rows of the server.

A server that does not keep events for a listener may still have rows of the type ``Event``, which
record changes. They contain less than the event did: one entity each, without its parents, and on
some servers without the changed keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from ftrack_like.wire.events import Event
from ftrack_like.wire.packets import JsonValue

__all__ = ["ActivityRow", "ActivityRows", "event_of"]

#: An activity row as the server answers it, with `id`, `action`, `data`, `parent_id`, ….
ActivityRow = Mapping[str, JsonValue]

#: The actions in events about changes.
_ACTIONS = frozenset(("add", "update", "move", "remove", "encoded"))
#: The types in `parent_type` that have another name in events.
_TYPES = {"asset_version": "assetversion", "review_session": "reviewsession"}


class ActivityRows(Protocol):
    """Reads activity rows. Each method raises an error of the library if the server does not."""

    def newest(self) -> str:
        """Return the id of the newest row, "0" if there is none."""

    def after(self, position: str) -> Sequence[ActivityRow]:
        """Return some of the rows with higher ids than *position*, in order; none at the end."""


def event_of(row: ActivityRow) -> Event:
    """Return the event ``ftrack.update`` that *row* stands for.

    ``data["caughtUp"]`` is true. The id depends on the row only, so all workers make the same one.
    """
    details = _row_details(row.get("data"))
    kind = str(row.get("parent_type") or "")
    action = str(row.get("action") or "").partition(".")[0]
    entity: dict[str, JsonValue] = {
        "entityId": row.get("parent_id"),
        "entityType": details.get("entityType") or _TYPES.get(kind, kind),
        "entity_type": details.get("entity_type"),
        "action": action if action in _ACTIONS else "update",
        "keys": details.get("keys") or [],
        "changes": details.get("changes"),
        "parents": [],
    }
    user = row.get("user")
    person = user if isinstance(user, Mapping) else {}
    source = {"user": {"id": person.get("id"), "username": person.get("username")}}
    return Event(
        "ftrack.update",
        id=f"activity-{row.get('id')}",
        data={
            "caughtUp": True,
            "entities": [entity],
            "parents": [each for each in (row.get("parent_id"), row.get("project_id")) if each],
            "user": {"userid": person.get("id"), "name": None},
            "createdAt": row.get("created_at"),
        },
        source=source,
    )


def _row_details(text: JsonValue) -> Mapping[str, JsonValue]:
    """Return the mapping in the JSON *text* of a row, empty if there is none."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
