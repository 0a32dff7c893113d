"""Input that should make the server fail: it never answers with the status 500."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from .conftest import Form, Wire, read_all

LONG = 50_001


def ask(api: Any, expression: str) -> requests.Response:
    """Return the answer to a query, which may be an error."""
    operation = {"action": "query", "expression": expression}
    return api.http.post(f"{api.url}/api", json=[operation], timeout=60)


# Queries and actions that were found to fail; tests/sandbox/test_actions_rubbish.py finds more


@pytest.mark.parametrize("pattern", ["%" * LONG, "_" * LONG, "é%" * LONG, "a" * 200_000])
@pytest.mark.parametrize("operator", ["like", "not_like"])
def test_long_patterns_are_refused_in_words(api: Any, pattern: str, operator: str) -> None:
    """A pattern beyond what the database compares is an error about the expression."""
    answer = ask(api, f'User where username {operator} "{pattern}"')
    if answer.status_code != 200:
        assert answer.json()["exception"] == "ParseError"
        assert "limit of the database" in answer.json()["content"]


@pytest.mark.parametrize(
    "expression",
    [
        "select count(id) from User where username like '{long}' group by username",
        "User where id in (select id from User where username like '{long}')",
        "select id from WebhookAction where automation.enabled > true",
        "User where is_active >= false",
        "ListObject order by custom_attributes.entity_id",
        "Task order by custom_attributes.configuration_id desc",
        "TaskTypeSchema order by types.is_billable desc",
        "NoteCategory where sort in (select user_id from UserSecurityRole)",
        "User where is_active in (select username from User)",
        "User offset 9223372036854775807",
        "User limit 9223372036854775807 offset 9223372036854775807",
    ],
)
def test_queries_that_failed_are_answered(api: Any, expression: str) -> None:
    """Queries that generated rubbish found to fail are answered, or refused in words."""
    assert ask(api, expression.format(long="%" * LONG)).status_code in {200, 400}


def test_search_for_long_terms(api: Any) -> None:
    """Terms of a search are patterns as well."""
    with pytest.raises(api.Error) as caught:
        api.call({"action": "search", "expression": "User", "terms": ["é" * LONG]})
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "values",
    [
        {"version_id": {}},
        {"version_id": {"a": 1}},
        {"version_id": []},
        {"version_id": ["x"]},
        {"version_id": 5},
        {"version_id": 10**400},
        {"version_id": True},
        {"version_id": "\0"},
        {"version_id": "../../x"},
        {"version_id": "x" * 100_000},
        {"formats": 5},
        {"formats": True},
        {"formats": "video/webm"},
        {"formats": {"video/webm": 1}},
    ],
    ids=lambda values: repr(values)[:40],
)
def test_odd_values_for_encode_media(api: Any, values: Any) -> None:
    """encode_media refuses what is no id of a version, or no list of formats."""
    component = api.create("FileComponent", name="x", file_type=".mov")
    with pytest.raises(api.Error) as caught:
        api.call({"action": "encode_media", "component_id": component, **values})
    assert caught.value.name == "ValidationError"


def test_a_page_of_nothing_has_no_next(api: Any) -> None:
    """A query with limit 0 answers no next offset: it would be the same for ever."""
    (answer,) = api.call({"action": "query", "expression": "User limit 0"})
    assert answer["data"] == []
    assert answer["metadata"]["next"]["offset"] is None


# Ranges


@pytest.fixture
def component(api: Any) -> str:
    """Return the id of a component whose data are ten bytes."""
    made = api.create("FileComponent", name="x", file_type=".txt")
    operation = {
        "action": "get_upload_metadata",
        "component_id": made,
        "file_name": "x",
        "file_size": 10,
    }
    address = api.call(operation)[0]["url"]
    requests.put(address, data=b"0123456789", timeout=30).raise_for_status()
    return str(made)


@pytest.mark.parametrize(
    "text",
    [
        "frames=1-2",
        "seconds=0-",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=x-y",
        "bytes=5-2",
        "bytes=1-2-3",
        "bytes 0-1",
        "=0-1",
        "",
        "bytes=0-1,x",
        "bytes=" + "9" * 5000 + "-",
        "bytes=" + ",".join(["0-0"] * 3000),
        "bytes=\u0661-\u0662".encode().decode("latin-1"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_ranges_that_are_not_understood_are_ignored(api: Any, component: str, text: str) -> None:
    """A Range header with an unknown unit, or none that can be read, gets the whole."""
    answer = api.http.get(
        f"{api.url}/component/get", params={"id": component}, headers={"Range": text}, timeout=30
    )
    assert (answer.status_code, answer.content) == (200, b"0123456789")


@pytest.mark.parametrize(
    ("text", "status", "content"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("Bytes = 8-", 206, b"89"),
        ("bytes=-2", 206, b"89"),
        ("bytes=20-", 416, None),
    ],
)
def test_ranges_of_bytes_are_answered(
    api: Any, component: str, text: str, status: int, content: Any
) -> None:
    """A range of bytes gets those, or the answer that there are none."""
    answer = api.http.get(
        f"{api.url}/component/get", params={"id": component}, headers={"Range": text}, timeout=30
    )
    assert answer.status_code == status
    assert content is None or answer.content == content


# Requests


WORDS = [
    *("", "x", "0", "-1", "1e400", "9" * 400, "\0", "\r\n", "\ufffd", "é", "%", "%zz", "%ff"),
    *("../../etc/passwd", "'", '"', "\\", "[]", "{}", "null", "a" * 3000, "${x}", "<script>"),
]
PATHS = [
    *("/", "/api", "/api/", "/component/get", "/component/thumbnail", "/component/remove"),
    *("/component/upload", "/socket.io/1", "/socket.io/1/", "/socket.io/1/websocket/x", "/events"),
    *("/log-in", "/log-out", "/browse", "/browse/", "/browse/context/{}", "/browse/asset/{}"),
    *("/browse/version/{}", "/browse/version/{}/note", "/browse/version/{}/status"),
    *("/browse/review/{}", "/browse/reviews", "/outbox", "/review", "/review/note"),
    *("/review/status", "/review/passphrase", "/review/shared", "/widget", "/static/{}"),
    *("/static/base.css", "/{}", "//{}", "/./{}", "/{}/{}"),
]
NAMES = [
    *("id", "size", "username", "apiKey", "signature", "expires", "part", "parts", "upload"),
    *("checksum", "holder", "limit", "api_user", "api_key", "invitee", "session", "object"),
    *("name", "user", "theme", "type", "key", "next", "offset", "status", "project", "page"),
]
METHODS = [*("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"), "X-Y"]
HEADERS = [
    *("Accept", "Accept-Encoding", "Content-Type", "Cookie", "Range", "If-Range", "If-None-Match"),
    *("If-Modified-Since", "Origin", "Referer", "ftrack-user", "ftrack-api-key", "Authorization"),
    *("ftrack-strict-api", "ftrack-clienttoken", "ftrack-like-replay", "X-Forwarded-For"),
    *("X-Forwarded-Proto", "Sec-Fetch-Site", "Access-Control-Request-Method", "Upgrade"),
]
BODIES = [
    *(b"", b"[]", b"{}", b"x", b"\xff\xfe", b"\0", b"[" * 5000, b'{"a":' * 3000, b"NaN", b"1"),
    *(b"[1]", b"[null]", b'"x"', b"a=b&a=c", b"%zz=%", b"=&=&=", b"a=%ff", b'[{"action":[]}]'),
]


class Requests:
    """Makes requests of all kinds from a *seed*."""

    def __init__(self, seed: int, headers: dict[str, str], ids: list[str]) -> None:
        self._random = random.Random(seed)
        self._headers = headers
        self._words = [*WORDS, *ids]

    def request(self) -> tuple[str, bytes]:
        """Return the method and the bytes of the next request."""
        pick, chance = self._random.choice, self._random.random
        path = pick(PATHS)
        while "{}" in path:
            path = path.replace("{}", self._quoted(), 1)
        names = [pick(NAMES) for _ in range(self._random.randrange(4))]
        query = "&".join(f"{name}={self._quoted()}" for name in names)
        method = pick(METHODS[:3] if chance() < 0.7 else METHODS)
        lines = [f"{method} {path}{'?' + query if query else ''} HTTP/1.1", "Host: localhost"]
        if chance() < 0.7:
            lines += [f"{name}: {value}" for name, value in self._headers.items()]
        for _ in range(self._random.randrange(4)):
            value = pick(self._words).replace("\0", "").replace("\r\n", " ")
            lines.append(f"{pick(HEADERS)}: {value}")
        body = pick(BODIES)
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        return method, "\r\n".join(lines).encode("utf-8") + body

    def _quoted(self) -> str:
        word = self._random.choice(self._words)
        return word if word.startswith("%") else quote(word, safe="{}[]'")


def test_all_requests_are_answered(
    api: Any, sandbox: Any, component: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Odd methods, paths, parameters, headers and bodies get an answer below 500."""
    address = urlsplit(sandbox.server_url)
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    made = Requests(1, headers, [component, str(uuid.uuid4()), "ftrack-like"])
    for number in range(600):
        _, sent = made.request()
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(sent)
            answer = read_all(connection)
        status = int(answer.split(b" ", 2)[1]) if answer else 400
        assert status < 500, f"request {number}: {sent!r}\n{answer[:500]!r}\n{caplog.text}"
        assert "Exception in ASGI application" not in caplog.text, sent


BROKEN = [
    b"\0\0\0\0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    b"POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET /api HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    b"GET /socket.io/1/websocket/x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 99\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
]


@pytest.mark.parametrize("sent", BROKEN, ids=lambda sent: ascii(sent)[2:40])
def test_broken_requests_are_answered(sandbox: Any, sent: bytes) -> None:
    """What is no request, or half of one, is refused; the server goes on."""
    address = urlsplit(sandbox.server_url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert requests.get(sandbox.server_url, timeout=30).status_code == 200


def _answer_to(sandbox: Any, sent: bytes) -> bytes:
    address = urlsplit(sandbox.server_url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(sent)
        return read_all(connection)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_headers_are_limited_however_they_arrive(
    sandbox: Any, method: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Headers of more than 16 KiB are refused, also when they come in one piece."""
    start = method + b" / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: "
    answer = _answer_to(sandbox, start + b"a" * 17_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"larger than 16384 bytes" in answer
    assert not [one for one in caplog.records if one.levelname == "ERROR"]
    answer = _answer_to(sandbox, start + b"a" * 15_000 + b"\r\n\r\n")
    assert not answer.startswith(b"HTTP/1.1 400")


def test_a_request_has_one_length(sandbox: Any) -> None:
    """Content-Length and Transfer-Encoding together are refused: proxies differ on them."""
    answer = _answer_to(
        sandbox,
        b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"not both" in answer


# Forms and websockets


@pytest.fixture
def version(api: Any, project: str) -> str:
    """Return the id of a version."""
    asset = api.create("Asset", name="plate", context_id=project)
    return str(api.create("AssetVersion", asset_id=asset))


TEXTS = ["", "x", "\0", "\ud800", "é" * 1000, "a" * 100_000, "<script>", "'; --", "9" * 500]


def test_forms_of_pages_are_answered(
    api: Any, sandbox: Any, form: Form, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a logged-in visitor sends by the forms of the pages, it is done or refused."""
    form.log_in(sandbox.api_user, sandbox.api_key)
    token = form.token(form.get("/browse").text)
    for path, name in itertools.product(("note", "status"), ("content", "status_id", "status")):
        for text in TEXTS:
            body = (
                f"form_token={quote(token)}&{name}=".encode()
                + quote(text.encode("utf-8", "surrogatepass")).encode()
            )
            answer = form.http.post(
                f"{sandbox.server_url}/browse/version/{version}/{path}",
                data=body,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                allow_redirects=False,
                timeout=60,
            )
            assert answer.status_code < 500, f"{path} {name} {text[:20]!r}\n{caplog.text}"


def _review_forms() -> Iterator[tuple[str, dict[str, str]]]:
    for text in [*TEXTS, "[]", "[[]]", '[{"points": 5}]', "[" * 5000]:
        if text != "\ud800":
            yield "note", {"content": text, "frame": "1"}
            yield "note", {"content": "x", "frame": text}
            yield "note", {"content": "x", "drawing": text}
            yield "note", {"content": "x", "reply_to": text}
            yield "status", {"status": text}
            yield "status", {"status": "approved", "object": text}
            yield "passphrase", {"passphrase": text}


def test_forms_of_reviews_are_answered(
    api: Any, project: str, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a guest sends by the forms of a review, it is done or refused."""
    dates = {
        name: {"__type__": "datetime", "value": f"{year}-01-01T00:00:00"}
        for name, year in (("start_date", 2020), ("end_date", 9000))
    }
    review = api.create("ReviewSession", name="Dailies", project_id=project, **dates)
    object_id = api.create(
        "ReviewSessionObject",
        name="Shot",
        version="1",
        version_id=version,
        review_session_id=review,
        sort_order=1,
    )
    invitee = api.create(
        "ReviewSessionInvitee", name="G", email="g@example.com", review_session_id=review
    )
    api.call({"action": "send_review_session_invite", "review_session_invitee_id": invitee})
    link = api.http.get(f"{api.url}/outbox", timeout=30).json()[-1]["links"][0]
    for path, data in _review_forms():
        answer = requests.post(
            link.replace("/review?", f"/review/{path}?"),
            data={"object": object_id, **data},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.status_code < 500, f"{path} {str(data)[:80]}\n{caplog.text}"


PACKETS = [
    *("", "5", "5:", "5:::", "5:::x", "5:::[]", "5:::{}", "5:1+::null", "9:::", "0", "2::", "8::"),
    *("6:::x+[1]", "6:::" + "9" * 400 + "+[]", "1::", "3:::x", "4:::{}", "7:::x", "x" * 100_000),
    '5:1+::{"name":"ftrack.event"}',
    '5:1+::{"name":"ftrack.event","args":5}',
    '5:1+::{"name":"ftrack.event","args":[5,null,[],{}]}',
    '5:1+::{"name":"ftrack.event","args":[{"topic":5}]}',
    '5:1+::{"name":"ftrack.event","args":[{"topic":"t","target":"(((("}]}',
    '5:1+::{"name":"ftrack.event","args":[{"topic":"t","source":{"user":{"id":[]}}}]}',
    '5:1+::{"name":"ftrack.event","args":[{"topic":"t","data":' + "[" * 3000 + "]" * 3000 + "}]}",
    '5:1+::{"name":"ftrack.event","args":[{"topic":"ftrack.meta.subscribe","data":5}]}',
    '5:1+::{"name":"ftrack.event","args":[{"topic":"ftrack.meta.unsubscribe","data":{}}]}',
    '5:1+::{"name":["ftrack.event"],"args":{}}',
]


def test_packets_of_websockets_are_survived(
    wire: Callable[..., Wire], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever comes by a websocket, the server goes on and logs no fault of its own."""
    for packet in PACKETS:
        opened = wire()
        opened.number = 10  # theirs are answered as well
        opened.socket.send(packet)
        opened.socket.send_binary(packet.encode())
        if not packet.startswith("0"):
            assert opened.emit("my.topic")["success"]
    assert "Exception" not in caplog.text


def test_the_answer_to_a_fault_names_no_internals(
    api: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the server fail nevertheless, the answer names a line of its log and no more."""

    def fail(*arguments: Any) -> Any:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(sandbox._api, "_run", fail)
    answer = api.http.post(f"{api.url}/api", data=json.dumps([]), timeout=30)
    assert answer.status_code == 500
    assert "/secret/path" not in answer.text


@pytest.mark.parametrize("limit", ["\u00b2", "\u0661", "9" * 5000, "-1", "1e3", "x"])
def test_odd_limits_of_the_audit_are_ignored(api: Any, limit: str) -> None:
    """A limit of the audit that is no number is answered with all events."""
    answer = api.http.get(f"{api.url}/events", params={"limit": limit}, timeout=60)
    assert answer.status_code == 200
    assert "events" in answer.json()
