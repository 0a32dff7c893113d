"""A readable structure: project, contexts, asset, version, component."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import inspection
from ftrack_like._references import referenced, referenced_id
from ftrack_like.exception import StructureError
from ftrack_like.structure._names import spelt, survives
from ftrack_like.structure.base import Structure
from ftrack_like.symbol import CREATED

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["StandardStructure"]


class StandardStructure(Structure):
    """Place components by the names on the way to them.

    ``project/sequence/shot/asset/v001/component.ext``, where sequences and the members of other
    containers are::

        …/asset/v001/component.%04d.ext
        …/asset/v001/container/component.ext

    All names are made safe by :meth:`sanitise_for_filesystem`, except that a file type keeps its
    dot.
    """

    def __init__(
        self,
        project_versions_prefix: Optional[str] = None,
        illegal_character_substitute: Optional[str] = "_",
    ) -> None:
        """Initialise with the folder *project_versions_prefix* for versions of project assets.

        It stands between the project and an asset that hangs on the project itself; there is no
        such folder when it is None. Each character that may give trouble in a path becomes
        *illegal_character_substitute*; None leaves names exactly as they are.
        """
        super().__init__()
        self.project_versions_prefix = project_versions_prefix
        self.illegal_character_substitute = illegal_character_substitute

    def sanitise_for_filesystem(self, value: object) -> str:
        """Return *value* as a text that any file system takes as a name.

        Accents go, capitals become small, and what is not a letter, digit, dot, dash or
        underscore is substituted. A name of which no letter or digit would be left, such as one
        in Japanese, is spelt in ASCII: letters by their sound, other characters by their name or
        number. A digest at the end makes it differ from those of all other names.
        """
        name = str(value)
        if self.illegal_character_substitute is None:
            return name
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
        if not survives(name, plain):
            return spelt(name)
        substituted = re.sub(r"[^\w.-]", lambda _: str(self.illegal_character_substitute), plain)
        return substituted.strip().lower()

    def get_resource_identifier(
        self, entity: Entity, context: Optional[Mapping[str, Any]] = None
    ) -> str:
        """Return the resource identifier for the component *entity*; *context* is not used.

        Raise :exc:`NotImplementedError` for an entity of another type, and
        :exc:`~ftrack_like.exception.StructureError` if the component has no version, or one that
        is not committed yet and so has no number.
        """
        try:
            make_parts = self._PARTS[entity.entity_type]
        except KeyError:
            raise NotImplementedError(
                f"StandardStructure gives a resource identifier to components only, and not to the "
                f"unsupported entity {entity!r}."
            ) from None
        return self.path_separator.join(make_parts(self, entity))

    def _file_parts(self, entity: Entity) -> list[str]:
        """Return the parts of the path of a file, in a container or not."""
        container = referenced(entity, "container")
        if not container:
            return [*self._get_parts(entity), self._file_name(entity)]
        if container.entity_type == "SequenceComponent":
            # The members of a sequence lie side by side, named like the sequence.
            name = self.sanitise_for_filesystem(container["name"])
            number = self.sanitise_for_filesystem(entity["name"])
            return [*self._get_parts(container), f"{name}.{number}{self._suffix(entity)}"]
        return [*self._container_parts(container), self._file_name(entity)]

    def _sequence_parts(self, entity: Entity) -> list[str]:
        """Return the parts of the path of a sequence, its frames as an expression."""
        parts = self._get_parts(entity)
        name = self.sanitise_for_filesystem(entity["name"])
        frames = self._get_sequence_expression(entity)
        return [*parts, f"{name}.{frames}{self._suffix(entity)}"]

    def _container_parts(self, entity: Entity) -> list[str]:
        """Return the parts of the path of a container."""
        return [*self._get_parts(entity), self.sanitise_for_filesystem(entity["name"])]

    def _file_name(self, entity: Entity) -> str:
        """Return the name of the file component *entity*."""
        return self.sanitise_for_filesystem(entity["name"]) + self._suffix(entity)

    def _suffix(self, entity: Entity) -> str:
        """Return the file type of *entity*, made safe but for its dot; empty if it has none."""
        file_type = entity["file_type"] or ""
        dot = "." if file_type.startswith(".") else ""
        return dot + self.sanitise_for_filesystem(file_type[len(dot) :])

    def _get_parts(self, entity: Entity) -> list[str]:
        """Return the names from the project down to the version of the component *entity*."""
        version = referenced(entity, "version")
        if not version:
            raise StructureError(
                "Component {entity} must be attached to a committed version for the standard "
                'structure, and has none{key}. Set its "version", or add it to a location with '
                "another structure.",
                details={"entity": entity, "key": _unknown_version(entity)},
            )
        if inspection.state(version) is CREATED:
            raise StructureError(
                "Component {entity} must be attached to a committed version. Its version is not on "
                "the server yet: commit first, then add the component to a location.",
                details={"entity": entity},
            )
        link = version["link"]
        project: Any = entity.session.get(link[0]["type"], link[0]["id"])
        asset = referenced(version, "asset")
        names = [project["name"]]
        contexts = [item["name"] for item in link[1:-1]]
        if contexts:
            names.extend(contexts)
        elif self.project_versions_prefix:
            names.append(self.project_versions_prefix)
        names.append(asset["name"])
        parts = [self.sanitise_for_filesystem(name) for name in names]
        return [*parts, self._format_version(version["version"])]

    def _format_version(self, number: int) -> str:
        """Return the version *number* as it stands in a path."""
        return f"v{number:03d}"

    _PARTS = {
        "FileComponent": _file_parts,
        "SequenceComponent": _sequence_parts,
        "ContainerComponent": _container_parts,
    }


def _unknown_version(entity: Entity) -> str:
    """Return what to say of the foreign key of *entity* that leads to no version."""
    key = referenced_id(entity, "version")
    return f", and there is no version with the id {key!r}" if key else ""
