"""The published client and this one do the same: every step gives the same answer, error and state.

Each library plays all steps in a process of its own against a fresh sandbox of its own. A step may
differ only where it names the deliberate difference by number, and then it must differ. What is
caught by a class of the published client must be caught by the same class here; that ours is also
something else (differences 3 and 4) is allowed everywhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PUBLISHED, OURS = "ftrack_api", "ftrack_like"
DIFFERENCES = range(1, 26)

pytest.importorskip(PUBLISHED, reason="needs ftrack-python-api: tox run -e differential")

sys.path.insert(0, str(HERE))

from book import Step, load_steps, sandbox  # noqa: E402 - found by the path above, where it is wanted

STEPS = load_steps()


def start(module: str, server: str, folder: Path) -> subprocess.Popen[str]:
    """Start playing with *module*; the records are written to ``records.json`` in *folder*."""
    folder.mkdir()
    command = [sys.executable, str(HERE / "play.py"), module, server, str(folder)]
    return subprocess.Popen([*command, str(folder / "records.json")], text=True)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came out of every step, by library and title of the step."""
    folder = tmp_path_factory.mktemp("played")
    with sandbox() as first, sandbox() as second:
        processes = [
            start(PUBLISHED, first, folder / PUBLISHED),
            start(OURS, second, folder / OURS),
        ]
        assert [process.wait(timeout=600) for process in processes] == [0, 0]
    return {
        module: json.loads((folder / module / "records.json").read_text(encoding="utf-8"))
        for module in (PUBLISHED, OURS)
    }


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return what differs between two records of a step: ``{part: (theirs, ours)}``."""
    found = {
        part: (theirs[part], ours[part])
        for part in ("answer", "state")
        if theirs[part] != ours[part]
    }
    same_kind = bool(theirs["error"]) == bool(ours["error"])
    if not same_kind or not set(theirs["error"]) <= set(ours["error"]):
        found["error"] = (theirs.get("message"), ours.get("message"))
    return found


@pytest.mark.timeout(700)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_step(step: Step, played: dict[str, dict[str, Any]]) -> None:
    """Both libraries agree, or differ in the way that the step gives the number of."""
    found = differences(played[PUBLISHED][step.title], played[OURS][step.title])
    if step.differs is None:
        assert found == {}
    else:
        assert found, f"no longer differs by number {step.differs}: {step.why}"


def test_there_are_enough_steps() -> None:
    """At least sixty steps are compared, under titles that tell them apart."""
    assert len({step.title for step in STEPS}) == len(STEPS) >= 60


def test_every_step_is_described() -> None:
    """Each step says what it asks, and each deliberate difference says why, by a known number."""
    for step in STEPS:
        assert (step.function.__doc__ or "").strip(), step.title
        assert step.differs is None or (step.differs in DIFFERENCES and step.why), step.title
