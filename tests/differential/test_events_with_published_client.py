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
print("ready", flush=True)
event = Event("from.published", data={"x": 1})
hub.publish(event, on_reply=lambda event: replies.append(event["data"]))
deadline = time.time() + 20
while not ("quit" in heard and replies) and time.time() < deadline:
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
        output, _ = published.communicate(timeout=30)
    assert published.returncode == 0
    assert reply["data"] == {"hello": "published"}
    assert heard == [{"x": 1}]
    assert json.loads(output) == {
        "heard": [{"y": 2}, "show", "quit"],
        "replies": [{"hello": "ours"}],
    }
