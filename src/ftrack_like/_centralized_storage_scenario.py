"""The centralised storage scenario: one disk location for a studio, set up on the server."""

from __future__ import annotations

from typing import Any

__all__ = ["register", "register_configuration", "scenario_name"]

#: The name of the scenario in the server's settings and in events.
scenario_name = "ftrack.centralized-storage"


def register(session: Any) -> None:
    """Activate the scenario in *session* if the server is configured for it."""


def register_configuration(session: Any) -> None:
    """Let users of *session* configure the scenario."""
