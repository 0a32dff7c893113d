"""Events of the documented topics reach the programs that wait for them, and so do the replies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ftrack_like.event.base import Event

ID = "0b0c3a4e-5a3c-11ef-8a1b-0242ac120002"
ENTITY = {"entityId": ID, "entityType": "assetversion"}
LISTED: dict[str, Any] = {"query": "", "sorters": [], "groupers": [], "filters": []}
STORAGE = {
    "location_id": ID,
    "location_name": "studio.central-storage-location",
    "accessor": {"mount_points": {"windows": "S:\\", "osx": "/Volumes/s", "linux": "/mnt/s"}},
}
SCENARIO = {"scenario": "ftrack.centralized-storage", "data": STORAGE}

#: Topic, further condition of the subscriber, data, and the reply.
EXCHANGES: list[tuple[str, str, Any, Any]] = [
    (
        "ftrack.connect",
        'and source.user.username="admin"',
        {"action": "start", "plugin": "publish", "entity": ENTITY},
        None,
    ),
    ("ftrack.connect.discover", "", {}, True),
    (
        "ftrack.dynamic-enumerator",
        "and data.attributeName=reel",
        {
            "attributeName": "reel",
            "recordData": {"entity": ENTITY, "changes": {}},
            **LISTED,
        },
        [{"name": "Reel one", "value": "r1"}],
    ),
    (
        "ftrack.location.request-resolve",
        'and data.locationName="studio.disk"',
        {"componentId": ID, "platform": "Linux", "locationName": "studio.disk"},
        {"path": "/mnt/s/a.exr"},
    ),
    ("ftrack.location.request-resolve", "", {"componentId": ID, "platform": "Linux"}, None),
    (
        "ftrack.location.component-added",
        "and source.applicationId=ftrack.client.web",
        {"component_id": ID, "location_id": ID},
        None,
    ),
    (
        "ftrack.storage-scenario.discover",
        'and source.user.username="admin"',
        {**LISTED, "filters": [{"property": "name"}]},
        {"items": []},
    ),
    (
        "ftrack.storage-scenario.configure",
        'and data.scenario_id="ftrack.centralized-storage"',
        {"scenario_id": "ftrack.centralized-storage"},
        {"items": [], "title": "Storage"},
    ),
    ("ftrack.storage-scenario.configure-done", "", {}, None),
    ("ftrack.storage-scenario.activate", "", {"storage_scenario": SCENARIO}, None),
    (
        "ftrack.connect.publish.make-web-playable",
        "",
        {"versionId": ID, "path": "/mnt/s/a.mov"},
        None,
    ),
]


@contextmanager
def listening(hub: Any) -> Iterator[None]:
    """Connect *hub*, and run its callbacks on another thread."""
    hub.connect()
    assert hub.wait_connected(20)
    thread = threading.Thread(target=hub.wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        hub.disconnect()
        thread.join(20)


@pytest.mark.parametrize(
    ("topic", "condition", "data", "reply"),
    EXCHANGES,
    ids=[f"{number} {exchange[0]}" for number, exchange in enumerate(EXCHANGES)],
)
def test_documented_topics_pass_unchanged(
    sandbox: Any, topic: str, condition: str, data: Any, reply: Any
) -> None:
    """The data and the reply of a topic arrive as they were sent, whatever their shape."""
    with sandbox.session() as program, sandbox.session() as publisher:
        heard: list[Any] = []
        done = threading.Event()

        def answer(event: Event) -> Any:
            heard.append(event["data"])
            done.set()
            return reply

        program.event_hub.subscribe(f"topic={topic} {condition}", answer)
        publisher.event_hub.connect()
        sent = Event(topic, data=data, source={"applicationId": "ftrack.client.web"})
        with listening(program.event_hub):
            if reply is None:
                publisher.event_hub.publish(sent)
                assert done.wait(20)
            else:
                found = publisher.event_hub.publish_and_wait(sent, timeout=20)
                assert found["data"] == reply
    assert heard == [data]
