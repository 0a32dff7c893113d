"""The address of the client whose request is being answered."""

from __future__ import annotations

import contextvars
import ipaddress

__all__ = ["PEER", "group_of"]

#: The IP address of the client, after trusted proxies have spoken; empty where there is none.
#: Worker threads of a request see the value of their request.
PEER: contextvars.ContextVar[str] = contextvars.ContextVar("ftrack_like_peer", default="")

#: One customer of a network provider has all IPv6 addresses that share this many bits.
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
