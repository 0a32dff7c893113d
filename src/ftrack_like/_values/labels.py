"""Short texts about entities, made of loaded values only.

The functions also accept records as the server sends them, and half-built entities: debuggers and
error messages print any object. They never query the server and never raise an error.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

__all__ = [
    "entity_text",
    "is_entity",
    "known_values",
    "name_of",
    "path_of",
    "short_text",
    "short_value",
]

#: The attributes that name an entity, the best first.
_NAMES = ("name", "label", "username", "key", "title", "content", "topic", "file_name")
#: The same for types where another attribute is better.
_NAMES_OF_TYPES = {"User": ("username", "email"), "Collaborator": ("username", "email")}

#: The most characters of a name, a path and another value.
_NAME_LENGTH, _PATH_LENGTH, _VALUE_LENGTH = 60, 120, 100

#: Keys that need no quotes.
_PLAIN_KEY = r"[\w-]{1,80}\Z"


def is_entity(value: object) -> bool:
    """Return whether *value* is an entity, also a half-built one."""
    return isinstance(getattr(type(value), "entity_type", None), str)


def known_values(entity: object) -> Mapping[str, Any]:
    """Return the loaded values of *entity* or of a record, local ones first; never load any."""
    if isinstance(entity, dict):
        return entity
    try:
        remote = getattr(entity, "remote_values", None) or {}
        local = getattr(entity, "local_values", None)
        return {**remote, **local} if local else remote
    except Exception:  # For example a property of a program's own class.
        return {}


def entity_text(type_name: str, values: Mapping[str, Any], key: Iterable[str], state: str) -> str:
    """Return ``<Task 'lighting' show/sq010/sh020/lighting id=…>`` for an entity of *type_name*.

    *values* are its loaded values, *key* the names of its primary key. *state* follows at the end,
    unless it is empty.
    """
    parts = [type_name]
    name, path = name_of(type_name, values), path_of(values)
    if name:
        parts.append(repr(name))
    if path:
        parts.append(path)
    for each in key:
        value = values.get(each)
        if isinstance(value, (str, int)):
            text = str(value)
            shown = text if re.match(_PLAIN_KEY, text) else repr(_cut(text, _VALUE_LENGTH))
            parts.append(f"{each}={shown}")
    return f"<{' '.join(parts)}{f', {state}' if state else ''}>"


def name_of(type_name: str, values: Mapping[str, Any]) -> str:
    """Return the name in *values* of an entity of *type_name*, "" if none is loaded."""
    for each in (*_NAMES_OF_TYPES.get(type_name, ()), *_NAMES):
        value = values.get(each)
        if isinstance(value, str) and value:
            return _cut(value, _NAME_LENGTH)
    if type_name == "AssetVersion":
        return _version_name(values)
    return ""


def _version_name(values: Mapping[str, Any]) -> str:
    """Return the name of an asset version, such as ``plate v3``."""
    number = values.get("version")
    if not isinstance(number, int):
        return ""
    asset = known_values(values.get("asset")).get("name")
    known = f"{asset} " if isinstance(asset, str) and asset else ""
    return _cut(f"{known}v{number}", _NAME_LENGTH)


def path_of(values: Mapping[str, Any]) -> str:
    """Return the path from the project in *values*, such as ``show/sq010``; "" if not loaded."""
    link = values.get("link")
    if not isinstance(link, list):
        return ""
    names = [each.get("name") for each in link if isinstance(each, Mapping)]
    path = "/".join([str(name) for name in names if isinstance(name, str)])
    shown = "".join([c if c.isprintable() else "\ufffd" for c in path[-_PATH_LENGTH:]])
    return f"…{shown}" if len(path) > _PATH_LENGTH else shown


def short_text(value: object) -> str:
    """Return a short text for the *value* of an attribute; never query the server."""
    try:
        return _cut(_value_text(value), _VALUE_LENGTH)
    except Exception:  # A broken class of a program.
        return f"<{type(value).__name__}>"


def short_value(value: object) -> object:
    """Return *value* for a representation: a plain value itself, another one as a short text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, list) and all(isinstance(each, (str, int, float)) for each in value):
        return [_cut(each, _NAME_LENGTH) if isinstance(each, str) else each for each in value[:10]]
    return short_text(value)


def _value_text(value: object) -> str:
    if isinstance(value, str):
        return value[: _VALUE_LENGTH + 1]
    type_name = _entity_type_of(value)
    if type_name is not None:
        values = known_values(value)
        return name_of(type_name, values) or f"{type_name} {values.get('id', '')}".strip()
    if isinstance(value, datetime.date) or hasattr(value, "isoformat"):
        return str(value)
    if isinstance(value, dict) and "__type__" in value:
        return str(value.get("value"))
    members = getattr(value, "collection", value)
    if isinstance(value, list) and value and all(_is_link_item(each) for each in value):
        return path_of({"link": value})
    count = _member_count(members)
    if count is not None and (count == 0 or _entity_type_of(members[0]) is not None):  # type: ignore[index]
        return _members_text(members if isinstance(members, list) else members.members)  # type: ignore[attr-defined]
    return repr(value)


def _is_link_item(value: object) -> bool:
    """Return whether *value* is an item of a ``link``: the type, the id and the name of a place."""
    return isinstance(value, Mapping) and value.keys() == {"type", "id", "name"}


def _members_text(members: list[Any]) -> str:
    """Return the loaded names of *members*, or their number if no name is loaded."""
    count = len(members)
    named = [name_of(_entity_type_of(each) or "", known_values(each)) for each in members]
    names = [name for name in named if name]
    if not names:
        return f"{count} item{'' if count == 1 else 's'}"
    hidden = count - len(names[:5])
    return ", ".join([*names[:5], f"… {hidden} more"] if hidden else names)


def _entity_type_of(value: object) -> Optional[str]:
    """Return the type of *value* if it is an entity or a record of one."""
    if isinstance(value, dict):
        found = value.get("__entity_type__")
    else:
        found = getattr(value, "entity_type", None) if is_entity(value) else None
    return found if isinstance(found, str) else None


def _member_count(value: object) -> Optional[int]:
    """Return the number of members of *value*, a list or a collection; None for other values."""
    if isinstance(value, list):
        return len(value)
    found = getattr(value, "members", None)
    return len(found) if isinstance(found, list) else None


def _cut(text: str, length: int) -> str:
    """Return *text* with at most *length* characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
