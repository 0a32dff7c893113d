"""Which events are handled side by side with ``wait(workers=…)``, and which in order."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, Callable, Optional

import pytest

from ftrack_like.event._subjects import subjects
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub

PATIENCE = 20


def update(*ids: Any, source: str = "server", number: int = 0) -> Event:
    """Return an event about updates of the entities *ids*, all from one *source*."""
    entities = [{"entityId": each, "entityType": "task", "action": "update"} for each in ids]
    data = {"entities": entities, "n": number}
    return Event("ftrack.update", data=data, source={"id": source})


def reply(to: str, source: str = "server") -> Event:
    """Return a reply to the event with the id *to*."""
    return Event("ftrack.meta.reply", in_reply_to_event=to, source={"id": source})


def action(*ids: str) -> Event:
    """Return an event that launches an action on the entities *ids*."""
    selection = [{"entityId": each, "entityType": "task"} for each in ids]
    return Event("ftrack.action.launch", data={"selection": selection}, source={"id": "web"})


def plain(source: Optional[str]) -> Event:
    """Return an event about no entity."""
    return Event("studio.note", data={"text": "x"}, source={"id": source})


def wait_for(events: list[Event], callback: Callable[[Event], Any], **options: Any) -> EventHub:
    """Handle *events* with *callback* on four workers, and return the hub when all are handled."""
    hub = EventHub("http://127.0.0.1:1", "user", "key")
    hub.init_connection()
    hub.subscribe("topic=*", callback)
    for event in [*events, Event("ftrack.meta.disconnected")]:
        hub._event_queue.put(event)
    hub.wait(**{"workers": 4, **options})
    return hub


def meet(first: Event, second: Event, **options: Any) -> bool:
    """Return whether the two events are handled at the same time."""
    together = threading.Barrier(2)
    began: list[str] = []
    met: list[bool] = []

    def handle(event: Event) -> None:
        if event["id"] not in (first["id"], second["id"]):
            return
        began.append(event["id"])
        try:
            # Where they are in order, the first has to wait in vain.
            together.wait(PATIENCE if is_parallel else 0.05)
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)

    key = options.get("key", lambda event: None)
    is_parallel = (
        set(subjects(first)).isdisjoint(subjects(second))
        if "key" not in options
        else key(first) != key(second)
    )
    wait_for([first, second], handle, **options)
    assert began == [first["id"], second["id"]] or all(met)
    return all(met)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (update("a"), update("b")),
        (update("a", "b"), update("c", "d")),
        (update(1), update(2)),
        (action("a"), action("b")),
        (action("a"), update("b")),
        (update("a"), plain("server")),
        (plain("x"), plain("y")),
        (reply("q1"), reply("q2")),
        (reply("q1"), plain("server")),
        (
            Event(
                "ftrack.location.component-added", data={"component_id": "c", "location_id": "l"}
            ),
            Event(
                "ftrack.location.component-added", data={"component_id": "d", "location_id": "l"}
            ),
        ),
    ],
)
def test_events_about_different_things_run_side_by_side(first: Event, second: Event) -> None:
    """Events without an entity in common are handled at the same time, also of one publisher."""
    assert meet(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (update("a"), update("a")),
        (update("a", source="x"), update("a", source="y")),
        (update("a", "b"), update("b", "c")),
        (update("a", "b", "c"), update("c")),
        (action("a"), update("a")),
        (plain("x"), plain("x")),
        (plain(None), plain(None)),
        (reply("q", "x"), reply("q", "y")),
    ],
)
def test_events_about_one_thing_run_in_order(first: Event, second: Event) -> None:
    """Events with an entity in common wait for each other, also of several publishers."""
    assert not meet(first, second)


def test_event_about_several_entities_is_in_order_with_each() -> None:
    """Among many events about several entities, each entity sees its own in order."""
    seen: dict[str, list[int]] = {name: [] for name in "abcdefg"}
    events = []
    for number in range(300):
        names = {"abcdefg"[number % 7], "abcdefg"[number * number % 7], "abcdefg"[number % 3]}
        events.append(update(*sorted(names), number=number))
    expected = {
        name: [
            event["data"]["n"]
            for event in events
            if name in [each["entityId"] for each in event["data"]["entities"]]
        ]
        for name in seen
    }

    def note(event: Event) -> None:
        for each in event["data"].get("entities", ()):
            seen[each["entityId"]].append(event["data"]["n"])

    wait_for(events, note)
    assert seen == expected


def test_blocked_entity_holds_up_no_other() -> None:
    """While one entity's callback is slow, a hundred events about others are handled."""
    others = threading.Event()
    count: list[int] = []

    def handle(event: Event) -> None:
        ids = [each["entityId"] for each in event["data"].get("entities", ())]
        if ids == ["slow"]:
            assert others.wait(PATIENCE)
        elif ids:
            count.append(1)
            if len(count) == 100:
                others.set()

    wait_for([update("slow"), update("slow"), *(update(f"e{n}") for n in range(100))], handle)
    assert len(count) == 100


def test_stopped_event_stays_stopped() -> None:
    """``stop`` keeps an event from later subscribers on workers too, and other events go on."""
    late: list[str] = []
    hub = EventHub("http://127.0.0.1:1", "user", "key")
    hub.init_connection()

    def stop(event: Event) -> None:
        if event["data"]["entities"][0]["entityId"] == "a":
            event.stop()

    hub.subscribe("topic=ftrack.update", stop, priority=1)
    hub.subscribe(
        "topic=ftrack.update", lambda e: late.append(e["data"]["entities"][0]["entityId"])
    )
    for event in (update("a"), update("b"), Event("ftrack.meta.disconnected")):
        hub._event_queue.put(event)
    hub.wait(workers=3)
    assert late == ["b"]


def test_error_in_a_callback_frees_its_entity(caplog: pytest.LogCaptureFixture) -> None:
    """After a callback that fails, the entity's next event is handled, in order."""
    seen: list[int] = []

    def handle(event: Event) -> None:
        number = event["data"].get("n")
        if number == 0:
            raise KeyError("broken")
        if number is not None:
            seen.append(number)

    wait_for([update("a", number=number) for number in range(5)], handle)
    assert seen == [1, 2, 3, 4]
    assert "Error calling subscriber" in caplog.text


@pytest.mark.parametrize("key", [lambda event: event["data"]["no such"], lambda event: [], "oops"])
def test_key_that_fails_is_replaced(key: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A *key* that raises, or gives what has no hash, is logged; entities are kept in order."""
    seen: list[int] = []
    events = [update("a", number=number) for number in range(20)]
    wait_for(events, lambda event: seen.append(event["data"].get("n")), key=key)
    assert [number for number in seen if number is not None] == list(range(20))
    assert "handled in the order of the events about the same entities" in caplog.text


@pytest.mark.parametrize(
    ("key", "expected"),
    [(lambda event: event["source"]["id"], False), (lambda event: event["data"]["n"], True)],
)
def test_key_decides(key: Callable[[Event], Hashable], expected: bool) -> None:
    """A *key* of the program's own replaces the entities."""
    whole = lambda event: key(event) if event["topic"] == "ftrack.update" else 0  # noqa: E731
    assert meet(update("a", number=1), update("b", number=2), key=whole) is expected


@pytest.mark.parametrize(
    "event",
    [
        Event("a", data={"entities": None}, source={"id": "x"}),
        Event("a", data={"entities": 5, "selection": "abc"}, source={"id": "x"}),
        Event("a", data={"entities": [None, 1, "a", {}, {"entityId": None}]}, source={"id": "x"}),
        Event("a", data={"entities": [{"entityId": ["list"]}]}, source={"id": "x"}),
        Event("a", data=["no mapping"], source={"id": "x"}),  # type: ignore[arg-type]
        Event("a", data={}, source={"id": "x"}, in_reply_to_event=["odd"]),  # type: ignore[arg-type]
    ],
)
def test_odd_events_count_for_their_publisher(event: Event) -> None:
    """Data in another form than usual names no entity; the publisher's order is kept."""
    assert subjects(event) == [("publisher", "x")]


@pytest.mark.parametrize("source", [None, {}, {"id": None}, {"id": {}}, "text"])
def test_event_without_publisher(source: Any) -> None:
    """An event that names neither entity nor publisher is in order with others like it."""
    assert subjects(Event("a", source=source)) == [("publisher", None)]


def test_server_updates_run_side_by_side(
    sandbox: Any, session: Any, in_background: Any, until: Any
) -> None:
    """Two tasks that one program changes are handled at the same time, each in its order."""
    schema = session.query("ProjectSchema order by name").first()
    data = {"name": "parallel", "full_name": "parallel", "project_schema": schema}
    project = session.create("Project", data)
    first, second = (session.create("Task", {"name": n, "parent": project}) for n in "ab")
    session.commit()
    hub = EventHub(sandbox.server_url, sandbox.api_user, sandbox.api_key)
    hub.connect()
    together = threading.Barrier(2)
    seen: dict[str, list[str]] = {first["id"]: [], second["id"]: []}

    def handle(event: Event) -> None:
        for each in event["data"]["entities"]:
            if each["entityId"] in seen:
                if not seen[each["entityId"]]:
                    together.wait(PATIENCE)
                seen[each["entityId"]].append(each["changes"]["description"]["new"])

    hub.subscribe("topic=ftrack.update", handle)
    in_background(hub, workers=4)
    for text in "123":
        for task in (first, second):
            task["description"] = f"{task['id']} {text}"
            session.commit()
    until(lambda: all(len(texts) == 3 for texts in seen.values()))
    for identifier, texts in seen.items():
        assert texts == [f"{identifier} {text}" for text in "123"]
