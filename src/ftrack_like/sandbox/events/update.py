"""The event `ftrack.update`: the changes of a transaction, under server-side names.

Attributes have their server-side names (`statusid`, `showid`, …, see `alias_for` in the schemas).
Types have both the server-side name and the client's name. A changed custom attribute appears as a
change of its entity, under its key and as text. A changed collection with link rows (`scopes`,
items of a list, `usesversions`) also appears as a change of its entity, as the ids before and
after.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Optional

from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.actions.activity import told_projects
from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.events.edits import Edit, in_slices, join_changes
from ftrack_like.sandbox.events.lineage import Find, Finder, Row, lineage
from ftrack_like.sandbox.schema import stock_type
from ftrack_like.sandbox.schema.server_names import server_type

__all__ = ["FEED", "Updates", "encoded_event", "events_of", "feed_event", "update_event"]

_LOGGER = logging.getLogger(__name__)

#: The program in events. Only events of the web client and of the server itself are known, and
#: both name this one.
_PROGRAM = "ftrack.client.web"

#: The `entityType` in an event that tells of the feed.
FEED = "socialfeed"


class Updates:
    """Publishes events for each transaction, as a listener of the sandbox's service.

    This is for a site with one process, which ends together with the websockets of all clients. A
    site with several processes stores the events with the changes (:mod:`.commits`).
    """

    def __init__(
        self, database: Database, publish: Callable[[Mapping[str, Any], bool], Any]
    ) -> None:
        """Initialise with the *database* for the lookup of parents.

        *publish* takes an event, and whether it is reduced to what each user may see.
        """
        self._database = database
        self._publish = publish

    def __call__(self, batch: Batch) -> None:
        """Publish the changes of the committed *batch*, which feeds changed, and its other events.

        An error is only logged, because the client must not conclude that the batch was refused.
        """
        try:
            with self._database.read() as connection:
                events = events_of(batch, connection)
            for event in events:
                self._publish(event, True)
            for each in batch.events:
                self._publish(each, False)
        except Exception:
            _LOGGER.exception("The event for a committed batch could not be published.")


def events_of(batch: Batch, connection: Connection) -> list[dict[str, Any]]:
    """Return the events for the changes of *batch*, about its feeds, and about encoded media.

    *connection* reads the data after the changes.
    """
    find = Finder(connection, batch.changes, batch.store)
    event = update_event(batch.changes, context=batch.context, find=find)
    feeds = [
        feed_event([*dict.fromkeys(ids), project_id])
        for project_id, ids in told_projects(batch).items()
    ]
    encoded = [encoded_event(version_id, find) for version_id in batch.encoded]
    return [one for one in (event, *feeds, *encoded) if one is not None]


def update_event(
    changes: Iterable[Change], *, context: RequestContext, find: Find
) -> Optional[dict[str, Any]]:
    """Return the event for *changes*, None if there is nothing to report.

    *context* is that of the request of the changes. *find* looks up rows that are not among the
    changes.
    """
    entities = [_entity(edit, find) for edit in in_slices(join_changes(changes, find))]
    if not entities:
        return None
    if context.by_server:
        return _event_of_server(entities, _above(entities))
    user = {"id": context.user_id, "username": context.username}
    # A web client chooses a token and recognises its own changes by it. Other clients have none.
    token = context.client_token or str(uuid.uuid4())
    return {
        "topic": "ftrack.update",
        "data": {
            "entities": entities,
            "user": {
                "userid": context.user_id,
                "name": _full_name(find("resource", "id", context.user_id)) or context.username,
            },
            "clientToken": token,
            "pushToken": uuid.uuid4().hex,
            "parents": _above(entities),
        },
        "source": {"id": token, "user": user, "applicationId": _PROGRAM},
    }


def feed_event(ids: Sequence[str]) -> dict[str, Any]:
    """Return the event that tells of new activity; *ids* are the entities that it is about."""
    return _event_of_server([{"action": "update", "entityType": FEED}], list(ids))


def encoded_event(version_id: str, find: Find) -> Optional[dict[str, Any]]:
    """Return the event that tells that the media of a version are encoded, None without version."""
    row = find("asset_version", "id", version_id)
    if row is None:
        return None
    type_ = stock_type("AssetVersion")
    entity = _entity(Edit(type_, (version_id,), "encoded", row), find)
    return _event_of_server([entity], _above([entity]))


def _event_of_server(entities: Sequence[Any], parents: Sequence[str]) -> dict[str, Any]:
    """Return an event about something that the server itself did: it names no user."""
    return {
        "topic": "ftrack.update",
        "data": {
            "entities": entities,
            "clientToken": None,
            "pushToken": None,
            "parents": parents,
        },
        "source": {
            "id": None,
            "user": {"id": None, "username": None},
            "applicationId": _PROGRAM,
        },
    }


def _above(entities: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of *entities* and of all their parents."""
    return list({parent["entityId"]: None for one in entities for parent in one["parents"]})


def _full_name(row: Optional[Row]) -> str:
    names = () if row is None else (row.get("first_name"), row.get("last_name"))
    return " ".join(name for name in names if name)


def _entity(edit: Edit, find: Find) -> dict[str, Any]:
    parents = lineage(edit.type, edit.row, find)
    return {
        "entityId": edit.key[0] if len(edit.key) == 1 else ",".join(map(str, edit.key)),
        "entityType": server_type(edit.type.name),
        "entity_type": edit.type.name,
        "action": edit.action,
        "keys": list(edit.changes),
        "changes": edit.changes or None,
        "objectTypeId": edit.row.get("object_type_id"),
        "parentId": parents[0]["parentId"],
        "parents": parents,
    }
