"""Count requests and bytes at the sockets of this process, for any client in it.

The counts include the headers. They do not depend on the load of the machine. A client is not
asked for them, so two clients are counted alike.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Callable

Counts = dict[str, int]

#: The methods of a socket that send or receive, the counter of each, and the number of bytes that
#: a call moved, from its result and its first argument.
METHODS: dict[str, tuple[str, Callable[[Any, Any], int]]] = {
    "send": ("sent", lambda result, data: result),
    "sendall": ("sent", lambda result, data: memoryview(data).nbytes),
    "recv": ("received", lambda result, size: len(result)),
    "recv_into": ("received", lambda result, buffer: result),
}


class Wire:
    """The requests and bytes that this process exchanges with the server at *port*.

    The bytes of all other connections count as those of the cache: a worker has no others.
    """

    def __init__(self, port: int) -> None:
        """Count from now on, in all threads, until the process ends."""
        self._port = port
        self._phase = ""
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {}
        for name, (counter, size) in METHODS.items():
            self._count_bytes(name, counter, size)
        self._count_requests()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what the block does under *name*."""
        self._phase = name
        try:
            yield
        finally:
            self._phase = ""

    def counts(self) -> dict[str, Counts]:
        """Return ``{phase: {counter: number}}``, without what was counted between phases."""
        with self._lock:
            return {phase: dict(found) for phase, found in self._counts.items() if phase}

    def _add(self, counter: str, number: int) -> None:
        """Add *number* to *counter* in the present phase."""
        with self._lock:
            self._counts.setdefault(self._phase, Counter())[counter] += number

    def _count_bytes(self, name: str, counter: str, size: Callable[[Any, Any], int]) -> None:
        """Let the method *name* of all sockets add the bytes that it moved."""
        original = getattr(socket.socket, name)

        def counted(connection: socket.socket, first: Any, *others: Any) -> Any:
            result = original(connection, first, *others)
            moved = size(result, first)
            if moved:
                with contextlib.suppress(OSError):  # The other end may have closed by now.
                    is_server = connection.getpeername()[1] == self._port
                    self._add(counter if is_server else f"cache_{counter}", moved)
            return result

        setattr(socket.socket, name, counted)

    def _count_requests(self) -> None:
        """Count the HTTP requests that begin, retries included."""
        original = http.client.HTTPConnection.putrequest

        def counted(connection: http.client.HTTPConnection, *values: Any, **named: Any) -> None:
            self._add("requests", 1)
            original(connection, *values, **named)

        http.client.HTTPConnection.putrequest = counted  # type: ignore[method-assign]
