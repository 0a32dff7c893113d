"""Routing: which subscribers an event goes to, and in which order.

Everything here is pure: no threads, no clock, no socket. Whoever shares a router between threads
holds a lock around its methods; what they return may be used without.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ftrack_like.event.subscriber import Subscriber
from ftrack_like.wire import expression as event_expression
from ftrack_like.wire.topics import TopicIndex, Topics

__all__ = ["Router", "SubscriberList", "target_matcher"]


@functools.lru_cache(maxsize=1024)
def target_matcher(target: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return a function that tells whether a subscriber's metadata matches the text *target*.

    Raise :exc:`~ftrack_like.exception.ParseError` if *target* breaks the rules of expressions.
    """
    parsed = event_expression.Parser().parse(target)
    return event_expression.compile_expression(parsed)


class SubscriberList(list[Subscriber]):
    """A list of subscribers that notices when somebody changes it by hand.

    `stale` is true from such a change until the router has sorted the subscribers anew.
    """

    stale = True


def _noticed(name: str) -> Callable[..., Any]:
    change = getattr(list, name)

    @functools.wraps(change)
    def wrapper(self: SubscriberList, *args: Any, **keywords: Any) -> Any:
        self.stale = True
        return change(self, *args, **keywords)

    return wrapper


_CHANGES = ("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort")
for _name in (*_CHANGES, "__delitem__", "__iadd__", "__imul__", "__setitem__"):
    setattr(SubscriberList, _name, _noticed(_name))


class Router:
    """Knows the subscribers, by their identifiers and by the topics they ask for."""

    def __init__(self) -> None:
        """Initialise a router without subscribers."""
        self.subscribers = SubscriberList()
        self._index: TopicIndex[Subscriber] = TopicIndex()
        self._by_identifier: dict[Any, Subscriber] = {}

    def __len__(self) -> int:
        """Return how many subscribers there are."""
        return len(self.subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Add *subscriber*, behind those with the same priority."""
        self._refresh()
        list.append(self.subscribers, subscriber)
        self._enter(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Remove *subscriber*. Raise :exc:`ValueError` if it is not there."""
        self._refresh()
        list.remove(self.subscribers, subscriber)
        self._index.remove(subscriber, _topics(subscriber))
        identifier = subscriber.metadata.get("id")
        if self._by_identifier.get(identifier) is subscriber:
            del self._by_identifier[identifier]

    def get(self, identifier: Any) -> Optional[Subscriber]:
        """Return the subscriber whose metadata has *identifier* as id, or None."""
        self._refresh()
        return self._by_identifier.get(identifier)

    def candidates(self, topic: Any) -> tuple[Subscriber, ...]:
        """Return the subscribers that an event about *topic* may concern, first one first."""
        self._refresh()
        return self._index.candidates(topic)

    def _refresh(self) -> None:
        """Sort the subscribers anew if somebody changed the list by hand."""
        if self.subscribers.stale:
            self._index = TopicIndex()
            self._by_identifier.clear()
            for subscriber in self.subscribers:
                self._enter(subscriber)
            self.subscribers.stale = False

    def _enter(self, subscriber: Subscriber) -> None:
        self._index.add(subscriber, _topics(subscriber), subscriber.priority)
        self._by_identifier.setdefault(subscriber.metadata.get("id"), subscriber)


def _topics(subscriber: Subscriber) -> Optional[Topics]:
    # A look-alike that somebody put into the list by hand may not know its topics.
    return getattr(subscriber.subscription, "topics", None)
