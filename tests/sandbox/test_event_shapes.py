"""Events have the documented shape, field by field: recorded ones, and those that programs read.

Each test makes a change and compares the whole event, or all that is known of it, with a shape: a
mapping has exactly the keys of the shape, and each value equals the one in the shape or fits it.
On SQLite and, where ``FTRACK_LIKE_TEST_POSTGRES_URL`` names a server, on PostgreSQL.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from typing import Any

import pytest

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")


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


# Shapes


def differences(shape: Any, value: Any, where: str = "event") -> list[str]:
    """Return where *value* does not fit *shape*."""
    if isinstance(shape, re.Pattern):
        fits = isinstance(value, str) and shape.fullmatch(value)
        return [] if fits else [f"{where}: {value!r} is not like {shape.pattern}"]
    if isinstance(shape, type):
        return [] if isinstance(value, shape) else [f"{where}: {value!r} is no {shape.__name__}"]
    if isinstance(shape, dict) and isinstance(value, dict):
        found = [f"{where} lacks {name!r}" for name in shape.keys() - value.keys()]
        found += [f"{where} has {name!r}" for name in value.keys() - shape.keys()]
        for name in shape.keys() & value.keys():
            found += differences(shape[name], value[name], f"{where}.{name}")
        return found
    if isinstance(shape, list) and isinstance(value, list) and len(shape) == len(value):
        pairs = enumerate(zip(shape, value))
        return [one for n, (a, b) in pairs for one in differences(a, b, f"{where}[{n}]")]
    equal = value == shape and isinstance(value, bool) == isinstance(shape, bool)
    return [] if equal else [f"{where}: {value!r} is not {shape!r}"]


HEX = re.compile(r"[0-9a-f]{32}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
WITH_MICROSECONDS = re.compile(MOMENT.pattern + r"\.\d{6}")


def added(**values: Any) -> dict[str, Any]:
    """Return the changes of a new entity with *values*."""
    return {name: {"old": None, "new": value} for name, value in values.items()}


def parents(*entries: tuple[str, str, str, Any]) -> list[dict[str, Any]]:
    """Return the parents in an event: (id, entityType, entity_type, id of the parent) of each."""
    names = ("entityId", "entityType", "entity_type", "parentId")
    return [dict(zip(names, entry)) for entry in entries]


# Changes


class Site:
    """A project and the API to change it; tells which events a change caused."""

    def __init__(self, sandbox: Any, api: Any) -> None:
        self.sandbox, self.api = sandbox, api
        self.user = api.one('select id from User where username is "admin"')["id"]
        self.schema = api.query("select id from ProjectSchema")[0]["id"]
        self.project = self.make_project()

    def make_project(self) -> str:
        name = uuid.uuid4().hex[:8]
        values = {"name": name, "full_name": name, "project_schema_id": self.schema}
        return str(self.api.create("Project", **values))

    def version(self, **values: Any) -> tuple[str, str, str]:
        """Create a shot, an asset and a version of it; return their ids."""
        shot = self.api.create("Shot", name=uuid.uuid4().hex, parent_id=self.project)
        kind = self.api.query("select id from AssetType")[0]["id"]
        asset = self.api.create("Asset", name="a", context_id=shot, type_id=kind)
        return shot, asset, self.api.create("AssetVersion", asset_id=asset, **values)

    def events(self) -> list[dict[str, Any]]:
        """Return all events so far."""
        answer = self.api.http.get(f"{self.sandbox.server_url}/events", timeout=10).json()
        return [entry["event"] for entry in answer["events"]]

    def caused(self, *operations: Any) -> list[dict[str, Any]]:
        """Return the events that *operations*, in one batch, cause."""
        before = {event["id"] for event in self.events()}
        self.api.call(*operations)
        return [event for event in self.events() if event["id"] not in before]

    def entity(self, entity_type: str, *operations: Any) -> dict[str, Any]:
        """Return the entry of the only *entity_type* in the first event of *operations*."""
        entities = self.caused(*operations)[0]["data"]["entities"]
        (found,) = [one for one in entities if one["entity_type"] == entity_type]
        return dict(found)

    def above(self, entity_id: str, kind: str, name: str) -> list[dict[str, Any]]:
        """Return the parents of an entity directly below the project."""
        return parents(
            (entity_id, kind, name, self.project), (self.project, "show", "Project", None)
        )


@pytest.fixture
def site(sandbox: Any, api: Any) -> Site:
    """Return a site with a project."""
    return Site(sandbox, api)


# Whole events


def test_new_task(site: Site) -> None:
    """The event of a new task lists all recorded keys, nulls included, and nothing else."""
    task = str(uuid.uuid4())
    operation = site.api.make("Task", id=task, name="t", parent_id=site.project)
    event = site.caused(operation)[0]
    row = site.api.one(f"select status_id, type_id, priority_id from Task where id is {task}")
    token = event["data"]["clientToken"]
    object_type_id = "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"
    changes = added(
        typeid=row["type_id"],
        showid=site.project,
        enddate=None,
        name="t",
        isopen=False,
        startdate=None,
        context_type="task",
        created_at=WITH_MICROSECONDS,
        priorityid=row["priority_id"],
        created_by=site.user,
        id=task,
        statusid=row["status_id"],
        isrequirecomment=False,
        object_typeid=object_type_id,
        parent_id=site.project,
        taskid=task,
        bid=0.0,
        description="",
    )
    shape = {
        "id": HEX,
        "topic": "ftrack.update",
        "target": "",
        "inReplyToEvent": None,
        "sent": None,
        "source": {
            "applicationId": "ftrack.client.web",
            "id": token,
            "user": {"id": site.user, "username": "admin"},
        },
        "data": {
            "entities": [
                {
                    "entityId": task,
                    "entityType": "task",
                    "entity_type": "Task",
                    "action": "add",
                    "keys": list(event["data"]["entities"][0]["changes"]),
                    "changes": changes,
                    "objectTypeId": object_type_id,
                    "parentId": site.project,
                    "parents": site.above(task, "task", "Task"),
                }
            ],
            "user": {"userid": site.user, "name": "Site Administrator"},
            "clientToken": UUID,
            "pushToken": HEX,
            "parents": list,
        },
    }
    assert differences(shape, event) == []
    assert set(event["data"]["parents"]) == {task, site.project}


def test_feed(site: Site) -> None:
    """A second event tells of the feed: nothing but action and type, the ids, and no user."""
    task = str(uuid.uuid4())
    event = site.caused(site.api.make("Task", id=task, name="t", parent_id=site.project))[1]
    shape = {
        "id": HEX,
        "topic": "ftrack.update",
        "target": "",
        "inReplyToEvent": None,
        "sent": None,
        "source": {
            "applicationId": "ftrack.client.web",
            "id": None,
            "user": {"id": None, "username": None},
        },
        "data": {
            "entities": [{"action": "update", "entityType": "socialfeed"}],
            "clientToken": None,
            "pushToken": None,
            "parents": [task, site.project],
        },
    }
    assert differences(shape, event) == []


def test_token_of_a_web_client(site: Site) -> None:
    """The token of a web client is the clientToken of the data and the id of the source."""
    site.api.http.headers["ftrack-clienttoken"] = token = str(uuid.uuid4())
    event = site.caused(site.api.change("Project", site.project, full_name="new"))[0]
    assert (event["data"]["clientToken"], event["source"]["id"]) == (token, token)


# Entries, by the kind of the entity


@pytest.mark.parametrize(
    ("entity_type", "object_type_id"),
    [
        ("Milestone", "01decdd1-51cb-11e3-9d5b-20c9d0831e59"),
        ("Sequence", "e5139355-61da-4c8f-9db4-3abc870166bc"),
        ("Folder", "3c133785-51cb-11e3-980a-20c9d0831e59"),
    ],
)
def test_other_contexts(site: Site, entity_type: str, object_type_id: str) -> None:
    """Every kind of context below a project has the entityType task, and names its own type."""
    operation = site.api.make(entity_type, name="c", parent_id=site.project)
    entity = site.entity(entity_type, operation)
    told = (entity["entityType"], entity["objectTypeId"], entity["changes"]["object_typeid"]["new"])
    assert told == ("task", object_type_id, object_type_id)


def test_changed_task(site: Site) -> None:
    """A change lists the changed attributes under their server-side names."""
    task = site.api.create("Task", name="t", parent_id=site.project)
    values = {"description": "d", "bid": 3600.0, "end_date": "2024-10-29T22:00:00"}
    entity = site.entity("Task", site.api.change("Task", task, **values))
    assert entity["action"] == "update"
    assert entity["keys"] == list(entity["changes"])
    shape = {
        "description": {"old": None, "new": "d"},
        "bid": {"old": 0.0, "new": 3600.0},
        "enddate": {"old": None, "new": "2024-10-29T22:00:00"},
    }
    assert differences(shape, entity["changes"]) == []


def test_move(site: Site) -> None:
    """A new parent is a move, which lists the other changes too."""
    folder = site.api.create("Folder", name="f", parent_id=site.project)
    task = site.api.create("Task", name="t", parent_id=site.project)
    entity = site.entity("Task", site.api.change("Task", task, parent_id=folder, name="u"))
    assert entity["action"] == "move"
    assert entity["changes"] == {
        "parent_id": {"old": site.project, "new": folder},
        "name": {"old": "t", "new": "u"},
    }


def test_project(site: Site) -> None:
    """A project is a show, and its own only parent."""
    entity = site.entity("Project", site.api.change("Project", site.project, full_name="n"))
    assert entity["entityType"] == "show"
    assert entity["parents"] == parents((site.project, "show", "Project", None))


def test_version(site: Site) -> None:
    """A version's parents are itself, its asset, the contexts and the project."""
    shot, asset, version = site.version()
    thumbnail = site.api.create("FileComponent", name="t", version_id=version)
    task = site.api.create("Task", name="t", parent_id=shot)
    change = site.api.change("AssetVersion", version, task_id=task, thumbnail_id=thumbnail)
    entity = site.entity("AssetVersion", change)
    assert entity["entityType"] == "assetversion"
    assert set(entity["keys"]) == {"taskid", "thumbid"}
    assert entity["parents"] == parents(
        (version, "assetversion", "AssetVersion", asset),
        (asset, "asset", "Asset", shot),
        (shot, "task", "Shot", site.project),
        (site.project, "show", "Project", None),
    )


def test_new_version(site: Site) -> None:
    """A new version lists the keys that programs read, whatever their values."""
    _, asset, _ = site.version()
    entity = site.entity("AssetVersion", site.api.make("AssetVersion", asset_id=asset))
    changes = entity["changes"]
    assert {"statusid", "thumbid", "taskid", "assetid", "version"} <= set(changes)
    assert changes["thumbid"] == {"old": None, "new": None}
    assert changes["version"] == {"old": None, "new": 2}


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("type_", ["assignment", "allocation"])
def test_appointment(site: Site, action: str, type_: str) -> None:
    """An appointment has its values as new ones when it is made, as old ones when it goes."""
    task = site.api.create("Task", name="t", parent_id=site.project)
    values = {"context_id": task, "resource_id": site.user, "type": type_}
    operation = site.api.make("Appointment", **values)
    if action == "remove":
        site.api.call(operation)
        operation = site.api.remove("Appointment", *operation["entity_key"])
    entity = site.entity("Appointment", operation)
    when = "new" if action == "add" else "old"
    assert (entity["entityType"], entity["action"]) == ("appointment", action)
    assert {name: entity["changes"][name][when] for name in values} == values
    assert entity["parents"][1:] == site.above(task, "task", "Task")


def test_dependency(site: Site) -> None:
    """A dependency lists from_id and to_id."""
    first, second = (
        site.api.create("Task", name=name, parent_id=site.project) for name in ("a", "b")
    )
    operation = site.api.make("TypedContextLink", from_id=first, to_id=second)
    entity = site.entity("TypedContextLink", operation)
    assert entity["entityType"] == "dependency"
    assert entity["changes"]["from_id"] == {"old": None, "new": first}
    assert entity["changes"]["to_id"] == {"old": None, "new": second}
    assert entity["parents"][1:] == site.above(second, "task", "Task")


@pytest.mark.parametrize("list_type", ["AssetVersionList", "TypedContextList"])
@pytest.mark.parametrize("by_items", [False, True])
def test_list_object(site: Site, list_type: str, by_items: bool) -> None:
    """A new member of a list tells both ids, and its parents hold the list with its own type."""
    shot, _, version = site.version()
    item = version if list_type == "AssetVersionList" else shot
    category = site.api.query("select id from ListCategory")[0]["id"]
    list_ = site.api.create(list_type, name="l", project_id=site.project, category_id=category)
    operation = site.api.make("ListObject", list_id=list_, entity_id=item)
    if by_items:
        kind = "AssetVersion" if list_type == "AssetVersionList" else "Shot"
        members = [{"__entity_type__": kind, "id": item}]
        operation = site.api.change(list_type, list_, items=members)
    entity = site.entity("ListObject", operation)
    assert (entity["entityType"], entity["action"]) == ("listobject", "add")
    shape = added(id=UUID, listid=list_, entityid=item)
    assert differences(shape, entity["changes"]) == []
    assert entity["parents"][1:] == site.above(list_, "list", list_type)
    removed = site.entity("ListObject", site.api.change(list_type, list_, items=[]))
    assert removed["action"] == "remove"
    assert removed["changes"]["entityid"] == {"old": item, "new": None}


def test_removed_list(site: Site) -> None:
    """A removed list tells its name as the old one."""
    category = site.api.query("select id from ListCategory")[0]["id"]
    values = {"name": "dailies", "project_id": site.project, "category_id": category}
    list_ = site.api.create("AssetVersionList", **values)
    entity = site.entity("AssetVersionList", site.api.remove("AssetVersionList", list_))
    assert (entity["entityType"], entity["action"]) == ("list", "remove")
    assert entity["changes"]["name"] == {"old": "dailies", "new": None}


def test_note(site: Site) -> None:
    """A new note lists the keys that programs read, and its parents end with the project."""
    task = site.api.create("Task", name="t", parent_id=site.project)
    values = {"content": "hi", "parent_id": task, "parent_type": "task", "user_id": site.user}
    operation = site.api.make("Note", **values)
    note = operation["entity_key"][0]
    entity = site.entity("Note", operation)
    read = {"text", "project_id", "parent_type", "parent_id", "userid", "noteid", "noteparentid"}
    read |= {"is_todo", "date", "triggerdate"}
    assert entity["entityType"] == "note"
    assert read <= set(entity["changes"])
    assert entity["changes"]["text"] == {"old": None, "new": "hi"}
    assert entity["parents"] == parents((note, "note", "Note", task)) + site.above(
        task, "task", "Task"
    )
    reply = site.api.make("Note", content="yes", in_reply_to_id=note, user_id=site.user)
    told = site.entity("Note", site.api.change("Note", note, content="ho"))
    assert told["changes"]["text"] == {"old": "hi", "new": "ho"}
    entities = site.caused(reply)[0]["data"]["entities"]
    (entry,) = [one for one in entities if one["entityId"] == reply["entity_key"][0]]
    assert [one["entityType"] for one in entry["parents"]][-3:] == ["note", "task", "show"]


def test_review_session_object(site: Site) -> None:
    """An object of a review tells its version, and a note on it leads to the project."""
    _, _, version = site.version()
    review = site.api.create("ReviewSession", name="r", project_id=site.project)
    operation = site.api.make(
        "ReviewSessionObject", review_session_id=review, version_id=version, name="o", version="1"
    )
    entity = site.entity("ReviewSessionObject", operation)
    assert entity["entityType"] == "reviewsessionobject"
    assert entity["changes"]["version_id"] == {"old": None, "new": version}
    assert entity["parents"][1:] == site.above(review, "reviewsession", "ReviewSession")
    note = site.entity(
        "Note",
        site.api.make(
            "Note",
            content="hi",
            parent_id=operation["entity_key"][0],
            parent_type="review_session_object",
            user_id=site.user,
        ),
    )
    kinds = [one["entityType"] for one in note["parents"]]
    assert kinds == ["note", "reviewsessionobject", "reviewsession", "show"]


def test_role_in_a_project(site: Site) -> None:
    """A role that is granted for a project tells the project; its parents hold the user."""
    user = site.api.create("User", username="jo")
    role = site.api.query("select id from SecurityRole")[0]["id"]
    named = {"user_id": user, "role_id": role}
    site.api.call({"action": "add_user_security_role", **named})
    grant = {"action": "grant_user_security_role_project", "project_id": site.project, **named}
    entity = site.entity("UserSecurityRoleProject", grant)
    assert entity["entityType"] == "userroleproject"
    assert entity["changes"]["project_id"] == {"old": None, "new": site.project}
    assert [one["entityType"] for one in entity["parents"]] == ["userroleproject", "user", "show"]
    assert entity["parents"][1]["entityId"] == user


@pytest.mark.parametrize(
    ("kind", "config", "value", "text"),
    [
        ("boolean", "{}", True, "1"),
        ("boolean", "{}", False, "0"),
        ("number", '{"isdecimal": false}', 1001, "1001.0"),
        ("text", "{}", "hello", "hello"),
        ("date", "{}", {"__type__": "datetime", "value": "2024-06-22T00:00:00"}, MOMENT),
        (
            "enumerator",
            '{"multiSelect": true, "data": "[{\\"menu\\": \\"A\\", \\"value\\": \\"a\\"},'
            ' {\\"menu\\": \\"B\\", \\"value\\": \\"b\\"}]"}',
            ["a", "b"],
            "a, b",
        ),
    ],
)
def test_custom_attribute(site: Site, kind: str, config: str, value: Any, text: Any) -> None:
    """A value of a custom attribute is text, whatever its type; none and a deleted one are null."""
    type_id = site.api.one(f'select id from CustomAttributeType where name is "{kind}"')["id"]
    values = {"type_id": type_id, "entity_type": "show", "config": config, "label": "x"}
    configuration = site.api.create("CustomAttributeConfiguration", key="told", **values)
    key = [configuration, site.project]
    change = site.api.change("ContextCustomAttributeValue", key, value=value)
    entity = site.entity("Project", change)
    assert (entity["entityType"], entity["action"], entity["keys"]) == ("show", "update", ["told"])
    assert differences({"told": {"old": None, "new": text}}, entity["changes"]) == []
    ended = [
        site.api.change("ContextCustomAttributeValue", key, value=None),
        site.api.remove("CustomAttributeValue", *key),
    ]
    for end in ended:
        entity = site.entity("Project", end)
        assert (entity["entityType"], entity["action"]) == ("show", "update")
        assert differences({"told": {"old": text, "new": None}}, entity["changes"]) == []
        site.api.call(change)


@pytest.mark.ffmpeg
def test_encoded(site: Site, tmp_path: Any) -> None:
    """An encoded version is told by the server, which names no user and no token."""
    import subprocess

    from ftrack_like.exception import MediaError
    from ftrack_like.media import find_ffmpeg

    try:
        program = find_ffmpeg()
    except MediaError as error:
        pytest.skip(str(error))
    path = tmp_path / "clip.mov"
    source = ("-f", "lavfi", "-i", "testsrc=size=64x36:rate=24:duration=0.2")
    subprocess.run([program, "-loglevel", "error", *source, str(path)], check=True)
    _, asset, version = site.version()
    with site.sandbox.session() as session:
        job = session.get("AssetVersion", version).encode_media(str(path))
        session.wait_for_job(job, timeout=60)
    # The server tells it after the job is done.
    found: list[Any] = []
    deadline = time.monotonic() + 30
    while not found:
        assert time.monotonic() < deadline, "no event tells that the version is encoded"
        found = [
            event
            for event in site.events()
            for one in event["data"].get("entities", ())
            if one["action"] == "encoded"
        ]
    (event,) = found
    assert "user" not in event["data"]
    assert (event["data"]["clientToken"], event["data"]["pushToken"]) == (None, None)
    assert event["source"]["user"] == {"id": None, "username": None}
    (entity,) = event["data"]["entities"]
    told = {name: entity[name] for name in ("entityType", "action", "entityId")}
    assert told == {"entityType": "assetversion", "action": "encoded", "entityId": version}
    assert entity["parents"][1]["entityId"] == asset
