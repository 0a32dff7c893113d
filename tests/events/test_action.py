"""Actions: discovered, launched, with forms, between two sessions on a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like.actions import Action, ActionRequest, as_reply, check_items
from ftrack_like.event.base import Event


@pytest.fixture
def host(sandbox: Any, in_background: Any) -> Iterator[Any]:
    """Return a session that listens."""
    with sandbox.session() as session:
        session.event_hub.connect()
        in_background(session.event_hub)
        yield session


@pytest.fixture
def user(sandbox: Any) -> Iterator[Any]:
    """Return a session of who uses actions."""
    with sandbox.session() as session:
        session.event_hub.connect()
        yield session


@pytest.fixture
def task(user: Any) -> Any:
    """Return a task."""
    schema = user.query("ProjectSchema").first()
    project = user.create("Project", {"name": "p", "full_name": "p", "project_schema": schema})
    task = user.create("Task", {"name": "t", "parent": project})
    user.commit()
    return task


def _selection(entities: Any) -> list[dict[str, str]]:
    kinds = {"Task": "task", "Shot": "task", "Project": "show"}
    return [{"entityId": each["id"], "entityType": kinds[each.entity_type]} for each in entities]


def _unanswered(user: Any, *selected: Any) -> bool:
    event = Event("ftrack.action.discover", data={"selection": _selection(selected)})
    return user.event_hub.publish_and_wait(event, timeout=0.3) is None


def _ask(user: Any, topic: str, *selected: Any, **data: Any) -> Any:
    data["selection"] = _selection(selected)
    reply = user.event_hub.publish_and_wait(Event(f"ftrack.action.{topic}", data=data), 5)
    return None if reply is None else reply["data"]


class Publish(Action):
    """Asks for a comment, then says what it did."""

    identifier = "studio.publish"
    label = "Publish"
    description = "Publish what is selected."

    def discover(self, request: ActionRequest) -> bool:
        return request.selection.of_type("Task")

    def launch(self, request: ActionRequest) -> Any:
        if not request.values:
            return [{"type": "text", "name": "comment", "label": "Comment"}]
        (task,) = request.selection.entities("name")
        return f"{task['name']}: {request.values['comment']} by {request.username}"


def test_action_is_discovered_and_launched_with_a_form(host: Any, user: Any, task: Any) -> None:
    """An action shows up, asks with a form, and reports on what was filled in."""
    before = len(host.event_hub._subscribers)
    action = Publish(host)
    action.register()
    action.register()
    assert _ask(user, "discover", task) == {
        "items": [
            {
                "actionIdentifier": "studio.publish",
                "label": "Publish",
                "description": "Publish what is selected.",
            }
        ]
    }
    launch = {"actionIdentifier": "studio.publish"}
    form = _ask(user, "launch", task, **launch)
    assert form == {"items": [{"type": "text", "name": "comment", "label": "Comment"}]}
    answer = _ask(user, "launch", task, values={"comment": "ready"}, **launch)
    assert answer == {"success": True, "message": "t: ready by admin"}
    action.unregister()
    action.unregister()
    assert len(host.event_hub._subscribers) == before


def test_action_is_not_shown_for_other_selections(host: Any, user: Any, task: Any) -> None:
    """An action that does not fit the selection does not answer."""
    Publish(host).register()
    for selection in ([], [task["parent"]], [task, task["parent"]]):
        assert _unanswered(user, *selection)


def test_object_types_are_told_apart(host: Any, user: Any, task: Any) -> None:
    """Events call shots and tasks the same; an action can still tell them."""

    class ForShots(Publish):
        def discover(self, request: ActionRequest) -> bool:
            return request.selection.of_type("Shot", "Project")

    shot = user.create("Shot", {"name": "s", "parent": task["parent"]})
    user.commit()
    ForShots(host).register()
    assert _unanswered(user, task)
    assert _ask(user, "discover", shot, task["parent"]) is not None


def test_variants_are_entries_of_their_own(host: Any, user: Any, task: Any) -> None:
    """Each variant is an entry, and the launch tells which one was chosen."""

    class Open(Action):
        identifier, label = "studio.open", "Open"
        variants = ("13.2", "14.0")

        def launch(self, request: ActionRequest) -> Any:
            return f"opening {request.variant}"

    Open(host).register()
    items = _ask(user, "discover", task)["items"]
    assert [item["variant"] for item in items] == ["13.2", "14.0"]
    assert _ask(user, "launch", task, **items[1])["message"] == "opening 14.0"


def test_failing_action_says_so(
    host: Any, user: Any, task: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception is a failure with its text for the user, and a trace in the log."""

    class Broken(Action):
        identifier, label = "studio.broken", "Broken"

        def launch(self, request: ActionRequest) -> Any:
            raise OSError("the disk is full")

    Broken(host).register()
    answer = _ask(user, "launch", task, actionIdentifier="studio.broken")
    assert answer == {"success": False, "message": "Broken failed: the disk is full"}
    assert "OSError" in caplog.text


def test_action_answers_its_own_user_unless_it_is_for_everyone(host: Any, sandbox: Any) -> None:
    """Other users' requests are left to their own sessions."""
    foreign = Event("ftrack.action.discover", source={"id": "x", "user": {"username": "jane"}})
    own, everyone = Publish(host), Publish(host)
    everyone.everyone = True
    own.register()
    subscribers = host.event_hub._subscribers
    assert not any(entry.interested_in(foreign) for entry in subscribers)
    everyone.register()
    assert sum(entry.interested_in(foreign) for entry in subscribers) == 1


def test_user_interface_can_be_triggered(host: Any, user: Any, task: Any, until: Any) -> None:
    """A form and a message can be shown without being asked."""
    shown: list[Event] = []
    user.event_hub.subscribe(
        "topic=ftrack.action.trigger-user-interface",
        shown.append,
        subscriber={"applicationId": "ftrack.client.web", "user": {"username": "admin"}},
    )
    assert user.event_hub.wait_connected(5)
    action = Publish(host)
    request = ActionRequest(host, Event("x", source={"user": {"username": "admin"}}))
    action.trigger_user_interface(request, [{"type": "label", "value": "Hello"}])
    action.show_message(request, "Done", success=False)
    until(lambda: user.event_hub.wait(0.05) or len(shown) == 2)
    assert shown[0]["data"]["items"] == [{"type": "label", "value": "Hello"}]
    assert shown[0]["data"]["actionIdentifier"] == "studio.publish"
    assert shown[1]["data"] == {"type": "message", "success": False, "message": "Done"}


@pytest.mark.parametrize(
    ("result", "reply"),
    [
        (None, {"success": True, "message": "X is done."}),
        (True, {"success": True, "message": "X is done."}),
        (False, {"success": False, "message": "X failed."}),
        ("text", {"success": True, "message": "text"}),
        ({"message": "m"}, {"success": True, "message": "m"}),
        ({"success": False}, {"success": False}),
        ([{"type": "label"}], {"items": [{"type": "label"}]}),
    ],
)
def test_results_become_replies(result: Any, reply: Any) -> None:
    """Whatever launch may return has a form that the web client understands."""
    assert as_reply(result, "X") == reply


@pytest.mark.parametrize(
    ("items", "fault"),
    [
        ("text", "must be a list"),
        ([1], "Item 0 of the form is not a mapping"),
        ([{"type": "label"}, {"type": "txt"}], "Item 1 of the form has the type 'txt'"),
        ([{"type": "text"}], "has no name"),
        ([{"type": "enumerator", "name": "n"}], "has no list of choices"),
        ([{"type": "enumerator", "name": "n", "data": [{"label": "l"}]}], "without a value"),
    ],
)
def test_faulty_forms_are_refused(items: Any, fault: str) -> None:
    """A form with a fault is refused with the item and the fault, not shown empty."""
    with pytest.raises(ValueError, match=fault):
        check_items(items)


def test_result_of_another_kind_is_refused() -> None:
    """What cannot be shown to a user is an error of the action."""
    with pytest.raises(TypeError, match="launch"):
        as_reply(4, "X")


def test_action_without_identifier_is_refused() -> None:
    """An action that nobody could launch is refused when it is made."""

    class Nameless(Action):
        label = "Nameless"

    with pytest.raises(ValueError, match="Nameless needs identifier"):
        Nameless(None)  # type: ignore[arg-type]
