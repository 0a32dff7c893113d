"""The page on which a visitor chooses the value of a dynamic enumerator.

The values come from programs: the server asks them by the event ``ftrack.dynamic-enumerator``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.events.web_client import ask
from ftrack_like.sandbox.schema.server_names import server_type
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors
from ftrack_like.sandbox.web.pages import PageError, go_to, page_route, render
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = ["TOPIC", "choice_routes", "choices_of"]

TOPIC = "ftrack.dynamic-enumerator"

#: The types of entities by the part of the address that names their pages.
_TYPES = {"context": "Context", "version": "AssetVersion"}
#: The beginning of the names of checkboxes, which differ because a form has one value a name.
_FIELD = "choice-"


@dataclass(frozen=True)
class Choice:
    """A dynamic enumerator of an entity: the *value* is a list, *several* allows more than one."""

    configuration_id: str
    key: str
    label: str
    several: bool
    value: list[str]


def choice_routes() -> list[BaseRoute]:
    """Return the routes of the page and of its form."""
    path = "/browse/{kind}/{id}/choice/{configuration}"
    return [
        page_route(path, for_visitors(show_choice)),
        page_route(path, for_visitors(set_choice), "POST"),
    ]


def choices_of(reader: PageReader, kind: str, id_: str) -> list[Choice]:
    """Return the dynamic enumerators of the ``context`` or ``version`` with the id *id_*."""
    return _choices(_entity(reader, kind, id_))


def show_choice(visitor: Visitor) -> Response:
    """Return the page with the values that programs offer."""
    kind, id_ = visitor.asked.part("kind"), visitor.asked.part("id")
    entity = _entity(visitor.reader, kind, id_)
    choice = _find(visitor, entity)
    offered = _offered(visitor, entity, choice)
    known = {value for _, value in offered}
    return render(
        "browse_choice.html",
        visitor=visitor,
        theme=None,
        title=choice.label,
        choice=choice,
        offered=offered,
        answered=bool(offered),
        others=[value for value in choice.value if value not in known],
        field=_FIELD,
        back=f"/browse/{kind}/{id_}",
        name=entity["link"][-1]["name"],
    )


def set_choice(visitor: Visitor) -> Response:
    """Save the posted values."""
    kind, id_ = visitor.asked.part("kind"), visitor.asked.part("id")
    choice = _find(visitor, _entity(visitor.reader, kind, id_))
    posted = visitor.asked.form.items()
    values = [value for name, value in posted if name.startswith(_FIELD) and value]
    type_name = f"{_TYPES[kind]}CustomAttributeValue"
    operation = {
        "action": "update",
        "entity_type": type_name,
        "entity_key": [choice.configuration_id, id_],
        "entity_data": {"__entity_type__": type_name, "value": values},
    }
    visitor.asked.execute([operation], visitor.user)
    return go_to(f"/browse/{kind}/{id_}")


def _entity(reader: PageReader, kind: str, id_: str) -> Record:
    type_name = _TYPES.get(kind)
    found = type_name and reader.one(
        "select link, custom_attributes.value, custom_attributes.configuration.key,"
        " custom_attributes.configuration.label, custom_attributes.configuration.config,"
        " custom_attributes.configuration.type.name"
        f" from {type_name} where id is {quoted(id_)}"
    )
    if not found:
        raise PageError(404, f"No such {kind}", f"The {kind} with this address does not exist.")
    return found


def _choices(entity: Record) -> list[Choice]:
    return sorted(
        (
            Choice(
                one["configuration"]["id"],
                one["configuration"]["key"],
                one["configuration"]["label"] or one["configuration"]["key"],
                _allows_several(one["configuration"]["config"]),
                _as_list(one["value"]),
            )
            for one in entity["custom_attributes"]
            if (one["configuration"]["type"] or {}).get("name") == "dynamic enumerator"
        ),
        key=lambda choice: choice.label,
    )


def _find(visitor: Visitor, entity: Record) -> Choice:
    for choice in _choices(entity):
        if choice.configuration_id == visitor.asked.part("configuration"):
            return choice
    text = "The entity has no dynamic enumerator with this address."
    raise PageError(404, "No such attribute", text)


def _offered(visitor: Visitor, entity: Record, choice: Choice) -> list[tuple[str, str]]:
    """Return the names and values in the replies of all programs, each value once."""
    data = {
        "attributeName": choice.key,
        "recordData": {
            "entity": {
                "entityType": server_type(entity["__entity_type__"]),
                "entityId": entity["id"],
            },
            "changes": {},
        },
        "query": "",
        "sorters": [],
        "groupers": [],
        "filters": [],
    }
    user = {"id": visitor.user.id, "username": visitor.user.username}
    replies = ask(visitor.asked.request.app.state.broker, TOPIC, data, user)
    return list({value: (name, value) for name, value in _read(replies)}.values())


def _read(replies: Iterable[Any]) -> Iterable[tuple[str, str]]:
    """Yield the name and the value of each item in *replies*, which may have any shape."""
    for reply in replies:
        for item in reply if isinstance(reply, list) else ():
            if isinstance(item, dict) and isinstance(item.get("value"), str):
                yield str(item.get("name") or item["value"]), item["value"]


def _as_list(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if one not in (None, "")]


def _allows_several(config: Any) -> bool:
    """Return whether the JSON text *config* of an enumerator allows more than one value."""
    try:
        read = json.loads(config or "{}")
    except ValueError:
        return False
    return isinstance(read, dict) and read.get("multiSelect") is True
