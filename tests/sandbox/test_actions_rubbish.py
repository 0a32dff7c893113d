"""Rubbish in operations: always an error in words, never a fault of the server."""

from __future__ import annotations

import itertools
import json
import uuid
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.actions import ACTIONS
from ftrack_like.sandbox.auth import User
from ftrack_like.sandbox.schema import MODEL

VALUES = [
    None,
    5,
    -1,
    1.5,
    1e308,
    10**400,
    True,
    "x",
    "",
    "\ud800",
    "\0",
    "2023-10-10",
    "9999-12-31T23:59:59-12:00",
    [],
    {},
    [None],
    [5],
    ["a"],
    [{}],
    [[]],
    {"a": 1},
    {"__entity_type__": "Task"},
    {"__entity_type__": "Nope", "id": "x"},
    {"__entity_type__": "Task", "id": 5},
    {"__entity_type__": "Task", "id": ["a"]},
    {"__entity_type__": ["Task"], "id": "a"},
    [{"__entity_type__": "Note", "id": {}}],
    {"__type__": "datetime", "value": 5},
    {"__type__": "date", "value": "0001-01-01T00:00:00+12:00"},
]

KEYS = [None, 5, [], [5], ["a"], ["a", "b"], {}, {"id": "x"}, "x", [None], [[]], [{}], ["\ud800"]]
DATA = [{}, None, 5, [], "x", {"id": 5}, {"__entity_type__": 5}, {"nope": 1}]

#: What actions take; each gets each of the values in turn.
PARAMETERS = {
    "component_id": "x",
    "context_ids": [],
    "entity_key": ["x"],
    "entity_type": "User",
    "expression": "User",
    "file_name": "x",
    "file_size": 1,
    "job_type": "x",
    "name": "tasks",
    "new_role_id": "x",
    "object_type_ids": [],
    "parts": [],
    "project_id": "x",
    "reset_type": "api_key",
    "review_session_invitee_id": "x",
    "role_id": "x",
    "terms": [],
    "theme": "x",
    "upload_id": "x",
    "user_id": "x",
    "values": [],
    "version_id": "x",
}


@pytest.fixture
def survive(sandbox: Any, caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that runs an operation and checks that the server is not at fault."""
    service = sandbox._service
    me = User(
        json.loads(_run(service, None, [{"action": "query", "expression": "User"}]))[0]["data"][0][
            "id"
        ],
        "admin",
    )

    def check(operation: Any) -> None:
        answer = json.loads(_run(service, me, [operation]))
        fault = isinstance(answer, dict) and answer["exception"] == "InternalServerError"
        assert not fault, f"{operation}\n{caplog.text}"

    return check


def _run(service: Any, user: Any, operations: list[Any]) -> bytes:
    body = json.dumps(operations).encode()
    return service.answer(body, user or User("nobody", "nobody"), "http://here").body


@pytest.mark.parametrize("name", ["Task", "Project", "AssetVersion", "Note", "Metadata", "User"])
def test_any_value_of_any_property_is_answered(survive: Any, name: str) -> None:
    """Whatever a create says of whichever property, it is done or refused."""
    type_ = MODEL.types[name]
    for attribute, value in itertools.product(type_.properties, VALUES):
        survive(
            {
                "action": "create",
                "entity_type": name,
                "entity_key": [str(uuid.uuid4()) for _ in type_.primary_key],
                "entity_data": {attribute: value},
            }
        )


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_any_key_and_data_are_answered(survive: Any, action: str) -> None:
    """Keys and data in any form are understood or refused, for types with any kind of key."""
    names = ("Task", "Metadata", "Setting", "ContextCustomAttributeValue", "Event", "Context")
    for name, key, data in itertools.product(names, KEYS, DATA):
        survive({"action": action, "entity_type": name, "entity_key": key, "entity_data": data})


@pytest.mark.parametrize("action", [*sorted(ACTIONS), "encode_media", "get_upload_metadata"])
def test_any_parameter_of_any_action_is_answered(survive: Any, action: str) -> None:
    """Whatever an action gets for whichever parameter, or lacks, it is done or refused."""
    survive({"action": action})
    for name, value in itertools.product(PARAMETERS, VALUES):
        survive({"action": action, **PARAMETERS, name: value})
