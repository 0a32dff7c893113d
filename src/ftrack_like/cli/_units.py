"""Units of values in tables: durations and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ftrack_like._values.units import SECONDS, seconds_text

if TYPE_CHECKING:
    from ftrack_like._base.types import Json

__all__ = ["with_units"]

#: Attributes that the server stores in bytes.
_BYTES = frozenset({"size"})


def with_units(values: Mapping[str, Json]) -> dict[str, Json]:
    """Return *values* with the unit behind durations and sizes: ``28800 s (8h)``."""
    return {name: _with_unit(name.rpartition(".")[2], value) for name, value in values.items()}


def _with_unit(name: str, value: Json) -> Json:
    """Return the *value* of the attribute *name* with its unit, if it has one."""
    from ftrack_like.cli._sources import as_size  # lazy: few commands need it

    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if name in SECONDS:
        return seconds_text(value)
    if name in _BYTES:
        return f"{value:.15g} bytes ({as_size(value)})" if value >= 1000 else f"{value:.15g} bytes"
    return value
