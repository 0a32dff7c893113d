"""Durable subscriptions: events are kept in a journal until their callbacks have handled them.

An event takes this way:

1. The thread that reads the websocket stores the event in the journal of each durable name that has
   a subscriber for it. Only then does the hub acknowledge the event to the server. If the journal
   cannot store it, the hub gives the connection up without an acknowledgement, and the server
   sends the event again.
2. A thread in :meth:`EventHub.wait` claims the event and calls the subscribers. Another process
   with the same durable name may claim it instead.
3. After the callbacks the journal notes that the event is done. If the process ends before, the
   claim ends too, and a worker repeats the event.

:mod:`ftrack_like.event.upkeep` renews claims, and finds events that no worker received.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Callable, Optional, Union

from ftrack_like import exception
from ftrack_like.event.consumers import ClaimedEvent, Consumer, ConsumerGroup, encodable
from ftrack_like.event.durability import Durability
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.journal import open_journal
from ftrack_like.event.missed import ActivityRows
from ftrack_like.event.pending import PacketAnswer
from ftrack_like.event.storable import storable_text
from ftrack_like.event.subscriber import Callback, Metadata, Subscriber
from ftrack_like.event.subscription import Subscription
from ftrack_like.event.upkeep import Upkeep
from ftrack_like.wire.events import Event

__all__ = ["DurableSubscriptions"]

#: Events with these topics are questions. The sender does not wait for a late answer, so
#: `use_always` does not apply to their subscriptions.
_QUESTIONS = frozenset(
    {
        "ftrack.action.discover",
        "ftrack.action.launch",
        "ftrack.connect.discover",
        "ftrack.connect.verify-startup",
        "ftrack.dynamic-enumerator",
        "ftrack.location.request-resolve",
    }
)
#: Topics of hubs, which concern one connection only.
_OWN_TOPICS = "ftrack.meta."
#: The journals of the parent processes of this forked child, which must stay open.
_of_parents: list[dict[str, ConsumerGroup]] = []


class DurableSubscriptions:
    """The durable subscriptions of a hub. Threads may share it."""

    def __init__(
        self,
        seams: HubSeams,
        secrets: Callable[[], Sequence[str]],
        activity: Callable[[], Optional[ActivityRows]],
    ) -> None:
        """Initialise without subscriptions; *secrets* returns texts that are never stored.

        *activity* returns the activity of the server, None if the hub belongs to no session.
        """
        self._seams = seams
        self._secrets = secrets
        #: The settings of later subscriptions that name none.
        self._default: Optional[Durability] = None
        self._activity = activity
        #: Why the journal cannot be used any more. Threads in `wait` raise it.
        self._failure: Optional[exception.EventJournalError] = None
        self._groups: dict[str, ConsumerGroup] = {}
        self._upkeep: Optional[Upkeep] = None
        self._turn = 0
        self._lock = threading.RLock()
        #: The groups without an open journal, because the hub was closed.
        self._resting: list[ConsumerGroup] = []

    def renew(self) -> None:
        """Create a new lock. A forked child has no durable subscriptions: the parent keeps them."""
        self._lock = threading.RLock()
        # Closing a connection to SQLite in the child could damage the file.
        _of_parents.append(self._groups)
        self._resting = []
        self._groups = {}
        self._upkeep = None

    @property
    def hub_id(self) -> Optional[str]:
        """An id for the hub, which a later process takes over; None without a durable name."""
        return next((each.hub_id for each in self._groups.values()), None)

    def __bool__(self) -> bool:
        """Return whether there are durable subscriptions."""
        return bool(self._groups or self._resting)

    # Subscribing.

    def choose(
        self, subscription: str, durable: Union[str, Durability, None]
    ) -> Optional[Durability]:
        """Return the settings for *subscription*, None if it is not durable.

        *durable* is what the program chose: a durable name, or settings, or None for the default.

        Raise :exc:`ValueError` if the name is invalid, and
        :exc:`~ftrack_like.exception.ParseError` for an invalid *subscription*.
        """
        if isinstance(durable, str):
            return Durability(durable)
        if durable is None and self._default is not None and not _is_question(subscription):
            return self._default
        return durable

    def use_always(self, durability: Durability) -> None:
        """Make later subscriptions durable, unless they are only about questions.

        Raise :exc:`~ftrack_like.exception.EventJournalError` if the journal cannot be used.
        """
        with self._lock:
            if durability.name not in self._groups:
                self._open(durability)
            self._default = durability

    def enter(
        self,
        durability: Durability,
        subscription: str,
        callback: Callback,
        subscriber: Optional[Metadata],
    ) -> tuple[Consumer, Metadata]:
        """Return the callback and the metadata for a new durable subscriber.

        Raise :exc:`~ftrack_like.exception.EventJournalError` if the journal cannot be used.
        """
        with self._lock:
            group = self._groups.get(durability.name)
            if group is None:
                group = self._open(durability)
            elif group.durability != durability:
                raise exception.EventJournalError(
                    "The durable name {name} is in use by this event hub with other settings.",
                    details={"name": durability.name},
                )
            consumer = Consumer(_key_for(group, subscription, callback), callback, group)
            metadata = {} if subscriber is None else subscriber
            if "id" not in metadata:
                metadata["id"] = group.journal.subscriber_id(consumer.key)
            group.consumers.append(consumer)
            return consumer, metadata

    def _open(self, durability: Durability) -> ConsumerGroup:
        journal = open_journal(durability.name, durability.journal)
        try:
            journal.belong_to(self._seams.server_url())
            group = ConsumerGroup(durability, journal, self._seams.logger)
        except BaseException:
            journal.close()
            raise
        self._add(group)
        return group

    def _add(self, group: ConsumerGroup) -> None:
        """Use *group* from now on, and start the upkeep."""
        self._groups = {**self._groups, group.durability.name: group}
        if self._upkeep is None:
            self._upkeep = Upkeep(self)
            self._upkeep.start()

    def leave(self, callback: Callback) -> None:
        """Forget the subscriber with *callback*; its waiting events stay in the journal."""
        if not isinstance(callback, Consumer):
            return
        with self._lock:
            group = callback.group
            if callback in group.consumers:
                group.consumers.remove(callback)
            name = group.durability.name
            if not group.consumers and self._groups.get(name) is group:
                self._groups = {each: one for each, one in self._groups.items() if each != name}
                group.close()

    def on_subscribed(self, subscriber: Subscriber, answer: PacketAnswer) -> None:
        """Note that the server accepted *subscriber*, and look for missed events if necessary.

        A server that has sent the events that the subscriber missed says `resumed`.
        """
        consumer, upkeep = subscriber.callback, self._upkeep
        if isinstance(consumer, Consumer) and upkeep is not None:
            upkeep.on_subscribed(consumer, bool(answer.get("resumed")))

    # Receiving, on the thread that reads the websocket.

    def record(self, event: Event) -> bool:
        """Keep *event* in the journals that want it; return False if that is not possible now."""
        if event["topic"].startswith(_OWN_TOPICS):
            return True
        groups = self._groups
        if not groups:
            # The hub was closed at this moment. Without an acknowledgement, the server keeps the
            # event for the next connection.
            return not any(group.wants(event) for group in self._resting)
        try:
            for group in groups.values():
                group.record(event, lambda: storable_text(event, self._secrets()))
        except exception.EventJournalBusyError as error:
            self._seams.logger.error(f"{error} The event hub connects again to receive the event.")
            return False
        except exception.EventJournalError as error:
            if self._groups:  # otherwise the hub was closed at the same time
                self.fail(error)
            return False
        return True

    def fail(self, error: exception.EventJournalError) -> None:
        """Let the threads in `wait` raise *error*."""
        if self._failure is None:
            self._seams.logger.error(str(error))
            self._failure = error

    def check(self) -> None:
        """Raise the :exc:`~ftrack_like.exception.EventJournalError` of a journal that failed."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    # Handling, on the threads of the program.

    def next_event(self) -> Optional[ClaimedEvent]:
        """Return an event that is due, None if none is. The durable names take turns."""
        groups = list(self._groups.values())
        for _ in groups:
            self._turn += 1
            try:
                claimed = groups[self._turn % len(groups)].claim()
            except exception.EventJournalError as error:
                self.fail(error)
                return None
            if claimed is not None:
                return claimed
        return None

    def handle(self, claimed: ClaimedEvent) -> None:
        """Call the subscribers of *claimed*; see :meth:`ConsumerGroup.handle`."""
        try:
            claimed.group.handle(claimed, self._reply)
        except exception.EventJournalError as error:
            self.fail(error)

    def _reply(self, subscriber: Subscriber, event: Event, result: object) -> None:
        try:
            self._seams.publish_reply(event, result, subscriber.metadata)
        except Exception:
            text = f"The answer {result!r} of {subscriber} to {event} was not sent."
            self._seams.logger.exception(text)

    # Upkeep.

    def groups(self) -> list[ConsumerGroup]:
        """Return the groups with an open journal, one for each durable name."""
        return list(self._groups.values())

    def activity(self) -> Optional[ActivityRows]:
        """Return the activity of the server, None if the hub cannot read it."""
        return self._activity()

    @property
    def is_connected(self) -> bool:
        """Whether the hub is connected."""
        return self._seams.connected()

    def warn(self, text: str) -> None:
        """Log a warning."""
        self._seams.logger.warning(text)

    def pause(self, for_good: bool) -> None:
        """Give up all claims, so that other workers take them at once.

        *for_good* also closes the journals, until :meth:`resume`. Waiting events stay there.
        """
        with self._lock:
            groups = list(self._groups.values())
            if not for_good:
                for group in groups:
                    group.release()
                return
            self._resting += groups
            self._groups = {}
            upkeep, self._upkeep = self._upkeep, None
        if upkeep is not None:
            upkeep.stop()
        for group in groups:
            group.close()

    def resume(self) -> None:
        """Open the journals again that :meth:`pause` closed.

        Raise :exc:`~ftrack_like.exception.EventJournalError` if that is not possible.
        """
        with self._lock:
            if not self._groups:
                self._failure = None
            while self._resting:
                group = self._resting[-1]
                group.reopen()
                self._resting.pop()
                self._add(group)


def _is_question(subscription: str) -> bool:
    """Return whether *subscription* is only about events whose sender waits for an answer."""
    topics = Subscription(subscription).topics
    return topics is not None and not topics.prefixes and _QUESTIONS.issuperset(topics.exact)


def _key_for(group: ConsumerGroup, subscription: str, callback: Callback) -> str:
    """Return a key for the subscriber, equal in each process that subscribes in the same order."""
    function = getattr(callback, "__func__", callback)
    name = getattr(function, "__qualname__", type(callback).__qualname__)
    key = encodable(f"{name} {subscription}")
    taken = {each.key for each in group.consumers}
    number = 1
    while key in taken:
        number += 1
        key = f"{name} {subscription} {number}"
    return key
