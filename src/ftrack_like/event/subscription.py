"""A subscription: an expression, with the topics that it can match."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple, Optional

from ftrack_like.wire import expression as event_expression
from ftrack_like.wire.events import Event
from ftrack_like.wire.topics import Topics

__all__ = ["Edits", "Subscription"]


class Edits:
    """Counts the assignments to attributes of subscribers and subscriptions.

    The router prepares the selection of subscribers. A program may replace a subscription, or a
    method of one object; then the router must prepare again.
    """

    count = 0


class _Reading(NamedTuple):
    """A parsed text."""

    expression: event_expression.Expression
    matcher: event_expression.Matcher
    topics: Optional[Topics]


# Many subscribers use the same text, for example all actions of a user.
@functools.lru_cache(maxsize=1024)
def _read(parser: event_expression.Parser, text: str) -> _Reading:
    """Parse *text* with *parser*, or raise ParseError."""
    expression = parser.parse(text)
    topics = event_expression.topics_of(expression)
    return _Reading(expression, event_expression.compile_expression(expression), topics)


class Subscription:
    """Represent a subscription."""

    parser: event_expression.Parser = event_expression.Parser()
    _subscription: str
    _expression: event_expression.Expression
    _matcher: event_expression.Matcher
    _topics: Optional[Topics]

    def __init__(self, subscription: str) -> None:
        """Initialise with the text *subscription*, such as `"topic=ftrack.update"`.

        Raise :exc:`~ftrack_like.exception.ParseError` if its syntax is wrong.
        """
        expression, matcher, topics = _read(self.parser, subscription)
        vars(self).update(
            _subscription=subscription, _expression=expression, _matcher=matcher, _topics=topics
        )

    def __setattr__(self, name: str, value: object) -> None:
        """Set the attribute *name*, and count the change."""
        object.__setattr__(self, name, value)
        Edits.count += 1

    def __delattr__(self, name: str) -> None:
        """Remove the attribute *name*, and count the change."""
        object.__delattr__(self, name)
        Edits.count += 1

    def __str__(self) -> str:
        """Return the text of the subscription."""
        return self._subscription

    @property
    def compiled(self) -> tuple[event_expression.Expression, event_expression.Matcher]:
        """The parsed text and its matcher. Subscriptions with the same text share them."""
        return self._expression, self._matcher

    @property
    def topics(self) -> Optional[Topics]:
        """The topics that the subscription can match; None means any topic."""
        return self._topics

    def includes(self, event: Mapping[str, object]) -> bool:
        """Return whether the subscription matches *event*."""
        # For speed: the event passes each look-up on to this dictionary.
        fields = event._data if type(event) is Event else event  # noqa: SLF001
        return self._matcher(fields)
