"""Components: what kind they are."""

from __future__ import annotations

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["HOOKS"]


def _creating(batch: Batch, type_: EntityType, row: Row) -> None:
    """Let a component of no particular kind be a file."""
    if row.get("system_type") is None:
        row["system_type"] = "file"


HOOKS: dict[str, tuple[Hooks, ...]] = {"Component": (Hooks(creating=_creating),)}
