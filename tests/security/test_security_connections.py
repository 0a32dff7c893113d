"""Connections that keep others out: half-sent, idle, slow and too many."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Optional

import pytest
import requests

from ftrack_like.sandbox.network.connections import Connections
from ftrack_like.sandbox.network.settings import Network

from .conftest import Server, eventually, read_all

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems have only one loopback address"
)

HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Never: end"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\nX-Never: end\r\n\r\n{"
CROWD = 1100


@pytest.fixture(autouse=True)
def _many_files() -> None:
    """Let this process open the connections of an attacker."""
    import resource  # lazy: Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4 * CROWD:
        pytest.skip("the system allows too few open files")
    if soft != resource.RLIM_INFINITY and soft < 4 * CROWD:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4 * CROWD, hard))


def crowd(
    server: Server, stack: contextlib.ExitStack, sent: bytes, count: int = CROWD
) -> list[Any]:
    """Return *count* connections from 127.0.0.1 that sent so much."""
    opened = []
    for _ in range(count):
        connection = stack.enter_context(server.connect("127.0.0.1"))
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        opened.append(connection)
    return opened


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server closed *connection*; what it said before is read."""
    connection.settimeout(0.01)
    try:
        return not connection.recv(65536)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "sent",
    [b"", GET, HALF, BODY],
    ids=["idle", "between requests", "half a header", "half a body"],
)
def test_crowd_from_one_address_keeps_no_other_out(
    start_server: Callable[..., Server], connections: contextlib.ExitStack, sent: bytes
) -> None:
    """While one address holds 1,100 connections, another is answered within two seconds."""
    server = start_server()
    crowd(server, connections, sent)
    quickest = min(server.ask("127.0.0.2") for _ in range(3))
    assert quickest < 2


def test_few_file_descriptors_suffice_for_others(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """Where the system allows 1,024 open files, a crowd takes no others' places."""
    server = start_server(prefix=["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh"])
    crowd(server, connections, HALF)
    assert min(server.ask("127.0.0.2") for _ in range(3)) < 2


def test_the_same_address_is_served_beside_its_idle_connections(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """A new request closes the connection that waited longest, beyond the limit of an address."""
    server = start_server("--max-connections-per-address", "20")
    opened = crowd(server, connections, HALF, 20)
    server.ask("127.0.0.1")
    eventually(lambda: is_closed(opened[0]))
    assert not is_closed(opened[-1])


def test_busy_connections_are_not_closed_for_others(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """A websocket keeps its place; a connection beyond the limit is refused in words."""
    server = start_server("--max-connections-per-address", "3")
    sockets = [open_websocket(server, connections) for _ in range(3)]
    late = connections.enter_context(server.connect("127.0.0.1"))
    answer = read_all(late)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Too many connections" in answer
    assert not any(map(is_closed, sockets))
    server.ask("127.0.0.2")


@pytest.mark.parametrize("sent", [b"", HALF], ids=["nothing", "half a header"])
def test_headers_must_come_in_time(
    start_server: Callable[..., Server], connections: contextlib.ExitStack, sent: bytes
) -> None:
    """A connection without a whole request is closed after the header time-out."""
    server = start_server("--header-timeout", "0.5")
    (silent,) = crowd(server, connections, sent, 1)
    silent.settimeout(60)
    assert read_all(silent) == b""


def test_dripping_headers_do_not_extend_the_time(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """A header that comes byte by byte gets no more time than others."""
    server = start_server("--header-timeout", "0.5")
    (slow,) = crowd(server, connections, HALF, 1)

    def drip() -> bool:
        with contextlib.suppress(ConnectionError):
            slow.sendall(b"x")
        return is_closed(slow)

    eventually(drip)


def test_second_request_must_come_in_time_as_well(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """A kept connection that sends half of its next request is closed."""
    server = start_server("--header-timeout", "0.5")
    connection = connections.enter_context(server.connect())
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + HALF)
    connection.settimeout(60)
    assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_idle_connections_outlast_the_time_for_headers(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """A kept connection waits for its next request longer than headers may take."""
    server = start_server("--header-timeout", "0.5")
    idle = connections.enter_context(
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60))
    )
    idle.request("GET", "/")
    assert idle.getresponse().read()
    opened = idle.sock
    (silent,) = crowd(server, connections, HALF, 1)
    silent.settimeout(60)
    assert read_all(silent) == b""
    idle.request("GET", "/")
    assert idle.getresponse().read()
    assert idle.sock is opened


def test_idle_connections_are_closed(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """A kept connection is closed after the idle time-out."""
    server = start_server("--idle-timeout", "0.3", "--header-timeout", "600")
    connection = connections.enter_context(server.connect())
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    connection.settimeout(60)
    assert read_all(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("is_dripping", [False, True], ids=["stalled", "byte by byte"])
def test_bodies_must_go_on(
    start_server: Callable[..., Server], connections: contextlib.ExitStack, is_dripping: bool
) -> None:
    """A body that stalls, or comes at a few bytes a second, is cut off."""
    server = start_server("--transfer-timeout", "0.5")
    head = "".join(f"{name}: {value}\r\n" for name, value in server.headers.items()).encode()
    (slow,) = crowd(server, connections, BODY.replace(b"X-Never: end\r\n", head), 1)

    def drip() -> bool:
        if is_dripping:
            with contextlib.suppress(ConnectionError):
                slow.sendall(b" ")
        return is_closed(slow)

    eventually(drip)


def test_answers_must_be_read(
    start_server: Callable[..., Server], connections: contextlib.ExitStack
) -> None:
    """A client that does not read its answer is cut off, also after the server is done with it."""
    server = start_server("--transfer-timeout", "0.5")
    connection = connections.enter_context(server.connect())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = b'[{"action": "query_schemas"}' + b', {"action": "query_schemas"}' * 40 + b"]"
    head = "".join(f"{name}: {value}\r\n" for name, value in server.headers.items()).encode()
    connection.sendall(
        b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%s\r\n%s"
        % (len(body), head, body)
    )

    # The other end is gone as soon as writing fails; reading would make the answer go on.
    def is_cut_off() -> bool:
        try:
            connection.sendall(b"x")
        except ConnectionError:
            return True
        return False

    eventually(is_cut_off)


def test_slow_but_steady_readers_get_everything(start_server: Callable[..., Server]) -> None:
    """An answer that takes longer than each time-out arrives whole if its reader goes on."""
    server = start_server(
        "--transfer-timeout", "1", "--header-timeout", "0.5", "--idle-timeout", "0.5"
    )
    body = [{"action": "query_schemas"}] * 40
    answer = requests.post(
        f"{server.url}/api", json=body, headers=server.headers, stream=True, timeout=60
    )
    size = 0
    pause = threading.Event()
    for chunk in answer.iter_content(65536):
        size += len(chunk)
        pause.wait(0.01)
    assert size == int(answer.headers["Content-Length"])


def open_websocket(
    server: Server, stack: contextlib.ExitStack, session: Optional[str] = None
) -> socket.socket:
    """Return an open websocket of the administrator."""
    if session is None:
        answer = requests.get(f"{server.url}/socket.io/1/", headers=server.headers, timeout=30)
        session = answer.text.split(":")[0]
    opened = stack.enter_context(server.connect())
    opened.sendall(
        b"GET /socket.io/1/websocket/%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
        % (session.encode(), base64.b64encode(os.urandom(16)))
    )
    assert opened.recv(12).startswith(b"HTTP/1.1 101")
    return opened


class Peer:
    """A connection without a network."""

    def __init__(self, address: str, since: Optional[float] = None, file_number: int = 3) -> None:
        self.address = address
        self.waiting_since = since
        self.file_number = file_number
        self.is_refused = self.is_aborted = False

    def is_overdue(self) -> bool:
        return False

    def refuse(self) -> None:
        self.is_refused = True

    def abort(self) -> None:
        self.is_aborted = True


def test_the_crowded_address_gives_way() -> None:
    """At the limit in total the address with most connections loses the one that waited longest."""
    known = Connections(Network(connections=3))
    old, new, single = Peer("10.0.0.1", 5.0), Peer("10.0.0.1", 6.0), Peer("10.0.0.2", 1.0)
    for one in (new, old, single):
        assert known.admit(one)
    assert known.admit(Peer("10.0.0.3", 9.0))
    assert (old.is_aborted, new.is_aborted, single.is_aborted) == (True, False, False)
    assert len(known) == 3


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    """A client cannot get around the limit by the many addresses of its network."""
    known = Connections(Network(connections_per_address=2))
    assert known.admit(Peer("2001:db8:1:2::1"))
    assert known.admit(Peer("2001:db8:1:2:ffff::2"))
    refused = Peer("2001:db8:1:2::3")
    assert not known.admit(refused)
    assert refused.is_refused
    assert known.admit(Peer("2001:db8:1:3::1"))


def test_trusted_proxies_have_no_limit_of_their_own() -> None:
    """Behind a trusted proxy all clients share its address."""
    known = Connections(Network(connections_per_address=1, trusted_proxies=("10.0.0.0/24",)))
    assert all(known.admit(Peer("10.0.0.9")) for _ in range(5))


def test_file_descriptors_are_kept_for_other_work() -> None:
    """A connection with a high file descriptor takes the place of another."""
    known = Connections(Network(), files=1024)
    first = Peer("10.0.0.1", 1.0)
    assert known.admit(first)
    assert known.admit(Peer("10.0.0.2", 2.0, file_number=1000))
    assert first.is_aborted
