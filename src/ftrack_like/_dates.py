"""Read dates and date-times from the wire lazily and quickly, and write them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import arrow

__all__ = ["decode_date", "encode_date"]

#: What texts were read as, since the same moments come again and again. Arrow objects never
#: change, so sharing them is safe.
_read: dict[str, arrow.Arrow] = {}
_READ_LIMIT = 20000


def decode_date(text: Optional[str]) -> Optional[arrow.Arrow]:
    """Return the moment that the wire's *text* says, in UTC unless it carries an offset.

    A date alone is its midnight. None stays None.
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
    import arrow  # lazy: it is slow to import, and many scripts never read a date

    try:
        return arrow.Arrow.fromdatetime(datetime.datetime.fromisoformat(text))
    except ValueError:
        return arrow.get(text)


def encode_date(value: Any) -> Optional[dict[str, str]]:
    """Return the wire mapping of a date-time or date *value*; None if it is neither.

    Date-times without a zone are taken as they are, which servers read as UTC.
    """
    if isinstance(value, datetime.datetime):
        return {"__type__": "datetime", "value": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"__type__": "date", "value": value.isoformat()}
    moment = getattr(value, "datetime", None)
    if isinstance(moment, datetime.datetime):  # An Arrow, without importing arrow to ask.
        return {"__type__": "datetime", "value": moment.isoformat()}
    return None
