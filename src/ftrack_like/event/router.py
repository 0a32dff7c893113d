"""The router finds and calls the subscribers of an event."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Mapping
from typing import Callable, Optional

from ftrack_like import exception
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.prepared import PreparedSelectors
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.wire import expression as event_expression
from ftrack_like.wire.events import Event, EventData
from ftrack_like.wire.selection import Selector
from ftrack_like.wire.topics import TopicIndex, Topics

__all__ = ["Router", "SubscriberList", "target_matcher"]

#: Returns whether the metadata of a subscriber match the target of an event.
TargetMatcher = Callable[[Mapping[str, object]], bool]
#: Stands for the result of a callback that raised an exception.
_FAILED = object()
#: A callback that takes longer than this is logged, in seconds.
SLOW_CALLBACK = 5.0


@functools.lru_cache(maxsize=1024)
def target_matcher(target: str) -> TargetMatcher:
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
        self._prepared = PreparedSelectors()
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
        candidates = self.candidates(event["topic"])
        with self.lock:
            selector = self._prepared.selector(event, candidates)
        results: list[EventData] = []
        left = 0
        if selector is not None:
            left = self._call_selected(candidates, event, wanted, synchronous, results, selector)
        self._call_from(left, candidates, event, wanted, synchronous, results)
        return results

    def _call_selected(
        self,
        candidates: tuple[Subscriber, ...],
        event: Event,
        wanted: Optional[TargetMatcher],
        synchronous: bool,
        results: list[EventData],
        selector: Selector,
    ) -> int:
        """Call those of *candidates* that *selector* selects for *event*.

        A callback may change the event; then the selector cannot decide for the candidates after
        it. Return the position of the first of these.
        """
        fields = event._data  # noqa: SLF001 - each look-up through the event costs a call
        selection = selector.select(fields)
        if selection is None:
            return 0
        positions, values, holds = selection
        topic, get, next_conditional = fields["topic"], fields.get, selector.next_conditional
        # This loop repeats some lines of `_call_from`: its turns take a third of a microsecond, and
        # a call of a method in each would double that.
        is_stopped, monotonic = event.is_stopped, time.monotonic
        left, begin = 0, monotonic()
        for position in positions:
            subscriber = candidates[position]
            if wanted is not None and not wanted(subscriber.metadata):
                continue
            if left and (
                get("topic") is not topic
                or (next_conditional[left] <= position and not holds(fields, values))
            ):
                return left
            left = position + 1
            try:
                result = subscriber.callback(event)
            except Exception:
                self._log_failure(subscriber, event)
                result = _FAILED
            end = monotonic()
            if end - begin > SLOW_CALLBACK:
                self._warn_slow(subscriber, event, end - begin)
            begin = end
            if result is not _FAILED:
                results.append(result)
                if not (synchronous or result is None):
                    self._reply(subscriber, event, result)
                    begin = monotonic()
            if is_stopped():
                self._log_stop(subscriber, event)
                return len(candidates)
        if left and not holds(fields, values):
            return left
        return len(candidates)

    def _call_from(
        self,
        left: int,
        candidates: tuple[Subscriber, ...],
        event: Event,
        wanted: Optional[TargetMatcher],
        synchronous: bool,
        results: list[EventData],
    ) -> None:
        """Call those of *candidates* from the position *left* on that *event* concerns."""
        monotonic = time.monotonic
        for subscriber in candidates[left:]:
            if wanted is not None and not wanted(subscriber.metadata):
                continue
            if not subscriber.interested_in(event):
                continue
            begin = monotonic()
            try:
                result = subscriber.callback(event)
            except Exception:
                self._log_failure(subscriber, event)
                result = _FAILED
            seconds = monotonic() - begin
            if seconds > SLOW_CALLBACK:
                self._warn_slow(subscriber, event, seconds)
            if result is not _FAILED:
                results.append(result)
                if not (synchronous or result is None):
                    self._reply(subscriber, event, result)
            if event.is_stopped():
                self._log_stop(subscriber, event)
                return

    def _log_failure(self, subscriber: Subscriber, event: Event) -> None:
        """Log the exception of the callback of *subscriber* that is being handled."""
        text = f"Error calling subscriber {subscriber} for event {event}."
        self._seams.logger.exception(text)

    def _log_stop(self, subscriber: Subscriber, event: Event) -> None:
        """Log that *subscriber* stopped *event*."""
        self._seams.logger.debug(f"Subscriber {subscriber} stopped event {event}.")

    def _warn_slow(self, subscriber: Subscriber, event: Event, seconds: float) -> None:
        """Log a warning: the call of *subscriber* took *seconds*."""
        self._seams.logger.warning(
            f"Subscriber {subscriber} took {seconds:.1f} seconds for an event "
            f"about {event['topic']}; other events had to wait."
        )

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
