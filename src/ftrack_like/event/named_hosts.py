"""Find the addresses to connect a websocket to, within a time limit.

The websocket library looks up host names itself, and waits for the name servers as long as the
system does. So it gets an address in place of each name. The request to the server and the check of
its certificate still use the name.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional
from urllib.parse import SplitResult, urlsplit

import websocket

from ftrack_like._transport.limits import CURRENT_LIMIT
from ftrack_like._transport.names import forget_addresses, look_up, needs_lookup

__all__ = ["Target", "Targets", "seconds_left", "targets_of"]

_PORTS = {"ws": 80, "wss": 443}


class Target(NamedTuple):
    """One address of a host: arguments for the websocket library.

    *server_hostname* is the name to check the certificate for; None to leave it to the library.
    """

    url: str
    options: dict[str, Any]
    server_hostname: Optional[str] = None


class Targets(NamedTuple):
    """The *targets* of one connection, at least one. All belong to *host* and *port*."""

    targets: list[Target]
    host: str = ""
    port: int = 0

    def forget(self) -> None:
        """Look the addresses up again next time, because none of them works."""
        if self.host:
            forget_addresses(self.host, self.port)


def seconds_left(timeout: Optional[float]) -> Optional[float]:
    """Return *timeout* or the rest of the limit of the context, whichever is shorter."""
    limit = CURRENT_LIMIT.get()
    if limit is None:
        return timeout
    left = max(limit.left(), 0.001)
    return left if timeout is None else min(timeout, left)


def targets_of(url: str, options: Mapping[str, Any], timeout: Optional[float]) -> Targets:
    """Return the targets for *url* and *options*, the arguments of ``WebSocket.connect``.

    With a proxy, the proxy looks up the name of the server, so only its own name matters here.
    Raise ``WebSocketAddressException`` if nobody knows the name, and :exc:`socket.timeout` after
    *timeout* seconds. Without *timeout* the library looks up the name.
    """
    parts = urlsplit(url)
    proxy = options.get("http_proxy_host")
    host = proxy or parts.hostname or ""
    port = options.get("http_proxy_port") if proxy else parts.port
    port = port or _PORTS.get(parts.scheme, 80)
    seconds = seconds_left(timeout)
    if seconds is None or not needs_lookup(host):
        return Targets([Target(url, dict(options))])
    try:
        addresses = look_up(host, port, seconds)
    except UnicodeError:  # The library raises an error that explains why the host is invalid.
        return Targets([Target(url, dict(options))])
    except socket.gaierror as error:
        raise websocket.WebSocketAddressException(error) from error
    if proxy:
        found = [Target(url, {**options, "http_proxy_host": each}) for each in addresses]
    else:
        found = [_direct(parts, port, options, each) for each in addresses]
    return Targets(found, host, port)


def _direct(parts: SplitResult, port: int, options: Mapping[str, Any], address: str) -> Target:
    """Return the target for *address*, one of the host of the URL *parts*."""
    name = parts.hostname or ""
    shown = name if port in _PORTS.values() else f"{name}:{port}"
    scheme = "https" if parts.scheme == "wss" else "http"
    bracketed = f"[{address}]" if ":" in address else address
    url = parts._replace(netloc=f"{bracketed}:{port}").geturl()
    return Target(url, {"host": shown, "origin": f"{scheme}://{shown}", **options}, name)
