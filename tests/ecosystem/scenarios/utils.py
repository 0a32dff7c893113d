"""Sessions, a thread for the event hub, and texts by ftrack-utils."""

import json
import logging
import os
import sys

import ftrack_api
from ftrack_utils.decorators.session import with_new_session
from ftrack_utils.event_hub.event_hub_thread import EventHubThread
from ftrack_utils.server.send_event import send_event
from ftrack_utils.session.ftrack_api_session import (
    create_api_session,
    get_event_hub_thread,
    wait_for_event_hub_connection,
)
from ftrack_utils.string import str_context, str_version

answers = {"errors": []}


class Errors(logging.Handler):
    """Keeps what is logged."""

    def emit(self, record):
        """Keep one record."""
        answers["errors"].append(record.getMessage())


session = create_api_session()
assert isinstance(session, ftrack_api.Session)
wait_for_event_hub_connection(session)
answers["connected"] = session.event_hub.connected
thread = get_event_hub_thread(session)
answers["thread"] = isinstance(thread, EventHubThread)
schema = session.query("ProjectSchema order by name").first()
project = session.create("Project", {"name": "harbour", "project_schema": schema})
shot = session.create("Shot", {"name": "sh10", "parent": project})
task = session.create("Task", {"name": "layout", "parent": shot})
session.commit()
asset_type = session.query("AssetType order by name").first()
asset = session.create("Asset", {"name": "plate", "parent": shot, "type": asset_type})
version = session.create("AssetVersion", {"asset": asset, "task": task})
session.commit()
answers["context"] = str_context(session.get("Task", task["id"]))
answers["version"] = str_version(version)

heard = []
session.event_hub.subscribe("topic=studio.utils", lambda event: heard.append(event["data"]))
session.event_hub.publish(ftrack_api.event.base.Event("studio.utils", data={"a": 1}))
for _ in range(200):
    if heard:
        break
    thread.join(0.05)
answers["heard"] = heard


@with_new_session
def read(session):
    """Return the name of the project, read by a session for this call alone."""
    return session.query("Project").one()["name"]


answers["read"] = read()
logging.getLogger("ftrack_utils").addHandler(Errors(logging.ERROR))
send_event(session, "_track_usage", "USED", {"a": 1})
print(json.dumps(answers))
sys.stdout.flush()
session.close()
thread.join(5)
os._exit(0)  # The thread may not end, with the published client.
