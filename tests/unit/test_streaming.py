"""Results that are gone through without being held."""

from __future__ import annotations

import gc
import re
import threading
import weakref
from typing import Any

import pytest

from ftrack_like import exception

STATUSES = 3


class Tasks:
    """A server with *count* tasks of three statuses; other queries are answered by id."""

    def __init__(self, make_record: Any, count: int) -> None:
        self.make_record = make_record
        self.count = count
        self.threads: list[str] = []
        self.failing_offset: Any = None

    def __call__(self, expression: str) -> Any:
        self.threads.append(threading.current_thread().name)
        found = re.search(r"offset (\d+) limit (\d+)", expression)
        assert found is not None, expression
        start, size = int(found[1]), int(found[2])
        if start == self.failing_offset:
            raise exception.ServerError("no more")
        if " where id " in expression:
            ids = re.findall(r'"(\w+)"', expression)
            records = [self.make_record("Task", id=i, parent=self.make_parent(i)) for i in ids]
            return {"data": records, "metadata": {"next": {"offset": None}}}
        end = min(start + size, self.count)
        data = [self.task(number) for number in range(start, end)]
        following = end if end < self.count else None
        return {"data": data, "metadata": {"next": {"offset": following}}}

    def make_parent(self, task_id: str) -> Any:
        return self.make_record("Shot", id=f"parent of {task_id}", name="made on demand")

    def task(self, number: int) -> Any:
        status = self.make_record("Status", id=f"s{number % STATUSES}", name="status")
        return self.make_record("Task", id=f"t{number}", name=f"task {number}", status=status)


@pytest.fixture
def server(tiny: Any, make_record: Any) -> Tasks:
    """Return the server with 40 tasks that the tiny session asks."""
    tiny.answer = Tasks(make_record, 40)
    return tiny.answer  # type: ignore[no-any-return]


def held(session: Any) -> int:
    """Return how many entities *session* holds."""
    return len(list(session._local_cache.keys()))


def test_a_stream_gives_all_entities_in_order(tiny: Any, server: Tasks) -> None:
    """Everything comes, one request a page, and the session holds nothing in the end."""
    names = [task["name"] for task in tiny.query("Task").iterate(page_size=10)]
    assert names == [f"task {number}" for number in range(40)]
    assert len(tiny.asked) == 4
    assert held(tiny) == 0


def test_a_stream_keeps_to_limit_and_offset(tiny: Any, server: Tasks) -> None:
    """A limit and an offset in the expression bound the stream."""
    result = tiny.query("Task limit 15 offset 3")
    assert [task["id"] for task in result.iterate(page_size=10)] == [
        f"t{number}" for number in range(3, 18)
    ]
    assert [text[-18:] for text in tiny.asked] == [" offset 3 limit 10", " offset 13 limit 5"]


@pytest.mark.parametrize("prefetch", [False, True])
def test_what_a_session_holds_does_not_grow(tiny: Any, server: Tasks, prefetch: bool) -> None:
    """At any time no more than the pages in use are held, whatever is loaded on demand."""
    server.count = 1_000
    most = 0
    for task in tiny.query("Task").iterate(page_size=10, prefetch=prefetch):
        assert task["status"]["name"] == "status"
        assert task["parent"]["name"] == "made on demand"
        most = max(most, held(tiny))
    pages = 2 if prefetch else 1
    assert most <= pages * 10 + 10 + STATUSES  # with the parents that came on demand
    assert held(tiny) == 0
    gc.collect()
    assert len(tiny._identity_map.released) <= 3  # the last task with what it refers to


def test_with_keep_everything_stays(tiny: Any, server: Tasks) -> None:
    """A stream that keeps leaves all entities to the session."""
    assert len(list(tiny.query("Task").iterate(page_size=10, keep=True))) == 40
    assert held(tiny) == 40 + STATUSES


def test_what_was_there_before_stays(tiny: Any, server: Tasks) -> None:
    """Entities that the session held before the stream are held after it, the same objects."""
    before = tiny.query("Task limit 5").all()
    after = list(tiny.query("Task").iterate(page_size=10))
    assert all(a is b for a, b in zip(before, after))
    assert held(tiny) == 5 + STATUSES


def test_who_holds_an_entity_meets_it_again(tiny: Any, server: Tasks) -> None:
    """An entity that somebody holds stays the one of its identity."""
    kept = list(tiny.query("Task").iterate(page_size=10))
    again = tiny.query("Task").all()
    assert all(a is b for a, b in zip(kept, again))
    assert len({id(task["status"]) for task in kept}) == STATUSES


def test_changes_are_held_until_they_are_committed(tiny: Any, server: Tasks) -> None:
    """A changed entity stays with the session; after the commit it goes with the next page."""
    most = 0
    for task in tiny.query("Task").iterate(page_size=10):
        task["name"] = "changed"
        if task["id"] == "t9":
            assert len(tiny._identity_map.dirty) == 10
        if task["id"] == "t19":
            assert held(tiny) == 20 + STATUSES
            tiny.commit()
        most = max(most, held(tiny))
    assert most <= 20 + STATUSES
    assert held(tiny) == 20  # What was changed since the commit.
    assert len(tiny.changes) == 20


def test_a_stream_that_is_left_early_holds_nothing(tiny: Any, server: Tasks) -> None:
    """Leaving the loop lets go of the page, and of the one that is on its way."""
    stream = tiny.query("Task").iterate(page_size=10, prefetch=True)
    next(stream)
    stream.close()
    for thread in threading.enumerate():
        if thread.name == "ftrack-prefetch":
            thread.join()
    assert held(tiny) == 0


def test_the_next_page_is_loaded_meanwhile(tiny: Any, server: Tasks) -> None:
    """With prefetch all pages but the first come in threads of their own, in order."""
    names = [task["name"] for task in tiny.query("Task").iterate(page_size=10, prefetch=True)]
    assert names == [f"task {number}" for number in range(40)]
    assert server.threads[1:] == ["ftrack-prefetch"] * 3


@pytest.mark.parametrize("prefetch", [False, True])
def test_an_error_comes_where_its_page_begins(tiny: Any, server: Tasks, prefetch: bool) -> None:
    """What was found before the error is given; then the error is raised."""
    server.failing_offset = 20
    stream = tiny.query("Task").iterate(page_size=10, prefetch=prefetch)
    seen = [next(stream)["id"] for _ in range(20)]
    with pytest.raises(exception.ServerError, match="no more"):
        next(stream)
    assert len(seen) == 20
    assert held(tiny) == 0


def test_a_complete_result_is_not_loaded_again(tiny: Any, server: Tasks) -> None:
    """A result that has everything gives it without a request."""
    result = tiny.query("Task")
    found = result.all()
    asked = len(tiny.asked)
    assert list(result.iterate()) == found
    assert len(tiny.asked) == asked
    assert held(tiny) == 40 + STATUSES


def test_sessions_without_load_groups_stream_too(tiny: Any, server: Tasks) -> None:
    """Without load groups values come one by one, and are let go of all the same."""
    tiny._load_groups = False
    for task in tiny.query("Task").iterate(page_size=10):
        assert task["parent"]["name"] == "made on demand"
    assert held(tiny) == 0
    assert len(tiny.asked) == 4 + 40


def test_released_entities_are_freed(tiny: Any, server: Tasks) -> None:
    """What nobody holds any more is gone from memory."""
    alive = [weakref.ref(task) for task in tiny.query("Task").iterate(page_size=10)]
    gc.collect()
    assert [reference() for reference in alive] == [None] * 40
