"""Batches in doubt, while another session changes the same entities before they are settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftrack_like import exception


@pytest.fixture
def proxied(proxy: Any, sandbox: Any, open_session: Any) -> Any:
    """Return a session on a sandbox behind a proxy that can fail."""
    made = open_session(
        proxy, api_key=sandbox.api_key, api_user=sandbox.api_user, schema_cache_path=None
    )
    del proxy.requests[:]
    return made


@pytest.fixture
def other(sandbox: Any) -> Iterator[Any]:
    """Return a second session on the same sandbox."""
    with sandbox.session() as opened:
        yield opened


@pytest.fixture
def task(proxied: Any) -> Any:
    """Return a new task with a note."""
    schema = proxied.query("ProjectSchema").first()
    project = proxied.create("Project", {"name": "p", "full_name": "p", "project_schema": schema})
    made = proxied.create("Task", {"name": "t", "parent": project})
    made.create_note("first", proxied.query("User").first())
    proxied.commit()
    return made


@pytest.fixture
def twin(other: Any, task: Any) -> Any:
    """Return the task in the second session."""
    return other.get("Task", task["id"])


def fresh(sandbox: Any, task: Any) -> Any:
    """Return the description, the metadata and the contents of the notes, as on the server."""
    with sandbox.session() as third:
        found = third.get("Task", task["id"])
        notes = sorted(note["content"] for note in found["notes"])
        return found["description"], dict(found["metadata"]), notes


@pytest.fixture
def doubt(proxied: Any, proxy: Any, replies: Any) -> Callable[[bool], None]:
    """Return a function that leaves a commit in doubt, with the batch applied or not."""

    def leave(is_applied: bool) -> None:
        first = "lose" if is_applied else replies.RESET
        proxy.next_answers = [first, *[replies.RESET] * 12]
        with pytest.raises(exception.ServerConnectionError):
            proxied.commit()
        proxy.next_answers = []
        assert proxied.in_doubt

    return leave


BOTH = pytest.mark.parametrize("is_applied", [True, False], ids=["applied", "lost"])


@BOTH
def test_metadata_key_that_another_session_creates(
    proxied: Any, other: Any, sandbox: Any, task: Any, twin: Any, doubt: Any, is_applied: bool
) -> None:
    """A row that another session creates does not prove that the batch was applied."""
    task["metadata"]["k"] = "mine"
    task["description"] = "mine"
    doubt(is_applied)
    twin["metadata"]["k"] = "theirs"
    other.commit()
    proxied.commit()
    assert not proxied.in_doubt
    description, metadata, _ = fresh(sandbox, task)
    assert description == "mine"
    assert metadata["k"] in ("mine", "theirs")


@BOTH
def test_much_metadata(
    proxied: Any, proxy: Any, sandbox: Any, task: Any, doubt: Any, is_applied: bool
) -> None:
    """Many rows in doubt are settled with few requests."""
    wanted = {f"k{index}": "mine" for index in range(30)}
    task["metadata"].update(wanted)
    doubt(is_applied)
    del proxy.requests[:]
    proxied.commit()
    assert fresh(sandbox, task) == (None, wanted, ["first"])
    assert len(proxy.requests) <= 3


@BOTH
def test_child_of_a_deleted_entity(
    proxied: Any, sandbox: Any, task: Any, doubt: Any, is_applied: bool
) -> None:
    """The change of an entity that goes with its parent does not stop the commit."""
    child = proxied.create("Task", {"name": "child", "parent": task})
    proxied.commit()
    child["description"] = "mine"
    proxied.delete(task)
    doubt(is_applied)
    proxied.commit()
    assert not proxied.in_doubt
    with sandbox.session() as third:
        assert not third.query(f'Task where id in ("{task["id"]}", "{child["id"]}")').all()


@BOTH
def test_deletion_that_another_session_also_makes(
    proxied: Any, other: Any, sandbox: Any, task: Any, twin: Any, doubt: Any, is_applied: bool
) -> None:
    """A deletion by another session does not prove that the batch was applied."""
    task["description"] = "mine"
    proxied.delete(task["notes"][0])
    doubt(is_applied)
    for note in list(twin["notes"]):
        other.delete(note)
    other.commit()
    proxied.commit()
    assert not proxied.in_doubt
    assert fresh(sandbox, task) == ("mine", {}, [])


@BOTH
def test_creation_that_another_session_partly_deletes(
    proxied: Any, other: Any, sandbox: Any, task: Any, doubt: Any, is_applied: bool
) -> None:
    """A batch is settled if another session has deleted some of the entities that it made."""
    author = proxied.query("User").first()
    task["description"] = "mine"
    for content in ("a", "b"):
        task.create_note(content, author)
    doubt(is_applied)
    found = other.query('Note where content is "a"').all()
    for note in found:
        other.delete(note)
    other.commit()
    proxied.commit()
    assert not proxied.in_doubt
    assert not proxied.recorded_operations
    notes = ["b", "first"] if is_applied else ["a", "b", "first"]
    assert fresh(sandbox, task) == ("mine", {}, notes)


@BOTH
def test_changes_with_deletions(
    proxied: Any, other: Any, sandbox: Any, task: Any, twin: Any, doubt: Any, is_applied: bool
) -> None:
    """Creations, updates and deletions in one batch are settled together."""
    author = proxied.query("User").first()
    task["description"] = "mine"
    task.create_note("second", author)
    task["metadata"]["k"] = "mine"
    proxied.delete(proxied.query('Note where content is "first"').one())
    doubt(is_applied)
    twin["metadata"]["other"] = "theirs"
    other.commit()
    proxied.commit()
    assert fresh(sandbox, task) == ("mine", {"k": "mine", "other": "theirs"}, ["second"])
    assert not proxied.in_doubt


def test_late_copy_of_a_lost_request(
    proxied: Any, proxy: Any, other: Any, sandbox: Any, task: Any, replies: Any
) -> None:
    """A request that arrives after it was sent again is refused while its entity exists."""
    task.create_note("second", proxied.query("User").first())
    task["description"] = "first"
    del proxy.requests[:]
    proxy.next_answers = [replies.RESET]
    proxied.commit()
    late = next(body for *_, body in proxy.requests if body and body[0]["action"] != "query")
    task["description"] = "later"
    proxied.commit()
    with pytest.raises(exception.ServerNotUniqueError):
        other.call(late)
    assert fresh(sandbox, task) == ("later", {}, ["first", "second"])


# Corrections of lists that another session changed


@pytest.fixture
def listed(proxied: Any, task: Any) -> Any:
    """Return a task with one of three scopes; the server has no type for rows of this list."""
    task.all_scopes = [proxied.create("Scope", {"name": f"t{n}"}) for n in range(3)]
    task["scopes"] = task.all_scopes[:1]
    proxied.commit()
    return task


def add_at_once(proxied: Any, other: Any, listed: Any, fail: Callable[[], None]) -> None:
    """Add the second scope here and, just before the server gets it, the third one there.

    Call *fail* before this session corrects the list.
    """
    theirs = other.get("Task", listed["id"])
    scope = other.get("Scope", listed.all_scopes[2]["id"])
    call, count = proxied.call, [0]

    def interposed(batch: Any) -> Any:
        if any(each["action"] == "update" for each in batch):
            count[0] += 1
            if count[0] == 1:
                theirs["scopes"].append(scope)
                other.commit()
            elif count[0] == 2:
                fail()
        return call(batch)

    listed["scopes"].append(listed.all_scopes[1])
    proxied.call = interposed


def items_of(sandbox: Any, listed: Any) -> list[str]:
    """Return the names of the scopes, as on the server."""
    with sandbox.session() as third:
        found = third.get("Task", listed["id"])
        return sorted(item["name"] for item in found["scopes"])


def interrupt() -> None:
    """Interrupt the program."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("undo", [False, True], ids=["commit", "rollback"])
@pytest.mark.parametrize("is_sent", [False, True], ids=["unsent", "sent"])
def test_correction_that_fails_is_made_up_for(
    proxied: Any, other: Any, sandbox: Any, proxy: Any, replies: Any, listed: Any,
    undo: bool, is_sent: bool,
) -> None:  # fmt: skip
    """A member that another session added stays, though the correction failed at first."""

    def fail() -> None:
        if not is_sent:
            error = exception.ServerConnectionError("no route")
            error.request_sent = False
            raise error
        proxy.next_answers = [replies.RESET] * 20

    add_at_once(proxied, other, listed, fail)
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    proxy.next_answers = []
    assert not proxied.recorded_operations
    assert proxied.in_doubt
    if undo:
        proxied.rollback()
    proxied.commit()
    assert items_of(sandbox, listed) == ["t0", "t1", "t2"]
    assert not proxied.in_doubt
    assert sorted(item["name"] for item in listed["scopes"]) == ["t0", "t1", "t2"]


@pytest.mark.parametrize("step", ["merge", "forget", "_correction"])
def test_interruption_before_the_correction(
    proxied: Any, other: Any, sandbox: Any, listed: Any, monkeypatch: Any, step: str
) -> None:
    """An interruption between the answer and the correction loses no member of another session."""
    add_at_once(proxied, other, listed, lambda: None)
    with monkeypatch.context() as patch:
        work = proxied._unit_of_work
        patch.setattr(
            work if hasattr(work, step) else work._local, step, lambda *arguments: interrupt()
        )
        with pytest.raises(KeyboardInterrupt):
            proxied.commit()
    proxied.commit()
    assert items_of(sandbox, listed) == ["t0", "t1", "t2"]
    assert not proxied.in_doubt
    assert not proxied.recorded_operations


def add_note(session: Any, owner: Any) -> None:
    """Add a note to *owner*."""
    owner.create_note("new", session.query("User").first())


def add_reply(session: Any, owner: Any) -> None:
    """Add a reply to *owner*."""
    owner.create_reply("new", session.query("User").first())


def add_component(session: Any, owner: Any) -> None:
    """Add a component to *owner*."""
    owner["components"].append(session.create("FileComponent", {"name": "new"}))


def add_member(session: Any, owner: Any) -> None:
    """Add a member to *owner*."""
    owner["members"].append(session.create("FileComponent", {"name": "new"}))


@pytest.mark.parametrize(
    ("entity_type", "name", "add"),
    [
        ("Task", "notes", add_note),
        ("Note", "replies", add_reply),
        ("AssetVersion", "components", add_component),
        ("ContainerComponent", "members", add_member),
    ],
)
def test_new_members_of_two_sessions_and_a_lost_answer(
    proxied: Any, proxy: Any, other: Any, sandbox: Any, task: Any, replies: Any,
    entity_type: str, name: str, add: Callable[[Any, Any], None],
) -> None:  # fmt: skip
    """What both sessions add to a list stays, though the answer to one of them is lost."""
    asset = proxied.create("Asset", {"name": "a", "parent": task["parent"]})
    data = {"AssetVersion": {"asset": asset}, "ContainerComponent": {"name": "c"}}
    owner = task if entity_type == "Task" else task["notes"][0]
    if entity_type in data:
        owner = proxied.create(entity_type, data[entity_type])
    proxied.commit()
    assert len(owner[name]) == (entity_type == "Task")
    theirs = other.get(entity_type, owner["id"])
    call, done = proxied.call, []

    def interposed(batch: Any) -> Any:
        if not done and any(each["action"] != "query" for each in batch):
            done.append(True)
            add(other, theirs)
            other.commit()
            proxy.next_answers = ["lose", *[replies.RESET] * 20]
        return call(batch)

    add(proxied, owner)
    proxied.call = interposed
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    proxy.next_answers = []
    proxied.commit()
    with sandbox.session() as third:
        found = third.get(entity_type, owner["id"])[name]
        assert len(found) == (3 if entity_type == "Task" else 2)
        if name == "notes":
            assert {note["parent_type"] for note in found} == {"Task"}
            assert {note["project_id"] for note in found} == {task["project_id"]}
