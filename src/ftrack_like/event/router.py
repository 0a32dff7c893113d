"""Routing: which subscribers an event goes to, and in which order.

Everything here is pure: no threads, no clock, no socket. Whoever shares a router between threads
holds a lock around its methods; what they return may be used without.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

from ftrack_like.event import expression as event_expression
from ftrack_like.event.subscriber import Subscriber

__all__ = ["Router", "SubscriberList", "target_matcher"]

#: How many topics keep their list of candidates ready.
CACHED_TOPICS = 1024


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


class _Bucket:
    """Subscribers in the order in which they are called: priority, then order of subscribing."""

    def __init__(self) -> None:
        self._keys: list[tuple[Any, int]] = []
        self._entries: list[Subscriber] = []

    def add(self, key: tuple[Any, int], subscriber: Subscriber) -> None:
        index = bisect.bisect(self._keys, key)
        self._keys.insert(index, key)
        self._entries.insert(index, subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        for index, entry in enumerate(self._entries):
            if entry is subscriber:
                del self._keys[index], self._entries[index]
                return

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> Iterable[tuple[tuple[Any, int], Subscriber]]:
        return zip(self._keys, self._entries)


class Router:
    """Knows the subscribers, and which of them a topic can concern.

    Subscribers are kept by the topics of their subscription, in order of priority, so that an
    event visits nobody who asked for other topics only.
    """

    def __init__(self) -> None:
        """Initialise a router without subscribers."""
        self.subscribers = SubscriberList()
        self._everything = _Bucket()
        self._exact: dict[str, _Bucket] = {}
        self._prefixes: dict[str, _Bucket] = {}
        self._by_identifier: dict[Any, Subscriber] = {}
        self._candidates: dict[str, tuple[Subscriber, ...]] = {}
        self._sequence = 0

    def __len__(self) -> int:
        """Return how many subscribers there are."""
        return len(self.subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Add *subscriber*, behind those with the same priority."""
        self._refresh()
        list.append(self.subscribers, subscriber)
        self._index(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Remove *subscriber*. Raise :exc:`ValueError` if it is not there."""
        self._refresh()
        list.remove(self.subscribers, subscriber)
        for bucket in self._buckets_of(subscriber):
            bucket.remove(subscriber)
        self._exact = {topic: bucket for topic, bucket in self._exact.items() if len(bucket)}
        self._prefixes = {start: bucket for start, bucket in self._prefixes.items() if len(bucket)}
        identifier = subscriber.metadata.get("id")
        if self._by_identifier.get(identifier) is subscriber:
            del self._by_identifier[identifier]
        self._candidates.clear()

    def get(self, identifier: Any) -> Optional[Subscriber]:
        """Return the subscriber whose metadata has *identifier* as id, or None."""
        self._refresh()
        return self._by_identifier.get(identifier)

    def candidates(self, topic: Any) -> tuple[Subscriber, ...]:
        """Return the subscribers that an event about *topic* may concern, first one first."""
        self._refresh()
        if not isinstance(topic, str):
            return tuple(sorted(self.subscribers, key=lambda entry: entry.priority))
        found = self._candidates.get(topic)
        if found is None:
            if len(self._candidates) >= CACHED_TOPICS:
                self._candidates.clear()
            found = self._candidates[topic] = self._merge(topic)
        return found

    def _merge(self, topic: str) -> tuple[Subscriber, ...]:
        buckets = [self._everything]
        if topic in self._exact:
            buckets.append(self._exact[topic])
        buckets += [bucket for prefix, bucket in self._prefixes.items() if topic.startswith(prefix)]
        merged = {key: entry for bucket in buckets for key, entry in bucket.items()}
        return tuple(merged[key] for key in sorted(merged))

    def _refresh(self) -> None:
        """Sort the subscribers anew if somebody changed the list by hand."""
        if self.subscribers.stale:
            self._everything = _Bucket()
            self._exact.clear()
            self._prefixes.clear()
            self._by_identifier.clear()
            self._candidates.clear()
            for subscriber in self.subscribers:
                self._index(subscriber)
            self.subscribers.stale = False

    def _index(self, subscriber: Subscriber) -> None:
        key = (subscriber.priority, self._sequence)
        self._sequence += 1
        for bucket in self._buckets_of(subscriber):
            bucket.add(key, subscriber)
        self._by_identifier.setdefault(subscriber.metadata.get("id"), subscriber)
        self._candidates.clear()

    def _buckets_of(self, subscriber: Subscriber) -> list[_Bucket]:
        # A look-alike that somebody put in the list by hand may not know its topics.
        topics = getattr(subscriber.subscription, "topics", None)
        if topics is None:
            return [self._everything]
        buckets = [self._exact.setdefault(topic, _Bucket()) for topic in topics.exact]
        buckets += [self._prefixes.setdefault(prefix, _Bucket()) for prefix in topics.prefixes]
        return buckets
