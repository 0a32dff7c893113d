"""What type checkers make of a session. ``check.py`` compares each comment with what they say."""

from __future__ import annotations

from typing import Any

from typing_extensions import reveal_type

from ftrack_like import Session, attr
from ftrack_like.entity.base import Entity
from ftrack_like.event.base import Event

session = Session()

# Entities
task = session.create("Task", {"name": "layout"})
reveal_type(task)  # Entity
reveal_type(task["name"])  # Any
reveal_type(task.entity_type)  # str
reveal_type(task.session)  # Session
reveal_type(session.ensure("Status", {"name": "Done"}))  # Entity
reveal_type(session.get("Task", "an id"))  # Entity | None
reveal_type(session.merge([task]))  # list[Entity]
reveal_type(session.created)  # list[Entity]
reveal_type(session.pending())  # PendingChanges
reveal_type(session.pending()[0].old_values["name"])  # Any
reveal_type(session.commit(dry_run=True))  # PendingChanges

# Queries
found = session.query("Task")
reveal_type(found)  # QueryResult[Entity]
reveal_type(found.first())  # Entity | None
reveal_type(found.one())  # Entity
reveal_type(found[0])  # Entity
reveal_type(found[1:3])  # list[Entity]
reveal_type(found.all())  # list[Entity]
reveal_type(list(found))  # list[Entity]
reveal_type(found.iterate(prefetch=True))  # Iterator[Entity]
reveal_type(session.query_many(["Task", "Shot"]))  # list[QueryResult[Entity]]

# Built queries
tasks = session.select("Task").where(attr.status.name == "Done", attr.bid.between(1, 2))
reveal_type(attr.status.name)  # AttributePath
reveal_type(attr.status.name == "Done")  # QueryCondition
reveal_type(~(attr.bid > 1) | attr.name.like("sh%"))  # QueryCondition
reveal_type(tasks)  # BuiltQuery[Entity]
reveal_type(tasks.columns("name", attr.status.name).order_by(-attr.bid))  # BuiltQuery[Entity]
reveal_type(tasks.columns("name", attr.bid.sum()))  # BuiltQuery[dict[str, Any]]
reveal_type(tasks.limit(5).first())  # Entity | None
reveal_type(tasks.one())  # Entity
reveal_type(tasks[0])  # Entity
reveal_type(tasks[1:3])  # list[Entity]
reveal_type(list(tasks))  # list[Entity]
reveal_type(tasks.count())  # int
reveal_type(tasks.result())  # QueryResult[Entity]
reveal_type(tasks.to_dicts(["name"]))  # list[dict[str, Any]]
reveal_type(found.to_dicts("name"))  # list[dict[str, Any]]
session.select("Shot").where(attr.id.in_(tasks.columns("parent_id")))

# What belongs to a session
reveal_type(session.types)  # EntityTypes
reveal_type(session.types["Task"])  # type[Entity]
reveal_type(session.schemas)  # list[dict[str, Any]]
reveal_type(session.event_hub)  # EventHub
reveal_type(session.cache)  # LayeredCache
reveal_type(session.cache.caches)  # list[Cache]
reveal_type(session.logger)  # Logger
reveal_type(session.recorded_operations)  # Operations
reveal_type(session.server_information)  # dict[str, Any]
reveal_type(session.auto_populate)  # bool
reveal_type(session.call([{"action": "query", "expression": "Task"}]))  # list[Any]

# Components and locations
location = session.pick_location()
reveal_type(location)  # Location | None
component = session.create_component("/path/to/file.exr", location=location)
reveal_type(component)  # Component
reveal_type(component.get_availability())  # dict[str, float]
reveal_type(session.get_component_availability(component))  # dict[str, float]
reveal_type(session.encode_media("/path/to/clip.mov"))  # Job
reveal_type(session.wait_for_job("an id"))  # Job
if location is not None:
    reveal_type(location.accessor)  # Accessor
    reveal_type(location.accessor.open("a path"))  # Data
    reveal_type(location.structure)  # Structure
    reveal_type(location.get_filesystem_path(component))  # str


# Plugins
def on_event(event: Event) -> None:
    reveal_type(event["data"])  # Any


def register(session: Session, **arguments: Any) -> None:
    session.event_hub.subscribe("topic=ftrack.update", on_event)


def names(entities: list[Entity]) -> list[str]:
    return [str(each["name"]) for each in entities]


names(session.query("Task").all())
