"""Accessors read and write the data of a location."""

from __future__ import annotations

from ftrack_like._base.lazy_modules import modules_on_demand

__getattr__, __dir__ = modules_on_demand(__name__, ("base", "disk", "server"))
