"""The names by which requests may address the server.

A page of another site can let its own name point at this machine and then talk to the sandbox as
its own server. The request still carries the foreign name as its host, and is refused by that.
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
    """Return the name in a Host header without its port, None for what is none."""
    found = _HOST.fullmatch(text.strip().lower())
    if found is None:
        return None
    name = found[1] or found[2]
    return name if name.strip(".") == "" else name.rstrip(".")


def is_any_address(host: str) -> bool:
    """Return whether *host* stands for all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def machine_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname().lower() or "localhost"


class AllowedHosts:
    """The names that a server bound to *bound* answers to, with *more* that were given."""

    def __init__(self, bound: str, more: Iterable[str] = ()) -> None:
        """Collect the names; the network is not asked."""
        self._names = {*LOOPBACK_NAMES, bound.lower(), *more}
        self._is_open = "*" in self._names
        self._domains = tuple(name[1:] for name in self._names if name.startswith("*."))
        self._is_bound_to_all = is_any_address(bound)
        #: Whether the full name of this machine counts and is not known yet.
        self.may_look_up: bool = self._is_bound_to_all
        if self._is_bound_to_all:
            name = machine_name()
            self._names |= {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}

    def allow(self, host: Optional[str], local_address: str) -> bool:
        """Return whether a request with the header *host* is for this server.

        *local_address* is the IP address that the request arrived at. A request without the
        header (HTTP/1.0) comes from no browser and is for this server.
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
        """Return whether *host* is the full name of this machine, which is asked once.

        May ask the network and take a while: not for the event loop.
        """
        self._names.add(socket.getfqdn().lower())
        self.may_look_up = False
        return split_host(host) in self._names


def _is_same_address(name: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
