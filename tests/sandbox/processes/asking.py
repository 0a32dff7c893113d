"""Requests to a sandbox, each on a connection of its own."""

from __future__ import annotations

import os
import uuid
from typing import Any

import requests

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

#: A query that any user may send.
ASK = [{"action": "query", "expression": "select name from Project limit 1"}]


def call(sandbox: Any, *operations: Any, user: str = "", key: str = "") -> requests.Response:
    """Return the answer to *operations* on a connection of its own."""
    headers = {
        "ftrack-user": user or sandbox.api_user,
        "ftrack-api-key": key or sandbox.api_key,
        "ftrack-strict-api": "true",
    }
    return requests.post(
        f"{sandbox.server_url}/api", json=list(operations), headers=headers, timeout=60
    )


def results(answer: requests.Response) -> list[Any]:
    """Return the results in *answer*, which must be a success."""
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def creation(entity_type: str, /, **data: Any) -> dict[str, Any]:
    """Return the operation that creates an entity with *data*."""
    id_ = data.setdefault("id", str(uuid.uuid4()))
    data["__entity_type__"] = entity_type
    return {
        "action": "create",
        "entity_type": entity_type,
        "entity_key": [id_],
        "entity_data": data,
    }


def new_key(user_id: str) -> dict[str, Any]:
    """Return the operation that gives the user another key."""
    return {
        "action": "reset_remote",
        "reset_type": "api_key",
        "entity_type": "User",
        "entity_key": [user_id],
    }


def query(expression: str) -> dict[str, Any]:
    """Return the operation for *expression*."""
    return {"action": "query", "expression": expression}


def refuses(sandbox: Any) -> bool:
    """Return whether no process accepts a connection."""
    try:
        requests.get(sandbox.server_url, timeout=60)
    except requests.ConnectionError:
        return True
    return False
