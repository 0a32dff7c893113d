"""The exchange decides about retries and redirects without any input and output."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Optional, Union

import pytest

import ftrack_like
from ftrack_like import exception
from ftrack_like._transport.body import ReceivedBody
from ftrack_like._transport.exchange import Exchange, HttpAnswer, Pause, Reply, Send
from ftrack_like._transport.retry import RetryBudget, RetryPolicy

ADDRESS = "https://studio.example/api"
Outcome = Union[Reply, Exception]


def reply(status: int = 200, text: str = "[]", **headers: str) -> Reply:
    """Return a reply of the server with *status*, *text* and *headers*."""
    return Reply(status, "Reason", headers, ReceivedBody(text.encode(), len(text)))


def lost(request_sent: bool = True) -> exception.ServerConnectionError:
    """Return the error of a broken connection."""
    error = exception.ServerConnectionError("The connection broke.")
    error.request_sent = request_sent
    return error


def play(exchange: Exchange, *outcomes: Outcome) -> tuple[HttpAnswer, list[Union[Send, Pause]]]:
    """Answer each request of *exchange* with the next outcome; return the answer and all steps."""
    left = list(outcomes)
    steps = exchange.steps()
    seen: list[Union[Send, Pause]] = []
    outcome: Optional[Reply] = None
    error: Optional[Exception] = None
    try:
        while True:
            step = steps.throw(error) if error is not None else steps.send(outcome)
            seen.append(step)
            outcome = error = None
            if isinstance(step, Send):
                told = left.pop(0)
                if isinstance(told, Exception):
                    error = told
                else:
                    outcome = told
    except StopIteration as end:
        assert not left, "not all outcomes were asked for"
        return end.value, seen


def exchange(repeatable: bool = True, patient: bool = True, **options: object) -> Exchange:
    """Return an exchange with short waits."""
    policy = RetryPolicy(attempts=3, base=0.01)
    return Exchange(ADDRESS, repeatable, patient, policy, **options)  # type: ignore[arg-type]


def test_an_answer_ends_the_exchange() -> None:
    """One request with an answer is one step."""
    answer, steps = play(exchange(), reply(text="[1]"))
    assert (answer.text, answer.attempts) == ("[1]", 1)
    assert [step.address for step in steps if isinstance(step, Send)] == [ADDRESS]


@pytest.mark.parametrize(
    "failure", [lost(), lost(request_sent=False), reply(503), reply(text="[1"), reply(500, "page")]
)
def test_a_read_that_fails_is_sent_again_after_a_pause(failure: Outcome) -> None:
    """A batch that only reads is sent again after each temporary failure."""
    answer, steps = play(exchange(), failure, reply())
    assert [type(step) for step in steps] == [Send, Pause, Send]
    assert answer.attempts == 2


def test_a_write_without_an_answer_is_not_sent_again() -> None:
    """A batch that writes is sent once, because the server may have applied it."""
    with pytest.raises(exception.ServerConnectionError):
        play(exchange(repeatable=False), lost())


def test_a_write_that_never_left_is_sent_again() -> None:
    """A batch that writes is sent again when the client could not connect."""
    answer, _ = play(exchange(repeatable=False), lost(request_sent=False), reply())
    assert answer.status == 200


def test_the_last_failure_names_the_attempts() -> None:
    """The error after the last attempt says how often the client tried."""
    with pytest.raises(exception.ServerConnectionError, match="3 attempts"):
        play(exchange(), lost(), lost(), lost())


def test_a_server_that_stays_busy_gives_its_last_answer() -> None:
    """After the last attempt the exchange returns the status that the server sent."""
    answer, _ = play(exchange(), reply(503), reply(503), reply(503))
    assert (answer.status, answer.attempts) == (503, 3)


def test_the_pause_is_as_long_as_the_server_asks() -> None:
    """A ``Retry-After`` header sets the shortest pause."""
    headers = {"Retry-After": "7"}
    _, steps = play(exchange(), reply(503, **headers), reply())
    (pause,) = (step for step in steps if isinstance(step, Pause))
    assert pause.seconds >= 7
    assert pause.report.attempt == 1


def test_a_redirect_on_the_same_host_is_followed() -> None:
    """The request is sent again to the address of the redirect."""
    _, steps = play(exchange(), reply(307, location="/other"), reply())
    assert [step.address for step in steps if isinstance(step, Send)] == [
        ADDRESS,
        "https://studio.example/other",
    ]


def test_a_redirect_to_another_host_is_refused() -> None:
    """The key is never sent to another host."""
    with pytest.raises(exception.ServerError, match="another host"):
        play(exchange(), reply(307, location="https://elsewhere.example/api"))


def test_redirects_in_circles_end() -> None:
    """A chain of redirects that does not end is an error."""
    circle = [reply(302, location=ADDRESS)] * 5
    with pytest.raises(exception.ServerError, match="in circles"):
        play(exchange(), *circle)


def test_a_spent_budget_ends_the_retries() -> None:
    """Without a retry in the common budget, the first failure is final."""
    with pytest.raises(exception.ServerConnectionError, match="broke"):
        play(exchange(budget=RetryBudget(capacity=0)), lost())


@pytest.mark.parametrize("module", ["_transport/exchange.py", "_session/loader.py"])
def test_the_module_has_no_input_and_output(module: str) -> None:
    """The exchange and the loader neither sleep nor open sockets nor call the server."""
    source = (Path(ftrack_like.__file__).parent / module).read_text(encoding="utf-8")
    tree = ast.parse(source)
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    } | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not names & {"socket", "requests", "urllib3", "select", "ssl", "asyncio"}
    calls = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & {"sleep", "wait", "call", "query", "post", "request"}
