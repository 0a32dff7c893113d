"""Sending one webhook: certificates, IP addresses, time limits, and answers that are not HTTP."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.webhooks.sending import Sender, SendingError

#: Starts a server that runs a function with each connection, and returns the port.
Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return the function that starts a server."""
    listeners: list[socket.socket] = []

    def start(answer: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        answer(connection)
                    except OSError:
                        pass  # the sender has closed the connection

        threading.Thread(target=accept, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for one in listeners:
        one.shutdown(socket.SHUT_RDWR)  # wakes the thread
        one.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return the path of a certificate for 127.0.0.1 that signs itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    path = tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{path}.key", "-out", str(path)]
    subprocess.run([*command.split(), *extra], check=True, capture_output=True, timeout=60)
    return path


@pytest.fixture
def encrypted(receivers: Any, certificate: Path) -> Any:
    """Return a receiver with TLS."""
    started = receivers()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, f"{certificate}.key")
    started.server.socket = context.wrap_socket(started.server.socket, server_side=True)
    started.url = started.url.replace("http:", "https:")
    return started


def failure(sender: Sender, address: str, headers: str = "{}") -> str:
    """Return the text of the error that *sender* raises for *address*."""
    with pytest.raises(SendingError) as caught:
        sender.send(address, headers, "{}")
    return str(caught.value)


def test_https(encrypted: Any, certificate: Path, monkeypatch: Any) -> None:
    """A webhook is sent over https if the certificate of the receiver is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert Sender(False).send(encrypted.url, '{"X-Token": "a"}', '{"id": "1"}') == 204
    (call,) = encrypted.wait()
    assert (call.body, call.headers["X-Token"]) == ({"id": "1"}, "a")
    assert call.headers["Host"] == f"127.0.0.1:{encrypted.port}"


def test_unknown_certificate(encrypted: Any) -> None:
    """A receiver with an unknown certificate gets nothing."""
    assert "certificate is not valid" in failure(Sender(False), encrypted.url)
    assert not encrypted.calls


def test_https_to_a_plain_receiver(receiver: Any) -> None:
    """A receiver without encryption gets nothing over https."""
    address = receiver.url.replace("http:", "https:")
    assert "the encryption failed" in failure(Sender(False), address)


def test_http_is_only_for_this_machine(receiver: Any, monkeypatch: Any) -> None:
    """A name that resolves to another machine is refused when the connection is made."""
    found: list[Any] = []

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        found.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    address = f"http://receiver.test:{receiver.port}/secret-path"
    text = failure(Sender(True), address)
    assert text == "receiver.test is not this machine, and http:// is only for this machine"
    assert found == ["receiver.test"]


def test_the_checked_address_is_used(receiver: Any, monkeypatch: Any) -> None:
    """The name is resolved once, and of its addresses only those of this machine are used."""
    answers = [[("10.0.0.7", receiver.port), ("127.0.0.1", receiver.port)]]

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", one) for one in answers.pop()]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert Sender(True).send(f"http://receiver.test:{receiver.port}", None, "{}") == 204
    assert receiver.wait()[0].headers["Host"] == f"receiver.test:{receiver.port}"


def test_http_without_the_option(receiver: Any) -> None:
    """An address that an earlier start permitted is refused if the option is missing now."""
    assert "must begin with https://" in failure(Sender(False), receiver.url)
    assert not receiver.calls


def test_proxies_are_not_used(receiver: Any, monkeypatch: Any) -> None:
    """The proxies of the environment do not change where webhooks go."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert Sender(True).send(receiver.url, None, "{}") == 204


def test_refused_connection() -> None:
    """A port without a server is a failure with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "the connection failed" in failure(Sender(True), f"http://127.0.0.1:{port}/secret-path")


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 99_999],
)
def test_answers_that_are_not_http(answer: bytes, serve: Serve) -> None:
    """A server of another protocol is a failure."""

    def send(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    text = failure(Sender(True), f"http://127.0.0.1:{serve(send)}/secret-path")
    assert "not HTTP" in text or "connection failed" in text
    assert "secret" not in text


def test_the_body_of_the_answer_is_not_read(serve: Serve) -> None:
    """An endless answer counts as soon as its status is there."""

    def send(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    assert Sender(True).send(f"http://127.0.0.1:{serve(send)}/", None, "{}") == 200


def test_time_limit_for_slow_answers(serve: Serve) -> None:
    """A receiver that answers a byte at a time does not extend the time limit."""
    ended = threading.Event()

    def send(connection: socket.socket) -> None:
        connection.recv(65536)
        try:
            while not ended.wait(0.02):
                connection.sendall(b"H")
        finally:
            ended.set()

    began = time.monotonic()
    text = failure(Sender(True, seconds=0.5), f"http://127.0.0.1:{serve(send)}/")
    assert text == "no answer within 0.5 s"
    assert time.monotonic() - began >= 0.5
    assert ended.wait(30)


def test_abort(receivers: Any) -> None:
    """Another thread ends a delivery at once, and later ones are refused."""
    hanging = receivers(0)
    sender = Sender(True)
    errors: list[str] = []
    thread = threading.Thread(target=lambda: errors.append(failure(sender, hanging.url)))
    thread.start()
    hanging.wait()
    sender.abort()
    thread.join(15)  # the time limit is 20 s
    assert not thread.is_alive()
    assert len(errors) == 1
    assert failure(sender, hanging.url) == "the sandbox is stopping"


def test_malformed_rows(receiver: Any) -> None:
    """Rows of older versions with malformed values are failures that show no value."""
    assert failure(Sender(True), receiver.url, "[secret]").startswith("the attribute 'headers'")
    assert failure(Sender(True), "secret").startswith("the attribute 'webhook_url'")
    assert "secret" not in failure(Sender(True), receiver.url, "[secret]")
