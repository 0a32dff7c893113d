"""A studio program: an action with a form that renames shots, offered and launched over events."""

from __future__ import annotations

import re
from typing import Any

from book import Stage, step


class RenameShots:
    """An action as studios write it: discovered by what is selected, run by its identifier."""

    identifier = "studio.rename-shots"
    label = "Rename shots"

    def __init__(self, stage: Stage, session: Any) -> None:
        self.stage = stage
        self.session = session
        self.failures: list[str] = []

    def register(self) -> None:
        """Subscribe to discovery and launch."""
        hub = self.session.event_hub
        user = self.session.api_user
        hub.subscribe(
            f"topic=ftrack.action.discover and source.user.username={user}", self.discover
        )
        hub.subscribe(
            f"topic=ftrack.action.launch and data.actionIdentifier={self.identifier} "
            f"and source.user.username={user}",
            self.launch,
        )

    def selected(self, event: Any) -> list[Any]:
        """Return the selected entities."""
        types = {"task": "TypedContext", "show": "Project", "assetversion": "AssetVersion"}
        return [
            self.session.get(types[item["entityType"]], item["entityId"])
            for item in event["data"].get("selection", [])
            if item["entityType"] in types
        ]

    def discover(self, event: Any) -> Any:
        """Offer the action when only shots are selected."""
        entities = self.selected(event)
        if not entities or any(getattr(e, "entity_type", "") != "Shot" for e in entities):
            return None
        item = {"actionIdentifier": self.identifier, "label": self.label, "icon": None}
        return {"items": [item]}

    def form(self, entities: list[Any]) -> Any:
        """Return the form that asks for the names."""
        text = {"type": "label", "value": f"# {len(entities)} shots\nare renamed."}
        fields = [
            {"type": "text", "name": entity["id"], "label": entity["name"], "value": entity["name"]}
            for entity in entities
        ]
        return {"items": [text, *fields], "title": self.label}

    def launch(self, event: Any) -> Any:
        """Ask for names, then rename."""
        entities = self.selected(event)
        values = event["data"].get("values")
        if not values:
            return self.form(entities)
        job = self.session.create(
            "Job",
            {"user_id": self.user()["id"], "status": "running", "data": '{"description": "x"}'},
        )
        self.session.commit()
        try:
            for entity in entities:
                name = re.sub(r"\W+", "_", values[entity["id"]])
                if name != entity["name"]:
                    entity["name"] = name
            self.session.commit()
        except self.stage.error("ServerError") as error:
            self.failures.append(type(error).__mro__[-4].__name__ and "refused")
            self.session.rollback()
            job["status"] = "failed"
            self.session.commit()
            return {"success": False, "message": "A name is taken."}
        job["status"] = "done"
        self.session.commit()
        return {"success": True, "message": f"{len(entities)} renamed."}

    def user(self) -> Any:
        """Return the user of the session."""
        return self.session.query(f'User where username is "{self.session.api_user}"').one()


def action(stage: Stage) -> RenameShots:
    """Return the action, registered in a session of its own."""
    made = RenameShots(stage, stage.new_session())
    made.register()
    return made


def event(stage: Stage, topic: str, entities: list[Any], **data: Any) -> Any:
    """Return an event for *entities* as the server's pages send it."""
    kinds = {"Project": "show", "AssetVersion": "assetversion"}
    selection = [
        {"entityId": entity["id"], "entityType": kinds.get(entity.entity_type, "task")}
        for entity in entities
    ]
    made = stage.module("event.base").Event(topic=topic, data={"selection": selection, **data})
    made["source"] = {"user": {"username": stage.session.api_user}, "id": "page"}
    return made


def launch(stage: Stage, made: RenameShots, entities: list[Any], values: Any = None) -> Any:
    """Return what launching the action on *entities* answers."""
    about = {"actionIdentifier": made.identifier, "values": values}
    sent = event(stage, "ftrack.action.launch", entities, **about)
    return made.session.event_hub.publish(sent, synchronous=True)


@step()
def discovered(stage: Stage) -> Any:
    """The action is offered for shots alone."""
    made = action(stage)
    shot, task = stage.shot("d010"), stage.task("d_task")
    publish = made.session.event_hub.publish
    topic = "ftrack.action.discover"
    return [
        publish(event(stage, topic, entities), synchronous=True)
        for entities in ([], [shot], [shot, task], [stage.project])
    ]


@step()
def form(stage: Stage) -> Any:
    """Launched without values, it answers a form."""
    return launch(stage, action(stage), [stage.shot("f010"), stage.shot("f020")])


@step()
def renamed(stage: Stage) -> Any:
    """With values it renames, and a job tells so."""
    made = action(stage)
    shots = [stage.shot("r010"), stage.shot("r020")]
    values = {shots[0]["id"]: "har 010", shots[1]["id"]: "r020"}
    answer = launch(stage, made, shots, values)
    found = stage.new_session()
    jobs = found.query('select status from Job where type is "api_job"')
    names = sorted(found.get("Shot", shot["id"])["name"] for shot in shots)
    return [answer, names, [job["status"] for job in jobs]]


@step()
def name_is_taken(stage: Stage) -> Any:
    """A refused commit is answered as such; the session is clean afterwards."""
    made = action(stage)
    shots = [stage.shot("t010"), stage.shot("t020")]
    answer = launch(stage, made, shots, {shots[0]["id"]: "t030", shots[1]["id"]: "t030"})
    left = len(made.session.recorded_operations)
    names = sorted(made.session.get("Shot", shot["id"])["name"] for shot in shots)
    return [answer, made.failures, left, names]


@step()
def over_the_server(stage: Stage) -> Any:
    """A page asks over the event server, and two actions answer."""
    made = action(stage)
    hub = made.session.event_hub
    hub.connect()
    other = stage.new_session()
    other.event_hub.connect()
    stage.settle(hub, other.event_hub)
    shot = stage.shot("o010")
    replies: list[Any] = []
    sent = event(stage, "ftrack.action.discover", [shot])
    del sent["source"]
    asked = stage.module("event.base").Event(topic=sent["topic"], data=sent["data"])
    other.event_hub.publish(asked, on_reply=lambda reply: replies.append(reply["data"]))
    for _ in range(100):
        hub.wait(0.05)
        other.event_hub.wait(0.05)
        if replies:
            break
    for each in (hub, other.event_hub):
        each.disconnect()
    return replies
