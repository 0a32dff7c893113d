"""The pytest plugin: fixtures for tests against a sandbox.

pytest loads this module in every environment in which ftrack-like is installed. So it imports
nothing but pytest. A fixture imports the rest when a test uses it.

The fixtures have the scope of the ini option ``ftrack_scope``, ``function`` by default. The sandbox
is reset at the beginning of each scope. One server runs in each process.
"""

from __future__ import annotations

import importlib.machinery
import sys
from typing import TYPE_CHECKING, Any, Literal, Optional

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from types import ModuleType

    from ftrack_like.session import Session
    from ftrack_like.testing import (
        AssertPublished,
        AssertRequests,
        EventRecorder,
        ProjectFactory,
        Sandbox,
    )

__all__ = [
    "assert_published",
    "assert_requests",
    "ftrack_events",
    "ftrack_project",
    "ftrack_sandbox",
    "ftrack_session",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_unconfigure",
]

_OPTION = "ftrack_scope"
_Scope = Literal["function", "class", "module", "package", "session"]
_SCOPES: tuple[_Scope, ...] = ("function", "class", "module", "package", "session")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option, and keep the modules of ftrack-like as they are."""
    sys.meta_path.insert(0, _PLAIN)
    parser.addini(
        _OPTION,
        "scope of the fixtures ftrack_sandbox, ftrack_session, ftrack_events and ftrack_project: "
        f"{', '.join(_SCOPES)} (the sandbox is reset at the beginning of each)",
        default=_SCOPES[0],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the ini option now: pytest reports an error in a later hook as its own."""
    _scope("", config)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Fail the test if a listener raised an exception, or add it to the report of a failure."""
    outcome = yield
    recorder: Any = getattr(item, "funcargs", {}).get("ftrack_events")
    if not hasattr(recorder, "fail_on_errors"):  # A project may have its own fixture of this name.
        return
    complaint = ""
    try:
        recorder.fail_on_errors()
    except AssertionError as error:
        complaint = str(error)
    if complaint and outcome.excinfo is not None:
        item.add_report_section("call", "ftrack listeners", complaint)
    elif complaint:
        pytest.fail(complaint, pytrace=False)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo :func:`pytest_addoption`."""
    if _PLAIN in sys.meta_path:
        sys.meta_path.remove(_PLAIN)


class _PlainFinder:
    """Finds the modules of ftrack-like before pytest does.

    pytest rewrites the assertions in all modules of a distribution with a plugin. That takes a
    second for the client, in each run if Python may not write bytecode, and is of no use to tests.
    """

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """Return the module *name* if it belongs to ftrack-like."""
        if path is None or not name.startswith("ftrack_like."):
            return None
        return importlib.machinery.PathFinder.find_spec(name, path, target)


_PLAIN = _PlainFinder()


def _scope(fixture_name: str, config: pytest.Config) -> _Scope:
    """Return the scope of all fixtures; raise :exc:`pytest.UsageError` for an unknown one."""
    wanted = str(config.getini(_OPTION)).strip()
    for scope in _SCOPES:
        if scope == wanted:
            return scope
    raise pytest.UsageError(f"{_OPTION} must be one of {', '.join(_SCOPES)}, not {wanted!r}.")


@pytest.fixture(scope="session")
def _ftrack_server() -> Iterator[Sandbox]:
    """Return the running sandbox of this process."""
    try:
        from ftrack_like.testing import Sandbox  # lazy: see the module
    except ModuleNotFoundError as error:
        missing = str(error)
    else:
        missing = ""
    if missing:
        pytest.fail(missing, pytrace=False)
    with Sandbox() as sandbox:
        sandbox.reset()  # the first reset takes longer, because it keeps a copy of the data
        yield sandbox


@pytest.fixture(scope=_scope)
def ftrack_sandbox(
    _ftrack_server: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """Return a running sandbox with the data of a new site.

    The environment variables lead to it, so that sessions without arguments use it.
    """
    from ftrack_like.testing._mixin import isolated  # lazy: see the module

    _ftrack_server.reset()
    schemas = tmp_path_factory.getbasetemp() / "ftrack-schemas"
    with isolated(_ftrack_server, str(schemas)):
        yield _ftrack_server


@pytest.fixture(scope=_scope)
def ftrack_session(ftrack_sandbox: Sandbox) -> Iterator[Session]:
    """Return a session of the administrator on ``ftrack_sandbox``."""
    with ftrack_sandbox.session() as session:
        yield session


@pytest.fixture(scope=_scope)
def ftrack_events(ftrack_sandbox: Sandbox) -> Iterator[EventRecorder]:
    """Return the recorder of events on ``ftrack_sandbox``."""
    from ftrack_like.testing import EventRecorder  # lazy: see the module

    with EventRecorder(ftrack_sandbox) as recorder:
        yield recorder


@pytest.fixture(scope=_scope)
def ftrack_project(ftrack_session: Session) -> ProjectFactory:
    """Return a factory for data of ``ftrack_session``, with a new project."""
    from ftrack_like.testing import ProjectFactory  # lazy: see the module

    return ProjectFactory(ftrack_session)


@pytest.fixture(scope=_scope)
def assert_requests(ftrack_sandbox: Sandbox) -> AssertRequests:
    """Return the context manager that limits the number of requests of its block."""
    return ftrack_sandbox.assert_requests


@pytest.fixture(scope=_scope)
def assert_published(ftrack_events: EventRecorder) -> AssertPublished:
    """Return the function that waits for an event and fails if it is not published."""
    return ftrack_events.assert_published
