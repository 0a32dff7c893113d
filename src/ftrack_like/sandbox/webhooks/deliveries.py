"""Deliver webhooks on background threads, and repeat failed deliveries.

Each webhook with waiting deliveries has a thread, so that a slow receiver only delays itself. The
thread ends when nothing is left. A server without webhooks has no such thread.

A delivery is repeated after the delays in :data:`DELAYS`, always with the same body. It is removed
after the last one. If the server stops during a delivery, the next start repeats it, so a receiver
may get an event twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Optional

from ftrack_like.sandbox.clock import utc_now
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.webhooks.queue import Delivery, DeliveryQueue, Outcome
from ftrack_like.sandbox.webhooks.targets import shown_host

if TYPE_CHECKING:
    from ftrack_like.sandbox.webhooks.sending import Sender

__all__ = ["DELAYS", "Deliveries"]

_LOGGER = logging.getLogger(__name__)

#: The seconds before each repetition.
DELAYS: tuple[float, ...] = (1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0)

#: A thread stores its outcomes after this many deliveries or seconds. A transaction for each
#: delivery would delay the commits of users.
_MOST_AT_ONCE = 20
_SECONDS_AT_ONCE = 0.5

#: Seconds before a thread tries again after an error of the database. Each further error doubles
#: them. If the outcomes cannot be stored, each try sends the same deliveries.
_REST = 5.0
_LONGEST_REST = 600.0

#: The longest wait of a thread, in seconds. The clock of the machine may change.
_LONGEST_WAIT = 3_600.0


class Deliveries:
    """Delivers the waiting deliveries in *database*; any thread may call the methods.

    With *loopback*, http:// may address this machine. *delays* are the seconds before each
    repetition. *now* returns the time in UTC for the log.
    """

    def __init__(
        self,
        database: Database,
        loopback: bool,
        delays: Sequence[float] = DELAYS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """A thread starts when :meth:`start` or :meth:`wake` finds work for it."""
        self.queue: DeliveryQueue = DeliveryQueue(database, now)
        self._loopback = loopback
        self._delays = tuple(delays)
        self._lock = threading.Lock()
        self._couriers: dict[str, _Courier] = {}
        self._stopped = False

    def start(self) -> None:
        """Continue with the deliveries that an earlier server left."""
        self.wake(self.queue.waiting())

    def wake(self, action_ids: Iterable[str]) -> None:
        """Look for new deliveries of webhooks; call this after their commit."""
        with self._lock:
            if self._stopped:
                return
            for action_id in action_ids:
                courier = self._couriers.get(action_id)
                if courier is None or not courier.wake():
                    self._couriers[action_id] = self._new_courier(action_id)

    def check(self) -> None:
        """Let waiting threads look at the table; call this after all data have been replaced."""
        with self._lock:
            for courier in self._couriers.values():
                courier.wake()

    def stop(self, timeout: float = 5.0) -> None:
        """End all threads, and wait up to *timeout* seconds. The next start continues."""
        with self._lock:
            self._stopped = True
            couriers = list(self._couriers.values())
            self._couriers = {}
        for courier in couriers:
            courier.stop()
        end = time.monotonic() + timeout
        for courier in couriers:
            courier.join(max(end - time.monotonic(), 0.0))

    def _new_courier(self, action_id: str) -> _Courier:
        # lazy: see the module.
        from ftrack_like.sandbox.webhooks.sending import Sender

        courier = _Courier(action_id, self.queue, Sender(self._loopback), self._delays)
        courier.start()
        return courier


class _Courier(threading.Thread):
    """A thread that delivers for one webhook until nothing is left."""

    def __init__(
        self, action_id: str, queue: DeliveryQueue, sender: Sender, delays: Sequence[float]
    ) -> None:
        super().__init__(name="sandbox-webhook", daemon=True)
        self._action_id = action_id
        self._queue = queue
        self._sender = sender
        self._delays = delays
        self._changed = threading.Condition()
        self._woken = False
        self._ended = False

    def wake(self) -> bool:
        """Look for new deliveries soon; return False if the thread ends without doing so."""
        with self._changed:
            self._woken = True
            self._changed.notify()
            return not self._ended

    def stop(self) -> None:
        """End the thread soon, even during a delivery."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._sender.abort()

    def run(self) -> None:
        """Deliver until nothing is left, or until :meth:`stop`."""
        rest = _REST
        while not self._ended:
            with self._changed:
                self._woken = False
            try:
                left = self._deliver()
                rest = _REST
            except Exception:
                if not self._ended:
                    _LOGGER.exception("Webhooks could not be delivered because of a server error.")
                left = rest
                rest = min(2 * rest, _LONGEST_REST)
            with self._changed:
                if left is None and not self._woken:
                    self._ended = True
                if self._ended:
                    return
                if left is not None and not self._woken:
                    self._changed.wait(min(max(left, 0.0), _LONGEST_WAIT))

    def _deliver(self) -> Optional[float]:
        """Send what is due; return the seconds until the next attempt, None if nothing waits."""
        taken = self._queue.take(self._action_id, _MOST_AT_ONCE)
        outcomes: list[Outcome] = []
        end = time.monotonic() + _SECONDS_AT_ONCE
        for delivery in taken:
            outcome = self._attempt(delivery)
            if self._ended:  # the attempt may have been aborted, so repeat it
                break
            outcomes.append(outcome)
            if time.monotonic() > end:
                break
        if taken:
            self._queue.record(outcomes, taken[len(outcomes) :])
        return self._queue.seconds_left(self._action_id)

    def _attempt(self, delivery: Delivery) -> Outcome:
        # lazy: see the module.
        from ftrack_like.sandbox.webhooks.sending import SendingError

        found = self._queue.address(delivery.action_id)
        if found is None:
            return Outcome(delivery, False, "The webhook was deleted.")
        address, headers = found
        event = f"event {delivery.event_id} ({delivery.summary}) to {shown_host(address)}"
        began = time.monotonic()
        try:
            status = self._sender.send(address, headers, delivery.body)
        except SendingError as error:
            return self._failure(delivery, event, str(error))
        seconds = time.monotonic() - began
        return Outcome(delivery, True, f"Delivered {event}: status {status} after {seconds:.2f} s.")

    def _failure(self, delivery: Delivery, event: str, reason: str) -> Outcome:
        number, most = delivery.attempts + 1, len(self._delays) + 1
        text = f"Attempt {number} of {most} to deliver {event} failed: {reason}."
        if delivery.attempts >= len(self._delays):
            return Outcome(delivery, False, f"{text} The event is dropped.")
        delay = self._delays[delivery.attempts]
        message = f"{text} The next attempt follows in {delay:g} s."
        return Outcome(delivery, False, message, delay)
