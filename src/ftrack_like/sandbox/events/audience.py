"""Whom the server's own events may tell what: no more than a query would."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.access.rights import load_projects, load_rights
from ftrack_like.sandbox.access.visibility import is_narrowed
from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Audience"]

#: Types whose changes may change who sees what.
_DECIDING = {"Project", "SecurityRole", "User", "UserSecurityRole", "UserSecurityRoleProject"}


class Audience:
    """Shows each user that part of an event which is about what the user sees.

    Rights are read once and kept until something about them changes; it may be used from any
    thread.
    """

    def __init__(self, database: Database) -> None:
        """Initialise with the *database* that holds the roles."""
        self._database = database
        self._lock = threading.Lock()
        #: By user name: the ids of the projects that the user sees, None for all.
        self._known: dict[str, Optional[frozenset[str]]] = {}

    def committed(self, batch: Batch) -> None:
        """Forget what is known if *batch*, which is committed, may have changed it."""
        if any(one.entity_type in _DECIDING for one in batch.changes):
            self.forget()

    def forget(self) -> None:
        """Read all rights anew when they are asked for."""
        with self._lock:
            self._known = {}

    def view(self, username: str, event: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
        """Return what *username* may see of an `ftrack.update`, None if that is nothing."""
        projects = self._projects(username)
        if projects is None or event["data"]["user"]["name"] == username:
            return event
        everything = event["data"]["entities"]
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
        # Into the same dictionary as before: a change of rights since then has put a new one in
        # its place.
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
            # A user who was deleted has no roles, and so no projects.
            rights = load_rights(connection, user_id or "")
            if rights is None:
                return None
            return frozenset(filter(rights.sees_project, load_projects(connection)))


def _is_seen(entity: Mapping[str, Any], projects: frozenset[str]) -> bool:
    type_ = MODEL.types.get(entity["entity_type"])
    if type_ is None or not is_narrowed(type_.table):
        return True
    if type_.name == "Project":
        return entity["entityId"] in projects
    above = [one["entityId"] for one in entity["parents"] if one["entityType"] == "show"]
    # The event does not say whose an entity without a project is.
    return bool(above) and projects.issuperset(above)
