"""Custom attributes of entities that are new, and those that a second session changes."""

from __future__ import annotations

import json
from typing import Any

from book import Stage, step

KEYS = ("again_text", "again_number", "again_flag", "again_any")


def configured(stage: Stage) -> Any:
    """Return the session of the chapter, with its attributes configured, for shots and for all."""
    session = stage.session
    if not stage.memory:
        stage.memory["configured"] = True
        shot = session.query('ObjectType where name is "Shot"').one()
        made = [("text", "none", {}), ("number", 7, {"isdecimal": True}), ("boolean", True, {})]
        for key, (kind, default, config) in zip(KEYS, made):
            configure(session, key, kind, default, config, entity_type="task", object_type=shot)
        configure(session, KEYS[3], "text", "of all", {}, entity_type="show", is_hierarchical=True)
        session.commit()
        session.reset()
        stage._project = None
        name = "chapter_again"
        schema = session.query("ProjectSchema order by name").first()
        data = {"name": name, "full_name": name, "project_schema": schema}
        stage._project = session.ensure("Project", data, identifying_keys=["name"])
    return session


def configure(
    session: Any, key: str, kind: str, default: Any, config: dict[str, Any], **data: Any
) -> None:
    """Create the configuration of the attribute *key*."""
    kind = session.query(f'CustomAttributeType where name is "{kind}"').one()
    data.update({"key": key, "label": key, "type": kind, "default": default})
    session.create("CustomAttributeConfiguration", {**data, "config": json.dumps(config)})


def values(entity: Any) -> dict[str, Any]:
    """Return the values of *entity* that are of this chapter."""
    found = entity["custom_attributes"]
    return {key: found[key] for key in KEYS if key in found.keys()}


def new_shot(stage: Stage, name: str, **data: Any) -> Any:
    """Return a shot that is not committed."""
    session = configured(stage)
    return session.create("Shot", {"name": name, "parent": stage.project, **data})


@step()
def before_the_commit(stage: Stage) -> Any:
    """A new entity shows what was set."""
    shot = new_shot(stage, "before")
    shot["custom_attributes"]["again_text"] = "mine"
    found = shot["custom_attributes"]
    return [values(shot), len(found), found.get("again_number"), "again_number" in found.keys()]


@step()
def after_the_commit(stage: Stage) -> Any:
    """A committed entity shows all, with their defaults."""
    shot = new_shot(stage, "after")
    shot["custom_attributes"]["again_text"] = "mine"
    stage.session.commit()
    found = shot["custom_attributes"]
    return [values(shot), len(found) == len(list(found)), found.get("no_such_key")]


@step()
def nothing_set(stage: Stage) -> Any:
    """So does one for which nothing was set."""
    shot = new_shot(stage, "nothing")
    stage.session.commit()
    return values(shot)


@step(34, "all custom attributes are there after the commit")
def given_in_create(stage: Stage) -> Any:
    """So does one that was created with values."""
    shot = new_shot(stage, "given", custom_attributes={"again_text": "mine"})
    stage.session.commit()
    return values(shot)


@step(34, "a dictionary that was read before the commit shows all after it")
def held_over_the_commit(stage: Stage) -> Any:
    """A dictionary that a variable holds over the commit."""
    shot = new_shot(stage, "held")
    found = shot["custom_attributes"]
    found["again_text"] = "mine"
    stage.session.commit()
    return [found.get(key) for key in KEYS]


@step()
def more_after_the_commit(stage: Stage) -> Any:
    """Setting others after the commit keeps what was set before."""
    shot = new_shot(stage, "more")
    shot["custom_attributes"]["again_text"] = "mine"
    stage.session.commit()
    shot["custom_attributes"]["again_number"] = 9
    found = [values(shot)]
    stage.session.commit()
    return [*found, values(shot), values(stage.new_session().get("Shot", shot["id"]))]


@step()
def set_by_another(stage: Stage) -> Any:
    """A second session sets values; populating brings them."""
    shot = new_shot(stage, "by_another")
    stage.session.commit()
    found = [values(shot)]
    other = stage.new_session()
    theirs = other.get("Shot", shot["id"])["custom_attributes"]
    theirs["again_text"], theirs["again_flag"] = "theirs", False
    other.commit()
    stage.session.populate(shot, "custom_attributes")
    return [*found, values(shot)]


@step()
def set_by_both(stage: Stage) -> Any:
    """Each session sets another value; both count."""
    shot = new_shot(stage, "by_both")
    stage.session.commit()
    other = stage.new_session()
    other.get("Shot", shot["id"])["custom_attributes"]["again_text"] = "theirs"
    shot["custom_attributes"]["again_number"] = 1
    other.commit()
    stage.session.commit()
    return values(stage.new_session().get("Shot", shot["id"]))


@step()
def unknown_key_of_a_new_one(stage: Stage) -> Any:
    """A key that was not set cannot be read before the commit."""
    return new_shot(stage, "unknown")["custom_attributes"]["again_text"]


@step()
def unknown_key_of_a_committed_one(stage: Stage) -> Any:
    """A key that is not configured cannot be read after it."""
    shot = new_shot(stage, "unknown")
    stage.session.commit()
    return shot["custom_attributes"]["no_such_key"]


def asset_and_version(stage: Stage) -> tuple[Any, Any]:
    """Return a committed asset and a version of it."""
    session = configured(stage)
    kind = session.query("AssetType order by name").first()
    data = {"name": f"asset{len(stage.sessions)}", "parent": stage.project, "type": kind}
    asset = session.create("Asset", data)
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return asset, version


@step()
def hierarchical_on_assets(stage: Stage) -> Any:
    """A hierarchical attribute is there on assets and versions, with its default."""
    return [values(each) for each in asset_and_version(stage)]


@step()
def hierarchical_set_on_assets(stage: Stage) -> Any:
    """It can be set there, and another session finds it."""
    asset, version = asset_and_version(stage)
    asset["custom_attributes"]["again_any"] = "of the asset"
    version["custom_attributes"]["again_any"] = "of the version"
    stage.session.commit()
    other = stage.new_session()
    found = [other.get(each.entity_type, each["id"]) for each in (asset, version)]
    return [values(each) for each in (asset, version, *found)]


@step()
def hierarchical_in_queries(stage: Stage) -> Any:
    """It can be asked for."""
    _, version = asset_and_version(stage)
    version["custom_attributes"]["again_any"] = "findable"
    stage.session.commit()
    condition = 'custom_attributes any (key is "again_any" and value is "findable")'
    return [each == version for each in stage.session.query(f"AssetVersion where {condition}")]


@step()
def hierarchical_set_by_another(stage: Stage) -> Any:
    """A second session sets it on an asset and a version; populating brings it."""
    pair = asset_and_version(stage)
    found = [values(each) for each in pair]
    other = stage.new_session()
    for each in pair:
        theirs = other.get(each.entity_type, each["id"])
        theirs["custom_attributes"]["again_any"] = f"theirs, of {each.entity_type}"
    other.commit()
    for each in pair:
        stage.session.populate(each, "custom_attributes")
    return [*found, *(values(each) for each in pair)]


@step()
def hierarchical_set_above_by_another(stage: Stage) -> Any:
    """A second session sets it on the parent of a task, which then shows that value."""
    shot = new_shot(stage, "above")
    stage.session.commit()
    task = stage.session.create("Task", {"name": "below", "parent": shot})
    stage.session.commit()
    found = [values(task)]
    other = stage.new_session()
    other.get("Shot", shot["id"])["custom_attributes"]["again_any"] = "of the shot"
    other.commit()
    stage.session.populate(task, "custom_attributes")
    return [*found, values(task), values(stage.new_session().get("Task", task["id"]))]


@step()
def configured_by_another(stage: Stage) -> Any:
    """A second session configures an attribute that entities read later have."""
    shot = new_shot(stage, "later")
    stage.session.commit()
    before = values(shot)
    other = stage.new_session()
    kind = other.query('ObjectType where name is "Shot"').one()
    configure(other, "again_later", "text", "late", {}, entity_type="task", object_type=kind)
    other.commit()
    found = stage.new_session().get("Shot", shot["id"])["custom_attributes"]
    return [before, found["again_later"]]
