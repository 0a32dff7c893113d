"""TLS, proxies, headers and cookies: one setting for the handshake and the websocket."""

from __future__ import annotations

import pathlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.base import Event


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a folder with a certificate for 127.0.0.1 that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def secure_url(serve_events: Any, certificate: pathlib.Path) -> str:
    """Return the address of an event server with TLS."""
    server, _ = serve_events(
        ssl_certfile=str(certificate / "certificate.pem"), ssl_keyfile=str(certificate / "key.pem")
    )
    return f"https://127.0.0.1:{server.port}"


def test_unknown_certificate_is_refused(secure_url: str, make_hub: Any) -> None:
    """Without anything said, a certificate that nobody vouches for is refused."""
    with pytest.raises(exception.EventHubConnectionError, match="certificate verify failed"):
        make_hub(secure_url)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("setting", ["argument", "environment", "off"])
def test_certificate_is_trusted_as_told(
    setting: str,
    secure_url: str,
    make_hub: Any,
    in_background: Any,
    certificate: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A CA bundle from argument or environment counts for handshake and websocket alike."""
    bundle = str(certificate / "certificate.pem")
    verify: Any = {"argument": bundle, "environment": None, "off": False}[setting]
    if setting == "environment":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    hub = make_hub(secure_url, verify=verify)
    assert hub.secure
    hub.subscribe("topic=secret", lambda event: "kept")
    in_background(hub)
    reply = hub.publish_and_wait(Event("secret"))
    assert reply["data"] == "kept"


def test_settings_that_make_no_sense_are_told_in_words(make_hub: Any) -> None:
    """A CA bundle that is not there is an error that names it."""
    with pytest.raises(exception.EventHubConnectionError, match="there is no file '/no/such'"):
        make_hub("https://127.0.0.1:1", verify="/no/such")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_closing_a_secure_connection_is_quick(secure_url: str, make_hub: Any, until: Any) -> None:
    """With TLS, too, closing waits for nobody."""
    import time

    others = {*threading.enumerate()}
    hub = make_hub(secure_url, verify=False)
    begin = time.monotonic()
    hub.close()
    assert time.monotonic() - begin < 1
    own = [each for each in threading.enumerate() if each.name == "ftrack-event-hub"]
    until(lambda: not any(each.is_alive() for each in own if each not in others), timeout=60)


class HttpProxy:
    """An HTTP proxy that forwards to one port, whatever host it is asked for."""

    def __init__(self, port: int) -> None:
        self.requests: list[str] = []
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://jane:secret@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept nothing more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = client.recv(4096)
            if not received:
                client.close()
                return
            head += received
        self.requests.append(head.decode("latin-1"))
        server = socket.create_connection(("127.0.0.1", self._port))
        if head.startswith(b"CONNECT"):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            head = client.recv(65536)
            self.requests.append(head.decode("latin-1"))
            server.sendall(head)
        else:
            server.sendall(head.replace(b"http://studio.invalid", b"", 1))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            return
        finally:
            sink.close()


@pytest.fixture
def proxy(event_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpProxy]:
    """Return a proxy to the event server, and an environment without any."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    opened = HttpProxy(event_server.port)
    yield opened
    opened.close()


@pytest.mark.parametrize("setting", ["argument", "environment"])
def test_proxy_serves_handshake_and_websocket(
    setting: str, proxy: HttpProxy, make_hub: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """A proxy from argument or environment is used for both, with its credentials."""
    elsewhere = "http://127.0.0.1:1"  # what an argument must win over
    monkeypatch.setenv("http_proxy", proxy.url if setting == "environment" else elsewhere)
    hub = make_hub(
        "http://studio.invalid", proxies={"http": proxy.url} if setting == "argument" else None
    )
    assert [request.split()[0] for request in proxy.requests] == ["GET", "CONNECT", "GET"]
    assert "studio.invalid:80" in proxy.requests[1].splitlines()[0]
    for request in proxy.requests[:2]:
        assert "proxy-authorization: basic amfuztpzzwnyzxq=" in request.lower()
    hub.publish(Event("a"))
    until(lambda: hub._courier.waiting == 0)


def test_proxy_is_passed_by_where_the_environment_says_so(
    proxy: HttpProxy, event_server: Any, make_hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """no_proxy counts for the websocket, too."""
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert make_hub(event_server.url).connected
    assert proxy.requests == []


def test_headers_and_cookies_go_with_handshake_and_websocket(
    proxy: HttpProxy, make_hub: Any
) -> None:
    """A studio's own headers and cookies are sent with both requests, the key with the first."""
    hub = make_hub(
        "http://studio.invalid",
        proxies={"http": proxy.url},
        headers={"x-studio": "one"},
        cookies={"gate": "open"},
    )
    handshake, websocket = proxy.requests[0].lower(), proxy.requests[2].lower()
    for request in (handshake, websocket):
        assert "x-studio: one" in request
        assert "cookie: gate=open" in request
    assert "upgrade: websocket" in websocket
    assert f"ftrack-api-key: {hub._api_key}" in handshake
    assert "ftrack-user: user" in handshake
