"""Actions of programs: what a web client asks, what programs answer, and what they open there."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from tests.conformance.facts import fact, row
from tests.conformance.listeners import Listener
from tests.conformance.site import Site

#: What the web client sends beside the selection.
_LISTED: dict[str, Any] = {
    "groupers": [],
    "filters": [],
    "sorters": [{"direction": "ASC", "property": "label", "root": "data"}],
}
_TASK = {"entityId": "0b0c3a4e-5a3c-11ef-8a1b-0242ac120002", "entityType": "task"}


def _item(listener: Listener, **more: Any) -> dict[str, Any]:
    """Return an item of the menu that only this check has."""
    return {
        "label": "Publish",
        "variant": "fast",
        "description": "Publishes what is selected.",
        "icon": "default",
        "actionIdentifier": listener.topic("action"),
        **more,
    }


def _offer(listener: Listener, items: Any, mark: str) -> None:
    """Offer *items* to questions that have *mark*."""
    listener.subscribe(f'topic=ftrack.action.discover and data.mark="{mark}"', lambda event: items)


def _discover(listener: Listener, mark: str, *selection: dict[str, str]) -> list[dict[str, Any]]:
    """Ask for actions as the web client does, and return all replies."""
    data = {"selection": list(selection or [_TASK]), "mark": mark, **_LISTED}
    key = listener.publish("ftrack.action.discover", data)
    listener.settle()
    return [each for each in listener.heard if each.get("inReplyToEvent") == key]


def _launch(listener: Listener, item: dict[str, Any], answer: Any, **more: Any) -> Any:
    """Launch *item*, which answers *answer*; return the event that came and the reply."""
    identifier = item["actionIdentifier"]
    listener.subscribe(
        f'topic=ftrack.action.launch and data.actionIdentifier="{identifier}"',
        lambda event: answer,
    )
    data = {**item, "selection": [_TASK], **more}
    key = listener.publish("ftrack.action.launch", data)
    came = listener.wait(lambda event: event["id"] == key)
    reply = listener.wait(
        lambda event: event.get("inReplyToEvent") == key and event["data"] == answer
    )
    return came, reply


@fact("site-facts D3", "D")
def test_items_are_offered(listener: Listener) -> None:
    """A program replies to the question for actions with its items."""
    item, mark = _item(listener), uuid.uuid4().hex
    _offer(listener, {"items": [item]}, mark)
    listener.publish("ftrack.action.discover", {"selection": [_TASK], "mark": mark, **_LISTED})
    reply = listener.wait(lambda event: event["data"] == {"items": [item]})
    assert reply["topic"] == "ftrack.meta.reply"


@fact("site-facts D3", "M")
@pytest.mark.parametrize("key", ["selection", "groupers", "filters", "sorters"])
def test_a_question_has_its_keys(listener: Listener, key: str) -> None:
    """A program receives the question with the selection and the empty lists of the web client."""
    mark = uuid.uuid4().hex
    _offer(listener, None, mark)
    _discover(listener, mark)
    came = listener.wait(
        lambda event: event["topic"] == "ftrack.action.discover" and event["data"]["mark"] == mark
    )
    assert came["data"][key] == {"selection": [_TASK], **_LISTED}[key]


@fact("site-facts D3", "M")
def test_a_question_names_its_user(site: Site, listener: Listener) -> None:
    """The source of a question has an id, and the name of the user."""
    mark = uuid.uuid4().hex
    _offer(listener, None, mark)
    _discover(listener, mark)
    came = listener.wait(
        lambda event: event["topic"] == "ftrack.action.discover" and event["data"]["mark"] == mark
    )
    assert came["source"]["id"]
    assert came["source"]["user"]["username"] == site.client.user


@fact("site-facts D3", "D")
def test_all_replies_come(listener: Listener) -> None:
    """Several programs reply to one question, and each reply comes."""
    mark = uuid.uuid4().hex
    items = [_item(listener) for _ in range(3)]
    for item in items:
        _offer(listener, {"items": [item]}, mark)
    data = {"selection": [_TASK], "mark": mark, **_LISTED}
    key = listener.publish("ftrack.action.discover", data)
    for item in items:
        reply = listener.wait(lambda event, item=item: event["data"] == {"items": [item]})
        assert reply["inReplyToEvent"] == key


@fact("site-facts D3", "D")
def test_an_item_may_hold_data(listener: Listener) -> None:
    """An item may hold data of its own, which come back unchanged."""
    mark = uuid.uuid4().hex
    item = _item(listener, actionData={"a": [1, {"b": None}]})
    _offer(listener, {"items": [item]}, mark)
    listener.publish("ftrack.action.discover", {"selection": [_TASK], "mark": mark, **_LISTED})
    assert listener.wait(lambda event: event["data"] == {"items": [item]})


@fact("site-facts D3", "P")
@pytest.mark.parametrize(
    "entity_type",
    ["task", "show", "assetversion", "list", "reviewsession", "user", "asset", "Component"],
)
def test_a_selection_of_a_kind(listener: Listener, entity_type: str) -> None:
    """The entity type of a selection comes as the web client writes it."""
    mark = uuid.uuid4().hex
    listener.subscribe(f'topic=ftrack.action.discover and data.mark="{mark}"')
    selected = {"entityId": _TASK["entityId"], "entityType": entity_type}
    _discover(listener, mark, selected)
    came = listener.wait(
        lambda event: event["topic"] == "ftrack.action.discover" and event["data"]["mark"] == mark
    )
    assert came["data"]["selection"] == [selected]


@fact("site-facts D3", "M")
@pytest.mark.parametrize(
    "key", ["label", "variant", "description", "icon", "actionIdentifier", "own"]
)
def test_a_launch_has_the_keys_of_its_item(listener: Listener, key: str) -> None:
    """The launch of an item has each key of the item beside the selection."""
    item = _item(listener, own={"x": 1})
    came, _ = _launch(listener, item, {"success": True, "message": "Done."})
    assert came["data"][key] == item[key]
    assert came["data"]["selection"] == [_TASK]


@fact("site-facts D3", "D")
def test_a_submitted_form_has_values(listener: Listener) -> None:
    """The launch after a form has the values of the form."""
    values = {"comment": "x", "frames": 12, "day": "2024-05-01", "approved": True, "names": ["a"]}
    came, _ = _launch(listener, _item(listener), {"success": True}, values=values)
    assert came["data"]["values"] == values


@fact("site-facts D3", "P")
@pytest.mark.parametrize(
    "answer",
    [
        row({"success": True, "message": "Done."}, name="message"),
        row({"success": False, "message": "No."}, name="failure"),
        row(
            {
                "items": [{"type": "text", "name": "a", "label": "A", "value": ""}],
                "title": "T",
                "submit_button_label": "Go",
            },
            name="form",
        ),
        row(
            {"type": "form", "title": "T", "items": [], "submit_button_label": "Go"},
            name="named form",
        ),
        row(
            {
                "type": "widget",
                "url": "https://example.com",
                "title": "T",
                "success": True,
                "message": "x",
            },
            name="widget",
        ),
        row([{"type": "textarea", "name": "a", "label": "A"}], name="bare list"),
    ],
)
def test_a_launch_is_answered(listener: Listener, answer: Any) -> None:
    """A reply to a launch is a message, a form, a widget or a bare list of items."""
    _, reply = _launch(listener, _item(listener), answer)
    assert reply["topic"] == "ftrack.meta.reply"


@fact("site-facts D3", "P")
@pytest.mark.parametrize(
    "item",
    [
        row({"type": "text", "name": "a", "label": "A", "empty_text": "…"}, name="text"),
        row({"type": "textarea", "name": "a", "label": "A", "value": "x"}, name="textarea"),
        row({"type": "number", "name": "a", "label": "A", "value": 1.5}, name="number"),
        row({"type": "date", "name": "a", "label": "A", "value": "2024-05-01"}, name="date"),
        row({"type": "boolean", "name": "a", "label": "A", "value": True}, name="boolean"),
        row(
            {
                "type": "enumerator",
                "name": "a",
                "label": "A",
                "multi_select": True,
                "data": [{"label": "One", "value": "1"}],
            },
            name="enumerator",
        ),
        row({"type": "hidden", "name": "a", "value": "x"}, name="hidden"),
        row({"type": "label", "value": "# Title\n\n---\n<b>x</b>"}, name="label"),
    ],
)
def test_a_form_item_comes_unchanged(listener: Listener, item: dict[str, Any]) -> None:
    """Each kind of form item comes to the web client as the program sent it."""
    answer = {"items": [{**item, "mark": uuid.uuid4().hex}]}
    _, reply = _launch(listener, _item(listener), answer)
    assert reply["data"] == answer


@fact("site-facts D3", "P")
@pytest.mark.parametrize(
    "data",
    [
        row({"type": "message", "success": True, "message": "Done."}, name="message"),
        row(
            {"type": "widget", "items": [], "title": "T", "submit_button_label": "Go"},
            name="widget",
        ),
    ],
)
def test_a_program_opens_something_for_a_user(
    site: Site, listener: Listener, data: dict[str, Any]
) -> None:
    """A program tells the web client of one user to show a message or a form."""
    mark = listener.topic("interface")
    data = {**data, "mark": mark}
    listener.subscribe(
        f'topic=ftrack.action.trigger-user-interface and data.mark="{mark}"',
        applicationId="ftrack.client.web",
        user={"id": site.user},
    )
    target = f'applicationId=ftrack.client.web and user.id="{site.user}"'
    listener.publish("ftrack.action.trigger-user-interface", data, target=target)
    came = listener.wait(lambda event: event["data"] == data)
    assert came["topic"] == "ftrack.action.trigger-user-interface"


@fact("site-facts D3", "P")
def test_nothing_opens_for_another_user(site: Site, listener: Listener) -> None:
    """What is for the web client of one user does not come to that of another."""
    mark = listener.topic("interface")
    listener.subscribe(
        f'topic=ftrack.action.trigger-user-interface and data.mark="{mark}"',
        applicationId="ftrack.client.web",
        user={"id": site.user},
    )
    target = f'applicationId=ftrack.client.web and user.id="{uuid.uuid4()}"'
    key = listener.publish("ftrack.action.trigger-user-interface", {"mark": mark}, target=target)
    listener.settle()
    assert key not in [event["id"] for event in listener.heard]


@fact("site-facts D3", "P")
def test_a_program_launches_the_action_of_another(site: Site, listener: Listener) -> None:
    """A program that launches an action names a user in its source; the action sees the user."""
    item = _item(listener)
    identifier = item["actionIdentifier"]
    listener.subscribe(f'topic=ftrack.action.launch and data.actionIdentifier="{identifier}"')
    user = {"id": site.user, "username": site.client.user}
    key = listener.publish(
        "ftrack.action.launch", {**item, "selection": [_TASK]}, source={"user": user}
    )
    came = listener.wait(lambda event: event["id"] == key)
    assert came["source"]["user"] == user


@fact("site-facts D3", "P")
def test_an_action_may_be_for_one_user(site: Site, listener: Listener) -> None:
    """A program may subscribe to the questions of one user only."""
    marks = {name: uuid.uuid4().hex for name in (site.client.user, "nobody-has-this-name")}
    for name, mark in marks.items():
        listener.subscribe(
            f'topic=ftrack.action.discover and data.mark="{mark}" and source.user.username="{name}"'
        )
        _discover(listener, mark)
    came = [
        event["data"]["mark"]
        for event in listener.heard
        if event["topic"] == "ftrack.action.discover"
    ]
    assert marks[site.client.user] in came
    assert marks["nobody-has-this-name"] not in came


@fact("site-facts D3", "P")
def test_an_action_may_be_for_one_machine(site: Site, listener: Listener) -> None:
    """Connect subscribes to events from one machine, which the Python client names."""
    if site.client.name not in ("ours", "published"):
        pytest.skip("only Python clients name the machine")
    topic = listener.topic("host")
    listener.subscribe(f"topic={topic}")
    listener.publish(topic)
    assert listener.wait_for(topic)["source"]["host"]
