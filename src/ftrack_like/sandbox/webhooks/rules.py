"""The rules for new, changed and deleted rows of automations, triggers and webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import SandboxError, ValidationError
from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.webhooks.events import direct_attributes
from ftrack_like.sandbox.webhooks.filters import parse_filter
from ftrack_like.sandbox.webhooks.queue import discard
from ftrack_like.sandbox.webhooks.targets import TargetError, read_headers, read_target

__all__ = ["MAXIMUM_ENABLED", "Rules"]

#: The maximum number of webhooks with an enabled automation, as on a site.
MAXIMUM_ENABLED = 10

#: The key of the note of a batch with the operations that may add enabled webhooks.
_ADDED = "webhooks added"


class Rules:
    """The rules; with *loopback*, addresses may be http://."""

    def __init__(self, loopback: bool) -> None:
        self._loopback = loopback

    def create(self, batch: Batch, type_: EntityType, row: Row) -> None:
        """Complete and check *row*, a new *type_*."""
        if type_.name == "Automation":
            if row.get("enabled") is None:
                row["enabled"] = True
            if row["enabled"]:
                _add(batch)
        elif type_.name == "Trigger":
            _check_filter(batch, row.get("filter"))
        else:
            _add(batch)
            self._check_webhook(row)

    def change(self, batch: Batch, type_: EntityType, row: Row, changes: Mapping[str, Any]) -> None:
        """Check *changes* of *row*, a *type_*."""
        if type_.name == "Automation":
            if changes.get("enabled"):
                _add(batch)
            elif "enabled" in changes:
                ids = batch.store.values("action", "id", automation_id=row["id"])
                discard(batch.store.connection, ids)
        elif type_.name == "Trigger":
            if "filter" in changes:
                _check_filter(batch, changes["filter"])
        else:
            if "automation_id" in changes:
                _add(batch)
            self._check_webhook(changes)

    def delete_actions(self, batch: Batch, rows: Sequence[Row]) -> None:
        """Drop the waiting deliveries of *rows* of the table ``action``."""
        discard(batch.store.connection, [row["id"] for row in rows])

    def check_number(self, batch: Batch) -> None:
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

    def _check_webhook(self, values: Mapping[str, Any]) -> None:
        """Raise :exc:`ValidationError` if the address or the headers in *values* are invalid.

        The text shows neither of them, because they may contain secrets.
        """
        name = "webhook_url"
        try:
            if values.get(name) is not None:  # the check of required attributes reports null
                read_target(values[name], loopback=self._loopback)
            name = "headers"
            read_headers(values.get(name))
        except TargetError as error:
            raise ValidationError(
                f"Attribute {name!r} of WebhookAction is invalid: {error}."
            ) from error


def _add(batch: Batch) -> None:
    """Record that the running operation may add an enabled webhook."""
    batch.notes.setdefault(_ADDED, []).append(batch.running)


def _check_filter(batch: Batch, text: Any) -> None:
    """Raise :exc:`ValidationError` with the place of the first mistake in the filter *text*."""
    if text is None:
        return  # the check of required attributes reports it
    known = {name for type_ in batch.model.types.values() for name in direct_attributes(type_)}
    try:
        parse_filter(text, known | {"value"})
    except ExpressionError as error:
        where = f"Attribute 'filter' of Trigger, position {error.position + 1}"
        raise ValidationError(f"{where}: {error}") from error
