"""Dates and times as they travel; what one end encodes here, the other end decodes here.

Shapes::

    {"__type__": "datetime", "value": "2023-10-10T09:50:34"}    UTC when no offset is given
    {"__type__": "date", "value": "2023-10-10"}
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import arrow

__all__ = ["decode_date", "encode_date", "is_date", "parse_datetime"]

#: What texts were read as, since the same moments come again and again. Arrow objects never
#: change, so sharing them is safe.
_read: dict[str, arrow.Arrow] = {}
_READ_LIMIT = 65536


def is_date(value: Any) -> bool:
    """Return whether *value* is the wire mapping of a date or a date-time."""
    return isinstance(value, Mapping) and value.get("__type__") in ("datetime", "date")


def encode_date(value: Any) -> Optional[dict[str, str]]:
    """Return the wire mapping of a date or date-time *value*, None when it is neither.

    Offsets are kept; without one the server reads the time as UTC.
    """
    if isinstance(value, datetime.datetime):
        return {"__type__": "datetime", "value": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"__type__": "date", "value": value.isoformat()}
    # An Arrow is known by this attribute: arrow need not be imported to ask.
    moment = getattr(value, "datetime", None)
    if isinstance(moment, datetime.datetime):
        return {"__type__": "datetime", "value": moment.isoformat()}
    return None


def decode_date(text: Optional[str]) -> Optional[arrow.Arrow]:
    """Return the moment that the wire's *text* says, in UTC unless it carries an offset.

    A date alone is its midnight; None stays None. Raise :exc:`ValueError` (or the parser's own
    subclass of it) when *text* says no moment.
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
    """Return *text* as a moment, the quick way where its form is the usual one."""
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
    """Return the aware date-time that *text* says, without arrow; UTC without an offset.

    Raise :exc:`ValueError` when *text* is neither a date nor a date-time in ISO form.
    """
    cleaned = text.strip()
    if cleaned[-1:] in ("Z", "z"):
        cleaned = cleaned[:-1] + "+00:00"
    value = datetime.datetime.fromisoformat(cleaned)
    return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
