"""What the server does by itself for projects and what they are divided into."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


@pytest.fixture
def schema(api: Any) -> dict[str, Any]:
    """Return the project schema that the tests use, with what it says about tasks."""
    return api.query(
        "select name, task_type_schema.types.name, task_type_schema.types.sort,"
        " object_types.name from ProjectSchema order by name"
    )[0]


@pytest.fixture
def project(api: Any, schema: dict[str, Any]) -> str:
    """Return the id of a project."""
    return api.create("Project", name="film", project_schema_id=schema["id"])


@pytest.fixture
def shot(api: Any, project: str) -> str:
    """Return the id of a shot directly in the project."""
    return api.create("Shot", name="sh010", parent_id=project)


def refer(entity_type: str, id_: str) -> dict[str, str]:
    """Return a reference as it travels."""
    return {"__entity_type__": entity_type, "id": id_}


# Places


def test_project_follows_from_the_parent(api: Any, project: str, shot: str) -> None:
    """A context belongs to the project of its parent, without anybody saying so."""
    task = api.create("Task", name="comp", parent=refer("Shot", shot))
    record = api.one(f"select parent_id, project_id, project.name from Task where id is {task}")
    assert (record["parent_id"], record["project_id"]) == (shot, project)
    assert record["project"]["name"] == "film"


def test_context_with_a_project_alone_stands_directly_in_it(api: Any, project: str) -> None:
    """A context of which only the project is given has the project as its parent."""
    folder = api.create("Folder", name="assets", project_id=project)
    assert api.one(f"select parent_id from Folder where id is {folder}")["parent_id"] == project


def test_parent_may_come_in_a_later_operation(api: Any, project: str) -> None:
    """A create may get its name and its parent from later operations of the batch."""
    task, later = api.make("Task"), api.make("Shot", name="late", parent_id=project)
    task_id, shot_id = task["entity_key"][0], later["entity_key"][0]
    api.call(
        task,
        later,
        api.change("Task", task_id, parent=refer("Shot", shot_id)),
        api.change("Task", task_id, name="comp"),
    )
    record = api.one(
        f"select name, project_id, status_id, ancestors from Task where id is {task_id}"
    )
    assert (record["name"], record["project_id"]) == ("comp", project)
    assert record["status_id"] is not None
    assert [one["id"] for one in record["ancestors"]] == [shot_id]


def test_parent_may_be_created_after_the_child(api: Any, project: str) -> None:
    """A create may name a parent that a later operation of the batch creates."""
    shot = api.make("Shot", name="late", parent_id=project)
    shot_id = shot["entity_key"][0]
    task = api.make("Task", name="comp", parent_id=shot_id)
    api.call(task, shot)
    record = api.one(f"select project_id from Task where id is {task['entity_key'][0]}")
    assert record["project_id"] == project


def test_query_in_the_same_batch_sees_what_was_made(api: Any, project: str) -> None:
    """Operations see what earlier ones of their batch did."""
    shot = api.make("Shot", name="now", parent_id=project)
    query = {"action": "query", "expression": "select project.name from Shot where name is now"}
    _, answer = api.call(shot, query)
    assert [one["project"]["name"] for one in answer["data"]] == ["film"]


def test_missing_name_is_refused_at_the_end(api: Any, project: str) -> None:
    """A context that has no name when the batch ends is refused."""
    with pytest.raises(api.Error, match="name") as caught:
        api.create("Shot", parent_id=project)
    assert (caught.value.name, caught.value.status) == ("ValidationError", 400)


def test_missing_parent_is_refused_at_the_end(api: Any) -> None:
    """A context other than a project that hangs on nothing is refused."""
    with pytest.raises(api.Error, match="parent") as caught:
        api.create("Shot", name="lost")
    assert caught.value.name == "ValidationError"


def test_project_needs_only_a_name(api: Any) -> None:
    """C: a project is created with its names alone; schema and dates are the server's."""
    project = api.create("Project", name="loose", full_name="Loose")
    wanted = "project_schema.name, start_date, end_date"
    record = api.one(f"select {wanted} from Project where id is {project}")
    assert record["project_schema"]["name"] == "VFX"
    start, end = (record[name]["value"] for name in ("start_date", "end_date"))
    assert start.endswith("T00:00:00")
    assert start < end


def test_ancestors_and_descendants_are_kept(api: Any, project: str, shot: str) -> None:
    """The contexts above are the ancestors without the project, those below the descendants."""
    task = api.create("Task", name="comp", parent_id=shot)
    part = api.create("Task", name="part", parent_id=task)
    above = api.one(f"select ancestors from Task where id is {part}")["ancestors"]
    assert {one["id"] for one in above} == {shot, task}
    below = api.one(f"select descendants from Project where id is {project}")["descendants"]
    assert {one["id"] for one in below} == {shot, task, part}


def test_moving_takes_all_below_along(api: Any, schema: dict[str, Any], shot: str) -> None:
    """A context that gets another parent takes what is below it to the new project."""
    task = api.create("Task", name="comp", parent_id=shot)
    asset = api.create("Asset", name="plate", context_id=task)
    version = api.create("AssetVersion", asset_id=asset)
    note = api.create("Note", content="hello", parent_id=task)
    other = api.create("Project", name="other", project_schema_id=schema["id"])
    folder = api.create("Folder", name="moved", parent_id=other)
    api.update("Shot", shot, parent_id=folder)
    record = api.one(f"select project_id, ancestors, link from Task where id is {task}")
    assert record["project_id"] == other
    assert {one["id"] for one in record["ancestors"]} == {folder, shot}
    assert [one["name"] for one in record["link"]] == ["other", "moved", "sh010", "comp"]
    for type_name, id_ in (("Asset", asset), ("AssetVersion", version), ("Note", note)):
        found = api.one(f"select project_id from {type_name} where id is {id_}")
        assert found["project_id"] == other, type_name


def test_context_cannot_be_below_itself(api: Any, shot: str) -> None:
    """A move below one's own descendant is refused."""
    task = api.create("Task", name="comp", parent_id=shot)
    with pytest.raises(api.Error, match="below itself") as caught:
        api.update("Shot", shot, parent_id=task)
    assert caught.value.name == "ValidationError"


def test_adding_to_children_sets_parent_and_project(api: Any, project: str, shot: str) -> None:
    """Members of a new list of children have its owner as parent, and the owner's project."""
    task = api.create("Task", name="comp", parent_id=project)
    api.update("Shot", shot, children=[refer("Task", task)])
    record = api.one(f"select parent_id, project_id from Task where id is {task}")
    assert (record["parent_id"], record["project_id"]) == (shot, project)


def test_child_moves_between_collections_of_one_batch(api: Any, project: str, shot: str) -> None:
    """A child taken from one list and put into another by the same batch has moved."""
    task = api.create("Task", name="comp", parent_id=shot)
    other = api.create("Shot", name="sh020", parent_id=project)
    api.call(
        api.change("Shot", shot, children=[]),
        api.change("Shot", other, children=[refer("Task", task)]),
    )
    assert api.one(f"select parent_id from Task where id is {task}")["parent_id"] == other


# Values that are filled


def test_status_type_and_priority_come_from_the_project_schema(
    api: Any, schema: dict[str, Any], shot: str
) -> None:
    """A task without type, status and priority gets the first of each that its schema has."""
    task = api.create("Task", name="comp", parent_id=shot)
    record = api.one(
        f"select type.name, status.name, priority.name, bid, sort from Task where id is {task}"
    )
    types = sorted(schema["task_type_schema"]["types"], key=lambda one: one["sort"])
    assert record["type"]["name"] == types[0]["name"]
    assert record["status"]["name"] == "Not started"
    assert record["priority"]["name"] == "None"
    assert (record["bid"], record["sort"]) == (0, 0)


def test_override_of_a_type_decides_the_first_status(api: Any, schema: dict[str, Any]) -> None:
    """A task of a type with a workflow of its own begins with that workflow's first status."""
    workflow = api.create("WorkflowSchema", name="short")
    ready = api.create("Status", name="Just ready", is_active=True, sort=-5)
    api.call(
        api.make(
            "WorkflowSchemaStatus",
            [workflow, ready],
            workflow_schema_id=workflow,
            status_id=ready,
        )
    )
    type_ = schema["task_type_schema"]["types"][1]["id"]
    for old in api.query(
        f"ProjectSchemaOverride where project_schema_id is {schema['id']} and type_id is {type_}"
    ):
        api.delete("ProjectSchemaOverride", old["id"])
    api.create(
        "ProjectSchemaOverride",
        project_schema_id=schema["id"],
        type_id=type_,
        workflow_schema_id=workflow,
    )
    project = api.create("Project", name="film", project_schema_id=schema["id"])
    task = api.create("Task", name="comp", parent_id=project, type_id=type_)
    assert api.one(f"select status_id from Task where id is {task}")["status_id"] == ready


def test_given_values_are_kept(api: Any, shot: str) -> None:
    """What a create says about status, type and priority is not replaced."""
    said = {
        "status_id": api.one("Status where name is Approved")["id"],
        "type_id": api.one("Type where name is Compositing")["id"],
        "priority_id": api.one("Priority where name is High")["id"],
    }
    task = api.create("Task", name="comp", parent_id=shot, **said)
    record = api.one(f"select {', '.join(said)} from Task where id is {task}")
    assert {name: record[name] for name in said} == said


def test_project_is_active_and_has_a_full_name(api: Any, project: str) -> None:
    """A new project is active, and its full name is its name."""
    record = api.one("select status, full_name, project_id, is_private from Project")
    assert (record["status"], record["full_name"]) == ("active", "film")
    assert (record["project_id"], record["is_private"]) == (project, False)


def test_maker_and_moment_are_the_servers(api: Any, project: str) -> None:
    """Who made a context and when is what the server says, whatever a client sends."""
    other = api.create("User", username="other")
    old = {"__type__": "datetime", "value": "2001-01-01T00:00:00"}
    shot = api.create("Shot", name="x", parent_id=project, created_by_id=other, created_at=old)
    record = api.one(f"select created_by.username, created_at from Shot where id is {shot}")
    assert record["created_by"]["username"] == "admin"
    assert record["created_at"]["value"] > "2020"


# Names


@pytest.mark.parametrize("name", ["comp", "COMP"])
def test_name_is_unique_under_one_parent(api: Any, shot: str, name: str) -> None:
    """A second context of the same name under one parent is refused, in any case and type."""
    api.create("Task", name="comp", parent_id=shot)
    with pytest.raises(api.Error, match="DuplicateEntry") as caught:
        api.create("Folder", name=name, parent_id=shot)
    assert (caught.value.name, caught.value.status) == ("DuplicateEntryError", 409)
    assert len(api.query("Task")) == 1


def test_two_of_a_name_in_one_batch_are_refused(api: Any, shot: str) -> None:
    """A batch that makes two contexts of one name under one parent is refused whole."""
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.call(*(api.make("Task", name="comp", parent_id=shot) for _ in range(2)))
    assert api.query("Task") == []


def test_names_may_be_exchanged_in_one_batch(api: Any, shot: str) -> None:
    """Two contexts may exchange their names: what counts is how a batch leaves them."""
    one, two = (api.create("Task", name=name, parent_id=shot) for name in ("one", "two"))
    api.call(api.change("Task", one, name="two"), api.change("Task", two, name="one"))
    assert api.one(f"select name from Task where id is {one}")["name"] == "two"


def test_renaming_to_a_taken_name_is_refused(api: Any, shot: str) -> None:
    """An update that gives a context the name of its sibling is refused."""
    api.create("Task", name="one", parent_id=shot)
    two = api.create("Task", name="two", parent_id=shot)
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.update("Task", two, name="one")


def test_same_name_under_other_parents_is_allowed(api: Any, project: str, shot: str) -> None:
    """A name may be used once under each parent."""
    api.create("Task", name="comp", parent_id=shot)
    assert api.create("Task", name="comp", parent_id=project)


def test_name_of_a_project_is_unique(api: Any, schema: dict[str, Any], project: str) -> None:
    """A second project of the same name is refused."""
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.create("Project", name="film", project_schema_id=schema["id"])


def test_names_of_assets_need_not_be_unique(api: Any, shot: str) -> None:
    """Two assets of one name may hang on one context."""
    for _ in range(2):
        api.create("Asset", name="plate", context_id=shot)
    assert len(api.query("Asset where name is plate")) == 2


# Statuses and links


def test_status_changes_are_recorded(api: Any, shot: str) -> None:
    """A new status leaves a record of the old one, of who changed it and when."""
    task = api.create("Task", name="comp", parent_id=shot)
    status = api.one("Status where name is Approved")["id"]
    api.update("Task", task, status_id=status)
    changes = api.one(
        "select status_changes.from_status.name, status_changes.status.name,"
        f" status_changes.user.username, status_changes.date from Task where id is {task}"
    )["status_changes"]
    assert [
        (one["__entity_type__"], one["from_status"]["name"], one["status"]["name"])
        for one in changes
    ] == [("TypedContextStatusChange", "Not started", "Approved")]
    assert changes[0]["user"]["username"] == "admin"
    assert changes[0]["date"]["__type__"] == "datetime"


def test_same_status_again_is_no_change(api: Any, shot: str) -> None:
    """Setting the status that a task has already records nothing."""
    task = api.create("Task", name="comp", parent_id=shot)
    status = api.one(f"select status_id from Task where id is {task}")["status_id"]
    api.update("Task", task, status_id=status)
    assert api.query("StatusChange") == []


def test_scopes_are_links(api: Any, shot: str) -> None:
    """Members of a many-to-many collection are linked, and only the link goes with them."""
    scopes = [api.create("Scope", name=name) for name in ("one", "two")]
    api.update("Shot", shot, scopes=[refer("Scope", id_) for id_ in scopes])
    api.update("Shot", shot, scopes=[refer("Scope", scopes[1])])
    found = api.one(f"select scopes from Shot where id is {shot}")["scopes"]
    assert [one["id"] for one in found] == [scopes[1]]
    assert len(api.query(f'Scope where id in ("{scopes[0]}", "{scopes[1]}")')) == 2


def test_items_of_a_list_are_links(api: Any, project: str, shot: str) -> None:
    """Tasks in a list stay when they leave it; the links are list objects with ids."""
    task = api.create("Task", name="comp", parent_id=shot)
    category = api.query("ListCategory")[0]["id"]
    made = api.create(
        "TypedContextList",
        name="dailies",
        project_id=project,
        category_id=category,
        items=[refer("Task", task)],
    )
    links = api.query(f"select entity_id from ListObject where list_id is {made}")
    assert [one["entity_id"] for one in links] == [task]
    assert api.one(f"select lists from Task where id is {task}")["lists"][0]["id"] == made
    api.update("TypedContextList", made, items=[])
    assert api.query("ListObject") == []
    assert len(api.query("Task")) == 1


def test_closure_cannot_be_written(api: Any, project: str, shot: str) -> None:
    """The ancestors of a context are the server's: a client that sends them is refused."""
    with pytest.raises(api.Error, match="kept by the server"):
        api.update("Shot", shot, ancestors=[])


# Two names of the same


def test_properties_with_one_alias_are_the_same_data(api: Any, schema: dict[str, Any]) -> None:
    """A property and the older name of it show the same, whichever was changed."""
    type_ = api.create("Type", name="Odd")
    override = api.create(
        "ProjectSchemaOverride",
        project_schema_id=schema["id"],
        type_id=type_,
        workflow_schema_id=api.query("WorkflowSchema")[0]["id"],
    )
    pairs = {
        "_overrides": "task_workflow_schema_overrides",
        "_task_type_schema": "task_type_schema",
        "_task_workflow": "task_workflow_schema",
        "_version_workflow": "asset_version_workflow_schema",
        "_schemas": "object_type_schemas",
    }
    record = api.one(
        f"select {', '.join([*pairs, *pairs.values()])} from ProjectSchema"
        f" where id is {schema['id']}"
    )
    assert override in {one["id"] for one in record["_overrides"]}
    for old, new in pairs.items():
        assert ids(record[old]) == ids(record[new]), old


def ids(value: Any) -> Any:
    """Return the id of a reference, or the ids of a list of them."""
    return {one["id"] for one in value} if isinstance(value, list) else value["id"]
