"""The published client and ours on one event server: they hear, answer and tell each other."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

if importlib.util.find_spec("ftrack_api") is None:
    pytest.skip("needs ftrack-python-api: tox run -e differential", allow_module_level=True)

#: Runs in a process of its own, since the published client reconnects as it likes.
_PUBLISHED = """
import json, sys, time
from ftrack_api.event.base import Event
from ftrack_api.event.hub import EventHub

hub = EventHub(*sys.argv[1:4])
hub.connect()
heard, replies = [], []

def answer(event):
    heard.append(event["data"])
    return {"hello": "published"}

hub.subscribe("topic=from.ours", answer)
hub.subscribe(
    "topic=ftrack.update", lambda event: heard.append(event["data"]["entities"][0]["entityType"])
)
hub.subscribe("topic=quit", lambda event: heard.append("quit"))
event = Event("from.published", data={"x": 1})
hub.publish(event, on_reply=lambda event: replies.append(event["data"]))
deadline = time.time() + 60
while not replies and time.time() < deadline:
    hub.wait(0.1)
# The server reads in order: whoever has a reply has its subscriptions, too.
print("ready", flush=True)
while "quit" not in heard and time.time() < deadline:
    hub.wait(0.1)
print(json.dumps({"heard": heard, "replies": replies}), flush=True)
hub.disconnect()
"""


def test_both_clients_hear_and_answer_each_other() -> None:
    """Events, replies and ftrack.update pass between the published client and ours."""
    import threading

    from ftrack_like.event.base import Event
    from ftrack_like.testing import Sandbox

    with Sandbox() as sandbox, sandbox.session() as session:
        hub = session.event_hub
        hub.connect()
        heard: list[Any] = []

        def answer(event: Event) -> dict[str, str]:
            heard.append(event["data"])
            return {"hello": "ours"}

        hub.subscribe("topic=from.published", answer)
        threading.Thread(target=hub.wait, daemon=True).start()
        published = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _PUBLISHED,
                sandbox.server_url,
                sandbox.api_user,
                sandbox.api_key,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert published.stdout is not None
        assert published.stdout.readline() == "ready\n"
        reply = hub.publish_and_wait(Event("from.ours", data={"y": 2}))
        schema = session.query("ProjectSchema").first()
        session.create("Project", {"name": "x", "full_name": "x", "project_schema": schema})
        session.commit()
        hub.publish(Event("quit"))
        output, _ = published.communicate(timeout=90)
    assert published.returncode == 0
    assert reply["data"] == {"hello": "published"}
    assert heard == [{"x": 1}]
    assert json.loads(output) == {
        "heard": [{"y": 2}, "show", "socialfeed", "quit"],
        "replies": [{"hello": "ours"}],
    }


#: Subscribes while the session connects its hub by itself; prints what was logged.
_AUTO_CONNECT = """
import logging, sys, time
import ftrack_api

logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
url, user, key = sys.argv[1:4]
session = ftrack_api.Session(
    url, api_key=key, api_user=user, auto_connect_event_hub=True, schema_cache_path=False
)
heard = []
for number in range(5):
    session.event_hub.subscribe(f"topic=test.{number}", heard.append)
deadline = time.time() + 60
while not session.event_hub.connected and time.time() < deadline:
    time.sleep(0.05)
from ftrack_api.event.base import Event

for number in range(5):
    session.event_hub.publish(Event(f"test.{number}"))
while len(heard) < 5 and time.time() < deadline:
    session.event_hub.wait(0.1)
print("heard", len(heard))
session.close()
"""


def test_a_hub_that_connects_by_itself_logs_no_fault() -> None:
    """Subscribing while the published client connects by itself is accepted, and heard once."""
    from ftrack_like.testing import Sandbox

    with Sandbox() as sandbox:
        arguments = [sandbox.server_url, sandbox.api_user, sandbox.api_key]
        ran = subprocess.run(
            [sys.executable, "-c", _AUTO_CONNECT, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "heard 5" in ran.stdout
    assert "subscribe" not in ran.stdout
