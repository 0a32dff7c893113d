"""The courier sends packets, and delivers events until the server acknowledges them.

A websocket that breaks does not say which of the sent packets arrived. The server acknowledges
events, so the courier keeps each event until then. After a new connection it sends everything
again that has no acknowledgement. An event may therefore arrive twice, and receivers drop repeats
by the id of the event.

Until its acknowledgement an event is in one of three places. The oldest events are in the first:

* the *outbox*: sent on the last connection. The next connection moves them to `_again`;
* `_again`: to be sent again, because an earlier attempt or connection failed;
* the *send queue* (`_event_send_queue` of the hub): published without a connection, or while
  older events still wait.

After a new connection the courier is `catching_up`: the thread of the connection sends the
subscribers first, then `_again`, then the send queue, a few packets between two reads. Until it is
done, :meth:`Courier.deliver` only queues. If it sent at once, a new event would overtake older
events of the same thread. A reply could also arrive before the server knows the subscriber for it.
"""

from __future__ import annotations

import collections
import functools
import queue
import threading
import time
from typing import Callable, Optional

from ftrack_like import exception
from ftrack_like._transport.interruption import interruption
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.pending import Arrivals, OnPacketAnswer, Outbox, OutgoingEvent, PacketAnswer
from ftrack_like.event.reentrant_queue import ReentrantQueue
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.event.websockets import WebSocketLike, faults
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event

__all__ = ["BUFFER_LIMIT", "LARGEST_EVENT", "Courier", "refuse_huge"]

#: The maximum length of the send queue, and of the outbox.
BUFFER_LIMIT = 10_000
#: The maximum length of the JSON of an event, in characters. Servers close the connection if a
#: message has 16 MiB.
LARGEST_EVENT = 16_000_000
#: How long the courier waits for an answer about a subscriber, in seconds.
ANSWER_PATIENCE = 1.0
#: After a reconnect, refused subscribers are announced again for this many seconds, with this
#: pause in seconds.
RETRY_TIME = 120.0
RETRY_PAUSE = 2.0
#: The number of packets that are sent between two reads.
BATCH = 100
#: How long packets are sent between two reads, in seconds.
BATCH_TIME = 0.05
#: The courier acknowledges this many received events with one packet. It acknowledges fewer when
#: the first has waited for this many seconds. If the connection breaks before, the server sends the
#: events again, and the inbox drops the repeats.
ACKNOWLEDGED_AT_ONCE = 50
ACKNOWLEDGED_WITHIN = 0.5

#: A waiting event in the form of the published client: (event, synchronous, callback, on_reply).
#: Programs may put plain events too.
WaitingEvent = tuple[Event, bool, Optional[OnPacketAnswer], None]


class Courier:
    """Sends packets, and keeps the order of events per publishing thread over all connections.

    Threads may share a courier. `guard` is locked while a thread sends one packet; if the socket is
    stuck, that takes seconds. `_answers_lock` guards only the callbacks for answers, and nothing
    blocks under it: the thread that reads must never wait for a thread that sends.
    """

    def __init__(self, seams: HubSeams) -> None:
        """Initialise a courier without a websocket; the hub is reached through *seams*."""
        self._seams = seams
        self.renew()

    def renew(self) -> None:
        """Forget everything, and create new locks. A forked child starts with this."""
        self.guard: threading.RLock = threading.RLock()
        self.websocket: Optional[WebSocketLike] = None
        self.catching_up: bool = False
        self.send_queue: queue.Queue[WaitingEvent] = ReentrantQueue()
        self.outbox: Outbox = Outbox(BUFFER_LIMIT)
        self.packet_callbacks: collections.OrderedDict[int, OnPacketAnswer] = (
            collections.OrderedDict()
        )
        self._packet_number = 0
        self._answers_lock = threading.RLock()
        self._arrivals = Arrivals(ACKNOWLEDGED_AT_ONCE, ACKNOWLEDGED_WITHIN)
        self._again: collections.deque[OutgoingEvent] = collections.deque()
        # By `id()`: two subscribers may be equal, and programs may add objects without a hash.
        self._announced: dict[int, Subscriber] = {}
        self._unanswered: dict[int, float] = {}
        self._refused: list[Subscriber] = []
        self._retry_at = self._retry_until = 0.0
        self._settled = threading.Condition(self.guard)
        self._waiters = 0
        self._sequence = 0

    @property
    def ready(self) -> bool:
        """Whether everything was sent, and the server has answered about the subscribers.

        The server may not answer at all. So an answer counts as given after `ANSWER_PATIENCE`.
        """
        oldest = min(list(self._unanswered.values()), default=None)
        patient = oldest is not None and time.monotonic() - oldest < ANSWER_PATIENCE
        return not (self.catching_up or patient)

    @property
    def waiting(self) -> int:
        """The number of events without an acknowledgement, sent or not."""
        return len(self.outbox) + len(self._again) + self.send_queue.qsize()

    # Packets.

    def send(self, packet: packets.Packet) -> str:
        """Send *packet* on the calling thread, and return its text.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the connection is broken. If
        a signal handler raises an exception meanwhile, raise that exception and give up the
        connection, because a packet may be sent in part.
        """
        with self.guard:
            websocket = self.websocket
            if websocket is None:
                raise exception.EventHubConnectionError("The event hub is not connected.")
            text = packets.join(packet)
            try:
                websocket.send(text)
            except BaseException as error:
                interrupted = _interrupted(error)
                if not interrupted and not isinstance(error, faults()):
                    raise
                self._seams.give_up(websocket)
                if interrupted:
                    raise
                raise exception.EventHubConnectionError(
                    "Sending to the event server failed: {error}", details={"error": str(error)}
                ) from error
        return text

    def expect_answer(self, callback: OnPacketAnswer) -> int:
        """Return the number for a new packet, whose answer will be passed to *callback*."""
        with self._answers_lock:
            self._packet_number += 1
            self.packet_callbacks[self._packet_number] = callback
            if len(self.packet_callbacks) > 2 * BUFFER_LIMIT:  # the server never answers
                self.packet_callbacks.popitem(last=False)
            return self._packet_number

    def take_callback(self, number: Optional[int]) -> Optional[OnPacketAnswer]:
        """Remove and return the callback for the packet *number*; None if there is none."""
        if number is None:
            return None
        with self._answers_lock:
            return self.packet_callbacks.pop(number, None)

    def arrived(self, identifier: str) -> None:
        """Note the received packet *identifier*, and acknowledge the packets if they are enough."""
        if self._arrivals.add(identifier, time.monotonic()):
            self._acknowledge_arrivals()

    def _acknowledge_arrivals(self) -> None:
        identifier = self._arrivals.take()
        if not identifier:
            return
        try:
            self._seams.acknowledge_packet(identifier)
        except exception.EventHubConnectionError as error:
            self._seams.logger.debug(f"An event was not acknowledged: {error}")

    # Connections.

    def begin(self, websocket: WebSocketLike, again: bool) -> None:
        """Send on *websocket* from now on; *again* is true after a lost connection.

        The server knows nothing of the previous connection: subscribers are announced again, and
        events without an acknowledgement are sent again.
        """
        with self.guard:
            with self._answers_lock:
                self.packet_callbacks.clear()
            self._arrivals.take()
            self._refused.clear()
            self._retry_until = time.monotonic() + RETRY_TIME if again else 0.0
            self.catching_up = True
            self._announced.clear()
            self._unanswered.clear()
            self._again.extendleft(reversed(self.outbox.take_all()))
            # Last: a thread that sees the websocket must see that the courier is catching up.
            self.websocket = websocket

    def send_waiting(self, last: bool) -> Optional[float]:
        """Send some of the waiting packets, while there is nothing to read.

        *last* is true if the next read may block for ever. Return the seconds until the next call
        is due; None if nothing waits.
        """
        left = self._arrivals.left(time.monotonic())
        if last or left == 0:
            self._acknowledge_arrivals()
            left = None
        pause = self.catch_up()
        return min((each for each in (left, pause) if each is not None), default=None)

    def catch_up(self) -> Optional[float]:
        """Send some of the waiting subscribers and events, subscribers first.

        Return the seconds until more can be sent: 0 if more waits, None if nothing waits or the
        connection is broken.
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
        # Large events take long to send, so the time between two reads is limited too.
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
                    if left <= 0 or not self._seams.connected():
                        return False
                    self._settled.wait(min(left, 0.1))
                return True
            finally:
                self._waiters -= 1

    # Events.

    def deliver(self, event: Event, callback: OnPacketAnswer) -> Optional[bool]:
        """Send *event*, or queue it until there is a connection.

        Return None if it was sent, True if it was queued. *callback* is called with the server's
        answer, on the thread that reads.

        Raise :exc:`~ftrack_like.exception.EventHubError` if the queue is full.
        """
        sending = OutgoingEvent(event, callback)
        with self.guard:
            busy = self.catching_up or not self._seams.connected()
            if not busy and self._send(sending):
                return None
            self._queue(sending)
            return True

    def acknowledged(self, number: int, sending: OutgoingEvent, answer: PacketAnswer) -> None:
        """Remove *sending*, the event with the *number*, and pass *answer* to its callback."""
        # Not under the guard, which a thread with a stuck socket keeps. Removing is atomic.
        self.outbox.acknowledge(number)
        if self._waiters:
            with self.guard:
                self._settled.notify_all()
        if sending.callback is not None:
            sending.callback(answer)

    def _send_next(self) -> bool:
        """Send the oldest waiting event, and return whether there may be more to send."""
        with self.guard:
            sending = self._take_next()
            if sending is None:
                if self._unannounced():  # a program subscribed during the last sends
                    return True
                self.catching_up = False
                self._settled.notify_all()
                return False
            try:
                if self._send(sending):
                    return True
            except exception.EventHubError as error:
                self._seams.logger.error(f"Error sending event {sending.event['id']}: {error}")
                return True
            self._again.appendleft(sending)
            return False

    def _take_next(self) -> Optional[OutgoingEvent]:
        if self._again:
            return self._again.popleft()
        try:
            item = self.send_queue.get_nowait()
        except queue.Empty:
            return None
        return OutgoingEvent(item[0], item[2]) if isinstance(item, tuple) else OutgoingEvent(item)

    def _send(self, sending: OutgoingEvent) -> bool:
        """Send *sending*; return False if the connection is broken.

        Log and drop an event that cannot be encoded. Raise
        :exc:`~ftrack_like.exception.EventHubError` if the event is too large for the server. If a
        signal handler raises an exception, raise it. If sending had begun by then, the event is
        sent again on the next connection.
        """
        self._sequence += 1
        number = self._sequence
        # Before sending: the acknowledgement may arrive before `emit` returns.
        if not self.outbox.add(number, sending) and self.outbox.forgotten == 1:
            self._seams.logger.warning(
                f"The server acknowledges nothing: more than {self.outbox.limit} events wait for "
                "it, and the oldest will not be sent again if the connection is lost."
            )
        try:
            self._seams.emit(sending.event, functools.partial(self.acknowledged, number, sending))
        except exception.EventHubConnectionError:
            self.outbox.acknowledge(number)
            return False
        except exception.EventHubError:
            self.outbox.acknowledge(number)
            raise
        except BaseException as error:
            interrupted = _interrupted(error)
            # If the connection was given up, the server may have the event, or a part of it.
            if self.websocket is not None or not interrupted:
                self.outbox.acknowledge(number)
            if interrupted:
                raise
            self._seams.logger.exception(f"Error sending event {sending.event}.")
        return True

    def _queue(self, sending: OutgoingEvent) -> None:
        if self.send_queue.qsize() >= BUFFER_LIMIT:
            raise exception.EventHubError(
                "The event was not published: {limit} events already wait for a connection to "
                "the event server, which is as many as the event hub keeps.",
                details={"limit": BUFFER_LIMIT},
            )
        self.send_queue.put((sending.event, False, sending.callback, None))

    # Subscribers.

    def announce(self, subscriber: Subscriber) -> bool:
        """Tell the server about *subscriber*; return False if that must wait.

        Raise :exc:`TypeError` or :exc:`ValueError` if its metadata cannot be encoded.
        """
        with self.guard:
            if self.catching_up or not self._seams.connected():
                return False
            return self._try_announce(subscriber)

    def withdraw(self, subscriber: Subscriber) -> bool:
        """Forget *subscriber*, and return whether the server was told about it."""
        with self.guard:
            self._unanswered.pop(id(subscriber), None)
            return self._announced.pop(id(subscriber), None) is not None

    def answered(self, subscriber: Subscriber) -> None:
        """Note that the server accepted or refused *subscriber*."""
        with self.guard:
            self._unanswered.pop(id(subscriber), None)
            self._settled.notify_all()

    def retry(self, subscriber: Subscriber, continues: bool = False) -> bool:
        """Announce the refused *subscriber* again later; return False if it is too late for that.

        For `RETRY_TIME` after a reconnect, a server may refuse a subscriber because it still knows
        the same subscriber from the lost connection. It has not yet noticed the loss. A subscriber
        that *continues* the one of another process is always announced again.
        """
        with self.guard:
            now = time.monotonic()
            if now > self._retry_until and not continues:
                return False
            self._refused.append(subscriber)
            self._retry_at = now + RETRY_PAUSE
            return True

    def _announce_again(self) -> None:
        with self.guard:
            for subscriber in self._refused:
                self._announced.pop(id(subscriber), None)
            self._refused.clear()
            self.catching_up = True

    def _unannounced(self) -> list[Subscriber]:
        return [each for each in self._seams.subscribers() if id(each) not in self._announced]

    def _announce_in_turn(self, subscriber: Subscriber) -> bool:
        """Announce *subscriber* while catching up; return False if the connection is broken.

        Log any other error: it must not stop the events behind it.
        """
        try:
            return self._try_announce(subscriber)
        except Exception:
            self._seams.logger.exception(f"The server cannot be told about {subscriber}.")
            return True

    def _try_announce(self, subscriber: Subscriber) -> bool:
        with self.guard:
            self._unanswered[id(subscriber)] = time.monotonic()
            # Before the attempt, so that a failed one is not repeated on this connection.
            self._announced[id(subscriber)] = subscriber
            try:
                self._seams.announce(subscriber)
            except exception.EventHubConnectionError:
                return False
            except Exception:
                self._unanswered.pop(id(subscriber), None)
                raise
            return True


def _interrupted(error: BaseException) -> bool:
    """Return whether *error* comes from a signal handler, such as Ctrl-C, and not from sending."""
    return not isinstance(error, Exception) or interruption(error) is not None


def refuse_huge(event: Event, length: int) -> None:
    """Raise :exc:`~ftrack_like.exception.EventHubError` if *length* characters are too many.

    The server would close the connection, and again each time *event* is sent.
    """
    if length > LARGEST_EVENT:
        raise exception.EventHubError(
            "The event about {topic} was not published: it is {length:,} characters long, and "
            "event servers take no more than {limit:,}.",
            details={"topic": event["topic"], "length": length, "limit": LARGEST_EVENT},
        )
