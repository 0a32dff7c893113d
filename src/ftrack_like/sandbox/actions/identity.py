"""Check that users write only in their own name.

The columns in :data:`AUTHORS` name the person who did something. They must contain the calling
user. Administrators may name another user, and so may users with the role API for all open
projects, because their programs act for other people. A column that names a person for another
reason (an assignment, a recipient, a member) is not an author column. The rights in
:mod:`ftrack_like.sandbox.actions.permissions` protect it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.actions.store import Row, key_of
from ftrack_like.sandbox.errors import PermissionDeniedError
from ftrack_like.sandbox.schema import stock_type

__all__ = ["AUTHORS", "check"]

#: The columns that name the acting person, by table. Personal rows (views, jobs, messages, …) are
#: missing here, because only their owner may write them.
AUTHORS: Mapping[str, tuple[str, ...]] = {
    "asset_version": ("user_id",),
    "calendar_event": ("created_by_id",),
    "calendar_event_resource": ("created_by_id",),
    "list": ("user_id",),
    "note": ("user_id", "completed_by_id"),
    "review_session": ("created_by_id",),
    "review_session_invitee": ("created_by_id",),
    "review_session_object_status": ("resource_id",),
}


def check(batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError` if *batch* writes in the name of another user.

    The check runs at the end of the batch, so that it sees the names of all operations and hooks.
    """
    rights = batch.rights
    if rights is None or rights.may_name_others:
        return
    before: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for change in batch.changes:
        table = stock_type(change.entity_type).table
        if table not in AUTHORS or change.action == "remove":
            continue
        place = (table, *change.key)
        old = {} if change.action == "add" else {**change.old, **before.get(place, {})}
        before[place] = old
        row = batch.store.get(table, change.key)
        if row is None:
            continue
        for column in AUTHORS[table]:
            named = row[column]
            touched = change.action == "add" or column in change.old
            if touched and named not in {None, batch.user_id, old.get(column)}:
                raise _denied(batch, change, row, column)
        if table == "review_session_invitee":
            _check_invitee(batch, change, row, old)
        elif table == "review_session_object_status":
            _check_decision(batch, change, row)


def _check_invitee(batch: Batch, change: Change, row: Row, old: Mapping[str, Any]) -> None:
    """Raise an error if the reader of an invitee's mail could act as another person.

    The mailed link lets its reader write as the resource of the invitee. So a new resource must be
    a collaborator with exactly the invitee's address. Resource and address of an invitee that has a
    resource already cannot change.
    """
    if change.action == "update":
        if not {"resource_id", "email"} & change.old.keys():
            return
        if old.get("resource_id", row["resource_id"]) is not None:
            raise _kept(batch, row)
    if row["resource_id"] in {None, batch.user_id}:
        return
    person = batch.store.get("resource", (row["resource_id"],))
    if person is None or not _has_address(person, row["email"]):
        raise _denied(batch, change, row, "resource_id")


def _kept(batch: Batch, row: Row) -> PermissionDeniedError:
    error = PermissionDeniedError(
        f"{batch.context.username!r} may not turn an invited person into another: the mailed link "
        f"would act in the name of another. Delete the invitee {row['id']!r} and add a new one."
    )
    place = "review_session_invitee", key_of("review_session_invitee", row)
    batch.blame(error, batch.origins.get(place))
    return error


def _has_address(person: Row, address: Optional[str]) -> bool:
    return bool(
        person["resource_type"] == "collaborator"
        and not person["created_from_shared_url"]
        and address
        and (person["email"] or "").lower() == address.lower()
    )


def _check_decision(batch: Batch, change: Change, row: Row) -> None:
    """Raise an error if a review status names an invitee who is another person."""
    column = "review_session_invitee_id"
    if row[column] is None or (change.action == "update" and column not in change.old):
        return
    invitee = batch.store.get("review_session_invitee", (row[column],))
    if invitee is not None and invitee["resource_id"] != batch.user_id:
        raise _denied(batch, change, row, column)


def _denied(batch: Batch, change: Change, row: Row, column: str) -> PermissionDeniedError:
    table = stock_type(change.entity_type).table
    verb = "create" if change.action == "add" else "change"
    error = PermissionDeniedError(
        f"{batch.context.username!r} may not {verb} {with_article(change.entity_type)} in the "
        f"name of another ({column} is {row[column]!r}): only administrators and users with the "
        "role 'API' may."
    )
    batch.blame(error, batch.origins.get((table, key_of(table, row))))
    return error
