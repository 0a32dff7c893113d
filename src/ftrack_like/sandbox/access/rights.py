"""The rights of a user: the user's security roles, and their projects."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.roles import (
    ADMINISTRATOR_ROLE_ID,
    API_ROLE_ID,
    ROLE_RIGHTS,
)
from ftrack_like.sandbox.database.snapshots import remembered
from ftrack_like.sandbox.tables.layout import TABLES, is_project

__all__ = [
    "Rights",
    "is_administrator",
    "load_projects",
    "load_rights",
    "may_name_others",
    "rights_of",
]


@dataclass(frozen=True)
class Rights:
    """The rights of a user who is not an administrator.

    - *roles*: the names of all roles of the user, by id.
    - *everywhere*: the ids of the roles that apply to all open projects.
    - *granted*: the ids of the projects for which the user has a role by name, by the role's id.
    - *private_projects*: the ids of all private projects of the site. Empty if *everywhere* is
      empty, because the user then sees only the granted projects.

    The object contains the private projects, not the open ones, because a site has only a few
    private ones, and each statement of a request sends the list to the database.
    """

    user_id: str
    roles: dict[str, str]
    everywhere: frozenset[str]
    granted: dict[str, frozenset[str]]
    private_projects: frozenset[str]

    @functools.cached_property
    def granted_projects(self) -> frozenset[str]:
        """Return the ids of all projects for which the user has a role by name."""
        return frozenset().union(*self.granted.values())

    @functools.cached_property
    def sees_all_projects(self) -> bool:
        """Return whether the user can see each project of the site."""
        return bool(self.everywhere) and self.private_projects <= self.granted_projects

    @property
    def may_name_others(self) -> bool:
        """Return whether the user may act in the name of other users."""
        return API_ROLE_ID in self.everywhere

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of restricted statements by name."""
        return {
            "rights_user": self.user_id,
            "rights_everywhere": bool(self.everywhere),
            "rights_granted": sorted(self.granted_projects),
            "rights_private": sorted(self.private_projects),
            "rights_roles": sorted(self.roles),
        }

    def sees_project(self, project_id: str) -> bool:
        """Return whether the user can see the existing project *project_id*."""
        return project_id in self.granted_projects or self._is_open(project_id)

    def _is_open(self, project_id: str) -> bool:
        """Return whether the roles in *everywhere* apply to the project *project_id*."""
        return bool(self.everywhere) and project_id not in self.private_projects

    def roles_in(self, project_id: Optional[str]) -> set[str]:
        """Return the ids of the user's roles in a project; None means in any project."""
        if project_id is None:
            return set(self.roles)
        held = {role for role, projects in self.granted.items() if project_id in projects}
        return held | self.everywhere if self._is_open(project_id) else held

    def allow(self, action: str, family: str, project_id: Optional[str]) -> bool:
        """Return whether a role in the project allows *action* on entities of *family*.

        If *project_id* is None, a role in any project is enough.
        """
        return allowed_by(self.roles_in(project_id), action, family)


def allowed_by(roles: Iterable[str], action: str, family: str) -> bool:
    """Return whether one of *roles* (ids) allows *action* on entities of *family*."""
    return any(action in ROLE_RIGHTS.get(role, {}).get(family, ()) for role in roles)


def is_administrator(user_id: Any) -> Any:
    """Return the SQL condition that the user in the column *user_id* is an administrator."""
    held = TABLES["user_security_role"].alias()
    return sqlalchemy.exists().where(
        held.c.user_id == user_id,
        held.c.security_role_id == ADMINISTRATOR_ROLE_ID,
        held.c.is_all_open_projects,
    )


def may_name_others(user_id: Any) -> Any:
    """Return the SQL condition that the user in *user_id* may act in the name of other users."""
    held = TABLES["user_security_role"].alias()
    return sqlalchemy.exists().where(
        held.c.user_id == user_id,
        held.c.security_role_id.in_((ADMINISTRATOR_ROLE_ID, API_ROLE_ID)),
        held.c.is_all_open_projects,
    )


def rights_of(connection: Connection, user_id: str) -> Optional[Rights]:
    """Return the rights of a user, None for an administrator.

    On SQLite they are read once for each state of the database, not once for each request. Use
    :func:`load_rights` in a transaction that has changed them.
    """
    known = remembered(connection)
    key = ("rights", user_id)
    if key not in known:
        known[key] = load_rights(connection, user_id)
    found: Optional[Rights] = known[key]
    return found


def load_rights(connection: Connection, user_id: str) -> Optional[Rights]:
    """Read the rights of a user with one statement. Return None for an administrator."""
    names: dict[str, str] = {}
    everywhere = set()
    private = set()
    granted: dict[str, set[str]] = defaultdict(set)
    for role_id, name, is_all_open, project_id in connection.execute(
        _rights_statement(), {"user": user_id}
    ):
        if role_id is None:
            private.add(project_id)
            continue
        names[role_id] = name
        if is_all_open:
            everywhere.add(role_id)
        if project_id is not None:
            granted[role_id].add(project_id)
    if ADMINISTRATOR_ROLE_ID in everywhere:
        return None
    projects = {role: frozenset(ids) for role, ids in granted.items()}
    hidden = frozenset(private if everywhere else ())
    return Rights(user_id, names, frozenset(everywhere), projects, hidden)


def load_projects(connection: Connection) -> frozenset[str]:
    """Return the ids of all projects."""
    return frozenset(connection.execute(_projects_statement()).scalars())


# The index of projects has a condition. A database uses the index only for statements that contain
# the same condition literally. The values of the condition must therefore not be parameters.


@functools.cache
def _projects_statement() -> Any:
    contexts = TABLES["context"].c
    return sqlalchemy.select(contexts.id).where(is_project(contexts))


@functools.cache
def _rights_statement() -> Any:
    """Return the statement that reads the roles of a user and the private projects.

    It is one statement, because each request of a restricted user runs it. The rows of the private
    projects have NULL as role.
    """
    held, role = TABLES["user_security_role"], TABLES["security_role"]
    project = TABLES["user_security_role_project"]
    contexts = TABLES["context"].c
    roles = (
        sqlalchemy.select(
            held.c.security_role_id, role.c.name, held.c.is_all_open_projects, project.c.project_id
        )
        .select_from(held.join(role, role.c.id == held.c.security_role_id))
        .outerjoin(project, project.c.user_security_role_id == held.c.id)
        .where(held.c.user_id == sqlalchemy.bindparam("user"))
    )
    none = sqlalchemy.null()
    private = sqlalchemy.select(none, none, none, contexts.id).where(
        is_project(contexts), contexts.is_private.is_(sqlalchemy.true())
    )
    return sqlalchemy.union_all(roles, private)
