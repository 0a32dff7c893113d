"""Receivers of webhooks, and automations that send to them."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.testing import Sandbox

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

#: The seconds that a test waits for a condition before it fails.
PATIENCE = 60


class Call(NamedTuple):
    """A request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def entity(self) -> dict[str, Any]:
        """Return the part of the body about the entity."""
        return dict(self.body["entity"])


class Receiver:
    """A web server on 127.0.0.1 that stores the requests.

    It answers with the next status of *answers*, and with 204 when there are none. With the status
    0 it does not answer before the end of the test.
    """

    def __init__(self, answers: tuple[int, ...] = (), port: int = 0) -> None:
        self.calls: list[Call] = []
        self.headers: dict[str, str] = {}
        self._answers = list(answers)
        self._changed = threading.Condition()
        self._end = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                call = Call(self.path, dict(self.headers), json.loads(body))
                status = receiver.take(call)
                if not status:
                    receiver.wait_for_end()
                    return
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/secret-path"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, call: Call) -> int:
        """Store *call* and return the status to answer."""
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
            return self._answers.pop(0) if self._answers else 204

    def wait_for_end(self) -> None:
        """Wait until :meth:`close`."""
        self._end.wait(PATIENCE)

    def wait(self, count: int = 1) -> list[Call]:
        """Return the first *count* requests, when they are there."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.calls) >= count, PATIENCE)
            assert there, f"{len(self.calls)} of {count} requests"
            return self.calls[:count]

    def wait_for(self, condition: Callable[[Call], bool]) -> None:
        """Return when there is a request for which *condition* is true."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(condition, self.calls)), PATIENCE)

    def close(self) -> None:
        """Stop answering."""
        self._end.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    """Return a function that starts a receiver."""
    started: list[Receiver] = []

    def start(*answers: int, port: int = 0) -> Receiver:
        started.append(Receiver(answers, port))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def receiver(receivers: Callable[..., Receiver]) -> Receiver:
    """Return a receiver that accepts everything."""
    return receivers()


@pytest.fixture(
    scope="session",
    params=[None, POSTGRESQL] if POSTGRESQL else [None],
    ids=lambda url: "postgresql" if url else "sqlite",
)
def running_sandbox(request: Any, namespace: Any) -> Iterator[Sandbox]:
    """Return a sandbox with webhooks to this machine, on each database."""
    with namespace(request.param) as database:
        with Sandbox(database=database, loopback_webhooks=True) as running:
            yield running


#: Creates an automation with a trigger and a webhook in one batch, and returns their ids.
Hook = Callable[..., "Hooked"]


class Hooked(NamedTuple):
    """The ids of an automation, its trigger and its webhook."""

    automation: str
    trigger: str
    action: str


@pytest.fixture
def hook(api: Any) -> Hook:
    """Return the function that creates a webhook."""

    def create(
        url: str,
        filter_: str = 'entity.entity_type = "Project"',
        headers: Optional[str] = None,
        by: Any = None,
        **automation: Any,
    ) -> Hooked:
        ids = Hooked(*(str(uuid.uuid4()) for _ in range(3)))
        given = {} if headers is None else {"headers": headers}
        automation.setdefault("name", "hook")
        (by or api).call(
            api.make("Automation", id=ids.automation, **automation),
            api.make("Trigger", id=ids.trigger, automation_id=ids.automation, filter=filter_),
            api.make(
                "WebhookAction",
                id=ids.action,
                automation_id=ids.automation,
                webhook_url=url,
                **given,
            ),
        )
        return ids

    return create


class Production:
    """A project with a shot, and what to do with it."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.schema = api.query("select id from ProjectSchema order by name")[0]["id"]
        self.project = self.new_project("film")
        self.shot = api.create("Shot", name="010", parent_id=self.project)

    def new_project(self, name: str, **values: Any) -> str:
        """Create a project and return its id."""
        created = self.api.create("Project", name=name, project_schema_id=self.schema, **values)
        return str(created)


@pytest.fixture
def production(api: Any) -> Production:
    """Return a project with a shot."""
    return Production(api)


@pytest.fixture
def log(api: Any) -> Callable[[int], list[dict[str, Any]]]:
    """Return the function that returns the log when it has a number of rows, in order."""

    def read(count: int) -> list[dict[str, Any]]:
        end = threading.Event()
        for _ in range(PATIENCE * 100):
            found = api.query("select status, message, action_id from ActionLog order by id")
            if len(found) >= count:
                return list(found)
            end.wait(0.01)
        raise AssertionError(f"{len(found)} of {count} rows")

    return read
