"""The first errors of a newcomer name the setting at fault, and show no secret."""

from __future__ import annotations

import contextlib
import inspect
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ftrack_like import exception
from ftrack_like._transport.connection_settings import checked_server_url
from ftrack_like._transport.faults import Route, connection_error
from ftrack_like._transport.http import GuardedSession
from ftrack_like.session import Session

KEY = "secret-key-1"


def first_error(url: str, **options: Any) -> str:
    """Return the text of the library's error for a session that cannot start."""
    with pytest.raises(exception.Error) as caught:
        Session(url, KEY, "jane", schema_cache_path=False, plugin_paths=[], **options)
    text = str(caught.value)
    assert KEY not in text
    return text


@pytest.fixture
def saying() -> Iterator[Callable[[bytes], str]]:
    """Return a function that starts a server which sends some bytes and hangs up."""
    sockets: list[socket.socket] = []

    def serve(listener: socket.socket, said: bytes) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(said)

    def start(said: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)
        threading.Thread(target=serve, args=(listener, said), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for each in sockets:
        each.close()


def page(text: bytes, status: bytes = b"200 OK") -> bytes:
    """Return an HTTP answer with the page *text*."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text)


# The address


@pytest.mark.parametrize(
    ("address", "better"),
    [
        ("http://host/#view=tasks&itemId=1", "'http://host'"),
        ("https://host:8080/login?next=1", "'https://host:8080'"),
        ('"https://host"', "'https://host'"),
        ("https://<studio>.ftrackapp.com", "'https://studio.ftrackapp.com'"),
        ("http://ho st", "'http://host'"),
        ("http:\\\\host", "'http://host'"),
        ("https://https://host", "'https://host'"),
        ("htps://host", "'https://host'"),
        ("https//host", "'https://host'"),
        ("http://", "'https://studio.ftrackapp.com'"),
        ("http://::1:8080", "'http://[::1]:8080'"),
        ("http://a..b", "does not name a host"),
        ("http://" + "a" * 64 + ".com", "does not name a host"),
    ],
)
def test_addresses_with_a_mistake(address: str, better: str) -> None:
    """An address that cannot be right is refused with a better one and the place it is from."""
    with pytest.raises(exception.ServerAddressError) as caught:
        checked_server_url(address, "the environment variable FTRACK_SERVER")
    assert better in str(caught.value)
    assert "the environment variable FTRACK_SERVER" in str(caught.value)


@pytest.mark.parametrize("login", ["bob:hunter22", "bob:hun#ter22", "bob:hun/ter22", "hunter22"])
@pytest.mark.parametrize("scheme", ["https://", ""])
def test_a_login_in_the_address_is_refused_and_not_shown(scheme: str, login: str) -> None:
    """The error says where the user and the key belong."""
    text = first_error(f"{scheme}{login}@host")
    assert "api_user" in text
    assert "ter22" not in text


@pytest.mark.parametrize(
    "address", ["http://[::1]:8080", "http://[fe80::1%25eth0]", "https://ü.de"]
)
def test_addresses_that_are_right(address: str) -> None:
    """IPv6 addresses and international names are taken."""
    assert checked_server_url(address) == address


def test_a_host_that_is_not_known(saying: Any) -> None:
    """A name that cannot be resolved is told apart from a server that does not answer."""
    error = connection_error(
        socket.gaierror(-2, "Name or service not known"), Route("http://h/api")
    )
    assert "'h' cannot be resolved" in str(error)
    assert "Nothing answers" not in str(error)
    assert isinstance(error, exception.ServerConnectionError)
    assert not error.request_sent


# What answers


def test_something_that_speaks_no_http(saying: Any) -> None:
    """What another service says is shown, with the advice to check the port."""
    text = first_error(saying(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert "does not speak HTTP" in text
    assert "SSH-2.0" in text
    assert "port" in text


def test_https_asked_in_plain_http(saying: Any) -> None:
    """A TLS alert, a page about HTTPS and a connection that is cut all lead to https."""
    assert "https://" in first_error(saying(b"\x15\x03\x01\x00\x02\x02\x0a"))
    told = b"The plain HTTP request was sent to HTTPS port"
    assert "https://" in first_error(saying(page(told, b"400 Bad Request")))
    assert "speak https" in first_error(saying(b""))


def test_a_login_page_and_a_path(saying: Any) -> None:
    """A page that asks to log in is called that; a path in the address is questioned."""
    url = saying(page(b"<title>Sign in</title>"))
    assert "login page" in first_error(url)
    assert "'/some/path'" in first_error(url + "/some/path")


# Arguments


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("url", "server_url"),
        ("server", "server_url"),
        ("host", "server_url"),
        ("user", "api_user"),
        ("username", "api_user"),
        ("key", "api_key"),
        ("token", "api_key"),
        ("plugin_path", "plugin_paths"),
        ("schema_cache", "schema_cache_path"),
        ("proxy", "proxies"),
        ("verify_ssl", "verify"),
        ("auto_poplate", "auto_populate"),
    ],
)
def test_an_unknown_argument_suggests_one(name: str, meant: str) -> None:
    """The error is a TypeError, as for any function, also for an asynchronous session."""
    from ftrack_like.aio import AsyncSession

    for class_ in (Session, AsyncSession):
        with pytest.raises(TypeError) as caught:
            class_(**{name: "x"})
        text = f"{class_.__name__}() has no argument {name!r}. Did you mean {meant!r}?"
        assert str(caught.value) == text


def test_a_subclass_suggests_its_own_arguments() -> None:
    """Unless its constructor accepts any name: then only that constructor knows its arguments."""

    class StudioSession(Session):
        def __init__(self, show: str) -> None:
            self.show = show

    class OpenSession(Session):
        def __init__(self, **options: Any) -> None:
            self.show = options.pop("show")
            super().__init__(**options)

    with pytest.raises(TypeError) as caught:
        StudioSession(shwo="harbour")  # type: ignore[call-arg]
    assert str(caught.value) == "StudioSession() has no argument 'shwo'. Did you mean 'show'?"
    with pytest.raises(TypeError, match="'url'"):
        OpenSession(show="harbour", url="http://host")
    assert StudioSession("harbour").show == "harbour"


def test_the_signature_stays() -> None:
    """Editors and tools see the arguments themselves."""
    names = list(inspect.signature(Session).parameters)
    assert names == inspect.getfullargspec(Session.__init__).args[1:] + list(
        inspect.getfullargspec(Session.__init__).kwonlyargs
    )

    class StudioSession(Session):
        def __init__(self, show: str) -> None:
            self.show = show

    assert list(inspect.signature(StudioSession).parameters) == ["show"]


def test_another_base_class_gets_the_arguments() -> None:
    """A studio's own ``__new__`` is called with them, as without the check."""
    seen: list[Any] = []

    class Single:
        def __new__(cls, *arguments: Any, **named: Any) -> Any:
            seen.append((arguments, named))
            return super().__new__(cls)

    class StudioSession(Session, Single):
        def __init__(self, show: str, shot: str = "") -> None:
            self.show = show

    StudioSession("harbour", shot="sh010")
    assert seen == [(("harbour",), {"shot": "sh010"})]


# The key and the user


def test_a_wrong_key_names_the_user_and_where_both_come_from(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argument, variable and operating system are told apart."""
    server.answer = lambda batch: {
        "exception": "InvalidCredentialsError",
        "content": "no",
        "error_code": "api_credentials_invalid",
    }
    text = first_error(server.url)
    assert "'jane' comes from the argument api_user" in text
    assert "The key comes from the argument api_key." in text
    monkeypatch.setenv("FTRACK_APIKEY", KEY)
    monkeypatch.setattr("getpass.getuser", lambda: "login")
    with pytest.raises(exception.ServerAuthenticationError) as caught:
        Session(server.url)
    assert "'login' comes from the operating system" in str(caught.value)
    assert "the environment variable FTRACK_APIKEY" in str(caught.value)


def test_a_wrong_key_says_what_to_do(sandbox: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Headers are a matter of the client: they are only in the log for debugging."""
    caplog.set_level("DEBUG", "ftrack_like")
    text = first_error(sandbox.server_url)
    assert text.splitlines() == [
        "Server reported error: InvalidCredentialsError(The supplied API key is not valid. There "
        "is no such user, or it is not the user's key.)",
        "The user 'jane' comes from the argument api_user.",
        "The key comes from the argument api_key. Check both: a key belongs to one user.",
        "To check the settings, run: ftrack-like doctor",
    ]
    logged = [each.getMessage() for each in caplog.records]
    assert any("ftrack-api-key" in each for each in logged)
    assert not any(KEY in each for each in logged)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("Set the header ftrack-api-key.", "The server does not accept the API key for this user."),
        ("No key. Send the Headers. Try again.", "No key. Try again."),
        ("The key ends in 'a.b'.", "The key ends in 'a.b'."),
    ],
)
def test_sentences_about_headers_are_left_out(server: Any, content: str, shown: str) -> None:
    """Whatever a server says about the key, the rest of it is shown."""
    server.answer = lambda batch: {"exception": "InvalidCredentialsError", "content": content}
    first = first_error(server.url).splitlines()[0]
    assert first == f"Server reported error: InvalidCredentialsError({shown})"


def test_a_missing_key_names_both_variables() -> None:
    """The older name of the variable counts, so it is told."""
    with pytest.raises(TypeError, match="FTRACK_API_KEY or FTRACK_APIKEY"):
        Session("http://host")


@pytest.mark.parametrize("key", [" secret-key-1", "secret-key-1\n", "secret-key-1\u2028", 5])
def test_a_key_that_no_request_can_carry(key: Any) -> None:
    """It is refused with the place that it comes from, and not shown."""
    with pytest.raises(exception.ConfigurationError, match="argument api_key") as caught:
        Session("http://host", key, "jane")
    assert "secret" not in str(caught.value)


# The environment


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_file_that_is_not_there(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable and the path are named, and nothing is repeated."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "/nowhere/ca.pem")
    http = GuardedSession()
    with pytest.raises(OSError) as caught:
        http.get("https://127.0.0.1:1")
    error = connection_error(caught.value, Route("https://127.0.0.1:1/api", http))
    assert isinstance(error, exception.ConfigurationError)
    assert "/nowhere/ca.pem" in str(error)
    assert variable in str(error)
    assert variable in first_error("https://127.0.0.1:1")


@pytest.mark.parametrize(
    ("variable", "proxy"),
    [
        ("http_proxy", "http://me:hunter22@127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
        ("HTTP_PROXY", "foo://127.0.0.1:1"),
    ],
)
def test_a_proxy_is_named_with_its_variable(
    variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that sets the proxy is told, its password is not."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv(variable, proxy)
    text = first_error("http://host.invalid")
    assert "proxy" in text
    assert variable in text
    assert "hunter22" not in text


def test_a_proxy_that_was_passed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument is told where it counts."""
    text = first_error("http://host.invalid", proxies={"http": "http://127.0.0.1:1"})
    assert "the argument proxies" in text


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_too_many_open_files() -> None:
    """A process that may open no more files is told so, whichever address it asks."""
    script = """
import os, resource, ftrack_like.session, ftrack_like.event.hub, encodings.idna
from ftrack_like._transport import faults, exchange
from ftrack_like import exception
ftrack_like.session.Session
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for url in ("http://127.0.0.1:1", "http://localhost:1"):
    try:
        ftrack_like.session.Session(url, "secret", "jane", schema_cache_path=False)
    except exception.ServerConnectionError as error:
        print(str(error).splitlines()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.count("too many open files") == 2, done.stderr
