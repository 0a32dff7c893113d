"""A server that lies, stalls and hangs up: alone with canned answers, or before a sandbox."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import urlsplit

import pytest

from ftrack_like.session import Session

#: Just enough of a server's schemas to start a session on.
SCHEMAS = [
    {
        "id": name,
        "primary_key": ["id"],
        "immutable": ["id"],
        "default_projections": ["id"],
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "default": "{uid}"},
            "name": {"type": "string"},
            **more,
        },
    }
    for name, more in {
        "AssetVersion": {},
        "FileComponent": {},
        "Location": {},
        "Job": {},
        "ReviewSessionInvitee": {},
        "Status": {},
        "Task": {
            "status": {"$ref": "Status"},
            "parent": {"$ref": "Task"},
            "children": {"type": "array", "items": {"$ref": "Task"}},
        },
        "User": {"username": {"type": "string"}},
    }.items()
]
SCHEMA_HASH = hashlib.md5(json.dumps(SCHEMAS, sort_keys=True).encode()).hexdigest()

#: A fault: the connection is reset after the request was read.
RESET = object()

INFORMATION = {
    "version": "4.13.8",
    "schema_hash": SCHEMA_HASH,
    "is_timezone_support_enabled": True,
    "storage_scenario": None,
}


def plain_result(operation: dict[str, Any]) -> Any:
    """Return what a server without any data answers to *operation*."""
    action = operation["action"]
    if action == "query_server_information":
        return INFORMATION
    if action == "query_schemas":
        return SCHEMAS
    if action in ("query", "search"):
        return {"action": action, "data": [], "metadata": {"next": {"offset": None}}}
    if action in ("create", "update"):
        key = {"id": operation["entity_key"][0]}
        return {"action": action, "data": {**operation["entity_data"], **key}}
    return {"action": action, "data": True}


def plain_answer(batch: Any) -> Any:
    """Return the results of *batch* from a server without any data."""
    return [plain_result(operation) for operation in batch or ()]


class Reply:
    """An answer in full: *status*, *body* (bytes, or a value to send as JSON) and *headers*.

    *cut* sends only so many bytes of the body and hangs up.
    """

    def __init__(
        self,
        body: Any = b"",
        status: int = 200,
        headers: Optional[dict[str, str]] = None,
        cut: Optional[int] = None,
    ) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = headers or {}
        self.cut = cut


class CannedServer:
    """An HTTP server whose answers a test decides.

    *answer* gets each batch and returns results, a :class:`Reply` or ``RESET``. *next_answers*
    are used up first, one a request; an entry that is a function is called with the batch.
    *requests* holds ``(method, path, headers, batch)`` of each request.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Any], Any] = plain_answer
        self.next_answers: list[Any] = []
        self.requests: list[tuple[str, str, Any, Any]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def batches(self) -> list[Any]:
        """The batches that came."""
        return [batch for _, _, _, batch in self.requests]

    @property
    def actions(self) -> list[list[str]]:
        """The actions of the batches that came."""
        return [[operation["action"] for operation in batch] for batch in self.batches]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Any:
        """Return the reply to one request, an answer or a :class:`Reply` or ``RESET``."""
        batch = json.loads(body) if body else None
        with self._lock:
            self.requests.append((method, path, headers, batch))
            chosen = self.next_answers.pop(0) if self.next_answers else self.answer
        return chosen(batch) if callable(chosen) else chosen

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that handles the requests of this server."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # Headers and body in one packet: no waiting for acknowledgements.

            def log_message(self, *arguments: Any) -> None:
                """Keep quiet."""

            def do_POST(self) -> None:
                """Answer as the test says."""
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                reply = owner.reply(self.command, self.path, self.headers, body)
                if reply is RESET:
                    self._reset()
                    return
                if not isinstance(reply, Reply):
                    reply = Reply(reply)
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if reply.cut is None:
                    self.wfile.write(reply.body)
                    return
                self.wfile.write(reply.body[: reply.cut])
                self.wfile.flush()
                self._reset()

            do_GET = do_POST

            def _reset(self) -> None:
                """Hang up without a word."""
                self.close_connection = True
                linger = struct.pack("ii", 1, 0)
                with contextlib.suppress(OSError):
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.shutdown(socket.SHUT_RDWR)

        return Handler


class Proxy(CannedServer):
    """A server that hands requests on to a sandbox, but for what a test injects.

    Besides what its base takes, *next_answers* may hold ``"lose"``: the request is carried out,
    its answer is not handed back.
    """

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        super().__init__()

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Any:
        """Return the sandbox's reply, or what is injected."""
        with self._lock:
            self.requests.append((method, path, headers, json.loads(body) if body else None))
            chosen = self.next_answers.pop(0) if self.next_answers else None
        if chosen is not None and chosen != "lose":
            return chosen
        passed = self._pass_on(method, path, headers, body)
        return RESET if chosen == "lose" else passed

    def _pass_on(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        """Return the sandbox's reply."""
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port)
        kept = {k: v for k, v in headers.items() if k.lower() not in ("host", "connection")}
        connection.request(method, path, body, kept)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return Reply(content, response.status)


@pytest.fixture
def server() -> Iterator[CannedServer]:
    """Return a server with canned answers."""
    made = CannedServer()
    yield made
    made.close()


@pytest.fixture
def proxy(sandbox: Any) -> Iterator[Proxy]:
    """Return a server that hands on to ``sandbox`` and fails when told to."""
    made = Proxy(sandbox.server_url)
    yield made
    made.close()


@pytest.fixture
def open_session(tmp_path: Any) -> Iterator[Callable[..., Session]]:
    """Return a function that opens sessions, which are closed after the test.

    It is called with a server or a proxy and options of the session. Waits before repetitions
    are cut to nothing.
    """
    opened = []

    def open_one(server: Any, **options: Any) -> Session:
        settings = {
            "server_url": server if isinstance(server, str) else server.url,
            "api_key": "secret-key-1",
            "api_user": "jane",
            "schema_cache_path": False,
            "plugin_paths": [],
            **options,
        }
        made = Session(**settings)
        opened.append(made)
        return made

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries wait a thousandth of their time."""
    from ftrack_like._transport import retry

    original = retry.RetryPolicy.delay

    def shortened(self: Any, *arguments: Any, **keywords: Any) -> Any:
        wait = original(self, *arguments, **keywords)
        return None if wait is None else wait / 1000

    monkeypatch.setattr(retry.RetryPolicy, "delay", shortened)


@pytest.fixture
def replies() -> Any:
    """Return the names that tests answer with: ``Reply``, ``RESET``, ``plain_answer``, …"""

    class Names:
        """The names."""

        Reply = Reply
        RESET = RESET
        SCHEMAS = SCHEMAS
        SCHEMA_HASH = SCHEMA_HASH
        INFORMATION = INFORMATION
        plain_answer = staticmethod(plain_answer)
        plain_result = staticmethod(plain_result)

    return Names
