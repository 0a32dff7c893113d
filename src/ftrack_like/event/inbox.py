"""The inbox: received events on their way from the thread that reads to those that handle them."""

from __future__ import annotations

import collections
import logging
import queue
import time
from collections.abc import Hashable
from typing import Any, Callable, Optional, Protocol, Union

from ftrack_like.event.base import Event
from ftrack_like.event.delivery import RecentlySeen

__all__ = ["QUEUE_LIMIT", "Inbox", "collect"]

#: How many received events may wait to be handled; beyond it the oldest are dropped.
QUEUE_LIMIT = 20_000
#: How many ids of received events are remembered, to drop repeats.
REMEMBERED_EVENTS = 20_000
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
        self._dropped = 0

    def is_repeat(self, event: Event) -> bool:
        """Remember *event* and return whether it came before."""
        return self._seen.is_repeat(event["id"])

    def put(self, event: Event) -> None:
        """Let *event* wait to be handled, in place of the oldest one if too many wait."""
        waiting = self._owner._event_queue
        while waiting.qsize() >= QUEUE_LIMIT:
            try:
                waiting.get_nowait()
            except queue.Empty:
                break
            self._dropped += 1
            if self._dropped % 1000 == 1:
                self._owner.logger.warning(
                    f"More than {QUEUE_LIMIT} received events wait for wait() to handle them; "
                    f"the oldest are dropped, {self._dropped} so far."
                )
        waiting.put(event)

    def handle_all(self, deadline: Optional[float]) -> None:
        """Handle events on this thread until *deadline*, or until the owner has enough."""
        self._take(deadline, self._handle_safely)

    def handle_all_with(
        self,
        deadline: Optional[float],
        workers: int,
        key: Optional[Callable[[Event], Hashable]],
    ) -> None:
        """Handle events on *workers* threads, those with the same *key* one after the other."""
        from ftrack_like.event.workers import WorkerPool  # lazy: most programs have none

        with WorkerPool(self._handle_safely, workers) as pool:

            def put(event: Any) -> None:
                while not pool.has_room(TICK):
                    pass
                pool.put(_key_of(event, key), event)

            self._take(deadline, put)
        self._left_over.extendleft(reversed(pool.leftover))

    def _take(self, deadline: Optional[float], use: Callable[[Any], Any]) -> None:
        while self._owner._rest():
            left = TICK if deadline is None else min(TICK, deadline - time.monotonic())
            if left <= 0:
                return
            try:
                use(self._next(left))
            except queue.Empty:
                continue

    def _next(self, timeout: float) -> Any:
        try:
            return self._left_over.popleft()
        except IndexError:
            return self._owner._event_queue.get(timeout=timeout)

    def _handle_safely(self, event: Any) -> None:
        """Handle *event*; an error of the handling ends up in the log, not with who waits."""
        try:
            self._owner._handle(event)
        except Exception:
            self._owner.logger.exception(f"Error handling event {event}.")


def _key_of(event: Any, key: Optional[Callable[[Event], Hashable]]) -> Hashable:
    if key is not None:
        return key(event)
    return event["source"].get("id") if isinstance(event, Event) else None


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
