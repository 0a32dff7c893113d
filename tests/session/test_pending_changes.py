"""The changes that a commit would send, before it is sent."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

import ftrack_like
from ftrack_like import exception
from ftrack_like.session import PendingChanges, PlannedChange


@pytest.fixture
def task(session: Any) -> Any:
    """Return a committed task with a name and a status."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "p", "full_name": "p", "project_schema": schema})
    task = session.create("Task", {"name": "lighting", "parent": project})
    session.commit()
    return session.query(f"select name, status.name, bid from Task where id is {task['id']}").one()


def requests(session: Any) -> int:
    """Return how many requests *session* has sent."""
    return int(session.statistics.requests)


def test_nothing_is_pending_at_first(session: Any) -> None:
    """A session without changes has an empty plan that says so."""
    changes = session.pending()
    assert isinstance(changes, PendingChanges)
    assert (len(changes), list(changes), changes.to_dicts()) == (0, [], [])
    assert not changes
    assert str(changes) == "Nothing to commit."


def test_plan_has_all_changes_in_order(session: Any, task: Any) -> None:
    """Creations, updates and deletions appear in the order of the commit, with counts."""
    shot = session.create("Shot", {"name": "sh010", "parent": task["parent"]})
    task["name"] = "comp"
    session.delete(task)
    changes = session.pending()
    assert [(each.action, each.entity_type) for each in changes] == [
        ("create", "Shot"),
        ("update", "Task"),
        ("delete", "Task"),
    ]
    assert changes.counts == {"create": 1, "update": 1, "delete": 1}
    assert [each.name for each in changes.creates] == ["sh010"]
    assert changes.creates[0].entity_key == {"id": shot["id"]}
    assert [each.name for each in changes.deletes] == ["lighting"]
    assert isinstance(changes[0], PlannedChange)
    assert changes[1:] == [changes[1], changes[2]]


def test_update_has_old_and_new_values(session: Any, task: Any) -> None:
    """An update names the loaded value before all changes, and the last new value."""
    before = task["status"]
    other = session.query(f"select name from Status where id is_not {before['id']}").first()
    task["name"] = "first"
    task["name"] = "comp"
    task["status"] = other
    (change,) = session.pending().updates
    assert change.values == {"name": "comp", "status": other}
    assert change.old_values == {"name": "lighting", "status": before}
    line = str(change)
    assert line.startswith(f"update Task 'lighting' ({task['id']}): ")
    assert "name: 'lighting' → 'comp'" in line
    assert f"status: Status {before['name']!r} → Status {other['name']!r}" in line


def test_numbers_have_one_form(session: Any, task: Any) -> None:
    """Whole numbers have no fraction, and seconds come with their hours."""
    task["bid"], task["sort"] = 144000.0, 3.0
    session.commit()
    task["bid"], task["sort"] = 28800, 4
    line = str(session.pending()[0])
    assert line.endswith(": bid: 144000 s (40h) → 28800 s (8h), sort: 3 → 4")
    task["bid"], task["sort"] = 5400.5, 0.25
    assert str(session.pending()[0]).endswith("→ 5400.5 s (1h30m), sort: 3 → 0.25")


def test_values_that_are_not_loaded_stay_unknown(session: Any, task: Any) -> None:
    """The plan loads nothing: an old value that the session lacks is missing."""
    key = task["id"]
    session.reset()
    with session.auto_populating(False):
        task = session.create("Task", {"id": key}, reconstructing=True)
        task["description"] = "new"
    before = requests(session)
    (change,) = session.pending()
    assert requests(session) == before
    assert change.old_values == {}
    assert str(change) == f"update Task ({key}): description: … → 'new'"


def test_lists_show_their_difference(session: Any, task: Any) -> None:
    """A changed list is a list of entities, and its line names the gained and lost members."""
    task["metadata"]["a"] = "b"
    change = next(each for each in session.pending() if each.entity_type == "Task")
    assert [each["key"] for each in change.values["metadata"]] == ["a"]
    assert change.old_values == {"metadata": []}
    assert str(change).endswith("metadata + Metadata 'a'")


def test_custom_attributes_and_metadata_name_their_owner(session: Any, task: Any) -> None:
    """The line of a custom attribute has its key, its owner, and its old and new value."""
    shot = session.create("Shot", {"name": "sh010", "parent": task["parent"]})
    session.commit()
    shot = session.query(f"select name, custom_attributes from Shot where id is {shot['id']}").one()
    shot["custom_attributes"]["fstart"] = 1001
    shot["metadata"]["shelf"] = "12"
    value, metadata, _ = session.pending()
    assert value.owner == metadata.owner == "Shot 'sh010'"
    assert str(value).startswith("update ContextCustomAttributeValue 'fstart' of Shot 'sh010' (")
    assert (value.values, set(value.old_values)) == ({"value": 1001}, {"value"})
    assert str(metadata).startswith("create Metadata 'shelf' of Shot 'sh010' (")
    assert session.pending()[2].owner is None


def test_plan_is_a_snapshot(session: Any, task: Any) -> None:
    """Later changes, a commit and a rollback leave an earlier plan as it was."""
    task["metadata"]["a"] = "b"
    changes = session.pending()
    text, values = str(changes), changes.to_dicts()
    task["metadata"]["c"] = "d"
    session.commit()
    assert (str(changes), changes.to_dicts()) == (text, values)
    assert session.pending() != changes
    assert not session.pending()


def test_changes_that_cancel_each_other_are_left_out(session: Any, task: Any) -> None:
    """A new entity that is deleted again is not part of the plan."""
    session.delete(session.create("Task", {"name": "gone", "parent": task["parent"]}))
    assert not session.pending()


def test_dictionaries_are_json(session: Any, task: Any) -> None:
    """The plan as dictionaries contains only JSON values, with references by type and key."""
    session.create("Note", {"content": "hello", "author": session.query("User").first()})
    task["end_date"] = task["project"]["created_at"]
    changes = session.pending().to_dicts()
    assert json.loads(json.dumps(changes)) == changes
    note, update = changes
    assert note["values"]["author"]["__entity_type__"] == "User"
    assert update["values"]["end_date"].count("T") == 1
    assert update["entity_key"] == {"id": task["id"]}


def test_dry_run_sends_and_changes_nothing(session: Any, task: Any) -> None:
    """A dry run returns the plan; the session sends the same changes afterwards."""
    task["name"] = "comp"
    before = requests(session)
    changes = session.commit(dry_run=True)
    assert requests(session) == before
    assert changes.to_dicts() == session.pending().to_dicts()
    assert session.modified == [task]
    assert session.query(f"Task where id is {task['id']} and name is comp").first() is None
    assert session.commit() is None
    assert session.query(f"Task where id is {task['id']} and name is comp").first() is task


def test_dry_run_accepts_what_the_server_refuses(session: Any) -> None:
    """The server is not asked: only the commit finds out that it refuses a change."""
    session.create("Task", {"name": "without a parent"})
    assert len(session.commit(dry_run=True)) == 1
    with pytest.raises(exception.ServerError):
        session.commit()
    assert len(session.pending()) == 1


class Counting(ftrack_like.Session):
    """A studio's session that counts its commits, as such classes were written for years."""

    commits = 0

    def commit(self) -> None:  # type: ignore[override]
        """Count and commit."""
        self.commits += 1
        super().commit()


class Passing(ftrack_like.Session):
    """A studio's session that passes the arguments of commits on."""

    seen: Optional[dict[str, Any]] = None

    def commit(self, **options: Any) -> Any:
        """Remember the options and commit."""
        self.seen = options
        return super().commit(**options)


@pytest.mark.parametrize("kind", [Counting, Passing])
def test_subclasses_that_override_commit_have_a_plan(sandbox: Any, kind: Any) -> None:
    """A plan never calls an overridden ``commit``, whatever its parameters are."""
    with kind(sandbox.server_url, sandbox.api_key, sandbox.api_user) as session:
        session.create("Note", {"content": "x", "author": session.query("User").first()})
        assert session.pending().counts["create"] == 1
        assert not session.__dict__.keys() & {"commits", "seen"}
        session.commit()
        assert not session.pending()


def test_subclass_that_passes_options_has_dry_runs(sandbox: Any) -> None:
    """An override that passes its options on supports dry runs."""
    with Passing(sandbox.server_url, sandbox.api_key, sandbox.api_user) as session:
        session.create("Note", {"content": "x", "author": session.query("User").first()})
        assert len(session.commit(dry_run=True)) == 1
        assert session.seen == {"dry_run": True}


def test_plan_reads_operations_of_a_replaced_stack(session: Any, task: Any) -> None:
    """A list that a program sets as its stack of operations is read too."""
    task["name"] = "comp"
    session.recorded_operations = list(session.recorded_operations)
    assert [each.values for each in session.pending()] == [{"name": "comp"}]


def test_plan_says_when_the_last_commit_is_in_doubt(session: Any, task: Any) -> None:
    """After an interrupted commit the plan says that the server may have its changes."""
    task["name"] = "comp"
    real = session.call

    def interrupted(data: Any) -> Any:
        real(data)
        raise KeyboardInterrupt

    session.call = interrupted
    with pytest.raises(KeyboardInterrupt):
        session.commit()
    del session.call
    changes = session.pending()
    assert changes.in_doubt
    assert "unknown" in str(changes).splitlines()[-1]
    session.commit()
    assert not session.pending().in_doubt


def test_notebooks_show_the_plan_as_a_table(session: Any, task: Any) -> None:
    """The table of a notebook has a row for each change, at most 20, with escaped values."""
    task["name"] = "<b>light</b>"
    for number in range(25):
        session.create("User", {"username": f"crowd{number}"})
    shown = session.pending()._repr_html_()
    assert shown.count("<tr>") == 21
    assert "25 to create, 1 to update" in shown
    assert "6 more loaded rows" in shown
    assert "&lt;b&gt;light" in shown or "<b>light" not in shown
