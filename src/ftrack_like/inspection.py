"""The identity and the state of entities.

The functions accept any object with ``entity_type``, ``primary_key_attributes`` and item access.
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
    from ftrack_like._base.types import EntityLike
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
    """Return the primary key of *entity*, ``{attribute name: value}`` in the order of the schema.

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
    """Return the state of *entity* according to the pending operations of its session.

    It is one of the symbols ``CREATED``, ``MODIFIED``, ``DELETED`` and ``NOT_SET`` (unchanged).
    """
    return states([entity])[0]


def states(entities: Iterable[Entity]) -> list[Symbol]:
    """Return the states of *entities* in the same order; see :func:`state`.

    All entities must belong to one session. The pending operations are read only once.
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
        # The first creation or update determines the state; a deletion always overrides it.
        if found.get(key) is NOT_SET or (key in found and new_state is DELETED):
            found[key] = new_state
    return [found[key] for key in wanted]


_STATES = (
    (CreateEntityOperation, CREATED),
    (UpdateEntityOperation, MODIFIED),
    (DeleteEntityOperation, DELETED),
)


def resulting_state(operation: Operation) -> Optional[Symbol]:
    """Return the state of an entity after *operation*; None for an unknown operation."""
    for kind, new_state in _STATES:
        if isinstance(operation, kind):
            return new_state
    return None
