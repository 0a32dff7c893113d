"""What somebody who listens hears of changes that others commit."""

from __future__ import annotations

import time
import uuid

import pytest

from ftrack_like.event.base import Event

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")


@pytest.fixture
def heard(sandbox):
    """Return a function that does something and gives the entries that somebody else heard."""
    with sandbox.session() as listener:
        hub, events = listener.event_hub, []
        hub.connect()
        hub.subscribe("topic=ftrack.update or topic=test.mark", events.append)
        mark(hub, events)

        def during(action):
            mark(hub, events)
            events.clear()
            action()
            # The server told of a commit before it answered: what it tells comes before this.
            mark(hub, events)
            return {
                entry["entityId"]: entry
                for event in events
                if event["topic"] == "ftrack.update"
                for entry in event["data"]["entities"]
                if entry["entityType"] != "socialfeed"
            }

        yield during


def mark(hub, events):
    """Publish an event and wait for it: what *hub* sent before has arrived by then."""
    sent = Event("test.mark", data={"mark": uuid.uuid4().hex})
    hub.publish(sent)
    deadline = time.monotonic() + 20
    while not any(event["data"] == sent["data"] for event in events):
        assert time.monotonic() < deadline, "the event did not come back"
        hub.wait(0.05)


@pytest.fixture
def project(session):
    """Return a committed project."""
    schema = session.query("ProjectSchema").first()
    name = f"project-{uuid.uuid4().hex[:8]}"
    made = session.create("Project", {"name": name, "full_name": name, "project_schema": schema})
    session.commit()
    return made


def make_versions(session, project, count):
    """Return *count* committed versions of one asset."""
    kind = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "asset", "type": kind, "parent": project})
    versions = [session.create("AssetVersion", {"asset": asset}) for _ in range(count)]
    session.commit()
    return versions


def change(*identifiers):
    """Return the ids of entities as an event lists them."""
    return sorted(entity["id"] for entity in identifiers)


def test_scopes_are_told(session, project, heard):
    """A new scope shows as an update of its context, and so does a scope taken away."""
    scope = session.create("Scope", {"name": f"scope-{uuid.uuid4().hex[:8]}"})
    session.commit()
    project["scopes"].append(scope)
    entry = heard(session.commit)[project["id"]]
    assert (entry["action"], entry["entityType"], entry["keys"]) == ("update", "show", ["scopes"])
    assert entry["changes"] == {"scopes": {"old": [], "new": [scope["id"]]}}
    project["scopes"].remove(scope)
    entry = heard(session.commit)[project["id"]]
    assert entry["changes"] == {"scopes": {"old": [scope["id"]], "new": []}}


def test_items_of_a_list_are_told(session, project, heard):
    """New items show as an update of the list, under the server's name of its items."""
    versions = make_versions(session, project, 3)
    category = session.query("ListCategory").first()
    values = {"name": "dailies", "project": project, "category": category}
    dailies = session.create("AssetVersionList", {**values, "items": versions[:1]})
    entry = heard(session.commit)[dailies["id"]]
    assert entry["action"] == "add"
    assert entry["changes"]["_asset_version_items"]["new"] == change(*versions[:1])
    dailies["items"] = versions[1:]
    entry = heard(session.commit)[dailies["id"]]
    assert (entry["action"], entry["entityType"]) == ("update", "list")
    assert entry["changes"] == {
        "_asset_version_items": {"old": change(*versions[:1]), "new": change(*versions[1:])}
    }


def test_used_versions_are_told(session, project, heard):
    """A version that uses others shows as updated, under the server's name of the collection."""
    user, *used = make_versions(session, project, 3)
    payload = {
        "action": "update",
        "entity_type": "AssetVersion",
        "entity_key": [user["id"]],
        "entity_data": {
            "__entity_type__": "AssetVersion",
            "uses_versions": [
                {"__entity_type__": "AssetVersion", "id": each["id"]} for each in used
            ],
        },
    }
    entry = heard(lambda: session.call([payload]))[user["id"]]
    assert entry["entityType"] == "assetversion"
    assert entry["changes"] == {"usesversions": {"old": [], "new": change(*used)}}


def test_links_of_versions_are_told(session, project, heard):
    """The session writes used versions row by row, and each new row shows as an addition."""
    user, *used = make_versions(session, project, 3)
    user["uses_versions"].extend(used)
    told = heard(session.commit).values()
    added = [each for each in told if each["entity_type"] == "AssetVersionLink"]
    assert [each["action"] for each in added] == ["add", "add"]


def test_same_members_are_not_told(session, project, heard):
    """A list that is set to the members it has makes no event."""
    versions = make_versions(session, project, 2)
    versions[0]["uses_versions"] = [versions[1]]
    session.commit()
    payload = {
        "action": "update",
        "entity_type": "AssetVersion",
        "entity_key": [versions[0]["id"]],
        "entity_data": {
            "__entity_type__": "AssetVersion",
            "uses_versions": [{"__entity_type__": "AssetVersion", "id": versions[1]["id"]}],
        },
    }
    assert heard(lambda: session.call([payload])) == {}


def test_activity_in_a_thread_is_told(session, project, heard):
    """A reply shows as an update of the note that it answers, whose activity is new."""
    user = session.query(f'User where username is "{session.api_user}"').one()
    note = project.create_note("first", author=user)
    session.commit()
    session.call([backdate(note)])
    reply = note.create_reply("second", author=user)
    told = heard(session.commit)
    assert told[reply["id"]]["action"] == "add"
    entry = told[note["id"]]
    assert (entry["action"], entry["keys"]) == ("update", ["triggerdate"])


def backdate(note):
    """Return the operation that moves the last activity of *note* into the past."""
    past = {"__type__": "datetime", "value": "2020-01-01T00:00:00"}
    return {
        "action": "update",
        "entity_type": "Note",
        "entity_key": [note["id"]],
        "entity_data": {"__entity_type__": "Note", "thread_activity": past},
    }


def test_end_of_a_job_is_told(session, heard):
    """A job that is done shows when it ended, which the server fills in afterwards."""
    user = session.query(f'User where username is "{session.api_user}"').one()
    job = session.create("Job", {"user": user, "status": "running"})
    session.commit()
    job["status"] = "done"
    entry = heard(session.commit)[job["id"]]
    assert set(entry["keys"]) == {"status", "finished_at"}
    assert entry["changes"]["finished_at"]["new"]
