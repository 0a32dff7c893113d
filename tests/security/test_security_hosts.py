"""Requests that pretend: foreign hosts, redirects elsewhere, forged addresses of clients."""

from __future__ import annotations

import socket
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
import requests

from ftrack_like.sandbox.network.hosts import AllowedHosts
from ftrack_like.sandbox.network.peer import PEER
from ftrack_like.sandbox.network.settings import Network
from ftrack_like.sandbox.network.throttle import Attempts
from ftrack_like.sandbox.server import SandboxServer

from .conftest import Form, Server, read_all

FOREIGN = "evil.example"


def invited(url: str, headers: dict[str, str], host: str) -> list[dict[str, Any]]:
    """Return the mails after inviting a user by requests with the header *host*."""

    def call(operation: dict[str, Any]) -> requests.Response:
        return requests.post(
            f"{url}/api", json=[operation], headers={**headers, "Host": host}, timeout=30
        )

    user = {
        "action": "create",
        "entity_type": "User",
        "entity_key": ["a-user"],
        "entity_data": {"id": "a-user", "username": "mira", "email": "mira@example.com"},
    }
    call(user)
    call({"action": "send_user_invite", "user_id": "a-user"})
    answer = requests.get(f"{url}/outbox", headers=headers, timeout=30)
    return list(answer.json())


# Hosts


@pytest.mark.parametrize(
    "host",
    [
        FOREIGN,
        f"{FOREIGN}:80",
        f"localhost.{FOREIGN}",
        f"127.0.0.1.{FOREIGN}",
        f"localhost@{FOREIGN}",
        f"localhost:80@{FOREIGN}",
        f"{FOREIGN}#localhost",
        f"{FOREIGN}/localhost",
        "localhost:port",
        "10.1.2.3",
        "[::2]",
        "[::1",
        "local host",
        "",
        "127.1",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api", "/browse", "/component/get", "/socket.io/1/"])
def test_foreign_hosts_are_refused(sandbox: Any, host: str, path: str) -> None:
    """A request for another host is refused, so that no page reaches the server by its own name."""
    answer = requests.get(sandbox.server_url + path, headers={"Host": host}, timeout=30)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:5005", "[::1]:5005", "localhost."]
)
def test_own_names_are_answered(sandbox: Any, host: str) -> None:
    """The names of this machine are answered, whatever the port: it may be forwarded."""
    answer = requests.get(sandbox.server_url, headers={"Host": host}, timeout=30)
    assert answer.status_code == 200


def test_websockets_of_foreign_hosts_are_refused(sandbox: Any) -> None:
    """A websocket for another host is not opened."""
    port = urllib.parse.urlsplit(sandbox.server_url).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            b"GET /socket.io/1/websocket/x HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        assert read_all(connection).startswith(b"HTTP/1.1 403")


def test_clients_without_a_host_are_answered(sandbox: Any) -> None:
    """HTTP/1.0 knows no hosts, and browsers do not speak it."""
    port = urllib.parse.urlsplit(sandbox.server_url).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_more_hosts_are_an_option(start_server: Callable[..., Server]) -> None:
    """Names, domains and the public address are allowed by options."""
    server = start_server(
        "--allowed-hosts", "one.example,two.example", "*.studio.example", "--public-url",
        "https://ftrack.example/",
    )  # fmt: skip
    for host, status in (
        ("one.example", 200),
        ("two.example:8080", 200),
        ("a.studio.example", 200),
        ("ftrack.example", 200),
        ("studio.example", 400),
        ("astudio.example", 400),
        ("three.example", 400),
    ):
        answer = requests.get(server.url, headers={"Host": host}, timeout=30)
        assert (host, answer.status_code) == (host, status)


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", ""])
def test_all_addresses_mean_the_names_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """A server on all addresses answers to the machine's names and to the address asked."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Box.studio.example")
    monkeypatch.setattr(socket, "getfqdn", lambda: "box.lan")
    hosts = AllowedHosts(bound)
    assert hosts.allow("box.studio.example", "10.0.0.5")
    assert hosts.allow("box:80", "10.0.0.5")
    assert hosts.allow("10.0.0.5:5005", "10.0.0.5")
    assert hosts.allow("[2001:db8::1]", "2001:db8::1%eth0")
    assert not hosts.allow("10.0.0.6", "10.0.0.5")
    assert not hosts.allow("other.studio.example", "10.0.0.5")
    assert not hosts.allow("box.lan", "10.0.0.5")
    assert hosts.allow_by_lookup("box.lan")
    assert hosts.allow("box.lan", "10.0.0.5")
    assert not hosts.may_look_up


def test_any_host_may_be_allowed() -> None:
    """An asterisk allows all hosts, for those who know what they do."""
    assert AllowedHosts("127.0.0.1", ["*"]).allow(FOREIGN, "127.0.0.1")


# Mails


def test_mails_never_contain_the_host_of_a_request(start_server: Callable[..., Server]) -> None:
    """The link in a mail is the server's address, also where any host may be asked for."""
    server = start_server("--allowed-hosts", "*")
    (mail,) = invited(server.url, server.headers, FOREIGN)
    assert FOREIGN not in mail["text"]
    assert all(link.startswith(f"{server.url}") for link in mail["links"])


def test_mails_contain_the_public_address(start_server: Callable[..., Server]) -> None:
    """With a public address, links in mails and addresses in answers begin with it."""
    server = start_server("--public-url", "https://ftrack.example/")
    (mail,) = invited(server.url, server.headers, "localhost")
    assert "https://ftrack.example/browse" in mail["links"]
    answer = requests.post(
        f"{server.url}/api",
        json=[{"action": "get_widget_url", "name": "tasks"}],
        headers=server.headers,
        timeout=30,
    )
    assert answer.json()[0]["widget_url"].startswith("https://ftrack.example/widget?")


def test_mails_of_a_server_on_all_addresses_name_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody can open http://0.0.0.0: links name the machine instead."""
    monkeypatch.setattr(socket, "gethostname", lambda: "box.example")
    with SandboxServer(host="0.0.0.0") as server:
        port = urllib.parse.urlsplit(server.server_url).port
        url = f"http://127.0.0.1:{port}"
        headers = {"ftrack-user": server.api_user, "ftrack-api-key": server.api_key}
        (mail,) = invited(url, headers, f"127.0.0.1:{port}")
    assert all(link.startswith(f"http://box.example:{port}") for link in mail["links"])


@pytest.mark.parametrize(
    "options",
    [
        {"public_url": "ftrack.example"},
        {"public_url": "ftp://ftrack.example"},
        {"public_url": "https://user@ftrack.example"},
        {"public_url": "https://ftrack.example/?a=b"},
        {"public_url": "https://"},
        {"allowed_origins": ("localhost:3000",)},
        {"allowed_origins": ("http://localhost/path",)},
        {"trusted_proxies": ("proxy.example",)},
        {"connections": 0},
        {"header_timeout": 0},
        {"transfer_timeout": float("nan")},
    ],
)
def test_senseless_options_are_refused(options: Any) -> None:
    """An option that makes no sense is an error in words."""
    with pytest.raises(ValueError, match="must be"):
        Network(**options)


# Redirects


ELSEWHERE = [
    "///elsewhere.example",
    "///browse",
    "//browse",
    "//browse/x",
    "////browse/x",
    "/\\elsewhere.example",
    "\\\\elsewhere.example/browse",
    "/browse\\..\\..\\elsewhere.example",
    "https://elsewhere.example/browse",
    "https:///browse",
    "https:browse",
    "http:/browse",
    "javascript:alert(1)//browse",
    "javascript:/browse/%0aalert(1)",
    "/\t/elsewhere.example/browse",
    "/\n/elsewhere.example/browse",
    "\t//browse",
    "\x00/browse",
    " //browse",
    "/browse/\r\nSet-Cookie: a=b",
    "/browse\r\nX: y",
    "/browse?a=\r\nX: y",
    "%2f%2felsewhere.example",
    "/%2felsewhere.example",
    "/browse/../../log-out",
    "/browse/..//elsewhere.example",
    "/browse/%2e%2e/%2e%2e//elsewhere.example",
    "/browse@elsewhere.example",
    "/browse.elsewhere.example",
    "/browsers",
    "@elsewhere.example/browse",
    "/.//elsewhere.example",
    "//elsewhere.example/%2f..",
    "/browse/\u2028//elsewhere.example",
    "\uff0f\uff0felsewhere.example",
    "/browse\uff0f\uff0felsewhere.example",
    "",
]


@pytest.mark.parametrize("place", ELSEWHERE, ids=ascii)
def test_log_ins_lead_nowhere_else(sandbox: Any, form: Form, place: str) -> None:
    """After a log-in nobody is led to another site, however its address is written."""
    answer = form.log_in(sandbox.api_user, sandbox.api_key, next=place)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/browse"
    assert "X" not in answer.headers
    page = form.get("/log-in", params={"next": place})
    assert 'name="next" value="/browse"' in page.text


@pytest.mark.parametrize(
    "place",
    ["/browse", "/browse/", "/browse/version/1234-abc", "/outbox", "/browse/tasks?a=b%20c&d=1"],
)
def test_log_ins_lead_on_to_pages(sandbox: Any, form: Form, place: str) -> None:
    """The pages of the server are where a log-in leads to."""
    answer = form.log_in(sandbox.api_user, sandbox.api_key, next=place)
    assert answer.headers["Location"] == place


@pytest.mark.parametrize("path", ["//evil.example/", "/%2fevil.example/", "/\\evil.example/"])
def test_paths_redirect_nowhere_else(sandbox: Any, path: str) -> None:
    """A path that looks like another host is not found; it is no redirect."""
    port = urllib.parse.urlsplit(sandbox.server_url).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = read_all(connection)
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))


# Addresses of clients, and wrong keys


def attempt(url: str, user: str = "admin", key: str = "wrong", **headers: str) -> requests.Response:
    """Return the answer to a request with some key."""
    return requests.get(
        f"{url}/api",
        headers={"ftrack-user": user, "ftrack-api-key": key, **headers},
        timeout=30,
    )


@pytest.mark.parametrize("route", ["/api", "/component/get", "/socket.io/1/", "/outbox", "/events"])
def test_keys_cannot_be_tried_without_end(fresh_sandbox: Any, route: str) -> None:
    """After some wrong keys in a minute, further ones are refused unseen, by each route."""
    headers = {"ftrack-user": "admin", "ftrack-api-key": "wrong"}
    for _ in range(20):
        answer = requests.get(fresh_sandbox.server_url + route, headers=headers, timeout=30)
        assert answer.status_code == 401
    answer = requests.get(fresh_sandbox.server_url + route, headers=headers, timeout=30)
    assert answer.status_code == 429
    headers["ftrack-api-key"] = fresh_sandbox.api_key
    answer = requests.get(fresh_sandbox.server_url + route, headers=headers, timeout=30)
    assert answer.status_code == 429


def test_limit_is_told_in_the_protocol(fresh_sandbox: Any) -> None:
    """The error names the time to wait, in words and in a header."""
    url = fresh_sandbox.server_url
    while (answer := attempt(url)).status_code == 401:
        pass
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert answer.json()["exception"] == "TooManyAttemptsError"


def test_those_at_work_are_not_locked_out(fresh_sandbox: Any) -> None:
    """A key that was right before goes on to be right while somebody else tries wrong ones."""
    url, key = fresh_sandbox.server_url, fresh_sandbox.api_key
    assert attempt(url, key=key).status_code == 200
    while attempt(url).status_code == 401:
        pass
    assert attempt(url, key=key).status_code == 200


def test_many_names_do_not_help(fresh_sandbox: Any) -> None:
    """Wrong keys count by address as well: trying all users is no way around the limit."""
    url = fresh_sandbox.server_url
    for number in range(100):
        assert attempt(url, user=f"user {number}").status_code == 401
    assert attempt(url, user="one more").status_code == 429


def test_forged_client_addresses_do_not_count(fresh_sandbox: Any, form: Form) -> None:
    """X-Forwarded-For of a client that is no trusted proxy changes nothing."""
    url = fresh_sandbox.server_url
    for number in range(20):
        assert attempt(url, **{"X-Forwarded-For": f"10.0.0.{number}"}).status_code == 401
    assert attempt(url, **{"X-Forwarded-For": "10.0.1.1"}).status_code == 429
    form.url = url
    form.http.headers["X-Forwarded-For"] = "10.0.1.2"
    assert form.log_in("admin", "wrong").status_code == 429


def test_trusted_proxies_tell_the_client(start_server: Callable[..., Server]) -> None:
    """Behind a trusted proxy, each client has attempts of its own."""
    server = start_server("--trusted-proxies", "127.0.0.1")
    for _ in range(20):
        assert attempt(server.url, **{"X-Forwarded-For": "10.0.0.1"}).status_code == 401
    assert attempt(server.url, **{"X-Forwarded-For": "10.0.0.1"}).status_code == 429
    assert attempt(server.url, **{"X-Forwarded-For": "10.0.0.2"}).status_code == 401


def test_failures_of_one_address_do_not_lock_out_another() -> None:
    """The limit is for an address: others log in meanwhile."""
    attempts = Attempts(3)
    token = PEER.set("10.0.0.1")
    for _ in range(3):
        attempts.failed("admin")
    assert attempts.seconds_left("ADMIN", "key") > 0
    PEER.reset(token)
    PEER.set("10.0.0.2")
    assert attempts.seconds_left("admin", "key") == 0


def test_missing_credentials_are_named(sandbox: Any) -> None:
    """A request without credentials is told that none were sent; it is no failed attempt."""
    for _ in range(30):
        answer = requests.get(f"{sandbox.server_url}/api", timeout=30)
        assert answer.status_code == 401
    assert "No credentials were sent" in answer.json()["content"]
    for path in ("/component/get?id=x", "/socket.io/1/", "/events", "/outbox"):
        answer = requests.get(sandbox.server_url + path, timeout=30)
        assert answer.status_code == 401
        assert "No credentials were sent" in answer.text
