"""Rules for object types, whose names are those of entity types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import DuplicateEntryError, IntegrityError, ValidationError
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS, is_type_name, type_name_of

__all__ = ["HOOKS"]

#: Other entity types refer to the entity type of these object types by its name.
_NEEDED = {OBJECT_TYPE_IDS["Task"]: "Task"}


def _creating(batch: Batch, type_: EntityType, row: Row) -> None:
    _check_name(batch, row.get("name"))


def _changing(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    if "name" not in changes or _type_name(changes["name"]) == _type_name(row["name"]):
        return
    _refuse_needed(row, "renamed")
    _check_name(batch, changes["name"])


def _deleting(batch: Batch, rows: Sequence[Row]) -> None:
    for row in rows:
        _refuse_needed(row, "deleted")


def _type_name(name: Optional[str]) -> str:
    return type_name_of(name or "")


def _check_name(batch: Batch, name: Optional[str]) -> None:
    """Raise an error if the object type *name* cannot have an entity type of its own."""
    type_name = _type_name(name)
    if not is_type_name(type_name):
        raise ValidationError(
            f"The object type {name!r} would be the entity type {type_name!r}, which a query "
            "cannot contain. Use letters, digits, underscores and blanks, and begin with a letter."
        )
    if type_name in batch.model.types:
        raise DuplicateEntryError(
            f"DuplicateEntry: the object type {name!r} would be the entity type {type_name!r}, "
            "which exists already. Choose another name."
        )


def _refuse_needed(row: Row, verb: str) -> None:
    needed = _NEEDED.get(row["id"])
    if needed is not None:
        raise IntegrityError(
            f"The object type {row['name']!r} cannot be {verb}: other entity types refer to the "
            f"entity type {needed!r}."
        )


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "ObjectType": (Hooks(creating=_creating, changing=_changing, deleting=_deleting),),
}
