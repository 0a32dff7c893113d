"""Which loaded values may differ from the server's after an event ``ftrack.update``.

An event names the changed entities, their parents up to the project, and the values before and
after, with ids where a relation has changed. Other values depend on a changed entity too: the lists
of the entities to which it refers, and the values that the server computes. :class:`Changes`
collects events, and :class:`Staleness` decides for one entity at a time.

If in doubt a value counts as stale: reading it again is cheaper than a wrong one. Sites leave out
parts of an event, and nobody has published all of their forms. An entry without values before and
after therefore counts as a change of everything that refers to its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._session.stored_form import DERIVED
from ftrack_like.attribute import AbstractCollectionAttribute, ReferenceAttribute
from ftrack_like.entity.base import AnyEntity

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like._values.catalogue import Catalogue
    from ftrack_like.entity.base import Entity

__all__ = ["Changes", "Staleness"]

#: Types whose entities decide what others contain, or what the user may see.
_REACHING = (
    "CustomAttributeConfiguration",
    "CustomAttributeLinkConfiguration",
    "CustomAttributeType",
    "ObjectType",
    "ProjectSchema",
    "Schema",
    "SecurityRole",
    "UserSecurityRole",
    "UserSecurityRoleProject",
    "WorkflowSchema",
)

#: Changed names, as the server spells them, after which the names in paths differ.
_NAMES_IN_LINKS = frozenset({"fullname", "full_name", "name", "parent_id", "version"})

#: Changed names after which the entities below belong to another project.
_PROJECTS = frozenset({"project_id", "showid"})

#: Attributes with the path of an entity as text or as a list.
_LINKS = frozenset({"_link", "link"})


class Changes:
    """The changes that one or several events report."""

    def __init__(self) -> None:
        """Start without changes."""
        #: Whether any value may have changed.
        self.everything = False
        #: The changed entities: a type for each id. The id of several values is joined by commas.
        self.types_by_id: dict[str, str] = {}
        #: The ids of the deleted entities.
        self.removed: set[str] = set()
        #: The changed entities, their parents, and the entities that their values name.
        self.related: set[str] = set()
        #: For each changed type, the ids of the entities whose lists may have changed.
        self.owners: dict[str, set[str]] = {}
        #: The changed types of which any list may have changed.
        self.wide: set[str] = set()
        #: Whether paths may have changed.
        self.links = False

    def __bool__(self) -> bool:
        """Return whether there are changes."""
        return self.everything or bool(self.types_by_id)

    def add(self, data: Json) -> None:
        """Add the *data* of an event, of any shape."""
        entries = data.get("entities") if isinstance(data, Mapping) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping) and isinstance(entry.get("entityId"), str):
                self._add_entry(entry)

    def _add_entry(self, entry: Mapping[str, Any]) -> None:
        """Add *entry*, one entity of an event."""
        identifier, action = entry["entityId"], entry.get("action")
        type_name = entry.get("entity_type")
        if not isinstance(type_name, str) or type_name in _REACHING:
            self.everything = True
            return
        self.types_by_id[identifier] = type_name
        if action == "remove":
            self.removed.add(identifier)
        changes = entry.get("changes")
        changes = changes if isinstance(changes, Mapping) else {}
        named = set(_ids_in(list(changes.values())))
        above = {identifier, *identifier.split(",")}
        parents = entry.get("parents")
        for parent in parents if isinstance(parents, list) else ():
            if isinstance(parent, Mapping) and isinstance(parent.get("entityId"), str):
                above.add(parent["entityId"])
        self.related |= above | named
        owners = self.owners.setdefault(type_name, set())
        owners |= named
        if action != "update":
            owners |= above
        if not changes or action not in ("add", "update", "remove"):
            self.wide.add(type_name)
        if action != "add" and (not changes or not _NAMES_IN_LINKS.isdisjoint(changes)):
            self.links = True
        if action == "move" and not _PROJECTS.isdisjoint(changes):
            self.everything = True


def _ids_in(value: Json) -> Iterator[str]:
    """Yield the texts in *value* that may be ids."""
    if isinstance(value, str):
        if len(value) <= 64:
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _ids_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids_in(inner)


class Staleness:
    """Decides which loaded values of an entity are stale after *changes*."""

    def __init__(self, changes: Changes, catalogue: Catalogue) -> None:
        """Decide for *changes*; *catalogue* knows the types to which attributes lead."""
        self._changes = changes
        self._catalogue = catalogue
        #: For each entity class: the names of its relations, and the changed types they lead to.
        self._relations: dict[str, list[tuple[str, list[str]]]] = {}
        #: For each entity class: the names of the values that the server computes.
        self._computed: dict[str, frozenset[str]] = {}

    def is_removed(self, entity: Entity) -> bool:
        """Return whether *entity* is among the deleted ones."""
        return bool(self._changes.removed) and _id_of(entity) in self._changes.removed

    def stale_names(self, entity: Entity) -> set[str]:
        """Return the names of the loaded values of *entity* that may be stale."""
        loaded = set(entity.remote_values).difference(entity.primary_key_attributes)
        changes = self._changes
        if changes.everything or not loaded:
            return loaded
        identifier = _id_of(entity)
        if identifier in changes.types_by_id:
            return loaded
        key = entity.primary_key_attributes
        if len(key) > 1 and any(
            entity.remote_values.get(name) in changes.types_by_id for name in key
        ):
            return loaded  # An item, such as a custom attribute value of a changed entity.
        found = set()
        if identifier in changes.related or changes.wide:
            found |= loaded & self._computed_of(entity)
        if changes.links:
            found |= loaded & _LINKS
        for name, types in self._relations_of(entity):
            if name in loaded and self._is_stale(entity, identifier, name, types):
                found.add(name)
        return found

    def _computed_of(self, entity: Entity) -> frozenset[str]:
        """Return the names of the values of *entity* that the server computes."""
        found = self._computed.get(entity.entity_type)
        if found is None:
            found = self._computed[entity.entity_type] = (
                entity.attributes.computed_names() | DERIVED
            )
        return found

    def _relations_of(self, entity: Entity) -> list[tuple[str, list[str]]]:
        """Return the relations of *entity*, each with the changed types to which it leads.

        A value that follows from the entities of its own type counts as a relation to it.
        """
        found = self._relations.get(entity.entity_type)
        if found is None:
            properties = self._catalogue.properties(entity.entity_type)
            found = []
            for attribute in entity.attributes:
                if isinstance(attribute, (ReferenceAttribute, AbstractCollectionAttribute)):
                    described = properties.get(attribute.name)
                    target = described.target if described is not None else ""
                elif attribute.name in DERIVED - _LINKS:
                    target = entity.entity_type
                else:
                    continue
                types = [one for one in self._changes.owners if self._may_be(one, target)]
                found.append((attribute.name, types))
            self._relations[entity.entity_type] = found
        return found

    def _lists_custom_values(self, type_name: str, name: str) -> bool:
        """Return whether the attribute *name* of *type_name* lists values of custom attributes.

        No event names these values. It names their owner, which may be any changed entity.
        """
        described = self._catalogue.properties(type_name).get(name)
        return (
            described is not None
            and described.kind == "collection"
            and described.target.endswith("CustomAttributeValue")
        )

    def _may_be(self, type_name: str, target: str) -> bool:
        """Return whether an attribute that leads to *target* may contain an entity of *type_name*.

        Some lists contain more than their schema says: ``Status.tasks`` contains shots too. So
        types with a common base count as one.
        """
        catalogue = self._catalogue
        return catalogue.is_a(type_name, target) or not set(catalogue.bases(type_name)).isdisjoint(
            catalogue.bases(target)
        )

    def _is_stale(
        self, entity: Entity, identifier: Optional[str], name: str, types: list[str]
    ) -> bool:
        """Return whether the relation *name* of *entity*, which leads to *types*, may be stale."""
        changes = self._changes
        attribute = entity.attributes.lookup(name)
        is_own_row = isinstance(attribute, ReferenceAttribute) and name not in DERIVED
        if types and not is_own_row:
            if not isinstance(attribute, (ReferenceAttribute, AbstractCollectionAttribute)):
                return True
            if any(one in changes.wide or identifier in changes.owners[one] for one in types):
                return True
        if not is_own_row and self._lists_custom_values(entity.entity_type, name):
            return True
        if not changes.removed:
            return False
        value = entity.remote_values.get(name)
        members = value if isinstance(value, list) else [value]
        return any(isinstance(each, AnyEntity) and self.is_removed(each) for each in members)


def _id_of(entity: Entity) -> Optional[str]:
    """Return the id of *entity* as events spell it, or None if its key is not loaded."""
    values = [entity.remote_values.get(name) for name in entity.primary_key_attributes]
    if len(values) == 1:
        return values[0] if isinstance(values[0], str) else str(values[0])
    return ",".join(map(str, values))
