"""A subscription: an expression, with the topics that it can match."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple, Optional

from ftrack_like.wire import expression as event_expression
from ftrack_like.wire.events import Event
from ftrack_like.wire.topics import Topics

__all__ = ["Subscription"]


class _Reading(NamedTuple):
    """A parsed text."""

    matcher: event_expression.Matcher
    topics: Optional[Topics]


# Many subscribers use the same text, for example all actions of a user.
@functools.lru_cache(maxsize=1024)
def _read(parser: event_expression.Parser, text: str) -> _Reading:
    """Parse *text* with *parser*, or raise ParseError."""
    expression = parser.parse(text)
    topics = event_expression.topics_of(expression)
    return _Reading(event_expression.compile_expression(expression), topics)


class Subscription:
    """Represent a subscription."""

    parser: event_expression.Parser = event_expression.Parser()

    def __init__(self, subscription: str) -> None:
        """Initialise with the text *subscription*, such as `"topic=ftrack.update"`.

        Raise :exc:`~ftrack_like.exception.ParseError` if its syntax is wrong.
        """
        self._subscription = subscription
        self._matcher, self._topics = _read(self.parser, subscription)

    def __str__(self) -> str:
        """Return the text of the subscription."""
        return self._subscription

    @property
    def topics(self) -> Optional[Topics]:
        """The topics that the subscription can match; None means any topic."""
        return self._topics

    def includes(self, event: Mapping[str, object]) -> bool:
        """Return whether the subscription matches *event*."""
        # For speed: the event passes each look-up on to this dictionary.
        fields = event._data if type(event) is Event else event  # noqa: SLF001
        return self._matcher(fields)
