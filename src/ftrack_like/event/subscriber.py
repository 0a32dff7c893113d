"""A subscriber: who is told about an event, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ftrack_like.event.subscription import Subscription

__all__ = ["Subscriber"]


class Subscriber:
    """Represent one subscriber."""

    def __init__(
        self,
        subscription: str,
        callback: Callable[..., Any],
        metadata: dict[str, Any],
        priority: int,
    ) -> None:
        """Initialise with the text *subscription* and the *callback* to call with an event.

        *metadata* describes the subscriber to others: `{"id": str, …}`. It is what the target of
        an event is compared with.

        *priority* says when the callback is called: the lower the earlier.

        Raise :exc:`~ftrack_like.exception.ParseError` if *subscription* breaks the rules.
        """
        self.subscription: Subscription = Subscription(subscription)
        self.callback = callback
        self.metadata = metadata
        self.priority = priority

    def __str__(self) -> str:
        """Return the subscriber's metadata and subscription as text."""
        return (
            f"<{self.__class__.__name__} metadata={self.metadata} "
            f'subscription="{self.subscription}">'
        )

    def interested_in(self, event: Mapping[str, Any]) -> bool:
        """Return whether the subscription includes *event*."""
        return self.subscription.includes(event)
