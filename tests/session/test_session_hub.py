"""The event hub of a session: made at the start, of whatever class is in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ftrack_like.event.hub
from ftrack_like import _centralized_storage_scenario as scenario
from ftrack_like.event.hub import EventHub
from ftrack_like.session import Session

KEY = "secret-key-1"

SCENARIO = {
    "scenario": scenario.scenario_name,
    "data": {
        "location_id": "central-id",
        "location_name": "central",
        "accessor": {"mount_points": {"linux": "/mnt/s", "osx": "/mnt/s", "windows": "/mnt/s"}},
    },
}


class Plain(Session):
    """A session without plugins, wherever the environment has some."""

    def _discover_plugins(self, plugin_arguments: Any = None) -> None:
        """Load nothing."""


def _start(server: Any, kind: type = Plain, **settings: Any) -> Any:
    return kind(server.url, KEY, "jane", schema_cache_path=False, **settings)


def test_hub_has_what_the_constructor_was_told(server: Any) -> None:
    """Address, headers and cookies are those of the session; it does not connect by itself."""
    with _start(server, headers={"x-studio": "1"}, cookies={"gate": "open"}) as session:
        hub = session.event_hub
        assert hub is session.event_hub
        assert type(hub) is EventHub
        assert hub.get_server_url() == server.url
        assert (hub._headers["x-studio"], hub._cookies["gate"]) == ("1", "open")
        assert not hub.connected


def test_own_class_is_made_before_plugins_load(server: Any) -> None:
    """A hub of the caller's own is there when the plugins are."""
    made = []

    class Own(EventHub):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            super().__init__(*args, **keywords)
            made.append(self)

    class Early(Plain):
        def _discover_plugins(self, plugin_arguments: Any = None) -> None:
            assert len(made) == 1

    with _start(server, Early, event_hub_class=Own) as session:
        assert len(made) == 1
        assert session.event_hub is made[0]


def test_replaced_class_is_used(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that was put in the place of EventHub, with the older signature, makes the hub."""
    told = []

    class Fake:
        def __init__(
            self,
            server_url: str,
            api_user: str,
            api_key: str,
            headers: Any = None,
            cookies: Any = None,
        ) -> None:
            told.append((server_url, api_user))

        def subscribe(self, subscription: str, callback: Any) -> None:
            told.append(subscription)

        def publish(self, event: Any, synchronous: bool = False) -> list[Any]:
            told.append(event["topic"])
            return []

        def disconnect(self, unsubscribe: bool = True) -> None:
            told.append("disconnect")

    monkeypatch.setattr(ftrack_like.event.hub, "EventHub", Fake)
    with _start(server) as session:
        assert type(session.event_hub) is Fake
    assert told[0] == (server.url, "jane")
    assert told[-3:] == [
        "ftrack.api.session.configure-location",
        "ftrack.api.session.ready",
        "disconnect",
    ]


def test_storage_scenario_of_the_server_is_set_up(server: Any) -> None:
    """A session stores where the storage scenario of its server says."""

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


@pytest.mark.parametrize("delegates", [True, False])
def test_storage_scenario_is_followed_once(server: Any, delegates: bool) -> None:
    """The hub hears of the storage scenario once, also one that a subclass passes on."""

    class Delegating(Plain):
        @property
        def event_hub(self) -> Any:
            return super().event_hub

    with _start(server, Delegating if delegates else Plain) as session:
        session.reset()
        texts = [str(each.subscription) for each in session.event_hub._subscribers]
        assert sum("ftrack.storage-scenario.activate" in text for text in texts) == 1
        assert sum("ftrack.connect.verify-startup" in text for text in texts) == 1


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
    settings = {"plugin_paths": [str(tmp_path)], "plugin_arguments": {"told": told}}
    with _start(server, Session, **settings) as session:
        session.reset()
    names = [topic.rpartition(".")[2] for topic in told]
    assert names == ["configure-location", "ready", "configure-location", "reset"]
