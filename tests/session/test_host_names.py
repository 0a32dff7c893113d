"""Name servers that are slow, wrong or gone, and processes without a free file."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like._transport import names

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
