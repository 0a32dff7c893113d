"""Values in tables: durations and sizes with units, and dates that people can read."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ftrack_like._values.units import SECONDS, seconds_text, time_text

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Value

__all__ = ["KEYED", "as_size", "in_cell", "with_units"]

#: Attributes whose members have keys; ``custom`` is the short form of the first.
KEYED = frozenset({"custom_attributes", "metadata", "custom"})
#: Attributes that the server stores in bytes.
_BYTES = frozenset({"size"})


def as_size(count: float) -> str:
    """Return *count* bytes for people."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def with_units(values: Mapping[str, Json]) -> dict[str, Json]:
    """Return *values* with the unit behind durations and sizes: ``28800 s (8h)``."""
    return {path: _with_unit(path.split("."), value) for path, value in values.items()}


def _with_unit(path: Sequence[str], value: Json) -> Json:
    """Return the *value* of the attribute at *path* with its unit, if it has one."""
    if not _is_number(value) or KEYED.intersection(path):
        return value  # The keys of custom attributes and metadata have the units of the site.
    if path[-1] in SECONDS:
        return seconds_text(value)
    if path[-1] in _BYTES:
        return f"{value:.15g} bytes ({as_size(value)})" if value >= 1000 else f"{value:.15g} bytes"
    return value


def in_cell(name: str, value: Value) -> Value:
    """Return the *value* of the attribute *name* as text that fits a column of a table.

    A date is in UTC and has minutes, a duration is as ``log time`` takes it, such as ``1h30m``,
    and a size has its unit. Other values stay as they are.
    """
    if callable(getattr(value, "isoformat", None)) and hasattr(value, "astimezone"):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
    if not _is_number(value):
        return value
    if name in SECONDS:
        return f"{value:.15g}s" if value % 60 else time_text(value)
    return as_size(value) if name in _BYTES else value


def _is_number(value: object) -> bool:
    """Return whether *value* is a number, not a truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
