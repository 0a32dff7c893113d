"""Convert values: from the text of an expression to SQL, and from the database to JSON.

:mod:`ftrack_like.sandbox.tables.layout` describes the stored formats.
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

#: The accepted formats of a time. :func:`read_moment` uses the groups.
_MOMENT = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:[Tt ]\s*(\d\d?)(?::(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)?)?"
    r"\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"
)
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})


def kind_of(scalar: Scalar) -> str:
    """Return the kind of *scalar*, which determines how its values compare.

    The kinds are ``text`` (without case), ``key`` (with case), ``number``, ``boolean``,
    ``date-time``, ``date`` and ``json`` (the text of an object). Computed values also have the
    kinds ``flag`` (true or false as 1 or 0) and ``variable``.
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


# Values in expressions


def read_moment(text: str) -> str:
    """Return the time *text* in UTC in whole seconds: ``2023-10-10T09:50:34``.

    A date without a time means its first second. Raise :exc:`ValueError` if *text* is not a time.
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
    """Return *text* as a number. Raise :exc:`ValueError` if it is not a finite number."""
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


#: By kind: a function that reads a written value or raises ValueError, and the expected value in
#: words.
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


# Stored values


def wire_converter(scalar: Scalar) -> Optional[Callable[[Any], Any]]:
    """Return a function that converts a stored value of *scalar* to JSON, or None if not needed."""
    return _CONVERTERS.get(scalar.format or "") or _CONVERTERS.get(scalar.type or "")


def _date_time(value: Any) -> Any:
    return None if value is None else {"__type__": "datetime", "value": value}


def _date(value: Any) -> Any:
    return None if value is None else {"__type__": "date", "value": value}


def read_json(text: str) -> Any:
    """Return the value of the JSON *text* that a client has stored.

    Raise :exc:`ValueError` if the server could not send the value again: if *text* is not JSON,
    nests too deeply, or contains a number that is not finite.
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
