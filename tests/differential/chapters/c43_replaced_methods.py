"""Methods that were replaced in four ways, while a second session changes data in between."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from book import Stage, step

KINDS = ("wrapped", "patched", "instance", "subclass")


class Replaced:
    """A class with one method replaced in one of the ways, and the number of calls."""

    def __init__(self, owner: Any, name: str, kind: str) -> None:
        self.owner, self.name, self.kind = owner, name, kind
        self.calls = 0
        original = getattr(owner, name)

        def note(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            return original(*arguments, **options)

        self.note = functools.wraps(original)(note) if kind == "wrapped" else note

    @contextlib.contextmanager
    def made(self) -> Iterator[Any]:
        """Yield the class to make an object of, while the replacement is there."""
        if self.kind in ("wrapped", "patched"):
            with mock.patch.object(self.owner, self.name, self.note):
                yield self.owner
        elif self.kind == "subclass":
            yield type("Studio", (self.owner,), {self.name: self.note})
        else:
            owner, name, note = self.owner, self.name, self.note

            def initialise(made: Any, *arguments: Any, **options: Any) -> None:
                setattr(made, name, functools.partial(note, made))
                owner.__init__(made, *arguments, **options)

            yield type("Studio", (owner,), {"__init__": initialise})


def opened(stage: Stage, class_: Any) -> Any:
    """Return a session of *class_*, closed when the chapter ends."""
    options = {"plugin_paths": [], "schema_cache_path": str(stage.schema_folder)}
    session = class_(
        **{**stage.server, **options, **stage.options, "auto_connect_event_hub": False}
    )
    stage.sessions.append(session)
    return session


#: Each piece of work gets a session that replaces a method, another one, and a shot's id.
NUMBERS = itertools.count()


def read(session: Any, other: Any, shot_id: str) -> Any:
    """Read, let the other session change it, and read again."""
    shot = session.query(f'select description from Shot where id is "{shot_id}"').one()
    before = shot["description"]
    there = other.get("Shot", shot_id)
    there["description"] = f"{before}+"
    other.commit()
    again = session.query(f'select description from Shot where id is "{shot_id}"').one()
    return [again is shot, shot["description"] == f"{before}+"]


def write(session: Any, other: Any, shot_id: str) -> Any:
    """Change what the other session changed as well."""
    shot = session.get("Shot", shot_id)
    there = other.get("Shot", shot_id)
    number = next(NUMBERS)
    there["sort"] = 100 + number
    other.commit()
    shot["sort"] = 200 + number
    session.commit()
    return [shot["sort"] == 200 + number, len(session.recorded_operations)]


def make(session: Any, other: Any, shot_id: str) -> Any:
    """Make a task below, which the other session then deletes."""
    number = next(NUMBERS)
    data = {"name": f"made{number}", "parent_id": shot_id}
    task = session.ensure("Task", data)
    other.delete(other.get("Task", task["id"]))
    other.commit()
    query = f'Task where id is "{task["id"]}"'
    return [task["name"] == f"made{number}", session.query(query).first()]


def look(session: Any, other: Any, shot_id: str) -> Any:
    """Read what was not asked for, after the other session has changed it."""
    shot = session.query(f'select id from Shot where id is "{shot_id}"').one()
    there = other.get("Shot", shot_id)
    there["description"] = f"{there['description']}!"
    other.commit()
    return shot["description"] == there["description"]


def start(session: Any, other: Any, shot_id: str) -> Any:
    """Do nothing more than start."""
    return [len(session.types) == len(other.types), len(session.schemas) == len(other.schemas)]


WORK: dict[str, Callable[[Any, Any, str], Any]] = {
    "call": read,
    "create": make,
    "query": make,
    "commit": make,
    "populate": look,
    "merge": read,
    "_merge": read,
    "_create": read,
    "_decode": read,
    "_encode": write,
    "_load_schemas": start,
    "_read_schemas_from_cache": start,
    "_build_entity_type_classes": start,
    "_configure_locations": start,
    "_discover_plugins": start,
    "_fetch_server_information": start,
}


def all_kinds(stage: Stage, names: tuple[str, ...]) -> Any:
    """Return for each of *names* what the work with it gives, and whether it was called."""
    other = stage.new_session()
    if "shot" not in stage.memory:
        stage.memory["shot"] = stage.shot("replaced", description="a")["id"]
    shot = stage.memory["shot"]
    answers: dict[str, Any] = {}
    for name in names:
        for kind in KINDS:
            replaced = Replaced(stage.api.Session, name, kind)
            with replaced.made() as class_:
                session = opened(stage, class_)
                given = WORK[name](session, other, shot)
            answers[f"{name} {kind}"] = [given, replaced.calls > 0]
    return answers


@step()
def reading(stage: Stage) -> Any:
    """What a query passes through, around a change by the second session."""
    return all_kinds(stage, ("call", "merge", "_merge", "_create", "_decode"))


@step()
def looking(stage: Stage) -> Any:
    """What an attribute passes through that is read after a change by the second session."""
    return all_kinds(stage, ("populate",))


@step()
def writing(stage: Stage) -> Any:
    """What a commit passes through, after one by the second session."""
    return all_kinds(stage, ("_encode",))


@step()
def making(stage: Stage) -> Any:
    """What makes an entity that the second session deletes."""
    return all_kinds(stage, ("create", "query", "commit"))


@step()
def starting(stage: Stage) -> Any:
    """What the start passes through."""
    return all_kinds(
        stage,
        (
            "_load_schemas",
            "_read_schemas_from_cache",
            "_build_entity_type_classes",
            "_configure_locations",
            "_discover_plugins",
            "_fetch_server_information",
        ),
    )


@step(asks="H")
def adding_to_a_location(stage: Stage) -> Any:
    """What adds a component to a location that a second session then looks into."""
    session, other = stage.session, stage.new_session()
    kind_of_location = stage.module("entity.location").Location
    answers: dict[str, Any] = {}
    for name in ("_add_data", "_get_context", "_register_components_in_location"):
        for kind in KINDS:
            location = session.ensure("Location", {"name": f"replaced{name}{kind}"})
            disk = stage.folder / f"{name}{kind}"
            disk.mkdir()
            location.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(disk))
            location.structure = stage.module("structure.entity_id").EntityIdStructure()
            component = session.create_component(stage.file("a.txt"), location=None)
            replaced = Replaced(kind_of_location, name, kind)
            with contextlib.ExitStack() as stack:
                if kind in ("wrapped", "patched"):
                    stack.enter_context(replaced.made())
                elif kind == "instance":
                    setattr(location, name, functools.partial(replaced.note, location))
                else:
                    stage.api.mixin(location, type("Studio", (), {name: replaced.note}))
                origin = session.query('Location where name is "ftrack.origin"').one()
                location.add_component(component, origin)
            there = other.query(
                f'ComponentLocation where component_id is "{component["id"]}" '
                f'and location_id is "{location["id"]}"'
            ).all()
            answers[f"{name} {kind}"] = [len(there), replaced.calls > 0]
    return answers


@step()
def hub_methods(stage: Stage) -> Any:
    """What an event passes through between two hubs, one of which replaces a method."""
    module, server = stage.module("event.hub"), stage.server
    event = stage.module("event.base").Event
    answers: dict[str, Any] = {}
    names = "_handle _handle_packet _send_packet _get_socket_io_session _prepare_event"
    for name in (*names.split(), "_prepare_reply_event", "_encode", "_decode"):
        for kind in KINDS:
            replaced = Replaced(module.EventHub, name, kind)
            with replaced.made() as class_:
                hub, other = (
                    made(server["server_url"], server["api_user"], server["api_key"])
                    for made in (class_, module.EventHub)
                )
                hub.connect()
                other.connect()
                hub.subscribe("topic=asked", lambda event: {"n": event["data"]["n"] + 1})
                replies: list[Any] = []
                stage.settle(hub, other)
                other.publish(event("asked", data={"n": 1}), on_reply=replies.append)
                for _ in range(600):
                    if not replies:
                        hub.wait(0.05)
                        other.wait(0.05)
                answers[f"{name} {kind}"] = [replies[0]["data"], replaced.calls > 0]
                hub.disconnect()
                other.disconnect()
    return answers
