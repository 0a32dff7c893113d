"""Rules for components: a default kind, and at most one entry per component and location."""

from __future__ import annotations

from typing import Any

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import DuplicateEntryError
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["HOOKS"]


def _creating(batch: Batch, type_: EntityType, row: Row) -> None:
    """Make a component without a kind a file."""
    if row.get("system_type") is None:
        row["system_type"] = "file"


def _creating_place(batch: Batch, type_: EntityType, row: Row) -> None:
    _refuse_second(batch, row)


def _changing_place(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    if not changes.keys().isdisjoint(("component_id", "location_id")):
        _refuse_second(batch, {**row, **changes})


def _refuse_second(batch: Batch, row: Row) -> None:
    """Raise :exc:`DuplicateEntryError` if the component of *row* is in its location already."""
    place = {name: row.get(name) for name in ("component_id", "location_id")}
    if None in place.values():
        return
    found = batch.store.find("component_location", **place)
    if any(one["id"] != row.get("id") for one in found):
        raise DuplicateEntryError(
            "DuplicateEntry: the component {component_id} is in the location {location_id} "
            "already. Change or delete that ComponentLocation first.".format(**place)
        )


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "Component": (Hooks(creating=_creating),),
    "ComponentLocation": (Hooks(creating=_creating_place, changing=_changing_place),),
}
