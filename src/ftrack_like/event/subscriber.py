"""A subscriber: a subscription with the callback for its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from ftrack_like.event.subscription import Edits, Subscription
from ftrack_like.wire.events import Event
from ftrack_like.wire.packets import JsonValue

__all__ = ["Callback", "Metadata", "Subscriber"]

#: A function to call with an event. Its result is the reply to the event; None sends no reply.
Callback = Callable[[Event], object]
#: The description of a subscriber: `{"id": str, …}`.
Metadata = dict[str, JsonValue]


class Subscriber:
    """Represent one subscriber."""

    subscription: Subscription
    callback: Callback
    metadata: Metadata
    priority: int

    def __init__(
        self,
        subscription: str,
        callback: Callback,
        metadata: Metadata,
        priority: int,
    ) -> None:
        """Initialise with the text *subscription* and the *callback* to call with an event.

        *metadata* describes the subscriber to others: `{"id": str, …}`. The target of an event is
        compared with it.

        Callbacks with a lower *priority* are called first.

        Raise :exc:`~ftrack_like.exception.ParseError` if the syntax of *subscription* is wrong.
        """
        vars(self).update(
            subscription=Subscription(subscription),
            callback=callback,
            metadata=metadata,
            priority=priority,
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
        """Return the metadata and the subscription as text."""
        return (
            f"<{self.__class__.__name__} metadata={self.metadata} "
            f'subscription="{self.subscription}">'
        )

    def interested_in(self, event: Mapping[str, object]) -> bool:
        """Return whether the subscription includes *event*."""
        return self.subscription.includes(event)
