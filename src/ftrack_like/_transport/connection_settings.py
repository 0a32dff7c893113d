"""The settings of connections as one value: TLS, proxies and time limits; checks of addresses."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import Mapping
from typing import Any, Optional, Union
from urllib.parse import SplitResult, urlsplit

from ftrack_like import exception
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._transport.redaction import MASK

__all__ = [
    "CA_VARIABLES",
    "ConnectionSettings",
    "checked_server_url",
    "is_this_machine",
    "warn_of_plain_http",
    "with_likely_scheme",
]

_logger = logging.getLogger(__name__)

#: The variables that name a file with certificates; the first has precedence.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

#: The hosts for which this process has logged the warning about plain http.
_warned: set[str] = set()


class ConnectionSettings(NamedTuple):
    """TLS, proxies and time limits of a session, for both HTTP and websockets.

    - *verify* is True, False or the path of a CA bundle.
    - *cert* is the path of a client certificate, or a pair of certificate and key.
    - *proxies* maps schemes to addresses; None means the proxies of the environment.
    - *connect_timeout* is in seconds; None means the time-out of the request.
    - *deadline* limits a whole call or handshake, in seconds; None derives it from the time-out.
    """

    verify: Union[bool, str] = True
    cert: Optional[Union[str, tuple[str, str]]] = None
    proxies: Optional[Mapping[str, str]] = None
    connect_timeout: Optional[float] = None
    deadline: Optional[float] = None

    @classmethod
    def normal(
        cls,
        verify: Any,
        cert: Any,
        proxies: Optional[Mapping[str, str]],
        connect_timeout: Optional[float],
        deadline: Optional[float],
    ) -> ConnectionSettings:
        """Return the settings with paths as text; None as *verify* means True."""
        files: Any = tuple(map(os.fspath, cert)) if isinstance(cert, (tuple, list)) else cert
        return cls(
            os.fspath(verify) if isinstance(verify, os.PathLike) else verify is None or verify,
            os.fspath(files) if isinstance(files, os.PathLike) else files,
            proxies,
            connect_timeout,
            deadline,
        )

    def apply(self, request_session: Any) -> None:
        """Set the TLS and proxy settings on *request_session*, a ``requests.Session``.

        Raise :exc:`~ftrack_like.exception.ConfigurationError` if a file does not exist.
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
        """Return the time-out to pass to requests for *read_timeout*, in seconds or None.

        If *read_timeout* is already a pair of connect and read time-out, return it unchanged.
        """
        if self.connect_timeout is None or isinstance(read_timeout, tuple):
            return read_timeout
        return (self.connect_timeout, read_timeout)

    def for_event_hub(self) -> dict[str, Any]:
        """Return the settings as keyword arguments for an event hub."""
        return {
            "verify": self.verify,
            "cert": self.cert,
            "proxies": self.proxies,
            "connect_timeout": self.connect_timeout,
            "deadline": self.deadline,
        }


#: The end of errors about a server address.
_EXAMPLE = "It should be like 'https://studio.ftrackapp.com' or 'http://localhost:8080'."

#: Characters that no address contains, besides white space and control characters.
_REFUSED = "\x7f\"'<>\\"

#: An IP address of either version.
_ADDRESS = r"[0-9A-Fa-f:.]+(%\w+)?"


def checked_server_url(
    server_url: str,
    origin: str = "the argument server_url or the environment variable FTRACK_SERVER",
) -> str:
    """Return *server_url* without trailing slashes.

    *origin* names the setting that the address comes from, for errors. Raise
    :exc:`~ftrack_like.exception.ServerAddressError` if it is not the address of a server.
    """
    given = str(server_url).strip()
    address = given.rstrip("/")
    shown = _without_login(given)
    if "@" in address:
        raise exception.ServerAddressError(
            f"The server address {shown!r} contains a user name or a password, which would not be "
            "used.\nLeave out the part before the @, and pass the user as api_user and the key "
            f"as api_key. The address comes from {origin}."
        )
    try:
        parts = urlsplit(address)
        _ = parts.port  # Reading the port raises ValueError if it is not a number.
    except ValueError as error:
        raise exception.ServerAddressError(
            f"The server address {shown!r} cannot be read: {error}.\n{_EXAMPLE}"
            f"{_bracket_advice(address)} It comes from {origin}."
        ) from error
    wrong = _address_mistake(address, parts)
    if wrong is not None:
        raise exception.ServerAddressError(
            f"The server address {shown!r} {wrong[0]}.\n{wrong[1]} It comes from {origin}."
        )
    return address


def _address_mistake(address: str, parts: SplitResult) -> Optional[tuple[str, str]]:
    """Return the mistake in *address* and the advice, in words; None if there is no mistake."""
    # Without regular expressions, which would be compiled for a single address.
    if any(char.isspace() or char < " " or char in _REFUSED for char in address):
        cleaned = re.sub(r"[\s\x00-\x1f\x7f\"'<>]", "", address).replace("\\", "/")
        return (
            "contains blanks, quotes, angle brackets or backslashes",
            f"Did you mean {cleaned!r}?",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        bare = re.split(r":/|//", address, maxsplit=1)[-1].strip(":/")
        if bare in ("", "http", "https"):
            bare = "studio.ftrackapp.com"
        return (
            "does not begin with https:// or http:// and a host",
            f"Did you mean {with_likely_scheme(bare)!r}?",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    better = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    if "://" in address[len(parts.scheme) + 3 :]:
        return "contains :// twice", f"Did you mean {address.split('://', 1)[1]!r}?"
    if ":" in parts.hostname and "[" not in parts.netloc:
        return "does not name a host", _EXAMPLE + _bracket_advice(address)
    labels = parts.hostname.rstrip(".").split(".")
    if not _is_host(parts.hostname) or not all(0 < len(each) < 64 for each in labels):
        return f"does not name a host: {parts.hostname!r} is not a host name", _EXAMPLE
    if "#" in address or "?" in address:
        return (
            "contains more than the address of a server: it looks copied from a browser",
            f"Did you mean {better!r}?",
        )
    if parts.path.rstrip("/").endswith("/api"):
        return (
            "ends in /api, which the client adds itself",
            f"Did you mean {address[: address.rindex('/api')]!r}?",
        )
    return None


def with_likely_scheme(address: str) -> str:
    """Return *address*, which has no scheme, with the one that its server probably has.

    This is ``http`` for this machine and for private IP addresses: few of these have certificates.
    """
    try:
        host = urlsplit(f"//{address}").hostname
    except ValueError:
        host = None
    is_http = host is not None and (is_this_machine(host) or _is_private(host))
    return f"{'http' if is_http else 'https'}://{address}"


def _is_private(host: str) -> bool:
    """Return whether *host* is an IP address of a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _is_host(name: str) -> bool:
    """Return whether *name* consists of the characters of a host name or an IP address."""
    is_usual = all(char.isalnum() or char in "_.-" for char in name)
    return is_usual or re.fullmatch(_ADDRESS, name) is not None


def _without_login(address: str) -> str:
    """Return *address* with a user name and password in it masked."""
    if "@" not in address:
        return address
    return re.sub(r"^([A-Za-z]+:/*)?.*@", rf"\1{MASK}@", address, flags=re.DOTALL)


def _bracket_advice(address: str) -> str:
    """Return the advice to put an IPv6 address in brackets, if *address* looks like one."""
    if address.count(":") > 2 and "[" not in address:
        return " Put an IPv6 address in brackets: 'http://[::1]:8080'."
    return ""


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
    """Log a warning, once per process and host, if *server_url* sends the key unencrypted."""
    parts = urlsplit(server_url)
    if parts.scheme != "http" or is_this_machine(parts.hostname) or parts.netloc in _warned:
        return
    _warned.add(parts.netloc)
    _logger.warning(
        "The API key travels unencrypted: %s is plain http. Use https:// if the server has it.",
        f"http://{parts.hostname}" + (f":{parts.port}" if parts.port else ""),
    )


def ca_bundle() -> str | None:
    """Return the CA bundle that the environment names, or None."""
    return next(filter(None, map(os.environ.get, CA_VARIABLES)), None)
