"""Operations that the server itself puts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.symbol import SERVER_LOCATION_ID

__all__ = ["creation", "server_component", "update_operation"]


def creation(
    entity_type: str, values: Mapping[str, Any], key: Sequence[str] = ("id",)
) -> dict[str, Any]:
    """Return the operation that creates an *entity_type* with *values*.

    *key* names the values of its primary key, in order.
    """
    return {
        "action": "create",
        "entity_type": entity_type,
        "entity_key": [values[name] for name in key],
        "entity_data": {"__entity_type__": entity_type, **values},
    }


def server_component(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations that create a file component, stored at the server location.

    *values* are those of the component; its ``id`` also names its data in the location.
    """
    location = {
        "id": new_id(),
        "component_id": values["id"],
        "location_id": SERVER_LOCATION_ID,
        "resource_identifier": values["id"],
    }
    return [creation("FileComponent", values), creation("ComponentLocation", location)]


def update_operation(entity_type: str, id_: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation that sets *values* on an entity."""
    return {
        "action": "update",
        "entity_type": entity_type,
        "entity_key": [id_],
        "entity_data": {"__entity_type__": entity_type, **values},
    }
