"""The time that a client sends to a server in values, such as the end of a timer.

It is the time of the system. A test that freezes the clock of its own server sets the clock for
that server here, so that the values of its clients agree with those of the server.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

__all__ = ["drop_clock", "set_clock", "utc_now"]

#: The clocks of servers, by address.
_CLOCKS: dict[str, Callable[[], datetime]] = {}


def set_clock(server_url: str, now: Callable[[], datetime]) -> None:
    """Use the time that *now* returns, with its time zone, in values for *server_url*."""
    _CLOCKS[server_url] = now


def drop_clock(server_url: str) -> None:
    """Use the time of the system for *server_url*."""
    _CLOCKS.pop(server_url, None)


def utc_now(server_url: str) -> datetime:
    """Return the time in UTC for a value that goes to *server_url*."""
    now = _CLOCKS.get(server_url)
    return datetime.now(timezone.utc) if now is None else now()
