"""Units of values for people: durations and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrack_like._base.types import Json

__all__ = ["time_text", "with_units"]

#: Attributes that the server stores in seconds, and in bytes.
_SECONDS = frozenset({"bid", "bid_time_logged_difference", "duration", "time_logged"})
_BYTES = frozenset({"size"})


def with_units(values: Mapping[str, Json]) -> dict[str, Json]:
    """Return *values* with the unit behind durations and sizes: ``28800 s (8h)``."""
    return {name: _with_unit(name.rpartition(".")[2], value) for name, value in values.items()}


def _with_unit(name: str, value: Json) -> Json:
    """Return the *value* of the attribute *name* with its unit, if it has one."""
    from ftrack_like.cli._sources import as_size  # lazy: few commands need it

    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if name in _SECONDS:
        return f"{value:.15g} s ({time_text(value)})" if abs(value) >= 60 else f"{value:.15g} s"
    if name in _BYTES:
        return f"{value:.15g} bytes ({as_size(value)})" if value >= 1000 else f"{value:.15g} bytes"
    return value


def time_text(seconds: float) -> str:
    """Return *seconds* in hours and minutes, as ``log time`` reads them."""
    minutes = round(abs(seconds) / 60)
    hours, minutes = divmod(minutes, 60)
    words = [f"{hours}h"] if hours else []
    words += [f"{minutes}m"] if minutes or not words else []
    return ("-" if seconds < 0 else "") + "".join(words)
