"""One websocket of the event hub: opening, waiting for data, reading and closing.

These functions accept every object that `websocket.create_connection` returns, since programs
patch that function. They require only `send`, `recv` and `close` of it, and use the other features
of a real websocket if it has them.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Mapping
from typing import Any, Protocol, Union
from urllib.parse import urlsplit

import requests.utils

from ftrack_like._transport.connection_settings import ConnectionSettings, ca_bundle

__all__ = [
    "SEND_TIMEOUT",
    "Readiness",
    "WebSocketLike",
    "break_off",
    "close_websocket",
    "faults",
    "next_message",
    "open_websocket",
]

#: How long sending may stall before the websocket counts as broken, in seconds.
SEND_TIMEOUT = 2.0


class WebSocketLike(Protocol):
    """The methods that the hub needs of a websocket.

    Programs patch `websocket.create_connection` to return simple substitutes, which have nothing
    else.
    """

    def send(self, packet: str, /) -> object:
        """Send the text *packet* as one message."""

    def recv(self) -> object:
        """Return the next message, text or bytes; anything else means the end."""

    def close(self) -> object:
        """Close the connection."""


def faults() -> tuple[type[BaseException], ...]:
    """Return the exceptions that mean that a websocket is broken."""
    import websocket  # lazy: a session that does not connect does not need it

    return (websocket.WebSocketException, OSError)


def open_websocket(
    address: str,
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    settings: ConnectionSettings,
    timeout: float,
) -> WebSocketLike:
    """Return a websocket to *address*. Each step of opening may take *timeout* seconds.

    TLS and proxies are explicit arguments, since the websocket library ignores the settings of
    requests. Raise one of :func:`faults` if opening fails.
    """
    import websocket  # lazy: a session that does not connect does not need it

    from ftrack_like.event.swift_websocket import SwiftWebSocket  # lazy: imports the library

    opened = websocket.create_connection(
        address,
        timeout=timeout,
        class_=SwiftWebSocket,
        header=[f"{name}: {value}" for name, value in headers.items()],
        cookie="; ".join(f"{name}={value}" for name, value in cookies.items()) or None,
        enable_multithread=True,
        sslopt=tls_options(settings),
        redirect_limit=0,
        **proxy_options(address, settings),
    )
    status = getattr(opened, "status", 101)
    if status != 101:
        opened.close()
        raise websocket.WebSocketException(
            f"The event server redirects the websocket (status {status}); it is not "
            "followed, since headers and cookies would go along."
        )
    if hasattr(opened, "settimeout"):
        opened.settimeout(SEND_TIMEOUT)
    connection: WebSocketLike = opened
    return connection


def tls_options(settings: ConnectionSettings) -> dict[str, Any]:
    """Return *settings* as the TLS options of the websocket library."""
    import ssl  # lazy: a session that does not connect does not need it

    if settings.verify is False:
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    else:
        bundle = settings.verify if isinstance(settings.verify, str) else ca_bundle()
        bundle = bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH
        place = "ca_cert_path" if os.path.isdir(bundle) else "ca_certs"
        options = {"cert_reqs": ssl.CERT_REQUIRED, place: bundle}
    if isinstance(settings.cert, str):
        options["certfile"] = settings.cert
    elif settings.cert:
        options["certfile"], options["keyfile"] = settings.cert
    return options


def proxy_options(address: str, settings: ConnectionSettings) -> dict[str, Any]:
    """Return the proxy for *address* as options of the websocket library.

    Choose it as requests does: from *settings*, else from the environment.
    """
    plain = address.replace("ws", "http", 1)
    proxies = dict(settings.proxies or ())
    if not proxies and not requests.utils.should_bypass_proxies(plain, no_proxy=None):
        proxies = requests.utils.get_environ_proxies(plain)
    chosen = requests.utils.select_proxy(plain, proxies)
    if not chosen:
        return {"http_no_proxy": ["*"]}
    parts = urlsplit(chosen if "://" in chosen else f"http://{chosen}")
    options: dict[str, Any] = {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or 80,
        "proxy_type": "http" if parts.scheme == "https" else parts.scheme,
        # `no_proxy` was checked above. With an empty list, the library would check it again.
        "http_no_proxy": ["no-such-host.invalid"],
    }
    user, password = requests.utils.get_auth_from_url(parts.geturl())
    if user:
        options["http_proxy_auth"] = (user, password)
    return options


class Readiness:
    """Waits until data arrives on a websocket; a context manager.

    A substitute without a socket always counts as ready.
    """

    def __init__(self, connection: WebSocketLike) -> None:
        """Initialise for *connection*."""
        sock = getattr(connection, "sock", None)
        self._sock = sock if isinstance(sock, socket.socket) else None
        # A process may have many connections. Poll selectors use no file descriptor.
        kind = getattr(selectors, "PollSelector", selectors.DefaultSelector)
        self._selector = kind() if self._sock is not None else None
        #: Messages that were read from the socket already.
        self._waiting = getattr(connection, "waiting", ()) if self._sock is not None else ()

    @property
    def can_tell(self) -> bool:
        """Whether the connection has a socket to ask."""
        return self._sock is not None

    def __enter__(self) -> Readiness:
        """Start watching the socket."""
        if self._selector is not None and self._sock is not None:
            with contextlib.suppress(ValueError):  # already closed: reading reports it
                self._selector.register(self._sock, selectors.EVENT_READ)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop watching the socket."""
        if self._selector is not None:
            self._selector.close()

    def wait(self, timeout: float) -> bool:
        """Wait at most *timeout* seconds for data, and return whether there is any."""
        if self._waiting or self._sock is None or self._selector is None:
            return True
        if self._sock.fileno() < 0:
            return True
        pending = getattr(self._sock, "pending", None)
        if pending is not None and pending():  # TLS has decrypted data that was not read yet
            return True
        return bool(self._selector.select(timeout))


def break_off(connection: WebSocketLike, politely: bool = True) -> None:
    """Shut *connection* down without waiting for the server.

    *politely* sends a close frame first. A thread that reads or writes wakes up and must call
    :func:`close_websocket`: a socket that another thread closes would not wake its reader.
    """
    with contextlib.suppress(*faults()):
        if politely and hasattr(connection, "send_close"):
            connection.send_close()
    sock = getattr(connection, "sock", None)
    with contextlib.suppress(*faults()):
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)
        else:
            connection.close()


def close_websocket(connection: WebSocketLike) -> None:
    """Close *connection* at once, in any state."""
    break_off(connection, politely=False)
    with contextlib.suppress(*faults()):
        finish = getattr(connection, "shutdown", None) or connection.close
        finish()


def next_message(connection: WebSocketLike) -> Union[str, bytes, None]:
    """Return the next message of *connection*, or None at the end of the connection.

    Return an empty message if the next one is incomplete or unreadable. Raise one of
    :func:`faults` if the websocket is broken.
    """
    import websocket  # lazy: a session that does not connect does not need it

    try:
        payload = connection.recv()
    except websocket.WebSocketTimeoutException:  # a part of a frame; the rest will follow
        return ""
    except UnicodeDecodeError:
        return b""
    if not isinstance(payload, (str, bytes)):
        return None
    if not payload and not getattr(connection, "connected", True):
        return None
    return payload
