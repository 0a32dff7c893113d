"""The receivers of replies to published events: callbacks, and threads that wait."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import Optional, Union

from ftrack_like._transport.cancellation import LONGEST_WAIT, check_cancelled
from ftrack_like.event.pending import ReplyBook
from ftrack_like.event.subscriber import Callback
from ftrack_like.wire.events import Event

__all__ = ["REPLY_TOPIC", "Replies", "collect"]

#: The topic of all replies.
REPLY_TOPIC = "ftrack.meta.reply"
#: How long replies to an event reach its `on_reply`, in seconds.
REPLY_LIFETIME = 900.0
#: The maximum number of events with receivers of either kind.
REPLY_LIMIT = 10_000


class Replies:
    """Knows who receives the replies to which event. Threads may share it.

    A callback runs on the thread that handles events, as other subscribers do. A thread that waits
    gets the replies from the thread that reads, since it does not handle events itself.
    """

    def __init__(self) -> None:
        """Initialise without receivers."""
        self.callbacks: ReplyBook[Callback] = ReplyBook(REPLY_LIMIT)
        self.awaited: ReplyBook[queue.Queue[Event]] = ReplyBook(REPLY_LIMIT)
        self.renew()

    def renew(self) -> None:
        """Create a new lock, as a forked child needs. The receivers stay."""
        self._lock = threading.RLock()

    def expect(self, event_id: str, callback: Callback) -> None:
        """Pass replies to the event *event_id* to *callback*, for a quarter of an hour."""
        with self._lock:
            self.callbacks.add(event_id, callback, time.monotonic(), REPLY_LIFETIME)

    def release(self) -> None:
        """Remove the callbacks whose time is over."""
        with self._lock:
            self.callbacks.release(time.monotonic())

    def callback_for(self, reply: Event) -> Optional[Callback]:
        """Return the callback for *reply*, or None."""
        with self._lock:
            return self.callbacks.get(reply["in_reply_to_event"])

    @contextlib.contextmanager
    def waiting_for(self, event_id: str, timeout: float) -> Iterator[queue.Queue[Event]]:
        """Yield a queue that gets the replies to the event *event_id* inside the context."""
        replies: queue.Queue[Event] = queue.Queue()
        with self._lock:
            self.awaited.add(event_id, replies, time.monotonic(), timeout)
        try:
            yield replies
        finally:
            with self._lock:
                self.awaited.remove(event_id)

    def deliver(self, event: Event) -> None:
        """Pass *event* to the thread that waits for it, if it is such a reply."""
        if event["topic"] != REPLY_TOPIC:
            return
        with self._lock:
            replies = self.awaited.get(event["in_reply_to_event"])
        if replies is not None:
            replies.put(event)


def collect(
    replies: queue.Queue[Event], deadline: float, all_replies: bool
) -> Union[Event, list[Event], None]:
    """Return the first of *replies* until *deadline*, or None; or the list of *all_replies*."""
    collected: list[Event] = []
    while True:
        check_cancelled()
        left = deadline - time.monotonic()
        try:
            collected.append(replies.get(timeout=max(0.0, min(left, LONGEST_WAIT))))
        except queue.Empty:
            if left > LONGEST_WAIT:
                continue
            return collected if all_replies else None
        if not all_replies:
            return collected[0]
