"""Run the scenarios: programs that know nothing of this library, in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCENARIOS = Path(__file__).resolve().parent / "scenarios"


@pytest.fixture(scope="session")
def answers_given() -> dict[tuple[str, bool], dict[str, Any]]:
    """Return the answers of the scenarios that ran, by name and whether published."""
    return {}


@pytest.fixture
def run_scenario(
    fresh_sandbox: Any, tmp_path: Path, answers_given: dict[tuple[str, bool], dict[str, Any]]
) -> Callable[..., dict[str, Any]]:
    """Return a function that gives the answers of a scenario, which it runs at the first call.

    With *published* the program runs on the published client, else on this library. Each run has a
    folder of its own, and finds the site as it was at first.
    """

    def run(name: str, published: bool = False) -> dict[str, Any]:
        key = (name, published)
        if key not in answers_given:
            answers_given[key] = run_now(name, published)
        return answers_given[key]

    def run_now(name: str, published: bool) -> dict[str, Any]:
        fresh_sandbox.reset()
        folder = tmp_path / ("published" if published else "ours")
        folder.mkdir()
        launcher = [] if published else ["-m", "ftrack_like.compat"]
        environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
            "FTRACK_SERVER": fresh_sandbox.server_url,
            "FTRACK_API_KEY": fresh_sandbox.api_key,
            "FTRACK_API_USER": fresh_sandbox.api_user,
            "FTRACK_API_SCHEMA_CACHE_PATH": str(folder),
        }
        finished = subprocess.run(
            [sys.executable, *launcher, str(SCENARIOS / f"{name}.py"), str(folder)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        answers: dict[str, Any] = json.loads(finished.stdout.strip().splitlines()[-1])
        return answers

    return run


@pytest.fixture
def needs() -> Callable[..., None]:
    """Return a function that skips the test unless all of some modules are installed."""

    def check(*modules: str) -> None:
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            names = ", ".join(missing)
            pytest.skip(f"needs {names}: tox run -e ecosystem installs what this Python can have")

    return check
