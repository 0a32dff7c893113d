"""Nothing waits for ever: deadlines, minimum rates, repetitions, and closing a busy session."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import ftrack_like
from ftrack_like import data, exception
from ftrack_like.accessor.server import ServerFile, _ServerAccessor
from ftrack_like.event.hub import EventHub
from ftrack_like.session import RetryPolicy, Session

KEY = "secret-key-1"

HANDSHAKE = b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nabc:15:60:websocket"


class Trickler:
    """A server that sends *head* and then one byte after the other, without an end.

    *answers* maps the begin of a path to what is sent for it at once.
    """

    def __init__(self) -> None:
        self.head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n["
        self.answers: dict[str, bytes] = {}
        self.asked = threading.Event()
        self.stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            path = request.split()[1].decode()
            for start, answer in self.answers.items():
                if path.startswith(start):
                    connection.sendall(answer)
                    return
            connection.sendall(self.head)
            self.asked.set()
            while not self.stopped.wait(0.01):
                connection.sendall(b" ")

    def close(self) -> None:
        """Stop."""
        self.stopped.set()
        self._socket.close()


@pytest.fixture
def trickler() -> Iterator[Trickler]:
    """Return a server that trickles."""
    made = Trickler()
    yield made
    made.close()


@pytest.fixture
def trickled(server: Any, open_session: Any, trickler: Trickler) -> Session:
    """Return a session whose server trickles once it has started."""
    session: Session = open_session(server)
    session._server_url = trickler.url
    session.request_timeout = 0.3
    return session


heads = pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-", None], ids=["headers", "body"])


@heads
def test_start_gives_up_on_a_trickle(open_session: Any, trickler: Trickler, head: Any) -> None:
    """Bytes that never end count as no answer, however regularly they come."""
    trickler.head = head or trickler.head
    with pytest.raises(exception.ServerTimeoutError, match="did not answer in time"):
        open_session(trickler.url, timeout=0.3)


@heads
def test_a_query_gives_up_on_a_trickle(trickled: Session, trickler: Trickler, head: Any) -> None:
    """A request may take twice its time-out, and is repeated once."""
    trickler.head = head or trickler.head
    with pytest.raises(exception.ServerTimeoutError, match="did not answer in time") as caught:
        trickled.query("Task").all()
    assert "2 attempts" in str(caught.value)


def test_a_deadline_bounds_all_attempts(server: Any, open_session: Any, trickler: Trickler) -> None:
    """With a deadline nothing is repeated after it, whatever the time-out is."""
    session = open_session(server, deadline=0.4, timeout=30)
    session._server_url = trickler.url
    with pytest.raises(exception.ServerTimeoutError, match=r"deadline of 0.4 s") as caught:
        session.query("Task").all()
    assert "attempts" not in str(caught.value)


@heads
def test_a_download_needs_a_minimum_rate(trickled: Session, trickler: Trickler, head: Any) -> None:
    """A transfer that moves less than a kilobyte a second is given up, in words."""
    trickler.head = head or trickler.head
    with pytest.raises(exception.AccessorOperationFailedError, match="timed out"):
        ServerFile("id", trickled).read()


def test_an_upload_needs_a_minimum_rate(trickled: Session, trickler: Trickler) -> None:
    """A storage that takes the data and trickles its answer is given up."""
    trickler.head = b"HTTP/1.1 200 OK\r\nX-"
    trickled.get = lambda *arguments: None  # type: ignore[method-assign]
    trickled.get_upload_metadata = lambda **arguments: {  # type: ignore[method-assign]
        "url": f"{trickler.url}/put",
        "headers": {},
    }
    with pytest.raises(exception.AccessorOperationFailedError, match="timed out"):
        _ServerAccessor(trickled).receive("id", data.String(b"x"))


@pytest.mark.parametrize("path", ["/socket.io/1/", "/socket.io/1/websocket"])
def test_connecting_to_the_event_server_has_a_deadline(trickler: Trickler, path: str) -> None:
    """The handshake and the upgrade of the websocket count together."""
    trickler.head = b"HTTP/1.1 101 Switching Protocols\r\nX-"
    if path.endswith("websocket"):
        trickler._serve = _upgrading(trickler)  # type: ignore[method-assign]
    hub = EventHub(trickler.url, "jane", KEY, deadline=0.5)
    with pytest.raises(exception.EventHubConnectionError, match=r"deadline of 0.5 s"):
        hub.connect()


def _upgrading(trickler: Trickler) -> Any:
    """Return how *trickler* serves when the handshake is answered and the upgrade trickles."""
    serve = trickler._serve

    def chosen(connection: socket.socket) -> None:
        begin = connection.recv(65536, socket.MSG_PEEK)
        trickler.answers = {} if b"/websocket/" in begin else {"/socket.io/1/": HANDSHAKE}
        serve(connection)

    return chosen


def test_the_event_hub_of_a_session_shares_its_bounds(server: Any, open_session: Any) -> None:
    """A deadline, or a short time-out, bounds connecting to the event server too."""
    assert open_session(server, deadline=3).event_hub._settings.deadline == 3
    assert open_session(server, timeout=1).event_hub._settings.deadline == 2
    assert open_session(server).event_hub._settings.deadline is None


def test_closing_ends_a_running_request(trickled: Session, trickler: Trickler) -> None:
    """The thread that waits gets a ConnectionClosedError at once."""
    trickled.request_timeout = 600
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            trickled.query("Task").all()
        except exception.Error as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert trickler.asked.wait(60)
    trickled.close()
    thread.join(60)
    assert isinstance(raised[0], exception.ConnectionClosedError)


@pytest.mark.parametrize("writes", [False, True], ids=["query", "commit"])
def test_closing_ends_the_wait_before_a_repetition(
    server: Any, open_session: Any, replies: Any, monkeypatch: pytest.MonkeyPatch, writes: bool
) -> None:
    """A query and a commit of a session that is closed are not sent again."""
    session = open_session(server)
    monkeypatch.setattr(RetryPolicy, "delay", lambda *arguments: 600.0)
    server.answer = lambda batch: replies.Reply(status=503)
    monkeypatch.setattr(session._statistics, "count", _closing(session))
    if writes:
        session.create("User", {"username": "jane"})
    with pytest.raises(exception.ConnectionClosedError):
        session.commit() if writes else session.query("Task").all()


def _closing(session: Session) -> Any:
    """Return a counter that closes *session* from another thread when it counts a retry."""

    def count(**counts: int) -> None:
        if "retries" in counts:
            threading.Thread(target=session.close).start()

    return count


def test_a_silent_server_is_asked_twice(server: Any, open_session: Any) -> None:
    """Time-outs repeat once, so that a short time-out gives a short wait."""
    session = open_session(server)
    session.request_timeout = 0.2
    released = threading.Event()
    server.answer = lambda batch: released.wait(60)
    with pytest.raises(exception.ServerTimeoutError, match="2 attempts"):
        session.query("Task").all()
    released.set()


@pytest.fixture
def updated(server: Any, open_session: Any) -> Session:
    """Return a session with a change to commit; the server answers no commit in time."""
    session: Session = open_session(server)
    user = session.create("User", {"username": "jane"})
    session.commit()
    user["username"] = "joe"
    server.requests.clear()
    return session


def test_a_commit_is_sent_twice_to_a_silent_server(
    updated: Session, server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A commit that times out is repeated once, with a warning."""
    updated.request_timeout = 0.2
    released = threading.Event()
    server.answer = lambda batch: released.wait(60)
    with pytest.raises(exception.ServerTimeoutError, match="2 attempts"):
        updated.commit()
    released.set()
    assert len(server.requests) == 2
    told = [each for each in caplog.records if each.getMessage().startswith("Repeating a commit")]
    assert [each.levelname for each in told] == ["WARNING"]


def test_a_deadline_bounds_a_commit(
    updated: Session, server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is not sent again after its deadline."""
    monkeypatch.setattr(RetryPolicy, "delay", lambda *arguments: 600.0)
    updated._connection_settings = updated._connection_settings._replace(deadline=60)
    server.answer = lambda batch: replies.Reply(status=503)
    with pytest.raises(exception.ServerConnectionError):
        updated.commit()
    assert len(server.requests) == 1


# Repetitions


def test_the_first_repetition_is_a_warning(
    server: Any, open_session: Any, replies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It says what is repeated, why, how long that may take and what sets the bound."""
    session = open_session(server)
    server.next_answers = [replies.Reply(status=503)] * 3
    with caplog.at_level(logging.DEBUG, "ftrack_like"):
        session.query("Task").all()
    told = [each for each in caplog.records if each.getMessage().startswith("Repeating")]
    assert [each.levelname for each in told] == ["WARNING", "DEBUG", "DEBUG"]
    text = told[0].getMessage()
    assert all(part in text for part in ("query", "503", "up to", "FTRACK_API_RETRY_SECONDS"))


@pytest.mark.parametrize(
    ("policy", "requests"),
    [(RetryPolicy(attempts=1), 1), (RetryPolicy(attempts=3), 3), (RetryPolicy(total_time=0), 1)],
)
def test_a_policy_bounds_repetitions(
    server: Any, open_session: Any, replies: Any, policy: RetryPolicy, requests: int
) -> None:
    """The argument retry says how often a failing call is sent."""
    session = open_session(server, retry=policy)
    server.requests.clear()
    server.answer = lambda batch: replies.Reply(status=503)
    with pytest.raises(exception.ServerConnectionError):
        session.query("Task").all()
    assert len(server.requests) == requests


def test_the_environment_bounds_repetitions(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FTRACK_API_RETRY_SECONDS sets the bound; the argument comes first; nonsense is told."""
    monkeypatch.setenv("FTRACK_API_RETRY_SECONDS", "7.5")
    assert open_session(server)._calls.policy == RetryPolicy(total_time=7.5)
    assert open_session(server, retry=RetryPolicy(2))._calls.policy.attempts == 2
    for text in ("soon", "-1", "nan"):
        monkeypatch.setenv("FTRACK_API_RETRY_SECONDS", text)
        with pytest.raises(exception.ConfigurationError, match="FTRACK_API_RETRY_SECONDS"):
            open_session(server)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"retry": 5}, TypeError),
        ({"retry": RetryPolicy(attempts=0)}, ValueError),
        ({"retry": RetryPolicy(total_time=-1)}, ValueError),
        ({"deadline": 0}, ValueError),
        ({"deadline": -2.5}, ValueError),
    ],
)
def test_bounds_that_make_no_sense_are_refused(server: Any, options: Any, kind: Any) -> None:
    """They are told before anything is sent."""
    with pytest.raises(kind):
        Session(server.url, KEY, "jane", **options)
    assert not server.requests


def test_the_policy_is_public() -> None:
    """It can be imported from the package."""
    assert ftrack_like.RetryPolicy is RetryPolicy


# Sizes


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br"])
def test_an_answer_that_decompresses_without_end_is_refused(
    server: Any, open_session: Any, replies: Any, encoding: str
) -> None:
    """It is refused after a bounded part of it, and not asked for again."""
    session = open_session(server)
    server.requests.clear()
    bomb = replies.Reply(gzip.compress(bytes(64 << 20)), headers={"Content-Encoding": encoding})
    server.answer = lambda batch: bomb
    with pytest.raises(exception.ServerAnswerError, match=r"too long|not asked for"):
        session.query("Task").all()
    assert len(server.requests) == 1
    with pytest.raises(exception.AccessorOperationFailedError, match=r"too long|not asked for"):
        ServerFile("id", session).read()
    with pytest.raises(exception.EventHubConnectionError, match=r"too long|not asked for"):
        session.event_hub.connect()


def test_a_compressed_answer_is_read(server: Any, open_session: Any, replies: Any) -> None:
    """Gzip is asked for and understood; one that is cut short is asked for again."""
    session = open_session(server)
    answer = b'[{"action": "query", "data": [], "metadata": {}}]'
    whole = gzip.compress(answer)
    headers = {"Content-Encoding": "gzip"}
    server.next_answers = [replies.Reply(whole[:-9], headers=headers)]
    server.answer = lambda batch: replies.Reply(whole, headers=headers)
    assert session.query("Task").all() == []
    assert session.statistics.retries == 1
    assert "gzip" in server.requests[-1][2]["Accept-Encoding"]


def test_the_page_of_a_redirect_is_not_decompressed(
    server: Any, open_session: Any, replies: Any
) -> None:
    """Reading follows a redirect whose page would decompress without end."""
    session = open_session(server)
    headers = {"Content-Encoding": "gzip", "Location": "/elsewhere"}
    bomb = replies.Reply(gzip.compress(bytes(64 << 20)), status=302, headers=headers)
    server.next_answers = [bomb]
    server.answer = lambda batch: replies.Reply(b"content")
    assert ServerFile("id", session).read() == b"content"
