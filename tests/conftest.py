"""Fixtures that all tests share: an isolated environment, and a running sandbox."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ftrack_like.session import Session
    from ftrack_like.testing import Sandbox

#: Packages of the extra ``sandbox``, without which there is no server to test against.
_NEEDED = ("starlette", "uvicorn", "wsproto", "sqlalchemy", "jinja2")


def _sandbox_class() -> type[Sandbox]:
    """Return the fixture class, or skip the test saying what is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the extra 'sandbox' is not installed (no {', '.join(missing)})")
    # lazy: tests that need no sandbox run without the extra.
    from ftrack_like.testing import Sandbox

    return Sandbox


@pytest.fixture(autouse=True, scope="session")
def _isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests from the caches, data and credentials of whoever runs them."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("FTRACK_"):
                patch.delenv(name)
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(folder / name.lower()))
        yield


@pytest.fixture(scope="session")
def running_sandbox(_isolated_environment: None) -> Iterator[Sandbox]:
    """Return the one sandbox that the tests of this process share; use ``sandbox`` instead."""
    with _sandbox_class()() as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """Return a running sandbox with the data of a fresh site."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def fresh_sandbox() -> Iterator[Sandbox]:
    """Return a sandbox that no other test sees, for those that stop it or change its key."""
    with _sandbox_class()() as running:
        yield running


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Session]:
    """Return a new session of the administrator on ``sandbox``."""
    with sandbox.session() as opened:
        yield opened


def pytest_report_header(config: Any) -> list[str]:
    """Say at the top of a run what will be skipped."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return [f"sandbox: skipped, no {', '.join(missing)}"] if missing else []
