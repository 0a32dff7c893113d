"""Questions about entities: which one is it, and what has been done to it.

Entities are any objects with ``entity_type``, ``primary_key_attributes`` and item access.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.operation import (
    CreateEntityOperation,
    DeleteEntityOperation,
    UpdateEntityOperation,
)
from ftrack_like.symbol import CREATED, DELETED, MODIFIED, NOT_SET

if TYPE_CHECKING:
    from ftrack_like._types import EntityLike
    from ftrack_like.entity.base import Entity
    from ftrack_like.operation import Operation
    from ftrack_like.symbol import Symbol

__all__ = ["identity", "primary_key", "state", "states"]


def identity(entity: EntityLike) -> tuple[str, list[Any]]:
    """Return the identity of *entity*: its type and the values of its primary key.

    For example ``("Task", ["0a1b…"])``. Raise :exc:`KeyError` if a value is not set.
    """
    return (str(entity.entity_type), list(primary_key(entity).values()))


def primary_key(entity: EntityLike) -> OrderedDict[str, Any]:
    """Return the primary key of *entity* as ``{attribute name: value}``, in the schema's order.

    Raise :exc:`KeyError` if a value is not set.
    """
    key: OrderedDict[str, Any] = OrderedDict()
    for name in entity.primary_key_attributes:
        value = entity[name]
        if value is NOT_SET:
            raise KeyError(f'The primary key attribute "{name}" has no value on {entity!r}.')
        key[name] = value
    return key


def state(entity: Entity) -> Symbol:
    """Return what the operations recorded in the session of *entity* make of it.

    One of the symbols ``CREATED``, ``MODIFIED``, ``DELETED`` or ``NOT_SET`` (untouched).
    """
    return states([entity])[0]


def states(entities: Iterable[Entity]) -> list[Symbol]:
    """Return the states of *entities*, in their order, as :func:`state` does for one.

    All entities must belong to one session. The recorded operations are read once.
    """
    entities = list(entities)
    if not entities:
        return []
    wanted = [str(identity(entity)) for entity in entities]
    found = dict.fromkeys(wanted, NOT_SET)
    for operation in list(entities[0].session.recorded_operations):
        new_state = resulting_state(operation)
        if new_state is None:
            continue
        key = str((str(operation.entity_type), list(operation.entity_key.values())))
        # The first of create and update decides, a delete always does.
        if found.get(key) is NOT_SET or (key in found and new_state is DELETED):
            found[key] = new_state
    return [found[key] for key in wanted]


_STATES = (
    (CreateEntityOperation, CREATED),
    (UpdateEntityOperation, MODIFIED),
    (DeleteEntityOperation, DELETED),
)


def resulting_state(operation: Operation) -> Optional[Symbol]:
    """Return the state that *operation* alone leaves an entity in; None for unknown ones."""
    for kind, new_state in _STATES:
        if isinstance(operation, kind):
            return new_state
    return None
