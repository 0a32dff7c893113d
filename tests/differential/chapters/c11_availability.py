"""Where components are available, and which location is picked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from book import Stage, step


def disk(stage: Stage, name: str, priority: int) -> Any:
    """Return a location called *name* on disk, made on first use."""
    if name not in stage.memory:
        location = stage.session.create("Location", {"name": name})
        stage.session.commit()
        folder = stage.folder / "c11_availability" / name
        folder.mkdir(parents=True)
        location.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
        location.structure = stage.module("structure.id").IdStructure()
        location.priority = priority
        stage.memory[name] = location
    return stage.memory[name]


def sequence(stage: Stage, name: str) -> Any:
    """Return a component with four frames in the origin location."""
    for number in range(1, 5):
        path = stage.file(f"{name}.{number:04}.exr")
    expression = f"{Path(path).parent / name}.%04d.exr [1-4]"
    made = stage.session.create_component(expression, data={"name": name}, location=None)
    stage.session.commit()
    return made


def by_name(stage: Stage, availability: dict[str, float]) -> dict[str, float]:
    """Return *availability* by name of location in place of its id, without the empty ones."""
    get = stage.session.get
    return {get("Location", key)["name"]: value for key, value in availability.items() if value}


@step(asks="A")
def whole(stage: Stage) -> Any:
    """A component that is whole in one location and absent from another."""
    made = sequence(stage, "whole")
    first, second = disk(stage, "first", 20), disk(stage, "second", 10)
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    first.add_component(made, origin)
    return [
        by_name(stage, made.get_availability()),
        first.get_component_availability(made),
        second.get_component_availability(made),
    ]


@step(asks="A")
def part(stage: Stage) -> Any:
    """A sequence of which some frames are there."""
    made = sequence(stage, "part")
    first = disk(stage, "first", 20)
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    first.add_component(made, origin)
    first.remove_component(made["members"][0])
    return [first.get_component_availability(made), by_name(stage, made.get_availability())]


@step(asks="A")
def several(stage: Stage) -> Any:
    """The availabilities of several components at once."""
    made = [sequence(stage, name) for name in ("several_a", "several_b")]
    first = disk(stage, "first", 20)
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    first.add_component(made[0], origin)
    found = stage.session.get_component_availabilities(made)
    return [[by_name(stage, item) for item in found], first.get_component_availabilities(made)]


@step(asks="A")
def in_named_locations(stage: Stage) -> Any:
    """The availability in the locations that are asked for."""
    made = sequence(stage, "named")
    first, second = disk(stage, "first", 20), disk(stage, "second", 10)
    found = stage.session.get_component_availability(made, locations=[first, second])
    return [found, len(found)]


@step(asks="A")
def none(stage: Stage) -> Any:
    """A component that is nowhere."""
    made = stage.session.create_component(stage.file("nowhere.txt"), location=None)
    stage.session.commit()
    return by_name(stage, made.get_availability())


@step()
def pick_for_new(stage: Stage) -> Any:
    """The location that new components go to."""
    disk(stage, "first", 20), disk(stage, "second", 10)
    return stage.session.pick_location()["name"]


@step(asks="A")
def pick_for_component(stage: Stage) -> Any:
    """The location to read a component from."""
    made = sequence(stage, "picked")
    first, second = disk(stage, "first", 20), disk(stage, "second", 10)
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    first.add_component(made, origin)
    before = stage.session.pick_location(made)["name"]
    second.add_component(made, origin)
    return [before, stage.session.pick_location(made)["name"]]


@step(asks="A")
def pick_for_several(stage: Stage) -> Any:
    """The locations to read several components from, and None where there is none."""
    first = disk(stage, "first", 20)
    made = sequence(stage, "pick_several")
    lost = stage.session.create_component(stage.file("lost.txt"), location=None)
    stage.session.commit()
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    first.add_component(made, origin)
    return [item and item["name"] for item in stage.session.pick_locations([made, lost])]


@step()
def pick_without_accessor(stage: Stage) -> Any:
    """A location without an accessor is not picked."""
    disk(stage, "second", 10)
    bare = stage.session.create("Location", {"name": "bare"})
    stage.session.commit()
    bare.priority = 1
    return stage.session.pick_location()["name"]
