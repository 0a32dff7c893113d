"""Web pages of other origins that may call the API from a browser (CORS).

The API, the files and the handshake take credentials from headers, parameters and signatures, never
from cookies. The server's own pages identify their visitors by a cookie, so they are closed to
other origins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

__all__ = ["AllowedOrigins"]

#: The paths, and the beginnings of paths, that pages of other origins may call.
_PATHS = ("/api", "/events")
_BELOW = ("/component/", "/socket.io/")

_METHODS = "GET, HEAD, POST, PUT"
#: Seconds for which a browser may remember the permission.
_MEMORY = 600
#: Headers of answers that scripts may read in addition to the usual headers.
_EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Length, Content-MD5,"
    " Content-Range, ETag, FTRACK_VERSION, Retry-After"
)


class AllowedOrigins:
    """The origins that may call the API; ``*`` means any origin."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Initialise with the *allowed* origins, in lower case."""
        self._allowed = frozenset(allowed)

    def is_open(self, path: str) -> bool:
        """Return whether pages of allowed origins may call *path*."""
        path = path.rstrip("/") if path.rstrip("/") in _PATHS else path
        return path in _PATHS or path.startswith(_BELOW) or path == "/socket.io"

    def headers(self, origin: str) -> dict[str, str]:
        """Return the headers that let pages of *origin* read an answer, empty if they may not."""
        if not self._allow(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            # The published JavaScript client also sends cookies, which the server ignores.
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": _EXPOSED,
        }

    def preflight(self, origin: str, request: Mapping[str, str]) -> Optional[dict[str, str]]:
        """Return the headers that answer a preflight *request*, None if *origin* may not call."""
        headers = self.headers(origin)
        if not headers:
            return None
        del headers["Access-Control-Expose-Headers"]
        headers["Access-Control-Allow-Methods"] = _METHODS
        headers["Access-Control-Max-Age"] = str(_MEMORY)
        headers["Vary"] = "Origin, Access-Control-Request-Headers"
        wanted = request.get("access-control-request-headers")
        if wanted:
            headers["Access-Control-Allow-Headers"] = wanted
        if request.get("access-control-request-private-network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
        return headers

    def _allow(self, origin: str) -> bool:
        return "*" in self._allowed or origin.lower() in self._allowed
