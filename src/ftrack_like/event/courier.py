"""The courier brings events to the server and remembers them until they are acknowledged."""

from __future__ import annotations

import collections
import functools
import logging
import queue
import threading
import time
from typing import Any, Callable, Optional, Protocol

from ftrack_like import exception
from ftrack_like.event.delivery import Outbox, Sending

__all__ = ["BUFFER_LIMIT", "LARGEST_EVENT", "Courier", "Sender", "refuse_huge"]

#: How many events may wait for a connection, and how many for their acknowledgement.
BUFFER_LIMIT = 10_000
#: How long the JSON of an event may be, in characters; servers hang up on messages of 16 MiB.
LARGEST_EVENT = 16_000_000
#: How long an answer about a subscriber is waited for, in seconds.
ANSWER_PATIENCE = 1.0
#: For how long after a reconnect refused subscribers are announced again, and how often, in
#: seconds.
RETRY_TIME = 120.0
RETRY_PAUSE = 2.0
#: How much is sent between two looks at what the server says.
BATCH = 100
#: For how long it is sent between two looks, in seconds.
BATCH_TIME = 0.05


class Sender(Protocol):
    """What a courier needs of the hub."""

    logger: logging.Logger
    _event_send_queue: queue.Queue[Any]

    @property
    def connected(self) -> bool:
        """Return whether there is a connection."""

    def _emit(self, event: Any, callback: Callable[[Any], Any]) -> None:
        """Send *event*; raise EventHubConnectionError if the connection is broken."""

    def _subscribers_now(self) -> list[Any]:
        """Return the subscribers, first one first."""

    def _announce(self, subscriber: Any) -> None:
        """Tell the server about *subscriber*; raise EventHubConnectionError if broken."""


class Courier:
    """Keeps the order of events, per publishing thread, over any number of connections.

    Threads may share a courier; `guard` is held while one packet is sent, and never longer.
    """

    def __init__(self, sender: Sender) -> None:
        """Initialise a courier that sends by means of *sender*."""
        self.guard = threading.RLock()
        self.catching_up = False
        self._sender = sender
        self._outbox = Outbox(BUFFER_LIMIT)
        self._again: collections.deque[Sending] = collections.deque()
        self._announced: dict[int, Any] = {}
        self._unanswered: dict[int, float] = {}
        self._refused: list[Any] = []
        self._retry_at = self._retry_until = 0.0
        self._settled = threading.Condition(self.guard)
        self._waiters = 0
        self._sequence = 0

    @property
    def ready(self) -> bool:
        """Return whether everything was sent, and the server answered about subscribers.

        A server that answers nothing for a while will not answer.
        """
        oldest = min(list(self._unanswered.values()), default=None)
        patient = oldest is not None and time.monotonic() - oldest < ANSWER_PATIENCE
        return not (self.catching_up or patient)

    @property
    def waiting(self) -> int:
        """Return how many events have no acknowledgement, sent or not."""
        return len(self._outbox) + len(self._again) + self._sender._event_send_queue.qsize()

    def deliver(self, event: Any, callback: Callable[[Any], Any]) -> Optional[bool]:
        """Send *event*, or keep it until there is a connection.

        Return None if it was sent and True if it is kept. *callback* is called with the server's
        answer when it comes.

        Raise :exc:`~ftrack_like.exception.EventHubError` if too many are kept already.
        """
        sending = Sending(event, callback)
        with self.guard:
            busy = self.catching_up or not self._sender.connected
            if not busy and self._send(sending):
                return None
            self._keep(sending)
            return True

    def announce(self, subscriber: Any) -> bool:
        """Tell the server about *subscriber* and return True, or False if that must wait.

        Raise :exc:`TypeError` or :exc:`ValueError` if its metadata cannot be JSON.
        """
        with self.guard:
            if self.catching_up or not self._sender.connected:
                return False
            return self._try_announce(subscriber)

    def withdraw(self, subscriber: Any) -> bool:
        """Forget *subscriber* and return whether the server was told about it."""
        with self.guard:
            self._unanswered.pop(id(subscriber), None)
            return self._announced.pop(id(subscriber), None) is not None

    def answered(self, subscriber: Any) -> None:
        """Take notice that the server knows *subscriber*, or refused it."""
        with self.guard:
            self._unanswered.pop(id(subscriber), None)
            self._settled.notify_all()

    def retry(self, subscriber: Any) -> bool:
        """Return whether *subscriber*, which the server refused, will be announced again.

        It will for a while after a reconnect: the server may not have noticed yet that the
        connection which held the subscriber is gone.
        """
        with self.guard:
            now = time.monotonic()
            if now > self._retry_until:
                return False
            self._refused.append(subscriber)
            self._retry_at = now + RETRY_PAUSE
            return True

    def begin(self, again: bool) -> None:
        """Take notice of a new connection, *again* after one that was lost.

        Everything has to be said again.
        """
        with self.guard:
            self._refused.clear()
            self._retry_until = time.monotonic() + RETRY_TIME if again else 0.0
            self.catching_up = True
            self._announced.clear()
            self._unanswered.clear()
            self._again.extendleft(reversed(self._outbox.take_all()))

    def catch_up(self) -> Optional[float]:
        """Send some of what waits, subscriptions first.

        Return after how many seconds there is more to do: 0 if more waits, None if nothing does.
        Where sending fails, there is nothing more to do until the next connection.
        """
        left = self._retry_at - time.monotonic() if self._refused else None
        if left is not None and left <= 0:
            self._announce_again()
            left = None
        if not self.catching_up:
            return left
        subscribers = self._unannounced()[:BATCH]
        if subscribers:
            return 0.0 if all(map(self._announce_in_turn, subscribers)) else None
        # Large events take long to send: the server must be heard in between.
        end = time.monotonic() + BATCH_TIME
        for _ in range(BATCH):
            if not self._send_next():
                return left
            if time.monotonic() >= end:
                break
        return 0.0

    def wait_ready(self, timeout: float) -> bool:
        """Return whether the courier is ready, after at most *timeout* seconds."""
        return self._wait(lambda: self.ready, timeout)

    def wait_settled(self, timeout: float) -> bool:
        """Return whether all events were acknowledged, after at most *timeout* seconds."""
        return self._wait(lambda: not (self.catching_up or self.waiting), timeout)

    def _wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._settled:
            self._waiters += 1
            try:
                while not condition():
                    left = deadline - time.monotonic()
                    if left <= 0 or not self._sender.connected:
                        return False
                    self._settled.wait(min(left, 0.1))
                return True
            finally:
                self._waiters -= 1

    def acknowledged(self, number: int, sending: Sending, response: Any) -> None:
        """Forget *sending*, the event with that *number*, and pass *response* on."""
        # Without the guard, which a sender holds for long: it is one step of a dictionary.
        self._outbox.acknowledge(number)
        if self._waiters:
            with self.guard:
                self._settled.notify_all()
        if sending.callback is not None:
            sending.callback(response)

    def _announce_again(self) -> None:
        with self.guard:
            for subscriber in self._refused:
                self._announced.pop(id(subscriber), None)
            self._refused.clear()
            self.catching_up = True

    def _unannounced(self) -> list[Any]:
        subscribers = self._sender._subscribers_now()
        return [entry for entry in subscribers if id(entry) not in self._announced]

    def _announce_in_turn(self, subscriber: Any) -> bool:
        """Return False if the connection is broken; any other fault is logged, and that is it."""
        try:
            return self._try_announce(subscriber)
        except Exception:
            self._sender.logger.exception(f"The server cannot be told about {subscriber}.")
            return True

    def _try_announce(self, subscriber: Any) -> bool:
        with self.guard:
            self._unanswered[id(subscriber)] = time.monotonic()
            # Whatever comes of it, it is not tried again on this connection.
            self._announced[id(subscriber)] = subscriber
            try:
                self._sender._announce(subscriber)
            except exception.EventHubConnectionError:
                return False
            except Exception:
                self._unanswered.pop(id(subscriber), None)
                raise
            return True

    def _send_next(self) -> bool:
        """Send what waits longest, and return whether there may be more to send."""
        with self.guard:
            sending = self._take_next()
            if sending is None:
                if self._unannounced():  # somebody subscribed meanwhile
                    return True
                self.catching_up = False
                self._settled.notify_all()
                return False
            try:
                if self._send(sending):
                    return True
            except exception.EventHubError as error:
                self._sender.logger.error(f"Error sending event {sending.event['id']}: {error}")
                return True
            self._again.appendleft(sending)
            return False

    def _take_next(self) -> Optional[Sending]:
        if self._again:
            return self._again.popleft()
        try:
            item = self._sender._event_send_queue.get_nowait()
        except queue.Empty:
            return None
        # The form of a waiting event is old: (event, synchronous, callback, on_reply).
        return Sending(item[0], item[2]) if isinstance(item, tuple) else Sending(item)

    def _send(self, sending: Sending) -> bool:
        """Return False if *sending* could not be sent because the connection is broken.

        An event that cannot be sent through a fault of its own is logged and let go. Raise
        :exc:`~ftrack_like.exception.EventHubError` if it is one that no server takes.
        """
        self._sequence += 1
        number = self._sequence
        if not self._outbox.add(number, sending) and self._outbox.forgotten == 1:
            self._sender.logger.warning(
                f"The server acknowledges nothing: more than {self._outbox.limit} events wait for "
                "it, and the oldest will not be sent again if the connection is lost."
            )
        try:
            callback = functools.partial(self.acknowledged, number, sending)
            self._sender._emit(sending.event, callback)
        except exception.EventHubConnectionError:
            self._outbox.acknowledge(number)
            return False
        except exception.EventHubError:
            self._outbox.acknowledge(number)
            raise
        except Exception:
            self._outbox.acknowledge(number)
            self._sender.logger.exception(f"Error sending event {sending.event}.")
        return True

    def _keep(self, sending: Sending) -> None:
        if self._sender._event_send_queue.qsize() >= BUFFER_LIMIT:
            raise exception.EventHubError(
                "The event was not published: {limit} events already wait for a connection to "
                "the event server, which is as many as the event hub keeps.",
                details={"limit": BUFFER_LIMIT},
            )
        self._sender._event_send_queue.put((sending.event, False, sending.callback, None))


def refuse_huge(event: Any, length: int) -> None:
    """Raise :exc:`~ftrack_like.exception.EventHubError` if *length* characters are too many.

    A server would hang up, now and whenever *event* is sent again.
    """
    if length > LARGEST_EVENT:
        raise exception.EventHubError(
            "The event about {topic} was not published: it is {length:,} characters long, and "
            "event servers take no more than {limit:,}.",
            details={"topic": event["topic"], "length": length, "limit": LARGEST_EVENT},
        )
