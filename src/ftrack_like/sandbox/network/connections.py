"""The open connections of the server, with limits in total and for each address.

When a limit is reached, the server closes the connection whose client has kept it waiting longest,
and accepts the new one. So half-sent requests and idle connections do not lock out other clients.
If all connections are busy, the server refuses the new one. If the total limit is reached, the
address with the most connections must make room first, so that a single client cannot take all
places.
"""

from __future__ import annotations

import collections
import ipaddress
import logging
from collections.abc import Iterable
from typing import Optional, Protocol

from ftrack_like.sandbox.network.peer import group_of
from ftrack_like.sandbox.network.settings import Network

__all__ = ["Connections", "Watched", "most_files"]

_LOGGER = logging.getLogger(__name__)

#: File descriptors that are reserved for other uses: the database, uploads, child processes, and
#: connections that the event loop accepts at once before it announces the first.
_SPARE_FILES = 256


class Watched(Protocol):
    """A connection that the server watches."""

    @property
    def address(self) -> str:
        """Return the IP address of the other side."""

    @property
    def client(self) -> Optional[tuple[str, int]]:
        """Return address and port of the other side, None if they are unknown."""

    @property
    def file_number(self) -> int:
        """Return the file descriptor, -1 if there is none."""

    @property
    def waiting_since(self) -> Optional[float]:
        """Return the time since which the server waits for the client, None while it is busy."""

    def is_overdue(self) -> bool:
        """Return whether a time limit is exceeded."""

    def refuse(self) -> None:
        """Answer that the server is full, and close."""

    def hang_up(self) -> None:
        """Close after the data that were sent."""

    def abort(self) -> None:
        """Close without waiting for the other side."""


class Connections:
    """All connections of a server. Use it on the thread of the event loop."""

    def __init__(self, network: Network, files: Optional[int] = None) -> None:
        """Begin without connections.

        *files* is the maximum number of open file descriptors, None for no limit.
        """
        self._limit = network.connections
        self._limit_per_address = network.connections_per_address
        self._proxies = [ipaddress.ip_network(one) for one in network.trusted_proxies]
        self._highest_file: Optional[int] = None
        if files is not None:
            usable = files - min(_SPARE_FILES, files // 4)
            self._highest_file = usable
            # If the system allows few descriptors, a single address must leave room for others.
            self._limit_per_address = min(self._limit_per_address, max(1, usable * 3 // 4))
        self._by_address: dict[str, dict[Watched, None]] = collections.defaultdict(dict)
        self._count = 0

    def __len__(self) -> int:
        """Return the number of open connections."""
        return self._count

    def admit(self, connection: Watched) -> bool:
        """Add *connection*, or refuse it and return False."""
        group = group_of(connection.address)
        own = self._by_address[group]
        crowded: Optional[list[dict[Watched, None]]] = None
        if len(own) >= self._limit_per_address and not self._is_proxy(connection.address):
            crowded = [own]
        elif self._is_full(connection):
            crowded = sorted(self._by_address.values(), key=len, reverse=True)
        if crowded is not None and not any(self._make_room(one) for one in crowded):
            _LOGGER.warning(
                "Refused a connection from %s: %d are open, %d of them from this address.",
                connection.address,
                self._count,
                len(own),
            )
            connection.refuse()
            self._tidy(group)
            return False
        self._by_address[group][connection] = None
        self._count += 1
        return True

    def remove(self, connection: Watched) -> None:
        """Remove *connection*, if it is not removed yet."""
        group = group_of(connection.address)
        if connection in self._by_address[group]:
            del self._by_address[group][connection]
            self._count -= 1
        self._tidy(group)

    def find(self, client: Optional[tuple[str, int]]) -> Optional[Watched]:
        """Return the connection of *client*, its address and port; None if there is none."""
        own = self._by_address.get(group_of(client[0]), {}) if client else {}
        return next((one for one in own if one.client == client), None)

    def abort_all(self) -> None:
        """Close all connections without waiting for the other sides."""
        for group in list(self._by_address.values()):
            for connection in list(group):
                connection.abort()

    def close_overdue(self) -> None:
        """Close the connections that exceed a time limit; call this every second."""
        for group in list(self._by_address.values()):
            for connection in list(group):
                if connection.is_overdue():
                    connection.abort()
                    self.remove(connection)

    def _is_full(self, connection: Watched) -> bool:
        highest = self._highest_file
        # The system gives out the lowest free number, so a high number means that few are left.
        return self._count >= self._limit or (
            highest is not None and connection.file_number >= highest
        )

    def _make_room(self, group: Iterable[Watched]) -> bool:
        """Close the connection of *group* that has waited longest; return False if all are busy."""
        waiting = [(since, one) for one in group if (since := one.waiting_since) is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda pair: pair[0])
        longest.abort()
        self.remove(longest)
        return True

    def _is_proxy(self, address: str) -> bool:
        if not self._proxies:
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._proxies)

    def _tidy(self, group: str) -> None:
        if not self._by_address[group]:
            del self._by_address[group]


def most_files() -> Optional[int]:
    """Return the maximum number of file descriptors of this process, None for no limit."""
    try:
        import resource  # lazy: Windows has no such module
    except ImportError:
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft
