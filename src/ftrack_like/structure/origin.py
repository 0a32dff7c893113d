"""A structure that uses the path of the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.structure.base import Structure

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["OriginStructure"]


class OriginStructure(Structure):
    """Gives each entity the resource identifier of its source."""

    def get_resource_identifier(
        self, entity: Entity, context: Optional[Mapping[str, Any]] = None
    ) -> str:
        """Return ``context["source_resource_identifier"]``.

        Raise :exc:`ValueError` if the *context* does not name a source.
        """
        source: Optional[str] = (context or {}).get("source_resource_identifier")
        if source is None:
            raise ValueError(
                "The origin structure needs the path of the source: there is no source "
                "resource identifier in the context (source_resource_identifier)."
            )
        return source
