"""A readable structure: project, contexts, asset, version, component."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import inspection
from ftrack_like._values.references import referenced, referenced_id
from ftrack_like.exception import StructureError
from ftrack_like.structure._names import spelt, survives
from ftrack_like.structure.base import Structure
from ftrack_like.symbol import CREATED

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["StandardStructure"]


class StandardStructure(Structure):
    """Uses the names of the project, the contexts, the asset and the component as the path.

    A file is ``project/sequence/shot/asset/v001/component.ext``. Sequences and the members of other
    containers are::

        …/asset/v001/component.%04d.ext
        …/asset/v001/container/component.ext

    :meth:`sanitise_for_filesystem` makes all names safe. A file type keeps its dot.
    """

    def __init__(
        self,
        project_versions_prefix: Optional[str] = None,
        illegal_character_substitute: Optional[str] = "_",
    ) -> None:
        """Initialise with the folder *project_versions_prefix* for assets of a project itself.

        The folder is between the project and the asset; None means no folder.
        *illegal_character_substitute* replaces each character that may cause problems in a path;
        None leaves all names unchanged.
        """
        super().__init__()
        self.project_versions_prefix = project_versions_prefix
        self.illegal_character_substitute = illegal_character_substitute

    def sanitise_for_filesystem(self, value: object) -> str:
        """Return *value* as a name for any file system.

        Accents are removed and capital letters become small. Characters other than letters, digits,
        dots, dashes and underscores are replaced. If no letter or digit would remain, as for a name
        in Japanese, the name is spelt in ASCII: letters as their sound, other characters as their
        Unicode name or number. Then a digest at the end makes it unique.
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
        """Return the resource identifier for the component *entity*; ignore *context*.

        Raise :exc:`NotImplementedError` for an entity of another type, and
        :exc:`~ftrack_like.exception.StructureError` if the component has no version, or if its
        version is not committed yet and so has no number.
        """
        try:
            make_parts = self._PARTS[entity.entity_type]
        except KeyError:
            raise NotImplementedError(
                f"StandardStructure supports only components, and not the unsupported entity "
                f"{entity!r}."
            ) from None
        return self.path_separator.join(make_parts(self, entity))

    def _file_parts(self, entity: Entity) -> list[str]:
        """Return the parts of the path of a file, in a container or not."""
        container = referenced(entity, "container")
        if not container:
            return [*self._get_parts(entity), self._file_name(entity)]
        if container.entity_type == "SequenceComponent":
            # The members of a sequence are in one folder and have the name of the sequence.
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
        """Return the file type of *entity* with safe characters after its dot; may be empty."""
        file_type = entity["file_type"] or ""
        dot = "." if file_type.startswith(".") else ""
        return dot + self.sanitise_for_filesystem(file_type[len(dot) :])

    def _get_parts(self, entity: Entity) -> list[str]:
        """Return the names from the project down to the version of the component *entity*."""
        version = referenced(entity, "version")
        if not version:
            raise StructureError(
                "Component {entity} must be attached to a committed version for the standard "
                'structure, but it has none{key}. Set its "version", or add it to a location with '
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
        """Return the version *number* in the format for paths, such as ``v001``."""
        return f"v{number:03d}"

    _PARTS = {
        "FileComponent": _file_parts,
        "SequenceComponent": _sequence_parts,
        "ContainerComponent": _container_parts,
    }


def _unknown_version(entity: Entity) -> str:
    """Return the part of an error about a ``version_id`` of *entity* without a version."""
    key = referenced_id(entity, "version")
    return f", and there is no version with the id {key!r}" if key else ""
