"""The parts of the server's events that each user may see: the same as in queries."""

from __future__ import annotations

import operator
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.access.rights import load_projects, load_rights
from ftrack_like.sandbox.access.visibility import configuration_readable, is_narrowed
from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.events.update import FEED
from ftrack_like.sandbox.schema import stock_type
from ftrack_like.sandbox.schema.server_names import server_columns
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Audience", "decides_rights"]

#: Types whose changes may affect what a user sees.
_DECIDING = {
    "CustomAttributeConfiguration",
    "Project",
    "SecurityRole",
    "User",
    "UserSecurityRole",
    "UserSecurityRoleProject",
}


def decides_rights(batch: Batch) -> bool:
    """Return whether *batch* changes entities that decide what users see."""
    return any(one.entity_type in _DECIDING for one in batch.changes)


@dataclass(frozen=True)
class _Sight:
    """What a user who is not an administrator sees.

    - *projects*: the ids of the projects.
    - *hidden*: the keys of custom attributes that no role of the user may read. An attribute
      counts if one of several with its key is hidden, because an event tells only the key.
    """

    projects: frozenset[str]
    hidden: frozenset[str]


class Audience:
    """Reduces an event to the entities and custom attributes that a user sees.

    Rights are read once and kept until a change may affect them. Threads may share it.
    """

    def __init__(self, database: Database) -> None:
        """Initialise with the *database* of the roles."""
        self._database = database
        self._lock = threading.Lock()
        #: By user name; None means that the user sees everything.
        self._known: dict[str, Optional[_Sight]] = {}

    def committed(self, batch: Batch) -> None:
        """Drop the known rights if the committed *batch* may have changed them."""
        if decides_rights(batch):
            self.forget()

    def forget(self) -> None:
        """Drop all known rights, so that they are read again."""
        with self._lock:
            self._known = {}

    def view(self, username: str, event: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
        """Return the part of an `ftrack.update` that *username* may see, None if empty."""
        sight = self._sight(username)
        if sight is None:
            return event
        everything = event["data"]["entities"]
        if all(one["entityType"] == FEED for one in everything):
            # Such an event is about one project, and names it among the parents.
            return None if sight.projects.isdisjoint(event["data"]["parents"]) else event
        entities = everything
        if event["source"]["user"]["username"] != username:
            entities = [one for one in entities if _is_seen(one, sight.projects)]
        if sight.hidden:
            readable = (_without(one, sight.hidden) for one in entities)
            entities = [one for one in readable if one is not None]
        if len(entities) == len(everything) and all(map(operator.is_, entities, everything)):
            return event
        if not entities:
            return None
        parents = dict.fromkeys(
            parent["entityId"] for entity in entities for parent in entity["parents"]
        )
        return {
            **event,
            "data": {**event["data"], "entities": entities, "parents": list(parents)},
        }

    def _sight(self, username: str) -> Optional[_Sight]:
        with self._lock:
            known = self._known
            if username in known:
                return known[username]
        sight = self._load(username)
        # Write to the dictionary from before the query: if a change of rights has replaced it since
        # then, the outdated result is dropped with it.
        with self._lock:
            known[username] = sight
        return sight

    def _load(self, username: str) -> Optional[_Sight]:
        users = TABLES["resource"].c
        statement = sqlalchemy.select(users.id).where(
            users.username == username, users.resource_type == "user"
        )
        with self._database.read() as connection:
            user_id = connection.execute(statement).scalar()
            # A deleted user has no roles, and so no projects.
            rights = load_rights(connection, user_id or "")
            if rights is None:
                return None
            configurations = TABLES["custom_attribute_configuration"].c
            unreadable = sqlalchemy.select(configurations.key).where(
                configurations.kind == "value",
                sqlalchemy.not_(configuration_readable(TABLES, configurations.id)),
            )
            return _Sight(
                frozenset(filter(rights.sees_project, load_projects(connection))),
                frozenset(connection.execute(unreadable, rights.parameters).scalars()),
            )


def _is_seen(entity: Mapping[str, Any], projects: frozenset[str]) -> bool:
    type_ = stock_type(entity["entity_type"])
    if not is_narrowed(type_.table):
        return True
    if type_.name == "Project":
        return entity["entityId"] in projects
    above = [one["entityId"] for one in entity["parents"] if one["entityType"] == "show"]
    # Hide an entity without a project: the event does not name its owner.
    return bool(above) and projects.issuperset(above)


def _without(entity: Mapping[str, Any], hidden: frozenset[str]) -> Optional[Mapping[str, Any]]:
    """Return *entity* without the custom attributes *hidden*; None if no change is left."""
    unseen = hidden.intersection(entity["keys"]) - server_columns(entity["entity_type"]).keys()
    if not unseen:
        return entity
    changes = {name: one for name, one in entity["changes"].items() if name not in unseen}
    if not changes and entity["action"] == "update":
        return None
    return {**entity, "keys": list(changes), "changes": changes or None}
