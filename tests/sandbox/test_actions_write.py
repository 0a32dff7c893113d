"""Creating and changing: what may be said, in which forms, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of a project."""
    schema = api.query("ProjectSchema")[0]["id"]
    return api.create("Project", name="film", project_schema_id=schema)


@pytest.fixture
def task(api: Any, project: str) -> str:
    """Return the id of a task in the project."""
    return api.create("Task", name="comp", parent_id=project)


def refer(entity_type: str, id_: str) -> dict[str, str]:
    """Return a reference as it travels."""
    return {"__entity_type__": entity_type, "id": id_}


def test_create_answers_what_was_sent_and_projections(api: Any, project: str) -> None:
    """A create answers key, default and system projections, and the attributes as sent; no more."""
    parent = {"__entity_type__": "Project", "id": project, "name": "whatever"}
    answer = api.call(api.make("Task", ["t"], name="comp", parent=parent, bid=5))[0]
    assert answer == {
        "action": "create",
        "data": {
            "__entity_type__": "Task",
            "id": "t",
            "name": "comp",
            "context_type": "task",
            "project_id": project,
            "parent": parent,
            "bid": 5,
        },
    }


def test_update_answers_what_was_sent_and_projections(api: Any, project: str, task: str) -> None:
    """An update answers likewise, of the state at the end of its batch."""
    first, second = api.call(
        api.change("Task", task, description="new"), api.change("Task", task, name="roto")
    )
    assert first["data"] == {
        "__entity_type__": "Task",
        "id": task,
        "name": "roto",
        "context_type": "task",
        "project_id": project,
        "description": "new",
    }
    assert "description" not in second["data"]


def test_reference_and_foreign_key_say_the_same(api: Any, project: str) -> None:
    """A relation may be set by a reference or by its key, and emptied by null."""
    type_ = api.query("Type")[0]["id"]
    for said in ({"type": refer("Type", type_)}, {"type_id": type_}):
        task = api.create("Task", name=str(said), parent_id=project, **said)
        assert api.one(f"select type_id from Task where id is {task}")["type_id"] == type_
    component = api.create("FileComponent", name="main")
    for emptied in ({"thumbnail": None}, {"thumbnail_id": None}):
        api.update("Task", task, thumbnail=refer("Component", component))
        api.update("Task", task, **emptied)
        assert api.one(f"select thumbnail from Task where id is {task}")["thumbnail"] is None


def test_base_type_reaches_its_concrete_entities(api: Any, task: str) -> None:
    """An update or a delete may name an entity by one of the base types."""
    api.update("TypedContext", task, description="by base")
    assert api.one(f"select description from Task where id is {task}")["description"] == "by base"
    api.delete("Context", task)
    assert api.query("Task") == []


def test_entity_of_another_type_is_not_found(api: Any, task: str) -> None:
    """An id is only found under a type that its entity is of."""
    with pytest.raises(api.Error, match="no Shot"):
        api.update("Shot", task, name="x")


def test_attribute_of_the_concrete_type_alone_is_refused_elsewhere(api: Any, task: str) -> None:
    """An attribute that a type lacks is refused with a near name."""
    with pytest.raises(api.Error, match=r"No attribute 'full_name' exists for Task"):
        api.update("Task", task, full_name="x")


@pytest.mark.parametrize("type_name", ["Context", "Resource", "BaseUser"])
def test_type_that_stands_for_others_is_not_created(api: Any, type_name: str) -> None:
    """A type that could be anything is refused, naming what it could be."""
    with pytest.raises(api.Error, match=f"A {type_name} cannot be created; create one of"):
        api.create(type_name, id="x")


def test_context_of_an_own_object_type_has_its_own_type(api: Any, project: str) -> None:
    """A context created as TypedContext is answered as the entity type of its object type."""
    kind = api.create("ObjectType", name="Reel")
    made = api.create("TypedContext", name="r1", parent_id=project, object_type_id=kind)
    record = api.one(f"select object_type.name from TypedContext where id is {made}")
    assert (record["__entity_type__"], record["object_type"]["name"]) == ("Reel", "Reel")


def test_other_kind_than_the_type_is_refused(api: Any, project: str) -> None:
    """A create cannot give an entity the marks of another type."""
    shots = api.one("ObjectType where name is Shot")["id"]
    with pytest.raises(api.Error, match="object_type_id"):
        api.create("Task", name="x", parent_id=project, object_type_id=shots)


def test_reference_to_another_kind_is_refused(api: Any, project: str, task: str) -> None:
    """A reference to an entity of another type is refused, by reference and by key."""
    with pytest.raises(api.Error, match="must be a Status, not a Type"):
        api.update("Task", task, status=refer("Type", api.query("Type")[0]["id"]))
    with pytest.raises(api.Error, match="which is not a Project"):
        api.create(
            "ReviewSession", name="r", project=refer("Project", task), description="of a task"
        )


@pytest.mark.parametrize("value", ["an id", ["a"], {"id": "a"}, 5, True])
def test_reference_in_another_form_is_refused(api: Any, task: str, value: Any) -> None:
    """A relation is set by a mapping with a type and a key; other forms are shown as wrong."""
    with pytest.raises(api.Error, match="'status' of Task must be a reference"):
        api.update("Task", task, status=value)


@pytest.mark.parametrize("value", ["an id", {"id": "a"}, 5])
def test_collection_in_another_form_is_refused(api: Any, task: str, value: Any) -> None:
    """A collection is set by a list; other forms are shown as wrong."""
    with pytest.raises(api.Error, match="'notes' of Task must be a list of references"):
        api.update("Task", task, notes=value)


def test_member_of_another_type_is_refused(api: Any, task: str) -> None:
    """A collection holds entities of its type only."""
    with pytest.raises(api.Error, match="'notes' of Task contains Note, not Status"):
        api.update("Task", task, notes=[refer("Status", api.query("Status")[0]["id"])])


def test_member_that_never_comes_is_refused(api: Any, task: str) -> None:
    """A member that does not exist when the batch ends is refused."""
    for attribute, type_name in (("notes", "Note"), ("scopes", "Scope")):
        with pytest.raises(api.Error, match=f"'{attribute}' of Task points at 'nothing'"):
            api.update("Task", task, **{attribute: [refer(type_name, "nothing")]})


def test_required_value_cannot_be_emptied(api: Any, task: str) -> None:
    """An update that leaves a required attribute empty is refused; a later one may fill it."""
    with pytest.raises(api.Error, match="'status_id' of Task needs a value"):
        api.update("Task", task, status=None)
    status = api.query("Status")[0]["id"]
    api.call(api.change("Task", task, status_id=None), api.change("Task", task, status_id=status))
    assert api.one(f"select status_id from Task where id is {task}")["status_id"] == status


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("name", 5, "a text, not 5 (int)"),
        ("name", {"a": 1}, "a text"),
        ("name", "half a pair \ud800", "a text"),
        ("name", "nul \0", "a text"),
        ("bid", "5", "a number, not '5' (str)"),
        ("bid", True, "a number, not True (bool)"),
        ("start_date", 5, "a time such as"),
        ("start_date", "yesterday", "a time such as"),
        ("start_date", {"__type__": "datetime"}, "a time such as"),
        ("start_date", {"__type__": "datetime", "value": "2023-13-01"}, "a time such as"),
        ("status_id", 5, "a text"),
        ("link", [], "computed by the server"),
        ("time_logged", 5, "computed by the server"),
    ],
)
def test_wrong_values_are_named(
    api: Any, task: str, attribute: str, value: Any, words: str
) -> None:
    """A value of the wrong type is refused, naming attribute, wanted type and value."""
    with pytest.raises(api.Error) as caught:
        api.update("Task", task, **{attribute: value})
    assert caught.value.name == "ValidationError"
    assert repr(attribute) in caught.value.content
    assert words in caught.value.content


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2023-10-10T09:50:34", "2023-10-10T09:50:34"),
        ("2023-10-10 09:50:34", "2023-10-10T09:50:34"),
        ("2023-10-10T09:50:34.999999", "2023-10-10T09:50:34"),
        ("2023-10-10T09:50:34+02:00", "2023-10-10T07:50:34"),
        ("2023-10-10T23:50:34.5-0130", "2023-10-11T01:20:34"),
        ("2023-10-10T09:50:34Z", "2023-10-10T09:50:34"),
        ("2023-10-10", "2023-10-10T00:00:00"),
    ],
)
@pytest.mark.parametrize("form", ["mapping", "text"])
def test_moments_are_kept_in_utc_at_whole_seconds(
    api: Any, task: str, sent: str, kept: str, form: str
) -> None:
    """A moment in any usual form, with an offset or without, is kept as UTC."""
    value = {"__type__": "datetime", "value": sent} if form == "mapping" else sent
    api.update("Task", task, start_date=value)
    record = api.one(f"select start_date from Task where id is {task}")
    assert record["start_date"] == {"__type__": "datetime", "value": kept}


def test_size_beyond_four_gigabytes_is_kept(api: Any) -> None:
    """A size is a whole number of 64 bits; what does not fit is refused."""
    component = api.create("FileComponent", name="main", size=2**40)
    assert api.one("select size from FileComponent")["size"] == 2**40
    for size in (2**63, 1.5):
        with pytest.raises(api.Error, match="a whole number"):
            api.update("FileComponent", component, size=size)


def test_any_text_is_kept(api: Any, task: str) -> None:
    """Quotes, line ends, other scripts and emoji come back as they went."""
    text = "\"quoted\" 'and' \\ line\nend\ttab Grüße 漢字 🎬 ﷽"
    api.update("Task", task, description=text)
    assert api.one(f"select description from Task where id is {task}")["description"] == text


def test_key_may_stand_in_the_data_alone(api: Any) -> None:
    """An operation without ``entity_key`` is understood by the key in its data."""
    data = {"id": "mine", "name": "new"}
    base = {"entity_type": "Scope", "entity_data": data}
    api.call({"action": "create", **base})
    data["name"] = "changed"
    api.call({"action": "update", **base})
    assert api.one("select name from Scope where id is mine")["name"] == "changed"


def test_id_is_made_up_when_none_is_given(api: Any) -> None:
    """A create without a key gets one."""
    data = {"name": "new"}
    answer = api.call({"action": "create", "entity_type": "Scope", "entity_data": data})[0]
    assert api.one(f"select name from Scope where id is {answer['data']['id']}")["name"] == "new"


def test_number_of_statements_grows_with_relations_not_with_rows(
    api: Any, project: str, sandbox: Any
) -> None:
    """Creating, changing or deleting a hundred times as many contexts costs few statements more."""
    engine = sandbox._api.database.engine
    counts = []
    for size in (2, 200):
        shots = [api.make("Shot", name=f"{size}-{n}", parent_id=project) for n in range(size)]
        ids = [shot["entity_key"][0] for shot in shots]
        folder = api.create("Folder", name=f"of {size}", parent_id=project)
        counts.append(
            [
                counted(engine, lambda: api.call(*shots)),
                counted(engine, lambda: api.call(*(api.change("Shot", i, sort=1) for i in ids))),
                counted(engine, lambda: [api.update("Shot", i, parent_id=folder) for i in ids[:2]]),
                counted(engine, lambda: api.delete("Folder", folder)),
            ]
        )
    few, many = counts
    assert many[0] <= few[0] + 2
    assert many[1] <= few[1] + 200
    assert many[2:] == few[2:]


def counted(engine: Any, do: Any) -> int:
    """Return how many statements *do* makes the database run."""
    import sqlalchemy

    count = 0

    def one_more(*ignored: Any) -> None:
        nonlocal count
        count += 1

    sqlalchemy.event.listen(engine, "before_cursor_execute", one_more)
    try:
        do()
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", one_more)
    return count


def test_deletions_in_a_row_are_run_together(api: Any, project: str, sandbox: Any) -> None:
    """Deleting a hundred entities of two types in turn takes as many statements as deleting two."""
    engine = sandbox._api.database.engine
    counts = []
    for size in (2, 100):
        made = []
        for number in range(size):
            task = api.make("Task", name=f"{size}-{number}", parent_id=project)
            parent = {"parent_id": task["entity_key"][0], "parent_type": "task"}
            made += [task, api.make("Note", content="x", **parent)]
        api.call(*made)
        deletions = [api.remove(one["entity_type"], *one["entity_key"]) for one in reversed(made)]
        counts.append(counted(engine, lambda batch=deletions: api.call(*batch)))
    assert counts[1] <= counts[0] + 2
    assert api.query(f"Task where project_id is {project}") == []


def test_failing_deletion_is_the_one_in_use(api: Any, task: str) -> None:
    """Of several deletions the error names the one that something else still needs."""
    used = api.one(f"select status_id from Task where id is {task}")["status_id"]
    free = [api.create("Status", name=name, sort=99) for name in ("one", "two")]
    batch = [api.remove("Status", id_) for id_ in (free[0], used, free[1])]
    with pytest.raises(api.Error, match=r"in use.*\(operation 1: delete Status\)"):
        api.call(*batch)
    assert api.one(f"Status where id is {free[0]}")


def test_order_of_deletions_does_not_matter(api: Any) -> None:
    """A batch may delete a location and then the last component location in it."""
    location = api.create("Location", name="one")
    component = api.create("FileComponent", name="main")
    inside = api.create(
        "ComponentLocation", component_id=component, location_id=location, resource_identifier="x"
    )
    api.call(api.remove("Location", location), api.remove("ComponentLocation", inside))
    assert api.query(f"Location where id is {location}") == []


def test_entity_made_again_is_deleted_again(api: Any, project: str) -> None:
    """A batch that deletes, creates and deletes one entity leaves none."""
    again = api.make("Folder", name="two", parent_id=project)
    (folder,) = again["entity_key"]
    api.create("Folder", [folder], id=folder, name="one", parent_id=project)
    delete = api.remove("Folder", folder)
    api.call(delete, again)
    assert api.one(f"select name from Folder where id is {folder}")["name"] == "two"
    api.call(delete, again, delete)
    assert api.query(f"Folder where id is {folder}") == []


def test_component_is_created_and_deleted_in_one_batch(api: Any) -> None:
    """A batch may delete a component that it made, with what belongs to the component."""
    made = api.make("SequenceComponent", name="main", padding=4)
    (sequence,) = made["entity_key"]
    made["entity_data"]["id"] = sequence
    member = api.make("FileComponent", name="0001", container_id=sequence)
    api.call(made, member, api.remove("SequenceComponent", sequence))
    assert api.query(f"Component where id in ({sequence}, {member['entity_key'][0]})") == []


def test_reference_to_a_component_deleted_in_the_same_batch_is_refused(
    api: Any, project: str
) -> None:
    """What stays must not point at a component that the batch made and deleted."""
    made = api.make("FileComponent", name="main")
    (component,) = made["entity_key"]
    made["entity_data"]["id"] = component
    uses = api.make("Folder", name="uses", parent_id=project, thumbnail_id=component)
    with pytest.raises(api.Error, match=r"thumbnail_id.*does not exist.*\(operation 2: create"):
        api.call(made, api.remove("FileComponent", component), uses)
    assert api.query(f"Folder where id is {uses['entity_key'][0]}") == []
