"""How the encoding runs operations of the protocol, without knowing the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Optional, Protocol

from sqlalchemy.engine import Connection

__all__ = ["Office", "deletion", "ended_values", "existing_components", "records"]

_COMPONENTS = "select id, version_id, container_id from Component where id in ({})"


class Office(Protocol):
    """Runs operations of the protocol, each time in one transaction.

    All methods raise :exc:`~ftrack_like.sandbox.errors.SandboxError`.
    """

    def execute(
        self,
        operations: Sequence[Mapping[str, Any]],
        user_id: Optional[str] = None,
        before_commit: Optional[Callable[[Connection], None]] = None,
        encoded: Sequence[str] = (),
    ) -> list[Any]:
        """Return the results of *operations*, run for a user, or for the server if None.

        An unknown or inactive user may do nothing. *before_commit* is called at the end of the
        transaction; its error is raised, and no operation is applied then. *encoded* are the ids of
        versions whose media the operations store; events about them are published with the changes.
        """

    def now(self) -> datetime:
        """Return the time to stamp, in UTC without a time zone."""

    def require_component(self, user_id: str, action: str, component_id: str) -> None:
        """Raise an error unless the user may ``read`` or ``update`` the data of a component."""


def ended_values(office: Office, status: str, data: str) -> dict[str, Any]:
    """Return the values of a Job that ends now with *status*; *data* is JSON text."""
    moment = office.now().strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "status": status,
        "data": data,
        "finished_at": {"__type__": "datetime", "value": moment},
    }


def deletion(component: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation that deletes *component*."""
    return {
        "action": "delete",
        "entity_type": component["__entity_type__"],
        "entity_key": [component["id"]],
    }


def records(office: Office, expression: str, user_id: Optional[str] = None) -> list[dict[str, Any]]:
    """Return the records of a query for a user, or for the server if None."""
    result = office.execute([{"action": "query", "expression": expression}], user_id)
    return list(result[0]["data"])


def existing_components(office: Office, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records of the existing components among *ids*."""
    listed = ", ".join(f'"{one}"' for one in ids)
    return records(office, _COMPONENTS.format(listed))
