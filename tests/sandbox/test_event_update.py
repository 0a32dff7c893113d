"""The event ftrack.update: every transaction told, in the words of the server."""

from __future__ import annotations

import sys
import threading
import uuid
from datetime import datetime
from typing import Any, Callable

import pytest

STATUS_KEYS = {"old", "new"}


@pytest.fixture
def updates(sandbox: Any) -> Any:
    """Return a function that gives the `ftrack.update` events since it was called last."""
    import requests

    def read() -> list[dict[str, Any]]:
        answer = requests.get(
            f"{sandbox.server_url}/events",
            headers={"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key},
            timeout=10,
        ).json()
        events = [entry["event"] for entry in answer["events"]]
        fresh = [event for event in events if event["id"] not in seen]
        seen.update(event["id"] for event in events)
        updates = [event for event in fresh if event["topic"] == "ftrack.update"]
        return [event for event in updates if not _is_about_feed(event)]

    seen: set[str] = set()
    read()
    return read


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of a project."""
    schema = api.query("select id from ProjectSchema")[0]["id"]
    name = uuid.uuid4().hex[:8]
    return str(api.create("Project", name=name, full_name=name, project_schema_id=schema))


def _is_about_feed(event: dict[str, Any]) -> bool:
    return [one["entityType"] for one in event["data"]["entities"]] == ["socialfeed"]


Updates = Callable[[], list[dict[str, Any]]]


def _only(updates: Updates) -> tuple[dict[str, Any], dict[str, Any]]:
    (event,) = updates()
    (entity,) = event["data"]["entities"]
    return event, entity


def test_create_is_told_with_user_and_parents(api: Any, project: str, updates: Updates) -> None:
    """A new shot is told with who made it, its values, and its parents up to the project."""
    updates()
    sequence = api.create("Sequence", name="sq", parent_id=project)
    updates()
    shot = api.create("Shot", name="sh", parent_id=sequence)
    event, entity = _only(updates)
    user = api.one('select id, username from User where username is "admin"')
    assert event["data"]["user"] == {"userid": user["id"], "name": "Site Administrator"}
    assert event["source"]["user"] == {"id": user["id"], "username": "admin"}
    assert event["source"]["applicationId"]
    assert event["sent"] is None
    assert entity["action"] == "add"
    assert entity["entityId"] == shot
    assert entity["entityType"] == "task"
    assert entity["entity_type"] == "Shot"
    assert entity["parentId"] == sequence
    assert entity["objectTypeId"] == "bad911de-3bd6-47b9-8b46-3476e237cb36"
    assert entity["changes"]["name"] == {"old": None, "new": "sh"}
    assert entity["changes"]["showid"] == {"old": None, "new": project}
    assert [parent["entityId"] for parent in entity["parents"]] == [shot, sequence, project]
    assert [parent["entityType"] for parent in entity["parents"]] == ["task", "task", "show"]
    assert [parent["entity_type"] for parent in entity["parents"]] == [
        "Shot",
        "Sequence",
        "Project",
    ]
    assert event["data"]["parents"] == [shot, sequence, project]


def test_update_tells_old_and_new_by_server_names(api: Any, project: str, updates: Updates) -> None:
    """A change of status is told as statusid, with the value before and after."""
    task = api.create("Task", name="t", parent_id=project)
    before = api.one(f"select status_id from Task where id is {task}")["status_id"]
    after = next(
        status["id"] for status in api.query("select id from Status") if status["id"] != before
    )
    updates()
    api.update("Task", task, status_id=after, bid=7200)
    _, entity = _only(updates)
    assert entity["action"] == "update"
    assert entity["changes"]["statusid"] == {"old": before, "new": after}
    assert entity["changes"]["bid"]["new"] == 7200
    assert set(entity["keys"]) >= {"statusid", "bid"}
    assert set(entity["changes"]) == set(entity["keys"])


def test_nothing_changed_is_not_told(api: Any, project: str, updates: Updates) -> None:
    """Setting the value that is there already makes no event."""
    task = api.create("Task", name="same", parent_id=project)
    updates()
    api.update("Task", task, name="same")
    api.query("Task")
    assert updates() == []


def test_several_operations_make_one_event_with_one_entry_each(
    api: Any, project: str, updates: Updates
) -> None:
    """One transaction is one event; what it did to an entity is joined in one entry."""
    task = str(uuid.uuid4())
    updates()
    api.call(
        api.make("Task", id=task, name="first", parent_id=project),
        api.change("Task", task, name="second"),
        api.change("Project", project, full_name="renamed"),
        api.change("Project", project, full_name="renamed again"),
    )
    (event,) = updates()
    entities = {entity["entityId"]: entity for entity in event["data"]["entities"]}
    assert set(entities) == {task, project}
    assert entities[task]["action"] == "add"
    assert entities[task]["changes"]["name"] == {"old": None, "new": "second"}
    assert entities[project]["action"] == "update"
    assert entities[project]["changes"]["fullname"]["new"] == "renamed again"
    assert entities[project]["entityType"] == "show"


def test_made_and_removed_at_once_is_not_told(api: Any, project: str, updates: Updates) -> None:
    """An entity that nobody ever saw makes no entry."""
    task = str(uuid.uuid4())
    updates()
    api.call(api.make("Task", id=task, name="gone", parent_id=project), api.remove("Task", task))
    assert updates() == []


def test_delete_tells_of_dependants_and_parents(api: Any, project: str, updates: Updates) -> None:
    """A deleted sequence takes its shots along, and each tells where it was."""
    sequence = api.create("Sequence", name="sq", parent_id=project)
    shot = api.create("Shot", name="sh", parent_id=sequence)
    updates()
    api.delete("Sequence", sequence)
    (event,) = updates()
    removed = {entity["entityId"]: entity for entity in event["data"]["entities"]}
    assert {removed[each]["action"] for each in (sequence, shot)} == {"remove"}
    assert removed[shot]["changes"]["name"] == {"old": "sh", "new": None}
    parents = [parent["entityId"] for parent in removed[shot]["parents"]]
    assert parents == [shot, sequence, project]


def test_move_is_told_as_move(api: Any, project: str, updates: Updates) -> None:
    """A context under another parent was moved."""
    sequence = api.create("Sequence", name="sq", parent_id=project)
    shot = api.create("Shot", name="sh", parent_id=project)
    updates()
    api.update("Shot", shot, parent_id=sequence)
    _, entity = _only(updates)
    assert entity["action"] == "move"
    assert entity["changes"]["parent_id"] == {"old": project, "new": sequence}


def test_version_has_asset_and_contexts_as_parents(
    api: Any, project: str, updates: Updates
) -> None:
    """A version's parents lead through asset and shot to the project."""
    shot = api.create("Shot", name="sh", parent_id=project)
    kind = api.query("select id from AssetType")[0]["id"]
    asset = api.create("Asset", name="a", context_id=shot, type_id=kind)
    updates()
    version = api.create("AssetVersion", asset_id=asset)
    (event,) = updates()
    entity = next(entity for entity in event["data"]["entities"] if entity["entityId"] == version)
    assert entity["entityType"] == "assetversion"
    assert [parent["entityId"] for parent in entity["parents"]] == [version, asset, shot, project]


def test_custom_attribute_is_told_on_its_entity_by_its_key(
    api: Any, project: str, updates: Updates
) -> None:
    """A custom attribute shows under its own key as a change of the entity that has it."""
    kind = api.one('select id from CustomAttributeType where name is "number"')["id"]
    configuration = api.create(
        "CustomAttributeConfiguration",
        key="fstart",
        label="Start",
        type_id=kind,
        entity_type="show",
        config='{"isdecimal": false}',
    )
    updates()
    api.call(
        api.change(
            "ContextCustomAttributeValue",
            [configuration, project],
            configuration_id=configuration,
            entity_id=project,
            value=1001,
        )
    )
    _, entity = _only(updates)
    assert entity["entityId"] == project
    assert entity["entityType"] == "show"
    assert entity["action"] == "update"
    assert entity["keys"] == ["fstart"]
    assert entity["changes"]["fstart"]["new"] == "1001.0"


def test_note_leads_to_what_it_is_about(api: Any, project: str, updates: Updates) -> None:
    """A note's parents begin with the note and end with the project."""
    task = api.create("Task", name="t", parent_id=project)
    user = api.one('select id from User where username is "admin"')["id"]
    updates()
    note = api.create("Note", content="hi", parent_id=task, parent_type="task", user_id=user)
    (event,) = updates()
    entity = next(each for each in event["data"]["entities"] if each["entityId"] == note)
    assert entity["entityType"] == "note"
    assert [parent["entityId"] for parent in entity["parents"]] == [note, task, project]


def test_failed_batch_is_not_told(api: Any, project: str, updates: Updates) -> None:
    """What was not applied makes no event."""
    updates()
    with pytest.raises(api.Error):
        api.call(
            api.make("Task", name="t", parent_id=project), api.make("Task", name="t", nonsense=1)
        )
    assert updates() == []


def test_client_token_is_repeated(api: Any, project: str, updates: Updates) -> None:
    """A program recognises its own doings by the token that it sent."""
    updates()
    api.http.headers["ftrack-clienttoken"] = "my-program"
    api.update("Project", project, full_name="told")
    event, _ = _only(updates)
    assert event["data"]["clientToken"] == "my-program"


def test_fault_of_telling_does_not_fail_the_commit(
    api: Any, project: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is committed is answered as committed, even if it could not be told."""
    monkeypatch.setattr("ftrack_like.sandbox.events.update.update_event", lambda *_, **__: 1 / 0)
    api.update("Project", project, full_name="untold")
    assert api.one(f"select full_name from Project where id is {project}")["full_name"] == "untold"
    assert "event for a committed batch could not be published" in caplog.text


def test_keys_are_not_told(api: Any, updates: Updates) -> None:
    """A new API key makes no event that others could read it from."""
    user = api.one('select id from User where username is "admin"')["id"]
    updates()
    operation = {
        "action": "reset_remote",
        "reset_type": "api_key",
        "entity_type": "User",
        "entity_key": user,
    }
    (answer,) = api.call(operation)
    api.http.headers["ftrack-api-key"] = answer["data"]["api_key"]
    import requests

    text = requests.get(f"{api.url}/events", headers=dict(api.http.headers), timeout=10).text
    assert answer["data"]["api_key"] not in text


@pytest.mark.parametrize("query", ["", "?api_user=admin&api_key=wrong"])
def test_audit_needs_a_key(sandbox: Any, query: str) -> None:
    """Events are shown to users of the sandbox only."""
    import requests

    response = requests.get(f"{sandbox.server_url}/events{query}", timeout=10)
    assert response.status_code == 401
    assert response.json()["exception"] == "InvalidCredentialsError"


def test_handshake_takes_the_key_of_a_browser(sandbox: Any) -> None:
    """A browser, which cannot set headers, may send its key in the address."""
    import requests

    url = f"{sandbox.server_url}/socket.io/1/"
    credentials = {"api_user": sandbox.api_user, "api_key": sandbox.api_key}
    answer = requests.get(url, params=credentials, timeout=10)
    assert answer.status_code == 200
    session, heartbeat, closing, transports = answer.text.split(":")
    assert session
    assert int(heartbeat) < int(closing)
    assert transports == "websocket"
    assert requests.get(url, timeout=10).status_code == 401


def test_other_threads_work_while_a_large_event_is_made() -> None:
    """A thread gets Python's lock before the event of 1,500 changes is complete."""
    pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
    from ftrack_like.sandbox.access.context import RequestContext
    from ftrack_like.sandbox.actions.batch import Change
    from ftrack_like.sandbox.events.update import update_event
    from ftrack_like.sandbox.schema import MODEL

    context = RequestContext("1", "a", "http://sandbox.test", datetime(2024, 2, 15))
    changes = [
        Change("remove", "Task", (str(number),), {"id": str(number), "name": "one"})
        for number in range(1_500)
    ]
    begun = threading.Event()
    order: list[str] = []

    def work() -> None:
        begun.wait()
        order.append("other")

    class Find:
        model = MODEL

        def __call__(self, table: str, column: str, value: Any) -> None:
            assert table == "resource", "nothing has a parent"

    other = threading.Thread(target=work, daemon=True)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # no thread gets the lock but from one that gives it away
    try:
        other.start()
        begun.set()
        update_event(changes, context=context, find=Find())
        order.append("event")
        other.join()
    finally:
        sys.setswitchinterval(interval)
    assert order == ["other", "event"]
