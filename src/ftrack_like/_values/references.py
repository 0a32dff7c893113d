"""Read references, also if only their foreign key is set.

An uncommitted entity has only the values that the program has set. If a component is created with
``version_id``, its ``version`` is missing before the commit. Programs see it this way, as in the
published client. But the library needs the version, for example for its path. So it reads
references with :func:`referenced`, which also uses the foreign key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, cast

from ftrack_like.operation import CreateEntityOperation
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.attribute import ReferenceAttribute
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["referenced", "referenced_id"]

#: Abstract types of references. An entity in memory never has one of these types.
_FAMILIES = frozenset({"Component", "ContainerComponent", "Context", "Resource", "TypedContext"})


def referenced(entity: Entity, name: str, key_name: Optional[str] = None) -> Value:
    """Return the entity that *entity* refers to with the attribute *name*.

    If the foreign key was set since the last commit and the reference was not, use the key.
    *key_name* is the attribute with the key, by default *name* followed by ``_id``. Return None or
    NOT_SET if there is no reference, and None if there is no entity with the key.
    """
    key = _newer_key(entity, name, key_name or f"{name}_id")
    if key is NOT_SET:
        return entity[name]
    if key is None:
        return None
    attribute = cast("ReferenceAttribute", entity.attributes.lookup(name))
    return _find_entity(entity.session, attribute.entity_type, key)


def referenced_id(entity: Entity, name: str, key_name: Optional[str] = None) -> Value:
    """Return the foreign key of the reference *name* of *entity*.

    It works if the program has set either the reference or the key. *key_name* is as for
    :func:`referenced`. Return None or NOT_SET if there is no reference.
    """
    key_name = key_name or f"{name}_id"
    reference = _local(entity, name)
    if reference is None:
        return None
    if reference is not NOT_SET:
        return reference["id"]
    return entity.get(key_name, NOT_SET)


def _newer_key(entity: Entity, name: str, key_name: str) -> Value:
    """Return the local foreign key if the reference has no local value; NOT_SET otherwise."""
    key = _local(entity, key_name)
    return NOT_SET if key is NOT_SET or _local(entity, name) is not NOT_SET else key


def _local(entity: Entity, name: str) -> Value:
    """Return the value that was set on *entity* since the last commit, or NOT_SET."""
    attributes = getattr(entity, "attributes", None)  # Structures also accept other mappings.
    attribute = None if attributes is None else attributes.get(name)
    return NOT_SET if attribute is None else attribute.get_local_value(entity)


def _find_entity(session: Session, entity_type: str, key: Value) -> Optional[Entity]:
    """Return the entity of *entity_type* with *key*, committed or not, or None."""
    if entity_type in _FAMILIES:
        # A new entity is in the identity map under its concrete type, and not on the server.
        for each in list(session.recorded_operations):
            if isinstance(each, CreateEntityOperation) and list(each.entity_key.values()) == [key]:
                return session.get(each.entity_type, key)
    return session.get(entity_type, key)
