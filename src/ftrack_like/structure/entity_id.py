"""A structure that uses the id of an entity as its resource identifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.structure.base import Structure

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["EntityIdStructure"]


class EntityIdStructure(Structure):
    """Uses the id of each entity as its identifier, for storages without folders."""

    def get_resource_identifier(
        self, entity: Entity, context: Optional[Mapping[str, Any]] = None
    ) -> str:
        """Return the id of *entity*; ignore *context*."""
        identifier: str = entity["id"]
        return identifier
