"""The custom attributes of an entity as a form, and the changes that a viewer sends.

The page shows the form as it shows those of actions. It asks for the values of a dynamic enumerator
by the event `ftrack.dynamic-enumerator`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Optional

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors
from ftrack_like.sandbox.web.pages import PageError, page_route
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = ["field_routes"]

_PATH = "/browse/fields/{place}/{id}"

#: The entity types with custom attributes, by the place of their pages below ``/browse``.
_FAMILIES = {"asset": "Asset", "context": "Context", "version": "AssetVersion"}

_ENUMERATORS = {"dynamic enumerator", "enumerator"}

#: The kind of form item for each type of custom attribute. Expressions are computed.
_KINDS: Mapping[str, str] = {
    "boolean": "boolean",
    "date": "date",
    "dynamic enumerator": "enumerator",
    "enumerator": "enumerator",
    "number": "number",
    "text": "text",
    "url": "text",
}


def field_routes() -> list[BaseRoute]:
    """Return the routes that read and change custom attributes."""
    return [
        page_route(_PATH, for_visitors(show_fields)),
        page_route(_PATH, for_visitors(change_fields), "POST"),
    ]


def show_fields(visitor: Visitor) -> Response:
    """Return the items of the form as JSON. The name of an item is the id of its configuration."""
    values = _values_of(visitor.reader, _family(visitor), visitor.asked.part("id"))
    items = [_item(value) for value in values if _type_of(value) in _KINDS]
    return JSONResponse({"items": items}, headers={"Cache-Control": "no-store"})


def change_fields(visitor: Visitor) -> Response:
    """Store the posted ``values``: JSON of an object with a value for each changed configuration.

    The answer is JSON with a ``message`` if the server refuses a value. Then it stores none.
    """
    family, id_ = _family(visitor), visitor.asked.part("id")
    try:
        posted = json.loads(visitor.asked.form.get("values", ""))
    except ValueError:
        posted = None
    if not isinstance(posted, dict):
        raise PageError(400, "Invalid form", "The values must be a JSON object.")
    types = {
        value["configuration_id"]: _type_of(value)
        for value in _values_of(visitor.reader, family, id_)
    }
    operations = [
        {
            "action": "update",
            "entity_type": f"{family}CustomAttributeValue",
            "entity_key": [configuration_id, id_],
            "entity_data": {
                "__entity_type__": f"{family}CustomAttributeValue",
                "value": _stored(types.get(configuration_id, ""), value),
            },
        }
        for configuration_id, value in posted.items()
    ]
    try:
        visitor.asked.execute(operations, visitor.user)
    except SandboxError as error:
        return JSONResponse({"message": error.content}, error.status)
    return JSONResponse({})


def _family(visitor: Visitor) -> str:
    family = _FAMILIES.get(visitor.asked.part("place"))
    if family is None:
        raise PageError(404, "No such page", "Entities of this kind have no custom attributes.")
    return family


def _values_of(reader: PageReader, family: str, id_: str) -> list[Record]:
    """Return a record for each custom attribute of the entity, in the order of the attributes."""
    found = reader.query(
        "select key, value, configuration.label, configuration.config, configuration.sort,"
        f" configuration.type.name from {family}CustomAttributeValue"
        f" where entity_id is {quoted(id_)}"
    )
    return sorted(found, key=lambda one: (one["configuration"]["sort"] or 0, one["key"]))


def _type_of(value: Record) -> str:
    return str((value["configuration"].get("type") or {}).get("name") or "text")


def _item(value: Record) -> dict[str, Any]:
    """Return the form item for a record of a *value*."""
    configuration, type_name = value["configuration"], _type_of(value)
    item = {
        "type": _KINDS[type_name],
        "name": value["configuration_id"],
        "key": value["key"],
        "label": configuration["label"] or value["key"],
        "value": _shown(value["value"]),
    }
    if type_name in _ENUMERATORS:
        config = _read(configuration["config"])
        chosen = item["value"] if isinstance(item["value"], list) else [item["value"]]
        chosen = [one for one in chosen if one not in (None, "")]
        multiple = bool(config.get("multiSelect"))
        item["multi_select"] = multiple
        item["value"] = chosen if multiple else next(iter(chosen), None)
        item["data"] = _choices(config)
        item["dynamic"] = type_name == "dynamic enumerator"
    return item


def _choices(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the choices in the configuration of an enumerator."""
    data = config.get("data")
    listed = _read(data, list) if isinstance(data, str) else data
    return [
        {"label": str(one.get("menu", one["value"])), "value": str(one["value"])}
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and "value" in one
    ]


def _read(text: Optional[str], kind: Callable[[], Any] = dict) -> Any:
    """Return the JSON in *text*, or an empty *kind* if it is something else."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return kind()
    return found if isinstance(found, type(kind())) else kind()


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _stored(type_name: str, value: Any) -> Any:
    """Return the *value* of a form item as the value of a custom attribute of *type_name*."""
    if type_name in _ENUMERATORS and not isinstance(value, list):
        return [] if value is None else [value]
    if type_name == "date" and isinstance(value, str):
        return {"__type__": "datetime", "value": f"{value}T00:00:00"}
    return value
