"""The published client and this one do the same: every step gives the same answer, error and state.

Each library plays all steps in a process of its own against a fresh sandbox of its own, ours
twice: as it comes, and reading attributes one by one. A step may differ only where it names the
deliberate difference by number, and then it must differ. What is caught by a class of the published
client must be caught by the same class here; that ours is also something else (differences 3 and 4)
is allowed everywhere.

What is sent is compared as well: what changes something on the server, in its order, and the
events, in both ways of playing; all requests where attributes are read one by one, but in steps
that name the reason by its letter. And as it comes, ours never asks more often.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PUBLISHED, OURS, ONE_BY_ONE = "published", "ours", "ours, one by one"
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    PUBLISHED: ("ftrack_api", {}),
    # Reading ahead sends the same queries earlier, and some more at the end of a result.
    OURS: ("ftrack_like", {"read_ahead": False}),
    ONE_BY_ONE: ("ftrack_like", {"read_ahead": False, "load_groups": False}),
}
DIFFERENCES = range(1, 40)
#: Seconds that the runs, side by side, may take: many times what they need on an idle machine.
LIMIT = 2400
#: The parts of a record that are equal in both ways of playing.
PARTS = ("answer", "state", "changes", "published", "subscriptions", "departures")
#: The reasons for other requests; the one that reorders changes; and those that ask more often.
LETTERS, REORDERED, MORE_OFTEN = "ABCDEFGH", "D", "CFG"
#: The reason for other changes that counts only where attributes are not read one by one.
GROUPED_ONLY = "F"

pytest.importorskip("ftrack_api", reason="needs ftrack-python-api: tox run -e differential")

sys.path.insert(0, str(HERE))

from book import Step, load_steps, sandbox  # noqa: E402 - found by the path above, where it is wanted

STEPS = load_steps()


def start(run: str, server: str, folder: Path) -> subprocess.Popen[str]:
    """Start *run*; its records are written to ``records.json`` in *folder*."""
    folder.mkdir()
    module, options = RUNS[run]
    command = [sys.executable, str(HERE / "play.py"), module, server, str(folder)]
    arguments = [str(folder / "records.json"), json.dumps(options)]
    return subprocess.Popen([*command, *arguments], text=True)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came out of every step, by run and title of the step."""
    folder = tmp_path_factory.mktemp("played")
    with contextlib.ExitStack() as stack:
        servers = {run: stack.enter_context(sandbox()) for run in RUNS}
        processes = [start(run, servers[run], folder / run) for run in RUNS]
        for process in processes:
            stack.callback(process.kill)
        deadline = time.monotonic() + LIMIT
        codes = [process.wait(timeout=deadline - time.monotonic()) for process in processes]
        assert codes == [0, 0, 0]
    return {
        run: json.loads((folder / run / "records.json").read_text(encoding="utf-8")) for run in RUNS
    }


def differences(theirs: dict[str, Any], ours: dict[str, Any], parts: Any) -> dict[str, Any]:
    """Return what differs between two records of a step: ``{part: (theirs, ours)}``."""
    found = {part: (theirs[part], ours[part]) for part in parts if theirs[part] != ours[part]}
    same_kind = bool(theirs["error"]) == bool(ours["error"])
    if not same_kind or not set(theirs["error"]) <= set(ours["error"]):
        found["error"] = (theirs.get("message"), ours.get("message"))
    return found


@pytest.mark.timeout(LIMIT + 100)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_step(step: Step, played: dict[str, dict[str, Any]]) -> None:
    """Both libraries agree, or differ in the way that the step gives the number of."""
    theirs, ours, single = (played[run][step.title] for run in RUNS)
    other_changes = {REORDERED, GROUPED_ONLY}.intersection(step.asks)
    parts = [part for part in PARTS if not other_changes or part != "changes"]
    found = differences(theirs, ours, parts)
    if step.differs is not None:
        assert found, f"no longer differs by number {step.differs}: {step.why}"
        return
    assert found == {}
    assert differences(theirs, single, parts) == {}
    if step.asks.strip(GROUPED_ONLY):
        assert single["requests"] != theirs["requests"], f"no longer differs by {step.asks}"
    else:
        assert single["requests"] == theirs["requests"]
    if not set(step.asks).intersection(MORE_OFTEN):
        assert ours["reads"] <= theirs["reads"]


def test_there_are_enough_steps() -> None:
    """More than two hundred steps are compared, under titles that tell them apart."""
    assert len({step.title for step in STEPS}) == len(STEPS) >= 200


def test_the_document_lists_what_steps_name() -> None:
    """The document has a row for each number and letter, once and in order."""
    text = (HERE.parent.parent / "docs" / "differences.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^   \* - (\w+)$", text, re.MULTILINE)
    assert rows == [*map(str, DIFFERENCES), *LETTERS]
    assert {*REORDERED, *MORE_OFTEN, *GROUPED_ONLY} <= {*LETTERS}


def test_chapters_have_numbers_of_their_own() -> None:
    """The numbers of the chapters, in their names, go up by one."""
    numbers = [name.partition("_")[0] for name in dict.fromkeys(step.chapter for step in STEPS)]
    assert numbers == [f"c{number:02}" for number in range(1, len(numbers) + 1)]


def test_every_step_is_described() -> None:
    """Each step says what it asks, and each deliberate difference says why, by a known number."""
    for step in STEPS:
        assert (step.function.__doc__ or "").strip(), step.title
        assert step.differs is None or (step.differs in DIFFERENCES and step.why), step.title
        assert set(step.asks) <= set(LETTERS), step.title
