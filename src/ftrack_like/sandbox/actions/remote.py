"""The actions ``reset_remote``, ``delayed_job`` and ``_track_usage``."""

from __future__ import annotations

import json
from typing import Any

from ftrack_like.sandbox.access.keys import digest_key, new_key
from ftrack_like.sandbox.actions.attributes import answer_record, required_key
from ftrack_like.sandbox.actions.batch import Batch, Operation, new_id
from ftrack_like.sandbox.actions.people import NO_KEY
from ftrack_like.sandbox.actions.permissions import administrators_only
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.actions.rows import change_row, make_row
from ftrack_like.sandbox.errors import NotFoundError, PermissionDeniedError, ValidationError
from ftrack_like.sandbox.schema import MODEL

__all__ = ["ACTIONS", "NEW_KEYS"]

#: The key in ``Batch.notes`` of the names of users whose old API keys no longer work.
NEW_KEYS = "new keys"

#: The jobs that clients may start, and the reason why the sandbox has nothing to do for each.
_DELAYED_JOBS = {
    "SYNC_USERS_LDAP": "No LDAP server is configured, so there are no users to import."
}


def reset_remote(operation: Operation, batch: Batch) -> Any:
    """Create a new API key for a user; the old one stops working.

    The first key activates a user who was created without ``is_active``.
    """
    reset_type = required_key(operation, "reset_type")
    if reset_type != "api_key" or operation.get("entity_type") != "User":
        raise ValidationError(
            f"Only the 'api_key' of a User can be reset, "
            f"not {reset_type!r} of {operation.get('entity_type')!r}."
        )
    key = required_key(operation, "entity_key")
    user_id = key[0] if isinstance(key, list) and key else key
    user = batch.store.get("resource", (user_id,)) if isinstance(user_id, str) else None
    if user is None or user["resource_type"] != "user":
        raise NotFoundError(f"There is no User with the id {user_id!r}.")
    api_key = new_key()
    values = {"digest": digest_key(api_key), "created_at": batch.now}
    row = batch.store.get("user_api_key", (user_id,))
    if row is None:
        batch.store.insert("user_api_key", {"user_id": user_id, **values})
    else:
        is_first = row["digest"].startswith(NO_KEY)
        batch.store.update("user_api_key", row, values)
        if is_first:
            change_row(batch, MODEL.types["User"], user, {"is_active": True})
    batch.notes.setdefault(NEW_KEYS, set()).add(user["username"])
    return {"action": "reset_remote", "data": {"api_key": api_key}}


def delayed_job(operation: Operation, batch: Batch) -> Any:
    """Create the requested job. It has failed already; its data contain the reason."""
    job_type = required_key(operation, "job_type")
    if not isinstance(job_type, str) or job_type not in _DELAYED_JOBS:
        names = ", ".join(map(repr, _DELAYED_JOBS))
        raise ValidationError(f"There is no delayed job {job_type!r}; the sandbox knows {names}.")
    type_ = MODEL.types["Job"]
    values = {
        "id": new_id(),
        "type": "api_job",
        "status": "failed",
        "finished_at": batch.now,
        "data": json.dumps({"description": _DELAYED_JOBS[job_type], "job_type": job_type}),
    }
    row = make_row(batch, type_, values)
    data = {name: row[name] for name in ("type", "status", "data", "user_id")}
    return {"action": "delayed_job", "data": answer_record(type_, row, data)}


def track_usage(operation: Operation, batch: Batch) -> Any:
    """Accept the usage report of a program and ignore it."""
    return {"action": "_track_usage", "data": True}


def _own_key(operation: Operation, batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError` unless *operation* names the calling user."""
    key = operation.get("entity_key")
    if key not in (batch.user_id, [batch.user_id]):
        raise PermissionDeniedError(
            f"{batch.context.username!r} may not reset_remote the {operation.get('reset_type')!r} "
            "of another user: only an administrator may."
        )


ACTIONS = (
    ApiAction("_track_usage", track_usage),
    ApiAction("delayed_job", delayed_job, rule=administrators_only),
    ApiAction("reset_remote", reset_remote, rule=_own_key),
)
