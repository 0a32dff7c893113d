"""Custom attributes: values by configuration key."""

from __future__ import annotations

import json
from typing import Any

from book import Stage, step


def configure(stage: Stage, key: str, kind: str, **data: Any) -> Any:
    """Return the configuration of a custom attribute *key* of the type *kind* for shots."""
    if key not in stage.memory:
        session = stage.session
        types = session.query(f'CustomAttributeType where name is "{kind}"')
        values = {"key": key, "label": key.title(), "type": types.one(), "entity_type": "task"}
        values["object_type"] = session.query('ObjectType where name is "Shot"').one()
        values["config"] = json.dumps(
            {"markdown": False} if kind == "text" else {"isdecimal": True}
        )
        stage.memory[key] = session.create("CustomAttributeConfiguration", {**values, **data})
        session.commit()
        session.reset()
        stage.memory["shot"] = None
    return stage.memory[key]


def fresh(stage: Stage) -> Any:
    """Return a new session in which a shot of this chapter is loaded, and the shot."""
    configure(stage, "slate", "text", default="none yet")
    configure(stage, "cut_in", "number", default=1001)
    session = stage.new_session()
    name = f"shot{len(stage.sessions)}"
    schema = session.query("ProjectSchema order by name").first()
    data = {"name": "chapter_custom", "full_name": "Custom", "project_schema": schema}
    project = session.ensure("Project", data, identifying_keys=["name"])
    shot = session.create("Shot", {"name": name, "parent": project})
    session.commit()
    return session, shot


def seen_by_others(stage: Stage, shot: Any) -> dict[str, Any]:
    """Return this chapter's values of *shot* as another session finds them."""
    values = stage.new_session().get("Shot", shot["id"])["custom_attributes"]
    return {key: values[key] for key in ("slate", "cut_in")}


@step()
def defaults(stage: Stage) -> Any:
    """Values that nobody set are the defaults."""
    _, shot = fresh(stage)
    values = shot["custom_attributes"]
    return [values["slate"], values["cut_in"], type(values).__name__]


@step()
def set_and_commit(stage: Stage) -> Any:
    """Values that are set are kept."""
    session, shot = fresh(stage)
    shot["custom_attributes"]["slate"] = "12A"
    shot["custom_attributes"]["cut_in"] = 1009
    session.commit()
    return seen_by_others(stage, shot)


@step()
def pending(stage: Stage) -> Any:
    """A value that is not committed reads as set."""
    session, shot = fresh(stage)
    shot["custom_attributes"]["slate"] = "13B"
    return [shot["custom_attributes"]["slate"], len(session.recorded_operations)]


@step()
def change_twice(stage: Stage) -> Any:
    """A value can be changed after it was committed."""
    session, shot = fresh(stage)
    for value in ("one", "two"):
        shot["custom_attributes"]["slate"] = value
        session.commit()
    return seen_by_others(stage, shot)


@step()
def in_create(stage: Stage) -> Any:
    """Values may be given when the entity is created."""
    session, shot = fresh(stage)
    data = {"name": "given", "parent": shot["parent"], "custom_attributes": {"slate": "1C"}}
    made = session.create("Shot", data)
    session.commit()
    return seen_by_others(stage, made)


@step(asks="D")
def set_dictionary(stage: Stage) -> Any:
    """A dictionary sets several values."""
    session, shot = fresh(stage)
    shot["custom_attributes"] = {"slate": "9", "cut_in": 5}
    session.commit()
    return seen_by_others(stage, shot)


@step()
def unknown_key(stage: Stage) -> Any:
    """A key that is not configured cannot be read."""
    _, shot = fresh(stage)
    return shot["custom_attributes"]["no_such_key"]


@step(asks="C")
def set_unknown_key(stage: Stage) -> Any:
    """A key that is not configured cannot be set."""
    _, shot = fresh(stage)
    shot["custom_attributes"]["no_such_key"] = 1


@step()
def delete_key(stage: Stage) -> Any:
    """A key cannot be deleted like that of a dictionary."""
    _, shot = fresh(stage)
    del shot["custom_attributes"]["slate"]


@step()
def keys(stage: Stage) -> Any:
    """The keys are those that are configured for the type."""
    _, shot = fresh(stage)
    values = shot["custom_attributes"]
    own = {"slate", "cut_in"}
    return [own <= set(values.keys()), len(values) == len(list(values)), "slate" in values]


@step()
def not_for_other_types(stage: Stage) -> Any:
    """A sequence has none of the shots' attributes."""
    session, shot = fresh(stage)
    sequence = session.create("Sequence", {"name": "custom_sequence", "parent": shot["parent"]})
    session.commit()
    return "slate" in sequence["custom_attributes"]


@step()
def query_by_value(stage: Stage) -> Any:
    """Entities are found by the value of a custom attribute."""
    session, shot = fresh(stage)
    shot["custom_attributes"]["slate"] = "findable"
    session.commit()
    expression = 'Shot where custom_attributes any (key is "slate" and value is "findable")'
    return [item == shot for item in session.query(expression)]


@step()
def projected(stage: Stage) -> Any:
    """A query may bring the values with it."""
    _, shot = fresh(stage)
    other = stage.new_session()
    expression = f'select name, custom_attributes from Shot where id is "{shot["id"]}"'
    return other.query(expression).one()["custom_attributes"]["cut_in"]


@step()
def hierarchical(stage: Stage) -> Any:
    """A hierarchical attribute is there on projects, sequences and shots."""
    session, shot = fresh(stage)
    if "rate" not in stage.memory:
        kind = session.query('CustomAttributeType where name is "text"').one()
        data = {"key": "rate", "label": "Rate", "type": kind, "entity_type": "show"}
        data.update({"is_hierarchical": True, "default": "24", "config": '{"markdown": false}'})
        session.create("CustomAttributeConfiguration", data)
        session.commit()
    other = stage.new_session()
    found = other.get("Shot", shot["id"])
    found["parent"]["custom_attributes"]["rate"] = "25"
    other.commit()
    again = stage.new_session().get("Project", shot["parent"]["id"])
    return [again["custom_attributes"]["rate"], "rate" in found["custom_attributes"].keys()]
