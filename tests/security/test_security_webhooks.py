"""Webhooks reach only the receivers that they may reach, and their secrets stay hidden."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.exception import ServerError
from ftrack_like.testing import Sandbox

SECRET = "secret-token"


@pytest.fixture
def opened() -> Iterator[Any]:
    """Return a session on a sandbox that permits plain HTTP to this machine."""
    with Sandbox(loopback_webhooks=True) as sandbox, sandbox.session() as session:
        yield session


@pytest.fixture
def redirecting() -> Iterator[Any]:
    """Return a server that redirects to another path of itself; *paths* are those it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.paths.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *arguments: Any) -> None:
            """Print nothing."""

    server: Any = HTTPServer(("127.0.0.1", 0), Handler)
    server.paths = []
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def failure(session: Any, address: str) -> str:
    """Return the first message in the log of a webhook to *address*."""
    automation = session.create("Automation", {"name": "hook"})
    named = {"automation_id": automation["id"]}
    session.create("Trigger", {**named, "filter": 'entity.entity_type = "User"'})
    headers = f'{{"X-Token": "{SECRET}"}}'
    session.create("WebhookAction", {**named, "webhook_url": address, "headers": headers})
    session.commit()
    session.create("User", {"username": uuid.uuid4().hex})
    session.commit()
    while True:
        session.reset()
        found = session.query("select message, status from ActionLog order by id").all()
        if found:
            assert found[0]["status"] == "failure"
            return str(found[0]["message"])


def test_redirects_are_not_followed(opened: Any, redirecting: Any) -> None:
    """A receiver cannot send the server elsewhere with a redirect."""
    address = f"http://127.0.0.1:{redirecting.server_port}/{SECRET}"
    assert "redirects are not followed" in failure(opened, address)
    assert set(redirecting.paths) == {f"/{SECRET}"}


def test_names_cannot_lead_to_other_machines(opened: Any, monkeypatch: Any) -> None:
    """With plain HTTP, a name that resolves to another machine gets no connection."""
    resolve = socket.getaddrinfo

    def elsewhere(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host == "receiver.test":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", port))]
        return resolve(host, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    text = failure(opened, f"http://receiver.test/{SECRET}")
    assert "receiver.test is not this machine" in text
    assert SECRET not in text


def test_plain_http_is_off_by_default(session: Any) -> None:
    """Without the option, no webhook uses plain HTTP, not even to this machine."""
    automation = session.create("Automation", {"name": "hook"})
    values = {"automation_id": automation["id"], "webhook_url": f"http://127.0.0.1/{SECRET}"}
    session.create("WebhookAction", values)
    with pytest.raises(ServerError, match="must begin with https://") as caught:
        session.commit()
    assert SECRET not in str(caught.value).split("\n")[0]


def test_link_local_addresses_are_refused(session: Any) -> None:
    """No webhook reaches the address at which clouds serve credentials."""
    automation = session.create("Automation", {"name": "hook"})
    values = {"automation_id": automation["id"], "webhook_url": "https://169.254.169.254/latest"}
    session.create("WebhookAction", values)
    with pytest.raises(ServerError, match="not the address of one machine"):
        session.commit()


def test_webhooks_are_for_administrators(api: Any, sandbox: Any) -> None:
    """Other users can neither see nor create webhooks."""
    automation = api.create("Automation", name="hook")
    address = "https://hooks.example.com"
    api.create("WebhookAction", automation_id=automation, webhook_url=address)
    user = api.create("User", username="mira", email="mira@example.com")
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
    key = api.call({**reset, "entity_key": user})[0]["data"]["api_key"]
    other = type(api)(sandbox)
    other.http.headers.update({"ftrack-user": "mira", "ftrack-api-key": key})
    for name in ("Automation", "WebhookAction", "Action", "Trigger", "ActionLog"):
        assert other.query(f"select id from {name}") == []
    with pytest.raises(api.Error, match="only an administrator may"):
        other.create("Automation", name="mine")
    with pytest.raises(api.Error, match="only an administrator may"):
        other.create("WebhookAction", automation_id=automation, webhook_url=address)
    other.http.close()
