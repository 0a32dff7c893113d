"""What the server does by itself for notes, their labels and recipients, and for metadata."""

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


# Notes


def test_adding_to_notes_sets_the_parent(api: Any, project: str, task: str) -> None:
    """A note put into the list of an entity hangs on it, in its project."""
    note = api.create("Note", content="hello")
    api.update("Task", task, notes=[refer("Note", note)])
    record = api.one(f"select parent_id, parent_type, project_id from Note where id is {note}")
    assert (record["parent_id"], record["parent_type"]) == (task, "Task")
    assert record["project_id"] == project


def test_note_is_filled(api: Any, task: str) -> None:
    """A note without author and moment is the calling user's, of now."""
    note = api.create("Note", content="hello", parent_id=task)
    record = api.one(
        f"select author.username, date, thread_activity, is_todo from Note where id is {note}"
    )
    assert record["author"]["username"] == "admin"
    assert record["date"]["__type__"] == record["thread_activity"]["__type__"] == "datetime"
    assert record["is_todo"] is False


def test_adding_to_replies_sets_what_they_reply_to(api: Any, project: str, task: str) -> None:
    """A reply knows its thread and belongs to the thread's project, not to the parent's list."""
    note = api.create("Note", content="hello", parent_id=task)
    reply = api.create("Note", content="well")
    api.update("Note", note, replies=[refer("Note", reply)])
    record = api.one(f"select in_reply_to_id, project_id from Note where id is {reply}")
    assert (record["in_reply_to_id"], record["project_id"]) == (note, project)
    notes = api.one(f"select notes from Task where id is {task}")["notes"]
    assert [one["id"] for one in notes] == [note]


def test_calling_user_receives_the_note(api: Any, task: str) -> None:
    """The calling user is among a note's recipients, beside those that were named."""
    user = api.create("User", username="artist")
    group = api.create("Group", name="crew")
    note = api.create("Note", content="hello", parent_id=task)
    for resource in (user, group):
        api.call(api.make("Recipient", [note, resource], note_id=note, resource_id=resource))
    recipients = api.query(
        f"select recipient, recipient[User].username from Recipient where note_id is {note}"
    )
    assert {one["recipient"]["__entity_type__"] for one in recipients} == {"User", "Group"}
    names = {one["recipient"].get("username") for one in recipients}
    assert names == {"admin", "artist", None}


def test_group_is_no_user(api: Any, task: str) -> None:
    """The user of a recipient that is a group is null, in records and conditions; so is a path."""
    group = api.create("Group", name="riggers")
    note = api.create("Note", content="hello", parent_id=task)
    api.create("Recipient", [note, group], note_id=note, resource_id=group)
    where = f"from Recipient where note_id is {note}"
    found = api.query(f"select user, user.username, recipient, recipient.name {where}")
    by_type = {one["recipient"]["__entity_type__"]: one for one in found}
    assert by_type["Group"]["user"] is None
    assert by_type["Group"]["recipient"]["id"] == by_type["Group"]["resource_id"] == group
    assert by_type["User"]["user"]["username"] == "admin"
    (empty,) = api.query(f"select resource_id {where} and user is none")
    assert empty["resource_id"] == group
    assert [one["resource_id"] for one in api.query(f"{where[5:]} and user is {group}")] == []
    (user,) = api.query(f'{where[5:]} and user.username is "admin"')
    assert user["resource_id"] == by_type["User"]["user"]["id"]


def test_recipient_is_made_by_its_user(api: Any, task: str) -> None:
    """A recipient may be created by a user; that it may be none is no reason not to write it."""
    note = api.create("Note", content="hello", parent_id=task)
    user = api.create("User", username="reader")
    api.create("Recipient", [note, user], note_id=note, user=refer("User", user))
    (found,) = api.query(f"select user from Recipient where note_id is {note} and user is {user}")
    assert found["user"]["id"] == user


def test_label_link_shows_as_the_category(api: Any, task: str) -> None:
    """A note that gets a label by a link has it as category, until the link goes."""
    note = api.create("Note", content="hello", parent_id=task)
    label = api.query("NoteLabel")[0]["id"]
    api.call(api.make("NoteLabelLink", [note, label], note_id=note, label_id=label))
    assert api.one(f"select category_id from Note where id is {note}")["category_id"] == label
    api.delete("NoteLabelLink", note, label)
    assert api.one(f"select category_id from Note where id is {note}")["category_id"] is None


def test_category_shows_as_a_label_link(api: Any, task: str) -> None:
    """A note with a category has the one link to the label of the same id."""
    first, second = (one["id"] for one in api.query("NoteCategory")[:2])
    note = api.create("Note", content="hello", parent_id=task, category_id=first)
    api.update("Note", note, category_id=second)
    links = api.query(f"select label.name from NoteLabelLink where note_id is {note}")
    assert [one["label_id"] for one in links] == [second]


def test_labels_and_categories_are_the_same(api: Any) -> None:
    """What is made as a label can be read as a category of the same id, and changed as one."""
    label = api.create("NoteLabel", name="to do", color="#ff0000")
    api.update("NoteCategory", label, name="done")
    assert api.one(f"select name from NoteLabel where id is {label}")["name"] == "done"


# Metadata


def test_metadata_know_the_type_of_their_parent(api: Any, project: str) -> None:
    """The type of the parent travels as the schema's id, both ways, and is filled if left out."""
    for key, said in (("said", {"parent_type": "Project"}), ("left out", {})):
        api.call(
            api.make("Metadata", [project, key], parent_id=project, key=key, value="v", **said)
        )
    records = api.query(f"select parent_type from Metadata where parent_id is {project}")
    assert [one["parent_type"] for one in records] == ["Project", "Project"]


def test_values_of_metadata_are_text(api: Any, project: str) -> None:
    """A number as value is refused, naming attribute, value and type."""
    with pytest.raises(api.Error, match=r"'value' of Metadata must be a text, not 5 \(int\)"):
        api.call(api.make("Metadata", [project, "a"], parent_id=project, key="a", value=5))


def test_metadata_of_nothing_are_refused(api: Any) -> None:
    """Metadata whose parent does not exist are refused."""
    with pytest.raises(api.Error, match="parent_type"):
        api.call(api.make("Metadata", ["nobody", "a"], parent_id="nobody", key="a", value="b"))


def test_leaving_the_list_deletes_metadata(api: Any, project: str) -> None:
    """A dictionary without a key has lost its row, whether it is deleted as well or not."""
    rows = {}
    for key in "ab":
        operation = api.make("Metadata", [project, key], parent_id=project, key=key, value="v")
        api.call(operation)
        rows[key] = {"__entity_type__": "Metadata", "parent_id": project, "key": key}
    api.call(
        api.change("Project", project, metadata=[rows["a"]]),
        api.remove("Metadata", project, "b"),
    )
    assert [one["key"] for one in api.query("Metadata")] == ["a"]
