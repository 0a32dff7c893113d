"""Check that an entity refers only to entities of its own session, and merge others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.entity.base import Entity

__all__ = ["named", "own"]


def named(entity: Entity) -> str:
    """Return *entity* as text for an error; only its type if it has no primary key."""
    try:
        return str(entity)
    except KeyError:
        return str(entity.entity_type)


def own(entity: Entity, value: Value) -> Value:
    """Return *value*; if it is an entity of another session, merge it into that of *entity*."""
    session = getattr(entity, "session", None)
    if session is None or getattr(value, "session", session) is session:
        return value
    return session.merge(value) if hasattr(value, "primary_key_attributes") else value
