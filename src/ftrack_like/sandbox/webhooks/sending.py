"""Send one webhook: an HTTP request with a time limit, to an address that is checked.

The IP address is checked after the resolution of the name, and the connection goes to the checked
address. So a name that resolves differently the second time gains nothing. Redirects are not
followed, and proxies are not used. Only the status of the answer is read.

This module is imported with the first delivery, because ``http.client`` and ``ssl`` take memory.
"""

from __future__ import annotations

import functools
import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Optional

from ftrack_like.sandbox.version import SERVER_VERSION
from ftrack_like.sandbox.webhooks.targets import (
    Target,
    TargetError,
    may_connect,
    read_headers,
    read_target,
    refusal_of,
)

__all__ = ["SECONDS", "Sender", "SendingError"]

#: The maximum duration of a delivery, from the connection to the status of the answer.
SECONDS = 20.0

_REDIRECTS = range(300, 400)

_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"ftrack-like-sandbox/{SERVER_VERSION}",
}


class SendingError(Exception):
    """The receiver did not accept a webhook. The text contains no secret."""


class Sender:
    """Sends webhooks, one at a time. With *loopback*, http:// may address this machine.

    One thread uses the object; any thread may call :meth:`abort`.
    """

    def __init__(self, loopback: bool, seconds: float = SECONDS) -> None:
        self._loopback = loopback
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: Optional[socket.socket] = None
        self._aborted = False

    def send(self, address: Optional[str], headers: Optional[str], body: str) -> int:
        """Send *body* to *address* with *headers* (JSON text), and return the status, a 2xx.

        Raise :exc:`SendingError` otherwise.
        """
        try:
            target = read_target(address, loopback=self._loopback)
        except TargetError as error:
            raise SendingError(f"the attribute 'webhook_url' is invalid: {error}") from None
        try:
            given = read_headers(headers)
        except TargetError as error:
            raise SendingError(f"the attribute 'headers' is invalid: {error}") from None
        status = self._status(target, given, body)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return status
        hint = "; redirects are not followed" if status in _REDIRECTS else ""
        raise SendingError(f"the receiver answered with the status {status}{hint}")

    def abort(self) -> None:
        """End a running :meth:`send` at once, and refuse further ones."""
        with self._lock:
            self._aborted = True
            running = self._socket
        if running is not None:
            try:
                running.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not connected yet, or closed already

    def _status(self, target: Target, given: Mapping[str, str], body: str) -> int:
        names = {name.lower() for name in given}
        own = {name: value for name, value in _HEADERS.items() if name.lower() not in names}
        deadline = time.monotonic() + self._seconds
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.default_port = 443 if target.encrypted else 80
        try:
            connection.sock = self._open(target, deadline)
            connection.request("POST", target.path, body.encode("utf-8"), {**own, **given})
            return connection.getresponse().status
        except ssl.SSLCertVerificationError as error:
            raise SendingError(f"the certificate is not valid: {error.verify_message}") from None
        except (socket.timeout, TimeoutError):
            raise SendingError(f"no answer within {self._seconds:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SendingError(_in_words(error)) from None
        finally:
            with self._lock:
                self._socket = None
            connection.close()

    def _open(self, target: Target, deadline: float) -> Any:
        """Return a connection to *target* that ends at *deadline*; try its IP addresses in turn."""
        failure: Optional[OSError] = None
        for family, address in self._addresses(target):
            plain = socket.socket(family, socket.SOCK_STREAM)
            self._keep(plain)
            try:
                plain.settimeout(_left(deadline))
                plain.connect(address)
                return _BoundedSocket(self._encrypted(plain, target, deadline), deadline)
            except ssl.SSLError:
                plain.close()
                raise
            except OSError as error:
                plain.close()
                failure = error
        raise failure or SendingError(refusal_of(target))

    def _addresses(self, target: Target) -> list[tuple[int, Any]]:
        """Return family and address of each IP address of *target* that webhooks may use."""
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        return [
            (family, address)
            for family, _, _, _, address in found
            if may_connect(_ip_address(str(address[0])), encrypted=target.encrypted)
        ]

    def _encrypted(self, plain: socket.socket, target: Target, deadline: float) -> socket.socket:
        if not target.encrypted:
            return plain
        plain.settimeout(_left(deadline))
        wrapped = self._context.wrap_socket(plain, server_hostname=target.host)
        self._keep(wrapped)
        return wrapped

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _keep(self, opened: socket.socket) -> None:
        """Remember *opened* for :meth:`abort`."""
        with self._lock:
            if self._aborted:
                opened.close()
                raise SendingError("the sandbox is stopping")
            self._socket = opened


class _BoundedSocket:
    """The parts of a socket that ``http.client`` uses, with an end for all of them together.

    The timeout of a socket applies to each call, so that a receiver could answer a byte at a time
    without an end.
    """

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._plain = plain
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send *data*."""
        self._plain.settimeout(_left(self._deadline))
        self._plain.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a stream that reads from the socket."""
        return io.BufferedReader(_Stream(self._plain, self._deadline))

    def close(self) -> None:
        """Close the socket."""
        self._plain.close()


class _Stream(io.RawIOBase):
    """Reads from a socket until a deadline."""

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._plain = plain
        self._deadline = deadline

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into *buffer*, and return the number of bytes."""
        self._plain.settimeout(_left(self._deadline))
        return self._plain.recv_into(buffer)


def _left(deadline: float) -> float:
    """Return the seconds until *deadline*; raise :exc:`TimeoutError` if none are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _ip_address(text: str) -> Any:
    return ipaddress.ip_address(text.partition("%")[0])


def _in_words(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host is unknown ({error.strerror})"
    if isinstance(error, ssl.SSLError):
        return f"the encryption failed ({error.reason})"
    if isinstance(error, OSError):
        return f"the connection failed ({error.strerror or type(error).__name__})"
    if isinstance(error, http.client.HTTPException):
        return f"the answer is not HTTP ({type(error).__name__})"
    return "HTTP does not allow its address or headers"
