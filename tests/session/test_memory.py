"""What is held in memory, measured by ``tracemalloc``: the same on every machine."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any, Callable

import pytest

COUNT = 2_000
PAGE = 50

#: Bytes that come and go with threads of the server and free lists of the interpreter.
SLACK = 100_000

pytestmark = [
    pytest.mark.skipif(tracemalloc.is_tracing(), reason="something traces already"),
    pytest.mark.usefixtures("small_heap"),
]


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """Return a function that tells how many bytes are in use, since the test began."""
    gc.collect()
    tracemalloc.start()
    begun = tracemalloc.get_traced_memory()[0]

    def used() -> int:
        """Return the bytes, after what is of no use was collected."""
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - begun

    yield used
    tracemalloc.stop()


def record(number: int) -> dict[str, Any]:
    """Return the task *number* as the server sends it, with a status of eight and an assignment."""
    return {
        "__entity_type__": "Task",
        "id": f"task-{number:06}",
        "name": f"task {number}",
        "description": f"What is to be done, number {number}.",
        "start_date": {"__type__": "datetime", "value": "2026-01-02T03:04:05"},
        "bid": 3600.0 + number,
        "status": {"__entity_type__": "Status", "id": f"status-{number % 8}", "name": "Done"},
        "assignments": [
            {
                "__entity_type__": "Appointment",
                "id": f"appointment-{number}",
                "resource": {
                    "__entity_type__": "User",
                    "id": f"user-{number % 9}",
                    "username": "ada",
                },
            }
        ],
    }


def read(task: Any) -> None:
    """Read all that came with *task*."""
    for name in ("name", "description", "start_date", "bid"):
        task[name]
    task["status"]["name"]
    for assignment in task["assignments"]:
        assignment["resource"]["username"]


def test_a_task_takes_little(session: Any, traced: Callable[[], int]) -> None:
    """A task with its share of others takes a bounded number of bytes, once it was read too."""
    session._loader.load([record(COUNT)])  # What is made once is made.
    before = traced()
    tasks = session._loader.load([record(number) for number in range(COUNT)])
    assert (traced() - before) / COUNT <= 2_200
    for task in tasks:
        read(task)
    assert (traced() - before) / COUNT <= 3_300


def test_what_is_loaded_again_takes_little_more(session: Any, traced: Callable[[], int]) -> None:
    """The same records once more put their values in place of those before."""
    kept = session._loader.load([record(number) for number in range(COUNT)])
    before = traced()
    again = session._loader.load([record(number) for number in range(COUNT)])
    assert all(one is other for one, other in zip(kept, again))
    assert (traced() - before) / COUNT <= 400


def test_reading_leaves_nothing_behind(session: Any, traced: Callable[[], int]) -> None:
    """However often values are read, nothing grows."""
    (task,) = session._loader.load([record(1)])

    def work(rounds: int) -> None:
        """Read all there is several times."""
        for _ in range(rounds):
            read(task)
            assert len(list(task.keys())) > 10
            hash(task)
            repr(task)

    work(100)
    before = traced()
    work(5_000)
    assert traced() - before <= SLACK


def test_commits_leave_nothing_behind(
    session: Any, traced: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a commit has sent is forgotten, and so is what a rollback takes back."""

    def answer(batch: Any) -> Any:
        """Return what was sent, with its key, as the server does."""
        return [
            {
                "action": each["action"],
                "data": {**each["entity_data"], "id": each["entity_key"][0]},
            }
            for each in batch
        ]

    monkeypatch.setattr(session, "call", answer)
    (status,) = session._loader.load([{"__entity_type__": "Status", "id": "s", "name": "first"}])

    def work(rounds: int) -> None:
        """Write, commit and roll back several times."""
        for number in range(rounds):
            status["name"] = f"number {number}"
            session.commit()
            status["name"] = "taken back"
            session.create("Status", {"name": "never"})
            session.rollback()

    work(20)
    before = traced()
    work(500)
    assert traced() - before <= SLACK
    assert len(session.recorded_operations) == 0


@pytest.mark.parametrize("prefetch", [False, True])
def test_a_stream_takes_the_same_however_long(
    session: Any, prefetch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty pages take at once what five take, give or take the page that is read ahead."""

    def answer(batch: Any) -> Any:
        """Return a page of tasks, of as many pages as there are to be."""
        words = batch[0]["expression"].split()
        start = int(words[words.index("offset") + 1])
        following = start + PAGE if start + PAGE < pages * PAGE else None
        data = [record(number) for number in range(start, start + PAGE)]
        return [{"action": "query", "data": data, "metadata": {"next": {"offset": following}}}]

    def go_through() -> int:
        """Read everything; return the most bytes in use."""
        gc.collect()
        tracemalloc.start()
        stream = session.query("select name from Task").iterate(PAGE, prefetch=prefetch)
        for found, task in enumerate(stream, 1):
            read(task)
            if found % PAGE == 0:
                gc.collect()  # Collections and their entities know each other.
        assert found == pages * PAGE
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    monkeypatch.setattr(session, "call", answer)
    pages = 5
    go_through()
    few = go_through()
    pages = 50
    assert go_through() <= 2 * few  # Fifty pages in memory at once would take ten times as much.
    assert len(session._local_cache.keys()) < PAGE
