"""Prepared selectors: for topics with many subscribers, find those that match an event fast."""

from __future__ import annotations

from typing import Optional, Union

from ftrack_like.event.subscriber import Subscriber
from ftrack_like.event.subscription import Edits, Subscription
from ftrack_like.wire.events import Event
from ftrack_like.wire.selection import Selector

__all__ = ["PreparedSelectors"]

#: Fewer subscribers are asked one by one: two take about as long as a selector.
_FEWEST = 3
#: The events about a topic before it gets a selector. After one, there may never be another.
_EVENTS_BEFORE = 2
#: The most topics with a selector.
_MOST_TOPICS = 1024

#: To find out whether a program has replaced them on the class.
_INTERESTED_IN = Subscriber.interested_in
_INCLUDES = Subscription.includes


class PreparedSelectors:
    """Selectors by topic.

    Making a selector takes as long as it saves in about five events. So it is made after some
    events about a topic with the same subscribers. The router's lock guards this object.
    """

    def __init__(self) -> None:
        """Initialise without selectors."""
        self._by_topic: dict[str, tuple[tuple[Subscriber, ...], Union[Selector, int, None]]] = {}
        self._edits = Edits.count

    def selector(self, event: Event, candidates: tuple[Subscriber, ...]) -> Optional[Selector]:
        """Return the selector for *event*, or None if each of *candidates* must be asked.

        *candidates* are all subscribers for the topic of *event*. They must be asked if a program
        has replaced a method that decides.
        """
        if len(candidates) < _FEWEST or type(event) is not Event:
            return None
        if Subscriber.interested_in is not _INTERESTED_IN or Subscription.includes is not _INCLUDES:
            return None
        if self._edits != Edits.count:
            self._by_topic.clear()
            self._edits = Edits.count
        topic = event["topic"]
        if type(topic) is not str:
            return None
        known, selector = self._by_topic.get(topic, (None, 0))
        if known is not candidates:
            if len(self._by_topic) >= _MOST_TOPICS:
                self._by_topic.clear()
            selector = 0
        elif not isinstance(selector, int):
            return selector
        # Until there is a selector, its place has the number of events so far.
        selector = selector + 1 if selector < _EVENTS_BEFORE else _selector(topic, candidates)
        self._by_topic[topic] = (candidates, selector)
        return None if isinstance(selector, int) else selector


def _selector(topic: str, candidates: tuple[Subscriber, ...]) -> Optional[Selector]:
    """Return a selector, or None if a candidate decides in its own way."""
    if not all(_is_plain(subscriber) for subscriber in candidates):
        return None
    try:
        return Selector(topic, [entry.subscription.compiled for entry in candidates])
    except (TypeError, ValueError):  # an expression of another class, or with an odd value
        return None


def _is_plain(subscriber: Subscriber) -> bool:
    """Return whether *subscriber* and its subscription decide with the methods of the library."""
    if type(subscriber) is not Subscriber or "interested_in" in vars(subscriber):
        return False
    subscription = subscriber.subscription
    return type(subscription) is Subscription and "includes" not in vars(subscription)
