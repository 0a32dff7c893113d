"""Events across servers that share a PostgreSQL database, with real clients."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
import websocket

from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub
from ftrack_like.testing import EventRecorder
from ftrack_like.wire import packets

pytest.importorskip("psycopg")

if TYPE_CHECKING:
    from ftrack_like.session import Session
    from ftrack_like.testing import Sandbox

URL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

pytestmark = pytest.mark.skipif(URL is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL is not set")


@pytest.fixture(scope="module")
def servers(
    namespace: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Sandbox, Sandbox]]:
    """Return two servers of one site."""
    pytest.importorskip("starlette")
    from ftrack_like.testing import Sandbox

    media = tmp_path_factory.mktemp("media")
    with (
        namespace(URL) as url,
        Sandbox(database=url, media=media) as one,
        Sandbox(database=url, media=media) as two,
    ):
        yield one, two


@pytest.fixture
def sessions(servers: tuple[Sandbox, Sandbox]) -> Iterator[list[Session]]:
    """Return a session on each server, with a connected hub."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(one.session(plugin_paths=[])) for one in servers]
        for session in opened:
            session.event_hub.connect()
        yield opened


def listen(hub: EventHub, subscription: str) -> list[Any]:
    """Return a list to which a thread adds the events of *subscription*."""
    heard: list[Any] = []
    hub.subscribe(subscription, heard.append)
    threading.Thread(target=hub.wait, daemon=True).start()
    return heard


def make_project(session: Session, **values: Any) -> Any:
    """Create a project with a random name."""
    name = f"p{uuid.uuid4().hex[:8]}"
    schema = session.query("ProjectSchema").first()
    data = {"name": name, "full_name": name, "project_schema": schema, **values}
    project = session.create("Project", data)
    session.commit()
    return project


def settled(servers: tuple[Sandbox, Sandbox]) -> None:
    """Return when all stored events are routed on all servers."""
    for server in servers:
        server.broker.exchange.catch_up(20)


def test_the_event_of_a_commit_reaches_both_servers(
    servers: tuple[Sandbox, Sandbox], sessions: list[Session], until: Callable[..., None]
) -> None:
    """Subscribers of both servers get the update of a commit, once, with the same id."""
    heard = [listen(one.event_hub, "topic=ftrack.update") for one in sessions]
    settled(servers)
    project = make_project(sessions[0])

    def ids(events: list[Any]) -> list[str]:
        return [
            event["id"]
            for event in list(events)
            if event["data"]["entities"][0].get("entityId") == project["id"]
        ]

    until(lambda: ids(heard[0]) and ids(heard[1]), 30)
    settled(servers)
    assert ids(heard[0]) == ids(heard[1])
    assert len(ids(heard[0])) == 1


def test_an_action_runs_on_another_server(
    sessions: list[Session], until: Callable[..., None]
) -> None:
    """A client of one server discovers and launches an action of a client of the other."""
    acting, asking = sessions
    hub = acting.event_hub
    item = {"items": [{"label": "Make", "actionIdentifier": "make"}]}
    hub.subscribe("topic=ftrack.action.discover", lambda event: item)
    hub.subscribe(
        "topic=ftrack.action.launch and data.actionIdentifier=make",
        lambda event: {"success": True, "message": event["data"]["selection"][0]},
    )
    listen(hub, "topic=never")
    found: list[Any] = []

    def discover() -> bool:
        event = Event("ftrack.action.discover", data={"selection": []})
        found.extend(asking.event_hub.publish_and_wait(event, 1.0, all_replies=True))
        return bool(found)

    until(discover, 30)
    assert found[0]["data"] == item
    data = {"actionIdentifier": "make", "selection": ["x"]}
    reply = asking.event_hub.publish_and_wait(Event("ftrack.action.launch", data=data), 20)
    assert reply is not None
    assert reply["data"] == {"success": True, "message": "x"}


def test_a_handshake_opens_one_websocket_on_any_server(servers: tuple[Sandbox, Sandbox]) -> None:
    """The session of a handshake opens a websocket on the other server, and only once."""
    here, there = servers
    headers = {"ftrack-user": here.api_user, "ftrack-api-key": here.api_key}
    answer = requests.get(f"{here.server_url}/socket.io/1/", headers=headers, timeout=30)
    session, heartbeat, *_ = answer.text.split(":")
    assert heartbeat == "15"
    address = f"{there.server_url.replace('http', 'ws')}/socket.io/1/websocket/{session}"
    opened = websocket.create_connection(address, timeout=30)
    assert opened.recv() == "1::"
    opened.close()
    for server in (there, here):
        again = f"{server.server_url.replace('http', 'ws')}/socket.io/1/websocket/{session}"
        with pytest.raises(websocket.WebSocketException):
            websocket.create_connection(again, timeout=30)


def test_a_hub_moves_to_another_server_and_misses_nothing(
    servers: tuple[Sandbox, Sandbox],
    sessions: list[Session],
    make_proxy: Callable[[int], Any],
    until: Callable[..., None],
) -> None:
    """A hub whose connection breaks reconnects to the other server, and gets each event once."""
    ports = [int(one.server_url.rsplit(":", 1)[1]) for one in servers]
    proxy = make_proxy(ports[0])
    hub = EventHub(proxy.url, servers[0].api_user, servers[0].api_key)
    hub.connect()
    heard = listen(hub, "topic=moving")
    publisher = sessions[0].event_hub
    settled(servers)
    for n in range(60):
        if n % 20 == 10:
            proxy.target = ports[(n // 20 + 1) % 2]
            proxy.cut()
        publisher.publish(Event("moving", data={"n": n}))
        time.sleep(0.01)
    until(lambda: len(heard) >= 60, 60)
    settled(servers)
    assert [event["data"]["n"] for event in heard] == list(range(60))
    hub.close()


def test_rights_hold_on_the_other_server(
    servers: tuple[Sandbox, Sandbox], sessions: list[Session], until: Callable[..., None]
) -> None:
    """A change of rights on one server decides at once who hears of a project on the other."""
    admin, there = sessions[0], servers[1]
    name = f"u{uuid.uuid4().hex[:8]}"
    user = admin.create("User", {"username": name, "is_active": True})
    admin.commit()
    key = admin.reset_remote("api_key", entity=user)["api_key"]
    project = make_project(admin, is_private=True)
    with there.session(api_user=name, api_key=key, plugin_paths=[]) as session:
        session.event_hub.connect()
        heard = listen(session.event_hub, "topic=ftrack.update")
        marks = listen(session.event_hub, "topic=mark")
        settled(servers)
        project["full_name"] = "hidden"
        admin.commit()
        # The rights count at the moment when the other server delivers the event.
        sessions[0].event_hub.publish(Event("mark"))
        until(lambda: len(marks) == 1, 30)
        role = admin.query('SecurityRole where name is "User"').first()
        assert role is not None
        admin.call(
            [
                {
                    "action": "add_user_security_role",
                    "user_id": user["id"],
                    "role_id": role["id"],
                },
                {
                    "action": "grant_user_security_role_project",
                    "user_id": user["id"],
                    "role_id": role["id"],
                    "project_id": project["id"],
                },
            ]
        )
        project["full_name"] = "seen"
        admin.commit()
        sessions[0].event_hub.publish(Event("mark"))
        until(lambda: len(marks) == 2, 30)
        told = [
            entity["changes"]["fullname"]["new"]
            for event in heard
            for entity in event["data"]["entities"]
            if entity.get("entityId") == project["id"] and "fullname" in (entity["changes"] or {})
        ]
        assert told == ["seen"]
        user["is_active"] = False
        admin.commit()
        until(lambda: not session.event_hub.connected, 30)


@pytest.fixture
def start_process(
    namespace: Any, tmp_path: pathlib.Path
) -> Iterator[Callable[[], tuple[subprocess.Popen[str], str, str]]]:
    """Return the function that starts another process of a site: process, address and key."""
    started: list[subprocess.Popen[str]] = []
    with namespace(URL) as url:

        def start() -> tuple[subprocess.Popen[str], str, str]:
            command = [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--port", "0"]
            place = ["--database", url, "--media", str(tmp_path), "--key", "secret-key-of-test"]
            process = subprocess.Popen(
                [*command, *place], stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
            started.append(process)
            assert process.stdout is not None
            facts = json.loads(process.stdout.readline())
            return process, facts["server_url"], facts["api_key"]

        yield start
        for process in started:
            process.kill()
            process.communicate(timeout=20)


def test_a_killed_process_loses_nothing_that_was_acknowledged(
    start_process: Callable[[], tuple[subprocess.Popen[str], str, str]],
    until: Callable[..., None],
) -> None:
    """kill -9 under load: acknowledged events and commits reach the other process, once each."""
    from ftrack_like.session import RetryPolicy, Session

    # The test waits until clients give up on the killed process.
    retry = RetryPolicy(total_time=2)
    doomed, address, key = start_process()
    _, other, _ = start_process()
    listener = EventHub(other, "admin", key)
    listener.connect()
    heard = listen(listener, "topic=load or topic=ftrack.update")
    acknowledged: list[list[int]] = []
    committed: list[str] = []

    def publish(number: int) -> None:
        with contextlib.suppress(Exception):
            for count in range(10_000):
                hub.publish([number, count])

    def commit() -> None:
        with (
            contextlib.suppress(Exception),
            Session(address, key, "admin", plugin_paths=[], retry=retry) as session,
        ):
            for _ in range(10_000):
                committed.append(make_project(session)["id"])

    class Wire:
        """Publishes over a bare websocket, and knows what was acknowledged."""

        def __init__(self) -> None:
            headers = {"ftrack-user": "admin", "ftrack-api-key": key}
            answer = requests.get(f"{address}/socket.io/1/", headers=headers, timeout=30)
            place = f"{address.replace('http', 'ws')}/socket.io/1/websocket/"
            self.lock = threading.Lock()
            self.socket = websocket.create_connection(place + answer.text.split(":")[0], timeout=30)

        def publish(self, value: list[int]) -> None:
            with self.lock:
                event = {"topic": "load", "data": {"n": value}, "source": {"id": "w"}}
                self.socket.send(f"5:1+::{packets.dumps(packets.event_data(event))}")
                while not self.socket.recv().startswith("6:::1"):
                    pass
            acknowledged.append(value)

    hub = Wire()
    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=commit) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) > 100 and len(committed) > 5, 120)
    doomed.kill()
    for thread in threads:
        thread.join(60)

    def numbers() -> list[Any]:
        return [one["data"]["n"] for one in list(heard) if one["topic"] == "load"]

    def projects() -> list[str]:
        return [
            entity["entityId"]
            for one in list(heard)
            if one["topic"] == "ftrack.update"
            for entity in one["data"]["entities"]
            if entity.get("entity_type") == "Project"
        ]

    with Session(other, key, "admin", plugin_paths=[]) as session:
        known = {one["id"] for one in session.query("Project")}
    assert known.issuperset(committed)
    until(lambda: len(numbers()) >= len(acknowledged) and set(projects()) >= known, 60)
    heard_numbers = [tuple(one) for one in numbers()]
    assert set(heard_numbers) >= {tuple(one) for one in acknowledged}
    assert len(set(heard_numbers)) == len(heard_numbers)
    assert sorted(projects()) == sorted(known)
    listener.close()


def test_the_list_of_events_is_the_same_on_each_server(
    servers: tuple[Sandbox, Sandbox], sessions: list[Session]
) -> None:
    """An administrator finds the event of a commit at once, whichever server answers."""
    project = make_project(sessions[0])
    for server in servers:
        answer = requests.get(
            f"{server.server_url}/events",
            headers={"ftrack-user": server.api_user, "ftrack-api-key": server.api_key},
            timeout=30,
        )
        ids = [
            entity.get("entityId")
            for one in answer.json()["events"]
            for entity in one["event"]["data"].get("entities", ())
        ]
        assert ids.count(project["id"]) == 1


def test_a_recorder_knows_the_events_of_a_commit(
    servers: tuple[Sandbox, Sandbox], sessions: list[Session]
) -> None:
    """When a commit has returned, a recorder on any server lists its events."""
    with EventRecorder(servers[1]) as recorder:
        make_project(sessions[0])
        assert "ftrack.update" in [event["topic"] for event in recorder.published]
