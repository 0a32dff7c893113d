"""The thread that keeps the durable subscriptions of a hub in order.

It renews the leases of the claims, repeats changes of a journal that could not be reached, and
catches up: if the server did not keep the events of a downtime, it reads the activity rows of that
time. The position in these rows must never be ahead of the received events. So the thread reads the
newest row, waits for `SETTLING` seconds, in which the events about it arrive, and stores the
position only if the connection lasted.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like.event.consumers import Consumer, ConsumerGroup
from ftrack_like.event.journal.entries import LEASE
from ftrack_like.event.missed import ActivityRows, event_of
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import packets
from ftrack_like.wire.topics import Topics

if TYPE_CHECKING:
    from ftrack_like.event.durable import DurableSubscriptions

__all__ = ["Upkeep"]

_LOGGER = logging.getLogger(__name__)

#: The pause between two rounds, in seconds.
ROUND = 0.5
#: The pause between two readings of the position, in seconds.
POSITION_PAUSE = 15.0
#: How long an event may take from its commit to this process, in seconds.
SETTLING = 5.0
#: The pause before catching up is tried again, in seconds.
CATCH_UP_PAUSE = 5.0
_TOPIC = "ftrack.update"


class Upkeep:
    """The thread, and what it knows about the durable names."""

    def __init__(self, subscriptions: DurableSubscriptions) -> None:
        """Initialise for *subscriptions*, which may be collected while the thread runs."""
        self._subscriptions = weakref.ref(subscriptions)
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._renew_at = 0.0
        self._catch_up_at = 0.0
        #: The names whose missed events must be looked for.
        self._behind: set[str] = set()
        self._is_readable = True
        self._positions = PositionKeeper()
        self._thread = threading.Thread(target=self._work, name="ftrack-event-journal", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it for at most a second."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def on_subscribed(self, consumer: Consumer, resumed: bool) -> None:
        """Note that *consumer* receives events from now on; *resumed* means: none is missing."""
        self._positions.forget(consumer.group)
        if not resumed and _takes_updates(consumer):
            self._behind.add(consumer.group.durability.name)
            self._catch_up_at = 0.0
            self._wake.set()

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(ROUND)
            self._wake.clear()
            subscriptions = self._subscriptions()
            if subscriptions is None:
                return
            try:
                self._round(subscriptions)
            except exception.EventJournalBusyError as error:
                subscriptions.warn(f"{error} The event hub tries again.")
            except exception.EventJournalError as error:
                if not self._stopped.is_set():  # a closed journal is no failure
                    subscriptions.fail(error)
                    return
            except Exception:
                # Without this thread, all leases would end.
                _LOGGER.exception("The upkeep of durable subscriptions failed.")
            del subscriptions

    def _round(self, subscriptions: DurableSubscriptions) -> None:
        now = time.monotonic()
        groups = subscriptions.groups()
        for group in groups:
            group.settle_again()
        if now >= self._renew_at:
            for group in groups:
                group.renew()
            self._renew_at = now + LEASE / 3
        rows = subscriptions.activity()
        if rows is None or not subscriptions.is_connected or not self._is_readable:
            return
        try:
            if self._behind and now >= self._catch_up_at:
                self._catch_up(groups, rows)
            for group in groups:
                if group.durability.name not in self._behind and _any_takes_updates(group):
                    self._positions.advance(group, rows, now)
        except exception.ServerConnectionError as error:
            subscriptions.warn(f"Missed events cannot be looked for now: {error}")
            self._catch_up_at = now + CATCH_UP_PAUSE
        except exception.EventJournalError:
            raise
        except exception.ConnectionClosedError:
            pass  # the session is being closed, and the hub will be closed with it
        except Exception as error:  # whatever a server answers, or stores as the id of a row
            self._is_readable = False
            subscriptions.warn(
                f"The server has no activity that can be read ({error}), so events from a time "
                "without a listener are lost if the server does not send them again."
            )

    def _catch_up(self, groups: Sequence[ConsumerGroup], rows: ActivityRows) -> None:
        """Record the events that happened since the position of each name that is behind."""
        for group in groups:
            if group.durability.name not in self._behind:
                continue
            position = group.journal.position()
            if position is None:
                group.journal.set_position(rows.newest())
            else:
                self._read_on(group, rows, position)
            self._behind.discard(group.durability.name)

    def _read_on(self, group: ConsumerGroup, rows: ActivityRows, position: str) -> None:
        """Record the rows after *position*."""
        while not self._stopped.is_set():
            found = rows.after(position)
            for row in found:
                event = event_of(row)
                text = packets.dumps(wire_events.to_wire(event))
                group.record(event, lambda text=text: text)  # type: ignore[misc]
            if not found:
                return
            position = str(found[-1]["id"])
            group.journal.set_position(position)


class PositionKeeper:
    """Stores how far the received events reach, in activity rows."""

    def __init__(self) -> None:
        """Initialise without positions."""
        self._next: dict[str, float] = {}
        #: By durable name: the position that was read, and when it may be stored.
        self._read: dict[str, tuple[str, float]] = {}

    def forget(self, group: ConsumerGroup) -> None:
        """Forget the position that was read: the connection of *group* broke since."""
        self._read.pop(group.durability.name, None)
        group.is_ahead = True

    def advance(self, group: ConsumerGroup, rows: ActivityRows, now: float) -> None:
        """Read the position of *group*, or store the one that was read, if it is time."""
        name = group.durability.name
        read = self._read.get(name)
        if read is not None and now >= read[1]:
            # Another thread may have called `forget` since.
            if self._read.pop(name, None) is not None:
                group.journal.set_position(read[0])
        elif read is None and now >= self._next.get(name, 0.0) and group.is_ahead:
            group.is_ahead = False
            self._next[name] = now + POSITION_PAUSE
            self._read[name] = (rows.newest(), now + SETTLING)


def _takes_updates(consumer: Consumer) -> bool:
    """Return whether *consumer* may want events about changes."""
    if consumer.subscriber is None:
        return False
    topics: Optional[Topics] = consumer.subscriber.subscription.topics
    if topics is None:
        return True
    return _TOPIC in topics.exact or any(_TOPIC.startswith(each) for each in topics.prefixes)


def _any_takes_updates(group: ConsumerGroup) -> bool:
    return any(_takes_updates(each) for each in tuple(group.consumers))
