"""Dates and times on the wire. Client and sandbox encode and decode them here.

Shapes::

    {"__type__": "datetime", "value": "2023-10-10T09:50:34"}    UTC when no offset is given
    {"__type__": "date", "value": "2023-10-10"}
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import arrow

__all__ = ["decode_date", "encode_date", "is_date", "parse_datetime"]

#: The parsed values of texts, since the same times come again and again. Arrow objects are
#: immutable, so sharing them is safe.
_read: dict[str, arrow.Arrow] = {}
_READ_LIMIT = 65536


def is_date(value: object) -> bool:
    """Return whether *value* is the wire mapping of a date or a date-time."""
    return isinstance(value, Mapping) and value.get("__type__") in ("datetime", "date")


def encode_date(value: object) -> Optional[dict[str, str]]:
    """Return the wire mapping of a date or date-time *value*, or None for other values.

    Offsets are kept. The server reads a time without an offset as UTC.
    """
    if isinstance(value, datetime.datetime):
        return {"__type__": "datetime", "value": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"__type__": "date", "value": value.isoformat()}
    # Arrow objects have this attribute. Asking for it avoids the import of arrow.
    moment = getattr(value, "datetime", None)
    if isinstance(moment, datetime.datetime):
        return {"__type__": "datetime", "value": moment.isoformat()}
    return None


def decode_date(text: Optional[str]) -> Optional[arrow.Arrow]:
    """Parse the date-time *text* of the wire, in UTC unless it has an offset.

    A date becomes its midnight; None stays None. Raise :exc:`ValueError`, or a subclass from the
    parser, if *text* is neither a date nor a date-time.
    """
    if text is None:
        return None
    moment = _read.get(text)
    if moment is None:
        moment = _parse(text)
        if len(_read) >= _READ_LIMIT:
            _read.clear()
        _read[text] = moment
    return moment


def _parse(text: str) -> arrow.Arrow:
    """Parse *text*; the usual form takes the fast path."""
    # lazy: arrow takes 40 ms to import, and many scripts never read a date.
    import arrow

    try:
        plain = datetime.datetime.fromisoformat(text)
    except ValueError:
        return arrow.get(text)
    if plain.tzinfo is not None:
        return arrow.get(text)
    return arrow.Arrow.fromdatetime(plain)


def parse_datetime(text: str) -> datetime.datetime:
    """Parse the ISO text *text* to an aware date-time, without arrow. No offset means UTC.

    Raise :exc:`ValueError` if *text* is neither a date nor a date-time in ISO form.
    """
    cleaned = text.strip()
    if cleaned[-1:] in ("Z", "z"):
        cleaned = cleaned[:-1] + "+00:00"
    value = datetime.datetime.fromisoformat(cleaned)
    return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
