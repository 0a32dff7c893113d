"""Pass requests on to a server, and keep what both sides say."""

from __future__ import annotations

import base64
import json
import pathlib
import threading
import time
from collections.abc import Mapping
from typing import Any, Optional, Union
from urllib.parse import urlsplit

import urllib3
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ftrack_like.sandbox.errors import RequestTooLargeError
from ftrack_like.sandbox.http_app import read_body
from ftrack_like.sandbox.recordings.file import Batch, Exchange, FileRead, Recording
from ftrack_like.sandbox.recordings.scrubbing import FILE_PARAMETERS, Scrubber
from ftrack_like.sandbox.recordings.serving import MAXIMUM_BODY, AppServer, error

__all__ = ["Recorder"]

#: Files up to this size are kept, in bytes.
_LARGEST_FILE = 1024 * 1024

#: The recording is written while it grows: at most once in as many seconds, and at most for one
#: tenth of the time.
_SECONDS_BETWEEN = 5.0
_SHARE = 10

#: Headers that belong to one connection, or that this server makes itself.
_OWN_HEADERS = frozenset(
    {"connection", "content-encoding", "content-length", "host", "keep-alive", "accept-encoding"}
    | {"proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "date", "server"}
)

_NO_EVENTS = (
    "The recorder does not pass events on. Record with auto_connect_event_hub=False, or let the "
    "program connect to the events of the server itself."
)

_Headers = dict[str, str]


class Recorder(AppServer):
    """Passes requests on to the server at *url*, and records them in the file *path*.

    Keys, people's names and addresses are replaced, see
    :mod:`ftrack_like.sandbox.recordings.scrubbing`. *replacements* maps further texts to what
    replaces them. With *keeps_names* only keys and addresses of the server are replaced. The file
    is written every few seconds and at :meth:`stop`.

    ::

        with Recorder("https://studio.example", "site.json") as recorder:
            session = ftrack_like.Session(recorder.server_url, api_key, api_user)
    """

    def __init__(
        self,
        url: str,
        path: Union[str, pathlib.Path],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        replacements: Optional[Mapping[str, str]] = None,
        keeps_names: bool = False,
    ) -> None:
        """Nothing is opened before :meth:`start`.

        Raise :exc:`ValueError` for an *url* that is not the address of a server.
        """
        super().__init__(host, port)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"{url!r} is not the address of a server. Give one such as https://studio.example"
            )
        self._url = url.rstrip("/")
        self._path = pathlib.Path(path)
        self._scrubber = Scrubber(self._url, replacements, keeps_names)
        self._pool = urllib3.PoolManager(maxsize=16, retries=False)
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._saved = 0
        self._next_save = 0.0
        self._knows_server = False

    @property
    def count(self) -> int:
        """How many exchanges were recorded so far."""
        return len(self._exchanges)

    def __enter__(self) -> Recorder:
        """Start the recorder and return it."""
        self.start()
        return self

    def start(self) -> None:
        """Begin to record. An empty recording is written, so that a wrong path shows at once."""
        Recording([]).save(self._path)
        super().start()

    def stop(self) -> None:
        """Stop, and write the recording."""
        super().stop()
        self._save()

    def app(self) -> Starlette:
        """Return the application to serve."""
        return Starlette(
            routes=[
                Route("/api", self._post_api, methods=["POST"]),
                Route("/socket.io/{path:path}", self._refuse_events, methods=["GET", "POST"]),
                Route(
                    "/{path:path}",
                    self._pass_on,
                    methods=["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"],
                ),
            ]
        )

    async def _refuse_events(self, request: Request) -> Response:
        """Refuse a connection of the event hub."""
        return PlainTextResponse(_NO_EVENTS, 501)

    async def _post_api(self, request: Request) -> Response:
        """Pass a batch on, and record it."""
        try:
            body = await read_body(request, MAXIMUM_BODY)
        except RequestTooLargeError as large:
            return error(request, 413, "RequestTooLargeError", str(large))
        return await run_in_threadpool(self._answer_batch, request, body)

    def _answer_batch(self, request: Request, body: bytes) -> Response:
        """Return the server's answer to the batch *body*, and record both."""
        headers = _passed(request.headers)
        try:
            self._ask_for_server(headers)
            status, answered, content = self._send("POST", "/api", headers, body)
        except urllib3.exceptions.HTTPError as failure:
            return self._unreachable(request, failure)
        try:
            operations, answer = json.loads(body), json.loads(content)
        except (ValueError, RecursionError):
            pass  # It is not a batch, or a page of a proxy: nothing to play back.
        else:
            self._keep_batch(headers, operations, status, answer)
        own = self.server_url.encode()
        return Response(content.replace(self._url.encode(), own), status, answered)

    def _ask_for_server(self, headers: _Headers) -> None:
        """Record the server's information and schemas once, which clients may have in a cache."""
        if self._knows_server:
            return
        self._knows_server = True
        operations = [{"action": "query_server_information"}, {"action": "query_schemas"}]
        body = json.dumps(operations).encode()
        status, _, content = self._send("POST", "/api", headers, body)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if status >= 400 or not isinstance(answer, list):
            self._knows_server = False  # The key may be wrong: ask again with the next request.
            return
        self._keep_batch(headers, operations, status, answer)

    def _keep_batch(self, headers: _Headers, request: Any, status: int, answer: Any) -> None:
        """Record a batch."""
        user = headers.get("ftrack-user", "")
        operations = request if isinstance(request, list) else [request]
        if isinstance(request, dict) and isinstance(answer, dict) and "exception" not in answer:
            answer = [answer]
        strict = headers.get("ftrack-strict-api", "").strip().lower() == "true"
        with self._lock:
            self._scrubber.learn(headers.get("ftrack-api-key", ""), user, (operations, answer))
            self._exchanges.append(Batch(user, strict, operations, status, answer))
        self._save_now_and_then()

    async def _pass_on(self, request: Request) -> Response:
        """Pass a request for a file or a page on; record it if it reads a file."""
        try:
            body = await read_body(request, MAXIMUM_BODY)
        except RequestTooLargeError as large:
            return PlainTextResponse(str(large), 413)
        return await run_in_threadpool(self._answer, request, body)

    def _answer(self, request: Request, body: bytes) -> Response:
        """Return the server's answer to *request*, and record the answer if it is a file."""
        path = request.url.path
        target = f"{path}?{request.url.query}" if request.url.query else path
        try:
            status, headers, content = self._send(
                request.method, target, _passed(request.headers), body
            )
        except urllib3.exceptions.HTTPError as failure:
            return self._unreachable(request, failure)
        if request.method == "GET" and path.startswith("/component/"):
            kept = len(content) <= _LARGEST_FILE
            read = FileRead(
                path,
                {k: v for k, v in request.query_params.items() if k in FILE_PARAMETERS},
                status,
                headers.get("content-type", "application/octet-stream"),
                base64.b64encode(content).decode() if kept else None,
            )
            key = request.query_params.get("apiKey", "")
            with self._lock:
                self._scrubber.learn(key, request.query_params.get("username", ""), ())
                self._exchanges.append(read)
            self._save_now_and_then()
        return Response(content, status, headers)

    def _send(
        self, method: str, target: str, headers: _Headers, body: bytes
    ) -> tuple[int, _Headers, bytes]:
        """Send a request to the server; return the status, headers and body of its answer."""
        response = self._pool.request(
            method, self._url + target, body=body or None, headers=headers, redirect=False
        )
        return response.status, _passed(response.headers), response.data

    def _unreachable(self, request: Request, failure: Exception) -> Response:
        """Return the answer for a server that cannot be reached."""
        text = f"The recorder cannot reach {self._url}: {failure}"
        return error(request, 502, "ServerError", text)

    def _save_now_and_then(self) -> None:
        """Write the recording if the last writing was long enough ago."""
        with self._lock:
            begun = time.monotonic()
            if begun < self._next_save:
                return
            self._next_save = begun + 3600  # no other thread writes meanwhile
        self._save()
        took = time.monotonic() - begun
        with self._lock:
            self._next_save = time.monotonic() + max(_SECONDS_BETWEEN, took * _SHARE)

    def _save(self) -> None:
        """Write the recording if there is something new."""
        with self._lock:
            if self._saved == len(self._exchanges):
                return
            self._saved = len(self._exchanges)
            scrubbed = [self._scrubber.scrub(each) for each in self._exchanges]
        Recording(scrubbed).save(self._path)


def _passed(headers: Mapping[str, str]) -> _Headers:
    """Return the *headers* that are passed on."""
    return {
        name.lower(): value for name, value in headers.items() if name.lower() not in _OWN_HEADERS
    }
