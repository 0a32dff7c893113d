"""Events that a timer pumps, while a second session publishes and changes data."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from book import Stage, step

DISCONNECTED = "ftrack.meta.disconnected"
TRANSPORTS = (["websocket"], ("xhr-polling", "websocket"), "websocket", ["xhr-polling"], [], None)


def connected(stage: Stage, name: str) -> Any:
    """Return the connected hub called *name* of the chapter, with nothing waiting."""
    if name not in stage.memory:
        hub = stage.session.event_hub if name == "own" else stage.new_session().event_hub
        hub.connect()
        stage.settle(hub)
        stage.memory[name] = hub
    hub = stage.memory[name]
    while not hub._event_queue.empty():
        hub._event_queue.get()
    return hub


def until(condition: Callable[[], Any]) -> bool:
    """Return whether *condition* comes true within half a minute."""
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def event(stage: Stage, topic: str, **data: Any) -> Any:
    """Return an event of *topic* with *data*."""
    return stage.module("event.base").Event(topic=topic, data=data)


def heard_by(hub: Any, expression: str) -> list[Any]:
    """Return the list of the numbers or topics that *hub* is going to hear of *expression*."""
    heard: list[Any] = []
    hub.subscribe(expression, lambda event: heard.append(event["data"].get("n", event["topic"])))
    return heard


@step()
def a_timer_calls(stage: Stage) -> Any:
    """A timer that waits for no time handles one event a call, which another hub published."""
    hub, other = connected(stage, "own"), connected(stage, "other")
    heard = heard_by(hub, "topic=pumped")
    stage.settle(hub)
    for number in range(3):
        other.publish(event(stage, "pumped", n=number))
    arrived = until(lambda: hub._event_queue.qsize() == 3)
    steps = []
    for number in range(3):
        hub.wait(0)
        steps.append(list(heard))
        if number == 1:
            other.publish(event(stage, "pumped", n=9))
            until(lambda: hub._event_queue.qsize() == 2)
    hub.wait(0)
    return [arrived, steps, heard, hub._event_queue.qsize()]


@step()
def other_durations(stage: Stage) -> Any:
    """Negative, tiny and usual durations."""
    hub = connected(stage, "own")
    heard = heard_by(hub, "topic=lasting")
    answers = []
    for duration in (0.0, -1, -0.001, 1e-9, 0.3):
        for number in range(3):
            hub._event_queue.put(event(stage, "lasting", n=number))
        hub.wait(duration)
        answers.append([list(heard), hub._event_queue.qsize()])
        heard.clear()
        connected(stage, "own")
    return answers


@step()
def a_disconnection_is_queued(stage: Stage) -> Any:
    """Waiting ends once a queued disconnection was handled; what comes after it stays."""
    hub = connected(stage, "own")
    heard = heard_by(hub, "topic=before or topic=after or topic=ftrack.meta.disconnected")
    answers = []
    for duration in (None, 20, 0.2):
        for topic in ("before", DISCONNECTED, "after"):
            hub._event_queue.put(event(stage, topic))
        hub.wait(duration)
        answers.append([list(heard), hub._event_queue.qsize(), hub.connected])
        heard.clear()
        connected(stage, "own")
    return answers


@step()
def questions_and_replies(stage: Stage) -> Any:
    """Two hubs that are pumped in turn ask and answer each other."""
    hub, other = connected(stage, "own"), connected(stage, "other")
    replies: list[Any] = []
    other.subscribe("topic=question", lambda event: {"answer": event["data"]["n"] + 1})
    stage.settle(other)
    hub.publish(event(stage, "question", n=1), on_reply=lambda reply: replies.append(reply["data"]))
    until(lambda: other.wait(0) or hub.wait(0) or replies)
    return replies


@step()
def a_second_session_changes_data(stage: Stage) -> Any:
    """The update that a second session commits is heard by a timer; what is loaded stays."""
    hub, other = connected(stage, "own"), connected(stage, "other")
    shot = stage.shot("pumped", description="old")
    hub.subscribe(
        "topic=ftrack.update",
        lambda event: seen.extend(
            entity["changes"]["description"]["new"]
            for entity in event["data"]["entities"]
            if entity.get("entityId") == shot["id"] and "description" in (entity["changes"] or {})
        ),
    )
    seen: list[str] = []
    stage.settle(hub)
    there = stage.sessions[-1]
    assert there.event_hub is other
    there.get("Shot", shot["id"])["description"] = "new"
    there.commit()
    until(lambda: hub.wait(0) or seen)
    return [seen, shot["description"]]


@step()
def nobody_connects(stage: Stage) -> Any:
    """Hubs that were never connected, or are closed, cannot be waited for."""
    api = stage.module("event.hub")
    server = stage.server
    hub = api.EventHub(server["server_url"], server["api_user"], server["api_key"])
    error = stage.error("EventHubConnectionError")
    answers: list[Any] = []

    def try_all(durations: Any) -> None:
        for duration in durations:
            hub._event_queue.put(event(stage, "kept"))
            try:
                hub.wait(duration)
                answers.append("waited")
            except error:
                answers.append(hub._event_queue.qsize())

    try_all((None, 0, -1, 0.01))
    hub.init_connection()
    try_all((0, -1))
    hub.connect()
    hub.disconnect()
    while not hub._event_queue.empty():
        hub._event_queue.get()
    try_all((None, 0))
    return answers


@step()
def replaced_session(stage: Stage) -> Any:
    """A replaced handshake offers other transports; a second hub connects as usual."""
    api = stage.module("event.hub")
    server = stage.server
    answers = []
    for transports in TRANSPORTS:
        hub, other = (
            api.EventHub(server["server_url"], server["api_user"], server["api_key"])
            for _ in range(2)
        )

        def replaced(granted: Any, transports: Any) -> Any:
            session = granted()
            return api.SocketIoSession(session[0], session[1], transports)

        hub._get_socket_io_session = functools.partial(
            replaced, hub._get_socket_io_session, transports
        )
        try:
            hub.connect()
            answers.append("connected")
        except stage.error("EventHubConnectionError"):
            answers.append("refused")
        other.connect()
        answers.append([hub.connected, other.connected])
        for each in (hub, other):
            if each.connected:
                each.disconnect()
    return answers
