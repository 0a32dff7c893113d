"""Selectors: the same subscribers as asking each one, for any expressions and any event."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.router import Router
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.event.subscription import Subscription
from ftrack_like.wire.events import Event
from ftrack_like.wire.expression import Expression, Matcher, Parser, compile_expression
from ftrack_like.wire.selection import Selector

#: So many events that the router has a selector for the last ones.
EVENTS = 10
LOGGER = logging.getLogger("test.selection")
KEYS = ["topic", "data.a", "data.b", "data.c.d", "data.c", "source.user.username", "data.a.x"]
TEXTS = ["x", "y", "x*", "1", "2", "true", "3.9", "studio.a", "studio.*"]
VALUES = st.one_of(
    st.sampled_from(["x", "y", "xy", "1", "3.10", "", "true"]),
    st.sampled_from([0, 1, 2, 1.0, True, False, None]),
    st.just([1]),
    st.dictionaries(st.sampled_from(["d", "x"]), st.just("x"), max_size=2),
)
CONDITIONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(KEYS),
    st.sampled_from(["=", "=", "=", "!=", ">", "<=", "<"]),
    st.sampled_from(TEXTS),
)
TEXT_OF_EXPRESSIONS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not {}".format, inner),
    ),
    max_leaves=5,
)
DATA = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES)
TOPICS = st.sampled_from(["studio.a", "studio.b", "other"])


def _compiled(text: str) -> tuple[Expression, Matcher]:
    expression = Parser().parse(text)
    return expression, compile_expression(expression)


@given(st.lists(TEXT_OF_EXPRESSIONS, max_size=12), TOPICS, DATA)
@settings(deadline=None)
def test_selector_finds_the_expressions_that_match(
    texts: list[str], topic: str, data: dict[str, Any]
) -> None:
    """A selector finds the positions of exactly those expressions that match one by one."""
    entries = [_compiled(text) for text in texts]
    fields = {"topic": topic, "data": data, "source": {"user": {"username": "x"}}}
    selection = Selector(topic, entries).select(fields)
    assert selection is not None
    wanted = [number for number, (_, matches) in enumerate(entries) if matches(fields)]
    assert list(selection.positions) == wanted


def _seams() -> HubSeams:
    """Return a seam for a router: no callback is expected but the logger."""
    parts: dict[str, Any] = dict.fromkeys(HubSeams._fields, mock.Mock(side_effect=AssertionError))
    return HubSeams(**{**parts, "get_logger": lambda: LOGGER})


def _asked_one_by_one(router: Router, event: Event) -> list[Any]:
    """Return the results of the subscribers that are interested when their turn comes."""
    results = []
    for subscriber in router.candidates(event["topic"]):
        if subscriber.subscription.includes(event):
            results.append(subscriber.callback(event))
            if event.is_stopped():
                break
    return results


#: What callbacks do to the event, by name.
EDITS: dict[str, Callable[[Event], object]] = {
    "nothing": lambda event: None,
    "change a value": lambda event: event["data"].update(a="y"),
    "make a number a boolean": lambda event: event["data"].update(b=True, a=1),
    "remove a value": lambda event: event["data"].pop("a", None),
    "replace the data": lambda event: event.__setitem__("data", {"a": "x", "b": "y"}),
    "replace the data by an equal copy": lambda event: event.__setitem__(
        "data", dict(event["data"])
    ),
    "put an object": lambda event: event["data"].update(c=object()),
    "change the topic": lambda event: event.__setitem__("topic", "studio.b"),
    "remove the data": lambda event: event.__delitem__("data"),
    "stop": lambda event: event.stop(),
}


@given(
    st.lists(
        st.tuples(
            TEXT_OF_EXPRESSIONS,
            st.sampled_from(sorted(EDITS)),
            st.sampled_from([50, 100]),
        ),
        min_size=3,
        max_size=10,
    ),
    DATA,
)
@settings(deadline=None)
def test_dispatch_calls_the_same_callbacks_as_asking_each_subscriber(
    entries: list[tuple[str, str, int]], data: dict[str, Any]
) -> None:
    """The results are those of asking each subscriber in its turn, whatever callbacks change."""

    def callback_of(number: int, edit: str) -> Callable[[Event], object]:
        def callback(event: Event) -> object:
            if "data" in event and isinstance(event["data"], dict):
                EDITS[edit](event)
            return number

        return callback

    router = Router(_seams())
    for number, (text, edit, priority) in enumerate(entries):
        callback = callback_of(number, edit)
        router.add(Subscriber(text, callback, {"id": str(number)}, priority))

    def event() -> Event:
        return Event("studio.a", id="0", data=dict(data), source={"user": {"username": "x"}})

    wanted = _asked_one_by_one(router, event())
    for _ in range(EVENTS):
        assert router.dispatch(event(), synchronous=True) == wanted


def _prepared(count: int = 6) -> tuple[Router, list[Subscriber]]:
    """Return a router that has a selector for the topic `t`, and its subscribers."""
    router = Router(_seams())
    subscribers = []
    for number in range(count):
        text = f"topic=t and data.a=x{number % 2}"
        callback = mock.Mock(return_value=number)
        subscribers.append(Subscriber(text, callback, {"id": str(number)}, 100))
        router.add(subscribers[-1])
    for _ in range(EVENTS):
        assert _results(router) == [0, 2, 4]
    return router, subscribers


def _results(router: Router, **data: Any) -> Any:
    return router.dispatch(Event("t", data={"a": "x0", **data}), synchronous=True)


def test_each_distinct_expression_is_evaluated_once() -> None:
    """Equal text is looked up without an evaluation; another expression is evaluated once."""
    texts = [f"topic=t and data.a=x{number}" for number in range(50)]
    texts += ["topic=t and data.n>5"] * 50
    selector = Selector("t", map(_compiled, texts))
    evaluated: list[str] = []

    def count(frame: Any, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_name == "match":
            evaluated.append(frame.f_code.co_filename)

    sys.setprofile(count)
    try:
        selection = selector.select({"topic": "t", "data": {"a": "x7", "n": 9}})
    finally:
        sys.setprofile(None)
    assert selection is not None
    assert list(selection.positions) == [7, *range(50, 100)]
    assert len(evaluated) == 2  # the two conditions of one expression


def test_replaced_methods_decide() -> None:
    """A method that a program replaces decides at once: on the class, on an object, or both."""
    router, subscribers = _prepared()
    with mock.patch.object(Subscriber, "interested_in", return_value=True):
        assert _results(router) == [0, 1, 2, 3, 4, 5]
    with mock.patch.object(Subscription, "includes", return_value=False):
        assert _results(router) == []
    with mock.patch.object(subscribers[1], "interested_in", return_value=True):
        assert _results(router) == [0, 1, 2, 4]
        assert _results(router) == [0, 1, 2, 4]
    with mock.patch.object(subscribers[3].subscription, "includes", return_value=True):
        assert _results(router) == [0, 2, 3, 4]
        assert _results(router) == [0, 2, 3, 4]
    assert _results(router) == [0, 2, 4]


def test_a_replaced_subscription_decides() -> None:
    """A subscriber whose subscription a program replaces follows the new one."""
    router, subscribers = _prepared()
    subscribers[5].subscription = Subscription("topic=t and data.a=x0")
    for _ in range(EVENTS):
        assert _results(router) == [0, 2, 4, 5]


def test_subclasses_decide() -> None:
    """A subclass of the subscriber is asked, and so is a subclass of an expression."""

    class Eager(Subscriber):
        def interested_in(self, event: Any) -> bool:
            return True

    class Never(Expression):
        def match(self, candidate: Any) -> bool:
            return False

    router, _ = _prepared()
    router.add(Eager("topic=t and data.a=none", lambda event: "eager", {"id": "eager"}, 100))
    for _ in range(EVENTS):
        assert _results(router) == [0, 2, 4, "eager"]
    with pytest.raises(ValueError, match="Never"):
        Selector("t", [(Never(), Never().match)])


def test_added_and_removed_subscribers_count_at_once() -> None:
    """Subscribing and unsubscribing take effect for the next event."""
    router, subscribers = _prepared()
    router.remove(subscribers[2])
    assert _results(router) == [0, 4]
    router.add(Subscriber("topic=*", lambda event: "new", {"id": "new"}, 1))
    for _ in range(EVENTS):
        assert _results(router) == ["new", 0, 4]


def test_a_failing_callback_does_not_keep_the_event_from_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The exception of a callback is logged, and the next callback is called."""
    router, subscribers = _prepared()
    subscribers[0].callback = mock.Mock(side_effect=RuntimeError("broken"))
    with caplog.at_level(logging.ERROR):
        for _ in range(EVENTS):
            assert _results(router) == [2, 4]
    assert "broken" in caplog.text
