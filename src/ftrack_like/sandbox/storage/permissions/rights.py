"""What one user may do: the roles that the user has, and for which projects."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.storage.permissions.roles import ADMINISTRATOR_ROLE_ID, ROLE_RIGHTS
from ftrack_like.sandbox.storage.tables import TABLES

__all__ = ["Rights", "is_administrator", "load_rights"]


@dataclass(frozen=True)
class Rights:
    """The rights of a user who is no administrator.

    *everywhere* are the ids of the roles for all open projects, *granted* the ids of projects
    by role, *open_projects* the ids of projects that are not private; they are empty where no
    role is for all of them.
    """

    user_id: str
    roles: dict[str, str]
    everywhere: frozenset[str]
    granted: dict[str, frozenset[str]]
    open_projects: frozenset[str]

    @functools.cached_property
    def projects(self) -> frozenset[str]:
        """Return the ids of the projects that the user sees."""
        return self.open_projects.union(*self.granted.values())

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """Return what restricted statements ask for, by the names of their parameters."""
        return {
            "rights_user": self.user_id,
            "rights_projects": sorted(self.projects),
            "rights_roles": sorted(self.roles),
        }

    def roles_in(self, project_id: Optional[str]) -> set[str]:
        """Return the ids of the roles in a project; None: of those in any."""
        if project_id is None:
            return set(self.roles)
        held = {role for role, projects in self.granted.items() if project_id in projects}
        return held | self.everywhere if project_id in self.open_projects else held

    def allow(self, action: str, family: str, project_id: Optional[str]) -> bool:
        """Return whether some role in the project allows *action*; None: a role in any project."""
        return allowed_by(self.roles_in(project_id), action, family)


def allowed_by(roles: Iterable[str], action: str, family: str) -> bool:
    """Return whether one of *roles* (by id) allows *action* on things of *family*."""
    return any(action in ROLE_RIGHTS.get(role, {}).get(family, ()) for role in roles)


def is_administrator(user_id: Any) -> Any:
    """Return the SQL condition that the user of *user_id*, a column, is an administrator."""
    held = TABLES["user_security_role"].alias()
    return sqlalchemy.exists().where(
        held.c.user_id == user_id,
        held.c.security_role_id == ADMINISTRATOR_ROLE_ID,
        held.c.is_all_open_projects,
    )


def load_rights(connection: Connection, user_id: str) -> Optional[Rights]:
    """Return the rights of a user by at most two statements, None for an administrator."""
    names: dict[str, str] = {}
    everywhere = set()
    granted: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(_roles_statement(), {"user": user_id}):
        names[row.security_role_id] = row.name
        if row.is_all_open_projects:
            everywhere.add(row.security_role_id)
        if row.project_id is not None:
            granted[row.security_role_id].add(row.project_id)
    if ADMINISTRATOR_ROLE_ID in everywhere:
        return None
    contexts = TABLES["context"].c
    statement = sqlalchemy.select(contexts.id).where(
        contexts.context_type == "show", contexts.is_private.is_not(True)
    )
    found = connection.execute(statement).scalars() if everywhere else ()
    projects = {role: frozenset(ids) for role, ids in granted.items()}
    return Rights(user_id, names, frozenset(everywhere), projects, frozenset(found))


@functools.cache
def _roles_statement() -> Any:
    held, role = TABLES["user_security_role"], TABLES["security_role"]
    project = TABLES["user_security_role_project"]
    return (
        sqlalchemy.select(
            held.c.security_role_id, role.c.name, held.c.is_all_open_projects, project.c.project_id
        )
        .select_from(held.join(role, role.c.id == held.c.security_role_id))
        .outerjoin(project, project.c.user_security_role_id == held.c.id)
        .where(held.c.user_id == sqlalchemy.bindparam("user"))
    )
