"""A subscription: an expression, and the topics that it can possibly be about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like.event import expression as event_expression
from ftrack_like.wire.topics import Topics

__all__ = ["Subscription"]


class Subscription:
    """Represent a subscription."""

    parser = event_expression.Parser()

    def __init__(self, subscription: str) -> None:
        """Initialise with the text *subscription*, such as `"topic=ftrack.update"`.

        Raise :exc:`~ftrack_like.exception.ParseError` if it breaks the rules of expressions.
        """
        self._subscription = subscription
        self._expression = self.parser.parse(subscription)
        self._matcher = event_expression.compile_expression(self._expression)

    def __str__(self) -> str:
        """Return the subscription as it was written."""
        return self._subscription

    @property
    def topics(self) -> Optional[Topics]:
        """Return the topics that the subscription can be about; None means any topic."""
        bound = event_expression.topics_of(self._expression)
        return None if bound is None else Topics(*bound)

    def includes(self, event: Mapping[str, Any]) -> bool:
        """Return whether *event* is one that the subscription asks for."""
        return self._matcher(event)
