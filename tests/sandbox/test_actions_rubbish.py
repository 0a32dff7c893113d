"""Rubbish in operations: always an error in words, never a fault of the server."""

from __future__ import annotations

import itertools
import json
import os
import random
import uuid
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.actions import ACTIONS
from ftrack_like.sandbox.auth import RequestCredentials, RequestUser
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
    service = sandbox._api
    me = RequestUser(
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
    return service.answer(body, user or RequestUser("nobody", "nobody"), "http://here").body


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


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_any_parameter_of_any_action_is_answered(survive: Any, action: str) -> None:
    """An action that gets any value for any parameter, or lacks one, succeeds or is refused."""
    _try_parameters(survive, action)


def test_any_parameter_of_file_and_mail_actions_is_answered(survive: Any, sandbox: Any) -> None:
    """The actions that need more than the database succeed or are refused likewise."""
    others = sandbox._api.actions.keys() - ACTIONS.keys()
    assert others >= {"encode_media", "get_upload_metadata", "get_widget_url", "send_user_invite"}
    for action in sorted(others):
        _try_parameters(survive, action)


def _try_parameters(survive: Any, action: str) -> None:
    survive({"action": action})
    for name, value in itertools.product(PARAMETERS, VALUES):
        survive({"action": action, **PARAMETERS, name: value})


# Generated operations

#: How many operations are generated on each database; the nightly run takes 30,000.
OPERATIONS = int(os.environ.get("FTRACK_LIKE_TEST_RUBBISH_OPERATIONS", "600"))
POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

LONG = 50_001
TEXTS = [
    *("x", "", "\ud800", "\0", "é" * LONG, "%" * LONG, "_%" * LONG, "x" * LONG, "\U0001f600"),
    *("2023-10-10", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2023-13-45"),
    *("1e400", "NaN", "-0", "99999999999999999999999", "0x10", "1_000", "\u0661\u0662", "-1"),
    *("'", '"', "\\", '\\\\"', "%s", "${x}", "{uid}", "none", "null", "true", "now", "\r\n"),
    *("'; drop table context; --", "\u2028", "../../etc/passwd", "file:///etc/passwd"),
]
NUMBERS = [0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1.5, -0.0, 1e308]
OPERATORS = [
    *("is", "=", "!=", "is_not", ">", "<", ">=", "<=", "like", "not_like", "after", "before"),
    *("greater_than", "less_than", "in", "not_in", "has", "any"),
]
SEEDED = [
    *("Task", "Project", "Shot", "User", "FileComponent", "AssetVersion", "Asset", "Note"),
    *("Status", "Type", "ReviewSession", "SecurityRole", "CustomAttributeConfiguration"),
    *("Location", "AssetVersionList", "Group", "ObjectType", "ProjectSchema", "Job"),
]


class Rubbish:
    """Makes operations that look right for a while, with ids that are there, from a *seed*."""

    def __init__(self, seed: int, ids: list[str], actions: list[str]) -> None:
        self._random = random.Random(seed)
        self._ids = ["x", "", *ids]
        self._actions = actions
        self._types = list(MODEL.types)

    def operation(self) -> Any:
        """Return the next operation."""
        chance, type_name = self._random.random(), self._pick(self._types)
        if chance < 0.01:
            return self._value()
        if chance < 0.35:
            return {"action": "query", "expression": self.expression()}
        if chance < 0.65:
            return {
                "action": self._pick(["create", "update", "update", "delete"]),
                "entity_type": type_name if self._often() else self._value(),
                "entity_key": self._key(type_name),
                "entity_data": self._data(type_name),
            }
        if chance < 0.7:
            narrowing = {name: self._value() for name in ("terms", "context_ids")}
            return {
                "action": "search",
                "expression": self.expression(),
                "entity_type": type_name,
                **narrowing,
            }
        return {"action": self._pick(self._actions), **self._parameters()}

    def expression(self) -> str:
        """Return the text of a query."""
        type_name = self._pick(self._types)
        text = type_name
        if self._random.random() < 0.6:
            paths = [self._path(type_name) for _ in range(self._random.randrange(1, 4))]
            if self._random.random() < 0.1:
                function = self._pick(["count", "sum", "avg", "min", "max"])
                paths = [f"{function}({paths[0]})"]
            text = f"select {', '.join(paths)} from {type_name}"
        if self._random.random() < 0.85:
            text += f" where {self._criterion(type_name)}"
        if self._random.random() < 0.1:
            text += f" group by {self._path(type_name)}"
        if self._random.random() < 0.3:
            text += f" order by {self._path(type_name)}{self._pick(['', ' desc', ' asc'])}"
        for word in ("limit", "offset"):
            if self._random.random() < 0.3:
                text += f" {word} {self._pick([*NUMBERS, 'x', ''])}"
        if self._random.random() < 0.1:
            place = self._random.randrange(len(text) + 1)
            noise = self._pick([*TEXTS[:4], *"()[],."])
            text = text[:place] + noise + text[place:]
        return text

    def _pick(self, among: Any) -> Any:
        return self._random.choice(among)

    def _often(self) -> bool:
        return self._random.random() < 0.96

    def _scalar(self) -> Any:
        kinds = [[None, True, False], NUMBERS, TEXTS, TEXTS, self._ids, self._ids]
        return self._pick(self._pick(kinds))

    def _value(self, depth: int = 0) -> Any:
        chance = self._random.random()
        if depth > 3 or chance < 0.55:
            return self._scalar()
        if chance < 0.68:
            return [self._value(depth + 1) for _ in range(self._random.randrange(4))]
        if chance < 0.78:
            return {"__entity_type__": self._pick(self._types), "id": self._value(3)}
        if chance < 0.86:
            kind = self._pick(["datetime", "date", "x", 5, None])
            return {"__type__": kind, "value": self._value(3)}
        if chance < 0.93:
            names = self._random.sample(["id", "name", "", "\0", "value"], 2)
            return {name: self._value(depth + 1) for name in names}
        references = range(self._random.randrange(3))
        return [
            {"__entity_type__": self._pick(self._types), "id": self._scalar()} for _ in references
        ]

    def _attribute(self, type_name: str) -> str:
        return self._pick(list(MODEL.types[type_name].properties) if self._often() else TEXTS)

    def _key(self, type_name: str) -> Any:
        chance, parts = self._random.random(), range(len(MODEL.types[type_name].primary_key))
        if chance < 0.6:
            return [self._pick(self._ids) for _ in parts]
        return [self._value(2) for _ in parts] if chance < 0.8 else self._value()

    def _data(self, type_name: str) -> Any:
        if not self._often():
            return self._value()
        data = {"__entity_type__": type_name} if self._random.random() < 0.7 else {}
        for _ in range(self._random.randrange(6)):
            data[self._attribute(type_name)] = self._value()
        return data

    def _parameters(self) -> dict[str, Any]:
        found = {**PARAMETERS, "formats": [], "checksum": "x", "keep_original": True}
        for name in list(found):
            chance = self._random.random()
            if chance < 0.07:
                del found[name]
            elif chance < 0.3:
                found[name] = self._value()
            elif name.endswith("_id"):
                found[name] = self._pick(self._ids)
        return found

    def _literal(self) -> str:
        text, chance = self._pick(TEXTS), self._random.random()
        if chance < 0.5:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        if chance < 0.6:
            return f'"{text}"'
        return str(self._pick([*NUMBERS, "none", "true", "false", "now", *self._ids]))

    def _path(self, type_name: str, depth: int = 0) -> str:
        name = self._attribute(type_name)
        target = getattr(MODEL.types[type_name].properties.get(name), "target", None)
        if target not in MODEL.types or depth > 5 or self._random.random() < 0.3:
            return name
        cast = f"[{self._pick(self._types)}]" if self._random.random() < 0.1 else ""
        return f"{name}{cast}.{self._path(target, depth + 1)}"

    def _criterion(self, type_name: str, depth: int = 0) -> str:
        chance = self._random.random() + depth / 10
        if chance < 0.25:
            two = [self._criterion(type_name, depth + 1) for _ in range(2)]
            return f"({self._pick([' and ', ' or ']).join(two)})"
        if chance < 0.3:
            return f"not {self._criterion(type_name, depth + 1)}"
        if chance < 0.4:
            name = self._attribute(type_name)
            target = getattr(MODEL.types[type_name].properties.get(name), "target", "Task")
            inner = self._criterion(target, depth + 1) if target in MODEL.types else ""
            return f"{name} {self._pick(['has', 'any'])} ({inner if self._often() else ''})"
        if chance < 0.45:
            other = self._pick(self._types)
            inner = (
                f"select {self._path(other)} from {other} where {self._criterion(other, depth + 1)}"
            )
            return f"{self._path(type_name)} in ({inner})"
        if chance < 0.6:
            texts = ", ".join(self._literal() for _ in range(self._random.randrange(4)))
            return f"{self._path(type_name)} {self._pick(['in', 'not_in'])} ({texts})"
        return f"{self._path(type_name)} {self._pick(OPERATORS)} {self._literal()}"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(None, id="sqlite"),
        pytest.param(
            POSTGRESQL,
            id="postgresql",
            marks=pytest.mark.skipif(not POSTGRESQL, reason="no PostgreSQL server is named"),
        ),
    ],
)
def test_generated_operations_are_answered(
    sandbox_on: Any, url: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever administrators and users send, it is done or refused in words."""
    with sandbox_on(url) as running:
        service = running._api
        administrator = service.authenticate(RequestCredentials(running.api_user, running.api_key))
        user_id, artist, ids = str(uuid.uuid4()), "artist", [administrator.id]
        (role,) = _records(service, administrator, 'SecurityRole where name is "User"')
        data = {"id": user_id, "username": artist, "is_active": True}
        make = {"action": "create", "entity_type": "User", "entity_key": [user_id]}
        grant = {"action": "add_user_security_role", "user_id": user_id, "role_id": role["id"]}
        _run(service, administrator, [{**make, "entity_data": data}, grant])
        for name in SEEDED:
            found = _records(service, administrator, f"select id from {name} limit 3")
            ids += [one["id"] for one in found]
        rubbish = Rubbish(OPERATIONS, ids, sorted(service.actions))
        for number in range(OPERATIONS):
            operation = rubbish.operation()
            caplog.clear()
            user = administrator if number % 2 else RequestUser(user_id, artist)
            answer = json.loads(_run(service, user, [operation]))
            fault = isinstance(answer, dict) and answer["exception"] == "InternalServerError"
            assert not fault, f"operation {number}: {operation!r}\n{caplog.text}"


def _records(service: Any, user: RequestUser, expression: str) -> list[dict[str, Any]]:
    answer = json.loads(_run(service, user, [{"action": "query", "expression": expression}]))
    return list(answer[0]["data"])
