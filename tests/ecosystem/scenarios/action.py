"""Discover and launch actions of ftrack-action-handler, over the event server."""

import json
import threading

import ftrack_api
from ftrack_action_handler.action import AdvancedBaseAction, BaseAction

answers = {}


class Rename(BaseAction):
    """Renames what is selected."""

    label = "Rename"
    identifier = "studio.rename"
    description = "Renames the selection."

    def discover(self, session, entities, event):
        """Offer the action for one task."""
        return len(entities) == 1 and entities[0][0] == "TypedContext"

    def interface(self, session, entities, event):
        """Ask for a name until there is one."""
        if not event["data"].get("values"):
            return [{"type": "text", "label": "Name", "name": "name"}]
        return None

    def launch(self, session, entities, event):
        """Rename."""
        entity_type, entity_id = entities[0]
        task = session.get(entity_type, entity_id)
        task["name"] = event["data"]["values"]["name"]
        session.commit()
        return {"success": True, "message": f"Renamed to {task['name']}."}


class Report(AdvancedBaseAction):
    """Reports by a job."""

    label = "Report"
    identifier = "studio.report"

    def discover(self, session, entities, event):
        """Offer the action always."""
        return True

    def launch(self, session, entities, event):
        """Make a job and finish it."""
        job_id = self.create_job(event, "Reporting")
        self.mark_job_as_done(job_id, "Reported")
        return True


with ftrack_api.Session(auto_connect_event_hub=False) as host:
    host.event_hub.connect()
    Rename(host).register()
    Report(host).register()
    serving = threading.Thread(target=host.event_hub.wait, daemon=True)
    serving.start()
    with ftrack_api.Session(auto_connect_event_hub=False) as client:
        client.event_hub.connect()
        schema = client.query("ProjectSchema order by name").first()
        project = client.create("Project", {"name": "harbour", "project_schema": schema})
        task = client.create("Task", {"name": "layout", "parent": project})
        client.commit()
        user = client.query(f'User where username is "{client.api_user}"').one()

        def ask(topic, wanted, **data):
            """Return the *wanted* number of replies to an event about the task."""
            selection = [{"entityId": task["id"], "entityType": "task"}]
            source = {"user": {"username": client.api_user, "id": user["id"]}}
            event = ftrack_api.event.base.Event(
                topic=topic, data={"selection": selection, **data}, source=source
            )
            replies = []
            client.event_hub.publish(event, on_reply=replies.append)
            for _ in range(200):
                client.event_hub.wait(0.05)
                if len(replies) >= wanted:
                    break
            return [reply["data"] for reply in replies]

        found = [item for reply in ask("ftrack.action.discover", 2) for item in reply["items"]]
        answers["discovered"] = sorted(item["label"] for item in found)
        (form,) = ask("ftrack.action.launch", 1, actionIdentifier="studio.rename")
        answers["form"] = form
        values = {"name": "layout_final"}
        (done,) = ask("ftrack.action.launch", 1, actionIdentifier="studio.rename", values=values)
        answers["done"] = done
        (reported,) = ask("ftrack.action.launch", 1, actionIdentifier="studio.report")
        answers["reported"] = reported
        client.reset()
        answers["name"] = client.get("Task", task["id"])["name"]
        answers["jobs"] = [
            [job["status"], json.loads(job["data"])["description"]]
            for job in client.query("select status, data from Job")
        ]
    host.event_hub.disconnect()
    serving.join(5)
print(json.dumps(answers))
