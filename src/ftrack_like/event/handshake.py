"""The HTTP request with which a connection to the event server begins."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple, Optional

import requests
import urllib3

from ftrack_like import exception
from ftrack_like._transport.body import UnreadableError, read_body
from ftrack_like._transport.faults import Route, explain
from ftrack_like._transport.http import request_session
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.settings import ConnectionSettings
from ftrack_like._transport.sockets import CURRENT_CONNECTIONS

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
#: The longest answer, in bytes; the right one has fewer than a hundred.
MOST_BYTES = 1024 * 1024
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
    address = f"{server_url}/socket.io/1/"
    connections = CURRENT_CONNECTIONS.get()
    with request_session(settings, api_key, api_user, headers, dict(cookies), connections) as http:
        try:
            response = http.get(
                address,
                headers={REPLAY_HEADER: "1"},
                allow_redirects=False,
                timeout=settings.timeout(READ_TIMEOUT),
                stream=True,
            )
            text = read_body(response, MOST_BYTES).content.decode("utf-8", "replace")
        except (OSError, urllib3.exceptions.HTTPError, UnicodeError) as error:
            route = Route(address, http, api_key)
            unreadable = isinstance(error, UnreadableError)
            reason = route.words(error) if unreadable else explain(error, route)
            raise exception.EventHubConnectionError(
                "Failed to connect to server: {error}", details={"error": reason}
            ) from error
    if response.status_code != 200:
        raise _refused(response, text, api_user, api_key)
    return _read_answer(text)


def _refused(
    response: requests.Response, text: str, user: str, secret: str
) -> exception.EventHubConnectionError:
    """Return the error that says why *response* with its *text* is no session for *user*.

    The key *secret* is masked.
    """
    status = response.status_code
    if response.is_redirect:
        target = masked(response.headers.get("location", "")[:500], secret)
        reason = f"it redirects to {target}; use that address as server_url"
    elif status in (401, 403):
        reason = (
            f"the API key or the user name is not valid; the user is {user!r} "
            f"(unexpected status code {status})"
        )
    else:
        title = re.search(_TITLE, text[:10_000])
        hint = " ".join((title.group(1) if title else text[:200]).split())
        reason = f"it answered with the unexpected status code {status}: {masked(hint, secret)}"
    return exception.EventHubConnectionError(
        "The event server refused to connect: {reason}.", details={"reason": reason}
    )


def _read_answer(text: str) -> SocketIoSession:
    """Return the session that *text*, `ID:HEARTBEAT:CLOSE:TRANSPORT,…`, stands for."""
    parts = text.strip().split(":")
    heartbeat = parts[1] if len(parts) > 1 else ""
    if len(parts) != 4 or not parts[0] or not re.fullmatch(r"[0-9]{0,9}", heartbeat):
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
