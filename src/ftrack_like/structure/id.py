"""A structure of folders from the ids of components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._values.references import referenced
from ftrack_like.structure.base import Structure

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["IdStructure"]

#: This many characters of the id become separate folders, so that no folder has too many entries.
_FOLDERS = 4


class IdStructure(Structure):
    """Uses the ids of components as paths, in four levels of folders.

    The path of a file is ``prefix/1/2/3/4/<rest of the id>.ext``. A sequence is
    ``file.%04d.ext`` in the folder of its id. The members of another container are in the folder
    of the container's id.
    """

    def get_resource_identifier(
        self, entity: Entity, context: Optional[Mapping[str, Any]] = None
    ) -> str:
        """Return the resource identifier for the component *entity*; ignore *context*.

        Raise :exc:`NotImplementedError` for an entity of another type.
        """
        try:
            make_parts = self._PARTS[entity.entity_type]
        except KeyError:
            raise NotImplementedError(
                f"IdStructure supports only components, and not the unsupported entity {entity!r}."
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
        """Return the parts of the id of *entity*: single characters, then the rest of the id."""
        entity_id = entity["id"]
        return [*entity_id[:_FOLDERS], entity_id[_FOLDERS:]]

    _PARTS = {
        "FileComponent": _file_parts,
        "SequenceComponent": _sequence_parts,
        "ContainerComponent": _id_parts,
    }
