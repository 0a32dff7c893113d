"""The types of custom attributes: the values that each takes, and how they are stored.

A value is stored as a text or as a number. Lists are stored as JSON texts. A list with one choice
is stored as the plain choice, so that the database finds it by its index.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ftrack_like.sandbox.actions.values import moment, shown
from ftrack_like.sandbox.errors import ValidationError
from ftrack_like.sandbox.tables.values import read_json, to_number

__all__ = ["to_columns", "to_default", "usual_config"]

#: Settings of a configuration by name.
_Settings = Mapping[str, Any]


class _RefusedError(ValueError):
    """The value has the right type, but is refused; the text says why."""


@dataclass(frozen=True)
class _ValueType:
    """A type of custom attributes.

    *column* stores its values, and *read* makes a stored value from a sent one and the settings.
    *wanted* describes the accepted values. *default* and *config* are those of a configuration
    that does not give its own.
    """

    column: str
    wanted: str
    read: Callable[[Any, _Settings], Any]
    default: Any = None
    config: Mapping[str, Any] = field(default_factory=dict)


def to_columns(type_name: str, config: Optional[str], key: str, value: Any) -> dict[str, Any]:
    """Return the columns ``text`` and ``number`` for *value* of the attribute *key*.

    *config* contains the settings of its configuration. Raise :exc:`ValidationError` if the
    attribute does not take the value.
    """
    columns: dict[str, Any] = {"text": None, "number": None}
    if value is not None:
        columns[_type(type_name).column] = _stored(type_name, config, key, value)
    return columns


def to_default(type_name: str, config: Optional[str], key: str, value: Any) -> Any:
    """Return *value* as the default of the attribute *key*, in its JSON form.

    An empty text is the default that clients send if a program gives none. It means the usual
    default of the type. Raise :exc:`ValidationError` if the attribute does not take the value.
    """
    type_ = _type(type_name)
    if value == "" or (value is None and isinstance(type_.default, list)):
        return type_.default
    if value is None:
        return None
    stored = _stored(type_name, config, key, value)
    return _DEFAULTS.get(type_name, _unchanged)(stored)


def usual_config(type_name: str) -> str:
    """Return the settings of a configuration that gives none, as JSON text."""
    return json.dumps(_type(type_name).config)


def _type(name: str) -> _ValueType:
    return _TYPES.get(name, _TYPES["text"])


def _stored(type_name: str, config: Optional[str], key: str, value: Any) -> Any:
    type_ = _type(type_name)
    try:
        return type_.read(value, _settings(config))
    except _RefusedError as error:
        why = f"does not take {shown(value)} ({type(value).__name__}): {error}"
    except (TypeError, ValueError):
        why = f"takes {type_.wanted}, not {shown(value)} ({type(value).__name__})"
    raise ValidationError(f"The custom attribute {key!r} is of the type {type_name} and {why}.")


def _settings(config: Optional[str]) -> _Settings:
    """Return the settings in the JSON text *config*, none if it is not a JSON object."""
    try:
        settings = read_json(config or "{}")
    except ValueError:
        return {}
    return settings if isinstance(settings, dict) else {}


# Readers


def _text(value: Any, settings: _Settings) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    value.encode("utf-8")  # half of a surrogate pair raises UnicodeEncodeError, a ValueError
    return value


def _number(value: Any, settings: _Settings) -> float:
    if isinstance(value, str):
        return float(to_number(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no number")
    return float(value)


def _boolean(value: Any, settings: _Settings) -> float:
    known = {"1": True, "true": True, "0": False, "false": False}
    if isinstance(value, str):
        value = known.get(value.strip().lower())
    if value is True or value is False or (type(value) is int and value in {0, 1}):
        return float(value)
    raise TypeError("no truth value")


def _date(value: Any, settings: _Settings) -> str:
    return moment(value)


def _one_of_options(value: Any, settings: _Settings) -> str:
    """Return the chosen options of an enumerator, which must be in its settings."""
    chosen = _listed(value)
    options = _options(settings)
    for one in chosen:
        if options is not None and one not in options:
            names = ", ".join(map(repr, options)) or "none"
            raise _RefusedError(f"{one!r} is not one of its options. The options are {names}")
    if len(chosen) > 1 and not settings.get("multiSelect"):
        raise _RefusedError("it takes only one option. Set 'multiSelect' in its 'config' for more")
    return _joined(chosen)


def _any_option(value: Any, settings: _Settings) -> str:
    """Return the chosen options of a dynamic enumerator. An event finds them, so any text fits."""
    return _joined(_listed(value))


def _listed(value: Any) -> list[str]:
    """Return the options in *value*, a text or a list of texts. An empty text is no option."""
    chosen = [_text(one, {}) for one in value] if isinstance(value, list) else [_text(value, {})]
    return [one for one in chosen if one]


def _joined(chosen: list[str]) -> str:
    plain = len(chosen) == 1 and not chosen[0].startswith("[")
    return chosen[0] if plain else json.dumps(chosen)


def _options(settings: _Settings) -> Optional[list[str]]:
    """Return the options in the *settings* of an enumerator, None if they name none."""
    data = settings.get("data")
    try:
        entries = read_json(data) if isinstance(data, str) else data
    except ValueError:
        return None
    if not isinstance(entries, list):
        return None
    return [str(one["value"]) for one in entries if isinstance(one, dict) and "value" in one]


def _addresses(value: Any, settings: _Settings) -> str:
    if not isinstance(value, list):
        raise TypeError("no list")
    return json.dumps([_address(one) for one in value])


def _address(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not value.keys() <= {"url", "name"}:
        raise TypeError("no address")
    url = _text(value.get("url"), {})
    name = value.get("name")
    return {"url": url, "name": url if name is None else _text(name, {})}


# Defaults


def _unchanged(stored: Any) -> Any:
    return stored


def _choices(stored: str) -> list[str]:
    choices: list[str] = read_json(stored) if stored.startswith("[") else [stored]
    return choices


def _whole(stored: float) -> Any:
    return int(stored) if stored.is_integer() else stored


#: By the name of a type: a function that makes the JSON form of a default from a stored value.
_DEFAULTS: Mapping[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "date": lambda stored: f"{stored}.000Z",
    "dynamic enumerator": _choices,
    "enumerator": _choices,
    "number": _whole,
    "url": read_json,
}

_TYPES: Mapping[str, _ValueType] = {
    "boolean": _ValueType("number", "true or false", _boolean, False),
    "date": _ValueType("text", "a time such as 2023-10-10T09:50:34", _date),
    "dynamic enumerator": _ValueType("text", "a text, or a list of texts", _any_option, []),
    "enumerator": _ValueType(
        "text",
        "a text, or a list of texts",
        _one_of_options,
        [],
        {"multiSelect": False, "data": "[]"},
    ),
    "expression": _ValueType("text", "a text", _text, ""),
    "number": _ValueType("number", "a number", _number, 0, {"isdecimal": False}),
    "text": _ValueType("text", "a text", _text, "", {"markdown": False}),
    "url": _ValueType(
        "text", 'a list of addresses such as {"url": "https://…", "name": "…"}', _addresses
    ),
}
