"""The inbox keeps received events until a thread of the program handles them.

The thread that reads the websocket only queues events. If it called callbacks, a slow callback
would keep it from answering heartbeats, and the server would close the connection.
"""

from __future__ import annotations

import collections
import queue
import threading
import time
from collections.abc import Hashable, Mapping
from typing import Any, Callable, Optional

from ftrack_like.event._subjects import subjects
from ftrack_like.event.consumers import ClaimedEvent
from ftrack_like.event.durable import DurableSubscriptions
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.pending import RecentlySeen
from ftrack_like.event.reentrant_queue import ReentrantQueue
from ftrack_like.event.replies import Replies
from ftrack_like.wire.events import Event

__all__ = ["CONNECTED_TOPIC", "DISCONNECTED_TOPIC", "QUEUE_LIMIT", "Inbox"]

#: The maximum number of waiting events; beyond it the oldest are dropped.
QUEUE_LIMIT = 20_000
#: The number of received events whose ids the inbox keeps, to recognise repeats.
REMEMBERED_EVENTS = 20_000
#: The topic of the event after which :meth:`EventHub.wait` returns.
DISCONNECTED_TOPIC = "ftrack.meta.disconnected"
#: The topic of the event that a hub queues when it connects.
CONNECTED_TOPIC = "ftrack.meta.connected"
#: How often a thread in `wait` checks whether the hub is still connected, in seconds.
TICK = 0.1
#: An entry of the queue: an event, or any object that a program queues for its own `_handle`.
QueueEntry = Any


class Inbox:
    """Queues received events, without repeats, until a thread handles them.

    Programs may put events into `queue` themselves. Threads may share an inbox. The queue has its
    own lock; `_lock` guards only `_interruptions`, and nothing blocks under it.
    """

    def __init__(self, seams: HubSeams, replies: Replies, durable: DurableSubscriptions) -> None:
        """Initialise an empty inbox.

        It passes each event to ``handle`` of *seams*. Replies go to *replies* too, at once. The
        events of durable subscriptions go to *durable* first, and come back from there.
        """
        self._durable = durable
        self._is_turn_of_journal = False
        self._seams = seams
        self._replies = replies
        #: Called with each event on the thread that reads. They must be quick, and not raise.
        self.watchers: list[Callable[[Event], object]] = []
        #: The ids of subscribers that watch their events too. Events that only these want are not
        #: queued: a program with nothing else to handle need not call `wait`.
        self.watching: set[str] = set()
        self._seen = RecentlySeen(REMEMBERED_EVENTS)
        #: Events that workers took from the queue and did not handle. They come before the queue.
        self._left_over: collections.deque[QueueEntry] = collections.deque()
        #: The ids of queued events that report a lost connection which the hub opens again.
        self._interruptions: set[str] = set()
        self._dropped = 0
        self.renew()

    def renew(self) -> None:
        """Create a new queue and a new lock, as a forked child needs."""
        self.queue: queue.Queue[QueueEntry] = ReentrantQueue()
        self._lock = threading.RLock()

    def accept(self, event: Event) -> bool:
        """Queue *event*, fresh from the server, unless it is a repeat.

        Return False if a durable subscription wants the event and its journal cannot keep it.
        """
        if self._durable and not self._durable.record(event):
            return False
        if self._seen.is_repeat(event["id"]):
            self._seams.logger.debug(
                f"Ignoring the event {event['id']}, which was received before."
            )
            return True
        for watch in tuple(self.watchers):
            watch(event)
        self._replies.deliver(event)
        if not self.watching or self._is_awaited(event):
            self.put(event)
        return True

    def _is_awaited(self, event: Event) -> bool:
        """Return whether a subscriber that does not watch its events may want *event*."""
        subscribers = self._seams.subscribers()
        ours = [each for each in subscribers if each.metadata.get("id") in self.watching]
        others = [each for each in subscribers if each.metadata.get("id") not in self.watching]
        return any(each.interested_in(event) for each in others) or not any(
            each.interested_in(event) for each in ours
        )

    def put(self, event: Event) -> None:
        """Queue *event*, and drop the oldest events if too many wait."""
        waiting = self.queue
        while waiting.qsize() >= QUEUE_LIMIT:
            try:
                self._forget(waiting.get_nowait())
            except queue.Empty:
                break
            self._dropped += 1
            if self._dropped % 1000 == 1:
                self._seams.logger.warning(
                    f"More than {QUEUE_LIMIT} received events wait for wait() to handle them; "
                    f"the oldest are dropped, {self._dropped} so far."
                )
        waiting.put(event)

    def _forget(self, event: QueueEntry) -> None:
        """Note that *event* was dropped."""
        if isinstance(event, Event):
            with self._lock:
                self._interruptions.discard(event["id"])

    def put_own(self, event: Event) -> None:
        """Queue *event*, which the hub itself created.

        A disconnection that the hub reports is temporary: it opens the connection again. Handling
        that event therefore does not end `wait`, unlike other events with this topic.
        """
        if event["topic"] == DISCONNECTED_TOPIC:
            with self._lock:
                self._interruptions.add(event["id"])
        for watch in tuple(self.watchers):
            watch(event)
        self.put(event)

    def handle_all(self, deadline: Optional[float]) -> None:
        """Handle events on this thread until *deadline*, or until the hub disconnects.

        Handle at least one waiting event, even after the deadline. The event `CONNECTED_TOPIC`,
        which the hub queues itself, does not count. Return after an event about a disconnection,
        unless it is temporary; see :meth:`put_own`.
        """
        self._take(deadline, self._handle_safely)

    def handle_all_with(
        self,
        deadline: Optional[float],
        workers: int,
        key: Optional[Callable[[Event], Hashable]],
    ) -> None:
        """Handle events on *workers* threads. Events with the same *key* keep their order.

        Without *key*, events about the same entity keep their order. Raise the exception that ends
        a worker, such as :exc:`SystemExit`.
        """
        from ftrack_like.event.workers import WorkerPool  # lazy: most programs have none

        pool = WorkerPool(self._handle_safely, workers)

        def put(event: QueueEntry) -> None:
            first, *more = self._keys_of(event, key)
            pool.put(first, event, *more)

        def has_room() -> bool:
            while not pool.has_room(TICK):
                if not self._goes_on() or _is_over(deadline):
                    return False
            return pool.works

        try:
            with pool:
                if self._take(deadline, put, has_room):
                    pool.drain()  # Everything up to the disconnection is handled.
        finally:
            self._left_over.extendleft(reversed(pool.leftover))

    def _take(
        self,
        deadline: Optional[float],
        use: Callable[[QueueEntry], object],
        has_room: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Pass events to *use*; return whether the last one was about a disconnection.

        Return early when *has_room* returns False.
        """
        while self._goes_on() and has_room():
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

    def _goes_on(self) -> bool:
        """Return whether more events may come. Also remove expired callbacks for replies."""
        self._durable.check()
        self._replies.release()
        return self._seams.expects_events()

    def _ends_waiting(self, event: QueueEntry) -> bool:
        """Return whether *event* is about a disconnection that is not temporary."""
        if not isinstance(event, Mapping) or event.get("topic") != DISCONNECTED_TOPIC:
            return False
        with self._lock:
            if event.get("id") not in list(self._interruptions):  # an id may be unhashable
                return True
            self._interruptions.discard(event["id"])
        return False

    def _next(self, timeout: float) -> QueueEntry:
        """Return the next event after at most *timeout* seconds, or raise :exc:`queue.Empty`."""
        try:
            return self._left_over.popleft()
        except IndexError:
            pass
        # The journal and the queue take turns, so that neither waits for the whole of the other.
        self._is_turn_of_journal = not self._is_turn_of_journal
        if self._durable and (self._is_turn_of_journal or self.queue.empty()):
            claimed = self._durable.next_event()
            if claimed is not None:
                return claimed
        return self.queue.get(timeout > 0, max(0.0, timeout))

    def _keys_of(
        self, event: QueueEntry, key: Optional[Callable[[Event], Hashable]]
    ) -> list[Hashable]:
        """Return the keys of *event*. If *key* fails, log that and use the default keys."""
        if isinstance(event, ClaimedEvent):
            event = event.event
        if key is not None:
            try:
                found = key(event)
                hash(found)
                return [found]
            except Exception:
                self._seams.logger.exception(
                    f"The key of the event {event} cannot be made; it is handled in the order of "
                    "the events about the same entities."
                )
        return subjects(event)

    def _handle_safely(self, event: QueueEntry) -> None:
        """Handle *event*. Log exceptions: they must not end `wait`."""
        try:
            if isinstance(event, ClaimedEvent):
                self._durable.handle(event)
            else:
                self._seams.handle(event)
        except Exception:
            self._seams.logger.exception(f"Error handling event {event}.")


def _is_notice(event: QueueEntry) -> bool:
    """Return whether *event* is the hub's own event about its connection."""
    return isinstance(event, Mapping) and event.get("topic") == CONNECTED_TOPIC


def _is_over(deadline: Optional[float]) -> bool:
    """Return whether *deadline*, in seconds or None for no limit, has passed."""
    return deadline is not None and time.monotonic() >= deadline
