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
