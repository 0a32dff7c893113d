"""Metadata: text by key on anything that has it."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def seen_by_others(stage: Stage, entity: Any) -> dict[str, str]:
    """Return the metadata of *entity* as another session finds it."""
    return dict(stage.new_session().get(entity.entity_type, entity["id"])["metadata"].items())


@step()
def empty(stage: Stage) -> Any:
    """A new entity has none."""
    metadata = stage.shot("empty")["metadata"]
    return [len(metadata), list(metadata), type(metadata).__name__]


@step()
def set_and_commit(stage: Stage) -> Any:
    """Keys that are set are kept."""
    shot = stage.shot("kept")
    shot["metadata"]["camera"] = "arri"
    shot["metadata"]["lens"] = "50 mm"
    stage.session.commit()
    return seen_by_others(stage, shot)


@step()
def pending(stage: Stage) -> Any:
    """A key that is not committed is among the session's operations."""
    shot = stage.shot("pending")
    shot["metadata"]["camera"] = "red"
    return [shot["metadata"]["camera"], list(shot["metadata"])]


@step()
def change(stage: Stage) -> Any:
    """A key gets another value."""
    shot = stage.shot("changed")
    shot["metadata"]["take"] = "1"
    stage.session.commit()
    shot["metadata"]["take"] = "2"
    stage.session.commit()
    return seen_by_others(stage, shot)


@step()
def delete(stage: Stage) -> Any:
    """A key can be deleted."""
    shot = stage.shot("deleted")
    shot["metadata"]["a"] = "1"
    shot["metadata"]["b"] = "2"
    stage.session.commit()
    del shot["metadata"]["a"]
    stage.session.commit()
    return seen_by_others(stage, shot)


@step()
def missing_key(stage: Stage) -> Any:
    """A key that is not there."""
    return stage.shot("missing")["metadata"]["none"]


@step()
def delete_missing_key(stage: Stage) -> Any:
    """Deleting a key that is not there."""
    del stage.shot("delete_missing")["metadata"]["none"]


@step(asks="D")
def whole_dictionary(stage: Stage) -> Any:
    """A dictionary replaces all of it."""
    shot = stage.shot("whole")
    shot["metadata"] = {"one": "1", "two": "2"}
    stage.session.commit()
    first = seen_by_others(stage, shot)
    shot["metadata"] = {"three": "3"}
    stage.session.commit()
    return [first, seen_by_others(stage, shot)]


@step()
def in_create(stage: Stage) -> Any:
    """A dictionary may be given when the entity is created."""
    shot = stage.shot("created", metadata={"source": "editorial"})
    return seen_by_others(stage, shot)


@step()
def mapping_methods(stage: Stage) -> Any:
    """Metadata has the methods of a dictionary."""
    metadata = stage.shot("mapping")["metadata"]
    metadata.update({"b": "2", "a": "1"})
    return [
        sorted(metadata.keys()),
        sorted(metadata.values()),
        metadata.get("none", "else"),
        "a" in metadata,
        metadata.pop("a"),
        metadata.setdefault("c", "3"),
        sorted(metadata.items()),
    ]


@step()
def none(stage: Stage) -> Any:
    """None takes all of it away."""
    shot = stage.shot("none", metadata={"a": "1"})
    shot["metadata"] = None
    stage.session.commit()
    return seen_by_others(stage, shot)


@step()
def wrong_value(stage: Stage) -> Any:
    """Metadata set to something that is no dictionary."""
    stage.shot("wrong")["metadata"] = ["a"]


@step()
def query_by_metadata(stage: Stage) -> Any:
    """Entities are found by their metadata."""
    stage.shot("findable", metadata={"vendor": "south"})
    expression = 'Shot where metadata any (key is "vendor" and value is "south")'
    return [shot["name"] for shot in stage.session.query(expression)]


@step()
def on_other_types(stage: Stage) -> Any:
    """Projects and users have metadata too."""
    user = stage.session.query(f'User where username is "{stage.server["api_user"]}"').one()
    user["metadata"]["desk"] = "7"
    stage.project["metadata"]["code"] = "HRB"
    stage.session.commit()
    return [seen_by_others(stage, user), seen_by_others(stage, stage.project)]
