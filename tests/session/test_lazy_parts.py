"""Parts of a session that are created on first use: the event hub, and the built-in locations."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Optional

import pytest
from tests.session.conftest import INFORMATION

from ftrack_like.accessor.server import _ServerAccessor
from ftrack_like.event import hub as hub_module
from ftrack_like.event.base import Event
from ftrack_like.session import Session
from ftrack_like.symbol import SERVER_LOCATION_ID

KEY = "secret-key-1"

#: Modules that no query needs.
UNUSED = (
    "_centralized_storage_scenario",
    "_session.built_in_locations",
    "_session.planned_changes",
    "_session.unit_of_work",
    "accessor.disk",
    "accessor.server",
    "entity.location",
    "event.hub",
    "structure.origin",
    "wire.events",
    "wire.expression",
)


def modules_after(statements: str, url: str, key: str, user: str, folder: Path) -> set[str]:
    """Return the names of all modules in a process that runs *statements* with a ``session``."""
    options = f"plugin_paths=[], schema_cache_path={str(folder)!r}"
    code = f"""
import sys, ftrack_like
with ftrack_like.Session({url!r}, {key!r}, {user!r}, {options}) as session:
    {statements}
    print(*sys.modules)
"""
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


@pytest.mark.parametrize("scenario", [None, "ftrack.automatic", "studio.own-scenario"])
def test_query_loads_no_other_parts(
    scenario: Optional[str], server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that only queries loads neither the event hub nor accessors nor the commit."""
    stored = scenario and {"scenario": scenario, "data": {}}
    monkeypatch.setitem(INFORMATION, "storage_scenario", stored)
    statement = 'session.query("select name from Task").all()'
    found = modules_after(statement, server.url, KEY, "jane", tmp_path)
    assert not found & {f"ftrack_like.{name}" for name in UNUSED}


def test_query_of_a_fresh_site_loads_no_other_parts(sandbox: Any, tmp_path: Path) -> None:
    """The same holds for a site as the sandbox seeds it."""
    statement = 'session.query("select name, status.name from Task").first()'
    access = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
    found = modules_after(statement, *access, tmp_path)
    assert not found & {f"ftrack_like.{name}" for name in UNUSED}
    assert "inspect" not in found


def test_hub_loads_no_tools_for_source_code(server: Any, tmp_path: Path) -> None:
    """The event hub needs no module that reads Python source, which takes 10 ms to import."""
    found = modules_after("session.event_hub", server.url, KEY, "jane", tmp_path)
    assert not found & {"ast", "dataclasses", "dis", "inspect"}


def test_hub_is_created_on_first_use(server: Any, open_session: Any) -> None:
    """The hub exists from its first use on, with the subscribers of the storage scenario."""
    session = open_session(server)
    assert "_event_hub" not in session.__dict__
    hub = session.event_hub
    assert session.event_hub is hub is session._event_hub
    topics = sorted(str(each.subscription) for each in hub._subscribers)
    assert [topic.split(" and ")[0] for topic in topics] == [
        "topic=ftrack.connect.verify-startup",
        "topic=ftrack.storage-scenario.activate",
    ]


def test_threads_get_the_same_hub(server: Any, open_session: Any) -> None:
    """Threads that use the hub first at the same time get one hub with one set of subscribers."""
    session = open_session(server)
    start, found = threading.Barrier(8), []

    def use() -> None:
        start.wait()
        found.append(session.event_hub)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
    assert len(found[0]._subscribers) == 2


def test_given_class_is_used_at_the_start(server: Any, open_session: Any) -> None:
    """A hub class of the program is created at the start and gets the events of the start."""
    topics = []

    class OwnHub(hub_module.EventHub):
        """A hub that notes what is published."""

        def publish(self, event: Event, *args: Any, **kw: Any) -> Any:
            topics.append(event["topic"])
            return super().publish(event, *args, **kw)

    session = open_session(server, event_hub_class=OwnHub)
    assert type(session.__dict__["_event_hub"]) is OwnHub
    assert topics == [
        "ftrack.storage-scenario.activate",
        "ftrack.api.session.configure-location",
        "ftrack.api.session.ready",
    ]


def test_replaced_class_is_used_at_the_start(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub class that a program puts into the module is created at the start."""

    class OwnHub(hub_module.EventHub):
        """Another hub."""

    monkeypatch.setattr(hub_module, "EventHub", OwnHub)
    assert type(open_session(server).__dict__["_event_hub"]) is OwnHub


def test_property_of_a_subclass_gets_the_events(server: Any) -> None:
    """If a subclass has its own ``event_hub``, that hub gets the events of the start."""
    topics = []

    class Hub:
        """As much of a hub as the start needs."""

        def publish(self, event: Event, synchronous: bool = False) -> None:
            topics.append(event["topic"])

        def subscribe(self, subscription: str, callback: Any) -> str:
            topics.append(subscription.split(" ", maxsplit=1)[0])
            return ""

    class OwnSession(Session):
        """A session with that hub."""

        event_hub = Hub()  # type: ignore[assignment]

    with OwnSession(server.url, KEY, "jane", schema_cache_path=False, plugin_paths=[]):
        pass
    assert topics[-2:] == ["ftrack.api.session.configure-location", "ftrack.api.session.ready"]
    assert "topic=ftrack.storage-scenario.activate" in topics


@pytest.mark.parametrize("way", ["create", "types", "query", "get"])
def test_locations_are_configured_before_first_use(
    server: Any, open_session: Any, way: str
) -> None:
    """Whichever way a program comes to a built-in location, it has its accessor and priority."""
    session = open_session(server)
    record = {"__entity_type__": "Location", "id": SERVER_LOCATION_ID, "name": "ftrack.server"}
    if way == "create":
        found = session.create("Location", {"id": SERVER_LOCATION_ID}, reconstructing=True)
    elif way == "types":
        session.types["Location"]
        found = session.get("Location", SERVER_LOCATION_ID)
    elif way == "query":
        found = session.merge(session.decode(json.dumps(record)))
    else:
        found = session.get("Location", SERVER_LOCATION_ID)
    assert isinstance(found.accessor, _ServerAccessor)
    assert (found.priority, type(found).__name__) == (150, "ServerLocation")


def test_locations_are_configured_at_the_start_for_overrides(server: Any) -> None:
    """A subclass that overrides ``create`` sees the built-in locations at the start."""
    names = []

    class OwnSession(Session):
        """A session that notes what is created."""

        def create(self, entity_type: str, data: Any = None, reconstructing: bool = False) -> Any:
            names.append(data["name"])
            return super().create(entity_type, data, reconstructing)

    with OwnSession(server.url, KEY, "jane", schema_cache_path=False, plugin_paths=[]):
        pass
    assert names == ["ftrack.origin", "ftrack.unmanaged", "ftrack.review", "ftrack.server"]


def test_failed_configuration_is_tried_again(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If configuring the locations fails, the class stays unused, and the next use tries again."""
    session = open_session(server)

    def fail(*args: Any) -> None:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr("ftrack_like._session.built_in_locations.configure", fail)
        with pytest.raises(OSError, match="no"):
            session.types["Location"]
    found = session.get("Location", SERVER_LOCATION_ID)
    assert found is not None
    assert isinstance(found.accessor, _ServerAccessor)
