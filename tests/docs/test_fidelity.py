"""The pages about fidelity are those that the checks make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_the_pages_about_fidelity_are_up_to_date() -> None:
    """The script that writes the pages would write what is there."""
    done = subprocess.run(
        [sys.executable, "tools/write_fidelity.py", "--check"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
