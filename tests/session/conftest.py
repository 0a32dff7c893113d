"""A server that lies, stalls and hangs up: alone with canned answers, or before a sandbox."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from select import select
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
            "start_date": {"type": "string", "format": "date-time"},
            "link": {"type": "string"},
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
    "storage_scenario": {"scenario": "ftrack.automatic", "data": {}},  # as a fresh site
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
                if len(body) < length:  # The client hung up.
                    self.close_connection = True
                    return
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


def _value_of(body: bytes) -> Any:
    """Return what the JSON *body* holds, None if it broke off."""
    try:
        return json.loads(body)
    except ValueError:
        return None


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
            self.requests.append((method, path, headers, _value_of(body)))
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


class Authority:
    """An authority for certificates, in *folder*; *file* holds its own certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "authority.pem"
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._run("req -x509 -days 2 -subj /CN=Studio -out authority.pem", "authority")

    def context(self, days: int = 2) -> ssl.SSLContext:
        """Return what a server on this machine uses; its certificate is valid for *days* days."""
        name = f"server{days}"
        if not (self._folder / f"{name}.pem").exists():
            self._run(f"req -subj /CN=127.0.0.1 -out {name}.request", name)
            self._run(
                f"x509 -req -in {name}.request -CA authority.pem -CAkey authority.key "
                f"-set_serial {days + 100} -days {days} -extfile names -out {name}.pem"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        return context

    def _run(self, command: str, key: Optional[str] = None) -> None:
        """Run openssl, with a new *key* if it is given."""
        more = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words = ["openssl", *command.split(), *([*more, "-keyout", f"{key}.key"] if key else [])]
        subprocess.run(words, cwd=self._folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that only tests trust."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command")
    return Authority(tmp_path_factory.mktemp("authority"))


class Front:
    """Speaks TLS with *context* on a port of its own, and plain TCP with the server at *target*."""

    def __init__(self, target: str, context: ssl.SSLContext) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.context = context
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain, socket.create_connection(self._target) as server:
            with self.context.wrap_socket(plain, server_side=True) as encrypted:
                while True:
                    pending = [encrypted] if encrypted.pending() else []
                    for each in pending or select([encrypted, server], [], [])[0]:
                        data = each.recv(65536)
                        if not data:
                            return
                        (server if each is encrypted else encrypted).sendall(data)

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()


@pytest.fixture
def front() -> Iterator[Callable[[str, ssl.SSLContext], Front]]:
    """Return a function that puts TLS before a server."""
    made: list[Front] = []

    def put(target: str, context: ssl.SSLContext) -> Front:
        made.append(Front(target, context))
        return made[-1]

    yield put
    for each in made:
        each.close()
