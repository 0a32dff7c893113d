"""Rules for users, timers and jobs: unique names, one timer per user, the end of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.rows import complete_row
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import DuplicateEntryError
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.schema.people import USER_TYPE_ID

__all__ = ["HOOKS", "NO_KEY"]

#: How the stored digest begins for a user who was created without ``is_active`` and has no API key
#: yet. Such a user is inactive, as on a site, until the first key.
NO_KEY = "no key of "

#: The first part of a key in ``Batch.notes``; the second part is the id of a new user.
_UNDECIDED = "created without is_active"


def _creating_user(batch: Batch, type_: EntityType, row: Row) -> None:
    _refuse_taken_name(batch, row.get("id"), row.get("username"))
    if row.get("is_active") is None:
        row["is_active"] = False
        batch.notes[_UNDECIDED, row["id"]] = True
    for name in ("is_otp_enabled", "is_totp_enabled", "require_details_update"):
        if row.get(name) is None:
            row[name] = False
    if row.get("user_type_id") is None:
        row["user_type_id"] = _default_user_type(batch)


def _created_user(batch: Batch, type_: EntityType, row: Row) -> None:
    if batch.notes.pop((_UNDECIDED, row["id"]), False):
        values = {"user_id": row["id"], "digest": NO_KEY + row["id"], "created_at": batch.now}
        batch.store.insert("user_api_key", values)


def _default_user_type(batch: Batch) -> Optional[str]:
    """Return the id of the type of new users: the stock one, or in older data the one named so."""
    if batch.store.get("user_type", (USER_TYPE_ID,)) is not None:
        return USER_TYPE_ID
    named = batch.store.find("user_type", name="User")
    return named[0]["id"] if named else None


def _changing_user(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    _refuse_taken_name(batch, row["id"], changes.get("username"))
    if "is_active" in changes:
        key = batch.store.get("user_api_key", (row["id"],))
        if key is not None and key["digest"].startswith(NO_KEY):
            batch.store.delete("user_api_key", key)


def _refuse_taken_name(batch: Batch, user_id: Optional[str], username: Optional[str]) -> None:
    if not username:
        return
    others = batch.store.find_named("resource", "username", [username], resource_type="user")
    if any(one["id"] != user_id for one in others):
        raise DuplicateEntryError(f"DuplicateEntry: there is already a user named {username!r}.")


def _deleting_people(batch: Batch, rows: Sequence[Row]) -> None:
    """Keep the notes of collaborators that are deleted; the notes have no author then."""
    note = MODEL.types["Note"]
    gone = [row["id"] for row in rows if row["resource_type"] == "collaborator"]
    for one in batch.store.find_pointing(note.table, "user_id", gone) if gone else ():
        complete_row(batch, note, one, {"user_id": None})


def _creating_timer(batch: Batch, type_: EntityType, row: Row) -> None:
    _refuse_second_timer(batch, row["user_id"])


def _changing_timer(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    if changes.get("user_id") is not None:
        _refuse_second_timer(batch, changes["user_id"])


def _refuse_second_timer(batch: Batch, user_id: str) -> None:
    if batch.store.find("timer", user_id=user_id):
        raise DuplicateEntryError(
            "DuplicateEntry: a timer is running for this user already; stop it first."
        )


def _changed_job(batch: Batch, type_: EntityType, row: Row, old: Mapping[str, Any]) -> None:
    if "status" in old and row["status"] in {"done", "failed"} and row["finished_at"] is None:
        complete_row(batch, type_, row, {"finished_at": batch.now})


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "Resource": (Hooks(deleting=_deleting_people),),
    "User": (Hooks(creating=_creating_user, created=_created_user, changing=_changing_user),),
    "Timer": (Hooks(creating=_creating_timer, changing=_changing_timer),),
    "Job": (Hooks(changed=_changed_job),),
}
