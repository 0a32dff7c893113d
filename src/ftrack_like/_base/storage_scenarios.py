"""The names of storage scenarios, which the settings of a server contain."""

from __future__ import annotations

__all__ = ["CENTRALIZED"]

#: One disk location for a studio. The library knows no other scenario.
CENTRALIZED = "ftrack.centralized-storage"
