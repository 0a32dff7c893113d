"""Look up host names within a time limit.

``socket.getaddrinfo`` waits for name servers as long as the system configures, often half a
minute, and it cannot be cancelled. So it runs on a helper thread. If a lookup takes longer than
the limit, the thread continues, and the next attempt uses its result.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from typing import Optional

from urllib3.util.connection import allowed_gai_family

from ftrack_like._transport.connection_settings import is_this_machine

__all__ = ["SlowNameError", "forget_addresses", "look_up", "needs_lookup"]

#: The addresses of a host are reused for this many seconds.
KEPT = 60.0


class SlowNameError(socket.timeout):
    """A name server does not answer in time."""


class _Lookup:
    """The lookup of *host* and *port*. It runs on a separate thread."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._done = threading.Event()
        self._found: list[str] = []
        self._error: Optional[Exception] = None
        self._ended = 0.0
        threading.Thread(target=self._run, name="ftrack-name-lookup", daemon=True).start()

    @property
    def is_useful(self) -> bool:
        """Whether the lookup is running, or found addresses in the last :data:`KEPT` seconds."""
        if not self._done.is_set():
            return True
        return self._error is None and time.monotonic() - self._ended < KEPT

    def _run(self) -> None:
        try:
            family = allowed_gai_family()
            found = socket.getaddrinfo(self._host, self._port, family, socket.SOCK_STREAM)
            self._found = list(dict.fromkeys(str(each[4][0]) for each in found))
        except Exception as error:
            self._error = error
        self._ended = time.monotonic()
        self._done.set()

    def wait(self, seconds: float) -> list[str]:
        """Return the addresses; raise as :func:`look_up` does."""
        if not self._done.wait(max(seconds, 0.0)):
            raise SlowNameError(
                f"the host name {self._host!r} was not resolved within {seconds:.3g} s"
            )
        if self._error is not None:
            raise self._error
        return self._found


class _Lookups:
    """The lookups of this process."""

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """Start without lookups. A forked process does not have their threads."""
        self._lock = threading.RLock()  # A signal handler may make a call inside a call.
        self._by_host: dict[tuple[str, int], _Lookup] = {}

    def get(self, host: str, port: int) -> _Lookup:
        """Return the useful lookup of *host*, or start a new lookup."""
        with self._lock:
            known = self._by_host.get((host, port))
            if known is None or not known.is_useful:
                known = self._by_host[host, port] = _Lookup(host, port)
            return known

    def forget(self, host: str, port: int) -> None:
        """Forget the addresses of *host*, so that the next call looks them up again."""
        with self._lock:
            self._by_host.pop((host, port), None)


_lookups = _Lookups()


def needs_lookup(host: str) -> bool:
    """Return whether *host* needs a name server: it is not an IP address or this machine."""
    if is_this_machine(host):
        return False
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False


def look_up(host: str, port: int, seconds: float) -> list[str]:
    """Return the IP addresses of *host* without duplicates.

    Raise :class:`SlowNameError` after *seconds*, and the errors of ``socket.getaddrinfo``.
    """
    return _lookups.get(host, port).wait(seconds)


def forget_addresses(host: str, port: int) -> None:
    """Forget the addresses of *host*, because none of these works."""
    _lookups.forget(host, port)
