"""Serve the styles and scripts of the pages, which are files of the package."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

__all__ = ["ASSETS_ROUTE"]

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def get_asset(request: Request) -> Response:
    """Return a file, or status 304 if the browser's copy is current. Browsers check each time."""
    data, tag = _load(request.path_params["name"])
    if not data:
        return PlainTextResponse("The file does not exist.", 404)
    headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    kind = _KINDS[PurePosixPath(request.path_params["name"]).suffix]
    return Response(data, media_type=kind, headers=headers)


@functools.lru_cache(maxsize=64)
def _load(name: str) -> tuple[bytes, str]:
    """Return the content and the ETag of the file *name*; both are empty if it does not exist."""
    folder = resources.files("ftrack_like.sandbox.web") / "static"
    for file in folder.iterdir():
        if file.name == name and PurePosixPath(name).suffix in _KINDS:
            data = file.read_bytes()
            return data, f'"{hashlib.sha256(data).hexdigest()[:24]}"'
    return b"", ""


ASSETS_ROUTE = Route("/static/{name}", get_asset, methods=["GET"])
