"""The action ``_authorize_operation``: may the user do an operation, without doing it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like.sandbox.actions.attributes import find_row, read_key
from ftrack_like.sandbox.actions.batch import Batch, Operation
from ftrack_like.sandbox.actions.permissions import may, seen_rows
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.actions.rows import concrete_type
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.actions.values import shown
from ftrack_like.sandbox.errors import NotFoundError, ValidationError
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["ACTIONS"]

_WRITES = ("create", "update", "delete")


def authorize_operation(operation: Operation, batch: Batch) -> Any:
    """Return whether the user may do the operation that ``data`` describes.

    ``data.action`` is the action, ``data.data.entity_type`` the type. ``data.context`` names the
    entity to change, or the entity below which a new one would be.
    """
    data = _mapping(operation, "data")
    action = data.get("action")
    if action not in _WRITES:
        names = ", ".join(map(repr, _WRITES))
        raise ValidationError(
            f"'action' in the data of _authorize_operation cannot be {shown(action)}; it is one of "
            f"{names}."
        )
    if batch.rights is None:
        return {"result": True}
    type_ = batch.entity_type(_mapping(data, "data").get("entity_type"))
    context = data.get("context")
    place = None if context is None else _find(batch, _mapping(data, "context"))
    if context is not None and place is None:
        return {"result": False}
    return {"result": may(batch, action, type_, place)}


def _find(batch: Batch, context: Mapping[str, Any]) -> Optional[tuple[EntityType, Row]]:
    """Return type and row of the entity in *context*; None if the user sees no such entity."""
    type_ = batch.entity_type(context.get("entity_type"))
    key = read_key(type_, context)
    try:
        row = find_row(batch, type_, key) if key else None
    except NotFoundError:
        return None
    if row is None or not seen_rows(batch, type_.table, [row]):
        return None
    return concrete_type(batch, type_, row), row


def _mapping(owner: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = owner.get(name)
    if not isinstance(value, Mapping):
        raise ValidationError(
            f"{name!r} of _authorize_operation must be a mapping, not {shown(value)}."
        )
    return value


ACTIONS = (ApiAction("_authorize_operation", authorize_operation, reads=True),)
