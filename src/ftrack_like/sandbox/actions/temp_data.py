"""Rules for temporary data: their life time, and their deletion afterwards."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.actions.values import moment_text
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["HOOKS"]

#: How long data are kept whose program names no end.
_LIFE_TIME = timedelta(hours=1)


def _creating(batch: Batch, type_: EntityType, row: Row) -> None:
    """Set the end of new data, and delete all data whose time is over."""
    if row.get("expiry") is None:
        row["expiry"] = moment_text(batch.context.now + _LIFE_TIME)
    table = TABLES[type_.table]
    batch.store.execute(sqlalchemy.delete(table).where(table.c.expiry < batch.now))


HOOKS: dict[str, tuple[Hooks, ...]] = {"TempData": (Hooks(creating=_creating),)}
