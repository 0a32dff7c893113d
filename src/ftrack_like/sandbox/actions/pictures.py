"""The rule for thumbnails: only a file with a picture can be the thumbnail of an entity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import ValidationError
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["HOOKS"]

#: The file types of thumbnails on a site, since 3.3.16.
_FILE_TYPES = ("bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff")


def _creating(batch: Batch, type_: EntityType, row: Row) -> None:
    _check_later(batch, type_, row)


def _changing(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    _check_later(batch, type_, changes)


def _check_later(batch: Batch, type_: EntityType, values: Mapping[str, Any]) -> None:
    """Check the thumbnail in *values* when its component exists."""
    component_id = values.get("thumbnail_id")
    if component_id is not None and not _check(batch, type_, component_id):
        batch.settle_later(lambda: _check(batch, type_, component_id))


def _check(batch: Batch, type_: EntityType, component_id: str) -> bool:
    """Raise :exc:`ValidationError` if the component is not a picture; return whether it exists."""
    row = batch.store.get("component", (component_id,))
    if row is None:
        return False
    where = f"Attribute 'thumbnail_id' of {type_.name}"
    if row["system_type"] != "file":
        raise ValidationError(
            f"{where} must be a FileComponent; {component_id!r} is "
            f"{with_article(row['system_type'])}."
        )
    if not _is_picture(row["file_type"]):
        wanted = ", ".join(_FILE_TYPES)
        raise ValidationError(
            f"{where} must be a picture of the type {wanted}; the component {component_id!r} has "
            f"the type {row['file_type']!r}."
        )
    return True


def _is_picture(file_type: Optional[str]) -> bool:
    """Return whether *file_type* is that of a picture, or is not known."""
    return not file_type or file_type.lower().lstrip(".") in _FILE_TYPES


HOOKS: dict[str, tuple[Hooks, ...]] = {
    name: (Hooks(creating=_creating, changing=_changing),)
    for name in ("AssetVersion", "BaseUser", "Context")
}
