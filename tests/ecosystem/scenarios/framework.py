"""Run a tool of ftrack-framework-core: client and host talk by events of a session."""

import json
import logging
import os
import sys

import ftrack_api
from ftrack_constants.framework import event as constants
from ftrack_framework_core.client import Client
from ftrack_framework_core.event import EventManager
from ftrack_framework_core.host import Host
from ftrack_framework_core.registry import Registry

logging.disable(logging.CRITICAL)
folder = os.path.join(sys.argv[1], "extensions")
os.makedirs(folder)
EXTENSIONS = {
    "studio_plugin.py": """
from ftrack_framework_core.plugin import BasePlugin

class DescribePlugin(BasePlugin):
    name = "studio_describe"

    def run(self, store):
        task = self.session.get("Task", self.context_id)
        task["description"] = self.options["text"]
        self.session.commit()
        store["described"] = task["name"]
""",
    "studio_engine.py": """
from ftrack_framework_core.engine import BaseEngine

class StudioEngine(BaseEngine):
    name = "studio_engine"
    engine_types = ["studio"]

    def execute_engine(self, engine, user_options):
        store = self.get_store()
        for item in engine:
            options = {**(item.get("options") or {}), **user_options.get(item["reference"], {})}
            self.run_plugin(item["plugin"], store, options, item["reference"])
        return store
""",
    "studio_tool.yaml": """
type: tool_config
name: studio-tool
config_type: studio
engine_name: studio_engine
engine:
  - type: plugin
    plugin: studio_describe
    options:
      text: from the tool
""",
}
for name, text in EXTENSIONS.items():
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)

answers = {}
with ftrack_api.Session(auto_connect_event_hub=False) as session:
    schema = session.query("ProjectSchema order by name").first()
    project = session.create("Project", {"name": "harbour", "project_schema": schema})
    task = session.create("Task", {"name": "layout", "parent": project})
    session.commit()
    os.environ["FTRACK_CONTEXTID"] = task["id"]
    registry = Registry()
    registry.scan_extensions(paths=[folder])
    answers["plugins"] = sorted(item["name"] for item in registry.plugins or [])
    answers["tools"] = sorted(item["name"] for item in registry.tool_configs or [])
    manager = EventManager(session=session, mode=constants.LOCAL_EVENT_MODE)
    host = Host(manager, registry=registry)
    client = Client(manager, registry=registry)
    answers["same_host"] = client.host_id == host.id
    answers["context"] = client.context_id == task["id"]
    logged = []
    session.event_hub.subscribe(
        f"topic={constants.HOST_LOG_ITEM_ADDED_TOPIC}",
        lambda event: logged.append(bool(event["data"]["log_item"])),
    )
    (tool,) = [each for each in client.tool_configs["studio"] if each["name"] == "studio-tool"]
    client.run_tool_config(tool["reference"])
    answers["logged"] = logged
    answers["verified"] = client.verify_plugins(["studio_describe", "nothing"])
    session.reset()
    answers["description"] = session.get("Task", task["id"])["description"]
print(json.dumps(answers))
