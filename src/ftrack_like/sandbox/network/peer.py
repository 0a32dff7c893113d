"""The address of the client of the current request."""

from __future__ import annotations

import contextvars
import ipaddress

__all__ = ["PEER", "group_of"]

#: The IP address of the client, as trusted proxies report it; empty if unknown. Worker threads see
#: the value of their request.
PEER: contextvars.ContextVar[str] = contextvars.ContextVar("ftrack_like_peer", default="")

#: The IPv6 addresses of a customer of a network provider have this many bits in common.
_IPV6_PREFIX = 64


def group_of(address: str) -> str:
    """Return the name under which limits count the IP *address*."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), _IPV6_PREFIX), strict=False))
