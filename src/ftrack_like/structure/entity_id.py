"""A structure in which the id of an entity is its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.structure.base import Structure

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["EntityIdStructure"]


class EntityIdStructure(Structure):
    """Place every entity by its bare id, as flat storages want it."""

    def get_resource_identifier(
        self, entity: Entity, context: Optional[Mapping[str, Any]] = None
    ) -> str:
        """Return the id of *entity*; *context* is not used."""
        identifier: str = entity["id"]
        return identifier
