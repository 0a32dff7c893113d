"""The opt-in for whole environments is a wheel that does what it says where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import ftrack_like

PROJECT = Path(__file__).resolve().parent.parent.parent


def run(*command: Any, **variables: str) -> str:
    """Return what *command* prints; it must succeed."""
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment with the wheel, and with what is installed here."""
    for module in ("build", "hatchling", "pip"):
        pytest.importorskip(module, reason=f"needs {module}: tox run -e ecosystem")
    folder = tmp_path_factory.mktemp("compat")
    source = PROJECT / "compat"
    run(sys.executable, "-m", "build", "-w", "-n", "-o", folder, source)
    (wheel,) = folder.glob("ftrack_like_compat-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        packages,
        wheel,
    )
    # Read after the wheel's own file: what that needs is not on the path yet.
    here = [sysconfig.get_path("purelib"), str(Path(ftrack_like.__file__).parent.parent)]
    (packages / "zz_installed_here.pth").write_text("\n".join(here))
    return python


CODE = "import ftrack_api, ftrack_api.event.hub; print(ftrack_api.event.hub.EventHub.__module__)"


def test_environment_with_the_variable(environment: Path) -> None:
    """Where the variable says so, the published name is ours."""
    assert run(environment, "-c", CODE, FTRACK_LIKE_COMPAT="1") == "ftrack_like.event.hub"


def test_environment_without_the_variable(environment: Path) -> None:
    """Elsewhere the published name is the published client's, or nobody's."""
    code = (
        "try:\n    import ftrack_api\nexcept ImportError:\n    print('nobody')\n"
        "else:\n    print(ftrack_api.__name__)"
    )
    assert run(environment, "-c", code, FTRACK_LIKE_COMPAT="0") in ("nobody", "ftrack_api")


def test_other_programs_load_nothing(environment: Path) -> None:
    """A program that does not ask for the published name starts as before."""
    code = "import sys; print('ftrack_like' in sys.modules)"
    assert run(environment, "-c", code, FTRACK_LIKE_COMPAT="1") == "False"
