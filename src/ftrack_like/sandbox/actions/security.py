"""The actions that grant and revoke the security roles of users."""

from __future__ import annotations

from typing import Any

from ftrack_like.sandbox.actions.attributes import answer_record, required_key
from ftrack_like.sandbox.actions.batch import Batch, Operation, new_id
from ftrack_like.sandbox.actions.cascade import delete_rows
from ftrack_like.sandbox.actions.permissions import administrators_only
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.actions.rows import change_row, make_row
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import DuplicateEntryError, NotFoundError
from ftrack_like.sandbox.schema import MODEL

__all__ = ["ACTIONS"]

_ROLE = MODEL.types["UserSecurityRole"]
_ROLE_PROJECT = MODEL.types["UserSecurityRoleProject"]


def add_user_security_role(operation: Operation, batch: Batch) -> Any:
    """Give a user a role for all open projects."""
    user = _find(operation, batch, "User", "user_id")
    role = _find(operation, batch, "SecurityRole", "role_id")
    if batch.store.find(_ROLE.table, user_id=user["id"], security_role_id=role["id"]):
        raise DuplicateEntryError(
            f"DuplicateEntry: the user {user['username']!r} has the role {role['name']!r} already."
        )
    values = {"user_id": user["id"], "security_role_id": role["id"], "is_all_open_projects": True}
    return _answer(operation, make_row(batch, _ROLE, {"id": new_id(), **values}))


def remove_user_security_role(operation: Operation, batch: Batch) -> Any:
    """Take a role from a user."""
    delete_rows(batch, _ROLE, [_user_role(operation, batch)])
    return {"action": operation["action"], "data": True}


def update_user_security_role(operation: Operation, batch: Batch) -> Any:
    """Replace a role of a user by another role."""
    row = _user_role(operation, batch)
    role = _find(operation, batch, "SecurityRole", "new_role_id")
    change_row(batch, _ROLE, row, {"security_role_id": role["id"]})
    return _answer(operation, row)


def grant_user_security_role_project(operation: Operation, batch: Batch) -> Any:
    """Add a project to a role of a user, or all open projects.

    With a project, the role no longer applies to all open projects.
    """
    row = _user_role(operation, batch)
    if operation.get("all_open_projects"):
        change_row(batch, _ROLE, row, {"is_all_open_projects": True})
        return _answer(operation, row)
    project = _find(operation, batch, "Project", "project_id")
    values = {"user_security_role_id": row["id"], "project_id": project["id"]}
    if not batch.store.find(_ROLE_PROJECT.table, **values):
        make_row(batch, _ROLE_PROJECT, {"id": new_id(), **values})
    change_row(batch, _ROLE, row, {"is_all_open_projects": False})
    return _answer(operation, row)


def revoke_user_security_role_project(operation: Operation, batch: Batch) -> Any:
    """Remove a project from a role of a user, or all open projects."""
    row = _user_role(operation, batch)
    if operation.get("all_open_projects"):
        change_row(batch, _ROLE, row, {"is_all_open_projects": False})
        return _answer(operation, row)
    project = _find(operation, batch, "Project", "project_id")
    found = batch.store.find(
        _ROLE_PROJECT.table, user_security_role_id=row["id"], project_id=project["id"]
    )
    delete_rows(batch, _ROLE_PROJECT, found)
    return _answer(operation, row)


def _user_role(operation: Operation, batch: Batch) -> Row:
    """Return the row that gives the user of *operation* its role."""
    user = _find(operation, batch, "User", "user_id")
    role = _find(operation, batch, "SecurityRole", "role_id")
    found = batch.store.find(_ROLE.table, user_id=user["id"], security_role_id=role["id"])
    if not found:
        raise NotFoundError(f"{user['username']!r} does not have the role {role['name']!r}.")
    return found[0]


def _find(operation: Operation, batch: Batch, type_name: str, key: str) -> Row:
    """Return the entity of *type_name* whose id *operation* has as *key*."""
    value = required_key(operation, key)
    type_ = MODEL.types[type_name]
    row = batch.store.get(type_.table, (value,)) if isinstance(value, str) else None
    if row is None or any(row[name] != wanted for name, wanted in type_.classifier.items()):
        raise NotFoundError(f"There is no {type_name} with the id {value!r}.")
    return row


def _answer(operation: Operation, row: Row) -> dict[str, Any]:
    return {"action": operation["action"], "data": answer_record(_ROLE, row, {})}


ACTIONS = tuple(
    ApiAction(run.__name__, run, rule=administrators_only)
    for run in (
        add_user_security_role,
        grant_user_security_role_project,
        remove_user_security_role,
        revoke_user_security_role_project,
        update_user_security_role,
    )
)
