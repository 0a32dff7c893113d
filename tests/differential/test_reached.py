"""Every public name is reached by a step of the suite, but for those listed with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

pytest.importorskip("ftrack_api", reason="part of the comparison: tox run -e differential")


def excused() -> dict[str, str]:
    """Return the names in ``unreached.txt`` with the reasons that stand there above them."""
    found, reason = {}, ""
    for line in (HERE / "unreached.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            reason = line.lstrip("# ")
        elif line:
            found[line] = reason
    return found


@pytest.mark.timeout(2500)
def test_every_name_is_reached(tmp_path: Path) -> None:
    """A new name needs a step, and one that a step has come to reach is listed no longer."""
    output = tmp_path / "reached.json"
    command = [sys.executable, str(HERE / "reached.py"), str(output)]
    subprocess.run(command, check=True, timeout=2400)
    reached = json.loads(output.read_text(encoding="utf-8"))
    never = {name for name, steps in reached.items() if not steps}
    for name, steps in sorted(reached.items()):
        print(f"{name}  {len(steps)}  {', '.join(steps[:3])}")
    reasons = excused()
    assert sorted(never - set(reasons)) == [], "no step reaches these"
    assert sorted(set(reasons) - never) == [], "listed in unreached.txt, but reached"
    assert all(reasons.values())
