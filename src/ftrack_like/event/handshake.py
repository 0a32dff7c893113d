"""The HTTP request with which a connection to the event server begins."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple, Optional

import requests

from ftrack_like import exception
from ftrack_like._transport.http import request_session
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.settings import ConnectionSettings

__all__ = [
    "REPLAY_HEADER",
    "ServerDetails",
    "SocketIoSession",
    "require_websocket",
    "server_details",
    "shake_hands",
]

#: How long the server may take to answer, in seconds.
READ_TIMEOUT = 10.0
#: Tells a sandbox that this client acknowledges events and drops repeats, so that after a drop
#: the sandbox may send again what was not acknowledged. Other servers ignore it.
REPLAY_HEADER = "ftrack-like-replay"

_TITLE = r"(?is)<title[^>]*>(.*?)</title>"  # compiled only for who is refused


class ServerDetails(NamedTuple):
    """Where the event server is; *port* is None for the usual one."""

    scheme: str
    hostname: str
    port: Optional[int]


class SocketIoSession(NamedTuple):
    """What the server grants: an *id*, a heartbeat, and a list of transports.

    The heartbeat is in seconds; 0 means that the server named none.
    """

    id: str
    heartbeatTimeout: int  # the name that studio code reads
    supportedTransports: list[str]


def server_details(server_url: str) -> ServerDetails:
    """Return where the server at *server_url* is; raise :exc:`ValueError` if it names no host."""
    parts = urllib.parse.urlparse(server_url)
    if not parts.scheme:
        raise ValueError("Could not determine scheme from server url.")
    if not parts.hostname:
        raise ValueError("Could not determine hostname from server url.")
    return ServerDetails(parts.scheme, parts.hostname, parts.port)


def shake_hands(
    server_url: str,
    api_user: str,
    api_key: str,
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    settings: ConnectionSettings,
) -> SocketIoSession:
    """Return the session that the event server at *server_url* grants.

    *headers* and *cookies* are sent besides the credentials of *api_user*. A redirect is
    refused, since it could carry the credentials elsewhere.

    Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the server cannot be reached,
    refuses, or answers something else.
    """
    try:
        with request_session(settings, api_key, api_user, headers, dict(cookies)) as http:
            response = http.get(
                f"{server_url}/socket.io/1/",
                headers={REPLAY_HEADER: "1"},
                allow_redirects=False,
                timeout=settings.timeout(READ_TIMEOUT),
            )
    except requests.exceptions.RequestException as error:
        raise exception.EventHubConnectionError(
            "Failed to connect to server: {error}",
            details={"error": _explanation(error, server_url, api_key)},
        ) from error
    if response.status_code != 200:
        raise _refused(response, api_key)
    return _read_answer(response.text)


def _explanation(error: Exception, server_url: str, secret: str) -> str:
    """Return what to tell about *error*, without showing *secret*."""
    if not isinstance(error, requests.exceptions.ConnectionError) or isinstance(
        error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)
    ):
        return f"{masked(error, secret)}."
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if reason is None:
        return f"the connection to {server_url} broke: {masked(error, secret)}."
    words = masked(reason, secret).rpartition(": ")[2]
    return (
        f"nothing answers at {server_url} ({words}). Is the server running, and is its address "
        "(FTRACK_SERVER) right?"
    )


def _refused(response: requests.Response, secret: str) -> exception.EventHubConnectionError:
    """Return the error that says why *response* is no session, without showing *secret*."""
    status = response.status_code
    if response.is_redirect:
        target = masked(response.headers.get("location", "")[:500], secret)
        reason = f"it redirects to {target}; use that address as server_url"
    elif status in (401, 403):
        reason = f"the API key or the user name is not valid (unexpected status code {status})"
    else:
        title = re.search(_TITLE, response.text[:10_000])
        hint = " ".join((title.group(1) if title else response.text[:200]).split())
        reason = f"it answered with the unexpected status code {status}: {masked(hint, secret)}"
    return exception.EventHubConnectionError(
        "The event server refused to connect: {reason}.", details={"reason": reason}
    )


def _read_answer(text: str) -> SocketIoSession:
    """Return the session that *text*, `ID:HEARTBEAT:CLOSE:TRANSPORT,…`, stands for."""
    parts = text.strip().split(":")
    if len(parts) != 4 or not parts[0] or not (parts[1] or "0").isdigit():
        raise exception.EventHubConnectionError(
            "The event server answered the handshake with something else: {text!r}.",
            details={"text": text[:200]},
        )
    return SocketIoSession(parts[0], int(parts[1] or 0), parts[3].split(","))


def require_websocket(session: SocketIoSession) -> None:
    """Raise EventHubConnectionError if *session*, which a program may make, has no websocket."""
    transports = session.supportedTransports or ()
    if "websocket" not in transports:
        names = transports if isinstance(transports, str) else ", ".join(map(str, transports))
        raise exception.EventHubConnectionError(
            "The event server does not support websocket, only: {transports}.",
            details={"transports": names or "nothing"},
        )
