"""The router finds and calls the subscribers of an event."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Mapping
from typing import Callable, Optional

from ftrack_like import exception
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.wire import expression as event_expression
from ftrack_like.wire.events import Event, EventData
from ftrack_like.wire.topics import TopicIndex, Topics

__all__ = ["Router", "SubscriberList", "target_matcher"]

#: A callback that takes longer than this is logged, in seconds.
SLOW_CALLBACK = 5.0


@functools.lru_cache(maxsize=1024)
def target_matcher(target: str) -> Callable[[Mapping[str, object]], bool]:
    """Return a function that returns whether the metadata of a subscriber matches *target*.

    Raise :exc:`~ftrack_like.exception.ParseError` if the syntax of *target* is wrong.
    """
    parsed = event_expression.Parser().parse(target)
    return event_expression.compile_expression(parsed)


class SubscriberList(list[Subscriber]):
    """A list of subscribers that notices changes by programs.

    `stale` is true from such a change until the router has indexed the list again.
    """

    stale = True


def _noticed(name: str) -> Callable[..., object]:
    change = getattr(list, name)

    @functools.wraps(change)
    def wrapper(self: SubscriberList, *args: object, **keywords: object) -> object:
        self.stale = True
        return change(self, *args, **keywords)

    return wrapper


_CHANGES = ("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort")
for _name in (*_CHANGES, "__delitem__", "__iadd__", "__imul__", "__setitem__"):
    setattr(SubscriberList, _name, _noticed(_name))


class Router:
    """Finds subscribers by their ids and topics, and calls them. Threads may share a router.

    `lock` guards the list and the index. No callback runs under it, so a callback may subscribe
    and unsubscribe.
    """

    def __init__(self, seams: HubSeams) -> None:
        """Initialise without subscribers; replies go out through *seams*."""
        self._seams = seams
        self._subscribers = SubscriberList()
        self._index: TopicIndex[Subscriber] = TopicIndex()
        self._by_identifier: dict[object, Subscriber] = {}
        self.renew()

    @property
    def subscribers(self) -> SubscriberList:
        """The subscribers, in the order of subscribing. Programs may change or replace the list."""
        return self._subscribers

    @subscribers.setter
    def subscribers(self, value: list[Subscriber]) -> None:
        """Use the subscribers in *value*; the router notices later changes of its copy only."""
        self._subscribers = value if isinstance(value, SubscriberList) else SubscriberList(value)
        self._subscribers.stale = True

    @subscribers.deleter
    def subscribers(self) -> None:
        """Delete the list, as `unittest.mock` does before it restores the list."""
        del self._subscribers

    def renew(self) -> None:
        """Create a new lock, as a forked child needs. The subscribers stay."""
        self.lock: threading.RLock = threading.RLock()

    def __len__(self) -> int:
        """Return the number of subscribers."""
        return len(self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Add *subscriber*, after those with the same priority.

        Raise :exc:`~ftrack_like.exception.NotUniqueError` if there is one with the same id.
        """
        with self.lock:
            self._refresh()
            identifier = subscriber.metadata.get("id")
            if identifier in self._by_identifier:
                raise exception.NotUniqueError(
                    "Subscriber with identifier {identifier} already exists.",
                    details={"identifier": identifier},
                )
            list.append(self._subscribers, subscriber)
            self._enter(subscriber)

    def add_first(self, subscriber: Subscriber) -> None:
        """Put *subscriber* first in the list, unless there is one with the same id."""
        with self.lock:
            if self.get(subscriber.metadata.get("id")) is None:
                self._subscribers.insert(0, subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Remove *subscriber*. Raise :exc:`ValueError` if it is not in the list."""
        with self.lock:
            self._refresh()
            list.remove(self._subscribers, subscriber)
            self._index.remove(subscriber, _topics(subscriber))
            identifier = subscriber.metadata.get("id")
            if self._by_identifier.get(identifier) is subscriber:
                del self._by_identifier[identifier]

    def pop(self, identifier: object) -> Subscriber:
        """Remove and return the subscriber with the id *identifier*.

        Raise :exc:`~ftrack_like.exception.NotFoundError` if there is none.
        """
        with self.lock:
            subscriber = self.get(identifier)
            if subscriber is None:
                raise exception.NotFoundError(
                    "Cannot unsubscribe missing subscriber with identifier {identifier}",
                    details={"identifier": identifier},
                )
            self.remove(subscriber)
            return subscriber

    def clear(self) -> list[Subscriber]:
        """Remove all subscribers and return them."""
        with self.lock:
            removed = list(self._subscribers)
            self._subscribers = SubscriberList()
            return removed

    def get(self, identifier: object) -> Optional[Subscriber]:
        """Return the subscriber with the id *identifier*, or None."""
        with self.lock:
            self._refresh()
            return self._by_identifier.get(identifier)

    def all(self) -> list[Subscriber]:
        """Return a copy of the list of subscribers."""
        with self.lock:
            return list(self._subscribers)

    def candidates(self, topic: object) -> tuple[Subscriber, ...]:
        """Return the subscribers that may match an event about *topic*, in the order of calls."""
        with self.lock:
            self._refresh()
            return self._index.candidates(topic)

    def dispatch(self, event: Event, synchronous: bool = False) -> Optional[list[EventData]]:
        """Call the subscribers that *event* concerns, on this thread.

        Return the list of their results; None, with an error in the log, if the target of *event*
        cannot be parsed. Results other than None are published as replies, except for a
        *synchronous* event. Exceptions of callbacks are logged.
        """
        target = event["target"]
        try:
            wanted = target_matcher(target) if target else None
        except exception.ParseError:
            self._seams.logger.exception(
                f"Cannot handle event as failed to parse event target information: {event}"
            )
            return None
        results: list[EventData] = []
        for subscriber in self.candidates(event["topic"]):
            if wanted is not None and not wanted(subscriber.metadata):
                continue
            if not subscriber.interested_in(event):
                continue
            self._call(subscriber, event, synchronous, results)
            if event.is_stopped():
                self._seams.logger.debug(f"Subscriber {subscriber} stopped event {event}.")
                break
        return results

    def _call(
        self, subscriber: Subscriber, event: Event, synchronous: bool, results: list[EventData]
    ) -> None:
        """Call *subscriber*, append its result to *results*, and publish it as a reply."""
        begin = time.monotonic()
        try:
            result = subscriber.callback(event)
        except Exception:
            self._seams.logger.exception(
                f"Error calling subscriber {subscriber} for event {event}."
            )
            return
        finally:
            elapsed = time.monotonic() - begin
            if elapsed > SLOW_CALLBACK:
                self._seams.logger.warning(
                    f"Subscriber {subscriber} took {elapsed:.1f} seconds for an event about "
                    f"{event['topic']}; other events had to wait."
                )
        results.append(result)
        if not (synchronous or result is None):
            self._reply(subscriber, event, result)

    def _reply(self, subscriber: Subscriber, event: Event, result: EventData) -> None:
        """Publish *result* as a reply to *event*. Log exceptions: other subscribers follow."""
        try:
            self._seams.publish_reply(event, result, subscriber.metadata)
        except Exception:
            text = f"The answer {result!r} of {subscriber} to {event} was not sent."
            self._seams.logger.exception(text)

    def _refresh(self) -> None:
        """Index the subscribers again if a program changed the list."""
        if self._subscribers.stale:
            self._index = TopicIndex()
            self._by_identifier.clear()
            for subscriber in self._subscribers:
                self._enter(subscriber)
            self._subscribers.stale = False

    def _enter(self, subscriber: Subscriber) -> None:
        self._index.add(subscriber, _topics(subscriber), subscriber.priority)
        self._by_identifier.setdefault(subscriber.metadata.get("id"), subscriber)


def _topics(subscriber: Subscriber) -> Optional[Topics]:
    # A program may have added a substitute without topics to the list.
    return getattr(subscriber.subscription, "topics", None)
