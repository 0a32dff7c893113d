"""Each object type of a site is an entity type, and its flags decide what its contexts have.

The facts are those of rows A5 and H of ``site-facts.md``.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox import stock_facts

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

#: The attributes that are immutable without the flag in this place of a row of A5.
BY_FLAG = {
    2: {"status", "status_id"},
    3: {"type", "type_id"},
    4: {"priority", "priority_id"},
    5: {"bid", "start_date", "end_date"},
}


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of a project."""
    schema = api.one("ProjectSchema where name is VFX")["id"]
    return str(api.create("Project", name="film", project_schema_id=schema))


def schemas(api: Any) -> dict[str, dict[str, Any]]:
    """Return the schemas that the server sends now, by type."""
    (found,) = api.call({"action": "query_schemas"})
    return {one["id"]: one for one in found}


def schema_hash(api: Any) -> str:
    """Return the hash that the server sends now."""
    return str(api.call({"action": "query_server_information"})[0]["schema_hash"])


# Stock types


@pytest.mark.parametrize(("name", "id_", "flags"), stock_facts.OBJECT_TYPES)
def test_stock_object_type_is_an_entity_type(api: Any, name: str, id_: str, flags: str) -> None:
    """A5: the id is the name without blanks, and ``alias_for`` names the object type."""
    schema = schemas(api)[name.replace(" ", "")]
    assert schema["alias_for"] == {"id": "Task", "classifiers": {"object_typeid": id_}}
    assert schema["properties"]["object_type_id"]["default"] == id_


@pytest.mark.parametrize(("name", "id_", "flags"), stock_facts.OBJECT_TYPES)
def test_flags_decide_what_is_immutable(api: Any, name: str, id_: str, flags: str) -> None:
    """A5: without a flag, the schema calls what belongs to it immutable, and only then."""
    schema = schemas(api)[name.replace(" ", "")]
    for place, attributes in BY_FLAG.items():
        fixed = attributes & set(schema["immutable"])
        if flags[place] == "x":
            assert fixed == ({"start_date"} if (name, place) == ("Milestone", 5) else set())
        else:
            assert fixed == attributes


@pytest.mark.parametrize(("name", "id_", "flags"), stock_facts.OBJECT_TYPES)
def test_type_without_priorities_has_no_default(api: Any, name: str, id_: str, flags: str) -> None:
    """A5: ``priority_id`` of a type that is not prioritizable has the default null."""
    key = schemas(api)[name.replace(" ", "")]["properties"]["priority_id"]
    assert key["default"] == ("9661b320-3a0c-11e2-81c1-0800200c9a66" if flags[4] == "x" else None)


@pytest.mark.parametrize(("name", "id_", "flags"), stock_facts.OBJECT_TYPES)
def test_flags_decide_what_a_new_context_has(
    api: Any, project: str, name: str, id_: str, flags: str
) -> None:
    """A5: a new context gets a status, a type and a priority only if its flags say so."""
    type_name = name.replace(" ", "")
    made = api.create(type_name, name="new", parent_id=project)
    row = api.one(f"select status_id, type_id, priority_id from {type_name} where id is {made}")
    assert row["__entity_type__"] == type_name
    for place, column in ((2, "status_id"), (3, "type_id"), (4, "priority_id")):
        assert (row[column] is not None) == (flags[place] == "x"), column


@pytest.mark.parametrize(("name", "id_", "flags"), stock_facts.OBJECT_TYPES)
def test_values_that_flags_rule_out_are_left_out(
    api: Any, project: str, name: str, id_: str, flags: str
) -> None:
    """A5: a status, type or priority in a create stays only on an object type that has it."""
    sent = {
        "status_id": api.one("Status where name is Completed")["id"],
        "type_id": api.one("Type where name is Lookdev")["id"],
        "priority_id": api.one("Priority where name is High")["id"],
    }
    type_name = name.replace(" ", "")
    made = api.create(type_name, name="new", parent_id=project, **sent)
    row = api.one(f"select status_id, type_id, priority_id from {type_name} where id is {made}")
    for place, column in ((2, "status_id"), (3, "type_id"), (4, "priority_id")):
        assert row[column] == (sent[column] if flags[place] == "x" else None), column


@pytest.mark.parametrize("type_name", ["Folder", "Sequence"])
def test_containers_have_no_status(session: Any, type_name: str) -> None:
    """A6 and H: a client reads None as the status of a new folder or sequence."""
    schema = session.query('ProjectSchema where name is "VFX"').one()
    parent = session.create("Project", {"name": "film", "project_schema": schema})
    made = session.create(type_name, {"name": "new", "parent": parent})
    session.commit()
    assert made["status"] is None
    assert made["type"] is None


def test_status_of_an_episode_can_be_set(api: Any, project: str) -> None:
    """H: an episode has a status, which clients may change."""
    episode = api.create("Episode", name="101", parent_id=project)
    status = api.one("Status where name is Completed")["id"]
    api.update("Episode", episode, status_id=status)
    assert api.one(f"select status_id from Episode where id is {episode}")["status_id"] == status


def test_status_of_a_folder_cannot_be_set(api: Any, project: str) -> None:
    """A5: an update of an attribute that the flags rule out is refused, also by the base type."""
    folder = api.create("Folder", name="assets", parent_id=project)
    status = api.one("Status where name is Completed")["id"]
    for type_name in ("Folder", "TypedContext"):
        with pytest.raises(api.Error, match="'status_id' of Folder cannot be changed"):
            api.update(type_name, folder, status_id=status)


@pytest.mark.parametrize("type_name", ["Episode", "Sequence", "Shot"])
def test_parts_exist_and_are_immutable(api: Any, project: str, type_name: str) -> None:
    """H: these types have ``split_parts`` and ``thumbnail_source_id``, which clients only read."""
    schema = schemas(api)[type_name]
    for name in ("split_parts", "thumbnail_source_id"):
        assert name in schema["properties"]
        assert name in schema["immutable"]
    made = api.create(type_name, name="new", parent_id=project)
    for name, value in (("split_parts", []), ("thumbnail_source_id", project)):
        with pytest.raises(api.Error, match=f"'{name}' of {type_name} cannot be changed"):
            api.update(type_name, made, **{name: value})


def test_author_of_a_note_is_any_person(api: Any) -> None:
    """H: the author of a note is a ``BaseUser``: a user or a collaborator."""
    assert schemas(api)["Note"]["properties"]["author"]["$ref"] == "BaseUser"


def test_messages_are_gone(api: Any) -> None:
    """H: sites removed conversations, messages and participants in version 4.9."""
    assert not {"Conversation", "Message", "Participant"} & schemas(api).keys()
    with pytest.raises(api.Error, match="Conversation"):
        api.query("Conversation")


# Types of a studio


def test_added_object_type_is_an_entity_type(api: Any, project: str) -> None:
    """A5: an object type that a studio adds can be created, queried, changed and deleted."""
    added = api.create("ObjectType", name="Key Art", is_schedulable=True)
    made = api.create("KeyArt", name="poster", parent_id=project)
    row = api.one("select name, bid, object_type.name, status.name, link from KeyArt")
    assert (row["__entity_type__"], row["id"], row["name"]) == ("KeyArt", made, "poster")
    assert row["object_type"]["id"] == added
    assert row["status"]["name"] == "Not started"
    api.update("KeyArt", made, bid=3600.0)
    assert api.one("select bid from KeyArt where bid > 3000")["bid"] == 3600.0
    (base,) = api.query(f"select name from TypedContext where id is {made}")
    assert base["__entity_type__"] == "KeyArt"
    task = api.create("Task", name="paint", parent_id=made)
    parent = api.one(f"select parent from Task where id is {task}")["parent"]
    assert parent["__entity_type__"] == "KeyArt"
    api.delete("KeyArt", made)
    assert api.query("KeyArt") == []
    assert api.query(f"Task where id is {task}") == []


def test_added_object_type_changes_schemas_and_hash(api: Any) -> None:
    """A5: schemas and their hash follow the object types, so that clients load them again."""
    before, known = schema_hash(api), set(schemas(api))
    added = api.create("ObjectType", name="Campaign")
    assert set(schemas(api)) == known | {"Campaign"}
    changed = schema_hash(api)
    assert changed != before
    api.update("ObjectType", added, is_statusable=False)
    assert "status_id" in schemas(api)["Campaign"]["immutable"]
    assert schema_hash(api) not in {before, changed}
    api.delete("ObjectType", added)
    assert set(schemas(api)) == known
    assert schema_hash(api) == before


def test_renamed_object_type_is_another_entity_type(api: Any, project: str) -> None:
    """A5: contexts follow the new name of their object type."""
    added = api.create("ObjectType", name="Campaign")
    made = api.create("Campaign", name="spring", parent_id=project)
    api.update("ObjectType", added, name="Season")
    assert api.one("Season")["id"] == made
    with pytest.raises(api.Error, match="Campaign"):
        api.query("Campaign")


def test_one_batch_adds_an_object_type_and_uses_it(api: Any, project: str) -> None:
    """An operation can use an object type that an earlier one of its batch adds."""
    added = api.make("ObjectType", name="Campaign")
    query = {"action": "query", "expression": "select name from Campaign"}
    context = api.make("Campaign", name="spring", parent_id=project)
    *_, answer = api.call(added, context, query)
    assert [one["name"] for one in answer["data"]] == ["spring"]


def test_refused_batch_leaves_no_entity_type(api: Any) -> None:
    """An object type of a batch that fails is not there afterwards."""
    before = schema_hash(api)
    with pytest.raises(api.Error):
        api.call(api.make("ObjectType", name="Campaign"), api.make("Task"))
    assert schema_hash(api) == before
    assert "Campaign" not in schemas(api)


@pytest.mark.parametrize("name", ["Note", "Asset Build", "AssetBuild", "Project", "TypedContext"])
def test_name_of_another_entity_type_is_refused(api: Any, name: str) -> None:
    """An object type cannot have the name of an entity type that exists, with blanks or without."""
    with pytest.raises(api.Error, match="exists already") as caught:
        api.create("ObjectType", name=name)
    assert caught.value.name == "DuplicateEntryError"
    other = api.create("ObjectType", name="Campaign")
    with pytest.raises(api.Error, match="exists already"):
        api.update("ObjectType", other, name=name)


@pytest.mark.parametrize("name", ["", "  ", "2D", "a-b", "a.b", 'a"b'])
def test_name_that_a_query_cannot_contain_is_refused(api: Any, name: str) -> None:
    """An object type needs a name that can be an entity type in a query."""
    with pytest.raises(api.Error, match="begin with a letter") as caught:
        api.create("ObjectType", name=name)
    assert caught.value.name == "ValidationError"


def test_blanks_in_the_name_may_change(api: Any) -> None:
    """A new spelling that gives the same entity type is not a conflict with itself."""
    build = api.one('ObjectType where name is "Asset Build"')["id"]
    api.update("ObjectType", build, name="AssetBuild")
    assert "AssetBuild" in schemas(api)


def test_task_stays_an_entity_type(api: Any) -> None:
    """The object type Task cannot be renamed or deleted, because other types refer to it."""
    task = api.one("ObjectType where name is Task")["id"]
    with pytest.raises(api.Error, match="cannot be renamed"):
        api.update("ObjectType", task, name="Work")
    with pytest.raises(api.Error, match="cannot be deleted"):
        api.delete("ObjectType", task)


def test_site_without_some_stock_types(api: Any) -> None:
    """A5: a site may lack object types; their entity types are then gone as well."""
    episode = api.one("ObjectType where name is Episode")["id"]
    for one in api.query(f"select id from Schema where object_type_id is {episode}"):
        api.delete("Schema", one["id"])
    for one in api.query(
        f"select project_schema_id from ProjectSchemaObjectType where object_type_id is {episode}"
    ):
        api.delete("ProjectSchemaObjectType", episode, one["project_schema_id"])
    api.delete("ObjectType", episode)
    assert "Episode" not in schemas(api)
    assert "Shot" in schemas(api)


def test_sessions_load_the_types_of_the_studio(sandbox: Any) -> None:
    """A new session of a client has a class for an object type that another one added."""
    with sandbox.session() as first:
        old = set(first.types)
        first.create("ObjectType", {"name": "Key Art"})
        first.commit()
        schema = first.query("ProjectSchema").first()
        project = first.create("Project", {"name": "film", "project_schema": schema})
        first.commit()
        with sandbox.session() as second:
            assert set(second.types) == old | {"KeyArt"}
            made = second.create("KeyArt", {"name": "poster", "parent": project})
            second.commit()
            assert made.entity_type == "KeyArt"
            assert second.query("KeyArt").one()["parent"].entity_type == "Project"


def test_session_from_before_says_what_to_do(sandbox: Any) -> None:
    """A session that began before an object type was added says so when it meets one."""
    from ftrack_like.exception import UnrecognisedEntityTypeError

    with sandbox.session() as old, sandbox.session() as first:
        first.create("ObjectType", {"name": "Key Art"})
        schema = first.query("ProjectSchema").first()
        project = first.create("Project", {"name": "film", "project_schema": schema})
        first.commit()
        with sandbox.session() as second:
            second.create("KeyArt", {"name": "poster", "parent": project})
            second.commit()
        with pytest.raises(UnrecognisedEntityTypeError, match=r"KeyArt.*create a new session"):
            old.query("select name from TypedContext").all()


def test_events_name_the_entity_type_of_the_studio(sandbox: Any) -> None:
    """An update event names an added object type's context by its own entity type."""
    with sandbox.session() as session:
        session.create("ObjectType", {"name": "Key Art"})
        schema = session.query("ProjectSchema").first()
        project = session.create("Project", {"name": "film", "project_schema": schema})
        session.commit()
    with sandbox.session(auto_connect_event_hub=True) as session:
        seen: list[Any] = []
        session.event_hub.subscribe("topic=ftrack.update", seen.append)
        session.create("KeyArt", {"name": "poster", "parent": project})
        session.commit()
        wanted = ("KeyArt", "task")
        for _ in range(600):
            session.event_hub.wait(0.1)
            named = [one for event in seen for one in event["data"]["entities"]]
            if wanted in {(one.get("entity_type"), one["entityType"]) for one in named}:
                return
    raise AssertionError(f"no event names the new type: {named}")


# Priorities


def test_site_without_the_default_priority_has_another(api: Any, project: str) -> None:
    """A4: without the priority None, the schemas have the id of another priority as default."""
    none = api.one('Priority where name is "None"')["id"]
    low = api.one("Priority where name is Low")["id"]
    api.delete("Priority", none)
    assert schemas(api)["Task"]["properties"]["priority_id"]["default"] == low
    task = api.create("Task", name="new", parent_id=project)
    assert api.one(f"select priority_id from Task where id is {task}")["priority_id"] == low


# First values


def test_first_status_is_the_start_of_the_work(api: Any, project: str) -> None:
    """A1: statuses run from the end of the work to its start, and new work begins at the start."""
    task = api.create("Task", name="new", parent_id=project)
    assert api.one(f"select status.name from Task where id is {task}")["status"]["name"] == (
        "Not started"
    )
    asset = api.create("Asset", name="plate", context_id=task)
    api.create("AssetVersion", asset_id=asset)
    assert api.one("select status.name from AssetVersion")["status"]["name"] == "Pending Review"


def test_first_status_comes_from_the_schema_of_the_object_type(api: Any, project: str) -> None:
    """A6: the statuses of an object type have an order of their own in a project schema."""
    shot = api.create("Shot", name="sh010", parent_id=project)
    row = api.one(f"select status.name, type_id from Shot where id is {shot}")
    assert (row["status"]["name"], row["type_id"]) == ("Not started", None)
