"""How to reach a server: addresses, TLS, proxies and time-outs as one value."""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional, Union
from urllib.parse import urlsplit

from ftrack_like import exception

__all__ = ["ConnectionSettings", "checked_server_url", "is_this_machine", "warn_of_plain_http"]

_logger = logging.getLogger(__name__)

#: Hosts of which plain http has been warned in this process.
_warned: set[str] = set()


class ConnectionSettings(NamedTuple):
    """TLS, proxies and the connect time-out, for HTTP and websocket alike.

    *verify* is True, False or the path of a CA bundle; *cert* the path of a client certificate or
    a pair of certificate and key; *proxies* maps schemes to addresses, None means those of the
    environment; *connect_timeout* is in seconds, None means the time-out of the request.
    """

    verify: Union[bool, str] = True
    cert: Optional[Union[str, tuple[str, str]]] = None
    proxies: Optional[Mapping[str, str]] = None
    connect_timeout: Optional[float] = None

    def apply(self, request_session: Any) -> None:
        """Set the TLS and proxy settings on *request_session*, a ``requests.Session``.

        Raise :exc:`~ftrack_like.exception.ConfigurationError` for a file that is not there.
        """
        for name, value in (("verify", self.verify), ("cert", self.cert)):
            for path in value if isinstance(value, tuple) else (value,):
                if isinstance(path, str) and not os.path.exists(path):
                    raise exception.ConfigurationError(f"{name}: there is no file {path!r}.")
        request_session.verify = self.verify
        request_session.cert = self.cert
        if self.proxies is not None:
            request_session.proxies = dict(self.proxies)

    def timeout(self, read_timeout: Any) -> Any:
        """Return what requests takes as time-out for a *read_timeout* in seconds or None.

        A pair given as *read_timeout* already says both and stays as it is.
        """
        if self.connect_timeout is None or isinstance(read_timeout, tuple):
            return read_timeout
        return (self.connect_timeout, read_timeout)

    def for_event_hub(self) -> dict[str, Any]:
        """Return the settings as the keyword arguments that event hubs take."""
        return {
            "verify": self.verify,
            "cert": self.cert,
            "proxies": self.proxies,
            "connect_timeout": self.connect_timeout,
        }


def checked_server_url(server_url: str) -> str:
    """Return *server_url* without trailing slashes.

    Raise :exc:`~ftrack_like.exception.ServerAddressError` when it is no address of a server.
    """
    given = str(server_url).strip()
    address = given.rstrip("/")
    try:
        parts = urlsplit(address)
        _ = parts.port  # Read here, since it raises for what is no port.
    except ValueError as error:
        raise exception.ServerAddressError(
            f"The server address {address!r} cannot be read: {error}.\n"
            "It should be like 'https://studio.ftrackapp.com' or 'http://localhost:8080'."
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        bare = given.split(":/", 1)[-1].strip("/") or "studio.ftrackapp.com"
        raise exception.ServerAddressError(
            f"The server address {given!r} does not begin with https:// or http:// and a host.\n"
            f"Did you mean 'https://{bare}'? It comes from the argument server_url or from the "
            "environment variable FTRACK_SERVER."
        )
    if parts.path.rstrip("/").endswith("/api"):
        raise exception.ServerAddressError(
            f"The server address {address!r} ends in /api, which is added by itself.\n"
            f"Did you mean {address[: address.rindex('/api')]!r}?"
        )
    return address


def is_this_machine(host: str | None) -> bool:
    """Return whether *host* names this machine."""
    if not host:
        return False
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def warn_of_plain_http(server_url: str) -> None:
    """Log one warning a process and host when *server_url* would send the key unencrypted."""
    parts = urlsplit(server_url)
    if parts.scheme != "http" or is_this_machine(parts.hostname) or parts.netloc in _warned:
        return
    _warned.add(parts.netloc)
    _logger.warning(
        "The API key travels unencrypted: %s is plain http. Use https:// if the server has it.",
        f"http://{parts.hostname}" + (f":{parts.port}" if parts.port else ""),
    )


def ca_bundle() -> str | None:
    """Return the CA bundle that the environment names, None when it names none."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or None
