"""A function of the program for credentials: asked at the start, and when the key is refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.accessor.server import ServerFile
from ftrack_like.session import Session

REFUSAL = {
    "exception": "InvalidCredentialsError",
    "content": "The supplied API key is not valid: {key}.",
    "error_code": "api_credentials_invalid",
}
OLD, NEW = "old-secret-key", "new-secret-key"


class Vault:
    """A function for credentials that counts its calls and returns the *keys* in turn."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.asked = 0

    def __call__(self) -> tuple[str, str]:
        self.asked += 1
        return "jane", self.keys[min(self.asked, len(self.keys)) - 1]


@pytest.fixture
def strict(server: Any) -> Any:
    """Return a server that accepts only the keys in ``valid``."""
    server.valid = {OLD}
    server.on_refusal = lambda: None
    plain = server.reply

    def reply(method: str, path: str, headers: Any, body: bytes) -> Any:
        key = headers["ftrack-api-key"]
        answer = plain(method, path, headers, body)
        if key in server.valid:
            return answer
        server.on_refusal()
        return {**REFUSAL, "content": REFUSAL["content"].format(key=key)}

    server.reply = reply
    return server


def opened(server: Any, vault: Any) -> Session:
    """Return a session that asks *vault* for credentials."""
    return Session(server.url, credentials=vault, schema_cache_path=False)


def test_function_is_called_once_for_many_requests(strict: Any) -> None:
    """A valid key is asked for once."""
    vault = Vault(OLD)
    with opened(strict, vault) as session:
        assert (session.api_user, session.api_key) == ("jane", OLD)
        session.query("Task").all()
    assert vault.asked == 1


def test_refused_key_is_asked_for_again(strict: Any) -> None:
    """When the server refuses the key, the call is sent again with the new one."""
    vault = Vault(OLD, NEW)
    with opened(strict, vault) as session:
        strict.valid = {NEW}
        assert session.query("Task").all() == []
        assert session.api_key == NEW
        session.create("Task", {"name": "layout"})
        session.commit()
    assert vault.asked == 2


def test_refused_key_at_the_start(strict: Any) -> None:
    """The first call of a session may renew the credentials as well."""
    vault = Vault("expired-key", OLD)
    with opened(strict, vault) as session:
        assert session.api_key == OLD
    assert vault.asked == 2


@pytest.mark.parametrize("keys", [(OLD, NEW), (OLD, OLD)])
def test_it_never_loops(strict: Any, keys: tuple[str, str]) -> None:
    """If the new key is refused too, or is the same, the error reaches the program at once."""
    vault = Vault(*keys)
    with opened(strict, vault) as session:
        strict.valid = set()
        before = len(strict.requests)
        with pytest.raises(exception.ServerAuthenticationError) as caught:
            session.query("Task").all()
        assert vault.asked == 2
        assert len(strict.requests) - before == (2 if keys[1] == NEW else 1)
        text = f"{caught.value} {caught.value!r} {caught.value.__context__} {session!r}"
        for key in (OLD, NEW):
            assert key not in text
        assert "function" in str(caught.value)
        with pytest.raises(exception.ServerAuthenticationError):
            session.query("Task").all()
        assert vault.asked == 3


def test_other_refusals_do_not_ask(strict: Any) -> None:
    """A missing permission is no reason to ask for another key."""
    vault = Vault(OLD, NEW)
    with opened(strict, vault) as session:
        strict.next_answers = [{"exception": "PermissionDeniedError", "content": "no"}]
        with pytest.raises(exception.ServerPermissionDeniedError):
            session.query("Task").all()
    assert vault.asked == 1


def test_error_of_the_function_reaches_the_program(strict: Any) -> None:
    """An error of the function during a call passes; the session can be used afterwards."""
    answers = iter([("jane", OLD), ConnectionError("the vault is sealed"), ("jane", NEW)])

    def ask() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with opened(strict, ask) as session:
        strict.valid = {NEW}
        with pytest.raises(ConnectionError, match="sealed"):
            session.query("Task").all()
        assert session.query("Task").all() == []


def test_function_that_uses_its_session(strict: Any) -> None:
    """A function that calls the server with the refused key gets the error, and no deadlock."""
    sessions: list[Session] = []

    def ask() -> tuple[str, str]:
        for session in sessions:
            session.call([{"action": "query_server_information"}])
        return "jane", OLD

    with opened(strict, ask) as session:
        sessions.append(session)
        strict.valid = set()
        with pytest.raises(exception.ServerAuthenticationError):
            session.query("Task").all()


def test_threads_ask_once(strict: Any) -> None:
    """Threads whose calls are refused together ask once, and all succeed."""
    arrived = threading.Barrier(6)
    vault = Vault(OLD, NEW)
    with opened(strict, vault) as session:
        strict.valid = {NEW}
        strict.on_refusal = lambda: arrived.wait(60)  # until all six are refused
        results: list[Any] = []

        def work() -> None:
            results.append(session.call([{"action": "query_server_information"}]))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(results) == 6
    assert vault.asked == 2


def test_program_that_replaced_the_authentication_keeps_it(strict: Any) -> None:
    """The authentication of a program's own request session is not replaced."""
    with opened(strict, Vault(OLD, NEW)) as session:
        own = object()
        session._request.auth = own
        session._calls.renew(("jane", OLD))
        assert session._request.auth is own
        assert session.api_key == NEW


# With a sandbox


def new_key(sandbox: Any) -> str:
    """Make the server forget the key of the administrator, and return the new one."""
    with sandbox.session() as session:
        user = session.query(f'User where username is "{sandbox.api_user}"').one()
        key: str = user.reset_api_key()
    return key


def test_hub_reconnects_with_a_new_key(fresh_sandbox: Any) -> None:
    """A hub that connects again after its key was replaced asks the function."""
    keys = [fresh_sandbox.api_key]
    with Session(
        fresh_sandbox.server_url,
        credentials=lambda: (fresh_sandbox.api_user, keys[-1]),
        schema_cache_path=False,
    ) as session:
        hub = session.event_hub
        hub.connect()
        keys.append(new_key(fresh_sandbox))
        hub.reconnect(attempts=1)
        assert hub.wait_connected(20)
        # The session uses the new key too.
        assert session.api_key == keys[-1]
        assert session.query("User").first() is not None


def test_hub_learns_from_the_session(fresh_sandbox: Any) -> None:
    """A key that a call has renewed is the one with which the hub connects."""
    keys = [fresh_sandbox.api_key]
    asked = []

    def ask() -> tuple[str, str]:
        asked.append(1)
        return fresh_sandbox.api_user, keys[-1]

    with Session(fresh_sandbox.server_url, credentials=ask, schema_cache_path=False) as session:
        keys.append(new_key(fresh_sandbox))
        assert session.query("User").first() is not None
        session.event_hub.connect()
        assert session.event_hub.connected
    assert len(asked) == 2


def test_hub_with_a_key_that_stays_refused(fresh_sandbox: Any) -> None:
    """The hub asks once per attempt, and reports the refusal without the key."""
    asked = []

    def ask() -> tuple[str, str]:
        asked.append(1)
        return fresh_sandbox.api_user, key

    key = fresh_sandbox.api_key
    with Session(fresh_sandbox.server_url, credentials=ask, schema_cache_path=False) as session:
        new_key(fresh_sandbox)
        with pytest.raises(exception.EventHubConnectionError, match="not valid") as caught:
            session.event_hub.connect()
        assert key not in str(caught.value)
    assert len(asked) == 2


def test_download_with_a_new_key(fresh_sandbox: Any, tmp_path: Any) -> None:
    """A download whose key was replaced continues with the new one."""
    path = tmp_path / "plate.exr"
    path.write_bytes(b"pixels" * 100)
    keys = [fresh_sandbox.api_key]
    with Session(
        fresh_sandbox.server_url,
        credentials=lambda: (fresh_sandbox.api_user, keys[-1]),
        schema_cache_path=False,
    ) as session:
        location = session.query('Location where name is "ftrack.server"').one()
        component = session.create_component(str(path), location=location)
        session.commit()
        keys.append(new_key(fresh_sandbox))
        file = ServerFile(component["id"], session)
        assert file.read() == path.read_bytes()
        assert session.api_key == keys[-1]


@pytest.mark.parametrize("given", [("jane", OLD), "jane", {"api_user": "jane", "api_key": OLD}])
def test_fixed_values_are_no_function(strict: Any, given: Any) -> None:
    """Values in place of a function are an error that says what to pass, without the key."""
    with pytest.raises(exception.ConfigurationError, match="takes a function") as caught:
        opened(strict, given)
    assert "api_user=" in str(caught.value)
    assert OLD not in str(caught.value)
