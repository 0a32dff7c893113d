"""The options of the sandbox as a server on a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """How the sandbox meets the network. Raise :exc:`ValueError` for options that make no sense.

    *public_url* is the address that people use, such as ``https://ftrack.studio.example``; None
    takes the address that the server listens on. *allowed_hosts* are more names by which requests
    may address the server: exact ones, ``*.studio.example`` for all names below a domain, or
    ``*`` for any. *allowed_origins* are the web pages that may call the API from a browser, such
    as ``http://localhost:3000``, or ``*``. *trusted_proxies* are the addresses of proxies whose
    ``X-Forwarded-For`` and ``X-Forwarded-Proto`` count.

    *connections* may be open at once, *connections_per_address* of them from one address (IPv6:
    from one /64 network); a trusted proxy has no limit of its own. *header_timeout* is how long
    the headers of a request may take, *idle_timeout* how long a connection is kept between two
    requests, *transfer_timeout* how long a body or an answer may stall, all in seconds.
    *failed_logins* with one user name may come from one address in a minute, five times as many
    with any names; then attempts are refused unseen.
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

    def __post_init__(self) -> None:
        """Check the options and bring them to one form."""
        if self.public_url is not None:
            object.__setattr__(self, "public_url", _public_url(self.public_url))
        object.__setattr__(self, "allowed_hosts", _lower(self.allowed_hosts))
        object.__setattr__(self, "allowed_origins", tuple(map(_origin, self.allowed_origins)))
        for proxy in self.trusted_proxies:
            _check_proxy(proxy)
        for name in ("connections", "connections_per_address", "failed_logins"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 at least, not {getattr(self, name)}.")
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
    # "null" is what files of the disk and sandboxed frames send.
    if origin not in {"*", "null"} and (
        not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin
    ):
        raise ValueError(f"An origin must be like http://localhost:3000, or *, not {text!r}.")
    return origin


def _check_proxy(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            f"A trusted proxy is named by its IP address or network, not by {text!r}."
        ) from None
