"""The addresses below ``/component``: data, thumbnails, removal and uploads.

A request to read or remove data carries the credentials as headers or as the parameters
``username`` and ``apiKey`` (for addresses that a browser opens), or it uses an address that this
server signed. Uploads always need a signed address.
"""

from __future__ import annotations

import mimetypes
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Optional

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.media import images
from ftrack_like.sandbox.media.incoming import Incoming, TransferError, report_unstored
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.media.parts import Place
from ftrack_like.sandbox.media.pictures import PictureError, Pictures
from ftrack_like.sandbox.media.signing import HOLDER, SignatureError, Signer
from ftrack_like.sandbox.media.thumbnails import IMAGE_TYPES

__all__ = ["GET_PATH", "REMOVE_PATH", "THUMBNAIL_PATH", "UPLOAD_PATH", "FileRoutes", "StoredFile"]

GET_PATH = "/component/get"
THUMBNAIL_PATH = "/component/thumbnail"
REMOVE_PATH = "/component/remove"
UPLOAD_PATH = "/component/upload"

#: The permission for a component that each address needs.
_ACTIONS = {GET_PATH: "read", THUMBNAIL_PATH: "read", REMOVE_PATH: "update"}

#: A range of bytes, and the maximum number of ranges in a request.
_RANGE = re.compile(r"\s*(?=\d|-\d)(\d{0,18})-(\d{0,18})\s*", re.ASCII)
_RANGES = 32

#: Any user may have uploaded the data. A page in them must not act in the name of its reader.
_UNTRUSTED = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}

#: Bytes to collect before writing them to the disk, because several uploads run at once.
_WRITE_SIZE = 256 * 1024


class StoredFile(FileResponse):
    """The data at *path*, or status 404 if another request removes them before they are opened."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; the headers wait until the file is open."""
        waiting: list[Message] = []
        began = False

        async def send_later(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                waiting.append(message)
                return
            began = True
            if waiting:
                await send(waiting.pop())
            await send(message)

        try:
            await super().__call__(scope, receive, send_later)
        except (FileNotFoundError, RuntimeError):  # the latter if the file has no size already
            if began or pathlib.Path(self.path).exists():
                raise
            await PlainTextResponse("The data were removed.", 404)(scope, receive, send)


class FileRoutes:
    """The handlers for *store* and *signer*.

    *authenticate* is called with user name and key on a worker thread, returns the user, and raises
    :exc:`~ftrack_like.sandbox.errors.SandboxError` if the user is unknown. *name_of* returns the
    file name of a component id, None for an unknown component. *allow* is called with the user,
    ``read`` or ``update``, and a component id, and raises the same error if the user lacks the
    permission. *allow_holder* does the same for the user id in a signed address.
    """

    def __init__(
        self,
        store: MediaStore,
        signer: Signer,
        pictures: Pictures,
        authenticate: Callable[[str, str], Any],
        name_of: Callable[[str], Optional[str]],
        allow: Callable[[Any, str, str], None],
        allow_holder: Callable[[str, str, str], None],
    ) -> None:
        self._store = store
        self._signer = signer
        self._pictures = pictures
        self._scaling: Optional[anyio.CapacityLimiter] = None
        self._authenticate = authenticate
        self._name_of = name_of
        self._allow = allow
        self._allow_holder = allow_holder

    def routes(self) -> list[BaseRoute]:
        """Return the routes for the application."""
        return [
            Route(GET_PATH, self.get, methods=["GET"]),
            Route(THUMBNAIL_PATH, self.thumbnail, methods=["GET"]),
            Route(REMOVE_PATH, self.remove, methods=["GET"]),
            Route(UPLOAD_PATH, self.upload, methods=["PUT"]),
        ]

    async def get(self, request: Request) -> Response:
        """Return the data of a component, or the requested range."""
        refused = await self._refuse(request, GET_PATH)
        if refused is not None:
            return refused
        component_id = request.query_params.get("id", "")
        if not self._store.exists(component_id):
            return _no_data(component_id)
        _ignore_foreign_range(request)
        return await run_in_threadpool(self._data, component_id, "range" in request.headers)

    def _data(self, component_id: str, is_range: bool) -> Response:
        name = self._name_of(component_id) or component_id
        headers = dict(_UNTRUSTED)
        checksum = None if is_range else self._store.checksum(component_id)
        if checksum is not None:  # the checksum covers the whole data, not a range
            headers["Content-MD5"] = checksum
        return StoredFile(
            self._store.path(component_id),
            media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            filename=name,
            content_disposition_type="inline",
            headers=headers,
        )

    async def thumbnail(self, request: Request) -> Response:
        """Return the scaled image of a component, or a placeholder."""
        refused = await self._refuse(request, THUMBNAIL_PATH)
        if refused is not None:
            return refused
        component_id = request.query_params.get("id", "")
        try:
            size = int(request.query_params.get("size") or images.DEFAULT_SIZE)
        except ValueError:
            return PlainTextResponse("size must be a number of pixels.", 400)
        size = max(1, min(size, images.MAXIMUM_SIZE))
        if not await run_in_threadpool(self._store.exists, component_id):
            return Response(images.placeholder(min(size, 1024)), media_type="image/png")
        path = self._store.thumbnail(component_id, size)
        try:
            image = await run_in_threadpool(self._store.thumbnails.use, path)
            if image is None:
                image = await self._scale(component_id, path, size)
        except PictureError as error:
            return PlainTextResponse(str(error), 413)
        if image is None:
            return Response(images.placeholder(min(size, 1024)), media_type="image/png")
        _ignore_foreign_range(request)
        return StoredFile(image, media_type=IMAGE_TYPES[image.suffix])

    async def remove(self, request: Request) -> Response:
        """Remove the data of a component."""
        refused = await self._refuse(request, REMOVE_PATH)
        if refused is not None:
            return refused
        component_id = request.query_params.get("id", "")
        if not self._store.exists(component_id):
            return _no_data(component_id)
        await run_in_threadpool(self._store.remove, component_id)
        return PlainTextResponse("Removed.")

    async def upload(self, request: Request) -> Response:
        """Store the data of a component, or one part, from a request to a signed address."""
        try:
            signed = self._signer.check(UPLOAD_PATH, dict(request.query_params))
            await run_in_threadpool(self._check_holder, signed, "update")
        except SignatureError as error:
            return PlainTextResponse(str(error), 403)
        except SandboxError as error:
            return PlainTextResponse(error.content, error.status)
        size = int(signed["size"]) if "part" not in signed else _length(request)
        try:
            incoming = await run_in_threadpool(self._incoming, signed, size)
            try:
                await _receive(request, incoming, size)
                # Check again, because the upload may have taken hours.
                await run_in_threadpool(self._check_holder, signed, "update")
                await run_in_threadpool(incoming.commit, size, signed.get("checksum"))
            finally:
                incoming.abort()
        except TransferError as error:
            return PlainTextResponse(str(error), error.status)
        except SandboxError as error:
            return PlainTextResponse(error.content, error.status)
        except OSError as error:
            if "upload" in signed:  # without the rest, the stored parts only fill the disk
                await run_in_threadpool(self._store.remove_parts, signed["upload"])
            text = report_unstored(self._store.path(signed["id"]), error)
            return PlainTextResponse(text, 507)
        return PlainTextResponse("Stored.", headers={"ETag": f'"{incoming.checksum}"'})

    def _incoming(self, signed: Mapping[str, str], length: Optional[int]) -> Incoming:
        """Return a writer for a *signed* upload of *length* bytes (None: unknown)."""
        if "part" not in signed:
            return self._store.receive(signed["id"], length or 0)
        number, place = int(signed["part"]), None
        if length is not None:
            place = Place(number, int(signed["parts"]), length, int(signed["size"]))
        return self._store.receive_part(signed["upload"], number, place)

    async def _refuse(self, request: Request, path: str) -> Optional[Response]:
        """Return an error response if the client may not make the request, else None."""
        parameters = request.query_params
        if "signature" in parameters:
            try:
                signed = self._signer.check(path, dict(parameters))
                if HOLDER in signed:
                    signed[HOLDER] = self._signer.reveal(signed[HOLDER])
                await run_in_threadpool(self._check_holder, signed, _ACTIONS[path])
            except SignatureError as error:
                return PlainTextResponse(str(error), 403)
            except SandboxError as error:
                return PlainTextResponse(error.content, error.status)
            return None
        user = request.headers.get("ftrack-user") or parameters.get("username", "")
        key = request.headers.get("ftrack-api-key") or parameters.get("apiKey", "")
        try:
            known = await run_in_threadpool(self._authenticate, user, key)
            await run_in_threadpool(self._allow, known, _ACTIONS[path], parameters.get("id", ""))
        except SandboxError as error:
            return PlainTextResponse(error.content, error.status)
        return None

    def _check_holder(self, signed: Mapping[str, str], action: str) -> None:
        """Raise :exc:`SandboxError` unless the holder of a *signed* address may still use it."""
        if HOLDER in signed:
            self._allow_holder(signed[HOLDER], action, signed.get("id", ""))

    async def _scale(
        self, component_id: str, target: pathlib.Path, size: int
    ) -> Optional[pathlib.Path]:
        """Return the image of a component, scaled to *size* pixels, or None without an image.

        *target* is where to write it, without its file type.

        Requests wait here without a thread, because threads are few and other requests need them.
        """
        if self._scaling is None:
            self._scaling = anyio.CapacityLimiter(self._pictures.at_once)

        def scale() -> Optional[pathlib.Path]:
            # An earlier request may have made the same thumbnail.
            known = self._store.thumbnails.use(target)
            if known is not None:
                return known
            self._pictures.scale(self._store.path(component_id), target, size)
            made = self._store.thumbnails.use(target)
            if made is not None:
                self._store.thumbnails.keep(made)
            return made

        return await anyio.to_thread.run_sync(scale, limiter=self._scaling)


async def _receive(request: Request, incoming: Incoming, size: Optional[int]) -> None:
    """Write the body of *request* to *incoming*.

    Raise :exc:`TransferError` if the body is longer than *size* bytes, where the size is known.
    """
    waiting: list[bytes] = []
    length = 0
    async for chunk in request.stream():
        waiting.append(chunk)
        length += len(chunk)
        if size is not None and incoming.size + length > size:
            raise TransferError(f"More than the announced {size} bytes arrive.")
        if length >= _WRITE_SIZE:
            await run_in_threadpool(incoming.write, *waiting)
            waiting, length = [], 0
    await run_in_threadpool(incoming.write, *waiting)


def _ignore_foreign_range(request: Request) -> None:
    """Remove a Range header in other units than bytes from *request*; the answer is the whole."""
    text = request.headers.get("range")
    if text is not None and not _is_range(text):
        kept = [one for one in request.scope["headers"] if one[0].lower() != b"range"]
        request.scope["headers"] = request.headers.raw[:] = kept


def _is_range(text: str) -> bool:
    unit, _, ranges = text.partition("=")
    found = [_RANGE.fullmatch(one) for one in ranges.split(",", _RANGES)]
    return unit.strip().lower() == "bytes" and all(
        one is not None and (not (one[1] and one[2]) or int(one[1]) <= int(one[2])) for one in found
    )


def _length(request: Request) -> Optional[int]:
    """Return the length of the body of *request* in bytes, None if not declared."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _no_data(component_id: str) -> Response:
    return PlainTextResponse(
        f"There is no data for the component {component_id[:64]!r} on this server.", 404
    )
