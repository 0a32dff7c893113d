"""The client works on a platform that lacks the parts that only Unix has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("other_platform.py")

pytest.importorskip("fcntl", reason="the tests take the parts of Unix away")


def lacking() -> tuple[str, ...]:
    """Return the names that the program can take away."""
    namespace: dict[str, Any] = {"__name__": "other_platform"}
    exec(compile(PROGRAM.read_text(encoding="utf-8"), str(PROGRAM), "exec"), namespace)
    return tuple(namespace["LACKING"])


#: What is taken away together. Each group shows a fault that the lack of everything could hide.
GROUPS = {
    "nothing": (),
    "locks": ("fcntl",),
    "users": ("pwd", "grp", "os.getuid", "os.geteuid", "os.getgid"),
    "processes": ("os.fork", "os.register_at_fork", "os.killpg", "os.setsid"),
    "compiled parts": ("compiled",),
    "all": lacking(),
    "windows": (*lacking(), "nt"),
}


@pytest.mark.parametrize("group", GROUPS)
def test_a_day_of_work(group: str, sandbox: Any, tmp_path: Path) -> None:
    """Every module imports; a session queries, commits, transfers files and publishes an event."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), *GROUPS[group]],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        env={
            **os.environ,
            "FTRACK_SERVER": sandbox.server_url,
            "FTRACK_API_USER": sandbox.api_user,
            "FTRACK_API_KEY": sandbox.api_key,
            "USERNAME": "artist",
        },
    )
    assert done.returncode == 0, done.stderr
    modules, locks = map(int, done.stdout.split()[-2:])
    assert modules > 200
    assert (locks > 0) == ("fcntl" in GROUPS[group])


def test_the_sandbox_without_unix(tmp_path: Path) -> None:
    """The sandbox starts without parts of Unix, and locks its folder with the locks of Windows."""
    pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
    done = subprocess.run(
        [
            sys.executable,
            str(PROGRAM.with_name("other_platform_server.py")),
            str(tmp_path / "data"),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["admin", "admin", "True"]
