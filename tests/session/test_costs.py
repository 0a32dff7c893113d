"""What things cost, counted in calls of Python functions: the same on every machine."""

from __future__ import annotations

import gc
import sys
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
    """Each record, and each record in it, is read by one call, with one to tell it is one."""
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
    assert (many - few) / 100 <= 70


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
