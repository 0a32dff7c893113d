"""Encrypted connections: certificates are verified, and one's own can be named."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import requests

from ftrack_like import exception

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
    assert "No encrypted connection" in str(caught.value)
    assert "version" in str(caught.value).lower()
    assert not server.requests
