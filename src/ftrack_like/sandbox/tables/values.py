"""Values: what an attribute holds, how a written one is bound, how a stored one travels.

Stored forms are those of :mod:`ftrack_like.sandbox.tables.layout`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Optional, Union

from ftrack_like.sandbox.schema.model import Scalar

__all__ = ["READERS", "kind_of", "read_json", "read_moment", "to_number", "wire_converter"]

#: How a moment may be written; the groups are those of :func:`read_moment`.
_MOMENT = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:[Tt ]\s*(\d\d?)(?::(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)?)?"
    r"\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"
)
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})


def kind_of(scalar: Scalar) -> str:
    """Return how values of *scalar* compare.

    One of ``text`` (without case), ``key`` (exactly), ``number``, ``boolean``, ``date-time``,
    ``date`` and ``json`` (the text of a mapping); computations also give ``flag`` (a truth value as
    1 or 0) and ``variable``.
    """
    if scalar.format in ("date-time", "date"):
        return str(scalar.format)
    if scalar.type in ("number", "integer"):
        return "number"
    if scalar.type == "boolean":
        return "boolean"
    if scalar.type in ("object", "variable"):
        return "json"
    if scalar.format == "foreign_key" or scalar.name == "id" or scalar.name.endswith("_id"):
        return "key"
    return "text"


# What was written


def read_moment(text: str) -> str:
    """Return the moment *text* in UTC at whole seconds, ``2023-10-10T09:50:34``.

    A date alone means its first second. Raise :exc:`ValueError` when *text* is no moment.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    *numbers, _zulu, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    moment = datetime(year, month, day, hour, minute, second)
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        try:
            moment += -offset if sign == "+" else offset
        except OverflowError:
            raise ValueError(text) from None
    return moment.isoformat()


def to_number(text: str) -> Union[int, float]:
    """Return the number *text*; raise :exc:`ValueError` when it is none, or not finite."""
    if re.fullmatch(r"\s*[+-]?\d{1,15}\s*", text, re.ASCII):
        return int(text)
    number = float(text)
    if not math.isfinite(number) or "_" in text:
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    folded = text.strip().lower()
    if folded in _TRUE or folded in _FALSE:
        return folded in _TRUE
    raise ValueError(text)


#: Kind: what reads a written value (raising ValueError), and what it expects, in words.
READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "text": (str, "a text"),
    "key": (str, "an id"),
    "number": (to_number, "a number"),
    "boolean": (_boolean, "true or false"),
    "date-time": (read_moment, "a date-time such as 2023-10-10T09:50:34"),
    "date": (lambda text: read_moment(text)[:10], "a date such as 2023-10-10"),
    "flag": (lambda text: int(_boolean(text)), "true or false"),
    "json": (str, "a text"),
}


# What is stored


def wire_converter(scalar: Scalar) -> Optional[Callable[[Any], Any]]:
    """Return what turns a stored value of *scalar* into how it travels, None for nothing."""
    return _CONVERTERS.get(scalar.format or "") or _CONVERTERS.get(scalar.type or "")


def _date_time(value: Any) -> Any:
    return None if value is None else {"__type__": "datetime", "value": value}


def _date(value: Any) -> Any:
    return None if value is None else {"__type__": "date", "value": value}


def read_json(text: str) -> Any:
    """Return the value of the JSON *text*, which a client wrote.

    Raise :exc:`ValueError` for anything that cannot be sent again: text that is not JSON, that
    nests too deeply, and numbers that are not finite.
    """
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except RecursionError:
        raise ValueError("The text nests too deeply.") from None
    return value


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _truth(value: Any) -> Any:
    return None if value is None else bool(value)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "date-time": _date_time,
    "date": _date,
    "object": _json,
    "variable": _json,
    "boolean": _truth,
}
