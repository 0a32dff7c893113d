"""New entities have all their custom attributes after the commit, with their defaults."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.fixture
def project(session: Any) -> Any:
    """Return a new project, on a site with two attributes of shots and one of all."""
    shot = session.query('ObjectType where name is "Shot"').one()
    of_shots = {"entity_type": "task", "object_type": shot}
    configure(session, "slate", "text", "none yet", **of_shots)
    configure(session, "cut_in", "number", 1001, **of_shots)
    configure(session, "rating", "text", "unrated", entity_type="show", is_hierarchical=True)
    schema = session.query("ProjectSchema order by name").first()
    made = session.create("Project", {"name": "dense", "project_schema": schema})
    session.commit()
    return made


def configure(session: Any, key: str, kind: str, default: Any, **data: Any) -> None:
    """Create the configuration of the attribute *key*."""
    found = session.query(f'CustomAttributeType where name is "{kind}"').one()
    config = json.dumps({"markdown": False, "isdecimal": True})
    data.update({"key": key, "label": key, "type": found, "default": default, "config": config})
    session.create("CustomAttributeConfiguration", data)


def own(entity: Any) -> dict[str, Any]:
    """Return the values of the attributes of this site."""
    found = entity["custom_attributes"]
    return {key: found[key] for key in ("slate", "cut_in", "rating") if key in found}


ALL = {"slate": "12A", "cut_in": 1001, "rating": "unrated"}


@pytest.mark.parametrize("way", ["key", "create", "dictionary"])
def test_all_are_there_after_the_commit(session: Any, project: Any, way: str) -> None:
    """However one was set, the others have their defaults then; before, it is alone."""
    data = {"name": "sh010", "parent": project}
    if way == "create":
        shot = session.create("Shot", {**data, "custom_attributes": {"slate": "12A"}})
    else:
        shot = session.create("Shot", data)
    if way == "key":
        shot["custom_attributes"]["slate"] = "12A"
    elif way == "dictionary":
        shot["custom_attributes"] = {"slate": "12A"}
    held = shot["custom_attributes"]
    assert dict(held) == {"slate": "12A"}
    session.commit()
    assert own(shot) == ALL
    assert (held["slate"], held["cut_in"], "rating" in held) == ("12A", 1001, True)
    assert len(held) == len(shot["custom_attributes"]) == len(list(held))


def test_later_changes_build_on_it(session: Any, sandbox: Any, project: Any) -> None:
    """A value that is set after the commit goes with those from before."""
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    held = shot["custom_attributes"]
    held["slate"] = "12A"
    session.commit()
    held["cut_in"] = 5
    assert own(shot) == {**ALL, "cut_in": 5}
    session.commit()
    assert own(shot) == {**ALL, "cut_in": 5}
    with sandbox.session() as other:
        assert own(other.get("Shot", shot["id"])) == {**ALL, "cut_in": 5}


def test_setting_one_sends_its_value_alone(session: Any, project: Any) -> None:
    """The batch creates the entity and updates the value."""
    session.query("CustomAttributeConfiguration").all()
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    shot["custom_attributes"]["slate"] = "12A"
    kinds = [(type(each).__name__[:6], each.entity_type) for each in session.recorded_operations]
    assert kinds[0] == ("Create", "Shot")
    assert kinds[-1] == ("Update", "ContextCustomAttributeValue")
    assert ("Update", "Shot") not in kinds[2:]


def test_a_rollback_shows_what_the_server_has(session: Any, project: Any) -> None:
    """What was set on a committed entity is taken back."""
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    session.commit()
    shot["custom_attributes"]["slate"] = "12A"
    session.rollback()
    assert own(shot) == {**ALL, "slate": "none yet"}


def test_hierarchical_ones_on_assets_and_versions(session: Any, sandbox: Any, project: Any) -> None:
    """They are there with their default, and can be set, also on new entities."""
    kind = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "hero", "parent": project, "type": kind})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    assert own(asset) == own(version) == {"rating": "unrated"}
    version["custom_attributes"]["rating"] = "of the version"
    data = {"asset": asset, "custom_attributes": {"rating": "of the new one"}}
    new = session.create("AssetVersion", data)
    session.commit()
    with sandbox.session() as other:
        found = [own(other.get(each.entity_type, each["id"])) for each in (asset, version, new)]
    expected = ["unrated", "of the version", "of the new one"]
    assert found == [{"rating": rating} for rating in expected]


def test_what_was_set_is_there_without_loading(session: Any, project: Any) -> None:
    """Where nothing is loaded, a new entity shows what was set on it, and all of it later."""
    shot = session.create(
        "Shot", {"name": "sh010", "parent": project, "custom_attributes": {"slate": "12A"}}
    )
    session.commit()
    with session.auto_populating(False):
        assert dict(shot["custom_attributes"]) == {"slate": "12A"}
        shot["custom_attributes"]["slate"] = "12B"
        session.commit()
        assert shot["custom_attributes"]["slate"] == "12B"
    assert own(shot) == {**ALL, "slate": "12B"}
