"""Fixtures for the tests of facts about real sites: a project with a shot, a task and a version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

#: Makes a user with a role, or with none, and gives the API of the user.
Login = Callable[..., Any]


@dataclass(frozen=True)
class Work:
    """The ids of a project and of the entities below it, and of the administrator."""

    project: str
    shot: str
    task: str
    asset: str
    version: str
    user: str


@pytest.fixture
def work(api: Any) -> Work:
    """Return the ids of a new project with a shot, a task, an asset and a version."""
    schema = api.query("ProjectSchema")[0]["id"]
    project = api.create("Project", name="film", project_schema_id=schema)
    shot = api.create("Shot", name="sh010", parent_id=project)
    task = api.create("Task", name="comp", parent_id=shot)
    asset = api.create("Asset", name="plate", context_id=shot)
    version = api.create("AssetVersion", asset_id=asset, task_id=task)
    return Work(project, shot, task, asset, version, api.query("User")[0]["id"])


@pytest.fixture
def login(sandbox: Any, api: Any) -> Iterator[Login]:
    """Return what makes a user with a role for all open projects, and gives the user's API."""
    opened = []

    def make(username: str, *roles: str) -> Any:
        user_id = api.create("User", username=username, is_active=True)
        for role in roles:
            role_id = api.one(f'select id from SecurityRole where name is "{role}"')["id"]
            api.call({"action": "add_user_security_role", "user_id": user_id, "role_id": role_id})
        reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
        key = api.call({**reset, "entity_key": user_id})[0]["data"]["api_key"]
        other = type(api)(sandbox)
        other.http.headers.update({"ftrack-user": username, "ftrack-api-key": key})
        opened.append(other)
        return other

    yield make
    for one in opened:
        one.http.close()
