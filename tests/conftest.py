"""Fixtures that all tests share: an isolated environment, and a running sandbox."""

from __future__ import annotations

import functools
import gc
import importlib.util
import logging
import os
import pathlib
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Optional
from unittest import mock

import pytest
import requests
from tests.scheduling import RotatedDir, in_order_of_time, number_of_processes

from ftrack_like._base.ffmpeg import find_ffmpeg
from ftrack_like.exception import MediaError
from ftrack_like.sandbox.operations.logs import ACCESS, ENCODINGS

if TYPE_CHECKING:
    from ftrack_like.session import Session
    from ftrack_like.testing import Sandbox

#: Some tests run pytest in a process of its own.
pytest_plugins = ["pytester"]

#: How the names of variables begin that tests take over from the environment of the run.
_KEPT = ("FTRACK_LIKE_TEST_", "FTRACK_FFMPEG")

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


def pytest_configure(config: pytest.Config) -> None:
    """Settle ffmpeg and the answer to Ctrl-C, and give generated tests the time they need."""
    _settle_ffmpeg()
    _answer_interrupts()
    if importlib.util.find_spec("hypothesis") is None:
        return
    from hypothesis import HealthCheck, settings  # lazy: some environments have none

    slow = [HealthCheck.too_slow]
    settings.register_profile("unhurried", deadline=None, suppress_health_check=slow)
    settings.load_profile("unhurried")


def _answer_interrupts() -> None:
    """Let Ctrl-C end the programs that tests start, also where this run was started without it.

    A shell starts a program in the background of a script with SIGINT ignored, and each child
    inherits that. A signal that has a handler gets its default behaviour in children.
    """
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Optional[int]:
    """Say how many processes ``-n auto`` starts."""
    return number_of_processes()


def pytest_collect_directory(
    path: pathlib.Path, parent: pytest.Collector
) -> Optional[pytest.Collector]:
    """Let each process of a run collect other files first."""
    if "PYTEST_XDIST_WORKER" not in os.environ or (path / "__init__.py").exists():
        return None
    return RotatedDir.from_parent(parent, path=path)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Let all processes of a run begin with the files that take longest, in the same order."""
    in_processes = "PYTEST_XDIST_WORKER" in os.environ
    if in_processes:
        items.sort(key=lambda one: one.path)
    yield
    if in_processes:
        items[:] = in_order_of_time(items)


def _settle_ffmpeg() -> None:
    """Use the ffmpeg that is there now in all tests, or none in any.

    A package manager may install or remove it while the tests run. The processes of one run
    inherit the decision. Without PyAV, which encoding needs too, there is none.
    """
    if not os.environ.get("FTRACK_FFMPEG"):
        try:
            program = find_ffmpeg()
        except MediaError:
            program = "/no-ffmpeg-when-the-tests-began"
        if importlib.util.find_spec("av") is None:
            program = "/no-PyAV-when-the-tests-began"
        os.environ["FTRACK_FFMPEG"] = program


@pytest.fixture(autouse=True, scope="session")
def _isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests from the caches, data and credentials of whoever runs them."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("FTRACK_") and not name.startswith(_KEPT):
                patch.delenv(name)
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(folder / name.lower()))
        yield


@pytest.fixture(scope="module", autouse=True)
def _restored_environment(_isolated_environment: None) -> Iterator[None]:
    """Keep the environment variables that a module sets, such as a page does, from the others."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="module", autouse=True)
def _restored_logs() -> Iterator[None]:
    """Undo what a command of the sandbox that a module runs in this process does to the logs."""
    loggers = [logging.getLogger(name) for name in (None, ACCESS, ENCODINGS)]
    levels = [logger.level for logger in loggers]
    yield
    root = loggers[0]
    # The handlers of pytest are of classes of their own.
    root.handlers[:] = [one for one in root.handlers if type(one) is not logging.StreamHandler]
    for logger, level in zip(loggers, levels):
        logger.setLevel(level)


def pytest_collection(session: pytest.Session) -> None:
    """Keep the garbage collector from passing over the growing number of collected tests."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector pass over the modules and the thousands of collected tests."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture
def small_heap() -> None:
    """Let the garbage collector pass over the objects of earlier tests.

    A test that collects often would otherwise take a second for each collection. They stay passed
    over: `gc.unfreeze` would also bring back all that `pytest_collection_finish` froze.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _no_busy_thread(_isolated_environment: None) -> Iterator[None]:
    """Fail where a module leaves a thread that uses the processor without end.

    Such a thread, often a server of a test that reads from a closed socket, slows all later tests.
    """
    yield
    # Work that ends soon after a test, such as a closing server, is no fault.
    if all(_share_of_processor(seconds) > 0.05 for seconds in (0.01, 1, 1, 1)):
        names = sorted({thread.name for thread in threading.enumerate()})
        raise AssertionError(f"A thread of this module never rests; threads: {names}")


def _share_of_processor(seconds: float) -> float:
    """Return how many processors the threads of this process use while it sleeps *seconds*."""
    used, begun = time.process_time(), time.perf_counter()
    time.sleep(seconds)
    return (time.process_time() - used) / (time.perf_counter() - begun)


@pytest.fixture(scope="session")
def sandbox_on(
    _isolated_environment: None,
) -> Callable[..., AbstractContextManager[Sandbox]]:
    """Return what starts a sandbox on a namespace of its own in the PostgreSQL at a URL.

    For None it is on SQLite, or where ``FTRACK_LIKE_TEST_SANDBOX_DATABASE`` says. There,
    ``FTRACK_LIKE_TEST_SANDBOX_WORKERS`` may say how many processes of the command answer; a test
    that reaches into a server of this process is then skipped. Further options are those of the
    class.
    """
    return _sandbox_on


@contextmanager
def _sandbox_on(url: Optional[str], **options: Any) -> Iterator[Sandbox]:
    default = os.environ.get("FTRACK_LIKE_TEST_SANDBOX_DATABASE")
    workers = None if url else os.environ.get("FTRACK_LIKE_TEST_SANDBOX_WORKERS")
    if workers and not default:
        pytest.skip("several processes need FTRACK_LIKE_TEST_SANDBOX_DATABASE, which is not set")
    with _namespace(url or default) as database:
        with _sandbox_maker(workers)(database=database, **options) as running:
            yield running


def _sandbox_maker(workers: Optional[str]) -> Callable[..., AbstractContextManager[Any]]:
    """Return the fixture class, or what runs the command with so many *workers*."""
    known = _sandbox_class()
    if not workers:
        return known
    # lazy: only needed for several processes.
    from tests.sandbox_processes import ProcessSandbox

    return functools.partial(ProcessSandbox, workers=int(workers))


@pytest.fixture(scope="session")
def running_sandbox(
    sandbox_on: Callable[[Optional[str]], AbstractContextManager[Sandbox]],
) -> Iterator[Sandbox]:
    """Return the one sandbox that the tests of this process share; use ``sandbox`` instead."""
    with sandbox_on(None) as running:
        yield running


@pytest.fixture(scope="session")
def namespace() -> Callable[[Optional[str]], AbstractContextManager[Optional[str]]]:
    """Return the function that makes an empty namespace in the PostgreSQL at a URL.

    It is a context manager that yields the URL of the namespace, None for None.
    """
    return _namespace


@contextmanager
def _namespace(url: Optional[str]) -> Iterator[Optional[str]]:
    """Yield the URL of an empty namespace in the PostgreSQL database at *url*, None for None."""
    if url is None:
        yield None
        return
    # lazy: only needed with a server.
    import sqlalchemy

    name = f"test_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    inside = sqlalchemy.make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
    yield inside.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    engine.dispose()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """Return a running sandbox with the data of a fresh site."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def sandbox_here(sandbox: Sandbox) -> Sandbox:
    """Return ``sandbox`` for a test that changes the environment variables of the server.

    Skip the test if the server runs in other processes.
    """
    if not isinstance(sandbox, _sandbox_class()):
        pytest.skip("changes environment variables of the server, which is in other processes")
    return sandbox


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


class ApiError(AssertionError):
    """What a sandbox answered instead of results: *name*, *content*, *error_code*, *status*."""

    def __init__(self, answer: dict[str, Any], status: int) -> None:
        self.name = answer["exception"]
        self.content = answer["content"]
        self.error_code = answer["error_code"]
        self.status = status
        super().__init__(f"{self.name}: {self.content}")


class Api:
    """The API as bare operations over HTTP, without any client in between."""

    Error = ApiError

    def __init__(self, sandbox: Sandbox) -> None:
        self.url = sandbox.server_url
        self.http = requests.Session()
        self.http.headers.update(
            {
                "ftrack-user": sandbox.api_user,
                "ftrack-api-key": sandbox.api_key,
                "ftrack-strict-api": "true",
            }
        )

    def call(self, *operations: Any) -> list[Any]:
        """Return the results of *operations*, or raise :exc:`ApiError`."""
        response = self.http.post(f"{self.url}/api", json=list(operations), timeout=30)
        answer = response.json()
        if isinstance(answer, dict):
            raise ApiError(answer, response.status_code)
        assert response.status_code == 200
        return list(answer)

    def make(self, entity_type: str, entity_key: Any = None, /, **data: Any) -> dict[str, Any]:
        """Return a create operation."""
        if entity_key is None:
            entity_key = [data.setdefault("id", str(uuid.uuid4()))]
        data["__entity_type__"] = entity_type
        return {
            "action": "create",
            "entity_type": entity_type,
            "entity_key": entity_key,
            "entity_data": data,
        }

    def change(self, entity_type: str, key: Any, /, **data: Any) -> dict[str, Any]:
        """Return an update operation."""
        return {
            "action": "update",
            "entity_type": entity_type,
            "entity_key": key if isinstance(key, list) else [key],
            "entity_data": {"__entity_type__": entity_type, **data},
        }

    def remove(self, entity_type: str, *key: Any) -> dict[str, Any]:
        """Return a delete operation."""
        return {"action": "delete", "entity_type": entity_type, "entity_key": list(key)}

    def create(self, entity_type: str, entity_key: Any = None, /, **data: Any) -> Any:
        """Create an entity and return its id, or its key."""
        operation = self.make(entity_type, entity_key, **data)
        self.call(operation)
        return operation["entity_key"][0] if entity_key is None else entity_key

    def update(self, entity_type: str, key: Any, /, **data: Any) -> dict[str, Any]:
        """Update an entity and return what was answered of it."""
        return dict(self.call(self.change(entity_type, key, **data))[0]["data"])

    def delete(self, entity_type: str, *key: Any) -> None:
        """Delete an entity."""
        assert self.call(self.remove(entity_type, *key)) == [{"action": "delete", "data": True}]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the records of a query."""
        return list(self.call({"action": "query", "expression": expression})[0]["data"])

    def one(self, expression: str) -> dict[str, Any]:
        """Return the one record of a query."""
        records = self.query(expression)
        assert len(records) == 1, f"{len(records)} records for {expression!r}"
        return records[0]


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    """Return the bare API of ``sandbox``."""
    opened = Api(sandbox)
    yield opened
    opened.http.close()


def pytest_report_header(config: Any) -> list[str]:
    """Say at the top of a run what will be skipped."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return [f"sandbox: skipped, no {', '.join(missing)}"] if missing else []
