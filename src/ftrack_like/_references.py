"""Following references, also where only their foreign key is set.

An entity that is not committed knows what was set on it and nothing else: one that was created
with ``version_id`` has no ``version`` before the commit. Programs see it so, as they do with the
published client. The library itself reads references through :func:`referenced`, so that either
way of setting one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, cast

from ftrack_like.operation import CreateEntityOperation
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._types import Value
    from ftrack_like.attribute import ReferenceAttribute
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["referenced", "referenced_id"]

#: Types that references name and that stand for several: no entity in memory has one of them.
_FAMILIES = frozenset({"Component", "ContainerComponent", "Context", "Resource", "TypedContext"})


def referenced(entity: Entity, name: str, key_name: Optional[str] = None) -> Value:
    """Return the entity that *entity* refers to by the attribute *name*.

    Where the foreign key was set since the last commit and the reference was not, the key says
    which one it is. *key_name* is the attribute with the key, by default *name* with ``_id``.
    Return None or NOT_SET where there is none; None as well if the key leads to nothing.
    """
    key = _newer_key(entity, name, key_name or f"{name}_id")
    if key is NOT_SET:
        return entity[name]
    if key is None:
        return None
    attribute = cast("ReferenceAttribute", entity.attributes.lookup(name))
    return _find(entity.session, attribute.entity_type, key)


def referenced_id(entity: Entity, name: str, key_name: Optional[str] = None) -> Value:
    """Return the foreign key of the reference *name* of *entity*, also where only that is set.

    *key_name* is as for :func:`referenced`. Return None or NOT_SET where there is none.
    """
    key_name = key_name or f"{name}_id"
    reference = _local(entity, name)
    if reference is None:
        return None
    if reference is not NOT_SET:
        return reference["id"]
    return entity.get(key_name, NOT_SET)


def _newer_key(entity: Entity, name: str, key_name: str) -> Value:
    """Return the foreign key that was set here if the reference was not; NOT_SET otherwise."""
    key = _local(entity, key_name)
    return NOT_SET if key is NOT_SET or _local(entity, name) is not NOT_SET else key


def _local(entity: Entity, name: str) -> Value:
    """Return the value that was set on *entity* since the last commit, or NOT_SET."""
    attributes = getattr(entity, "attributes", None)  # Structures place other mappings as well.
    attribute = None if attributes is None else attributes.get(name)
    return NOT_SET if attribute is None else attribute.get_local_value(entity)


def _find(session: Session, entity_type: str, key: Value) -> Optional[Entity]:
    """Return the entity of *entity_type* with the *key*, committed or not, or None."""
    if entity_type in _FAMILIES:
        # A new one is kept under the type that it has, and the server does not know it.
        for each in list(session.recorded_operations):
            if isinstance(each, CreateEntityOperation) and list(each.entity_key.values()) == [key]:
                return session.get(each.entity_type, key)
    return session.get(entity_type, key)
