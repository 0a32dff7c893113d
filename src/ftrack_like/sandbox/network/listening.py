"""The socket on which the server listens, for one process or for several that share it."""

from __future__ import annotations

import socket

__all__ = ["SharedListener", "open_listener"]

#: Bytes that a connection may receive before the server reads them.
_RECEIVED = 64 * 1024

#: The number of connections that the system may queue until they are accepted.
_QUEUED = 2048


class SharedListener(socket.socket):
    """A socket that already listens, and that several processes accept connections from."""

    def listen(self, backlog: int = _QUEUED, /) -> None:
        """Do nothing: a shorter queue, even for a moment, would drop connections of all."""


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *host* and *port*; port 0 picks a free one.

    Raise :exc:`OSError` if the address is in use or does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_QUEUED)
    except OSError as error:
        raise OSError(
            error.errno,
            f"The sandbox cannot listen on {host}:{port}: {error.strerror}. "
            f"Choose another port; 0 picks a free one.",
        ) from error
    # Accepted connections inherit this option. asyncio sets it only on sockets that name their
    # protocol, which these do not. Without it, an answer in two pieces waits 40 ms for an
    # acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The server reads data as soon as they arrive. A longer queue would only take more memory,
    # several times for each part of an upload.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
    return listener
