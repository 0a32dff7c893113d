"""A subscription: an expression, and the topics that it can possibly be about."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ftrack_like.event import expression as event_expression
from ftrack_like.event.base import Event
from ftrack_like.wire.topics import Topics

__all__ = ["Subscription"]


class _Reading(NamedTuple):
    """What a text means."""

    matcher: event_expression.Matcher
    topics: Optional[Topics]


# Many subscribers ask for the same, all actions of a user for instance.
@functools.lru_cache(maxsize=1024)
def _read(parser: event_expression.Parser, text: str) -> _Reading:
    """Return what *parser* makes of *text*, or raise ParseError."""
    expression = parser.parse(text)
    bound = event_expression.topics_of(expression)
    topics = None if bound is None else Topics(*bound)
    return _Reading(event_expression.compile_expression(expression), topics)


class Subscription:
    """Represent a subscription."""

    parser: event_expression.Parser = event_expression.Parser()

    def __init__(self, subscription: str) -> None:
        """Initialise with the text *subscription*, such as `"topic=ftrack.update"`.

        Raise :exc:`~ftrack_like.exception.ParseError` if it breaks the rules of expressions.
        """
        self._subscription = subscription
        self._matcher, self._topics = _read(self.parser, subscription)

    def __str__(self) -> str:
        """Return the subscription as it was written."""
        return self._subscription

    @property
    def topics(self) -> Optional[Topics]:
        """Return the topics that the subscription can be about; None means any topic."""
        return self._topics

    def includes(self, event: Mapping[str, Any]) -> bool:
        """Return whether *event* is one that the subscription asks for."""
        # A dictionary is looked up faster than an event, which passes each look on to it.
        return self._matcher(event._data if type(event) is Event else event)
