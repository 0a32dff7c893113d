"""Requests that would wait for each other, and are sent at the same time instead.

Each test counts the requests that the server has at the same time: a request waits in the server
until there are others.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest
from tests.session.paged_tasks import SIZE, TEXT, Tasks, name_of, names, settle

from ftrack_like import exception, symbol
from ftrack_like.accessor import _parallel
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.cli import download
from ftrack_like.cli._fetching import wanted_files
from ftrack_like.query import _source
from ftrack_like.session import Session
from ftrack_like.structure.id import IdStructure

#: Seconds after which a test gives up waiting for another request.
PATIENCE = 60


@pytest.fixture
def tasks(server: Any, replies: Any) -> Tasks:
    """Return the tasks that ``server`` answers with, 100 at first."""
    server.answer = Tasks(replies.plain_result, 100)
    return server.answer  # type: ignore[no-any-return]


@pytest.fixture
def reader(server: Any, tasks: Tasks, open_session: Any) -> Session:
    """Return a session on ``server`` with zeroed statistics."""
    made: Session = open_session(server)
    made.statistics.reset()
    return made


def meeting(tasks: Tasks, offsets: set[int]) -> None:
    """Answer the pages at *offsets* only when all of them are requested at the same time."""
    met = threading.Barrier(len(offsets), timeout=PATIENCE)

    def meet(offset: int) -> None:
        if offset in offsets:
            met.wait()

    tasks.before = meet


# A part of a result


def test_the_pages_of_a_slice(reader: Session, tasks: Tasks) -> None:
    """A slice in the middle reads its pages ahead, in order, and no row beyond its end."""
    meeting(tasks, {30, 40})
    assert names(reader.query(TEXT, page_size=SIZE)[20:75]) == [name_of(n) for n in range(20, 75)]
    settle()
    assert sorted(tasks.offsets) == [20, 30, 40, 50, 60, 70]
    assert reader.statistics["pages_ahead"] == 5
    assert reader.statistics["pages_unused"] == 0


@pytest.mark.parametrize("limit", [None, 90])
@pytest.mark.parametrize("offset", [None, 5])
@pytest.mark.parametrize(("low", "high"), [(20, None), (20, 31), (15, 200), (60, 99), (97, None)])
def test_slices_are_the_same(
    server: Any,
    open_session: Any,
    tasks: Tasks,
    low: int,
    high: Optional[int],
    offset: Optional[int],
    limit: Optional[int],
) -> None:
    """A slice has the same rows with and without reading ahead, and wastes four pages at most."""
    text = TEXT + ("" if offset is None else f" offset {offset}")
    text += "" if limit is None else f" limit {limit}"
    seen, sent = [], []
    for ahead in (0, 4):
        session = open_session(server, read_ahead=ahead)
        del tasks.offsets[:]
        seen.append(names(session.query(text, page_size=SIZE)[low:high]))
        settle()
        sent.append(len(tasks.offsets))
    assert seen[0] == seen[1]
    assert sent[0] <= sent[1] <= sent[0] + 4


def test_an_error_in_a_slice(reader: Session, tasks: Tasks, server: Any) -> None:
    """A failing page fails the slice, and a later slice can be read."""

    def fail(batch: Any) -> Any:
        if "offset 40 " in batch[0]["expression"]:
            return {"exception": "ServerError", "content": "no such page"}
        return tasks(batch)

    server.answer = fail
    result = reader.query(TEXT, page_size=SIZE)
    with pytest.raises(exception.ServerError, match="no such page"):
        result[20:75]
    settle()
    server.answer = tasks
    assert names(result[20:75]) == [name_of(n) for n in range(20, 75)]


# Keys


class Rows:
    """Answers queries by ids too. *before* is called with the ids of each query, on its thread.

    A text that it returns is the error of the query.
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self.before: Callable[[list[str]], object] = lambda ids: ""
        self.missing = {"t7"}

    def __call__(self, batch: Any) -> Any:
        ids = re.findall(r'"(t\d+)"', batch[0]["expression"])
        if not ids:
            return self._tasks(batch)
        fault = self.before(ids)
        if fault:
            return {"exception": "ServerError", "content": fault}
        rows = [
            {"__entity_type__": "Task", "id": each, "name": f"row {each}"}
            for each in ids
            if each not in self.missing
        ]
        return [{"action": "query", "data": rows, "metadata": {"next": {"offset": None}}}]


@pytest.fixture
def rows(server: Any, tasks: Tasks) -> Rows:
    """Return the rows that ``server`` answers with; the task 7 does not exist."""
    server.answer = Rows(tasks)
    return server.answer  # type: ignore[no-any-return]


def test_the_keys_of_a_stable_iteration(
    reader: Session, tasks: Tasks, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of keys are requested at the same time; the rows are those of the keys, in order."""
    monkeypatch.setattr(_source, "KEY_PAGE", 20)
    meeting(tasks, {20, 40})
    read = reader.query(TEXT, page_size=50).iterate(stable=True, keep=True)
    assert names(read) == [f"row t{number}" for number in range(100) if number != 7]
    assert sorted(tasks.offsets)[:5] == [0, 20, 40, 60, 80]


def test_many_keys(reader: Session, rows: Rows) -> None:
    """``get_many`` sends the queries for 2,000 keys together; each entity is at its place."""
    met = threading.Barrier(4, timeout=PATIENCE)
    rows.before = lambda ids: met.wait() < 0
    keys = [f"t{number}" for number in range(2_000)]
    found = reader.get_many("Task", keys)
    assert found[7] is None
    assert names(found[:7] + found[8:]) == [f"row {key}" for key in keys if key != "t7"]
    assert (reader.statistics["requests"], reader.statistics["pages_ahead"]) == (4, 4)


def test_few_keys(reader: Session, rows: Rows) -> None:
    """``get_many`` sends one request for few keys, on the caller's thread."""
    reader.get_many("Task", ["t1", "t2"])
    assert (reader.statistics["requests"], reader.statistics["pages_ahead"]) == (1, 0)


def test_an_error_among_many_keys(reader: Session, rows: Rows) -> None:
    """``get_many`` raises the error of a query, and sends no further ones."""
    rows.before = lambda ids: "too many" if "t0" in ids else ""
    with pytest.raises(exception.ServerError, match="too many"):
        reader.get_many("Task", [f"t{number}" for number in range(10_000)])
    settle()
    assert reader.statistics["requests"] <= 5


# Files


class Meeting(DiskAccessor):
    """A disk that serves the first eight files, or removes them, only when all are requested."""

    is_thread_safe = True

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.met = threading.Barrier(_parallel.THREADS, timeout=PATIENCE)
        self.opened: list[str] = []
        self.removed: list[str] = []

    def open(self, resource_identifier: str, mode: str = "rb") -> Any:
        """Wait for the others, and open the file."""
        if mode == "rb":
            self.opened.append(resource_identifier)
            self.met.wait()
        return super().open(resource_identifier, mode)

    def remove(self, resource_identifier: str) -> None:
        """Wait for the others, and remove the file."""
        self.removed.append(resource_identifier)
        self.met.wait()
        super().remove(resource_identifier)


@pytest.fixture
def sequence(session: Session, tmp_path: Path) -> Any:
    """Return a sequence with as many frames as threads move files."""
    for number in range(_parallel.THREADS):
        (tmp_path / f"frame.{number:04d}.exr").write_text(f"frame {number}")
    path = tmp_path / f"frame.%04d.exr [0-{_parallel.THREADS - 1}]"
    return session.create_component(str(path), location=None)


@pytest.fixture
def disk(session: Session, tmp_path: Path, sequence: Any) -> Any:
    """Return a location on disk that has the sequence."""
    location: Any = session.create("Location", {"name": f"disk of {tmp_path.name}"})
    location.accessor = DiskAccessor(str(tmp_path / "disk"))
    location.structure = IdStructure()
    session.commit()
    location.add_component(sequence, session.get("Location", symbol.ORIGIN_LOCATION_ID))
    return location


def test_files_are_removed_at_the_same_time(
    session: Session, disk: Any, sequence: Any, tmp_path: Path
) -> None:
    """The files of a sequence are removed together, and then deregistered in one commit."""
    disk.accessor = accessor = Meeting(disk.accessor.prefix)
    disk.remove_component(sequence)
    assert len(accessor.removed) == _parallel.THREADS
    assert [each for each in (tmp_path / "disk").rglob("*") if each.is_file()] == []
    assert disk.get_component_availability(sequence) == 0.0


def test_an_overridden_removal_is_called_in_order(
    session: Session, disk: Any, sequence: Any
) -> None:
    """A location that replaces ``_remove_data`` is called for one component after the other."""
    called: list[Any] = []
    disk._remove_data = lambda component: called.append(component)
    disk.remove_component(sequence)
    assert called == [*sequence["members"], sequence]
    assert disk.get_component_availability(sequence) == 0.0


def test_the_download_command_moves_files_at_the_same_time(
    session: Session, disk: Any, sequence: Any, tmp_path: Path
) -> None:
    """``ftrack-like download`` opens the files of a sequence together, after one query."""
    disk.accessor = accessor = Meeting(disk.accessor.prefix)
    files = [
        each._replace(location=disk)
        for each in wanted_files(session, [sequence], tmp_path / "got", False)
    ]
    session.statistics.reset()
    download._fetch_all(files, force=False)
    assert session.statistics["requests"] == 1
    assert len(accessor.opened) == _parallel.THREADS
    assert sorted(each.target.read_text() for each in files) == sorted(
        f"frame {number}" for number in range(_parallel.THREADS)
    )
