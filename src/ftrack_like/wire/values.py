"""Dates and times on the wire. Client and sandbox encode and decode them here.

Shapes::

    {"__type__": "datetime", "value": "2023-10-10T09:50:34"}    UTC when no offset is given
    {"__type__": "date", "value": "2023-10-10"}
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import arrow

__all__ = ["decode_date", "encode_date", "is_date", "parse_datetime"]

#: The values of the last texts: entities of one page often have the same times. Arrow objects are
#: immutable, so sharing them is safe. Few texts are kept, because parsing one takes a microsecond.
_read: dict[str, arrow.Arrow] = {}
_READ_LIMIT = 4096

#: Returns the arrow object for a date-time without an offset, which is in UTC.
_FromPlain = Callable[[datetime.datetime], "arrow.Arrow"]
_from_plain: Optional[_FromPlain] = None


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
    try:
        plain = datetime.datetime.fromisoformat(text)
    except ValueError:
        plain = None
    if plain is None or plain.tzinfo is not None:
        # lazy: arrow takes 40 ms to import, and many scripts never read a date.
        import arrow

        return arrow.get(text)
    return (_from_plain or _choose_from_plain())(plain)


def _choose_from_plain() -> _FromPlain:
    """Return the fastest way to make an arrow object that the installed arrow allows.

    The constructor of arrow takes three times as long as parsing the text, because it considers all
    kinds of time zones. An arrow object has a single attribute, a date-time with its zone. If the
    installed version is like that, only that attribute is set.
    """
    global _from_plain  # noqa: PLW0603 - chosen once in a process
    # lazy: see above
    import arrow

    kind, combine, create = arrow.Arrow, datetime.datetime.combine, object.__new__
    example = kind(2000, 1, 1)
    zone = example.tzinfo

    def construct(plain: datetime.datetime) -> arrow.Arrow:
        """Return *plain* as an arrow object by way of its constructor."""
        return kind(*plain.timetuple()[:6], plain.microsecond)

    def assemble(plain: datetime.datetime) -> arrow.Arrow:
        """Return *plain* as an arrow object, of which only the attribute is set."""
        moment = create(kind)
        # `combine` takes half the time of `replace(tzinfo=…)`.
        moment._datetime = combine(plain.date(), plain.time(), zone)  # noqa: SLF001 - see above
        return moment

    is_known = getattr(example, "__dict__", None) == {"_datetime": example.datetime}
    _from_plain = assemble if is_known else construct
    return _from_plain


def parse_datetime(text: str) -> datetime.datetime:
    """Parse the ISO text *text* to an aware date-time, without arrow. No offset means UTC.

    Raise :exc:`ValueError` if *text* is neither a date nor a date-time in ISO form.
    """
    cleaned = text.strip()
    if cleaned[-1:] in ("Z", "z"):
        cleaned = cleaned[:-1] + "+00:00"
    value = datetime.datetime.fromisoformat(cleaned)
    return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
