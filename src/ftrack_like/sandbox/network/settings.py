"""The network options of the sandbox."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """The network options of the sandbox; raise :exc:`ValueError` if an option is invalid.

    *public_url* is the address that people use, such as ``https://ftrack.studio.example``. None
    means the address on which the server listens. *allowed_hosts* are further names by which
    requests may address the server: exact names, ``*.studio.example`` for all names below a domain,
    or ``*`` for any name. *allowed_origins* are the web pages that may call the API from a browser,
    such as ``http://localhost:3000``, or ``*``. *trusted_proxies* are the IP addresses or networks
    of proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` the server believes.

    *connections* is the maximum number of open connections, *connections_per_address* the maximum
    from the same address (IPv6: the same /64 network). A trusted proxy has no limit per address.
    *header_timeout* limits the time for the headers of a request, *idle_timeout* the time between
    two requests on a connection, and *transfer_timeout* the time for which a body or an answer may
    stall, all in seconds. *failed_logins* is the maximum number of failures per minute with the
    same user name from the same address. An address may fail five times as often with any names.
    Beyond that, the server refuses attempts without checking the key.

    *metrics_from* are the IP addresses or networks, or ``*``, that may read ``/metrics``. This
    machine always may.
    """

    public_url: Optional[str] = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    connections: int = 4096
    connections_per_address: int = 1024
    header_timeout: float = 20.0
    idle_timeout: float = 60.0
    transfer_timeout: float = 60.0
    failed_logins: int = 20
    metrics_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the options and normalise them."""
        if self.public_url is not None:
            object.__setattr__(self, "public_url", _public_url(self.public_url))
        object.__setattr__(self, "allowed_hosts", _lower(self.allowed_hosts))
        object.__setattr__(self, "allowed_origins", tuple(map(_origin, self.allowed_origins)))
        for proxy in self.trusted_proxies:
            _check_network(proxy, "A trusted proxy")
        for reader in self.metrics_from:
            if reader != "*":
                _check_network(reader, "A reader of metrics")
        for name in ("connections", "connections_per_address", "failed_logins"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("header_timeout", "idle_timeout", "transfer_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0 seconds.")


def _lower(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in names)


def _public_url(text: str) -> str:
    """Return the address *text* without a slash at its end."""
    parts = urlsplit(text)
    plain = not (parts.query or parts.fragment or parts.username or parts.path.strip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise ValueError(
            f"The public address must be like https://ftrack.studio.example, not {text!r}."
        )
    return text.rstrip("/")


def _origin(text: str) -> str:
    """Return the origin *text* as browsers send it."""
    origin = text.strip().rstrip("/").lower()
    parts = urlsplit(origin)
    # Browsers send "null" for local files and sandboxed frames.
    if origin not in {"*", "null"} and (
        not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin
    ):
        raise ValueError(f"An origin must be like http://localhost:3000, or *, not {text!r}.")
    return origin


def _check_network(text: str, what: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{what} must be an IP address or a network, not {text!r}.") from None
