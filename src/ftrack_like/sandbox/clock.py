"""The clock of a server: the time that it stamps on rows, jobs, events and mails.

A test can freeze it. Time limits, retries and the order of background work never use this clock, so
that a server with a frozen clock still works.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Optional, Union

__all__ = ["Clock", "utc_now"]


def utc_now() -> datetime:
    """Return the time of the system in UTC, without a time zone."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Clock:
    """The time of one server. Any thread may read or freeze it."""

    def __init__(self) -> None:
        """Begin with the time of the system."""
        self._frozen: Optional[datetime] = None

    @property
    def is_frozen(self) -> bool:
        """Return whether the clock is stopped."""
        return self._frozen is not None

    def now(self) -> datetime:
        """Return the time in UTC, without a time zone."""
        return self._frozen or utc_now()

    def freeze(self, moment: Union[str, date]) -> None:
        """Stop the clock at *moment*, an ISO 8601 text, a time or a date.

        Without a time zone it is UTC. A date is its midnight.

        Raise :exc:`ValueError` for any other text, and :exc:`TypeError` for any other value.
        """
        self._frozen = _read(moment)

    def advance(self, step: Union[float, timedelta], more: timedelta = timedelta()) -> None:
        """Move a frozen clock by *step*, a number of seconds or a time span, and by *more*.

        Raise :exc:`RuntimeError` if the clock is not frozen, and :exc:`TypeError` or
        :exc:`ValueError` if *step* is no such step, or leads beyond the years 1 to 9999.
        """
        if self._frozen is None:
            raise RuntimeError("The clock of the sandbox is not frozen. Call freeze() first.")
        if isinstance(step, timedelta):
            span = step
        elif isinstance(step, (int, float)) and not isinstance(step, bool):
            span = _as_span(step)
        else:
            raise TypeError(
                f"A clock advances by a number of seconds or a timedelta, not {step!r} "
                f"({type(step).__name__})."
            )
        try:
            span += more
            self._frozen += span
        except OverflowError:
            raise ValueError(
                f"A clock cannot advance from {self._frozen} by {span}: years are 1 to 9999."
            ) from None

    def resume(self) -> None:
        """Continue with the time of the system."""
        self._frozen = None


def _as_span(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise ValueError(f"A clock cannot advance by {seconds!r} seconds.") from None


def _read(moment: Union[str, date]) -> datetime:
    """Return *moment* in UTC, without a time zone."""
    if isinstance(moment, str):
        # Before Python 3.11, fromisoformat() does not know the letter for UTC.
        text = f"{moment[:-1]}+00:00" if moment[-1:] in {"Z", "z"} else moment
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{moment!r} is not a time. Give it like '2026-01-01' or '2026-01-01T09:30:00Z'."
            ) from None
    elif isinstance(moment, datetime):
        found = moment
    elif isinstance(moment, date):
        found = datetime(moment.year, moment.month, moment.day)
    else:
        raise TypeError(
            f"A time is a text like '2026-01-01', a datetime or a date, not {moment!r} "
            f"({type(moment).__name__})."
        )
    if found.tzinfo is not None:
        found = found.astimezone(timezone.utc)
    return found.replace(tzinfo=None)
