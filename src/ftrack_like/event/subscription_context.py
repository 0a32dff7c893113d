"""A subscription for the duration of a `with` block."""

from __future__ import annotations

from types import TracebackType
from typing import Callable, Optional

__all__ = ["SubscriptionContext"]


class SubscriptionContext:
    """Subscribes on entering and unsubscribes on leaving."""

    def __init__(self, subscribe: Callable[[], str], unsubscribe: Callable[[str], None]) -> None:
        """Initialise with *subscribe*, which returns an id, and *unsubscribe*, which takes it."""
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self._identifier: Optional[str] = None

    def __enter__(self) -> str:
        """Subscribe and return the id of the subscriber."""
        self._identifier = self._subscribe()
        return self._identifier

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Unsubscribe."""
        if self._identifier is not None:
            self._unsubscribe(self._identifier)
