"""Answers of a wrong shape are errors of the library, whatever is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.session import RetryPolicy

RECORD = {
    "__entity_type__": "Task",
    "id": "t1",
    "name": "n",
    "status": {"__entity_type__": "Status", "id": "s1"},
    "children": [{"__entity_type__": "Task", "id": "t2"}],
}

#: What a server may send in the place of something else.
ODD: list[Any] = [
    None,
    1,
    "x",
    [],
    [None],
    {"a": 1},
    {"__entity_type__": [1]},
    {"__entity_type__": "Nope", "id": "1"},
    {"__entity_type__": "Task", "id": [1]},
    {"__type__": [], "value": 5},
    {"__type__": "datetime", "value": 5},
]


def page(data: Any, **more: Any) -> list[Any]:
    """Return the answer to one query."""
    return [{"action": "query", "data": data, "metadata": {"next": {"offset": None}}, **more}]


@pytest.fixture
def session(server: Any, open_session: Any) -> Any:
    """Return a session on ``server`` that repeats nothing."""
    return open_session(server, retry=RetryPolicy(attempts=1))


def read(session: Any) -> None:
    """Read all tasks with their values; errors of the library are as they should be."""
    try:
        with session.auto_populating(False):
            for task in session.query("Task"):
                for name in task.keys():
                    task[name]
    except exception.Error:
        pass


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_in_a_page(session: Any, server: Any, odd: Any, plain: bool) -> None:
    """Nothing but errors of the library comes of them, on both ways to read a page."""
    if plain:
        decode = session._decode
        session._decode = lambda item: decode(item)
    answers = [odd, [odd], page(odd), page([odd]), page([], metadata=odd)]
    answers += [page([], metadata={"next": odd}), page([], metadata={"next": {"offset": odd}})]
    answers += [page([{**RECORD, name: odd}]) for name in RECORD]
    for answer in answers:
        server.answer = lambda batch, answer=answer: answer
        read(session)


@pytest.mark.parametrize("data", [None, 5, "x", {}, [None], [5], [[]], [{"name": "x"}]])
def test_a_page_without_entities_is_refused(session: Any, server: Any, data: Any) -> None:
    """``data: null`` and the like are told, instead of read as nothing."""
    server.answer = lambda batch: page(data)
    with pytest.raises(exception.ServerAnswerError):
        session.query("Task").all()


@pytest.mark.parametrize("offset", ["5", 1.5, True, []])
def test_an_offset_that_is_no_number_is_refused(session: Any, server: Any, offset: Any) -> None:
    """Pages are not asked for at a place that makes no sense."""
    server.answer = lambda batch: page([], metadata={"next": {"offset": offset}})
    with pytest.raises(exception.ServerAnswerError, match="offset"):
        session.query("Task").all()


@pytest.mark.parametrize(
    "text",
    [
        b"[1" + b"0" * 5000 + b"]",
        b"[NaN]",
        b"[-Infinity]",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"\xff\xfe[\0]\0",
        b"[]x",
    ],
    ids=range(7),
)
def test_texts_that_are_no_answer(session: Any, server: Any, replies: Any, text: bytes) -> None:
    """Numbers too long to read, NaN, deep nesting and other encodings are refused."""
    server.answer = lambda batch: replies.Reply(text)
    for ask in (lambda: session.query("Task").all(), lambda: session.call([{"action": "query"}])):
        with pytest.raises(exception.ServerError):
            ask()


def test_a_byte_order_mark_is_passed_over(server: Any, open_session: Any, replies: Any) -> None:
    """An answer may begin with the mark that some programs write before UTF-8."""
    server.answer = lambda batch: replies.Reply(
        b"\xef\xbb\xbf" + json.dumps(replies.plain_answer(batch)).encode()
    )
    assert open_session(server).query("Task").all() == []


@pytest.mark.parametrize("odd", [*ODD, [{"id": "Task"}], [{"id": "Task", "properties": []}]])
def test_odd_schemas(server: Any, open_session: Any, replies: Any, odd: Any) -> None:
    """A server whose schemas cannot be used is said to be none."""

    def answer(batch: Any) -> Any:
        return [odd] if batch[0]["action"] == "query_schemas" else replies.plain_answer(batch)

    server.answer = answer
    with pytest.raises(exception.Error):
        open_session(server)


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, {"url": 5, "headers": {}}, {"urls": [5]}])
def test_odd_answers_of_other_actions(session: Any, server: Any, odd: Any) -> None:
    """Places of uploads, addresses of widgets and jobs are missing in words."""
    server.answer = lambda batch: [odd]
    with pytest.raises(exception.ServerAnswerError):
        session.get_upload_metadata(component_id="c", file_name="n", file_size=1)
    with pytest.raises(exception.ServerAnswerError):
        session.get_widget_url("tasks")


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_reports_of_an_error(session: Any, server: Any, odd: Any) -> None:
    """A fault that is reported in odd words is a ServerError all the same."""
    for name in ("exception", "content", "error_code", "operation"):
        fault = {"exception": "X", "content": "c", "error_code": "e", name: odd}
        server.answer = lambda batch, fault=fault: fault
        with pytest.raises(exception.Error):
            session.call([{"action": "query", "expression": "Task"}])


@pytest.mark.parametrize("text", ["9" * 6000, "NaN", "[" * 100_000 + "]" * 100_000])
def test_json_that_cannot_be_read_is_called_so(
    session: Any, server: Any, replies: Any, text: str
) -> None:
    """JSON with a value that no program can hold is not taken for a page of another server."""
    body = f'[{{"action": "query", "data": {text}}}]'.encode()
    server.answer = lambda batch: replies.Reply(body)
    with pytest.raises(exception.ServerAnswerError) as caught:
        session.query("Task").all()
    assert "a page" not in str(caught.value)
    assert len(str(caught.value)) < 1000
