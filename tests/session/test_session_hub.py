"""The event hub of a session: made when somebody looks at it, and as if it had always been."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import _centralized_storage_scenario as scenario
from ftrack_like.event.hub import EventHub
from ftrack_like.session import Session

KEY = "secret-key-1"

#: Who starts, queries and closes, and tells which modules that took.
PLAIN = """
import json, sys
import ftrack_like
settings = {"schema_cache_path": False, "plugin_paths": []}
with ftrack_like.Session(sys.argv[1], "key", "jane", **settings) as session:
    session.query("Task").all()
    session.reset()
print(json.dumps(sorted(sys.modules)))
"""

SCENARIO = {
    "scenario": scenario.scenario_name,
    "data": {
        "location_id": "central-id",
        "location_name": "central",
        "accessor": {"mount_points": {"linux": "/mnt/s", "osx": "/mnt/s", "windows": "/mnt/s"}},
    },
}


class Deaf(Session):
    """A session whose plugins are none, wherever the environment has some."""

    def _discover_plugins(self, plugin_arguments: Any = None) -> None:
        """Load nothing."""


def _start(server: Any, kind: type = Deaf, **settings: Any) -> Any:
    return kind(server.url, KEY, "jane", schema_cache_path=False, **settings)


def test_plain_query_needs_no_hub(server: Any) -> None:
    """To start, query, reset and close loads nothing of the event hub."""
    command = [sys.executable, "-c", PLAIN, server.url]
    loaded = json.loads(subprocess.check_output(command, text=True))
    assert "ftrack_like.session" in loaded
    assert not {"ftrack_like.event.hub", "ftrack_like.wire.packets"} & set(loaded)


def test_hub_is_made_once(server: Any) -> None:
    """Whoever looks at the hub gets the same one, with what the constructor was told."""
    with _start(server, headers={"x-studio": "1"}, cookies={"gate": "open"}) as session:
        hub = session.event_hub
        assert hub is session.event_hub
        assert type(hub) is EventHub
        assert hub.get_server_url() == server.url
        assert (hub._headers["x-studio"], hub._cookies["gate"]) == ("1", "open")
        assert not hub.connected


def test_own_class_is_made_at_the_start(server: Any) -> None:
    """A hub of the caller's own is there before the plugins are."""
    made = []

    class Own(EventHub):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            super().__init__(*args, **keywords)
            made.append(self)

    with _start(server, event_hub_class=Own) as session:
        assert made == [session.event_hub]


@pytest.mark.parametrize("early", [True, False])
def test_storage_scenario_is_followed_once(server: Any, early: bool) -> None:
    """The hub knows the storage scenario once, whether it is made by a plugin or later."""

    class Early(Deaf):
        def _discover_plugins(self, plugin_arguments: Any = None) -> None:
            assert not self.event_hub.connected

    with _start(server, Early if early else Deaf) as session:
        session.reset()
        texts = [str(each.subscription) for each in session.event_hub._subscribers]
        assert sum("ftrack.storage-scenario.activate" in text for text in texts) == 1
        assert sum("ftrack.connect.verify-startup" in text for text in texts) == 1


def test_storage_scenario_of_the_server_is_set_up(server: Any) -> None:
    """A session whose hub nobody looked at stores where the server says."""

    def answer(batch: Any) -> Any:
        results = plain(batch)
        if batch[0]["action"] == "query_server_information":
            return [{**results[0], "storage_scenario": SCENARIO}]
        return results

    plain, server.answer = server.answer, answer
    with _start(server) as session:
        location = session.create("Location", {"id": "central-id"}, reconstructing=True)
        assert location.accessor.prefix == "/mnt/s"
        assert location.priority == 1


def test_overridden_hub_is_told(server: Any) -> None:
    """A subclass that has a hub of another kind still tells it what the start does."""
    topics = []
    subscriptions = []

    class Recorder:
        def subscribe(self, subscription: str, callback: Any) -> None:
            subscriptions.append(subscription)

        def publish(self, event: Any, synchronous: bool = False) -> list[Any]:
            topics.append((event["topic"], synchronous))
            return []

    class Overriding(Deaf):
        @property
        def event_hub(self) -> Any:
            return Recorder()

    with _start(server, Overriding) as session:
        session.reset()
    start = [("ftrack.api.session.configure-location", True), ("ftrack.api.session.ready", True)]
    assert topics[:2] == start
    assert "topic=ftrack.storage-scenario.activate" in subscriptions[0]
    assert topics[2:] == [start[0], ("ftrack.api.session.reset", True)]


def test_plugins_hear_of_the_start(server: Any, tmp_path: Path) -> None:
    """A plugin that subscribes while it is registered hears of locations and readiness."""
    (tmp_path / "listening.py").write_text(
        "def register(session, told):\n"
        "    for topic in ('configure-location', 'ready', 'reset'):\n"
        "        session.event_hub.subscribe(\n"
        "            f'topic=ftrack.api.session.{topic}',\n"
        "            lambda event: told.append(event['topic']),\n"
        "        )\n"
    )
    told: list[str] = []
    session = Session(
        server.url,
        KEY,
        "jane",
        schema_cache_path=False,
        plugin_paths=[str(tmp_path)],
        plugin_arguments={"told": told},
    )
    with session:
        session.reset()
    names = [topic.rpartition(".")[2] for topic in told]
    assert names == ["configure-location", "ready", "configure-location", "reset"]
