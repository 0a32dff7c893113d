"""The names by which requests may address the server.

A page of another site can point its own host name at this machine, and then use the sandbox as its
own server (DNS rebinding). The request still contains the foreign host name, so the server can
refuse it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Optional

__all__ = ["AllowedHosts", "is_any_address", "machine_name", "split_host"]

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_HOST = re.compile(r"(?:\[([0-9a-f:.]+(?:%[\w.-]+)?)\]|([a-z0-9_.*-]+))(?::\d{0,5})?", re.ASCII)


def split_host(text: str) -> Optional[str]:
    """Return the name in a Host header without its port, None if the header is invalid."""
    found = _HOST.fullmatch(text.strip().lower())
    if found is None:
        return None
    name = found[1] or found[2]
    return name if name.strip(".") == "" else name.rstrip(".")


def is_any_address(host: str) -> bool:
    """Return whether *host* means all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def machine_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname().lower() or "localhost"


class AllowedHosts:
    """The names of a server that is bound to *bound*, with *more* names from the options."""

    def __init__(self, bound: str, more: Iterable[str] = ()) -> None:
        """Collect the names, without using the network."""
        self._names = {*LOOPBACK_NAMES, bound.lower(), *more}
        self._is_open = "*" in self._names
        self._domains = tuple(name[1:] for name in self._names if name.startswith("*."))
        self._is_bound_to_all = is_any_address(bound)
        #: Whether the full name of this machine is allowed, but not known yet.
        self.may_look_up: bool = self._is_bound_to_all
        if self._is_bound_to_all:
            name = machine_name()
            self._names |= {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}

    def allow(self, host: Optional[str], local_address: str) -> bool:
        """Return whether a request with the header *host* is for this server.

        *local_address* is the IP address that received the request. A request without the header
        (HTTP/1.0) does not come from a browser, so it is allowed.
        """
        if host is None or self._is_open:
            return True
        name = split_host(host)
        if name is None:
            return False
        if name in self._names or name.endswith(self._domains):
            return True
        return self._is_bound_to_all and _is_same_address(name, local_address)

    def allow_by_lookup(self, host: str) -> bool:
        """Return whether *host* is the full name of this machine; look up that name once.

        The lookup may use the network and block, so do not call this in the event loop.
        """
        self._names.add(socket.getfqdn().lower())
        self.may_look_up = False
        return split_host(host) in self._names


def _is_same_address(name: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
