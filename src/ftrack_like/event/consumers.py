"""The subscribers of a durable name, and its journal."""

from __future__ import annotations

import collections
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._transport.redaction import masked
from ftrack_like.event.durability import Durability
from ftrack_like.event.journal import Journal, JournalClaim, open_journal
from ftrack_like.event.router import target_matcher
from ftrack_like.event.subscriber import Callback, Subscriber
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event

__all__ = ["ClaimedEvent", "Consumer", "ConsumerGroup", "encodable"]

#: The number of recorded events whose ids a group keeps in memory. They must outlast the inbox.
RECORDED_IDS = 50_000
#: How often a group without due events asks its journal, in seconds. Another worker may have added
#: or given back an event.
ASKING_PAUSE = 0.1
#: The maximum length of the error of a dead letter, in characters.
ERROR_LENGTH = 2000

#: The key for the id of the hub; the keys of subscribers contain a blank.
_HUB = "hub"

#: Publishes the result of a callback as a reply to the event.
SendReply = Callable[[Subscriber, Event, object], None]


class Consumer:
    """The callback of a durable subscriber, in the place of the callback of the program.

    The router calls it for events that did not come from the server, and for events that the
    journal has. It passes on the former only.
    """

    def __init__(self, key: str, callback: Callback, group: ConsumerGroup) -> None:
        """Initialise for *callback*; *key* names the subscriber in all processes of the *group*."""
        self.key = key
        self.callback = callback
        self.group: ConsumerGroup = group
        #: The subscriber, once the router has it.
        self.subscriber: Optional[Subscriber] = None

    def __call__(self, event: Event) -> object:
        """Pass *event* to the callback, unless the journal keeps it."""
        return None if self.group.has_recorded(event["id"]) else self.callback(event)

    def wants(self, event: Event) -> bool:
        """Return whether the subscriber is interested in *event*, and the target includes it."""
        subscriber, target = self.subscriber, event["target"]
        if subscriber is None or not subscriber.interested_in(event):
            return False
        try:
            return not target or target_matcher(target)(subscriber.metadata)
        except exception.ParseError:
            return False


class ClaimedEvent(NamedTuple):
    """An event that this process claimed from the journal of *group*."""

    group: ConsumerGroup
    claim: JournalClaim
    event: Event


class ConsumerGroup:
    """The subscribers of a durable name in this process. Threads may share a group."""

    def __init__(self, durability: Durability, journal: Journal, logger: logging.Logger) -> None:
        """Initialise without subscribers; the group owns *journal*."""
        self.durability = durability
        self.journal: Journal = journal
        #: An id for the hub. A later process takes it over, with the ids of the subscribers.
        self.hub_id: str = journal.subscriber_id(_HUB)
        self.consumers: list[Consumer] = []
        #: The claims of this process by the id of the event.
        self.held: dict[str, JournalClaim] = {}
        #: The ids of the events that threads of this process handle now.
        self._running: set[str] = set()
        #: Whether the journal must be closed when no event is handled any more.
        self._is_closing = False
        #: Whether events were recorded since the position in the activity was read.
        self.is_ahead: bool = True
        self._logger = logger
        # A signal handler may close the hub while the main thread has the lock.
        self._lock = threading.RLock()
        self._recorded: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._ask_at = 0.0
        #: Changes of the journal that must be repeated, because it could not be reached.
        self._unsettled: list[tuple[JournalClaim, Callable[[], None]]] = []

    # Recording, on the thread that reads the websocket.

    def wants(self, event: Event) -> bool:
        """Return whether a subscriber of the group wants *event*."""
        return any(each.wants(event) for each in tuple(self.consumers))

    def record(self, event: Event, text: Callable[[], str]) -> None:
        """Keep *event* if a subscriber wants it; *text* returns its JSON text for the journal.

        Raise :exc:`~ftrack_like.exception.EventJournalError` if the journal cannot keep it.
        """
        if not self.wants(event):
            return
        identifier = event["id"]
        # A foreign event chose the id.
        self.journal.add(encodable(identifier), text())
        with self._lock:
            self._recorded[identifier] = None
            if len(self._recorded) > RECORDED_IDS:
                self._recorded.popitem(last=False)
        self._ask_at = 0.0
        self.is_ahead = True

    def has_recorded(self, identifier: str) -> bool:
        """Return whether this process recorded the event *identifier*."""
        return identifier in self._recorded

    # Handling, on the threads of the program.

    def claim(self) -> Optional[ClaimedEvent]:
        """Return the next event that is due, None if none is or the journal cannot be reached."""
        if time.monotonic() < self._ask_at or not self.consumers:
            return None
        try:
            claim = self.journal.claim()
        except exception.EventJournalBusyError as error:
            self._logger.warning(f"{error} The event hub tries again.")
            self._ask_at = time.monotonic() + 1.0
            return None
        if claim is None:
            self._ask_at = time.monotonic() + ASKING_PAUSE
            return None
        with self._lock:
            self.held[claim.identifier] = claim
        try:
            event = Event(**wire_events.from_wire(packets.loads(claim.event)))
        except ValueError as error:
            text = f"The event cannot be read from the journal: {error}."
            self._settle(claim, lambda: self.journal.bury(claim, claim.done, text))
            return None
        return ClaimedEvent(self, claim, event)

    def handle(self, claimed: ClaimedEvent, reply: SendReply) -> None:
        """Call the subscribers that want the event and have not handled it.

        An :exc:`Exception` of a callback makes the event wait, or a dead letter. Any other
        exception, such as :exc:`KeyboardInterrupt`, gives the event back and is raised.
        """
        claim = claimed.claim
        if not self._begin(claim):
            return
        try:
            self._handle_begun(claimed, reply)
        finally:
            self._end(claim)

    def _handle_begun(self, claimed: ClaimedEvent, reply: SendReply) -> None:
        """Handle *claimed*, and write the outcome into the journal."""
        claim = claimed.claim
        tries = claim.tries + 1
        if tries > self.durability.tries:
            error = f"The process ended {claim.tries} times while it handled the event."
            self._settle(claim, lambda: self.journal.bury(claim, claim.done, error))
            return
        try:
            done, failure = self._call_all(claimed, reply)
        except BaseException:
            self._settle(claim, lambda: self.journal.release(claim))
            raise
        if failure is None:
            self._settle(claim, lambda: self.journal.finish(claim))
        elif tries >= self.durability.tries:
            self._logger.error(
                f"The event {claim.identifier} is a dead letter of {self.durability.name!r} after "
                f"{tries} tries."
            )
            self._settle(claim, lambda: self.journal.bury(claim, done, failure))
        else:
            pause = self.durability.pause_after(tries)
            self._settle(claim, lambda: self.journal.retry(claim, done, failure, pause))

    def _begin(self, claim: JournalClaim) -> bool:
        """Count a try; return False if the claim was given up or lost."""
        with self._lock:
            if claim.identifier not in self.held:
                return False
            self._running.add(claim.identifier)
        has_begun = False
        try:
            has_begun = self.journal.begin(claim)
        except exception.EventJournalBusyError as error:
            self._logger.warning(f"{error} The event {claim.identifier} will be handled later.")
        finally:
            if not has_begun:
                with self._lock:
                    self.held.pop(claim.identifier, None)
                self._end(claim)
        return has_begun

    def _end(self, claim: JournalClaim) -> None:
        """Note that no thread handles *claim* any more."""
        with self._lock:
            self._running.discard(claim.identifier)
            must_close = self._is_closing and not self._running
            if must_close:
                self._is_closing = False
                self.held.clear()
        if must_close:
            self.journal.close()

    def _call_all(
        self, claimed: ClaimedEvent, reply: SendReply
    ) -> tuple[Sequence[str], Optional[str]]:
        """Return the subscribers that have handled the event, and the error of the first other.

        An event that no subscriber wants is a failure too. The program has changed its
        subscriptions, or has not made all yet.
        """
        event, done = claimed.event, list(claimed.claim.done)
        wanting = [each for each in self._in_order() if each.wants(event)]
        failure = None if wanting else "No subscriber of the program wants the event."
        for consumer in wanting:
            subscriber = consumer.subscriber
            if subscriber is None or consumer.key in done:
                continue
            try:
                result = consumer.callback(event)
            except Exception as error:
                self._logger.exception(f"Error calling subscriber {subscriber} for event {event}.")
                failure = failure or _stored_error(error, consumer.key)
            else:
                done.append(consumer.key)
                if result is not None:
                    reply(subscriber, event, result)
            if event.is_stopped():
                break
        return done, failure

    def _in_order(self) -> list[Consumer]:
        """Return the subscribers by priority, as they are called."""
        known = [each for each in tuple(self.consumers) if each.subscriber is not None]
        return sorted(known, key=lambda each: each.subscriber.priority if each.subscriber else 0)

    def _settle(self, claim: JournalClaim, change: Callable[[], None]) -> None:
        """Make *change* to the journal, or keep it for :meth:`settle_again`."""
        self._ask_at = 0.0
        try:
            change()
        except exception.EventJournalBusyError as error:
            self._logger.warning(f"{error} The event hub tries again.")
            with self._lock:
                self._unsettled.append((claim, change))
            return
        with self._lock:
            self.held.pop(claim.identifier, None)

    # Upkeep.

    def settle_again(self) -> None:
        """Repeat the changes that could not be made; raise EventJournalError if that fails."""
        while self._unsettled:
            claim, change = self._unsettled[0]
            change()
            with self._lock:
                self._unsettled.pop(0)
                self.held.pop(claim.identifier, None)

    def renew(self) -> None:
        """Renew the leases; raise EventJournalError if the journal cannot be used."""
        with self._lock:
            identifiers = list(self.held)
        self.journal.renew(identifiers)

    def release(self) -> None:
        """Give up the claims whose callbacks are not running, for other workers."""
        with self._lock:
            claims = [each for name, each in self.held.items() if name not in self._running]
            self.held = {name: each for name, each in self.held.items() if name in self._running}
        with contextlib.suppress(exception.EventJournalError):  # the leases end by themselves
            for claim in claims:
                self.journal.release(claim)

    def reopen(self) -> None:
        """Open the journal again; raise EventJournalError if that is not possible."""
        with self._lock:
            if self._is_closing:  # a callback is still running, so the journal is open
                self._is_closing = False
                return
        journal = open_journal(self.durability.name, self.durability.journal)
        self.journal = journal
        journal.subscriber_id(_HUB, self.hub_id)
        for consumer in self.consumers:
            if consumer.subscriber is not None:
                journal.subscriber_id(consumer.key, str(consumer.subscriber.metadata["id"]))

    def close(self) -> None:
        """Give up the claims and close the journal, after the callbacks that are running.

        A callback may close the hub. Its event must be noted as done nevertheless.
        """
        self.release()
        with self._lock:
            if self._running:
                self._is_closing = True
                return
            self.held.clear()
        self.journal.close()


def encodable(text: str) -> str:
    """Return *text* with escapes for characters that no database takes: lone surrogates.

    Python has them in the names of files that are not UTF-8, and in decoded JSON.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _stored_error(error: Exception, key: str) -> str:
    """Return the text of *error* in the subscriber *key* for the journal, without secrets."""
    try:
        said = str(error)
    except Exception:  # the class comes from the program
        said = "(the error has no text)"
    return encodable(masked(f"{type(error).__name__}: {said} (in {key})"))[:ERROR_LENGTH]
