"""The inbox: received events on their way from the thread that reads to those that handle them."""

from __future__ import annotations

import collections
import logging
import queue
import time
from collections.abc import Hashable, Mapping
from typing import Any, Callable, Optional, Protocol, Union

from ftrack_like.event._subjects import subjects
from ftrack_like.event.delivery import RecentlySeen
from ftrack_like.wire.events import Event

__all__ = ["QUEUE_LIMIT", "Inbox", "collect"]

#: How many received events may wait to be handled; beyond it the oldest are dropped.
QUEUE_LIMIT = 20_000
#: How many ids of received events are remembered, to drop repeats.
REMEMBERED_EVENTS = 20_000
#: The topic of the event after which :meth:`EventHub.wait` returns.
DISCONNECTED_TOPIC = "ftrack.meta.disconnected"
#: The topic of the event that a hub queues for itself as it connects.
CONNECTED_TOPIC = "ftrack.meta.connected"
#: How often somebody who waits looks up, in seconds.
TICK = 0.1


class Owner(Protocol):
    """What an inbox needs of the hub."""

    logger: logging.Logger
    _event_queue: queue.Queue[Any]

    def _handle(self, event: Event) -> Any:
        """Call the subscribers that *event* is for."""

    def _rest(self) -> bool:
        """Use a moment without events, and return whether to wait for more of them."""


class Inbox:
    """Keeps received events, each of them once, until somebody handles them.

    The events wait in the queue of the *owner*, where anybody may put more. Threads may share an
    inbox.
    """

    def __init__(self, owner: Owner) -> None:
        """Initialise the inbox of *owner*."""
        self._owner = owner
        self._seen = RecentlySeen(REMEMBERED_EVENTS)
        self._left_over: collections.deque[Any] = collections.deque()
        #: Ids of events that tell of a connection which is being opened again.
        self._interruptions: set[str] = set()
        self._dropped = 0

    def is_repeat(self, event: Event) -> bool:
        """Remember *event* and return whether it came before."""
        return self._seen.is_repeat(event["id"])

    def put(self, event: Event) -> None:
        """Let *event* wait to be handled, in place of the oldest one if too many wait."""
        waiting = self._owner._event_queue
        while waiting.qsize() >= QUEUE_LIMIT:
            try:
                self._forget(waiting.get_nowait())
            except queue.Empty:
                break
            self._dropped += 1
            if self._dropped % 1000 == 1:
                self._owner.logger.warning(
                    f"More than {QUEUE_LIMIT} received events wait for wait() to handle them; "
                    f"the oldest are dropped, {self._dropped} so far."
                )
        waiting.put(event)

    def _forget(self, event: Any) -> None:
        """Take note that *event* was dropped."""
        if self._interruptions and isinstance(event, Event):
            self._interruptions.discard(event["id"])

    def put_own(self, event: Event) -> None:
        """Let *event* of the hub itself wait.

        The connection of which it may tell that it was lost is being opened again. So handling it
        does not end the waiting, unlike any other event about a disconnection.
        """
        if event["topic"] == DISCONNECTED_TOPIC:
            self._interruptions.add(event["id"])
        self.put(event)

    def handle_all(self, deadline: Optional[float]) -> None:
        """Handle events on this thread until *deadline*, or until the owner has enough.

        At least one event that waits is handled, whatever the deadline, not counting the one by
        which the hub says that it is connected. The handling of a disconnection is the last.
        """
        self._take(deadline, self._handle_safely)

    def handle_all_with(
        self,
        deadline: Optional[float],
        workers: int,
        key: Optional[Callable[[Event], Hashable]],
    ) -> None:
        """Handle events on *workers* threads, those with the same *key* one after the other.

        Without *key*, those about the same entity. Raise what ends a worker: an exception that is
        no error, such as :exc:`SystemExit`.
        """
        from ftrack_like.event.workers import WorkerPool  # lazy: most programs have none

        pool = WorkerPool(self._handle_safely, workers)

        def put(event: Any) -> None:
            first, *more = self._keys_of(event, key)
            pool.put(first, event, *more)

        def has_room() -> bool:
            while not pool.has_room(TICK):
                if not self._owner._rest() or _is_over(deadline):
                    return False
            return pool.works

        try:
            with pool:
                if self._take(deadline, put, has_room):
                    pool.drain()  # The disconnection is handled, and what came before it.
        finally:
            self._left_over.extendleft(reversed(pool.leftover))

    def _take(
        self,
        deadline: Optional[float],
        use: Callable[[Any], Any],
        goes_on: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Give events to *use*; return whether the last one was about a disconnection.

        This ends early when *goes_on* says so.
        """
        while self._owner._rest() and goes_on():
            left = TICK if deadline is None else min(TICK, deadline - time.monotonic())
            try:
                event = self._next(left)
            except queue.Empty:
                if left <= 0:
                    return False
                continue
            ends = self._ends_waiting(event)
            use(event)
            if ends:
                return True
            if _is_over(deadline) and not _is_notice(event):
                return False
        return False

    def _ends_waiting(self, event: Any) -> bool:
        """Return whether nothing is to be waited for after *event*."""
        # Programs put other things than events into the queue, for a `_handle` that knows them.
        if not isinstance(event, Mapping) or event.get("topic") != DISCONNECTED_TOPIC:
            return False
        if event.get("id") not in list(self._interruptions):
            return True
        self._interruptions.discard(event["id"])
        return False

    def _next(self, timeout: float) -> Any:
        """Return the next event after at most *timeout* seconds, or raise :exc:`queue.Empty`."""
        try:
            return self._left_over.popleft()
        except IndexError:
            return self._owner._event_queue.get(timeout > 0, max(0.0, timeout))

    def _keys_of(self, event: Any, key: Optional[Callable[[Event], Hashable]]) -> list[Hashable]:
        """Return the keys of *event*; a *key* that fails is logged, and replaced by the usual."""
        if key is not None:
            try:
                found = key(event)
                hash(found)
                return [found]
            except Exception:
                self._owner.logger.exception(
                    f"The key of the event {event} cannot be made; it is handled in the order of "
                    "the events about the same entities."
                )
        return subjects(event)

    def _handle_safely(self, event: Any) -> None:
        """Handle *event*; an error of the handling ends up in the log, not with who waits."""
        try:
            self._owner._handle(event)
        except Exception:
            self._owner.logger.exception(f"Error handling event {event}.")


def _is_notice(event: Any) -> bool:
    """Return whether *event* only says that the hub is connected."""
    return isinstance(event, Mapping) and event.get("topic") == CONNECTED_TOPIC


def _is_over(deadline: Optional[float]) -> bool:
    """Return whether *deadline*, a moment or None for none, has passed."""
    return deadline is not None and time.monotonic() >= deadline


def collect(
    replies: queue.Queue[Event], deadline: float, all_replies: bool
) -> Union[Event, list[Event], None]:
    """Return the first of *replies* until *deadline*, or None; or the list of *all_replies*."""
    collected: list[Event] = []
    while True:
        left = deadline - time.monotonic()
        try:
            collected.append(replies.get(timeout=max(0.0, left)))
        except queue.Empty:
            return collected if all_replies else None
        if not all_replies:
            return collected[0]
