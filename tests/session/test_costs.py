"""What things cost, counted in calls of Python functions: the same on every machine."""

from __future__ import annotations

import gc
import sys
import uuid
from typing import Any, Callable

import pytest

#: A tool that measures the tests themselves is in the way of counting.
pytestmark = pytest.mark.skipif(sys.getprofile() is not None, reason="a profiler is running")


def calls(action: Callable[[], Any]) -> int:
    """Return how many Python functions *action* calls in this thread, beside itself."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        """Count calls."""
        nonlocal count
        if event == "call":
            count += 1

    gc.disable()  # Callbacks of the collector are none of the action's.
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count - 1


def load(session: Any, count: int, first: int = 0) -> Any:
    """Return *count* tasks in *session* as if the server had sent them."""
    return session._loader.load(
        [
            {
                "__entity_type__": "Task",
                "id": f"task-{number}",
                "name": f"task {number}",
                "status": {"__entity_type__": "Status", "id": "status", "name": "Done"},
            }
            for number in range(first, first + count)
        ]
    )


def test_reading_a_value_is_one_call(session: Any) -> None:
    """A value that is there is given by the entity itself."""
    (task,) = load(session, 1)
    assert calls(lambda: task["name"]) == 1
    assert calls(lambda: task["status"]["name"]) == 2
    assert calls(lambda: hash(task)) == 1


def test_writing_a_value_again_is_two_calls(session: Any) -> None:
    """The entity asks whether changes are recorded, and nothing else is called for it."""
    (task,) = load(session, 1)

    def write() -> None:
        task["name"] = "another"

    write()
    assert calls(write) == 2
    assert len(session.recorded_operations) == 2
    session.rollback()


def test_a_record_is_loaded_in_two_calls(session: Any) -> None:
    """Each record, and each record in it, is read by one call, and a new entity by one more."""
    load(session, 1)
    few = calls(lambda: load(session, 10, 100))
    many = calls(lambda: load(session, 110, 200))
    assert (many - few) / 100 <= 3


def test_creating_takes_the_same_for_each(session: Any) -> None:
    """Creating and planning a commit costs each entity a bounded number of calls."""

    def create(count: int) -> Callable[[], Any]:
        """Return what creates *count* statuses and says what would be committed."""

        def run() -> None:
            for number in range(count):
                session.create("Status", {"name": f"new {number}"})
            session._unit_of_work.plan()
            session.rollback()

        return run

    create(1)()
    few, many = calls(create(10)), calls(create(110))
    assert (many - few) / 100 <= 55


def echo(batch: Any) -> Any:
    """Return what was sent in *batch*, with the key of each entity, as the server does."""
    return [
        {
            "action": each["action"],
            "data": {
                "__entity_type__": each["entity_type"],
                "id": each["entity_key"][0],
                "name": each["entity_data"]["name"],
            },
        }
        for each in batch
    ]


def test_committing_takes_the_same_for_each(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creating with a reference, committing and taking the answer over costs a bounded number."""
    monkeypatch.setattr(session, "call", echo)
    (parent,) = load(session, 1)

    def create(count: int) -> Callable[[], Any]:
        """Return what creates *count* tasks below another and commits them."""

        def run() -> None:
            for number in range(count):
                session.create("Task", {"name": f"new {number}", "parent": parent})
            session.commit()

        return run

    create(1)()
    few, many = calls(create(10)), calls(create(110))
    assert (many - few) / 100 <= 67


def test_encoding_takes_the_same_for_each(session: Any) -> None:
    """An entity that is encoded costs a bounded number of calls."""
    tasks = load(session, 110)

    def encode(count: int) -> Callable[[], Any]:
        """Return what encodes *count* tasks."""
        return lambda: session.encode(tasks[:count], "persisted_only")

    encode(1)()
    few, many = calls(encode(10)), calls(encode(110))
    assert (many - few) / 100 <= 8


@pytest.mark.parametrize(
    ("action", "most"),
    [
        ("session.query('select name, project.name from Task').all()", 1),
        ("session.query('Task').first(); session.query('User').first()", 2),
        ("session.get('Task', task['id'])", 0),
        ("session.get('Task', 'no such id')", 1),
        ("[(each['name'], each['bid'], each['priority']) for each in tasks]", 3),
        ("[each['type']['name'] for each in session.query('select type.name from Task')]", 1),
        ("session.populate(tasks, 'bid, status.name, project.name')", 1),
        ("[dict(each['metadata']) for each in tasks]", 1),
        ("task['name'] = 'other'; project['name']; session.commit()", 1),
        ("session.create('Note', {'content': 'x', 'parent_id': task['id']}); session.commit()", 1),
        ("session.ensure('Status', {'name': 'of requests'})", 2),
        ("session.created, session.modified, session.deleted, session.rollback()", 0),
        ("session.query_many(['Task', 'User', 'Status', 'Type'])", 1),
        (
            "task == tasks[1], hash(task), task in tasks, str(task), repr(task), list(task.keys())",
            0,
        ),
    ],
)
def test_common_work_takes_few_requests(sandbox: Any, action: str, most: int) -> None:
    """What is done every day costs the requests that it needs, and no more."""
    with sandbox.session() as setting:
        schema = setting.query("ProjectSchema").first()
        name = f"requests {uuid.uuid4()}"
        made = setting.create("Project", {"name": name, "project_schema": schema})
        for number in range(5):
            setting.create("Task", {"name": f"task {number}", "parent": made, "project": made})
        setting.commit()
        project_id = made["id"]
    with sandbox.session() as session:
        project = session.query(f'select name from Project where id is "{project_id}"').one()
        tasks = session.query(f'select name from Task where project_id is "{project_id}"').all()
        assert len(tasks) == 5
        before = session.statistics.requests
        exec(action, {"session": session, "task": tasks[0], "tasks": tasks, "project": project})
        assert session.statistics.requests - before <= most


def test_a_commit_costs_what_was_changed(session: Any) -> None:
    """One change costs the same whether one or a thousand entities are loaded."""
    status = session.create("Status", {"name": "of costs"})
    session.commit()

    def commit(name: str) -> Callable[[], Any]:
        """Return what changes the name of the status to *name* and commits."""

        def run() -> None:
            status["name"] = name
            session.commit()

        return run

    commit("one")()
    before = calls(commit("two"))
    load(session, 1_000)
    assert abs(calls(commit("three")) - before) <= 20
