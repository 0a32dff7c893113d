"""The HTTP request that starts a connection to the event server."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple, Optional

import requests
import urllib3

from ftrack_like import exception
from ftrack_like._transport.body import UnreadableBodyError, read_body
from ftrack_like._transport.connection_settings import ConnectionSettings
from ftrack_like._transport.faults import Route, explain
from ftrack_like._transport.http import request_session
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.reports import Stopwatch
from ftrack_like._transport.sockets import CURRENT_CONNECTIONS
from ftrack_like.logging import REQUEST_LOGGER
from ftrack_like.wire.packets import REPLAY_HEADER

__all__ = [
    "ServerDetails",
    "SocketIoSession",
    "refuses_credentials",
    "require_websocket",
    "server_details",
    "shake_hands",
]

#: How long the server may take to answer, in seconds.
READ_TIMEOUT = 10.0
#: The maximum length of the answer, in bytes. A correct answer has less than 100.
LONGEST_HANDSHAKE = 1024 * 1024

_TITLE = r"(?is)<title[^>]*>(.*?)</title>"  # compiled only when a server refuses


class ServerDetails(NamedTuple):
    """The address of the event server; *port* is None for the default port."""

    scheme: str
    hostname: str
    port: Optional[int]


class SocketIoSession(NamedTuple):
    """The server's answer to the handshake: an *id*, a heartbeat, and a list of transports.

    The heartbeat is in seconds; 0 means that the server did not give one.
    """

    id: str
    heartbeatTimeout: int  # the name that studio code reads
    supportedTransports: list[str]


def server_details(server_url: str) -> ServerDetails:
    """Return the parts of *server_url*; raise :exc:`ValueError` if it has no scheme or host."""
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
    """Ask the event server at *server_url* for a session, and return it.

    *headers* and *cookies* go along with the credentials of *api_user*. Redirects are refused,
    since they could send the credentials to another host.

    Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the server cannot be reached,
    refuses the user, or sends a malformed answer.
    """
    address = f"{server_url}/socket.io/1/"
    connections = CURRENT_CONNECTIONS.get()
    watch = Stopwatch("GET", address)
    with request_session(settings, api_key, api_user, headers, dict(cookies), connections) as http:
        try:
            response = http.get(
                address,
                headers={REPLAY_HEADER: "1"},
                allow_redirects=False,
                timeout=settings.timeout(READ_TIMEOUT),
                stream=True,
            )
            text = read_body(response, LONGEST_HANDSHAKE).content.decode("utf-8", "replace")
        except (OSError, urllib3.exceptions.HTTPError, UnicodeError) as error:
            REQUEST_LOGGER.debug("%s", watch.failed(error).line())
            route = Route(address, http, api_key)
            unreadable = isinstance(error, UnreadableBodyError)
            reason = route.words(error) if unreadable else explain(error, route)
            raise exception.EventHubConnectionError(
                "Failed to connect to server: {error}", details={"error": reason}
            ) from error
    REQUEST_LOGGER.debug("%s", watch.responded(response).line())
    if response.status_code != 200:
        raise _refused(response, text, api_user, api_key)
    return _read_answer(text)


def _refused(
    response: requests.Response, text: str, user: str, secret: str
) -> exception.EventHubConnectionError:
    """Return the error for *response*, with its body *text*, which refuses *user*.

    Mask the key *secret*.
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
        "The event server refused to connect: {reason}.",
        details={"reason": reason, "status": status},
    )


def refuses_credentials(error: exception.EventHubConnectionError) -> bool:
    """Return whether *error* says that the event server refused the key or the user."""
    return error.details.get("status") in (401, 403)


def _read_answer(text: str) -> SocketIoSession:
    """Parse *text*, `ID:HEARTBEAT:CLOSE:TRANSPORT,…`."""
    parts = text.strip().split(":")
    heartbeat = parts[1] if len(parts) > 1 else ""
    if len(parts) != 4 or not parts[0] or not re.fullmatch(r"[0-9]{0,9}", heartbeat):
        raise exception.EventHubConnectionError(
            "The event server answered the handshake with something else: {text!r}.",
            details={"text": text[:200]},
        )
    return SocketIoSession(parts[0], int(parts[1] or 0), parts[3].split(","))


def require_websocket(session: SocketIoSession) -> None:
    """Raise EventHubConnectionError if *session* does not offer websockets."""
    transports = session.supportedTransports or ()
    if "websocket" not in transports:
        names = transports if isinstance(transports, str) else ", ".join(map(str, transports))
        raise exception.EventHubConnectionError(
            "The event server does not support websocket, only: {transports}.",
            details={"transports": names or "nothing"},
        )
