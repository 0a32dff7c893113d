"""Serve the answers of a recording."""

from __future__ import annotations

import base64
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any, Optional, Union

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ftrack_like.sandbox.errors import RequestTooLargeError
from ftrack_like.sandbox.http_app import read_body
from ftrack_like.sandbox.recordings.file import SITE, FileRead, Recording
from ftrack_like.sandbox.recordings.player import NotRecordedError, Player
from ftrack_like.sandbox.recordings.scrubbing import FILE_PARAMETERS
from ftrack_like.sandbox.recordings.serving import MAXIMUM_BODY, AppServer, error
from ftrack_like.sandbox.version import KIND_HEADER

__all__ = ["Replay"]

_NO_EVENTS = "A replay has no events. Use auto_connect_event_hub=False."


def _report(text: str) -> None:
    """Print *text* where people see it."""
    print(text, file=sys.stderr, flush=True)


class Replay(AppServer):
    """Answers clients from the recording in the file *path*, without the server.

    It accepts any user and key. A user name that is not in the recording stands for the first user
    of the recording. A request without a recording receives an error that names it, and *report* is
    called with that text, by default to print it.

    ::

        with Replay("site.json") as replay:
            session = ftrack_like.Session(replay.server_url, "any key", "any user")
            ...
            assert not replay.missing
    """

    def __init__(
        self,
        path: Union[str, pathlib.Path],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        report: Callable[[str], None] = _report,
    ) -> None:
        """Load the recording.

        Raise :exc:`~ftrack_like.sandbox.recordings.file.RecordingError` if there is none.
        """
        super().__init__(host, port)
        self._path = pathlib.Path(path)
        recording = Recording.load(path)
        self._player = Player(recording)
        self._report = report
        self._files = {
            _file_key(each.path, each.query): each
            for each in recording.exchanges
            if isinstance(each, FileRead)
        }
        self._version = _server_version(recording)

    def __enter__(self) -> Replay:
        """Start the replay and return it."""
        self.start()
        return self

    @property
    def api_user(self) -> str:
        """The first user of the recording."""
        return next(iter(self._player.users), "user-1")

    @property
    def missing(self) -> list[str]:
        """The requests without a recording so far, as texts; each once."""
        return self._player.missing

    def rewind(self) -> None:
        """Begin again, as if no request had come; for example between two tests."""
        self._player.rewind()

    def app(self) -> Starlette:
        """Return the application to serve."""
        return Starlette(
            routes=[
                Route("/", self._get_root, methods=["GET"]),
                Route("/api", self._get_api, methods=["GET"]),
                Route("/api", self._post_api, methods=["POST"]),
                Route("/component/{path:path}", self._get_file, methods=["GET"]),
                Route("/socket.io/{path:path}", self._refuse_events, methods=["GET", "POST"]),
                Route("/{path:path}", self._accept_upload, methods=["PUT"]),
            ]
        )

    async def _get_root(self, request: Request) -> Response:
        """Answer programs that ask for the version of the server."""
        headers = {"FTRACK_VERSION": self._version, KIND_HEADER: "replay"}
        return PlainTextResponse("A replay.", headers=headers)

    async def _refuse_events(self, request: Request) -> Response:
        """Refuse a connection of the event hub."""
        return PlainTextResponse(_NO_EVENTS, 501)

    async def _accept_upload(self, request: Request) -> Response:
        """Accept an upload and drop its data: nothing reads them again."""
        async for _ in request.stream():
            pass
        return Response(headers={"ETag": '"replay"'})

    async def _get_api(self, request: Request) -> Response:
        """Return the recorded server information."""
        return await self._play(request, {"action": "query_server_information"})

    async def _post_api(self, request: Request) -> Response:
        """Return the recorded answer to a batch."""
        try:
            operations = json.loads(await read_body(request, MAXIMUM_BODY))
        except RequestTooLargeError as large:
            return error(request, 413, "RequestTooLargeError", str(large))
        except (ValueError, RecursionError) as malformed:
            text = f"The request is not JSON: {malformed}"
            return error(request, 400, "MalformedRequestError", text)
        return await self._play(request, operations)

    async def _play(self, request: Request, operations: Any) -> Response:
        """Return the recorded answer to *operations*, or an error that names what is missing."""
        user = request.headers.get("ftrack-user", "")
        try:
            played = await run_in_threadpool(self._player.play, user, operations)
        except NotRecordedError as missing:
            text = (
                f"{self._path.name} has no recording of this request: {missing}. Record it "
                "again with: ftrack-like sandbox record"
            )
            self._report(text)
            return error(request, 400, "NotRecordedError", text)
        body = json.dumps(played.answer).replace(SITE, self.server_url)
        return Response(body, played.status, media_type="application/json")

    async def _get_file(self, request: Request) -> Response:
        """Return a recorded file."""
        query = {k: v for k, v in request.query_params.items() if k in FILE_PARAMETERS}
        path = request.url.path
        if "id" in query:
            query["id"] = self._player.recorded_id(query["id"])
        found: Optional[FileRead] = self._files.get(_file_key(path, query))
        if found is None or found.body is None:
            why = "no recording of" if found is None else "too large a file at"
            text = f"{self._path.name} has {why} {path} with {query}."
            self._report(text)
            return PlainTextResponse(text, 404)
        content = base64.b64decode(found.body)
        return Response(content, found.status, media_type=found.type)


def _file_key(path: str, query: dict[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the key of the file at *path* with the parameters *query*."""
    return path, tuple(sorted(query.items()))


def _server_version(recording: Recording) -> str:
    """Return the version that the recorded server reported, or ``dev``."""
    for exchange in recording.exchanges:
        if isinstance(exchange, FileRead) or not isinstance(exchange.answer, list):
            continue
        for operation, result in zip(exchange.request, exchange.answer):
            if operation.get("action") == "query_server_information":
                return str(result.get("version", "dev"))
    return "dev"
