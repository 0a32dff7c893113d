"""Encrypted connections: certificates are verified, and one's own can be named."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import requests

from ftrack_like import exception
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return the path of a certificate for 127.0.0.1 that nobody knows, with its key inside."""
    path = tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path) + ".key"]
    subprocess.run(
        [*command.split(), *extra, "-out", str(path)], check=True, capture_output=True, timeout=60
    )
    return path


@pytest.fixture
def encrypted(server: Any, certificate: Path) -> str:
    """Return the address of the canned server, which speaks TLS now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, str(certificate) + ".key")
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    return str(server.url.replace("http:", "https:"))


@needs_openssl
def test_plain_http_behind_https(server: Any, open_session: Any) -> None:
    """A server without encryption is not accused of its certificate."""
    with pytest.raises(exception.ServerConnectionError) as caught:
        open_session(server.url.replace("http://", "https://"))
    lines = str(caught.value).splitlines()
    assert "does not speak https" in lines[0]
    assert "http://" in lines[1]
    assert not server.requests


def test_unknown_certificates_are_refused(encrypted: str, open_session: Any, server: Any) -> None:
    """A certificate that cannot be verified ends the start, with the way out; no key was sent."""
    with pytest.raises(exception.ServerConnectionError) as caught:
        open_session(encrypted)
    assert isinstance(caught.value, requests.exceptions.ConnectionError)
    assert "certificate" in str(caught.value).splitlines()[0]
    assert "verify=" in str(caught.value)
    assert server.requests == []


@needs_openssl
def test_own_certificates_can_be_named(
    encrypted: str, open_session: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate may be given as argument or by the variable that requests reads."""
    assert open_session(encrypted, verify=str(certificate)).query("Task").all() == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert open_session(encrypted).query("Task").all() == []


@needs_openssl
def test_verification_can_be_turned_off(
    encrypted: str, open_session: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """False turns verification off, also where the environment names a bundle."""
    other = tmp_path / "other.pem"
    other.write_text("", encoding="utf-8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    with pytest.warns(Warning, match="certificate verification"):
        assert open_session(encrypted, verify=False).query("Task").all() == []


@needs_openssl
def test_old_encryption_is_refused(server: Any, certificate: Path, open_session: Any) -> None:
    """A server that speaks nothing newer than TLS 1.1 is not spoken to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, str(certificate) + ".key")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    with pytest.raises(exception.ServerConnectionError) as caught:
        open_session(server.url.replace("http:", "https:"), verify=str(certificate))
    assert "cannot make an encrypted connection" in str(caught.value)
    assert "version" in str(caught.value).lower()
    assert not server.requests


# A studio's own authority


@pytest.fixture
def bundle(authority: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the file of a studio's authority, which ``REQUESTS_CA_BUNDLE`` names."""
    path = str(authority.file)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
    return path


def connected(sandbox: Any, address: str, open_session: Any) -> Any:
    """Return a session on *sandbox* by *address*."""
    return open_session(
        address, api_key=sandbox.api_key, api_user=sandbox.api_user, schema_cache_path=None
    )


def refusals(action: Any, address: str, sandbox: Any) -> list[str]:
    """Return the errors of a session and of an event hub that connect to *address*."""
    with pytest.raises(exception.ServerConnectionError) as call:
        action(address)
    hub = EventHub(address, sandbox.api_user, sandbox.api_key)
    with pytest.raises(exception.EventHubConnectionError) as handshake:
        hub.connect()
    hub.close()
    return [str(call.value), str(handshake.value)]


def test_own_authority_serves_calls_and_events(
    sandbox: Any, authority: Any, front: Any, bundle: str, open_session: Any
) -> None:
    """With the variable set, calls, files and the event hub trust the studio's authority."""
    session = connected(sandbox, front(sandbox.server_url, authority.context()).url, open_session)
    session.create("User", {"username": "tls"})
    session.commit()
    assert session.query('User where username is "tls"').one()
    hub = session.event_hub
    hub.connect()
    received: list[Any] = []
    hub.subscribe("topic=studio.tls", received.append)
    hub.publish(Event(topic="studio.tls"), on_reply=None)
    while not received:
        hub.wait(1)
    assert hub.connected


def test_expired_certificate_is_explained(
    sandbox: Any, authority: Any, front: Any, bundle: str, open_session: Any
) -> None:
    """An expired certificate is called that, with the clock and the CA file as hints."""
    address = front(sandbox.server_url, authority.context(days=-1)).url
    for text in refusals(open_session, address, sandbox):
        assert "expired" in text
        assert "Is the clock of this machine right? If so, the server needs a new" in text
        assert f"The CA file in use is {bundle} (the environment variable REQUESTS_CA" in text


def test_certificate_of_an_unknown_authority_is_explained(
    sandbox: Any, authority: Any, front: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that is not in the CA file is an error that names the file and the remedy."""
    address = front(sandbox.server_url, authority.context()).url
    usual = requests.utils.DEFAULT_CA_BUNDLE_PATH
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for text in refusals(open_session, address, sandbox):
        assert "pass verify='/path/to/ca.pem' or set REQUESTS_CA_BUNDLE" in text
        assert f"The CA file in use is {usual} (the default of requests)." in text
    monkeypatch.setenv("CURL_CA_BUNDLE", usual)
    for text in refusals(open_session, address, sandbox):
        assert f"The CA file in use is {usual} (the environment variable CURL_CA_BUN" in text


def test_certificate_of_another_host_is_explained(
    sandbox: Any,
    authority: Any,
    front: Any,
    bundle: str,
    open_session: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A certificate for another name says so, and where the address comes from."""
    address = front(sandbox.server_url, authority.context()).url
    original = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        return original("127.0.0.1" if host == "other.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for text in refusals(open_session, address.replace("127.0.0.1", "other.example"), sandbox):
        assert "The certificate belongs to another host. Is the server address right?" in text


def test_refused_certificate_is_not_asked_for_again(
    sandbox: Any,
    authority: Any,
    front: Any,
    bundle: str,
    open_session: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A running session whose server gets an expired certificate fails at once."""
    encrypted = front(sandbox.server_url, authority.context())
    session = connected(sandbox, encrypted.url, open_session)
    session._request.close()
    encrypted.context = authority.context(days=-1)
    with pytest.raises(exception.ServerConnectionError, match="expired"):
        session.query("User").all()
    assert "Repeating" not in caplog.text


@pytest.mark.parametrize("kind", ["missing", "broken"])
def test_ca_file_that_cannot_be_used_is_named(
    sandbox: Any,
    authority: Any,
    front: Any,
    open_session: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
) -> None:
    """A CA file that is not there, or holds no certificates, is an error that names it."""
    path = tmp_path / "ca.pem"
    if kind == "broken":
        path.write_text("nothing", encoding="utf-8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    address = front(sandbox.server_url, authority.context()).url
    with pytest.raises(exception.ConfigurationError) as call:
        open_session(address)
    hub = EventHub(address, sandbox.api_user, sandbox.api_key)
    with pytest.raises(exception.EventHubConnectionError) as handshake:
        hub.connect()
    hub.close()
    for text in (str(call.value), str(handshake.value)):
        assert str(path) in text
        assert "the environment variable REQUESTS_CA_BUNDLE names" in text
