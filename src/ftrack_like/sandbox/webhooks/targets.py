"""The addresses and the headers of webhooks: which are valid, and how they may be shown.

An address may contain a secret in its path, and a header in its value. So errors, logs and pages
only show the host of an address and the names of headers.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional, Union
from urllib.parse import urlsplit

__all__ = [
    "Target",
    "TargetError",
    "may_connect",
    "read_headers",
    "read_target",
    "refusal_of",
    "shown_host",
]

_LONGEST_ADDRESS = 2_000
_LONGEST_HEADERS = 16_000

_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")

#: Headers that belong to the connection and the body. The sandbox sets them.
_OWN_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_ADVICE_FOR_HTTP = (
    "Use https://. For http:// to this machine, start the sandbox with --loopback-webhooks."
)

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class TargetError(ValueError):
    """An address or headers cannot be used. The text contains no secret."""


@dataclass(frozen=True)
class Target:
    """The parts of the address of a webhook. *path* includes the query."""

    encrypted: bool
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """Return the address without its path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.encrypted else 80
        scheme = "https" if self.encrypted else "http"
        return f"{scheme}://{host}" + ("" if self.port == usual else f":{self.port}")


def read_target(address: object, *, loopback: bool) -> Target:
    """Return the parts of *address*; raise :exc:`TargetError` if webhooks may not use it.

    With *loopback*, the scheme may also be ``http``. :func:`may_connect` then decides about the IP
    address, which is only known later if the host is a name.
    """
    if not isinstance(address, str) or not address:
        raise TargetError("it is empty")
    if len(address) > _LONGEST_ADDRESS:
        raise TargetError(f"it is longer than {_LONGEST_ADDRESS} characters")
    if not _PRINTABLE.fullmatch(address):
        raise TargetError("it contains a blank, or a character outside ASCII; encode it with %")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise TargetError("its host or port is malformed") from None
    encrypted = parts.scheme == "https"
    if not encrypted and not (loopback and parts.scheme == "http"):
        raise TargetError(f"it must begin with https://. {_ADVICE_FOR_HTTP}")
    if parts.username is not None or parts.password is not None:
        raise TargetError("it contains a user or a password; put credentials into the headers")
    if not parts.hostname:
        raise TargetError("it has no host")
    if port == 0:
        raise TargetError("its port is 0")
    path = parts.path or "/"
    target = Target(
        encrypted,
        parts.hostname,
        port or (443 if encrypted else 80),
        f"{path}?{parts.query}" if parts.query else path,
    )
    _check_literal(target)
    return target


def _check_literal(target: Target) -> None:
    """Raise :exc:`TargetError` if the host is an IP address that :func:`may_connect` refuses."""
    try:
        address = ipaddress.ip_address(target.host)
    except ValueError:
        return
    if not may_connect(address, encrypted=target.encrypted):
        raise TargetError(refusal_of(target))


def refusal_of(target: Target) -> str:
    """Return the reason why the IP addresses of *target* are refused."""
    if target.encrypted:
        return f"{target.host} is not the address of one machine"
    return f"{target.host} is not this machine, and http:// is only for this machine"


def may_connect(address: Address, *, encrypted: bool) -> bool:
    """Return whether a webhook may connect to the IP *address*.

    Without encryption, only to this machine. With encryption, to all but the addresses that no
    receiver can have: link-local ones (where clouds serve credentials), groups, and "any".
    """
    mapped = getattr(address, "ipv4_mapped", None)
    one = address if mapped is None else mapped
    if not encrypted:
        return bool(one.is_loopback)
    return not (one.is_link_local or one.is_multicast or one.is_unspecified)


def read_headers(text: Optional[str]) -> Mapping[str, str]:
    """Return the headers in the JSON *text*; raise :exc:`TargetError` if they are malformed.

    None and an empty text mean no headers.
    """
    if not text:
        return {}
    if len(text) > _LONGEST_HEADERS:
        raise TargetError(f"they are longer than {_LONGEST_HEADERS} characters")
    try:
        headers = json.loads(text)
    except (ValueError, RecursionError):
        headers = None
    if not isinstance(headers, dict):
        raise TargetError('they must be a JSON object in a text, such as {"X-Token": "…"}')
    for name, value in headers.items():
        _check_header(name, value)
    lowered = [name.lower() for name in headers]
    for name in headers:
        if lowered.count(name.lower()) > 1:
            raise TargetError(f"they contain {name!r} twice")
    return headers


def _check_header(name: str, value: object) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise TargetError(f"{name[:40]!r} is not the name of a header")
    if name.lower() in _OWN_HEADERS:
        raise TargetError(f"the sandbox sets {name!r} itself")
    if not isinstance(value, str):
        raise TargetError(f"the value of {name!r} must be a text")
    if not _HEADER_VALUE.fullmatch(value):
        raise TargetError(f"the value of {name!r} contains a character that headers cannot have")


def shown_host(address: object) -> str:
    """Return *address* without its path, for logs and pages."""
    try:
        return str(read_target(address, loopback=True))
    except TargetError:
        return "an invalid address"
