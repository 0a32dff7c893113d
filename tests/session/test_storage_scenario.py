"""The centralised storage scenario: the dialogue that sets it up, and its activation."""

from __future__ import annotations

import json
import logging

import pytest

from ftrack_like import _centralized_storage_scenario as scenario
from ftrack_like import symbol
from ftrack_like.event.base import Event
from ftrack_like.structure.standard import StandardStructure


@pytest.fixture
def dialogue(session):
    """The dialogue, registered with the session."""
    configure = scenario.ConfigureCentralizedStorageScenario()
    configure.register(session)
    return configure


@pytest.fixture
def ask(session, dialogue):
    """Publish an event of the dialogue as the server does, and return the answer."""

    def publish(topic="configure", **values):
        data = {"scenario_id": scenario.scenario_name}
        if values:
            data["values"] = values
        event = Event(
            topic=f"ftrack.storage-scenario.{topic}",
            data=data,
            source={"user": {"username": session.api_user}},
        )
        answers = session.event_hub.publish(event, synchronous=True)
        return answers[0] if answers else None

    return publish


def _given(page, **changes):
    """Return the values that a form filled in on *page* sends."""
    items = {item["name"]: item.get("value") for item in page["items"] if "name" in item}
    return {**items, **changes}


def _texts(page):
    """Return the texts of a page."""
    return [item["value"] for item in page["items"] if item["type"] == "label"]


@pytest.fixture
def platform(monkeypatch):
    """Pretend to be on Linux."""
    monkeypatch.setattr(scenario.sys, "platform", "linux")


def test_scenario_is_offered(ask):
    """The scenario shows up in the list of all."""
    answer = ask(topic="discover")
    assert answer["id"] == "ftrack.centralized-storage"
    assert answer["name"]
    assert answer["description"]


def test_new_location(session, ask, dialogue, tmp_path, sandbox, platform):
    """From the first page to a session whose storage works."""
    assert dialogue.existing_centralized_storage_configuration is None
    page = ask()
    assert page["state"] == "configuring"
    page = ask(**_given(page, location_id="create_new_location"))
    page = ask(**_given(page, location_name="studio", location_label="Studio"))
    page = ask(**_given(page, linux_mount_point=str(tmp_path), osx_mount_point="/Volumes/s"))
    assert page["state"] == "confirm"
    assert "will not work on Windows" in _texts(page)[0]
    page = ask(**_given(page))
    assert page["state"] == "done"
    assert not session.recorded_operations

    location = session.query('Location where name is "studio"').one()
    assert location["label"] == "Studio"
    assert dialogue.existing_centralized_storage_configuration == {
        "location_id": location["id"],
        "location_name": "studio",
        "accessor": {"mount_points": {"linux": str(tmp_path), "osx": "/Volumes/s", "windows": ""}},
    }
    with sandbox.session() as later:
        picked = later.pick_location()
        assert picked["name"] == "studio"
        assert picked.priority == 1
        assert picked.accessor.prefix == str(tmp_path)
        assert isinstance(picked.structure, StandardStructure)


def test_existing_location(session, ask):
    """An existing location may be chosen, and later changed."""
    location = session.create("Location", {"name": "old", "label": "Old", "description": "d"})
    session.commit()
    page = ask()
    choices = next(item for item in page["items"] if item["type"] == "enumerator")
    assert [choice["label"] for choice in choices["data"]] == ["Create new location", "Old (old)"]
    page = ask(**_given(page, location_id=location["id"]))
    page = ask(**_given(page, linux_mount_point="/mnt/a"))
    assert "Old" in _texts(page)[0]
    ask(**_given(page))
    page = ask()
    assert _given(page)["location_id"] == location["id"]
    assert "no longer found" in _texts(page)[0]
    page = ask(**_given(page))
    assert _given(page)["linux_mount_point"] == "/mnt/a"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"location_name": ""}, "needs a name"),
        ({"location_label": ""}, "needs a name"),
        ({"location_name": "ftrack.server"}, "ftrack.server already"),
    ],
)
def test_wrong_answers_are_asked_again(ask, values, said):
    """The page comes back with what was wrong and what was given."""
    page = ask(**_given(ask(), location_id="create_new_location"))
    again = ask(**_given(page, **values))
    assert said in _texts(again)[0]
    assert _given(again)["step"] == "configure_location"
    assert {name: _given(again)[name] for name in values} == values


def test_unknown_location_is_asked_again(ask):
    """A location that does not exist cannot be chosen, also if it goes before the end."""
    page = ask(**_given(ask(), location_id='no"body'))
    assert "no such location" in _texts(page)[0]
    configuration = {
        "select_location": {"location_id": "gone"},
        "select_mount_point": {},
    }
    page = ask(step="confirm_summary", configuration=configuration)
    assert "has been removed" in _texts(page)[0]


def test_state_may_come_as_text(ask):
    """The configuration may travel as JSON text."""
    page = ask(**_given(ask(), location_id="create_new_location"))
    values = _given(page)
    values["configuration"] = json.dumps(values["configuration"])
    assert _given(ask(**values))["step"] == "select_mount_point"


def test_unknown_step_is_an_error(dialogue):
    """Values that belong nowhere are refused."""
    event = Event(topic="x", data={"values": {"step": "nonsense"}})
    with pytest.raises(ValueError, match="nonsense"):
        dialogue.configure_scenario(event)


@pytest.mark.parametrize("value", ["", "not JSON", "[]", '{"scenario": "another", "data": {}}'])
def test_other_settings_are_no_configuration(session, dialogue, value):
    """Nothing, nonsense and other scenarios are not this one."""
    dialogue.storage_scenario["value"] = value
    session.commit()
    assert dialogue.existing_centralized_storage_configuration is None


def test_other_users_are_not_answered(session, ask):
    """Only the user of the session configures through it."""
    event = Event(
        topic="ftrack.storage-scenario.discover", source={"user": {"username": "somebody"}}
    )
    assert session.event_hub.publish(event, synchronous=True) == []


def _activate(session, **data):
    scenario.ActivateCentralizedStorageScenario().register(session)
    storage_scenario = {"scenario": scenario.scenario_name, "data": data}
    session.event_hub.publish(
        Event(
            topic="ftrack.storage-scenario.activate", data={"storage_scenario": storage_scenario}
        ),
        synchronous=True,
    )


@pytest.mark.parametrize(
    ("platform_name", "expected"),
    [("linux", "/mnt/s"), ("darwin", "/Volumes/s"), ("win32", None)],
)
def test_mount_point_of_the_platform(session, monkeypatch, caplog, platform_name, expected):
    """Each platform has its own; where there is none the location stays inaccessible."""
    location = session.create("Location", {"name": "central"})
    session.commit()
    monkeypatch.setattr(scenario.sys, "platform", platform_name)
    with caplog.at_level(logging.WARNING):
        _activate(
            session,
            location_id=location["id"],
            location_name="central",
            accessor={"mount_points": {"linux": "/mnt/s", "osx": "/Volumes/s", "windows": ""}},
        )
    if expected is None:
        assert location.accessor is symbol.NOT_SET
        assert "no mount point for windows" in caplog.text
    else:
        assert location.accessor.prefix == expected
        assert caplog.messages == []


def test_scenario_that_cannot_be_understood_is_logged(session, caplog):
    """A broken setting does not stop the session."""
    _activate(session)
    assert "cannot be understood" in caplog.text


@pytest.mark.parametrize(("exists", "said"), [(True, None), (False, "does not exist")])
def test_startup_is_verified(session, tmp_path, platform, exists, said):
    """Programs that start are told when the storage is not mounted."""
    path = tmp_path if exists else tmp_path / "absent"
    for mount_point, expected in ((str(path), said), ("", "no mount point")):
        data = {"accessor": {"mount_points": {"linux": mount_point}}}
        event = Event(
            topic="ftrack.connect.verify-startup",
            data={"storage_scenario": {"scenario": scenario.scenario_name, "data": data}},
        )
        (answer,) = session.event_hub.publish(event, synchronous=True)
        assert answer is None if expected is None else expected in answer


def test_register_configuration(session):
    """The function registers the dialogue."""
    scenario.register_configuration(session)
    event = Event(
        topic="ftrack.storage-scenario.discover",
        source={"user": {"username": session.api_user}},
    )
    assert len(session.event_hub.publish(event, synchronous=True)) == 1
