"""Facts about the query language of real sites: section B of the site facts."""

from __future__ import annotations

from typing import Any

import pytest


def test_groups_have_every_grouped_attribute(api: Any, work: Any) -> None:
    """Aggregates: rows carry each grouped attribute, though only the aggregate is selected."""
    task = api.one(f"select status_id from Task where id is {work.task}")
    rows = api.query("select count(id) from Task group by project_id, status_id")
    assert rows == [{"count_id": 1, "project_id": work.project, "status_id": task["status_id"]}]
    chosen = api.query("select status_id, count(id) from Task group by project_id, status_id")
    assert chosen == rows


def test_count_needs_no_group(api: Any, work: Any) -> None:
    """Aggregates without 'group by' stay possible, because len() of a result counts with them."""
    assert api.query("select count(id) from Task") == [{"count_id": 1}]


@pytest.fixture
def notes(api: Any, work: Any) -> dict[str, str]:
    """Return the ids of notes by the kind of their parent."""
    review = api.create("ReviewSession", name="dailies", project_id=work.project)
    of_review = api.create(
        "ReviewSessionObject", name="o", review_session_id=review, version_id=work.version
    )
    parents = {
        "task": (work.shot, "TypedContext"),
        "asset_version": (work.version, "AssetVersion"),
        "review_session_object": (of_review, "ReviewSessionObject"),
        "show": (work.project, "Project"),
    }
    return {
        kind: api.create("Note", content=kind, parent_id=id_, parent_type=name)
        for kind, (id_, name) in parents.items()
    }


@pytest.mark.parametrize("kind", ["task", "asset_version", "review_session_object", "show"])
@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ('parent_type is "{}"', True),
        ('parent_type in ("{}", "other")', True),
        ('parent_type like "{}%"', True),
        ('parent_type is_not "{}"', False),
        ('parent_type not_in ("{}")', False),
        ('parent_type not_like "{}"', False),
    ],
)
def test_parent_type_is_compared_as_a_table(
    api: Any, notes: dict[str, str], kind: str, criteria: str, found: bool
) -> None:
    """Note.parent_type: criteria compare with the name of the table, whatever the operator."""
    ids = {one["id"] for one in api.query(f"Note where {criteria.format(kind)}")}
    wanted = {notes[kind]} if found else set(notes.values()) - {notes[kind]}
    assert ids == wanted


@pytest.mark.parametrize("name", ["TypedContext", "Shot", "AssetVersion", "Project"])
def test_schema_id_finds_no_parent_type(api: Any, notes: dict[str, str], name: str) -> None:
    """Note.parent_type: the schema id finds nothing, without an error."""
    assert api.query(f'Note where parent_type is "{name}"') == []


def test_parent_type_is_read_as_a_schema_id(api: Any, notes: dict[str, str]) -> None:
    """Note.parent_type: what is read back is the schema id."""
    found = api.query("select parent_type from Note")
    assert {one["parent_type"] for one in found} == {
        "AssetVersion",
        "Project",
        "ReviewSessionObject",
        "Shot",
    }


def test_parent_type_of_metadata_is_compared_as_a_table(api: Any, work: Any) -> None:
    """Metadata.parent_type has the same two forms, since its schema has the same transform."""
    for parent, name in ((work.task, "TypedContext"), (work.user, "User")):
        values = {"parent_id": parent, "parent_type": name, "key": "k", "value": "v"}
        api.create("Metadata", [parent, "k"], **values)
    for table, parent in (("task", work.task), ("user", work.user)):
        found = api.query(f"Metadata where key is k and parent_type is {table}")
        assert [one["parent_id"] for one in found] == [parent]


def test_key_and_value_are_of_one_entry(api: Any, work: Any) -> None:
    """custom_attributes.key and custom_attributes.value in one 'and' are one member's pair."""
    ids = {}
    for key in ("first", "second"):
        type_id = api.one('CustomAttributeType where name is "text"')["id"]
        words = {"key": key, "label": key, "entity_type": "user", "type_id": type_id}
        ids[key] = api.create("CustomAttributeConfiguration", **words)
    users = [api.create("User", username=name) for name in ("ada", "bob")]
    for user, values in zip(users, (("x", "y"), ("y", "x"))):
        for configuration, value in zip(ids.values(), values):
            key = [configuration, user]
            api.create("CustomAttributeValue", key, value=value)
    pair = 'custom_attributes.key is "{}" and custom_attributes.value is "{}"'
    found = api.query(f"User where {pair.format('first', 'x')}")
    assert [one["id"] for one in found] == users[:1]
    found = api.query(f"User where {pair.format('first', 'y')} and username is bob")
    assert [one["id"] for one in found] == users[1:]
    both = f"{pair.format('first', 'x')} and {pair.format('second', 'y')}"
    assert [one["id"] for one in api.query(f"User where {both}")] == users[:1]
    both = f"{pair.format('first', 'x')} and {pair.format('second', 'x')}"
    assert api.query(f"User where {both}") == []


def test_key_and_value_of_metadata_are_of_one_entry(api: Any, work: Any) -> None:
    """Metadata are a dictionary too: metadata.key and metadata.value are one entry's pair."""
    for key, value in (("a", "1"), ("b", "2")):
        words = {"parent_id": work.task, "parent_type": "Task", "key": key, "value": value}
        api.create("Metadata", [work.task, key], **words)
    pair = "Task where metadata.key is a and metadata.value is {}"
    assert [len(api.query(pair.format(value))) for value in "12"] == [1, 0]
    assert len(api.query("Task where metadata.value is_not 1 and metadata.key is b")) == 1


@pytest.mark.parametrize(
    "expression",
    ["select updated_at from Task", "Task where updated_at is 1", "Task order by updated_at"],
)
def test_unknown_attribute_is_named_in_known_words(api: Any, expression: str) -> None:
    """Unknown attribute: a ParseError with the words that no attribute of that name exists."""
    with pytest.raises(api.Error, match=r"No attribute 'updated_at' exists") as caught:
        api.query(expression)
    assert caught.value.name == "ParseError"


@pytest.mark.parametrize(
    ("type_name", "attribute"),
    [
        ("Asset", "parent_id"),
        ("Location", "priority"),
        ("AssetVersion", "name"),
        ("AssetVersion", "updated_at"),
        ("Note", "updated_at"),
    ],
)
def test_attributes_that_a_site_lacks(api: Any, type_name: str, attribute: str) -> None:
    """Asset.parent_id, Location.priority, names and change times of versions do not exist."""
    with pytest.raises(api.Error, match=f"No attribute '{attribute}' exists"):
        api.query(f"select {attribute} from {type_name}")


@pytest.mark.parametrize("type_name", ["Setting", "JobComponent", "Metadata"])
def test_id_of_a_type_without_one_may_be_selected(api: Any, work: Any, type_name: str) -> None:
    """Programs select the id of any type; a row without one has its primary key."""
    component = api.create("FileComponent", name="main")
    job = api.create("Job", type="api_job", status="queued", data="{}")
    api.create("JobComponent", [component, job], component_id=component, job_id=job)
    words = {"parent_id": work.task, "parent_type": "Task", "key": "k", "value": "v"}
    api.create("Metadata", [work.task, "k"], **words)
    keys = {
        "Setting": {"name": "storage_scenario", "group": "STORAGE"},
        "JobComponent": {"component_id": component, "job_id": job},
        "Metadata": {"parent_id": work.task, "key": "k"},
    }[type_name]
    records = api.query(f"select id from {type_name}")
    assert any(keys.items() <= one.items() for one in records)
    with pytest.raises(api.Error, match="No attribute 'id' exists"):
        api.query(f"{type_name} where id is x")


def test_none_in_quotes_is_a_text(api: Any, work: Any) -> None:
    """none without quotes is null, with quotes a text."""
    api.update("Task", work.task, description="none")
    assert api.query("Task where description is none") == []
    assert len(api.query('Task where description is "none"')) == 1


@pytest.mark.parametrize(
    "expression",
    [
        'Task where id = "{task}"',
        'Project where status is "active"',
        "Task where id in ({task}, other)",
        "Task where id in ('{task}','other')",
        "select name from Task order by type.name, name",
        "select date from AssetVersion order by date desc",
        'Task where\n    id is "{task}"\n  order by name',
        "ProjectSchemaOverride where project_schema_id is a and type_id is b",
        "SchemaStatus where schema_id in (a)",
        "WorkflowSchemaStatus where workflow_schema_id is a",
        "select id from Schema where project_schema_id is a",
        'select value from CustomAttributeValue where configuration_id in (a) and value in ("b")',
        "select name from Timelog",
    ],
)
def test_forms_that_shipped_code_sends(api: Any, work: Any, expression: str) -> None:
    """Quotes, blanks, orders, new lines and types that shipped code uses are understood."""
    asked = expression.format(task=work.task)
    unknown = " a" in expression or "(a)" in expression or "Timelog" in expression
    assert bool(api.query(asked)) is not unknown


def test_thousands_of_ids_are_normal(api: Any, work: Any) -> None:
    """Lists of 5,000 ids in 'in (…)' are normal."""
    ids = ", ".join([*(f"id-{number}" for number in range(5_000)), work.task])
    assert [one["id"] for one in api.query(f"Task where id in ({ids})")] == [work.task]


def test_bare_references_may_be_selected(api: Any, work: Any) -> None:
    """A path in a projection may end at a reference, and gives the whole reference."""
    wanted = "asset, asset.parent, status.state, task.assignments.resource.first_name"
    record = api.one(f"select {wanted} from AssetVersion")
    assert record["asset"]["parent"]["id"] == work.shot
    assert record["status"]["state"]["__entity_type__"] == "State"


def test_next_offset_is_the_number_of_rows(api: Any) -> None:
    """next.offset equals the number of rows so far as long as more exist."""
    result = api.call({"action": "query", "expression": "Type limit 1"})[0]
    assert result["metadata"] == {"next": {"offset": 1}}
