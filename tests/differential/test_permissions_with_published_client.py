"""A user who is no administrator works with either client alike, and is refused alike."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

if importlib.util.find_spec("ftrack_api") is None:
    pytest.skip("needs ftrack-python-api: tox run -e differential", allow_module_level=True)

#: Starts a session as the user, works in the project that is granted, and tries the other one.
_WORK = """
import importlib, json, sys

module, url, user, key, granted, other = sys.argv[1:]
library = importlib.import_module(module)
session = library.Session(
    url, api_key=key, api_user=user, auto_connect_event_hub=False, schema_cache_path=False
)
told = {"projects": [one["name"] for one in session.query("Project")]}
task = session.query(f'Task where project_id is "{granted}"').one()
told["custom attributes"] = sorted(task["custom_attributes"].keys())
task["status"] = session.query('Status where name is "In progress"').first()
task["metadata"]["tool"] = module
me = session.query(f'User where username is "{user}"').one()
task.create_note("hello", author=me)
asset = session.create(
    "Asset", {"name": module, "parent": task["parent"], "type": session.query("AssetType").first()}
)
version = session.create("AssetVersion", {"asset": asset, "task": task})
session.commit()
me.start_timer(task)
me.stop_timer()
session.commit()
told["work"] = [version["version"], len(task["notes"]), task["status"]["name"]]
told["unseen"] = [
    session.get("Project", other),
    len(session.query(f'Task where project_id is "{other}"').all()),
    len(session.query("TypedContext where project.name is island").all()),
]
tries = {
    "elsewhere": ("Folder", {"name": "f", "parent_id": other, "project_id": other}),
    "planning": ("Shot", {"name": "f", "parent": task["parent"]}),
    "administration": ("Status", {"name": "f"}),
}
for name, (type_name, data) in tries.items():
    try:
        session.create(type_name, data)
        session.commit()
        told[name] = "done"
    except library.exception.ServerError as error:
        told[name] = str(error).splitlines()[0]
        session.rollback()
print(json.dumps(told))
"""


def test_users_of_one_project_with_either_client() -> None:
    """Both start, work where a role is granted, see nothing else, and are told the same."""
    from ftrack_like.testing import Sandbox

    with Sandbox() as sandbox, sandbox.session() as session:
        schema = session.query("ProjectSchema").first()
        projects = []
        for name in ("harbour", "island"):
            projects.append(session.create("Project", {"name": name, "project_schema": schema}))
            shot = session.create("Shot", {"name": "sh010", "parent": projects[-1]})
            session.create("Task", {"name": "comp", "parent": shot})
        told = {
            module: _tell(sandbox, session, module, projects)
            for module in ("ftrack_api", "ftrack_like")
        }
    for one in told.values():
        assert one["projects"] == ["harbour"]
        assert one["unseen"] == [None, 0, 0]
        for name in ("elsewhere", "planning", "administration"):
            assert "PermissionError('" in one[name]
    assert told["ftrack_api"] == told["ftrack_like"]


def _tell(sandbox: Any, session: Any, module: str, projects: list[Any]) -> dict[str, Any]:
    """Return what a new user of the first project finds with *module*, all traces removed."""
    user = session.create("User", {"username": "ada"})
    session.commit()
    role = session.query('SecurityRole where name is "User"').one()
    named = {"user_id": user["id"], "role_id": role["id"]}
    grant = {"action": "grant_user_security_role_project", "project_id": projects[0]["id"]}
    session.call([{"action": "add_user_security_role", **named}, {**grant, **named}])
    key = session.reset_remote("api_key", user)["api_key"]
    ids = [project["id"] for project in projects]
    done = subprocess.run(
        [sys.executable, "-c", _WORK, module, sandbox.server_url, "ada", key, *ids],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for note in session.query("Note"):
        session.delete(note)
    session.delete(user)
    session.commit()
    told: dict[str, Any] = json.loads(done.stdout)
    return told
