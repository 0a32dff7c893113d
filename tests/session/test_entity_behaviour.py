"""What entities of the known types can do, on a real server."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import cache, exception, inspection
from ftrack_like.symbol import CREATED, NOT_SET


@contextlib.contextmanager
def requests(session: Any, count: int) -> Iterator[None]:
    """Fail unless the block makes *count* requests."""
    before = session.statistics.requests
    yield
    assert session.statistics.requests - before == count


@pytest.fixture
def schema(session: Any) -> Any:
    """Return the project schema of VFX projects."""
    return session.query("ProjectSchema").first()


@pytest.fixture
def project(session: Any, schema: Any) -> Any:
    """Return a project with a sequence, three shots and a task in each."""
    project = session.create(
        "Project", {"name": "harbour", "full_name": "Harbour", "project_schema": schema}
    )
    sequence = session.create("Sequence", {"name": "sq010", "parent": project})
    for number in range(3):
        shot = session.create("Shot", {"name": f"sh{number}", "parent": sequence})
        session.create("Task", {"name": f"task{number}", "parent": shot})
    session.commit()
    return project


@pytest.fixture
def task(session: Any, project: Any) -> Any:
    """Return the first task."""
    return session.query("Task where name is task0").one()


@pytest.fixture
def user(session: Any) -> Any:
    """Return the user who is asking."""
    return session.query(f'User where username is "{session.api_user}"').one()


@pytest.fixture
def again(sandbox: Any) -> Iterator[Callable[[Any], Any]]:
    """Return a function that gives an entity as a new session reads it."""
    with contextlib.ExitStack() as sessions:

        def read(entity: Any) -> Any:
            other = sessions.enter_context(sandbox.session())
            return other.get(entity.entity_type, inspection.identity(entity)[1])

        yield read


@pytest.fixture
def elsewhere(sandbox: Any) -> Iterator[Any]:
    """Return another session, which has loaded nothing yet."""
    with sandbox.session() as other:
        yield other


# Notes


def test_a_note_goes_on_an_entity(again: Any, session: Any, task: Any, user: Any) -> None:
    """With its author, and among the entity's notes at once."""
    note = task.create_note("Looks good", user)
    assert inspection.state(note) is CREATED
    assert list(task["notes"]) == [note]
    session.commit()
    found = again(note)
    assert (found["content"], found["author"], found["parent_id"]) == (
        "Looks good",
        user,
        task["id"],
    )


def test_a_reply_goes_on_a_note(again: Any, session: Any, task: Any, user: Any) -> None:
    """It is among the note's replies."""
    note = task.create_note("Look", user)
    reply = note.create_reply("I did", user)
    session.commit()
    assert list(again(note)["replies"]) == [reply]
    assert again(reply)["in_reply_to"] == note


def test_a_note_has_recipients_and_labels(again: Any, session: Any, task: Any, user: Any) -> None:
    """Each label is a link; the recipients are told."""
    other = session.create("User", {"username": "ada"})
    labels = session.query("NoteLabel").all()[:2]
    note = task.create_note("Look", user, recipients=[other], labels=labels)
    session.commit()
    found = again(note)
    assert {each["label_id"] for each in found["note_label_links"]} == {
        each["id"] for each in labels
    }
    assert other["id"] in {each["resource_id"] for each in found["recipients"]}


def test_a_category_is_a_label_said_in_the_older_way(
    again: Any, session: Any, task: Any, user: Any
) -> None:
    """Alone; with labels as well it is refused before anything is recorded."""
    category = session.query("NoteCategory").first()
    note = task.create_note("Look", user, category=category)
    session.commit()
    assert again(note)["category"]["id"] == category["id"]
    with pytest.raises(ValueError, match="not both"):
        task.create_note("Look", user, category=category, labels=[category])
    assert not list(session.recorded_operations)


# Project schemas


def test_a_project_schema_knows_types_and_statuses(session: Any, schema: Any) -> None:
    """By entity type, and for tasks by type too."""
    types = schema.get_types("Task")
    assert types
    assert all(each.entity_type == "Type" for each in types)
    assert schema.get_statuses("Task")
    assert {each["name"] for each in schema.get_statuses("AssetVersion")}
    assert all(each.entity_type == "Status" for each in schema.get_statuses("Shot"))
    assert schema.get_statuses("Task", types[0]["id"])


def test_what_is_returned_can_be_changed_freely(schema: Any) -> None:
    """It is a list of one's own."""
    schema.get_types("Task").clear()
    schema.get_statuses("Task").clear()
    assert schema.get_types("Task")
    assert schema.get_statuses("Task")


def test_an_override_counts_for_its_type(session: Any, schema: Any) -> None:
    """Tasks of a type with a workflow of its own have its statuses."""
    status = session.query("Status").first()
    kind = schema.get_types("Task")[0]
    workflow = session.create("WorkflowSchema", {"name": "short"})
    workflow["statuses"].append(status)
    session.create(
        "ProjectSchemaOverride",
        {"project_schema_id": schema["id"], "type_id": kind["id"], "workflow_schema": workflow},
    )
    session.commit()
    session.reset()
    fresh = session.get("ProjectSchema", schema["id"])
    assert [each["id"] for each in fresh.get_statuses("Task", kind["id"])] == [status["id"]]
    assert len(fresh.get_statuses("Task")) > 1


@pytest.mark.parametrize(
    ("method", "name", "text"),
    [
        ("get_statuses", "Riddle", "no entity type 'Riddle'"),
        ("get_types", "Tsak", "Did you mean 'Task'"),
        ("get_statuses", "User", "User have no statuses"),
        ("get_types", "AssetVersion", "AssetVersion have no types"),
    ],
)
def test_senseless_questions_are_value_errors(
    schema: Any, method: str, name: str, text: str
) -> None:
    """The error says what is wrong with the type."""
    with pytest.raises(ValueError, match=text):
        getattr(schema, method)(name)


# Users


def test_a_timer_becomes_a_time_log(session: Any, task: Any, user: Any) -> None:
    """Starting and stopping commit at once; the log carries what the timer did."""
    timer = user.start_timer(task, comment="plates", name="comp")
    assert inspection.state(timer) is NOT_SET
    log = user.stop_timer()
    assert (log["context_id"], log["comment"], log["name"]) == (task["id"], "plates", "comp")
    assert 0 <= log["duration"] < 60
    assert log["user_id"] == user["id"]
    assert session.query("Timer").all() == []


def test_a_second_timer_is_refused_unless_forced(session: Any, task: Any, user: Any) -> None:
    """Forced, the first one's time is kept."""
    user.start_timer(task)
    with pytest.raises(exception.NotUniqueError, match="force=True"):
        user.start_timer(task)
    session.rollback()
    user.start_timer(task, comment="second", force=True)
    assert len(session.query("Timelog").all()) == 1
    assert user.stop_timer()["comment"] == "second"


def test_stopping_without_a_timer_says_so(user: Any) -> None:
    """There is no result to stop."""
    with pytest.raises(exception.NoResultFoundError):
        user.stop_timer()


def test_forcing_without_a_timer_just_starts(task: Any, user: Any) -> None:
    """There is nothing to stop first."""
    assert user.start_timer(task, force=True)["context"] == task


def test_users_can_be_invited(user: Any) -> None:
    """By a mail of the server."""
    assert user.send_invite() is None


def test_a_user_gets_a_new_key(fresh_sandbox: Any) -> None:
    """It is returned, and the old one no longer counts."""
    with fresh_sandbox.session() as session:
        user = session.query(f'User where username is "{session.api_user}"').one()
        key = user.reset_api_key()
    assert key != fresh_sandbox.api_key


# Jobs


def test_jobs_are_of_the_one_type_that_may_be_created(again: Any, session: Any, user: Any) -> None:
    """Left out, it is filled in; another is refused at once."""
    job = session.create("Job", {"user": user, "data": json.dumps({"description": "x"})})
    session.commit()
    assert (job["type"], job["status"]) == ("api_job", "queued")
    job["status"] = "done"
    session.commit()
    assert again(job)["status"] == "done"
    session.create("Job")
    with pytest.raises(ValueError, match="'encode'"):
        session.create("Job", {"type": "encode"})


# Asset versions


@pytest.fixture
def version(session: Any, task: Any) -> Any:
    """Return a version of an asset of the task's shot."""
    asset = session.create(
        "Asset",
        {"name": "plate", "parent": task["parent"], "type": session.query("AssetType").first()},
    )
    version = session.create("AssetVersion", {"asset": asset, "task": task})
    session.commit()
    return version


def test_a_version_gets_components(again: Any, session: Any, version: Any, tmp_path: Path) -> None:
    """Made from a path, with further data; the caller's mapping stays as it was."""
    path = tmp_path / "plate.exr"
    path.write_bytes(b"data")
    data = {"name": "main"}
    component = version.create_component(str(path), data, location=None)
    session.commit()
    assert data == {"name": "main"}
    assert list(again(version)["components"]) == [component]
    assert (component["name"], component["file_type"], component["size"]) == ("main", ".exr", 4)


# Custom attributes


@pytest.fixture
def configured(session: Any, project: Any) -> Any:
    """Return a session with a custom attribute for tasks, another for one project's."""
    kind = session.query("CustomAttributeType where name is text").one()
    task_type = session.query("ObjectType where name is Task").one()
    for key, values in {
        "reference": {"object_type": task_type, "default": "none"},
        "everywhere": {"is_hierarchical": True, "entity_type": "show", "default": "h"},
    }.items():
        session.create(
            "CustomAttributeConfiguration",
            {
                "key": key,
                "label": key,
                "entity_type": "task",
                "type": kind,
                "config": json.dumps({"markdown": False}),
                **values,
            },
        )
    session.commit()
    return session


def test_custom_attributes_are_read_and_written(
    again: Any, configured: Any, task: Any, project: Any
) -> None:
    """As a dictionary, of contexts of every kind."""
    held = dict(task["custom_attributes"])
    assert (held["reference"], held["everywhere"]) == ("none", "h")
    task["custom_attributes"]["reference"] = "r1"
    project["custom_attributes"]["everywhere"] = "p1"
    configured.commit()
    assert again(task)["custom_attributes"]["reference"] == "r1"
    assert again(project)["custom_attributes"]["everywhere"] == "p1"
    assert "reference" not in again(project)["custom_attributes"]


def test_a_new_entity_takes_custom_attributes(again: Any, configured: Any, task: Any) -> None:
    """In the same commit that creates it."""
    made = configured.create(
        "Task",
        {
            "name": "new",
            "parent": task["parent"],
            "custom_attributes": {"reference": "r2", "everywhere": "e2"},
            "metadata": {"seat": "4"},
        },
    )
    configured.commit()
    found = again(made)
    held = dict(found["custom_attributes"])
    assert (held["reference"], held["everywhere"]) == ("r2", "e2")
    assert dict(found["metadata"]) == {"seat": "4"}


def test_configurations_made_later_count_after_a_reset(configured: Any, task: Any) -> None:
    """What was read before a reset belongs to another life."""
    parent_id = task["parent_id"]
    configured.create("Task", {"name": "a", "custom_attributes": {"reference": "x"}})
    configured.rollback()
    kind = configured.query("CustomAttributeType where name is text").one()
    configured.create(
        "CustomAttributeConfiguration",
        {
            "key": "late",
            "label": "late",
            "entity_type": "show",
            "is_hierarchical": True,
            "type": kind,
            "config": json.dumps({"markdown": False}),
        },
    )
    configured.commit()
    configured.reset()
    made = configured.create(
        "Task",
        {
            "name": "b",
            "parent": configured.get("Shot", parent_id),
            "custom_attributes": {"late": "x"},
        },
    )
    configured.commit()
    assert made["custom_attributes"]["late"] == "x"


# Loading


def test_a_loop_over_a_page_makes_few_requests(elsewhere: Any, project: Any) -> None:
    """One for each kind of value that was not asked for: status, its name, and parent."""
    session = elsewhere
    with requests(session, 1):
        tasks = session.query("select name from Task order by name").all()
    with requests(session, 3):
        names = [(task["status"]["name"], task["parent"]["name"]) for task in tasks]
    assert [parent for _, parent in names] == ["sh0", "sh1", "sh2"]
    with requests(session, 0):
        [task["parent"]["name"] for task in tasks]


def test_nested_projections_need_no_more_requests(elsewhere: Any, project: Any) -> None:
    """Whatever was projected is there, through references and collections."""
    session = elsewhere
    sequence = session.query(
        "select name, children.name, children.children.name, children.children.status.name, "
        "parent.name, metadata, custom_attributes from Sequence"
    ).one()
    with requests(session, 0):
        assert sequence["parent"]["name"] == "harbour"
        shots = sorted(shot["name"] for shot in sequence["children"])
        statuses = [
            task["status"]["name"] for shot in sequence["children"] for task in shot["children"]
        ]
        assert dict(sequence["metadata"]) == {}
    assert shots == ["sh0", "sh1", "sh2"]
    assert len(statuses) == 3


def test_results_come_in_pages_of_one_identity_map(elsewhere: Any, project: Any) -> None:
    """Pages, repeated queries and get give the same objects."""
    session = elsewhere
    pages = session.query("Task order by name", page_size=2)
    assert [task["name"] for task in pages] == ["task0", "task1", "task2"]
    assert session.query("Task where name is task2").one() is pages[2]
    assert session.get("Task", pages[0]["id"]) is pages[0]
    assert session.query("TypedContext where name is task1").one() is pages[1]


def test_a_persistent_cache_serves_what_is_known(
    sandbox: Any, project: Any, tmp_path: Path
) -> None:
    """A later session asks the server for nothing that an earlier one loaded."""

    def below(session: Any) -> Any:
        encode = functools.partial(session.encode, entity_attribute_strategy="persisted_only")
        file = cache.FileCache(str(tmp_path / "entities.db"))
        return cache.SerialisedCache(file, encode=encode, decode=session.decode)

    with sandbox.session(cache=below) as first:
        task = first.query("select name, status.name, parent.name, created_at from Task").first()
        first_date, key = task["created_at"], task["id"]
    with sandbox.session(cache=below) as second:
        with requests(second, 0):
            known = second.get("Task", key)
            assert known["status"]["name"] == task["status"]["name"]
            assert known["parent"]["name"] == task["parent"]["name"]
            assert known["created_at"] == first_date
        known["name"] = "renamed"
        second.commit()
    with sandbox.session(cache=below) as third, requests(third, 0):
        assert third.get("Task", key)["name"] == "renamed"


def test_a_base_type_answers_its_concrete_ones(session: Any, project: Any) -> None:
    """Each entity has the class of its own type."""
    kinds = {entity.entity_type for entity in session.query("Context")}
    assert kinds == {"Project", "Sequence", "Shot", "Task"}
