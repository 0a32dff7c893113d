"""Explain why a request failed, and which setting to check.

The HTTP libraries raise a chain of exceptions, and usually only the innermost exception knows the
cause. So this module searches the whole chain. Its explanations name the settings in use, such as
the proxy and the CA file, and the argument or variable that each comes from.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Optional, Union
from urllib.parse import urlsplit

import requests
import urllib3

from ftrack_like import exception
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._transport.connection_settings import CA_VARIABLES
from ftrack_like._transport.names import SlowNameError
from ftrack_like._transport.redaction import masked

__all__ = ["Route", "connection_error", "exhaustion", "explain", "is_timeout"]

_TIMEOUTS = (
    requests.exceptions.Timeout,
    urllib3.exceptions.TimeoutError,
    socket.timeout,
    TimeoutError,
)

#: The errors raised before a connection is made: the server has not seen the request.
_NOT_CONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    requests.exceptions.ConnectTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    socket.gaierror,
)


class Route(NamedTuple):
    """The *address* of a request, and the request session *http* with its settings.

    *secret*, the API key, is masked in errors. *origin* names the setting that the address comes
    from, such as ``"the environment variable FTRACK_SERVER"``. *is_first* is True while the server
    has not answered any request yet.
    """

    address: str
    http: Optional[requests.Session] = None
    secret: Optional[str] = None
    origin: str = "the argument server_url or the environment variable FTRACK_SERVER"
    is_first: bool = False

    @property
    def host(self) -> str:
        """The name of the host."""
        return urlsplit(self.address).hostname or ""

    def proxy(self) -> Optional[str]:
        """Return the address of the proxy and where it is set, in words; None without a proxy."""
        http = self.http
        if http is None:
            return None
        given = getattr(http, "proxies", None) or {}
        chosen = requests.utils.select_proxy(self.address, given)
        origin = "the argument proxies"
        if chosen is None and getattr(http, "trust_env", True):
            proxies = requests.utils.get_environ_proxies(self.address, no_proxy=None)
            chosen = requests.utils.select_proxy(self.address, proxies)
            origin = _variable_of(chosen)
        return f"{masked(chosen, self.secret)!r}, set by {origin}" if chosen else None

    def ca_file(self) -> tuple[str, str]:
        """Return the path of the CA file in use, and the setting that names it, in words."""
        http = self.http
        verify = getattr(http, "verify", True)
        if isinstance(verify, (str, os.PathLike)):
            return os.fspath(verify), "the argument verify"
        if getattr(http, "trust_env", True):
            for name in CA_VARIABLES:
                if os.environ.get(name):
                    return os.environ[name], f"the environment variable {name}"
        return requests.utils.DEFAULT_CA_BUNDLE_PATH, "the default of requests"

    def words(self, error: BaseException) -> str:
        """Return the text of *error* as one line with the API key masked."""
        return " ".join(masked(error, self.secret).split())[:500]


def connection_error(
    error: BaseException, route: Route
) -> Union[exception.ServerConnectionError, exception.ConfigurationError]:
    """Return the error of this library for *error*, which a request on *route* raised.

    For a wrong setting, it is a :exc:`~ftrack_like.exception.ConfigurationError`.
    """
    chain = list(_related_errors(error))
    setting = _wrong_file(chain, route) or _unusable(error, route)
    if setting is not None:
        return exception.ConfigurationError(setting)
    text, is_late = explain(error, route), is_timeout(error)
    kind = exception.ServerTimeoutError if is_late else exception.ServerConnectionError
    made = kind(text)
    made.request_sent = not any(isinstance(each, _NOT_CONNECTED) for each in chain)
    is_refused = any(isinstance(each, ssl.SSLCertVerificationError) for each in chain)
    made.is_lasting = is_refused or exhaustion(error) is not None
    return made


def is_timeout(error: BaseException) -> bool:
    """Return whether *error*, or an exception that it was made of, is a time-out."""
    return any(map(_is_late, _related_errors(error)))


def _is_late(error: BaseException) -> bool:
    """Return whether *error* itself is a time-out."""
    # In urllib3, the error of a refused connection inherits from the error of a time-out.
    return isinstance(error, _TIMEOUTS) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    )


def explain(error: BaseException, route: Route) -> str:
    """Return the cause of *error* for a request on *route*, and the advice, in words."""
    chain = list(_related_errors(error))
    proxy = route.proxy()
    text = (
        _wrong_file(chain, route)
        or _unusable(error, route)
        or exhaustion(error)
        or _refused_proxy(chain, route, proxy)
        or _late(chain, route)
        or _unknown_host(chain, route)
        or _tls(chain, route)
        or _no_http(chain, route)
        or _broken(chain, route)
    )
    if proxy is not None and proxy not in text:
        text += f"\nThe request goes through the proxy {proxy}."
    return text


def _related_errors(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and all exceptions in its arguments, reasons, causes and contexts, once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _variable_of(proxy: Optional[str]) -> str:
    """Return the environment variable that names *proxy*, in words."""
    for name, value in os.environ.items():
        if name.lower().endswith("_proxy") and proxy and value and value in (proxy, proxy[7:]):
            return f"the environment variable {name}"
    return "the environment"


def _wrong_file(chain: list[BaseException], route: Route) -> Optional[str]:
    """Return the problem with a certificate file; None if that is not the cause."""
    text = " ".join(str(each) for each in chain)
    path, origin = route.ca_file()
    if not os.path.exists(path) and "invalid path" in text and path in text:
        return (
            f"There is no CA file {path!r}, which {origin} names.\n"
            f"Put the certificates of your authorities there, or remove the setting."
        )
    if (
        "TLS CA certificate bundle" in text
        or "NO_CERTIFICATE_OR_CRL_FOUND" in text
        or (
            any(isinstance(each, PermissionError) for each in chain)
            and not os.access(path, os.R_OK)
        )
    ):
        return (
            f"The CA file {path!r}, which {origin} names, cannot be used: "
            f"{route.words(chain[-1])}\nIt must be a readable file of certificates in PEM format."
        )
    marks = ("TLS certificate file", "TLS key file", "KEY_VALUES_MISMATCH", "PEM lib")
    if any(mark in text for mark in marks):
        return f"The client certificate (argument cert) cannot be used: {route.words(chain[-1])}"
    return None


def _unusable(error: BaseException, route: Route) -> Optional[str]:
    """Return why the address or the proxy cannot be used; None if that is not the cause."""
    unusable = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        urllib3.exceptions.LocationParseError,
        urllib3.exceptions.ProxySchemeUnknown,
    )
    if not isinstance(error, unusable):
        return None
    proxy = route.proxy()
    if proxy is not None:
        return f"The proxy {proxy} cannot be used: {route.words(error)}"
    return (
        f"The address {route.address} cannot be used: {route.words(error)}\n"
        f"It comes from {route.origin}."
    )


def exhaustion(error: BaseException) -> Optional[str]:
    """Return an explanation if too many open files caused *error*, else None."""
    chain = list(_related_errors(error))
    numbers = {each.errno for each in chain if isinstance(each, OSError)}
    # Without free file descriptors, resolving a name fails with an unspecific gaierror.
    if any(isinstance(each, socket.gaierror) for each in chain) and not _can_open():
        numbers.add(errno.EMFILE)
    if not numbers & {errno.EMFILE, errno.ENFILE}:
        return None
    return (
        "There are too many open files: this process cannot open another connection.\n"
        "Close unused sessions and files, or raise the limit (ulimit -n)."
    )


def _can_open() -> bool:
    """Return whether this process can open another file."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True


def _refused_proxy(chain: list[BaseException], route: Route, proxy: Optional[str]) -> Optional[str]:
    """Return the problem with the proxy; None if that is not the cause."""
    faults = (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)
    if proxy is None or not any(isinstance(each, faults) for each in chain):
        return None
    inner = next(
        (each for each in reversed(chain) if isinstance(each, OSError) and str(each)), chain[0]
    )
    return (
        f"The proxy {proxy}, on the way to {route.address}, does not work: {route.words(inner)}\n"
        f"Correct the setting, or exempt the host (NO_PROXY={route.host})."
    )


def _late(chain: list[BaseException], route: Route) -> Optional[str]:
    """Return the explanation of a time-out; None if that is not the cause."""
    late = list(filter(_is_late, chain))
    if not late:
        return None
    # Prefer the error that names a deadline or a host. The others only report one socket wait.
    told = next((each for each in late if "deadline" in str(each)), late[0])
    told = next((each for each in late if isinstance(each, SlowNameError)), told)
    return f"{route.address} did not answer in time: {route.words(told)}"


def _unknown_host(chain: list[BaseException], route: Route) -> Optional[str]:
    """Return that the host name cannot be resolved; None if that is not the cause."""
    found = [each for each in chain if isinstance(each, (socket.gaierror, UnicodeError))]
    if not found:
        return None
    return (
        f"The host name {route.host!r} cannot be resolved: {route.words(found[-1])}\n"
        f"Is it spelled right (it comes from {route.origin}), and does this machine reach its "
        "name server?"
    )


def _tls(chain: list[BaseException], route: Route) -> Optional[str]:
    """Return the problem with TLS; None if that is not the cause."""
    kinds = (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError)
    found = [each for each in chain if isinstance(each, kinds)]
    if not found:
        return None
    words = route.words(found[-1])
    if "WRONG_VERSION_NUMBER" in words or "record layer failure" in words.lower():
        return (
            f"The server at {route.address} does not speak https: {words}\n"
            "Does the server address (FTRACK_SERVER) begin with http:// instead?"
        )
    # Older versions of urllib3 say "hostname 'a' doesn't match 'b'".
    if not re.search(r"(?i)certificate|\bmatch\b", words):
        return f"The client cannot make an encrypted connection to {route.address}: {words}"
    path, origin = route.ca_file()
    return (
        f"The certificate of {route.address} cannot be verified: {words}\n"
        f"{_certificate_advice(words.lower(), route)} The CA file in use is {path} ({origin})."
    )


def _certificate_advice(words: str, route: Route) -> str:
    """Return the advice for a certificate that was rejected for the reason *words*."""
    if "expired" in words or "not yet valid" in words:
        return "Is the clock of this machine right? If so, the server needs a new certificate."
    if "mismatch" in words or "doesn't match" in words or "not valid for" in words:
        return (
            "The certificate belongs to another host. Is the server address right? It comes from "
            f"{route.origin}."
        )
    return (
        "If your own certificate authority signed it, pass verify='/path/to/ca.pem' or set "
        "REQUESTS_CA_BUNDLE."
    )


def _no_http(chain: list[BaseException], route: Route) -> Optional[str]:
    """Return that the answer is not HTTP; None if that is not the cause."""
    for each in chain:
        if not isinstance(each, http.client.BadStatusLine) or isinstance(
            each, http.client.RemoteDisconnected
        ):
            continue
        line = str(each).strip("'\"")[:60]
        # A TLS server answers plain http with an alert record: type 0x15, version 0x03 0x0?.
        if line[:2] == "\x15\x03" or line.startswith("\\x15\\x03"):
            return (
                f"The server at {route.address} speaks https.\n"
                "Does the server address (FTRACK_SERVER) begin with https:// instead?"
            )
        return (
            f"The server at {route.address} does not speak HTTP: it sent {line!r}.\n"
            f"Is the port right? The address comes from {route.origin}."
        )
    return None


def _broken(chain: list[BaseException], route: Route) -> str:
    """Return that the connection failed or broke; the explanation if no other one fits."""
    words = route.words(chain[0])
    if not any(isinstance(each, urllib3.exceptions.NewConnectionError) for each in chain):
        text = f"The connection to {route.address} broke before the answer came: {words}"
        if route.is_first and route.address.startswith("http://"):
            text += "\nIf it always does: does the server speak https? Its address says http://."
        return text
    causes = (
        each
        for each in chain
        if isinstance(each, OSError) and not isinstance(each, requests.exceptions.RequestException)
    )
    inner = next(causes, chain[-1])
    numbers = {each.errno for each in chain if isinstance(each, OSError)}
    advice = f"Is the server running, and is its address right? It comes from {route.origin}."
    if numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}:
        advice = f"Is this machine connected to the network? {advice}"
    return f"Nothing answers at {route.address}: {route.words(inner)}\n{advice}"
