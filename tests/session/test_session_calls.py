"""Calls: what is repeated, what is refused, and what is told of it."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from ftrack_like import exception
from ftrack_like._session.batch import RawBatch
from ftrack_like._transport.retry import RetryBudget

KEY = "secret-key-1"
QUERY = [{"action": "query", "expression": "select id from Task"}]


@pytest.fixture
def session(server: Any, open_session: Any) -> Any:
    """Return a session on the canned server, with the requests of its start forgotten."""
    made = open_session(server)
    del server.requests[:]
    made.statistics.reset()
    return made


def test_batch_is_sent_as_it_is(session: Any, server: Any) -> None:
    """A batch travels as a list of operations, and its results come back in order."""
    server.answer = lambda batch: [{"number": index} for index, _ in enumerate(batch)]
    assert session.call([{"action": "foo"}, {"action": "bar"}]) == [{"number": 0}, {"number": 1}]
    assert server.batches == [[{"action": "foo"}, {"action": "bar"}]]


def test_older_name_of_call(session: Any, server: Any) -> None:
    """``_call`` does what ``call`` does."""
    assert session._call(QUERY)[0]["data"] == []


def test_results_hold_detached_entities(session: Any, server: Any) -> None:
    """Entities in the results of a call are entities, and not the session's own."""
    record = {"__entity_type__": "Task", "id": "1", "name": "a"}
    answer = {"action": "query", "data": [record], "metadata": {"next": {"offset": None}}}
    server.answer = lambda batch: [answer]
    entity = session.call(QUERY)[0]["data"][0]
    assert entity["name"] == "a"
    assert not [key for key in session.cache.keys() if "Task" in key]
    raw = session.call(RawBatch(QUERY))[0]["data"][0]
    assert raw == record


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_reading_is_repeated_when_the_server_is_busy(
    session: Any, server: Any, replies: Any, status: int
) -> None:
    """A passing fault of a read is not seen by the caller."""
    server.next_answers = [replies.Reply(b"<title>Busy</title>", status=status)] * 2
    assert session.query("Task").all() == []
    assert len(server.requests) == 3
    assert session.statistics.retries == 2


def test_reading_is_repeated_after_a_reset(session: Any, server: Any, replies: Any) -> None:
    """A connection that breaks before the answer is opened again."""
    server.next_answers = [replies.RESET]
    assert session.query("Task").all() == []
    assert session.statistics.retries == 1


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_reading_is_repeated_when_the_answer_is_cut(
    session: Any, server: Any, replies: Any, cut: int
) -> None:
    """An answer that ends too early is asked for again, never taken for the whole."""
    server.next_answers = [lambda batch: replies.Reply(replies.plain_answer(batch), cut=cut)]
    assert session.query("Task").all() == []
    assert len(server.requests) == 2


def test_half_an_answer_of_the_right_length_is_noticed(
    session: Any, server: Any, replies: Any
) -> None:
    """JSON that ends in the middle is an answer cut short by somebody on the way."""
    server.next_answers = [replies.Reply(b'[{"action": "query", "data": [')]
    assert session.query("Task").all() == []
    assert len(server.requests) == 2


def test_a_third_of_failing_reads_is_not_noticed(session: Any, server: Any, replies: Any) -> None:
    """With every third answer failing, a hundred queries succeed."""
    count = iter(range(10_000))

    def answer(batch: Any) -> Any:
        if next(count) % 3 == 0:
            return replies.Reply(b"", status=503)
        return replies.plain_answer(batch)

    server.answer = answer
    assert [session.query("Task").all() for _ in range(100)] == [[]] * 100
    assert session.statistics.retries >= 33


def test_exhausted_reads_say_how_often_and_where(session: Any, server: Any, replies: Any) -> None:
    """When it does not help, one error says status, attempts and address."""
    server.answer = lambda batch: replies.Reply(b"<title>Down</title>", status=503)
    with pytest.raises(exception.ServerConnectionError) as caught:
        session.query("Task").all()
    text = str(caught.value)
    assert "503" in text
    assert f"{server.url}/api" in text
    assert "9 attempts" in text
    assert len(server.requests) == 9


def test_an_outage_is_not_multiplied(session: Any, server: Any, replies: Any) -> None:
    """Once a call has given up, others give up at once, until the server has answered again."""
    server.answer = lambda batch: replies.Reply(b"", status=503)
    with pytest.raises(exception.ServerConnectionError, match="9 attempts"):
        session.query("Task").all()
    del server.requests[:]
    for _ in range(3):
        with pytest.raises(exception.ServerConnectionError):
            session.query("Task").all()
    assert len(server.requests) == 3
    server.answer = replies.plain_answer
    session.query("Task").all()
    server.next_answers = [replies.Reply(b"", status=503)] * 4
    assert session.query("Task").all() == []


def test_threads_share_what_they_may_repeat(session: Any, server: Any, replies: Any) -> None:
    """Many threads that meet an outage together do not ask many times as often."""
    session._calls.budget = RetryBudget(capacity=20)
    server.answer = lambda batch: replies.Reply(b"", status=503)

    def ask(number: int) -> bool:
        with pytest.raises(exception.ServerConnectionError):
            session.query(f"Task where name is a{number}").all()
        return True

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(ask, range(12)))
    assert 12 < len(server.requests) <= 32


def test_exhausted_connections_say_the_same(session: Any, server: Any, replies: Any) -> None:
    """A connection that keeps breaking ends in the same class, which callers catch already."""
    server.answer = lambda batch: replies.RESET
    with pytest.raises(requests.exceptions.ConnectionError) as caught:
        session.query("Task").all()
    assert isinstance(caught.value, exception.ServerConnectionError)
    assert "Gave up after 9 attempts" in str(caught.value)
    assert caught.value.__cause__ is not None


def test_server_that_goes_away_and_comes_back(server: Any, open_session: Any) -> None:
    """Once the server has answered, being unreachable is worth waiting for."""
    session = open_session(server)
    session._calls.policy = type(session._calls.policy)(attempts=3)
    server.close()
    session._request.close()  # The connection that is open still would be served.
    with pytest.raises(exception.ServerConnectionError) as caught:
        session.query("Task").all()
    assert not caught.value.request_sent
    assert "3 attempts" in str(caught.value)


def test_considered_word_is_not_asked_for_again(session: Any, server: Any, replies: Any) -> None:
    """An error that the server explains is believed at once, whatever its status."""
    fault = {"exception": "ValidationError", "content": "No.", "error_code": None}
    server.answer = lambda batch: replies.Reply(fault, status=500)
    with pytest.raises(exception.ServerValidationError):
        session.query("Task").all()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "operation",
    [
        {"action": "get_widget_url", "name": "tasks"},
        {"action": "get_upload_metadata", "component_id": "c", "file_name": "a", "file_size": 1},
        {"action": "search", "entity_type": "Task", "terms": []},
    ],
)
def test_actions_that_only_read_are_repeated(
    session: Any, server: Any, replies: Any, operation: Any
) -> None:
    """An action that changes nothing is sent again when its answer is lost."""
    server.next_answers = [replies.RESET, replies.Reply(b"", status=503)]
    session.call([operation])
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "operation",
    [
        {"action": "get_upload_metadata", "component_id": "c", "file_name": "a", "parts": 2},
        {"action": "complete_multipart_upload", "component_id": "c", "upload_id": "u"},
        {"action": "encode_media", "component_id": "c"},
        {"action": "reset_remote", "reset_type": "api_key"},
        {"action": "delayed_job", "job_type": "x"},
    ],
)
def test_a_batch_with_an_action_that_writes_is_not_repeated(
    session: Any, server: Any, replies: Any, operation: Any
) -> None:
    """An action that may change something is not sent again, not even beside a query."""
    server.next_answers = [replies.RESET]
    with pytest.raises(exception.ServerConnectionError):
        session.call([{"action": "query", "expression": "Task"}, operation])
    assert len(server.requests) == 1


def test_other_actions_are_not_repeated(session: Any, server: Any, replies: Any) -> None:
    """What may have changed something is not sent again by itself."""
    server.next_answers = [replies.RESET]
    with pytest.raises(exception.ServerConnectionError):
        session.call([{"action": "send_user_invite", "user_id": "1"}])
    assert len(server.requests) == 1


def test_wait_that_the_server_asks_for_is_kept(session: Any, server: Any, replies: Any) -> None:
    """Retry-After is waited for before asking again, in seconds."""
    server.next_answers = [replies.Reply(b"", status=429, headers={"Retry-After": "200"})]
    begun = time.monotonic()
    with pytest.raises(exception.ServerConnectionError):
        session.query("Task").all()
    # More than the time that is allowed in all: not worth waiting.
    assert time.monotonic() - begun < 1
    server.next_answers = [replies.Reply(b"", status=429, headers={"Retry-After": "50"})]
    begun = time.monotonic()
    session.query("Task").all()
    assert time.monotonic() - begun >= 0.05


@pytest.mark.parametrize(
    ("name", "class_"),
    [
        ("PermissionError", exception.ServerPermissionDeniedError),
        ("ValidationError", exception.ServerValidationError),
        ("DuplicateEntryError", exception.ServerNotUniqueError),
        ("InvalidCredentialsError", exception.ServerAuthenticationError),
        ("FTAuthenticationError", exception.ServerAuthenticationError),
        ("ParseError", exception.ServerParseError),
        ("QueryError", exception.ServerParseError),
        ("NotFoundError", exception.ServerNotFoundError),
        ("SomethingNewError", exception.ServerError),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_faults_have_classes(
    session: Any, server: Any, replies: Any, name: str, class_: type, status: int
) -> None:
    """Each fault of the server has a class of its own, with its words and code."""
    fault = {"exception": name, "content": "Invalid action u'foo'", "error_code": "code"}
    server.answer = lambda batch: replies.Reply(fault, status=status)
    with pytest.raises(exception.ServerError) as caught:
        session.call([{"action": "foo"}])
    assert type(caught.value) is class_
    assert caught.value.error_code == "code"
    assert caught.value.exception_name == name
    assert f"{name}(Invalid action u'foo')" in str(caught.value)


def test_carets_keep_their_column(session: Any, server: Any) -> None:
    """The lines after the first of the server's text are shown as they are."""
    content = "Expected a value.\n  Task where name is\n                    ^"
    server.answer = lambda batch: {"exception": "ParseError", "content": content}
    with pytest.raises(exception.ServerParseError) as caught:
        session.call(QUERY)
    assert str(caught.value).splitlines()[1:] == content.splitlines()[1:]


def test_invalid_utf8_is_an_error(session: Any, server: Any, replies: Any) -> None:
    """An answer in another encoding is refused, not guessed at."""
    server.answer = lambda batch: replies.Reply('[{"data": "é"}]'.encode("latin-1"))
    with pytest.raises(exception.ServerAnswerError, match="UTF-8"):
        session.call([{"action": "foo"}])


def test_texts_travel_in_utf8(session: Any, server: Any, replies: Any) -> None:
    """What is sent and received is UTF-8, whatever the headers say."""
    body = json.dumps([{"data": "héllo ☃"}], ensure_ascii=False).encode()
    headers = {"Content-Type": "text/plain; charset=latin-1"}
    server.answer = lambda batch: replies.Reply(body, headers=headers)
    assert session.call([{"action": "foo", "text": "ü"}]) == [{"data": "héllo ☃"}]
    assert server.batches[0][0]["text"] == "ü"


@pytest.mark.parametrize("results", [[], [None, None], {"action": "query"}, None, "text", [None]])
def test_wrong_answers_to_queries(session: Any, server: Any, results: Any) -> None:
    """An answer that is no answer to the query is an error, not an empty result."""
    server.answer = lambda batch: results
    with pytest.raises(exception.ServerAnswerError):
        session.query("Task").all()


def test_redirect_to_another_host_is_refused(
    session: Any, server: Any, replies: Any, open_session: Any
) -> None:
    """The key is not sent to where an answer points; the error says the place."""
    target = f"http://localhost:{server.url.rpartition(':')[2]}/api"
    server.next_answers = [replies.Reply(status=307, headers={"Location": target})]
    with pytest.raises(exception.ServerError, match="redirects to another place") as caught:
        session.query("Task").all()
    assert target in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_on_the_same_host_is_followed(
    session: Any, server: Any, replies: Any, status: int
) -> None:
    """A server may move its address; the batch goes there as it was."""
    server.next_answers = [replies.Reply(status=status, headers={"Location": "/new/api"})]
    assert session.query("Task").all() == []
    assert [(method, path) for method, path, _, _ in server.requests] == [
        ("POST", "/api"),
        ("POST", "/new/api"),
    ]
    assert server.batches[0] == server.batches[1]


def test_redirects_in_circles_end(session: Any, server: Any, replies: Any) -> None:
    """Redirects that never end are given up."""
    server.answer = lambda batch: replies.Reply(status=307, headers={"Location": "/api"})
    with pytest.raises(exception.ServerError, match="circles"):
        session.query("Task").all()


def test_file_reads_follow_without_credentials(session: Any, server: Any, replies: Any) -> None:
    """A read that is redirected to another host follows with nothing of ours."""
    session._request.headers["x-studio"] = "1"
    session._request.cookies.set("gate", "open")
    port = server.url.rpartition(":")[2]
    target = f"http://localhost:{port}/storage"
    server.next_answers = [replies.Reply(status=302, headers={"Location": target})]
    server.answer = lambda batch: replies.Reply(b"data")
    response = session._request.get(f"{server.url}/component/get?id=1")
    assert response.content == b"data"
    first, second = (headers for _, _, headers, _ in server.requests)
    assert first["ftrack-api-key"] == KEY
    assert first["x-studio"] == "1"
    sent = {name.lower() for name in second}
    assert not sent & {"ftrack-api-key", "ftrack-user", "x-studio", "cookie", "referer"}


def test_authentication_leaves_the_key_at_home_in_any_session(server: Any, replies: Any) -> None:
    """Also a plain requests session with our authentication keeps the key from other hosts."""
    from ftrack_like.session import SessionAuthentication

    port = server.url.rpartition(":")[2]
    target = f"http://localhost:{port}/storage"
    server.next_answers = [replies.Reply(status=302, headers={"Location": target})]
    server.answer = lambda batch: replies.Reply(b"data")
    with requests.Session() as plain:
        plain.auth = SessionAuthentication(KEY, "jane")
        plain.get(server.url)
    first, second = (headers for _, _, headers, _ in server.requests)
    assert (first["ftrack-api-key"], first["ftrack-user"]) == (KEY, "jane")
    assert second["ftrack-api-key"] is second["ftrack-user"] is None


def test_time_out_is_told(server: Any, open_session: Any) -> None:
    """A server that does not answer in time is a time-out, as requests knows it too."""
    release = threading.Event()
    session = open_session(server, timeout=0.1)
    session._calls.policy = type(session._calls.policy)(attempts=1)

    def stall(batch: Any) -> Any:
        release.wait(10)
        return []

    server.answer = stall
    with pytest.raises(exception.ServerTimeoutError) as caught:
        session.query("Task").all()
    release.set()
    assert isinstance(caught.value, requests.exceptions.ReadTimeout)
    assert "did not answer in time" in str(caught.value)


@pytest.mark.parametrize(
    ("timeout", "connect", "expected"),
    [
        (60, None, 60),
        (None, None, None),
        (60, 5, (5, 60)),
        (None, 5, (5, None)),
        ((1, 2), 5, (1, 2)),
    ],
)
def test_time_outs_reach_requests(
    server: Any, open_session: Any, timeout: Any, connect: Any, expected: Any
) -> None:
    """The read and the connect time-out are passed on; a pair says both already."""
    session = open_session(server, timeout=timeout, connect_timeout=connect)
    seen = []
    original = session._request.post

    def post(*args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["timeout"])
        return original(*args, **kwargs)

    session._request.post = post
    session.query("Task").all()
    assert seen == [expected]


def test_tls_settings_beat_the_environment(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is passed as verify counts also when the environment names a CA bundle."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    (tmp_path / "c.pem").touch()
    session = open_session(
        server, verify=False, cert=str(tmp_path / "c.pem"), proxies={"https": "http://p:1"}
    )
    settings = session._request.merge_environment_settings("https://x", {}, False, None, None)
    assert settings["verify"] is False
    assert settings["cert"] == str(tmp_path / "c.pem")
    assert settings["proxies"] == {"https": "http://p:1"}
    session._request.verify = True
    settings = session._request.merge_environment_settings("https://x", {}, False, None, None)
    assert settings["verify"] == "/nowhere/ca.pem"


@pytest.mark.parametrize("name", ["verify", "cert"])
def test_missing_certificates_are_named(server: Any, open_session: Any, name: str) -> None:
    """A CA bundle or certificate that does not exist is said before the server is asked."""
    with pytest.raises(exception.ConfigurationError, match=f"{name}.*/nowhere/it.pem"):
        open_session(server, **{name: "/nowhere/it.pem"})
    assert server.requests == []


def test_statistics_count(session: Any, server: Any, replies: Any) -> None:
    """Requests, repetitions and bytes are counted; the counters can be set back."""
    server.next_answers = [replies.RESET]
    session.query("Task").all()
    counted = session.statistics
    assert (counted.requests, counted.retries) == (2, 1)
    assert counted.bytes_sent == 2 * len(json.dumps(server.batches[0], sort_keys=True))
    assert counted.bytes_received == len(json.dumps(replies.plain_answer(server.batches[0])))
    assert "requests=2" in repr(counted)
    counted.reset()
    assert set(counted.as_dict().values()) == {0}


def test_threads_do_not_wait_for_each_other(session: Any, server: Any, replies: Any) -> None:
    """Several threads can be waiting for the server at the same time."""
    together = threading.Barrier(4, timeout=10)

    def answer(batch: Any) -> Any:
        together.wait()  # Breaks unless four requests are here at once.
        return replies.plain_answer(batch)

    server.answer = answer
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(session.query("Task").all())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[]] * 4
