"""Entities belong to a session: how another one's are let in, and how an owner is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrack_like._types import Value
    from ftrack_like.entity.base import Entity

__all__ = ["named", "own"]


def named(entity: Entity) -> str:
    """Return *entity* as text for an error, its type alone while it has no primary key."""
    try:
        return str(entity)
    except KeyError:
        return str(entity.entity_type)


def own(entity: Entity, value: Value) -> Value:
    """Return *value* as *entity* may refer to it: an entity of another session is merged."""
    session = getattr(entity, "session", None)
    if session is None or getattr(value, "session", session) is session:
        return value
    return session.merge(value) if hasattr(value, "primary_key_attributes") else value
