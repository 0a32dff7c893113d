"""The activity: each commit writes Event and Feed rows, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

import pytest

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")
ROWS = (
    "select id, action, insert, data, created_at, parent_id, parent_type, project_id, user_id, "
    "feeds.cluster_id, feeds.owner_id from Event order by id"
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(None, id="sqlite"),
        *([pytest.param(POSTGRESQL, id="postgresql")] if POSTGRESQL else []),
    ],
)
def running_sandbox(request: Any, sandbox_on: Any) -> Any:
    """Return a sandbox on each database."""
    with sandbox_on(request.param) as running:
        yield running


def make_project(api: Any, **values: Any) -> str:
    """Create a project and return its id."""
    schema = api.query("select id from ProjectSchema")[0]["id"]
    return str(api.create("Project", name=uuid.uuid4().hex, project_schema_id=schema, **values))


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of a project."""
    return make_project(api)


@pytest.fixture
def fresh(api: Any, project: str) -> Any:
    """Return a function that gives the rows since it was called last."""

    def read() -> list[dict[str, Any]]:
        found = [row for row in api.query(ROWS) if row["id"] > last[0]]
        last[0] = max([last[0], *(row["id"] for row in found)])
        return found

    last = [0]
    read()
    return read


def test_a_change_is_recorded(api: Any, project: str, fresh: Any) -> None:
    """A change of a task is a row with action, data, user, time, project and parent."""
    task = api.create("Task", name="t", parent_id=project)
    fresh()
    api.update("Task", task, description="d")
    (row,) = fresh()
    user = api.one('select id from User where username is "admin"')["id"]
    assert (row["action"], row["insert"]) == ("update.task", "update")
    assert (row["parent_id"], row["parent_type"]) == (task, "task")
    assert (row["project_id"], row["user_id"]) == (project, user)
    assert row["created_at"]["__type__"] == "datetime"
    data = json.loads(row["data"])
    assert (data["entity_type"], data["keys"]) == ("Task", ["description"])
    assert data["changes"] == {"description": {"old": None, "new": "d"}}


def test_every_kind_of_change_is_recorded(api: Any, project: str, fresh: Any) -> None:
    """New, moved and removed contexts, versions and notes each have their own action."""
    folder, shot, version, asset = (str(uuid.uuid4()) for _ in range(4))
    kind = api.query("select id from AssetType")[0]["id"]
    user = api.one('select id from User where username is "admin"')["id"]
    api.call(
        api.make("Folder", id=folder, name="f", parent_id=project),
        api.make("Shot", id=shot, name="s", parent_id=project),
        api.make("Asset", id=asset, name="a", context_id=shot, type_id=kind),
        api.make("AssetVersion", id=version, asset_id=asset),
        api.make("Note", content="n", parent_id=shot, parent_type="task", user_id=user),
    )
    made = fresh()
    api.update("Shot", shot, parent_id=folder)
    moved = fresh()
    api.delete("Shot", shot)
    removed = fresh()

    assert [row["action"] for row in made] == [
        "add.task",
        "add.task",
        "add.asset",
        "add.assetversion",
        "add.note",
    ]
    assert [row["parent_type"] for row in made[2:]] == ["asset", "asset_version", "note"]
    assert [row["action"] for row in moved] == ["move.task"]
    assert sorted(row["action"] for row in removed) == [
        "remove.asset",
        "remove.assetversion",
        "remove.note",
        "remove.task",
    ]


def test_a_commit_is_one_group(api: Any, project: str, fresh: Any) -> None:
    """All rows of a commit share a cluster_id, and no other commit has it."""
    operations = [api.make("Task", name=str(n), parent_id=project) for n in range(3)]
    api.call(*operations)
    groups = {row["feeds"][0]["cluster_id"] for row in fresh()}
    assert len(groups) == 1
    found = api.query(f"select event.parent_id from Feed where cluster_id is {groups.pop()}")
    assert {one["event"]["parent_id"] for one in found} == {
        one["entity_key"][0] for one in operations
    }
    api.create("Task", name="other", parent_id=project)
    assert len(fresh()) == 1


def test_owner_of_a_feed_is_the_entity(api: Any, project: str, fresh: Any) -> None:
    """The Feed of a row leads to the entity that changed."""
    task = api.create("Task", name="t", parent_id=project)
    (row,) = fresh()
    assert [one["owner_id"] for one in row["feeds"]] == [task]


@pytest.mark.parametrize(("header", "rows"), [("true", 0), ("TRUE", 0), ("false", 1)])
def test_bulk_leaves_changes_out(
    api: Any, project: str, fresh: Any, header: str, rows: int
) -> None:
    """The header ftrack-bulk keeps a commit out of the activity, and the commit happens."""
    api.http.headers["ftrack-bulk"] = header
    task = api.create("Task", name="t", parent_id=project)
    assert api.one(f"Task where id is {task}")["name"] == "t"
    assert len(fresh()) == rows


def test_failed_batch_is_not_recorded(api: Any, project: str, fresh: Any) -> None:
    """What was not applied is not recorded."""
    with pytest.raises(api.Error):
        api.call(
            api.make("Task", name="t", parent_id=project), api.make("Task", name="t", nonsense=1)
        )
    assert fresh() == []


@pytest.mark.parametrize("undone", ["same value", "there and back", "made and removed"])
def test_nothing_changed_is_not_recorded(api: Any, project: str, fresh: Any, undone: str) -> None:
    """A batch that leaves everything as it was is not recorded."""
    task = api.create("Task", name="t", parent_id=project)
    fresh()
    other = api.make("Task", name="other", parent_id=project)
    api.call(
        *{
            "same value": [api.change("Task", task, name="t")],
            "there and back": [
                api.change("Task", task, name="u"),
                api.change("Task", task, name="t"),
            ],
            "made and removed": [other, api.remove("Task", *other["entity_key"])],
        }[undone]
    )
    assert fresh() == []


def test_values_of_custom_attributes_are_not_recorded(api: Any, project: str, fresh: Any) -> None:
    """A custom attribute, which may be restricted to roles, is recorded by its key alone."""
    kind = api.one('select id from CustomAttributeType where name is "text"')["id"]
    configuration = api.create(
        "CustomAttributeConfiguration",
        key="secret",
        label="Secret",
        type_id=kind,
        entity_type="show",
        config="{}",
    )
    fresh()
    api.update("ContextCustomAttributeValue", [configuration, project], value="hush")
    (row,) = fresh()
    assert row["parent_id"] == project
    assert json.loads(row["data"])["keys"] == ["secret"]
    assert "hush" not in row["data"]


def restricted(sandbox: Any, api: Any, project: str, role: str = "User") -> Any:
    """Return the API of a user whose *role* is for *project* alone."""
    username = f"user-{uuid.uuid4().hex[:8]}"
    user = api.create("User", username=username)
    role_id = api.one(f'select id from SecurityRole where name is "{role}"')["id"]
    named = {"user_id": user, "role_id": role_id}
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
    _, _, answer = api.call(
        {"action": "add_user_security_role", **named},
        {"action": "grant_user_security_role_project", "project_id": project, **named},
        {**reset, "entity_key": user},
    )
    other = type(api)(sandbox)
    other.http.headers.update(
        {"ftrack-user": username, "ftrack-api-key": answer["data"]["api_key"]}
    )
    other.user_id = user
    return other


def test_rights_apply_to_the_activity(sandbox: Any, api: Any, project: str) -> None:
    """A user reads the activity of the projects that the user sees, and no other."""
    hidden = make_project(api, is_private=True)
    api.create("Task", name="t", parent_id=hidden)
    api.create("Task", name="t", parent_id=project)
    other = restricted(sandbox, api, project)
    rows = other.query("select project_id from Event")
    feeds = other.query("select event.project_id from Feed")
    other.http.close()
    assert {row["project_id"] for row in rows} == {project}
    assert {one["event"]["project_id"] for one in feeds if one["event"]} == {project}
    assert len(feeds) == len(rows)


def test_nobody_writes_the_activity(api: Any, project: str) -> None:
    """Event rows belong to the server: a client cannot make them."""
    with pytest.raises(api.Error):
        api.call(api.make("Event", [1_000_000], id=1_000_000, action="forged"))


def test_a_removed_project_takes_its_activity_along(api: Any, project: str, fresh: Any) -> None:
    """Its rows go with it, one row tells of its end, and ids do not begin again."""
    api.create("Task", name="t", parent_id=project)
    last = fresh()[-1]["id"]
    api.delete("Project", project)
    (row,) = fresh()
    assert (row["action"], row["parent_id"], row["project_id"]) == ("remove.show", project, None)
    assert row["id"] > last
    assert api.query(f"Event where project_id is {project}") == []


def test_end_of_a_private_project_is_not_recorded(api: Any, fresh: Any) -> None:
    """The row would be visible to users who never saw the project."""
    project = make_project(api, is_private=True)
    fresh()
    api.delete("Project", project)
    assert fresh() == []
    following = make_project(api)
    (row,) = fresh()
    assert row["parent_id"] == following


def test_activity_of_a_removed_user_stays(sandbox: Any, api: Any, project: str, fresh: Any) -> None:
    """The rows of a user who is deleted stay, without the user."""
    other = restricted(sandbox, api, project, "Project manager")
    fresh()
    other.create("Task", name="t", parent_id=project)
    other.http.close()
    api.delete("User", other.user_id)
    row = fresh()[0]
    assert (row["action"], row["user_id"]) == ("add.task", None)


def test_a_listener_catches_up(api: Any, project: str, fresh: Any) -> None:
    """A program that remembers the last id finds all later changes by it, in order."""
    last = max(row["id"] for row in api.query("select id from Event"))
    tasks = [api.create("Task", name=str(n), parent_id=project) for n in range(3)]
    found = api.query(f"select parent_id from Event where id > {last} order by id")
    assert [row["parent_id"] for row in found] == tasks


def test_only_the_newest_rows_are_kept() -> None:
    """Beyond the limit, the oldest rows are deleted, with their feeds."""
    pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
    from ftrack_like.sandbox.limits import Limits
    from ftrack_like.testing import Sandbox

    with Sandbox(limits=Limits(activity_events=10)) as small, small.session() as session:
        schema = session.query("ProjectSchema").first()
        project = session.create("Project", {"name": "p", "project_schema": schema})
        session.commit()
        for number in range(35):
            session.create("Task", {"name": str(number), "parent": project})
            session.commit()
        ids = sorted(one["id"] for one in session.query("select id from Event"))
        feeds = session.query("select social_id from Feed").all()
        assert 10 <= len(ids) < 20
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert ids[-1] == 36
        assert sorted(one["social_id"] for one in feeds) == ids


def test_feed_events_come_to_those_who_see_the_project(
    sandbox: Any, api: Any, project: str
) -> None:
    """A user hears of the feed of a project that the user sees, and of no other."""
    from ftrack_like.event.base import Event

    hidden = make_project(api, is_private=True)
    other = restricted(sandbox, api, project)
    options = {
        "api_user": other.http.headers["ftrack-user"],
        "api_key": other.http.headers["ftrack-api-key"],
    }
    other.http.close()
    with sandbox.session(**options) as session:
        hub = session.event_hub
        hub.connect()
        heard: list[Any] = []
        hub.subscribe("topic=ftrack.update or topic=test.mark", heard.append)
        told = Event("test.mark", data={"mark": 1})
        hub.publish(told)
        _wait_for(hub, heard, "test.mark", 1)
        api.create("Task", name="t", parent_id=hidden)
        task = api.create("Task", name="t", parent_id=project)
        hub.publish(Event("test.mark", data={"mark": 2}))
        _wait_for(hub, heard, "test.mark", 2)
        feeds = [
            event["data"]["parents"]
            for event in heard
            if event["topic"] == "ftrack.update"
            and event["data"]["entities"][0]["entityType"] == "socialfeed"
        ]
    assert feeds == [[task, project]]


def _wait_for(hub: Any, heard: list[Any], topic: str, count: int) -> None:
    """Read events until *count* of *topic* have arrived."""
    import time

    deadline = time.monotonic() + 20
    while sum(event["topic"] == topic for event in heard) < count:
        assert time.monotonic() < deadline, f"{count} events of {topic} did not arrive"
        hub.wait(0.05)
