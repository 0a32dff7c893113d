"""The rules for new, changed and deleted rows of automations, triggers and webhooks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import SandboxError, ValidationError
from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.webhooks.events import direct_attributes
from ftrack_like.sandbox.webhooks.filters import parse_filter
from ftrack_like.sandbox.webhooks.queue import discard
from ftrack_like.sandbox.webhooks.targets import TargetError, read_headers, read_target

__all__ = ["MAXIMUM_ENABLED", "check_number", "is_concerned", "rules"]

#: The maximum number of webhooks with an enabled automation, as on a site.
MAXIMUM_ENABLED = 10

#: Keys of the notes of a batch: whether it changes webhooks, and the operations that add some.
_CONCERNED = "webhooks"
_ADDED = "webhooks added"


def rules(loopback: bool) -> Mapping[str, tuple[Hooks, ...]]:
    """Return the hooks by the name of the type. With *loopback*, addresses may be http://."""
    check = functools.partial(_check_webhook, loopback)
    return {
        "Automation": (
            Hooks(creating=_new_automation, changing=_change_automation, deleting=_note),
        ),
        "Trigger": (Hooks(creating=_new_trigger, changing=_change_trigger, deleting=_note),),
        "Action": (Hooks(deleting=_delete_actions),),
        "WebhookAction": (
            Hooks(
                creating=functools.partial(_new_webhook, check),
                changing=functools.partial(_change_webhook, check),
            ),
        ),
    }


def is_concerned(batch: Batch) -> bool:
    """Return whether *batch* changes automations, triggers or webhooks."""
    return bool(batch.notes.get(_CONCERNED))


def check_number(batch: Batch) -> None:
    """Raise :exc:`ValidationError` if *batch* enables more webhooks than a site may have."""
    added: Sequence[Any] = batch.notes.get(_ADDED, ())
    if not added:
        return
    action, automation = TABLES["action"], TABLES["automation"]
    enabled = (
        sqlalchemy.select(sqlalchemy.func.count())
        .select_from(action.join(automation, automation.c.id == action.c.automation_id))
        .where(action.c.action_type == "webhook", automation.c.enabled)
    )
    count = batch.store.execute(enabled).scalar()
    if count > MAXIMUM_ENABLED:
        error: SandboxError = ValidationError(
            f"A site has at most {MAXIMUM_ENABLED} enabled webhooks; this would make {count}. "
            "Disable an automation or delete a webhook first."
        )
        raise batch.blame(error, added[-1])


def _note(batch: Batch, rows: Sequence[Row] = ()) -> None:
    batch.notes[_CONCERNED] = True


def _adds(batch: Batch) -> None:
    batch.notes.setdefault(_ADDED, []).append(batch.running)


# Automations


def _new_automation(batch: Batch, type_: EntityType, row: Row) -> None:
    _note(batch)
    if row.get("enabled") is None:
        row["enabled"] = True
    if row["enabled"]:
        _adds(batch)


def _change_automation(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    _note(batch)
    if changes.get("enabled"):
        _adds(batch)
    elif "enabled" in changes:
        ids = batch.store.values("action", "id", automation_id=row["id"])
        discard(batch.store.connection, ids)


# Triggers


def _new_trigger(batch: Batch, type_: EntityType, row: Row) -> None:
    _note(batch)
    _check_filter(batch, row.get("filter"))


def _change_trigger(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    _note(batch)
    if "filter" in changes:
        _check_filter(batch, changes["filter"])


def _check_filter(batch: Batch, text: Any) -> None:
    """Raise :exc:`ValidationError` with the place of the first mistake in the filter *text*."""
    if text is None:
        return  # the check of required attributes reports it
    known = {name for type_ in batch.model.types.values() for name in direct_attributes(type_)} | {
        "value"
    }
    try:
        parse_filter(text, known)
    except ExpressionError as error:
        where = f"Attribute 'filter' of Trigger, position {error.position + 1}"
        raise ValidationError(f"{where}: {error}") from error


# Webhooks

_Check = Callable[[Mapping[str, Any]], None]


def _new_webhook(check: _Check, batch: Batch, type_: EntityType, row: Row) -> None:
    _note(batch)
    _adds(batch)
    check(row)


def _change_webhook(
    check: _Check, batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]
) -> None:
    _note(batch)
    if "automation_id" in changes:
        _adds(batch)
    check(changes)


def _check_webhook(loopback: bool, values: Mapping[str, Any]) -> None:
    """Raise :exc:`ValidationError` if the address or the headers in *values* are invalid.

    The text shows neither of them, because they may contain secrets.
    """
    name = "webhook_url"
    try:
        if values.get(name) is not None:  # the check of required attributes reports null
            read_target(values[name], loopback=loopback)
        name = "headers"
        read_headers(values.get(name))
    except TargetError as error:
        raise ValidationError(
            f"Attribute {name!r} of WebhookAction is invalid: {error}."
        ) from error


def _delete_actions(batch: Batch, rows: Sequence[Row]) -> None:
    _note(batch)
    discard(batch.store.connection, [row["id"] for row in rows])
