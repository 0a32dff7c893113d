"""Entities: the base classes of the classes that a session creates from the schemas."""

from __future__ import annotations

from ftrack_like._base.lazy_modules import modules_on_demand

__getattr__, __dir__ = modules_on_demand(
    __name__,
    (
        "asset_version",
        "base",
        "component",
        "factory",
        "job",
        "location",
        "note",
        "project_schema",
        "user",
    ),
)
