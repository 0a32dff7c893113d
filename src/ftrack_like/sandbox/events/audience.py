"""The parts of the server's events that each user may see: the same as in queries."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.access.rights import load_projects, load_rights
from ftrack_like.sandbox.access.visibility import is_narrowed
from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.events.update import FEED
from ftrack_like.sandbox.schema import stock_type
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Audience"]

#: Types whose changes may affect which projects a user sees.
_DECIDING = {"Project", "SecurityRole", "User", "UserSecurityRole", "UserSecurityRoleProject"}


class Audience:
    """Reduces an event to the entities that a user sees.

    Rights are read once and kept until a change may affect them. Threads may share it.
    """

    def __init__(self, database: Database) -> None:
        """Initialise with the *database* of the roles."""
        self._database = database
        self._lock = threading.Lock()
        #: The ids of the projects that a user sees, by user name; None means all projects.
        self._known: dict[str, Optional[frozenset[str]]] = {}

    def committed(self, batch: Batch) -> None:
        """Drop the known rights if the committed *batch* may have changed them."""
        if any(one.entity_type in _DECIDING for one in batch.changes):
            self.forget()

    def forget(self) -> None:
        """Drop all known rights, so that they are read again."""
        with self._lock:
            self._known = {}

    def view(self, username: str, event: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
        """Return the part of an `ftrack.update` that *username* may see, None if empty."""
        projects = self._projects(username)
        if projects is None or event["source"]["user"]["username"] == username:
            return event
        everything = event["data"]["entities"]
        if all(one["entityType"] == FEED for one in everything):
            # Such an event is about one project, and names it among the parents.
            return None if projects.isdisjoint(event["data"]["parents"]) else event
        entities = [one for one in everything if _is_seen(one, projects)]
        if len(entities) == len(everything):
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

    def _projects(self, username: str) -> Optional[frozenset[str]]:
        with self._lock:
            known = self._known
            if username in known:
                return known[username]
        projects = self._load(username)
        # Write to the dictionary from before the query: if a change of rights has replaced it since
        # then, the outdated result is dropped with it.
        with self._lock:
            known[username] = projects
        return projects

    def _load(self, username: str) -> Optional[frozenset[str]]:
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
            return frozenset(filter(rights.sees_project, load_projects(connection)))


def _is_seen(entity: Mapping[str, Any], projects: frozenset[str]) -> bool:
    type_ = stock_type(entity["entity_type"])
    if not is_narrowed(type_.table):
        return True
    if type_.name == "Project":
        return entity["entityId"] in projects
    above = [one["entityId"] for one in entity["parents"] if one["entityType"] == "show"]
    # Hide an entity without a project: the event does not name its owner.
    return bool(above) and projects.issuperset(above)
