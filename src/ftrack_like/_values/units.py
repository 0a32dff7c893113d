"""Units of values for people, and durations as people write them."""

from __future__ import annotations

import re

__all__ = ["SECONDS", "seconds_in", "seconds_text", "time_text"]

#: The attributes that the server stores in seconds.
SECONDS = frozenset({"bid", "bid_time_logged_difference", "duration", "time_logged"})

_UNITS = {"h": 3600, "m": 60, "min": 60, "s": 1}
#: Compiled on first use, because commands import the module to print a help.
_DURATION = r"(?:\d+(?:\.\d+)?(?:h|min|m|s))+"
_CLOCK = r"(\d+):([0-5]\d)(?::([0-5]\d))?"


def seconds_in(text: str) -> float:
    """Return the seconds in *text*, such as ``1h30m`` or ``1:30``.

    Raise :exc:`ValueError` for another form, and for no time.
    """
    word = text.strip().lower().replace(" ", "")
    clock = re.fullmatch(_CLOCK, word)
    if clock:
        hours, minutes, seconds = (int(each or 0) for each in clock.groups())
        found = float(hours * 3600 + minutes * 60 + seconds)
    elif re.fullmatch(_DURATION, word):
        parts = re.findall(r"(\d+(?:\.\d+)?)(h|min|m|s)", word)
        found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    else:
        found = 0.0
    if not found > 0:
        raise ValueError(
            f"{text!r} is not a duration. Write hours and minutes, such as 1h30m, 45m or 1:30"
        )
    return found


def time_text(seconds: float) -> str:
    """Return *seconds* in hours and minutes, as :func:`seconds_in` reads them."""
    minutes = round(abs(seconds) / 60)
    hours, minutes = divmod(minutes, 60)
    words = [f"{hours}h"] if hours else []
    words += [f"{minutes}m"] if minutes or not words else []
    return ("-" if seconds < 0 else "") + "".join(words)


def seconds_text(seconds: float) -> str:
    """Return *seconds* with their unit, and from a minute on in hours too: ``28800 s (8h)``."""
    text = f"{seconds:.15g} s"
    return f"{text} ({time_text(seconds)})" if abs(seconds) >= 60 else text
