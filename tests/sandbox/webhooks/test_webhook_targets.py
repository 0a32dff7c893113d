"""The addresses and headers of webhooks: which are valid, and what errors show of them."""

from __future__ import annotations

import ipaddress
from typing import Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.webhooks.targets import (
    TargetError,
    may_connect,
    read_headers,
    read_target,
    shown_host,
)


@pytest.mark.parametrize(
    ("address", "shown", "path"),
    [
        ("https://hooks.example.com", "https://hooks.example.com", "/"),
        ("https://hooks.example.com:443/a", "https://hooks.example.com", "/a"),
        (
            "https://hooks.example.com:8443/a/b?key=1#x",
            "https://hooks.example.com:8443",
            "/a/b?key=1",
        ),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]", "/a"),
        ("HTTPS://HOOKS.example.com/A", "https://hooks.example.com", "/A"),
        ("https://10.0.0.7/a", "https://10.0.0.7", "/a"),
    ],
)
def test_address(address: str, shown: str, path: str) -> None:
    """An https address is valid, and is shown without its path."""
    target = read_target(address, loopback=False)
    assert (str(target), target.path) == (shown, path)
    assert shown_host(address) == shown


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "empty"),
        (None, "empty"),
        ("hooks.example.com/SECRET", "https://"),
        ("http://127.0.0.1/SECRET", "--loopback-webhooks"),
        ("ftp://hooks.example.com/SECRET", "https://"),
        ("file:///SECRET", "https://"),
        ("https:///SECRET", "no host"),
        ("https://user:SECRET@hooks.example.com/", "into the headers"),
        ("https://SECRET@hooks.example.com/", "into the headers"),
        ("https://hooks.example.com:99999/SECRET", "malformed"),
        ("https://hooks.example.com:0/SECRET", "port is 0"),
        ("https://[::1/SECRET", "malformed"),
        ("https://hooks.example.com/SE CRET", "blank"),
        ("https://hooks.example.com/SECRET\r\nX: 1", "blank"),
        ("https://hööks.example.com/SECRET", "ASCII"),
        ("https://hooks.example.com/" + "SECRET" * 400, "longer than 2000"),
        ("https://169.254.169.254/SECRET", "not the address of one machine"),
        ("https://[::ffff:169.254.169.254]/SECRET", "not the address of one machine"),
        ("https://0.0.0.0/SECRET", "not the address of one machine"),
    ],
)
def test_invalid_address(address: Optional[str], words: str) -> None:
    """The error for an invalid address says why, and shows no path and no password."""
    with pytest.raises(TargetError) as caught:
        read_target(address, loopback=False)
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in shown_host(address)


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("http://127.0.0.1:8000/", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]:8000/", True),
        ("http://localhost/", True),
        ("http://receiver.test/", True),  # the connection decides
        ("https://hooks.example.com/", True),
        ("http://10.0.0.7/", False),
        ("http://0.0.0.0/", False),
        ("http://169.254.169.254/", False),
        ("http://[2001:db8::1]/", False),
        ("http://[::ffff:10.0.0.7]/", False),
        ("ftp://127.0.0.1/", False),
    ],
)
def test_loopback_option(address: str, valid: bool) -> None:
    """With the option, http:// is valid for IP addresses of this machine and for names."""
    if valid:
        read_target(address, loopback=True)
        return
    with pytest.raises(TargetError):
        read_target(address, loopback=True)


@pytest.mark.parametrize(
    ("text", "encrypted", "allowed"),
    [
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("192.168.1.2", False, False),
        ("8.8.8.8", False, False),
        ("::ffff:8.8.8.8", False, False),
        ("8.8.8.8", True, True),
        ("192.168.1.2", True, True),
        ("127.0.0.1", True, True),
        ("169.254.169.254", True, False),
        ("fe80::1", True, False),
        ("224.0.0.1", True, False),
        ("::", True, False),
    ],
)
def test_ip_addresses(text: str, encrypted: bool, allowed: bool) -> None:
    """Plain connections stay on this machine, and no connection goes to link-local addresses."""
    assert may_connect(ipaddress.ip_address(text), encrypted=encrypted) is allowed


@pytest.mark.parametrize("text", [None, "", "{}", '{"X-Token": "SECRET", "x-other": ""}'])
def test_headers(text: Optional[str]) -> None:
    """Headers are a JSON object of texts, or absent."""
    assert set(read_headers(text)) <= {"X-Token", "x-other"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SECRET", "JSON object"),
        ('["SECRET"]', "JSON object"),
        ("[" * 5_000, "JSON object"),
        ('{"X-Token": 1}', "must be a text"),
        ('{"X-Token": null}', "must be a text"),
        ('{"X Token": "SECRET"}', "not the name"),
        ('{"": "SECRET"}', "not the name"),
        ('{"X-Token": "SECRET\\r\\nX: 1"}', "character"),
        ('{"X-Token": "SECRET\\u20ac"}', "character"),
        ('{"Host": "SECRET"}', "sets 'Host' itself"),
        ('{"content-length": "1"}', "sets 'content-length' itself"),
        ('{"Transfer-Encoding": "chunked"}', "itself"),
        ('{"X-Token": "SECRET", "x-token": "SECRET"}', "twice"),
        ('{"X-Token": "' + "SECRET" * 3_000 + '"}', "longer than 16000"),
    ],
)
def test_invalid_headers(text: str, words: str) -> None:
    """The error for invalid headers says why, and shows no value."""
    with pytest.raises(TargetError) as caught:
        read_headers(text)
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)
