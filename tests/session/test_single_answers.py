"""Single answers of a server: what becomes of their status, headers and body.

No socket is open here. What concerns connections is tested against a real server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest
import requests

from ftrack_like import exception
from ftrack_like.session import Session

responses = pytest.importorskip("responses", reason="the package 'responses' is not installed")

KEY = "secret-key-1"
SITE = "https://studio.test"
QUERY = [{"action": "query", "expression": "select id from Task"}]


@pytest.fixture
def mocked() -> Iterator[Any]:
    """Return what answers all requests of the test; nothing reaches the network."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as made:
        yield made


@pytest.fixture
def session(mocked: Any, replies: Any, open_session: Callable[..., Session]) -> Session:
    """Return a session whose start was answered; the mock holds no answer any more."""

    def start(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        batch = json.loads(request.body or "[]")
        return 200, {}, json.dumps(replies.plain_answer(batch))

    mocked.add_callback(responses.POST, f"{SITE}/api", start)
    made = open_session(SITE)
    mocked.reset()
    return made


def answer(mocked: Any, body: Any, status: int = 200, **more: Any) -> None:
    """Let the server answer the next batches with *body*, a value or bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8")
    mocked.add(responses.POST, f"{SITE}/api", body=content, status=status, **more)


def fault(name: str, content: str, code: Optional[str] = None) -> dict[str, Any]:
    """Return a fault as servers send it."""
    return {"exception": name, "content": content, "error_code": code}


def test_considered_word_is_not_asked_for_again(session: Session, mocked: Any) -> None:
    """The client believes an error that the server explains at once, whatever its status."""
    answer(mocked, fault("ValidationError", "No."), 500)
    with pytest.raises(exception.ServerValidationError):
        session.query("Task").all()
    assert len(mocked.calls) == 1


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
    session: Session, mocked: Any, name: str, class_: type, status: int
) -> None:
    """Each fault of the server has a class with its words and its code."""
    answer(mocked, fault(name, "Invalid action u'foo'", "code"), status)
    with pytest.raises(exception.ServerError) as caught:
        session.call([{"action": "foo"}])
    assert type(caught.value) is class_
    assert caught.value.error_code == "code"
    assert caught.value.exception_name == name
    assert f"{name}(Invalid action u'foo')" in str(caught.value)


def test_carets_keep_their_column(session: Session, mocked: Any) -> None:
    """An error shows the lines after the first of the server's text as they are."""
    content = "Expected a value.\n  Task where name is\n                    ^"
    answer(mocked, fault("ParseError", content))
    with pytest.raises(exception.ServerParseError) as caught:
        session.call(QUERY)
    assert str(caught.value).splitlines()[1:] == content.splitlines()[1:]


def test_invalid_utf8_is_an_error(session: Session, mocked: Any) -> None:
    """The client refuses an answer in another encoding."""
    answer(mocked, '[{"data": "é"}]'.encode("latin-1"))
    with pytest.raises(exception.ServerAnswerError, match="UTF-8"):
        session.call([{"action": "foo"}])


def test_texts_travel_in_utf8(session: Session, mocked: Any) -> None:
    """The client sends and reads UTF-8, whatever the headers of the answer say."""
    body = json.dumps([{"data": "héllo ☃"}], ensure_ascii=False).encode()
    answer(mocked, body, content_type="text/plain; charset=latin-1")
    assert session.call([{"action": "foo", "text": "ü"}]) == [{"data": "héllo ☃"}]
    assert json.loads(mocked.calls[0].request.body)[0]["text"] == "ü"


@pytest.mark.parametrize("results", [[], [None, None], {"action": "query"}, None, "text", [None]])
def test_wrong_answers_to_queries(session: Session, mocked: Any, results: Any) -> None:
    """An answer that does not fit the query raises an error; it is no empty result."""
    answer(mocked, results)
    with pytest.raises(exception.ServerAnswerError):
        session.query("Task").all()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_another_host_is_refused(session: Session, mocked: Any, status: int) -> None:
    """The client does not send the key to where an answer points; the error names the place."""
    answer(mocked, b"", status, headers={"Location": "https://elsewhere.test/api"})
    with pytest.raises(exception.ServerError, match="redirects to another host") as caught:
        session.query("Task").all()
    assert "https://elsewhere.test/api" in str(caught.value)
    assert len(mocked.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_on_the_same_host_is_followed(
    session: Session, mocked: Any, replies: Any, status: int
) -> None:
    """A server may move its address; the client sends the same batch there."""
    answer(mocked, b"", status, headers={"Location": "/new/api"})
    page = json.dumps(replies.plain_answer(QUERY))
    mocked.add(responses.POST, f"{SITE}/new/api", body=page)
    assert session.query("Task").all() == []
    first, second = (call.request for call in mocked.calls)
    assert (first.url, second.url) == (f"{SITE}/api", f"{SITE}/new/api")
    assert first.body == second.body


def test_redirects_in_circles_end(session: Session, mocked: Any) -> None:
    """The client gives up on redirects that never end."""
    answer(mocked, b"", 307, headers={"Location": "/api"})
    with pytest.raises(exception.ServerError, match="circles"):
        session.query("Task").all()


@pytest.mark.parametrize("status", [404, 405, 418])
def test_page_that_is_no_answer_is_named(session: Session, mocked: Any, status: int) -> None:
    """An HTML page in the place of an answer is named by its status and title, within 2 KB."""
    page = f"<html><title>Nothing here</title>{'x' * 10_000}</html>".encode()
    answer(mocked, page, status, content_type="text/html")
    with pytest.raises(exception.ServerError) as caught:
        session.query("Task").all()
    assert str(status) in str(caught.value)
    assert "Nothing here" in str(caught.value)
    assert len(str(caught.value)) < 2_048
    assert KEY not in str(caught.value)


def test_answer_whose_headers_broke_off(session: Session, mocked: Any, replies: Any) -> None:
    """An empty answer without a length counts as lost, so that the query is repeated."""
    answer(mocked, b"")
    answer(mocked, replies.plain_answer(QUERY))
    assert session.call(QUERY)[0]["data"] == []
    mocked.reset()
    answer(mocked, b"")
    session.create("Task", {"name": "t"})
    with pytest.raises(exception.ServerConnectionError, match="broke off: it is empty"):
        session.commit()
    assert session.in_doubt


def test_empty_page_is_no_answer(session: Session, mocked: Any) -> None:
    """An empty page that is complete comes from another server, and is not asked for again."""
    answer(mocked, b"", headers={"content-length": "0"})
    with pytest.raises(exception.ServerAnswerError, match="is empty"):
        session.call(QUERY)
    assert len(mocked.calls) == 1
