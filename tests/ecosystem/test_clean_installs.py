"""Wheel and source archive install in empty environments of every Python that is supported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

import ftrack_like

PROJECT = Path(__file__).resolve().parent.parent.parent
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")

WORKS = """
from ftrack_like.testing import Sandbox
with Sandbox() as sandbox, sandbox.session() as session:
    print(session.query("User").one()["username"])
"""
BESIDE = """
import ftrack_api
from ftrack_like.testing import Sandbox
with Sandbox() as sandbox:
    for kind in (ftrack_api.Session, sandbox.session):
        arguments = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
        with kind(*arguments) if kind is ftrack_api.Session else kind() as session:
            print(session.query("User").one()["username"])
"""


def run(*command: Any) -> str:
    """Return what *command* prints; it must succeed. It sees no packages of this environment."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=600,
        env=variables,
        cwd=os.path.dirname(sys.executable),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def interpreter(version: str) -> Optional[Path]:
    """Return an interpreter of *version* on this machine, also one of pyenv; None if missing."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [*root.glob(f"{version}.*/bin/python"), shutil.which(f"python{version}")]
    return Path(found[0]) if found[0] else None


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the wheel and the source archive, built once."""
    for module in ("build", "hatchling"):
        pytest.importorskip(module, reason=f"needs {module}: tox run -e ecosystem")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, PROJECT)
    (wheel,) = folder.glob("ftrack_like-*.whl")
    (archive,) = folder.glob("ftrack_like-*.tar.gz")
    return {"wheel": wheel, "archive": archive}


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the Python of a new, empty environment."""
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"there is no Python {request.param}")
    run(found, "-m", "venv", tmp_path / "env")
    return tmp_path / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.mark.parametrize("kind", ["wheel", "archive"])
def test_installs_in_an_empty_environment(
    kind: str, python: Path, distributions: dict[str, Path]
) -> None:
    """The command answers, and the requirements fit together."""
    run(python, "-m", "pip", "install", "-q", distributions[kind])
    run(python, "-m", "pip", "check")
    assert ftrack_like.__version__ in run(python, "-m", "ftrack_like", "--version")


def test_installs_next_to_the_published_client(
    python: Path, distributions: dict[str, Path]
) -> None:
    """Both clients work in one environment, on one server."""
    wheel = f"{distributions['wheel']}[sandbox]"
    run(python, "-m", "pip", "install", "-q", wheel, "ftrack-python-api==3.1.0")
    run(python, "-m", "pip", "check")
    assert run(python, "-c", WORKS) == "admin"
    assert run(python, "-c", BESIDE).split() == ["admin", "admin"]
