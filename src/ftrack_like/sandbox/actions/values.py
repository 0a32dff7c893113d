"""Conversion of values between the wire and the tables, with checks of their types.

Stored forms are those of :mod:`ftrack_like.sandbox.tables.layout`: times are texts in UTC
(``2023-10-10T09:50:34``), dates are texts, objects are JSON texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Optional

from ftrack_like.sandbox.errors import IntegrityError, SandboxError, ValidationError
from ftrack_like.sandbox.schema.model import Scalar
from ftrack_like.sandbox.tables.values import read_moment, wire_converter

__all__ = ["moment", "moment_text", "shown", "to_stored", "to_wire"]

#: Attributes whose values may contain a secret, so that errors do not show them: type and name.
_SECRET = frozenset({("WebhookAction", "headers"), ("WebhookAction", "webhook_url")})

_LARGEST_INTEGER = 2**63


def to_stored(type_name: str, property_: Scalar, value: Any) -> Any:
    """Return the stored form of *value*, a value of *property_* of *type_name*.

    Raise :exc:`ValidationError` with the attribute, the value and the expected type if *value* does
    not fit; for the number of a version, raise :exc:`IntegrityError`.
    """
    if value is None:
        return None
    try:
        stored = _READERS[_kind(property_)](value)
    except (ValueError, TypeError, OverflowError):
        raise _wrong_type(type_name, property_, value) from None
    choices = property_.facets.get("enum")
    if choices is not None and stored not in choices:
        wanted = ", ".join(map(repr, choices))
        raise ValidationError(
            f"Attribute {property_.name!r} of {type_name} cannot be {shown(value)}; "
            f"it is one of {wanted}."
        )
    return stored


def to_wire(property_: Scalar, stored: Any) -> Any:
    """Return the wire form of *stored*, a value of *property_*."""
    convert = wire_converter(property_)
    return stored if convert is None else convert(stored)


def moment(value: Any) -> str:
    """Return the time *value*, a wire mapping or an ISO text, as stored text in UTC.

    A date means its midnight. A time without an offset is in UTC. Fractions of a second are
    dropped. Raise :exc:`ValueError` or :exc:`TypeError` if *value* is not a time.
    """
    if isinstance(value, dict) and value.get("__type__") in {"datetime", "date"}:
        value = value.get("value")
    if not isinstance(value, str):
        raise TypeError("no text")
    return read_moment(value)


def moment_text(value: datetime) -> str:
    """Return the stored text of *value*, a time in UTC."""
    return value.replace(tzinfo=None, microsecond=0).isoformat()


def shown(value: Any) -> str:
    """Return the ``repr`` of *value* for an error message, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


#: Attributes whose values of a wrong type count as an error of integrity, as on a site since 3.5.8.
_INTEGRITY = {("AssetVersion", "version")}


def _wrong_type(type_name: str, property_: Scalar, value: Any) -> SandboxError:
    wanted = _WORDS[_kind(property_)]
    kind = type(value).__name__
    secret = (type_name, property_.name) in _SECRET
    given = kind if secret else f"{shown(value)} ({kind})"
    is_integrity = (type_name, property_.name) in _INTEGRITY
    error: type[SandboxError] = IntegrityError if is_integrity else ValidationError
    return error(f"Attribute {property_.name!r} of {type_name} must be {wanted}, not {given}.")


def _kind(property_: Scalar) -> str:
    """Return the key of *property_* in ``_READERS`` and ``_WORDS``."""
    if property_.format in {"date-time", "date"}:
        return str(property_.format)
    return property_.type or "string"


def _date(value: Any) -> str:
    return moment(value)[:10]


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    value.encode("utf-8")  # half of a surrogate pair raises UnicodeEncodeError, a ValueError
    if "\0" in value:
        raise ValueError("the database keeps no NUL")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no number")
    return float(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise TypeError("no whole number")
    if not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
        raise OverflowError("too large")
    return int(value)


def _boolean(value: Any) -> bool:
    # Some databases store truth values as numbers, so some scripts send 0 and 1.
    if value is True or value is False or (type(value) is int and value in {0, 1}):
        return bool(value)
    raise TypeError("no truth value")


def _object(value: Any) -> str:
    if not isinstance(value, (dict, list)):
        raise TypeError("no mapping")
    return _json(value)


def _json(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    _string(text)
    return text


_READERS: dict[Optional[str], Callable[[Any], Any]] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "object": _object,
    "variable": _json,
    "date-time": moment,
    "date": _date,
}

_WORDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a mapping",
    "variable": "a JSON value",
    "date-time": "a time such as 2023-10-10T09:50:34",
    "date": "a date such as 2023-10-10",
}
