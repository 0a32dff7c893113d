"""Name servers that are slow, wrong or gone, and processes without a free file."""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import websocket

from ftrack_like import exception
from ftrack_like._transport import names
from ftrack_like._transport.connection_settings import ConnectionSettings
from ftrack_like._transport.limits import RequestDeadline, limited
from ftrack_like.event.handshake import SocketIoSession
from ftrack_like.event.hub import EventHub
from ftrack_like.event.websockets import close_websocket, open_websocket

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class NameServer:
    """Answers ``socket.getaddrinfo`` for the host ``studio.example``.

    It waits until :attr:`free` is set. *addresses* are what it answers.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.addresses = ["127.0.0.1"]
        self.threads: list[str] = []
        self._original = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host != "studio.example":
            return self._original(host, port, *arguments, **options)
        self.threads.append(threading.current_thread().name)
        self.free.wait()
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in self.addresses]


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Return a name server; what others looked up is forgotten."""
    made = NameServer(monkeypatch)
    yield made
    made.free.set()


def address_of(server: Any) -> str:
    """Return the address of *server* by its name."""
    return str(server.url.replace("127.0.0.1", "studio.example"))


def test_a_name_is_looked_up_once(server: Any, open_session: Any, name_server: NameServer) -> None:
    """New connections use the addresses that are known, and no thread of the program waits."""
    session = open_session(address_of(server))
    session._request.close()
    assert session.query("Task").all() == []
    assert name_server.threads == ["ftrack-name-lookup"]


def test_addresses_need_no_thread(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address, and this machine, are not looked up on a thread."""
    monkeypatch.setattr(names, "look_up", None)
    open_session(server)
    assert [names.needs_lookup(host) for host in ("localhost", "[::1]", "10.0.0.1", "::1")] == [
        False
    ] * 4
    assert names.needs_lookup("studio")


def test_slow_name_server_ends_at_the_deadline(
    server: Any, open_session: Any, name_server: NameServer
) -> None:
    """A name server that does not answer fails the start in time, and the error names the host."""
    name_server.free.clear()
    begun = time.monotonic()
    with pytest.raises(exception.ServerTimeoutError) as caught:
        open_session(address_of(server), timeout=60, deadline=0.3)
    assert time.monotonic() - begun < 10
    assert "'studio.example' was not resolved within" in str(caught.value)
    assert not caught.value.request_sent
    with pytest.raises(exception.ServerTimeoutError):
        open_session(address_of(server), timeout=0.1)
    assert len(name_server.threads) == 1
    name_server.free.set()
    assert open_session(address_of(server)).query("Task").all() == []
    assert len(name_server.threads) == 1


def test_each_address_is_tried(server: Any, open_session: Any, name_server: NameServer) -> None:
    """A host with several addresses is reached if one works."""
    name_server.addresses = ["127.0.0.2", "127.0.0.1"]
    assert open_session(address_of(server)).query("Task").all() == []


def test_addresses_that_do_not_work_are_looked_up_again(
    server: Any, open_session: Any, name_server: NameServer
) -> None:
    """A host that has moved is found."""
    name_server.addresses = ["127.0.0.2"]
    with pytest.raises(exception.ServerConnectionError, match="Nothing answers"):
        open_session(address_of(server))
    name_server.addresses = ["127.0.0.1"]
    assert open_session(address_of(server)).query("Task").all() == []


def test_unknown_names_are_named(server: Any, open_session: Any, name_server: NameServer) -> None:
    """A name that no server knows is an error that names it."""
    name_server.addresses = []
    with pytest.raises(exception.ServerConnectionError) as caught:
        open_session(address_of(server))
    assert "'studio.example' cannot be resolved" in str(caught.value)
    assert "Name or service not known" in str(caught.value)


# The event hub


class Upgrader:
    """Accepts websockets, after *context* if it is given, and keeps the text of each request."""

    def __init__(self, context: Optional[ssl.SSLContext] = None) -> None:
        self.requests: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                request = connection.recv(65536).decode()
                self.requests.append(request)
                (key,) = re.findall("Sec-WebSocket-Key: (.*)\r\n", request)
                digest = hashlib.sha1(
                    f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()
                ).digest()
                accept = base64.b64encode(digest).decode()
                connection.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
                )

    def close(self) -> None:
        """Accept no more websockets."""
        self._listener.close()


@pytest.fixture
def upgrader() -> Iterator[Upgrader]:
    """Return a server that accepts websockets."""
    made = Upgrader()
    yield made
    made.close()


def open_at(port: int, scheme: str = "ws", **settings: Any) -> Any:
    """Open a websocket to *port* of the host ``studio.example``."""
    address = f"{scheme}://studio.example:{port}/socket.io/1/websocket/1"
    with limited(RequestDeadline(settings.pop("deadline", 10.0))):
        return open_websocket(address, {}, {}, ConnectionSettings(**settings), 10.0)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.2", "127.0.0.1"]])
def test_a_websocket_uses_the_addresses_that_are_known(
    upgrader: Upgrader, name_server: NameServer, addresses: list[str]
) -> None:
    """A websocket looks a name up once, tries each address, and asks the server by its name."""
    name_server.addresses = addresses
    for _ in range(2):
        close_websocket(open_at(upgrader.port))
    assert name_server.threads == ["ftrack-name-lookup"]
    assert len(upgrader.requests) == 2
    for request in upgrader.requests:
        assert f"Host: studio.example:{upgrader.port}\r\n" in request
        assert f"Origin: http://studio.example:{upgrader.port}\r\n" in request


def test_an_encrypted_websocket_checks_the_certificate_for_the_name(
    name_server: NameServer, authority: Any
) -> None:
    """The certificate must be one for the name, not for the address."""
    asked: list[Any] = []
    context = authority.context()
    context.sni_callback = lambda connection, name, _: asked.append(name)
    made = Upgrader(context)
    try:
        with pytest.raises(ssl.SSLCertVerificationError, match=r"studio\.example"):
            open_at(made.port, "wss", verify=str(authority.file))
        assert asked == ["studio.example"]
        assert not made.requests
    finally:
        made.close()


def test_a_slow_name_server_ends_the_opening_of_a_websocket(
    upgrader: Upgrader, name_server: NameServer
) -> None:
    """A websocket to a name that is not looked up in time fails with an error that names it."""
    name_server.free.clear()
    begun = time.monotonic()
    with pytest.raises(OSError, match=r"'studio\.example' was not resolved within"):
        open_at(upgrader.port, deadline=0.2)
    assert time.monotonic() - begun < 10
    name_server.free.set()
    close_websocket(open_at(upgrader.port))
    assert len(name_server.threads) == 1


def test_a_hub_names_the_host_that_was_not_looked_up(
    upgrader: Upgrader, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub gives up at its deadline, and its error names the host."""
    name_server.free.clear()
    hub = EventHub(f"http://studio.example:{upgrader.port}", "jane", "key", deadline=0.2)
    session = SocketIoSession("1", 15, ["websocket"])
    monkeypatch.setattr(hub, "_get_socket_io_session", lambda: session)
    with pytest.raises(exception.EventHubConnectionError, match=r"'studio\.example' was not"):
        hub.connect()


def test_unknown_names_of_websockets(upgrader: Upgrader, name_server: NameServer) -> None:
    """A name that no server knows fails as with the websocket library."""
    name_server.addresses = []
    with pytest.raises(websocket.WebSocketAddressException, match="Name or service not known"):
        open_at(upgrader.port)


def test_the_name_of_a_proxy_is_looked_up_in_time(
    upgrader: Upgrader, name_server: NameServer
) -> None:
    """With a proxy, only its name is looked up, within the time limit."""
    name_server.free.clear()
    proxies = {"http": f"http://studio.example:{upgrader.port}"}
    with limited(RequestDeadline(0.2)), pytest.raises(OSError, match=r"'studio\.example' was not"):
        open_websocket("ws://far.example/", {}, {}, ConnectionSettings(proxies=proxies), 10.0)


# Open files


def take_files(taken: list[int]) -> None:
    """Open files until that fails, and add them to *taken*."""
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))


@pytest.fixture
def no_files(server: Any, open_session: Any) -> Iterator[Any]:
    """Return a running session without an open connection, whose process can open no file."""
    threads = set(threading.enumerate())
    session = open_session(server)
    session._request.close()
    while set(threading.enumerate()) - threads:
        time.sleep(0.01)  # The server is about to close its end, which is a file too.
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], 512), limits[1]))
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            take_files(taken)
        yield session
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.skipif(resource is None, reason="this system has no limit of open files")
@pytest.mark.parametrize("verb", ["query", "commit"])
def test_too_many_open_files_fail_at_once(
    no_files: Any, server: Any, caplog: pytest.LogCaptureFixture, verb: str
) -> None:
    """A process without a free file learns so at once, and what to do."""
    caplog.set_level(logging.WARNING)
    no_files.create("Task", {"name": "t"})
    action = no_files.commit if verb == "commit" else no_files.query("Task").all
    with pytest.raises(exception.ServerConnectionError) as caught:
        action()
    assert "too many open files" in str(caught.value)
    assert "ulimit -n" in str(caught.value)
    assert "Gave up" not in str(caught.value)
    assert "Repeating" not in caplog.text
    assert not no_files.in_doubt
