"""What attackers bring along: processes, raw connections, and users without many rights."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional
from urllib.parse import urlsplit

import pytest
import requests
import websocket

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'sandbox' is not installed")


class Server:
    """A sandbox in a process of its own: its address, user and key."""

    def __init__(self, server_url: str, api_user: str, api_key: str, pid: int) -> None:
        self.url = server_url
        self.pid = pid
        self.user = api_user
        self.key = api_key
        self.port = urlsplit(server_url).port or 0
        self.headers = {"ftrack-user": api_user, "ftrack-api-key": api_key}

    def connect(self, source: Optional[str] = None, timeout: float = 30.0) -> socket.socket:
        """Return a connection from the address *source*."""
        from_address = None if source is None else (source, 0)
        return socket.create_connection(
            ("127.0.0.1", self.port), timeout=timeout, source_address=from_address
        )

    def ask(self, source: Optional[str] = None, timeout: float = 30.0) -> float:
        """Return how many seconds a request from the address *source* takes."""
        started = time.monotonic()
        with contextlib.closing(self.connect(source, timeout)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        return time.monotonic() - started


def read_all(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    chunks = []
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


class Servers:
    """Sandboxes in processes of their own: one for each choice of options."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, ...], Server] = {}
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *options: str, prefix: Sequence[str] = ()) -> Server:
        """Return the sandbox with these *options* of the command, and start it if it is the first.

        *prefix* is the beginning of the command.
        """
        key = (*prefix, *options)
        if key not in self._running:
            self._running[key] = self._started(options, prefix)
        return self._running[key]

    def _started(self, options: Sequence[str], prefix: Sequence[str]) -> Server:
        command = [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--memory", "--port", "0"]
        process = subprocess.Popen(
            [*prefix, *command, *options], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._processes.append(process)
        assert process.stdout is not None
        return Server(**json.loads(process.stdout.readline()), pid=process.pid)

    def close(self) -> None:
        """End all sandboxes."""
        for process in self._processes:
            process.kill()
            process.communicate(timeout=30)


@pytest.fixture(scope="module")
def start_server() -> Iterator[Callable[..., Server]]:
    """Return :meth:`Servers.start`; the tests of a module share the sandboxes."""
    servers = Servers()
    yield servers.start
    servers.close()


@pytest.fixture
def connections() -> Iterator[contextlib.ExitStack]:
    """Return a stack that closes the connections of a test."""
    with contextlib.ExitStack() as stack:
        yield stack


def eventually(condition: Callable[[], Any], patience: float = 60.0) -> Any:
    """Return what *condition* answers as soon as that is true."""
    end = time.monotonic() + patience
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, f"nothing became true of {condition}"
        pause.wait(0.02)
    return found


class People:
    """Makes users with a security role and a key."""

    def __init__(self, api: Any, sandbox: Any) -> None:
        self._api = api
        self._sandbox = sandbox
        self._opened: list[Any] = []

    def __call__(self, username: str, *roles: str) -> Any:
        """Return the bare API of a new user with *roles* for all open projects."""
        api = self._api
        user_id = api.create(
            "User", username=username, email=f"{username}@example.com", is_active=True
        )
        for role in roles:
            (found,) = api.query(f'SecurityRole where name is "{role}"')
            api.call(
                {
                    "action": "add_user_security_role",
                    "user_id": user_id,
                    "role_id": found["id"],
                }
            )
        (answer,) = api.call(
            {
                "action": "reset_remote",
                "reset_type": "api_key",
                "entity_type": "User",
                "entity_key": user_id,
            }
        )
        opened = type(api)(self._sandbox)
        opened.user_id = user_id
        opened.username = username
        opened.key = answer["data"]["api_key"]
        opened.http.headers.update({"ftrack-user": username, "ftrack-api-key": opened.key})
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        """Close what was opened."""
        for one in self._opened:
            one.http.close()


@pytest.fixture
def people(api: Any, sandbox: Any) -> Iterator[People]:
    """Return what makes users."""
    made = People(api, sandbox)
    yield made
    made.close()


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of an open project."""
    schema = api.query("select id from ProjectSchema where name is VFX")[0]["id"]
    return str(api.create("Project", name="show", full_name="The Show", project_schema_id=schema))


class Form:
    """A page with a form, in a browser that keeps cookies."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.headers["Accept"] = "text/html"

    def log_in(self, username: str, key: str, **form: str) -> requests.Response:
        """Return the answer to the log-in form; redirects are not followed."""
        return self.http.post(
            f"{self.url}/log-in",
            data={"username": username, "key": key, **form},
            allow_redirects=False,
            timeout=30,
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        """Return the page at *path*; redirects are not followed."""
        return self.http.get(self.url + path, allow_redirects=False, timeout=30, **options)

    def token(self, text: str) -> str:
        """Return the token in the forms of a page."""
        found = re.search(r'name="form_token" value="([^"]*)"', text)
        assert found
        return found[1]


@pytest.fixture
def form(sandbox: Any) -> Iterator[Form]:
    """Return a browser that has been nowhere yet."""
    opened = Form(sandbox.server_url)
    yield opened
    opened.http.close()


class Wire:
    """A websocket of a user that sends and reads bare packets."""

    def __init__(self, url: str, user: str, key: str) -> None:
        headers = {"ftrack-user": user, "ftrack-api-key": key}
        answer = requests.get(f"{url}/socket.io/1/", headers=headers, timeout=30)
        answer.raise_for_status()
        self.session = answer.text.split(":")[0]
        self.hub = uuid.uuid4().hex
        self._url = url.replace("http", "ws", 1)
        self.number = 0
        self.socket: Any = None

    def open(self) -> Wire:
        """Open the websocket and return this."""
        address = f"{self._url}/socket.io/1/websocket/{self.session}"
        self.socket = websocket.create_connection(address, timeout=30)
        assert self.socket.recv() == "1::"
        return self

    def emit(self, topic: str, **fields: Any) -> dict[str, Any]:
        """Publish an event and return how it was acknowledged."""
        self.number += 1
        event = {"topic": topic, "id": uuid.uuid4().hex, "source": {"id": self.hub}, **fields}
        data = json.dumps({"name": "ftrack.event", "args": [event]})
        self.socket.send(f"5:{self.number}+::{data}")
        start = f"6:::{self.number}+"
        packet = self._next(lambda one: one.startswith(start))
        return dict(json.loads(packet[len(start) :])[0])

    def subscribe(self, subscription: str) -> None:
        """Subscribe and wait until that is acknowledged."""
        data = {"subscriber": {"id": uuid.uuid4().hex}, "subscription": subscription}
        assert self.emit("ftrack.meta.subscribe", data=data)["success"]

    def hear(self) -> dict[str, Any]:
        """Return the next event."""
        packet = self._next(lambda one: one.startswith("5:"))
        return dict(json.loads(packet.split(":", 3)[3])["args"][0])

    def wait_closed(self) -> None:
        """Read until the server closes the websocket."""
        with contextlib.suppress(websocket.WebSocketConnectionClosedException, ConnectionError):
            while self.socket.recv():
                pass

    def _next(self, fits: Callable[[str], bool]) -> str:
        for place, packet in enumerate(self._kept):
            if fits(packet):
                del self._kept[place]
                return packet
        while True:
            packet = self.socket.recv()
            assert packet, "the websocket was closed"
            if fits(packet):
                return str(packet)
            self._kept.append(packet)

    @functools.cached_property
    def _kept(self) -> list[str]:
        return []


@pytest.fixture
def wire(sandbox: Any) -> Iterator[Callable[..., Wire]]:
    """Return a function that opens a websocket of a user, of the administrator by default."""
    opened: list[Wire] = []

    def open_wire(user: Optional[str] = None, key: Optional[str] = None) -> Wire:
        made = Wire(sandbox.server_url, user or sandbox.api_user, key or sandbox.api_key)
        opened.append(made)
        return made.open()

    yield open_wire
    for one in opened:
        if one.socket is not None:
            one.socket.close()
