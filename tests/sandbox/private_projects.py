"""Private projects of filled sites, users who may see them, and the databases of such sites."""

from __future__ import annotations

import uuid

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.tables.layout import TABLES, is_project


def hide_a_project(connection: Connection) -> str:
    """Make a private project like the first one of the site; return its id."""
    table = TABLES["context"]
    first = sqlalchemy.select(table).where(is_project(table.c)).order_by(table.c.id).limit(1)
    row = dict(connection.execute(first).mappings().one())
    id_ = str(uuid.uuid4())
    row.update(id=id_, project_id=id_, name="closed", full_name="Closed", is_private=True)
    connection.execute(table.insert(), row)
    return id_


def grant(connection: Connection, username: str, project_id: str) -> str:
    """Give the user a role in the project by name; return the user's id."""
    users, held = TABLES["resource"].c, TABLES["user_security_role"]
    user = connection.execute(
        sqlalchemy.select(users.id).where(users.username == username)
    ).scalar_one()
    role = connection.execute(
        sqlalchemy.select(held.c.security_role_id).where(held.c.user_id == user).limit(1)
    ).scalar_one()
    id_ = str(uuid.uuid4())
    connection.execute(
        held.insert(),
        {"id": id_, "user_id": user, "security_role_id": role, "is_all_open_projects": False},
    )
    connection.execute(
        TABLES["user_security_role_project"].insert(),
        {"id": str(uuid.uuid4()), "user_security_role_id": id_, "project_id": project_id},
    )
    return str(user)
