"""The order of the files in a run of several processes."""

from __future__ import annotations

import pathlib
from types import SimpleNamespace
from typing import Any

import pytest
from tests.scheduling import LONG_FILES, in_order_of_time, number_of_processes, rotated

FOLDER = pathlib.Path(__file__).parents[1]


def test_long_files_are_there() -> None:
    """Each file of the list exists, once."""
    assert [name for name in LONG_FILES if not (FOLDER / name).is_file()] == []
    assert len(set(LONG_FILES)) == len(LONG_FILES)


def test_long_files_come_first_and_then_those_with_many_tests() -> None:
    """The tests of a file stay together and in their order."""
    names = ["few.py"] * 2 + ["many.py"] * 3 + [LONG_FILES[1]] + [LONG_FILES[0]] * 2
    items: list[Any] = [
        SimpleNamespace(path=FOLDER / name, number=number) for number, name in enumerate(names)
    ]
    assert [one.number for one in in_order_of_time(items)] == [6, 7, 5, 2, 3, 4, 0, 1]


@pytest.mark.parametrize(("process", "first"), [("gw0", 0), ("gw1", 2), ("gw2", 5), ("gw3", 0)])
def test_processes_begin_with_different_files(
    process: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process has all values, from another one on; one that replaces another has a number."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", process)
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    assert rotated(range(8)) == [*range(first, 8), *range(first)]


def test_a_run_of_one_process_changes_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pytest-xdist, the values come as they are."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    assert rotated([1, 2, 3]) == [1, 2, 3]


def test_number_of_processes_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of pytest-xdist decides, otherwise there are two more than processors."""
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert number_of_processes() == 4
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "1")
    assert number_of_processes() is None
