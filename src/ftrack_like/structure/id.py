"""A structure made of the ids of components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._references import referenced
from ftrack_like.structure.base import Structure

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["IdStructure"]

#: Characters of the id that become folders of their own, so that no folder gets too full.
_FOLDERS = 4


class IdStructure(Structure):
    """Place components by id, in four levels of folders.

    A file goes to ``prefix/1/2/3/4/<rest of the id>.ext``, a sequence into the folder of its id as
    ``file.%04d.ext``, the members of another container into the folder of that.
    """

    def get_resource_identifier(
        self, entity: Entity, context: Optional[Mapping[str, Any]] = None
    ) -> str:
        """Return the resource identifier for the component *entity*; *context* is not used.

        Raise :exc:`NotImplementedError` for an entity of another type.
        """
        try:
            make_parts = self._PARTS[entity.entity_type]
        except KeyError:
            raise NotImplementedError(
                f"IdStructure places components only, and not the unsupported entity {entity!r}."
            ) from None
        parts = make_parts(self, entity)
        return self.path_separator.join([self.prefix, *parts] if self.prefix else parts)

    def _file_parts(self, entity: Entity) -> list[str]:
        """Return the parts of the path of a file."""
        container = referenced(entity, "container")
        suffix = entity["file_type"] or ""
        if not container:
            *folders, name = self._id_parts(entity)
            return [*folders, name + suffix]
        if container.entity_type == "SequenceComponent":
            return [*self._id_parts(container), f"file.{entity['name']}{suffix}"]
        return [*self._id_parts(container), entity["id"] + suffix]

    def _sequence_parts(self, entity: Entity) -> list[str]:
        """Return the parts of the path of a sequence."""
        name = f"file.{self._get_sequence_expression(entity)}{entity['file_type'] or ''}"
        return [*self._id_parts(entity), name]

    def _id_parts(self, entity: Entity) -> list[str]:
        """Return the folders that the id of *entity* gives, the last with what is left of it."""
        entity_id = entity["id"]
        return [*entity_id[:_FOLDERS], entity_id[_FOLDERS:]]

    _PARTS = {
        "FileComponent": _file_parts,
        "SequenceComponent": _sequence_parts,
        "ContainerComponent": _id_parts,
    }
