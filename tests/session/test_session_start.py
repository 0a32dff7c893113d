"""The start of a session: what it asks, in which order, and what the first error says."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Any

import pytest
import requests

import ftrack_like
from ftrack_like import exception
from ftrack_like._session import lifecycle
from ftrack_like.session import Session

KEY = "secret-key-1"


def test_start_asks_twice_without_cache(server: Any, open_session: Any) -> None:
    """A cold start is two calls: who the server is, and its schemas."""
    session = open_session(server)
    assert server.actions == [["query_server_information"], ["query_schemas"]]
    assert session.server_information["version"] == "4.13.8"
    assert session.statistics.requests == 2


def test_start_asks_once_with_a_warm_cache(server: Any, open_session: Any, tmp_path: Path) -> None:
    """A warm start is one call."""
    open_session(server, schema_cache_path=str(tmp_path))
    del server.requests[:]
    second = open_session(server, schema_cache_path=str(tmp_path))
    assert server.actions == [["query_server_information"]]
    assert "Task" in second.types


def test_requests_carry_credentials_headers_and_cookies(server: Any, open_session: Any) -> None:
    """Key, user, strictness, own headers and cookies go with every request."""
    open_session(server, headers={"x-studio": "1"}, cookies={"gate": "open"}, strict_api=True)
    for method, path, headers, _ in server.requests:
        assert (method, path) == ("POST", "/api")
        assert headers["ftrack-api-key"] == KEY
        assert headers["ftrack-user"] == "jane"
        assert headers["ftrack-strict-api"] == "true"
        assert headers["x-studio"] == "1"
        assert headers["Cookie"] == "gate=open"
        assert headers["content-type"] == "application/json"
        assert headers["accept"] == "application/json"


def test_strict_api_is_off_by_default(server: Any, open_session: Any) -> None:
    """Without being asked to, the session wants no error statuses."""
    open_session(server)
    assert {headers["ftrack-strict-api"] for _, _, headers, _ in server.requests} == {"false"}


def test_cookie_jars_are_taken(server: Any, open_session: Any) -> None:
    """Cookies may come as a jar, as requests has it."""
    jar = requests.cookies.cookiejar_from_dict({"gate": "open"})
    open_session(server, cookies=jar)
    assert server.requests[0][2]["Cookie"] == "gate=open"


@pytest.mark.parametrize("name", ["cookies", "headers"])
def test_cookies_and_headers_must_be_mappings(server: Any, open_session: Any, name: str) -> None:
    """Anything but a mapping is refused before the server is asked."""
    with pytest.raises(TypeError, match=name):
        open_session(server, **{name: "x=1"})
    assert server.requests == []


def test_order_of_the_start(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start goes by its list, through the methods that subclasses override."""
    told: list[str] = []

    class Told(Session):
        """A session that notes which of its methods the start calls."""

    for name in (
        "_fetch_server_information",
        "check_server_compatibility",
        "_discover_plugins",
        "_load_schemas",
        "_build_entity_type_classes",
        "_configure_locations",
    ):

        def noting(self: Any, *args: Any, _name: str = name, **kw: Any) -> Any:
            told.append(_name)
            return getattr(Session, _name)(self, *args, **kw)

        setattr(Told, name, noting)

    with Told(server.url, KEY, "jane", schema_cache_path=False, plugin_paths=[]):
        pass
    assert told == [
        "_fetch_server_information",
        "check_server_compatibility",
        "_discover_plugins",
        "_load_schemas",
        "_build_entity_type_classes",
        "_configure_locations",
    ]
    assert lifecycle.STEPS[-1].__name__ == "_announce"


def test_constructor_parameters_are_those_of_old() -> None:
    """Names, order and defaults of the positional parameters are API; new ones are keywords."""
    found = inspect.getfullargspec(Session.__init__)
    assert found.args[1:] == [
        "server_url",
        "api_key",
        "api_user",
        "auto_populate",
        "plugin_paths",
        "cache",
        "cache_key_maker",
        "auto_connect_event_hub",
        "schema_cache_path",
        "plugin_arguments",
        "timeout",
        "cookies",
        "headers",
        "strict_api",
    ]
    assert found.defaults == (None, None, None, True) + (None,) * 3 + (
        False,
        None,
        None,
        60,
        None,
        None,
        False,
    )
    assert found.varargs is found.varkw is None


def test_ten_positional_arguments(server: Any) -> None:
    """The constructor is called with ten positional arguments by old code."""
    made = Session(server.url, KEY, "jane", False, [], None, None, False, False, {})
    assert made.auto_populate is False
    made.close()


@pytest.mark.parametrize("version", ["dev", "3.3.11", "4", "abc", "", "4.0.0-rc1", "10.1"])
def test_versions_that_pass(server: Any, open_session: Any, replies: Any, version: str) -> None:
    """Late enough versions and what is no version at all are let through."""
    server.next_answers = [[{**replies.INFORMATION, "version": version}]]
    assert open_session(server).server_information["version"] == version


@pytest.mark.parametrize("version", ["3.3.10", "3", "2.9.99", None])
def test_versions_that_do_not_pass(
    server: Any, open_session: Any, replies: Any, version: Any
) -> None:
    """A server that is too old, or does not say, is refused."""
    server.next_answers = [[{**replies.INFORMATION, "version": version}]]
    with pytest.raises(exception.ServerCompatibilityError) as caught:
        open_session(server)
    assert version is None or version in str(caught.value)


# Settings


def test_environment_names_server_key_and_user(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not passed comes from the environment."""
    monkeypatch.setenv("FTRACK_SERVER", server.url + "/")
    monkeypatch.setenv("FTRACK_API_KEY", KEY)
    monkeypatch.setenv("FTRACK_API_USER", "joan")
    with Session(schema_cache_path=False) as session:
        assert session.server_url == server.url
        assert (session.api_key, session.api_user) == (KEY, "joan")


def test_older_variable_of_the_key(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """FTRACK_APIKEY still works, after the newer name."""
    monkeypatch.setenv("FTRACK_APIKEY", KEY)
    with Session(server.url, api_user="jane", schema_cache_path=False) as session:
        assert session.api_key == KEY


def test_user_of_this_machine_is_the_default(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a user it is who is logged in."""
    monkeypatch.setattr("getpass.getuser", lambda: "login")
    with Session(server.url, KEY, schema_cache_path=False) as session:
        assert session.api_user == "login"


@pytest.mark.parametrize(
    ("arguments", "variable"), [((), "FTRACK_SERVER"), (("http://localhost",), "FTRACK_API_KEY")]
)
def test_nothing_configured(arguments: Any, variable: str) -> None:
    """What is missing is a TypeError that names the variable in its first line."""
    with pytest.raises(TypeError) as caught:
        Session(*arguments)
    assert isinstance(caught.value, exception.ConfigurationError)
    assert variable in str(caught.value).splitlines()[0]


@pytest.mark.parametrize(
    ("address", "better"),
    [
        ("studio.ftrackapp.com", "'https://studio.ftrackapp.com'"),
        ("127.0.0.1:8090", "'http://127.0.0.1:8090'"),
        ("http://localhost/api", "'http://localhost'"),
        ("ftp://localhost", "'http://localhost'"),
        ("localhost:9999", "'http://localhost:9999'"),
        ("192.168.1.20:5005", "'http://192.168.1.20:5005'"),
        ("studio.example:5005", "'https://studio.example:5005'"),
    ],
)
def test_addresses_that_cannot_be_right(address: str, better: str) -> None:
    """An address without scheme, or with /api, is refused with the better one."""
    with pytest.raises(exception.ConfigurationError) as caught:
        Session(address, KEY, "jane")
    assert isinstance(caught.value, (requests.exceptions.InvalidURL, ValueError))
    assert better in str(caught.value)


def test_nothing_listens(open_session: Any) -> None:
    """Nothing at the address: one line says so, the next what to look at."""
    with pytest.raises(exception.ServerConnectionError) as caught:
        open_session("http://127.0.0.1:1")
    assert isinstance(caught.value, requests.exceptions.ConnectionError)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("Nothing answers at http://127.0.0.1:1/api")
    assert "argument server_url" in lines[1]
    assert caught.value.__cause__ is not None
    assert KEY not in str(caught.value)


def test_wrong_key(server: Any, open_session: Any) -> None:
    """A refused key says so, with the server's words, and what to check; the key stays out."""
    content = f"The supplied API key is not valid: {KEY}."
    server.answer = lambda batch: {
        "exception": "InvalidCredentialsError",
        "content": content,
        "error_code": "api_credentials_invalid",
    }
    with pytest.raises(exception.ServerAuthenticationError) as caught:
        open_session(server)
    assert isinstance(caught.value, exception.AuthenticationError)
    assert caught.value.error_code == "api_credentials_invalid"
    assert "The supplied API key is not valid" in str(caught.value)
    assert "The key comes from the argument api_key" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><head><title>Welcome to nginx!</title></head><body>Hi</body></html>",
        b"",
        b'"text"',
        b"{}",
        b"[]",
        b"[null]",
        b"null",
        b"[" * 100_000,
    ],
)
def test_something_else_at_the_address(
    server: Any, open_session: Any, replies: Any, body: bytes
) -> None:
    """What is no ftrack server is said to be none."""
    server.answer = lambda batch: replies.Reply(body)
    with pytest.raises(exception.ServerError) as caught:
        open_session(server)
    assert len(str(caught.value)) < 2048


def test_page_of_a_web_server_is_named_by_its_title(
    server: Any, open_session: Any, replies: Any
) -> None:
    """A web page where JSON belongs is known by its title, and cut short."""
    page = b"<html><title>It  works &amp; more</title>" + b"<p>spam</p>" * 500_000
    server.answer = lambda batch: replies.Reply(page, status=404)
    with pytest.raises(exception.ServerError) as caught:
        open_session(server)
    text = str(caught.value)
    assert "404" in text.splitlines()[0]
    assert "'It works & more'" in text.splitlines()[0]
    assert len(text.encode()) <= 2048


@pytest.mark.parametrize("path", ["/browse", "/nothing/here"])
def test_path_without_an_api_is_asked_about(sandbox: Any, open_session: Any, path: str) -> None:
    """A path too much, as copied from a browser, is named, and the address without it."""
    with pytest.raises(exception.ServerError) as caught:
        open_session(sandbox.server_url + path)
    text = str(caught.value)
    assert f"Does the path {path!r} belong to it?" in text
    assert f"Without the path, it is {sandbox.server_url!r}." in text


def test_only_an_address_without_an_api_is_in_doubt(
    server: Any, open_session: Any, replies: Any
) -> None:
    """A server under a path works, and after its first answer no error doubts the address."""
    session = open_session(f"{server.url}/studio")
    fault = {"exception": "NotFoundError", "content": "Gone."}
    server.answer = lambda batch: replies.Reply(fault, status=404)
    with pytest.raises(exception.ServerNotFoundError) as caught:
        session.query("Task").first()
    assert "Check the server address" not in str(caught.value)


def test_failed_start_leaves_nothing_open(server: Any, replies: Any) -> None:
    """A session whose start fails is closed."""
    made: list[Any] = []

    class Kept(Session):
        """A session that can be looked at after its constructor failed."""

        def check_server_compatibility(self) -> None:
            made.append(self)
            raise exception.ServerCompatibilityError()

    with pytest.raises(exception.ServerCompatibilityError):
        Kept(server.url, KEY, "jane", schema_cache_path=False)
    assert made[0].closed


def test_start_survives_a_moment_of_trouble(server: Any, open_session: Any, replies: Any) -> None:
    """A 503 and a reset during the start are not seen by the caller."""
    server.next_answers = [
        replies.Reply(b"busy", status=503),
        replies.RESET,
        replies.plain_answer,
        replies.RESET,
    ]
    session = open_session(server)
    assert session.statistics.retries == 3
    assert not session.closed


def test_plain_http_elsewhere_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says that the key travels in the clear to another machine."""
    for _ in range(2):
        with pytest.raises(exception.ServerConnectionError):
            Session(
                "http://ftrack.invalid:81",
                KEY,
                "jane",
                schema_cache_path=False,
                connect_timeout=2,
            )
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "http://ftrack.invalid:81" in warnings[0].getMessage()


def test_key_is_nowhere_shown(
    server: Any, open_session: Any, caplog: pytest.LogCaptureFixture, replies: Any
) -> None:
    """The key is in no repr, no log record and no error of a session."""
    caplog.set_level(logging.DEBUG)
    session = open_session(server)
    session._request.get(f"{server.url}/component/get?id=1&apiKey={KEY}&username=jane")
    server.answer = lambda batch: replies.Reply(KEY.encode(), status=400)
    with pytest.raises(exception.ServerError) as caught:
        session.call([{"action": "foo"}])
    shown = [repr(session), repr(session._request.auth), str(caught.value), repr(caught.value)]
    assert not [text for text in [*shown, caplog.text] if KEY in text]
    assert "component/get" in caplog.text


def test_package_offers_the_session() -> None:
    """The names at the top of the package are those of the session's module."""
    assert ftrack_like.Session is Session
    assert ftrack_like.SessionAuthentication("k", "u").api_user == "u"
    assert ftrack_like.event.base.Event(topic="x")["topic"] == "x"
    assert {"Session", "mixin", "exception"} <= set(dir(ftrack_like))
    with pytest.raises(AttributeError, match="nonsense"):
        ftrack_like.nonsense


def test_lazy_load_policy_is_checked(server: Any, open_session: Any) -> None:
    """A policy that does not exist is refused before the server is asked."""
    with pytest.raises(ValueError, match="on_lazy_load"):
        open_session(server, on_lazy_load="sometimes")
    assert server.requests == []
