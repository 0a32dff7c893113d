"""Every public write with a second session in between: the outcome, or an error that says why."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.structure.id import IdStructure


@pytest.fixture
def other(sandbox: Any) -> Iterator[Any]:
    """Return a second session on the sandbox of ``session``."""
    with sandbox.session() as opened:
        yield opened


@pytest.fixture
def project(session: Any) -> Any:
    """Return a new project."""
    schema = session.query("ProjectSchema").first()
    made = session.create("Project", {"name": "p", "full_name": "p", "project_schema": schema})
    session.commit()
    return made


@pytest.fixture
def task(session: Any, project: Any) -> Any:
    """Return a new task."""
    made = session.create("Task", {"name": "t", "parent": project})
    session.commit()
    return made


@pytest.fixture
def twin(other: Any, task: Any) -> Any:
    """Return the task of ``task`` in the second session."""
    return other.get("Task", task["id"])


def interpose(session: Any, work: Callable[[], object]) -> None:
    """Have *work* done once, right before *session* sends its next changes."""
    call, done = session.call, []

    def interposed(batch: Any) -> Any:
        if not done and any(each["action"] in ("create", "update", "delete") for each in batch):
            done.append(True)
            work()
        return call(batch)

    session.call = interposed


def fresh(sandbox: Any, entity: Any, name: str) -> Any:
    """Return the value of *name* of *entity* as a new session reads it."""
    with sandbox.session() as third:
        value = third.get(entity.entity_type, entity["id"])[name]
        return dict(value) if hasattr(value, "keys") else list(value)


# Values


def test_different_attributes_both_stay(
    session: Any, other: Any, sandbox: Any, task: Any, twin: Any
) -> None:
    """Two sessions that set different attributes of one entity both get what they set."""
    task["description"], twin["name"] = "a", "b"
    session.commit()
    other.commit()
    with sandbox.session() as third:
        found = third.get("Task", task["id"])
        assert (found["name"], found["description"]) == ("b", "a")


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_change_of_what_another_session_deleted(
    session: Any, other: Any, task: Any, twin: Any, verb: str
) -> None:
    """The error names the entity and says that it was deleted, and a rollback mends it."""
    session.delete(task)
    session.commit()
    if verb == "update":
        twin["description"] = "b"
    else:
        other.delete(twin)
    with pytest.raises(exception.ServerNotFoundError) as caught:
        other.commit()
    assert task["id"] in str(caught.value)
    assert "Another session or user deleted it" in str(caught.value)
    other.rollback()
    other.commit()


def test_creation_of_what_another_session_created(session: Any, other: Any) -> None:
    """The error names the entity and says that it exists."""
    for each in (session, other):
        each.create("User", {"username": "same"})
    session.commit()
    with pytest.raises(exception.ServerNotUniqueError) as caught:
        other.commit()
    assert "a user named 'same'" in str(caught.value)
    assert "another session created it" in str(caught.value)


def test_child_of_what_another_session_deleted(session: Any, other: Any, project: Any) -> None:
    """A child of a parent that is gone is refused by an error that names both."""
    folder = session.create("Folder", {"name": "f", "parent": project})
    session.commit()
    other.create("Folder", {"name": "child", "parent": other.get("Folder", folder["id"])})
    session.delete(folder)
    session.commit()
    with pytest.raises(exception.ServerError) as caught:
        other.commit()
    assert folder["id"] in str(caught.value)
    assert "'child'" in str(caught.value)
    assert "may have deleted it" in str(caught.value)


def test_version_numbers(session: Any, other: Any, project: Any, task: Any, twin: Any) -> None:
    """Versions that sessions create at once get numbers of their own."""
    kind = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "a", "parent": project, "type": kind})
    session.commit()
    numbers: list[int] = []

    def publish(one: Any, task: Any) -> None:
        for _ in range(4):
            data = {"asset": one.get("Asset", asset["id"]), "task": task}
            version = one.create("AssetVersion", data)
            one.commit()
            numbers.append(version["version"])

    at_once(lambda: publish(session, task), lambda: publish(other, twin))
    assert sorted(numbers) == list(range(1, 9))


def at_once(*works: Callable[[], object]) -> None:
    """Do *works* in a thread each; raise what one of them raised."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# Mappings


def test_other_metadata_stays(session: Any, other: Any, sandbox: Any, task: Any, twin: Any) -> None:
    """Sessions that set different keys of the metadata of one entity both get theirs."""
    assert dict(task["metadata"]) == dict(twin["metadata"]) == {}
    task["metadata"]["a"], twin["metadata"]["b"] = "1", "2"
    session.commit()
    other.commit()
    assert fresh(sandbox, task, "metadata") == {"a": "1", "b": "2"}
    assert (task["metadata"]["a"], twin["metadata"]["b"]) == ("1", "2")
    twin["metadata"]["c"] = "3"
    del twin["metadata"]["b"]
    other.commit()
    assert fresh(sandbox, task, "metadata") == {"a": "1", "c": "3"}
    assert "b" not in twin["metadata"]
    assert twin["metadata"]["c"] == "3"


def test_last_value_of_a_metadata_key_counts(
    session: Any, other: Any, sandbox: Any, task: Any, twin: Any
) -> None:
    """Of two sessions that set one new key of metadata, the last one wins without an error."""
    assert dict(task["metadata"]) == dict(twin["metadata"]) == {}
    task["metadata"]["key"], twin["metadata"]["key"] = "first", "last"
    session.commit()
    other.commit()
    assert fresh(sandbox, task, "metadata") == {"key": "last"}
    twin["metadata"]["key"] = "more"
    other.commit()
    assert fresh(sandbox, task, "metadata") == {"key": "more"}


def test_metadata_that_is_set_as_a_whole(
    session: Any, other: Any, sandbox: Any, task: Any, twin: Any
) -> None:
    """A mapping that replaces the metadata removes the keys that the session knows."""
    task["metadata"]["old"] = "1"
    session.commit()
    assert dict(twin["metadata"]) == {"old": "1"}
    twin["metadata"] = {"new": "2"}
    other.commit()
    assert fresh(sandbox, task, "metadata") == {"new": "2"}
    assert dict(twin["metadata"]) == {"new": "2"}


@pytest.mark.parametrize("change", ["set", "remove", "replace"])
def test_metadata_of_others_never_disappears(
    session: Any, other: Any, sandbox: Any, task: Any, twin: Any, change: str
) -> None:
    """A commit of metadata leaves the keys that another session has just set where they are."""
    task["metadata"].update({"a": "1", "b": "2"})
    session.commit()
    assert dict(twin["metadata"]) == {"a": "1", "b": "2"}
    seen: list[dict[str, str]] = []
    call = other.call

    def watched(batch: Any) -> Any:
        if not seen:
            task["metadata"]["theirs"] = "3"
            session.commit()
        result = call(batch)
        seen.append(fresh(sandbox, task, "metadata"))
        return result

    if change == "set":
        twin["metadata"]["c"] = "4"
    elif change == "remove":
        del twin["metadata"]["a"]
    else:
        twin["metadata"] = {"c": "4"}
    expected = {**twin["metadata"], "theirs": "3"}
    other.call = watched
    other.commit()
    assert all(each["theirs"] == "3" for each in seen)
    other.call = call
    assert fresh(sandbox, task, "metadata") == expected
    assert dict(twin["metadata"]) == expected
    assert not other.recorded_operations


def test_custom_attributes(session: Any, other: Any, sandbox: Any, task: Any, twin: Any) -> None:
    """Sessions that set different custom attributes of one entity both get theirs."""
    kind = session.query('CustomAttributeType where name is "text"').one()
    for key in ("first", "second"):
        session.create(
            "CustomAttributeConfiguration",
            {
                "key": key,
                "label": key,
                "type": kind,
                "entity_type": "task",
                "default": "",
                "config": "{}",
                "object_type_id": task["object_type_id"],
            },
        )
    session.commit()
    for one in (session, other):
        one.reset()
    mine, theirs = session.get("Task", task["id"]), other.get("Task", task["id"])
    assert mine["custom_attributes"]["first"] == theirs["custom_attributes"]["second"] == ""
    mine["custom_attributes"]["first"] = "1"
    theirs["custom_attributes"]["second"] = "2"
    session.commit()
    other.commit()
    found = fresh(sandbox, task, "custom_attributes")
    assert (found["first"], found["second"]) == ("1", "2")


# Lists


def names(sandbox: Any, entity: Any, collection: str, name: str) -> list[str]:
    """Return the *name* of each member of *collection*, as a new session reads it."""
    with sandbox.session() as third:
        members = third.get(entity.entity_type, entity["id"])[collection]
        return sorted(member[name] for member in members)


@pytest.fixture
def listed(session: Any, project: Any) -> Any:
    """Return a list with three tasks, and five tasks outside of it as ``outside``."""
    category = session.query("ListCategory").first()
    made = session.create(
        "TypedContextList", {"name": "l", "project": project, "category": category}
    )
    tasks = [session.create("Task", {"name": f"t{n}", "parent": project}) for n in range(8)]
    session.commit()
    made["items"].extend(tasks[:3])
    session.commit()
    made.outside = tasks[3:]
    return made


@pytest.mark.parametrize("when", ["before", "while"])
def test_items_that_others_add_and_remove(
    session: Any, other: Any, sandbox: Any, listed: Any, when: str
) -> None:
    """What one session adds to a list or removes from it leaves alone what another one did."""
    theirs = other.get("TypedContextList", listed["id"])
    assert len(theirs["items"]) == 3
    theirs["items"].append(other.get("Task", listed.outside[0]["id"]))
    del theirs["items"][0]

    def change() -> None:
        listed["items"].append(listed.outside[1])
        listed["items"].remove(session.query('Task where name is "t2"').one())
        session.commit()

    if when == "before":
        change()
    else:
        interpose(other, change)
    kept = {item["name"] for item in theirs["items"]} - {"t2"}
    other.commit()
    assert names(sandbox, listed, "items", "name") == sorted({*kept, "t4"})
    assert {item["name"] for item in theirs["items"]} == {*kept, "t4"}
    assert not other.recorded_operations


def test_reading_again_before_the_commit_removes_nothing(
    session: Any, other: Any, sandbox: Any, listed: Any
) -> None:
    """Only what the program removed is removed, also when the list was read again since."""
    theirs = other.get("TypedContextList", listed["id"])
    theirs["items"].append(other.get("Task", listed.outside[0]["id"]))
    listed["items"].append(listed.outside[1])
    session.commit()
    other.query(f"select items from TypedContextList where id is {listed['id']}").one()
    other.commit()
    assert names(sandbox, listed, "items", "name") == ["t0", "t1", "t2", "t3", "t4"]


def test_list_that_is_set_as_a_whole(session: Any, other: Any, sandbox: Any, listed: Any) -> None:
    """A list that is assigned or cleared is exactly what it is set to."""
    theirs = other.get("TypedContextList", listed["id"])
    assert len(theirs["items"]) == 3
    theirs["items"] = [other.get("Task", listed.outside[0]["id"])]
    listed["items"].append(listed.outside[1])
    session.commit()
    other.commit()
    assert names(sandbox, listed, "items", "name") == ["t3"]


@pytest.fixture
def assigned(session: Any, task: Any) -> Any:
    """Return ``task``, to which three users are assigned."""
    for number in range(3):
        user = session.create("User", {"username": f"u{number}"})
        session.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
    session.commit()
    return task


def users_of(sandbox: Any, task: Any) -> list[str]:
    """Return the names of the users assigned to *task*, as a new session reads them."""
    with sandbox.session() as third:
        found = third.query(f"Appointment where context_id is {task['id']}")
        return sorted(each["resource"]["username"] for each in found)


@pytest.mark.parametrize("change", ["append", "remove", "assign", "clear"])
def test_members_that_a_session_has_not_seen_stay(
    session: Any, other: Any, sandbox: Any, assigned: Any, change: str
) -> None:
    """Of members that cannot be without their owner, a commit deletes those it knew alone."""
    twin = other.get("Task", assigned["id"])
    members = {each["resource"]["username"]: each for each in twin["assignments"]}
    users = [session.create("User", {"username": name}) for name in ("new", "unseen")]
    session.commit()
    made = {"resource": other.get("User", users[0]["id"]), "type": "assignment"}
    if change == "append":
        twin["assignments"].append(other.create("Appointment", {**made, "context": twin}))
        expected = ["new", "u0", "u1", "u2", "unseen"]
    elif change == "remove":
        twin["assignments"].remove(members["u1"])
        expected = ["u0", "u2", "unseen"]
    elif change == "assign":
        twin["assignments"] = [other.create("Appointment", made), members["u0"]]
        expected = ["new", "u0", "unseen"]
    else:
        twin["assignments"] = []
        expected = ["unseen"]

    def assign() -> None:
        data = {"context": assigned, "resource": users[1], "type": "assignment"}
        session.create("Appointment", data)
        session.commit()

    interpose(other, assign)
    other.commit()
    assert users_of(sandbox, assigned) == expected
    assert sorted(each["resource"]["username"] for each in twin["assignments"]) == expected
    assert not other.recorded_operations


def test_children_that_a_session_has_not_seen_stay(
    session: Any, other: Any, sandbox: Any, project: Any, task: Any
) -> None:
    """A child moves to another parent, and children that others add there stay."""
    folder = other.create("Folder", {"name": "f", "parent": other.get("Project", project["id"])})
    other.create("Task", {"name": "seen", "parent": folder})
    other.commit()
    assert [each["name"] for each in folder["children"]] == ["seen"]
    moved = other.get("Task", task["id"])
    assert len(moved["parent"]["children"]) == 2
    moved["parent"]["children"].remove(moved)
    folder["children"].append(moved)

    def add() -> None:
        session.create("Task", {"name": "unseen", "parent": session.get("Folder", folder["id"])})
        session.create("Task", {"name": "here", "parent": project})
        session.commit()

    interpose(other, add)
    other.commit()
    assert names(sandbox, folder, "children", "name") == ["seen", "t", "unseen"]
    assert names(sandbox, project, "children", "name") == ["f", "here"]
    assert sorted(each["name"] for each in folder["children"]) == ["seen", "t", "unseen"]


def test_child_that_needs_its_parent_is_named(session: Any, project: Any, task: Any) -> None:
    """A child that is removed and cannot be without a parent is named by the error."""
    assert list(project["children"]) == [task]
    project["children"].remove(task)
    with pytest.raises(exception.ServerValidationError, match=rf"update Task \({task['id']}\)"):
        session.commit()


def test_list_of_what_is_deleted(session: Any, sandbox: Any, assigned: Any) -> None:
    """A list may change in the commit that deletes its owner."""
    assigned["assignments"].remove(assigned["assignments"][0])
    session.delete(assigned)
    session.commit()
    assert users_of(sandbox, assigned) == []


def test_many_sessions_add_to_one_list(sandbox: Any, listed: Any) -> None:
    """Sessions that add to one list at the same time lose nothing."""

    def add(task: Any) -> None:
        with sandbox.session() as one:
            mine = one.get("TypedContextList", listed["id"])
            mine["items"].append(one.get("Task", task["id"]))
            one.commit()

    at_once(*[lambda task=task: add(task) for task in listed.outside])  # type: ignore[misc]
    assert names(sandbox, listed, "items", "name") == [f"t{n}" for n in range(8)]


def test_notes_and_replies(session: Any, other: Any, sandbox: Any, task: Any, twin: Any) -> None:
    """Notes on one entity and replies to one note by two sessions all stay."""
    assert list(task["notes"]) == list(twin["notes"]) == []
    note = task.create_note("first", session.query("User").first())
    twin.create_note("second", other.query("User").first())
    session.commit()
    other.commit()
    assert names(sandbox, task, "notes", "content") == ["first", "second"]
    theirs = other.get("Note", note["id"])
    assert list(theirs["replies"]) == list(note["replies"]) == []
    note.create_reply("a", session.query("User").first())
    theirs.create_reply("b", other.query("User").first())
    session.commit()
    other.commit()
    assert names(sandbox, note, "replies", "content") == ["a", "b"]


def test_interrupted_while_lists_are_read(
    session: Any, other: Any, sandbox: Any, listed: Any
) -> None:
    """A list whose question fails stays recorded, and the next commit sends it."""
    call = session.call

    def fail(batch: Any) -> Any:
        raise KeyboardInterrupt

    listed["items"].append(listed.outside[0])
    session.call = fail
    with pytest.raises(KeyboardInterrupt):
        session.commit()
    session.call = call
    session.commit()
    assert names(sandbox, listed, "items", "name") == ["t0", "t1", "t2", "t3"]


# Ensure


@pytest.mark.parametrize(
    ("entity_type", "data", "keys"),
    [
        ("User", {"username": "e", "first_name": "x"}, ["username"]),
        ("Status", {"name": "e"}, None),
        ("Disk", {"name": "e"}, None),
    ],
)
def test_ensure_by_two_sessions(
    session: Any, other: Any, entity_type: str, data: Any, keys: Any
) -> None:
    """Two sessions that ensure the same thing at once get the same one entity."""
    if entity_type not in session.types:
        pytest.skip(f"no {entity_type} in the schema")
    found = []
    interpose(other, lambda: found.append(session.ensure(entity_type, data, keys)))
    found.append(other.ensure(entity_type, data, keys))
    assert found[0]["id"] == found[1]["id"]
    assert not other.recorded_operations
    name = next(iter(data))
    assert len(session.query(f'{entity_type} where {name} is "e"').all()) == 1


def test_list_of_an_entity_that_goes_costs_no_request(session: Any, task: Any) -> None:
    """A commit that changes a list and deletes its entity is one request."""
    task["metadata"]["first"] = "1"
    session.commit()
    task["metadata"]["second"] = "2"
    session.delete(task)
    call, batches = session.call, []
    session.call = lambda batch: batches.append(batch) or call(batch)
    session.commit()
    assert len(batches) == 1
    assert session.query(f'Task where id is "{task["id"]}"').first() is None


def test_ensure_by_many_threads(sandbox: Any, session: Any) -> None:
    """Threads of one session and other sessions end with one entity."""

    def own() -> None:
        with sandbox.session() as one:
            one.ensure("Status", {"name": "many"})

    at_once(*[own] * 3, *[lambda: session.ensure("Status", {"name": "many"})] * 3)
    assert len(session.query('Status where name is "many"').all()) == 1


def test_ensure_of_what_another_session_deletes(session: Any, other: Any) -> None:
    """An entity that is deleted while it is ensured is made again."""
    found = other.ensure("User", {"username": "e", "first_name": "a"}, ["username"])

    def delete() -> None:
        session.delete(session.get("User", found["id"]))
        session.commit()

    interpose(other, delete)
    made = other.ensure("User", {"username": "e", "first_name": "b"}, ["username"])
    assert made["first_name"] == "b"
    assert len(session.query('User where username is "e"').all()) == 1


def test_ensure_after_the_entity_was_renamed(session: Any) -> None:
    """An entity that was ensured and renamed does not keep the next one from being made."""
    first = session.ensure("Status", {"name": "before"})
    first["name"] = "after"
    session.commit()
    second = session.ensure("Status", {"name": "before"})
    assert second["id"] != first["id"]
    assert session.query('Status where name is "before"').one() is second


def test_ensure_again_after_an_interruption(session: Any) -> None:
    """A repeated ensure finds what an interrupted one made."""
    post = session._request.post

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        post(*arguments, **keywords)
        if b"create" in str(keywords["data"]).encode():
            raise KeyboardInterrupt
        return post(*arguments, **keywords)

    session._request.post = interrupted
    with pytest.raises(KeyboardInterrupt):
        session.ensure("Status", {"name": "twice"})
    session._request.post = post
    session.ensure("Status", {"name": "twice"})
    assert len(session.query('Status where name is "twice"').all()) == 1
    assert not session.in_doubt


# Timers


def test_timer_that_another_session_started(session: Any, other: Any, task: Any, twin: Any) -> None:
    """The second start says that a timer runs and leaves nothing recorded; *force* replaces it."""
    user, same = session.query("User").first(), other.query("User").first()
    interpose(other, lambda: user.start_timer(task))
    with pytest.raises(exception.NotUniqueError, match="another session"):
        same.start_timer(twin)
    assert not other.recorded_operations
    del other.call
    same.start_timer(twin, force=True)
    assert len(session.query("Timer").all()) == 1


def test_timer_that_is_forced_by_two_sessions(
    session: Any, other: Any, task: Any, twin: Any
) -> None:
    """Of two forced starts one timer remains, and each that ran has its time log."""
    user, same = session.query("User").first(), other.query("User").first()
    interpose(other, lambda: user.start_timer(task, force=True))
    timer = same.start_timer(twin, force=True)
    assert [each["id"] for each in session.query("Timer")] == [timer["id"]]
    assert len(session.query("Timelog").all()) == 1


def test_timer_that_two_sessions_stop(session: Any, other: Any, task: Any) -> None:
    """One of two stops makes the time log; the other one says that the timer does not run."""
    user, same = session.query("User").first(), other.query("User").first()
    user.start_timer(task)
    interpose(other, lambda: user.stop_timer())
    with pytest.raises(exception.NoResultFoundError, match="another session"):
        same.stop_timer()
    assert not other.recorded_operations
    assert len(session.query("Timelog").all()) == 1


# Locations


@pytest.fixture
def places(session: Any, other: Any, tmp_path: Any) -> Any:
    """Return the same disk location in both sessions, and a component in both origins."""
    made = session.create("Location", {"name": "disk"})
    session.commit()
    source = tmp_path / "file.txt"
    source.write_text("content")
    (tmp_path / "store").mkdir()
    component = session.create_component(str(source), location=None)
    session.commit()
    found = []
    for one in (session, other):
        location = one.get("Location", made["id"])
        location.accessor = DiskAccessor(prefix=str(tmp_path / "store"))
        location.structure = IdStructure()
        origin = one.query('Location where name is "ftrack.origin"').one()
        own = one.get("FileComponent", component["id"])
        if one is other:
            origin.add_component(own, str(source), recursive=False)
        found.append((location, own, origin))
    return found


def files(folder: Any) -> list[str]:
    """Return the names of all files in *folder*."""
    return [name for _, _, names in os.walk(folder) for name in names]


def test_component_that_two_sessions_add(
    session: Any, other: Any, places: Any, tmp_path: Any
) -> None:
    """One of two sessions adds it, the other one is told so, and the data stays."""
    (first, component, origin), (second, own, source) = places
    interpose(other, lambda: first.add_component(component, origin))
    with pytest.raises(exception.ComponentInLocationError) as caught:
        second.add_component(own, source)
    assert component["id"] in str(caught.value)
    other.commit()
    assert len(files(tmp_path / "store")) == 1
    with open(first.get_filesystem_path(component)) as file:
        assert file.read() == "content"
    found = session.query(f"ComponentLocation where component_id is {component['id']}").all()
    assert len(found) == 1


@pytest.mark.parametrize("moment", ["data", "registration"])
def test_component_that_two_sessions_remove(
    session: Any, other: Any, places: Any, tmp_path: Any, moment: str
) -> None:
    """Removing what another session removes at the same time leaves nothing, and no error later."""
    (first, component, origin), (second, own, _) = places
    first.add_component(component, origin)
    if moment == "registration":
        interpose(other, lambda: _ignore_missing(first, component))
        second.remove_component(own)
    else:
        remove = second._remove_data

        def removed_before(component: Any) -> None:
            first.remove_component(component)
            remove(component)

        second._remove_data = removed_before
        with pytest.raises(exception.ComponentNotInLocationError):
            second.remove_component(own)
    assert files(tmp_path / "store") == []
    assert not other.recorded_operations
    assert not session.query(f"ComponentLocation where component_id is {component['id']}").all()


def _ignore_missing(location: Any, component: Any) -> None:
    """Take back the registration of *component*, whose data another session has just removed."""
    location._deregister_component_in_location(component)


#: A picture of one pixel, as base64.
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def test_thumbnails_by_two_sessions(
    session: Any, other: Any, sandbox: Any, task: Any, twin: Any, tmp_path: Any
) -> None:
    """Of two thumbnails the last one shows."""
    path = str(tmp_path / "picture.png")
    with open(path, "wb") as file:
        file.write(base64.b64decode(PICTURE))
    task.create_thumbnail(path)
    last = twin.create_thumbnail(path)
    with sandbox.session() as third:
        assert third.get("Task", task["id"])["thumbnail_id"] == last["id"]
