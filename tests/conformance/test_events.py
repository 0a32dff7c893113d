"""Events that a server sends about changes, and events that programs send each other."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
import websocket
from tests.conformance.clients import Client
from tests.conformance.facts import fact, row, writes
from tests.conformance.listeners import Listener, RawListener, handshake
from tests.conformance.site import Site

_HEX = re.compile(r"[0-9a-f]{32}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")

#: What the event of a new task lists.
_KEYS_OF_A_TASK = {
    "typeid",
    "showid",
    "enddate",
    "name",
    "isopen",
    "startdate",
    "context_type",
    "created_at",
    "priorityid",
    "created_by",
    "id",
    "statusid",
    "isrequirecomment",
    "object_typeid",
    "parent_id",
    "taskid",
    "bid",
    "description",
}


@pytest.fixture(scope="session")
def task_event(site: Site, listener: Listener) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what an event tells of a new task, and the event."""
    return listener.entity(site.context("Task"), "add")


def _raw(listener: Listener) -> RawListener:
    """Return *listener*, or skip because a library hides the packets."""
    if not isinstance(listener, RawListener):
        pytest.skip("a library sends the packets of this client")
    return listener


# The connection


@fact("protocol 3", "protocol")
def test_the_handshake_has_its_parts(client: Client) -> None:
    """The handshake answers a session, two numbers of seconds, and the name of the transport."""
    answer = handshake(client)
    if answer.status_code == 501:
        pytest.skip("the server has no events")
    session, heartbeat, close, transports = answer.text.split(":")
    assert session
    assert int(close) >= 0
    assert int(heartbeat or 0) >= 0
    assert "websocket" in transports.split(",")


@fact("protocol 3", "protocol")
def test_the_first_packet_connects(listener: Listener) -> None:
    """The first packet of the server says that the connection is there."""
    raw = _raw(listener)
    assert raw.packet("1:").startswith("1::")
    assert raw.packets[0].startswith("1:")


@fact("protocol 3", "protocol")
def test_a_session_opens_one_connection(client: Client, listener: Listener) -> None:
    """A session that the server does not know opens no connection."""
    _raw(listener)
    address = client.url.replace("http", "ws", 1)
    with pytest.raises((websocket.WebSocketException, OSError)):
        websocket.create_connection(
            f"{address}/socket.io/1/websocket/{uuid.uuid4().hex}", timeout=60
        ).recv()


@fact("protocol 3", "protocol")
def test_an_event_is_acknowledged(listener: Listener) -> None:
    """The server acknowledges a packet that asks for it, with its number and success."""
    raw = _raw(listener)
    assert raw.emit(raw.event(raw.topic("hello"))) == [{"success": True}]


@fact("protocol 3", "protocol")
def test_a_packet_without_a_number_is_legal(listener: Listener) -> None:
    """A packet without a number is handled, and not acknowledged."""
    raw = _raw(listener)
    topic = raw.topic("quiet")
    raw.subscribe(f"topic={topic}")
    raw.emit(raw.event(topic), acknowledged=False)
    assert raw.wait_for(topic)


@fact("protocol 3", "protocol")
def test_a_bad_subscription_is_refused(listener: Listener) -> None:
    """The acknowledgement of a subscription with a mistake says so."""
    raw = _raw(listener)
    data = {"subscriber": {"id": uuid.uuid4().hex}, "subscription": "topic= and ("}
    told = raw.emit(raw.event("ftrack.meta.subscribe", data))
    assert told
    assert told[0]["success"] is False
    assert told[0]["message"]


@fact("protocol 3", "protocol")
def test_an_id_in_use_is_refused(site: Site, listener: Listener) -> None:
    """A second connection cannot take the id of a subscriber whose connection is alive."""
    raw = _raw(listener)
    known = raw.subscribe(f"topic={raw.topic('mine')}")
    other = RawListener(site.client, site.run)
    try:
        data = {"subscriber": known, "subscription": "topic=x"}
        told = other.emit(other.event("ftrack.meta.subscribe", data))
        assert told
        assert told[0]["success"] is False
    finally:
        other.close()


# Programs tell each other


@fact("protocol 3", "protocol")
def test_an_event_comes_back_to_its_sender(listener: Listener) -> None:
    """An event comes to each connection with a matching subscription, the sender's too."""
    topic = listener.topic("hello")
    listener.subscribe(f"topic={topic}")
    key = listener.publish(topic, {"a": [1, None, {"b": "ü"}]})
    event = listener.wait_for(topic)
    assert event["id"] == key
    assert event["data"] == {"a": [1, None, {"b": "ü"}]}


@fact("site-facts D1", "M")
def test_the_form_of_an_event(listener: Listener) -> None:
    """What comes has no time of sending, an empty target, and an id of 32 hex digits."""
    topic = listener.topic("form")
    listener.subscribe(f"topic={topic}")
    listener.publish(topic)
    event = listener.wait_for(topic)
    assert event["sent"] is None
    assert event["target"] == ""
    assert _HEX.fullmatch(event["id"])


@fact("protocol 3", "protocol")
def test_the_source_names_the_user(site: Site, listener: Listener) -> None:
    """The source of an event has the id of its sender, and the name of the user."""
    topic = listener.topic("source")
    listener.subscribe(f"topic={topic}")
    listener.publish(topic)
    source = listener.wait_for(topic)["source"]
    assert source["id"]
    assert source["user"]["username"] == site.client.user


@fact("protocol 3", "protocol")
@pytest.mark.parametrize(
    ("criteria", "comes"),
    [
        row("", True, name="topic alone"),
        row("and data.name=sh010", True, name="bare value"),
        row('and data.name="sh010"', True, name="quoted value"),
        row("and data.name=sh020", False, name="other value"),
        row("and data.name!=sh020", True, name="differs"),
        row("and data.name=sh*", True, name="prefix"),
        row("and data.number>4", True, name="greater"),
        row("and data.number<=4", False, name="at most"),
        row("and data.inner.key=x", True, name="path"),
        row("and data.missing=x", False, name="missing key"),
        row("and (data.name=sh020 or data.number=5)", True, name="or in parentheses"),
        row("and not data.name=sh010", False, name="not"),
        row("and source.user.username=$U", True, name="user"),
    ],
)
def test_a_subscription(site: Site, listener: Listener, criteria: str, comes: bool) -> None:
    """A subscription selects events by the values of their keys."""
    if site.client.name == "published" and "number" in criteria:
        pytest.skip("the published client does not compare numbers itself")
    topic = listener.topic("chosen")
    listener.subscribe(f"topic={topic} {criteria}".replace("$U", f'"{site.client.user}"').strip())
    listener.publish(topic, {"name": "sh010", "number": 5, "inner": {"key": "x"}})
    listener.settle()
    assert (topic in listener.topics()) == comes


@fact("protocol 3", "protocol")
def test_a_prefix_of_topics(listener: Listener) -> None:
    """A star at the end of a topic selects all topics with that beginning."""
    topic = listener.topic("many")
    listener.subscribe(f"topic={topic}.*")
    for word in ("one", "two"):
        listener.publish(f"{topic}.{word}")
    for word in ("one", "two"):
        assert listener.wait_for(f"{topic}.{word}")


@fact("protocol 3", "protocol")
@pytest.mark.parametrize("fits", [True, False], ids=["fits", "does not fit"])
def test_a_target_selects_by_metadata(listener: Listener, fits: bool) -> None:
    """An event with a target comes only to subscribers whose metadata match."""
    topic = listener.topic("target")
    word = uuid.uuid4().hex
    listener.subscribe(f"topic={topic}", color=word)
    listener.publish(topic, target=f"color={word if fits else 'other'}")
    listener.settle()
    assert (topic in listener.topics()) == fits


@fact("protocol 3", "protocol")
def test_a_reply_names_its_event(listener: Listener) -> None:
    """A reply has its own topic, the id of the event, and the asker as the target."""
    topic = listener.topic("question")
    listener.subscribe(f"topic={topic}", lambda event: {"answer": event["data"]["n"] + 1})
    reply = listener.ask(topic, {"n": 41})
    assert reply["topic"] == "ftrack.meta.reply"
    assert reply["data"] == {"answer": 42}
    asker = listener.wait_for(topic)["source"]["id"]
    assert reply["target"] in (f"id={asker}", f'id="{asker}"')


@fact("protocol 3", "protocol")
def test_who_no_longer_subscribes_hears_nothing(listener: Listener) -> None:
    """After an unsubscription no event comes."""
    raw = _raw(listener)
    topic = raw.topic("left")
    told = raw.subscribe(f"topic={topic}")
    raw.emit(raw.event("ftrack.meta.unsubscribe", {"subscriber": told}))
    raw.publish(topic)
    raw.settle()
    assert topic not in raw.topics()


@fact("site-facts D4", "D")
@pytest.mark.parametrize(
    ("topic", "data", "answer"),
    [
        row("ftrack.connect.discover", {}, True, name="connect"),
        row(
            "ftrack.dynamic-enumerator",
            {
                "attributeName": "reel",
                "recordData": {"entity": {"entityType": "task", "entityId": "x"}, "changes": {}},
                "query": "",
                "sorters": [],
                "groupers": [],
                "filters": [],
            },
            [{"name": "One", "value": "1"}],
            name="dynamic enumerator",
        ),
        row(
            "ftrack.location.request-resolve",
            {"componentId": "x", "platform": "Linux", "locationName": "nowhere"},
            {"path": "/mnt/x"},
            name="resolve",
        ),
        row(
            "ftrack.storage-scenario.discover",
            {"query": "", "groupers": [], "sorters": [], "filters": [{"property": "name"}]},
            {"items": []},
            name="storage scenario",
        ),
    ],
)
def test_a_documented_topic_is_answered(
    listener: Listener, topic: str, data: Any, answer: Any
) -> None:
    """Events of the documented topics reach programs, and their replies come back."""
    mine = listener.topic("mark")
    expression = f'topic={topic} and data.mark="{mine}"'
    if isinstance(data, dict):
        data = {**data, "mark": mine}
    listener.subscribe(expression, lambda event: answer)
    key = listener.publish(topic, data)
    reply = listener.wait(
        lambda event: event.get("inReplyToEvent") == key and event["data"] == answer
    )
    assert reply["topic"] == "ftrack.meta.reply"


# The event of a new task


@writes
@fact("site-facts D1", "M")
@pytest.mark.parametrize("key", sorted(_KEYS_OF_A_TASK))
def test_a_new_task_lists_a_key(task_event: Any, key: str) -> None:
    """The event of a new task lists this key, also if its value is null."""
    told, _ = task_event
    assert key in told["keys"]
    assert set(told["changes"][key]) == {"old", "new"}
    assert told["changes"][key]["old"] is None


@writes
@fact("site-facts D1", "M")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        row("description", "", name="description"),
        row("isopen", False, name="isopen"),
        row("isrequirecomment", False, name="isrequirecomment"),
        row("bid", 0.0, name="bid"),
        row("context_type", "task", name="context_type"),
        row("startdate", None, name="startdate"),
        row("object_typeid", "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c", name="object_typeid"),
    ],
)
def test_a_new_task_has_a_value(task_event: Any, key: str, value: Any) -> None:
    """The event of a new task has the recorded value of a key."""
    found = task_event[0]["changes"][key]["new"]
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


@writes
@fact("site-facts D1", "M")
def test_both_ids_of_a_new_task_are_its_id(task_event: Any) -> None:
    """The keys id and taskid of a new task both hold its id."""
    told, _ = task_event
    assert told["changes"]["id"]["new"] == told["entityId"]
    assert told["changes"]["taskid"]["new"] == told["entityId"]


@writes
@fact("site-facts D1", "M")
def test_the_time_of_creation_has_microseconds(task_event: Any) -> None:
    """The time of creation has microseconds and no zone."""
    assert _MICROSECONDS.fullmatch(task_event[0]["changes"]["created_at"]["new"])


@writes
@fact("site-facts D1", "M")
def test_the_user_has_a_full_name(site: Site, task_event: Any) -> None:
    """An event names the user by id and by the first and last name."""
    found = site.get("User", site.user, "first_name, last_name")
    name = f"{found['first_name'] or ''} {found['last_name'] or ''}".strip()
    assert task_event[1]["data"]["user"] == {"userid": site.user, "name": name}


@writes
@fact("site-facts D1", "M")
def test_the_tokens_of_a_change(task_event: Any) -> None:
    """The source of an event has the client's token as its id; the push token has 32 digits."""
    event = task_event[1]
    data = event["data"]
    assert _UUID.search(data["clientToken"])  # some clients begin it with their name
    assert event["source"]["id"] == data["clientToken"]
    assert _HEX.fullmatch(data["pushToken"])


@writes
@fact("site-facts D1", "M")
def test_the_source_of_a_change_names_the_user(site: Site, task_event: Any) -> None:
    """The source of a change has the id and the name of the user."""
    user = task_event[1]["source"]["user"]
    assert (user["id"], user["username"]) == (site.user, site.client.user)


@writes
@fact("site-facts D1", "M")
def test_the_form_of_an_update_event(task_event: Any) -> None:
    """An update event has no time of sending, an empty target, and an id of 32 hex digits."""
    event = task_event[1]
    assert event["sent"] is None
    assert event["target"] == ""
    assert _HEX.fullmatch(event["id"])


@writes
@fact("site-facts D1", "P")
def test_parents_begin_with_the_entity(site: Site, task_event: Any) -> None:
    """The parents of an entity begin with itself and end with the project."""
    told, _ = task_event
    parents = told["parents"]
    assert parents[0]["entityId"] == told["entityId"]
    assert parents[-1]["entityId"] == site.project["id"]
    assert (parents[-1]["entityType"], parents[-1]["entity_type"]) == ("show", "Project")
    for entry in parents:
        assert {"entityId", "entityType", "entity_type", "parentId"} <= set(entry)


@writes
@fact("site-facts D1", "M")
def test_the_event_lists_all_parents(site: Site, task_event: Any) -> None:
    """An event lists the ids of its entities and of all their parents."""
    told, event = task_event
    assert {told["entityId"], site.project["id"]} <= set(event["data"]["parents"])


# Other changes


@writes
@fact("site-facts D2", "P")
@pytest.mark.parametrize("entity_type", ["Task", "Shot", "Sequence", "Folder", "Milestone"])
def test_a_context_is_a_task(site: Site, listener: Listener, entity_type: str) -> None:
    """Each context below a project has the entityType task and names its own type."""
    told, _ = listener.entity(site.context(entity_type), "add")
    assert (told["entityType"], told["entity_type"]) == ("task", entity_type)


@writes
@fact("protocol 3", "protocol")
@pytest.mark.parametrize(
    ("attribute", "value", "key"),
    [
        row("description", "changed", "description", name="description"),
        row("name", None, "name", name="name"),
        row("bid", 3600.0, "bid", name="bid"),
        row(
            "start_date",
            {"__type__": "datetime", "value": "2024-10-29T22:00:00"},
            "startdate",
            name="start_date",
        ),
        row(
            "end_date",
            {"__type__": "datetime", "value": "2024-10-29T22:00:00"},
            "enddate",
            name="end_date",
        ),
    ],
)
def test_a_change_has_the_name_of_the_server(
    site: Site, listener: Listener, attribute: str, value: Any, key: str
) -> None:
    """A change is listed under the name of the server, with the old and the new value."""
    task = site.context("Task")
    value = site.name("renamed") if value is None else value
    site.update("Task", task, **{attribute: value})
    told, _ = listener.entity(task, "update")
    assert told["keys"] == [key]
    new = told["changes"][key]["new"]
    assert new == (value["value"] if isinstance(value, dict) else value)


@writes
@fact("site-facts D2", "P")
@pytest.mark.parametrize(
    ("attribute", "entity_type", "name", "key"),
    [
        row("status_id", "Status", "In progress", "statusid", name="status"),
        row("priority_id", "Priority", "High", "priorityid", name="priority"),
        row("type_id", "Type", "Animation", "typeid", name="type"),
    ],
)
def test_a_changed_reference_has_its_id(
    site: Site, listener: Listener, attribute: str, entity_type: str, name: str, key: str
) -> None:
    """A changed reference is listed by the ids before and after."""
    new = site.one(f'select id from {entity_type} where name is "{name}"')["id"]
    task = site.context("Task")
    old = site.get("Task", task, attribute)[attribute]
    if old == new:
        pytest.skip("the new task has this value already")
    site.update("Task", task, **{attribute: new})
    told, _ = listener.entity(task, "update")
    assert told["changes"] == {key: {"old": old, "new": new}}


@writes
@fact("site-facts D1", "P")
def test_a_new_parent_is_a_move(site: Site, listener: Listener) -> None:
    """A new parent is the action move, which lists the other changes too."""
    old, new = site.context("Folder"), site.context("Folder")
    task = site.context("Task", old)
    name = site.name("moved")
    site.update("Task", task, parent_id=new, name=name)
    told, _ = listener.entity(task, "move")
    assert told["changes"]["parent_id"] == {"old": old, "new": new}
    assert told["changes"]["name"]["new"] == name


@writes
@fact("protocol 3", "protocol")
def test_a_deleted_entity_is_told(site: Site, listener: Listener) -> None:
    """A deleted entity is the action remove, with its type."""
    shot = site.context("Shot")
    site.delete("Shot", shot)
    told, _ = listener.entity(shot, "remove")
    assert (told["entityType"], told["entity_type"]) == ("task", "Shot")


@writes
@fact("site-facts D2", "P")
def test_a_project_is_a_show(site: Site, listener: Listener) -> None:
    """A project is a show, and its own only parent."""
    site.update("Project", site.project["id"], full_name=site.name("full"))
    told, _ = listener.entity(site.project["id"], "update")
    assert (told["entityType"], told["entity_type"]) == ("show", "Project")
    assert [each["entityId"] for each in told["parents"]] == [site.project["id"]]


@writes
@fact("site-facts D1", "P")
def test_the_parents_of_a_version(site: Site, listener: Listener) -> None:
    """The parents of a version are itself, its asset, the contexts and the project."""
    version = site.version()
    told, _ = listener.entity(version, "add")
    assert [each["entityType"] for each in told["parents"]] == [
        "assetversion",
        "asset",
        "task",
        "show",
    ]


@writes
@fact("site-facts D2", "P")
@pytest.mark.parametrize("key", ["statusid", "thumbid", "taskid", "assetid", "version"])
def test_a_new_version_lists_a_key(site: Site, listener: Listener, key: str) -> None:
    """A new version lists the keys that programs read."""
    told, _ = listener.entity(site.version(), "add")
    assert told["entity_type"] == "AssetVersion"
    assert key in told["keys"]


@writes
@fact("site-facts D2", "P")
@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("kind", ["assignment", "allocation"])
def test_an_appointment(site: Site, listener: Listener, action: str, kind: str) -> None:
    """An appointment has new values when it is made, and old ones when it goes."""
    task = site.context("Task")
    values = {"context_id": task, "resource_id": site.user, "type": kind}
    key = site.create("Appointment", **values)["id"]
    if action == "remove":
        site.delete("Appointment", key)
    told, _ = listener.entity(key, action)
    when = {"add": "new", "remove": "old"}[action]
    assert told["entityType"] == "appointment"
    assert {name: told["changes"][name][when] for name in values} == values


@writes
@fact("site-facts D2", "P")
def test_a_dependency(site: Site, listener: Listener) -> None:
    """A link between tasks is a dependency with both ends."""
    one, two = site.context("Task"), site.context("Task")
    key = site.create("TypedContextLink", from_id=one, to_id=two)["id"]
    told, _ = listener.entity(key, "add")
    assert told["entityType"] == "dependency"
    assert told["changes"]["from_id"]["new"] == one
    assert told["changes"]["to_id"]["new"] == two


@writes
@fact("site-facts D2", "P")
def test_a_note(site: Site, listener: Listener) -> None:
    """The event about a note has its text; its parents lead to the project."""
    shot = site.context("Shot")
    note = site.create(
        "Note", content="hello", parent_id=shot, parent_type="Shot", user_id=site.user
    )
    told, _ = listener.entity(note["id"], "add")
    assert told["entityType"] == "note"
    assert told["changes"]["text"]["new"] == "hello"
    assert [each["entityType"] for each in told["parents"]] == ["note", "task", "show"]


@writes
@fact("site-facts D2", "P")
@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_list(site: Site, listener: Listener, action: str) -> None:
    """The event about a list has its type and its name; when the list goes, the old name."""
    category = site.rows("select id from ListCategory limit 1")[0]["id"]
    name = site.name("list")
    key = site.create(
        "AssetVersionList", name=name, category_id=category, project_id=site.project["id"]
    )["id"]
    if action == "remove":
        site.delete("AssetVersionList", key)
    told, _ = listener.entity(key, action)
    assert (told["entityType"], told["entity_type"]) == ("list", "AssetVersionList")
    assert told["changes"]["name"][{"add": "new", "remove": "old"}[action]] == name


@writes
@fact("site-facts D1", "P")
@pytest.mark.parametrize(
    ("type_name", "config", "value", "text"),
    [
        row("text", {}, "hello", "hello", name="text"),
        row("number", {}, 1001, "1001.0", name="number"),
        row("boolean", {}, True, "1", name="true"),
        row(
            "enumerator",
            {
                "multiSelect": True,
                "data": json.dumps([{"menu": each, "value": each} for each in ("a", "b")]),
            },
            ["a", "b"],
            "a, b",
            name="several choices",
        ),
    ],
)
def test_a_custom_attribute_is_text(
    site: Site, listener: Listener, type_name: str, config: Any, value: Any, text: str
) -> None:
    """The value of a custom attribute is text in an event, whatever its type."""
    key = site.configuration(type_name, config=json.dumps(config))
    task = site.context("Task")
    site.create("CustomAttributeValue", configuration_id=key, entity_id=task, value=value)
    told, _ = listener.entity(task, "update")
    name = site.get("CustomAttributeConfiguration", key, "key")["key"]
    assert told["changes"][name]["new"] == text


@writes
@fact("site-facts D1", "P")
def test_a_custom_attribute_of_a_project(site: Site, listener: Listener) -> None:
    """A custom attribute of a project is a change of the show."""
    key = site.configuration("text", entity_type="show")
    project = site.project["id"]
    site.create("CustomAttributeValue", configuration_id=key, entity_id=project, value="x")
    name = site.get("CustomAttributeConfiguration", key, "key")["key"]
    event = listener.wait(
        lambda each: (
            any(
                name in (entity.get("changes") or {})
                for entity in (each["data"] or {}).get("entities") or []
            )
            if each["topic"] == "ftrack.update"
            else False
        )
    )
    told = [each for each in event["data"]["entities"] if each.get("entityId") == project]
    assert (told[0]["entityType"], told[0]["entity_type"]) == ("show", "Project")


@writes
@fact("protocol 3", "protocol")
def test_a_refused_batch_tells_nothing(site: Site, listener: Listener) -> None:
    """A batch that is refused causes no event."""
    shot = site.creation("Shot", name=site.name("shot"), parent_id=site.project["id"])
    site.problem(shot, site.update_of("Shot", str(uuid.uuid4()), description="x"))
    listener.entity(site.context("Shot"), "add")  # an event that comes later
    told = [
        entity.get("entityId")
        for event in listener.heard
        if event["topic"] == "ftrack.update"
        for entity in event["data"].get("entities") or []
    ]
    assert shot["entity_key"][0] not in told


@writes
@fact("protocol 3", "protocol")
def test_one_batch_is_one_event(site: Site, listener: Listener) -> None:
    """The changes of one batch come in one event."""
    operations = [
        site.creation("Shot", name=site.name("shot"), parent_id=site.project["id"])
        for _ in range(3)
    ]
    site.call(*operations)
    keys = [each["entity_key"][0] for each in operations]
    _, event = listener.entity(keys[0], "add")
    assert set(keys) <= {each.get("entityId") for each in event["data"]["entities"]}
