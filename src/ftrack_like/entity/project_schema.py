"""The behaviour of project schemas, which define the types and statuses of a project."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from ftrack_like._base.suggest import did_you_mean
from ftrack_like._values.references import referenced
from ftrack_like.entity.base import Entity
from ftrack_like.symbol import NOT_SET

__all__ = ["ProjectSchema"]


class ProjectSchema(Entity):
    """The types and statuses that entities of a project may have."""

    def get_statuses(self, schema: str, type_id: Optional[str] = None) -> list[Entity]:
        """Return the statuses for entities of the type *schema*, such as ``"Task"``.

        *type_id* selects the statuses for tasks of this type. Raise :exc:`ValueError` if there is
        no such entity type, if it has no statuses, or if no statuses are configured.
        """
        self._require(schema, "status_id", "statuses")
        if schema == "AssetVersion":
            workflow = referenced(self, "_version_workflow", "asset_version_workflow_schema_id")
            return _copied(workflow["statuses"])
        if schema == "Task":
            return self._task_statuses(type_id)
        found = self._object_type_schema(schema)
        if found is None:
            raise ValueError(f"The project schema configures no statuses for {schema}.")
        return [referenced(each, "task_status", "status_id") for each in found["statuses"]]

    def _task_statuses(self, type_id: Optional[str]) -> list[Entity]:
        """Return the statuses for tasks of the type *type_id*; the common statuses if None."""
        workflow = referenced(self, "_task_workflow", "task_workflow_schema_id")
        if type_id is not None:
            for override in self["_overrides"]:
                if override["type_id"] == type_id:
                    workflow = referenced(override, "workflow_schema")
                    break
        return _copied(workflow["statuses"])

    def get_types(self, schema: str) -> list[Entity]:
        """Return the types for entities of the type *schema*, such as ``"Task"``.

        Raise :exc:`ValueError` if there is no such entity type, if it has no types, or if no types
        are configured.
        """
        self._require(schema, "type_id", "types")
        if schema == "Task":
            schema_of_types = referenced(self, "_task_type_schema", "task_type_schema_id")
            return _copied(schema_of_types["types"])
        found = self._object_type_schema(schema)
        if found is None:
            raise ValueError(f"The project schema configures no types for {schema}.")
        return [referenced(each, "task_type", "type_id") for each in found["types"]]

    def _require(self, schema: str, attribute_name: str, what: str) -> None:
        """Raise :exc:`ValueError` unless the type *schema* exists and has *attribute_name*."""
        try:
            class_ = self.session.types[schema]
        except KeyError:
            hint = did_you_mean(schema, self.session.types)
            text = f"There is no entity type {schema!r}: Schema {schema} does not exist. {hint}"
            raise ValueError(text.rstrip()) from None
        if class_.attributes.get(attribute_name) is None:
            raise ValueError(f"Entities of the type {schema} have no {what}.")

    def _object_type_schema(self, schema: str) -> Optional[Entity]:
        """Return the part of this schema for the object type of *schema*, or None."""
        attribute = self.session.types[schema].attributes.get("object_type_id")
        wanted = NOT_SET if attribute is None else attribute.default_value
        candidates: list[Entity] = self["_schemas"]
        for candidate in candidates:
            if wanted is not NOT_SET and candidate["type_id"] == wanted:
                return candidate
        return None


def _copied(members: Iterable[Entity]) -> list[Entity]:
    """Return *members*, a collection, as a new list."""
    return list(members)
