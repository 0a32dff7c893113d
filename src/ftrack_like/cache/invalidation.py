"""Keep a long-lived session and its shared cache fresh by the events of the server.

The thread of the event hub only queues events. A thread of this module drops what they make stale,
so that a slow scan never delays the connection. A callback of the program must not see values from
before its event. So the first subscriber of each event waits until the event's values are dropped.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._base.collaborators import drops_of, identity_map_of
from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from types import TracebackType

    from ftrack_like._base.types import Key
    from ftrack_like.session import Session

__all__ = ["EventInvalidation"]

_RECONNECTED = "ftrack.meta.reconnected"
_UPDATE = "ftrack.update"

#: How long to wait for the server's answer to the subscription, in seconds.
_PATIENCE = 20.0

#: The longest time for which a callback waits until the values of its event are dropped, in
#: seconds.
_CATCHING_UP = 10.0

#: After this time, in seconds, changed keys are removed from the shared cache once more. Another
#: process may have read an entity before its change, and stored it after the first removal.
_SECOND_REMOVAL = 5.0

#: How often to ask the server again after a gap if it does not answer, in seconds.
_PAUSE = 2.0


class EventInvalidation:
    """Drops what other programs have changed from a session and from its shared cache.

    It subscribes to ``ftrack.update``. After an event, the changed values are no longer loaded: the
    next read asks the server. Uncommitted changes stay. Deleted entities leave the session. After a
    lost connection, everything may have changed: all loaded values are dropped, and the shared
    cache is emptied.

    It has its own thread, so the program need not call ``event_hub.wait()``. If it does, the values
    of an event are dropped before the callbacks for the event run. Use it as a context manager, or
    call :meth:`start` and :meth:`stop`.
    """

    def __init__(self, session: Session) -> None:
        """Initialise for *session*, without starting."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        self._queue: queue.Queue[Optional[Event]] = queue.Queue()
        self._thread: Optional[threading.Thread] = None
        self._end_watching: Callable[[], None] = lambda: None
        #: The ids of the events that are queued and not yet handled.
        self._waiting: set[str] = set()
        self._handled = threading.Condition()
        #: The keys to remove once more, each list with the time of :func:`time.monotonic` for it.
        self._again: deque[tuple[float, list[Any]]] = deque()
        #: When a shared cache that did not answer has to be asked again, by the same clock.
        self._settle_at: Optional[float] = None

    def __enter__(self) -> EventInvalidation:
        """Start and return this object."""
        self.start()
        return self

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start; return when the server sends the events, and what was loaded before is dropped.

        Connect the event hub of the session if it is not connected. A second call does nothing.
        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if it cannot connect.
        """
        if self._thread is not None:
            return
        hub = self._session.event_hub
        self._queue = queue.Queue()
        self._end_watching = hub.watch(f"topic={_UPDATE}", self._receive, self._catch_up)
        try:
            if not (hub.connected or hub.wait_connected(_PATIENCE)):
                hub.connect()
            hub.wait_connected(_PATIENCE)
            self._drop_everything()
        except BaseException:
            self._end_watching()
            raise
        self._thread = threading.Thread(
            target=self._run, args=(self._queue,), name="ftrack-invalidation", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop; loaded values stay as they are. A second call does nothing.

        The event hub stays connected.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._end_watching()
        self._queue.put(None)
        if thread is not threading.current_thread():
            thread.join()

    def _receive(self, event: Event) -> None:
        """Queue *event*, on the thread that reads the connection."""
        if event["topic"] in (_UPDATE, _RECONNECTED):
            with self._handled:
                self._waiting.add(event["id"])
            self._queue.put(event)

    def _catch_up(self, event: Event) -> None:
        """Wait until the values of *event* are dropped, before other callbacks run."""
        if threading.current_thread() is self._thread:
            return
        with self._handled:
            self._handled.wait_for(
                lambda: event["id"] not in self._waiting or self._thread is None, _CATCHING_UP
            )

    def _run(self, events: queue.Queue[Optional[Event]]) -> None:
        """Handle *events* until None comes."""
        is_over = False
        self._settle()  # the cache may have been away at the start
        while not is_over:
            taken = self._take(events)
            is_over = None in taken
            handled = [event for event in taken if event is not None]
            try:
                self._handle(handled)
            except Exception:
                self._logger.exception("Stale values could not be dropped; drop all instead.")
                self._drop_everything_somehow()
            finally:
                with self._handled:
                    self._waiting.difference_update([event["id"] for event in handled])
                    self._handled.notify_all()
        self._remove_again(is_last=True)
        with self._handled:
            self._waiting.clear()
            self._handled.notify_all()

    def _take(self, events: queue.Queue[Optional[Event]]) -> list[Optional[Event]]:
        """Return all waiting *events*; wait for one, or until keys are to be removed again."""
        due = [] if self._settle_at is None else [self._settle_at]
        due += [moment for moment, _ in list(self._again)[:1]]
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        taken = []
        try:
            taken.append(events.get(timeout=wait))
            while True:
                taken.append(events.get_nowait())
        except queue.Empty:
            return taken

    def _handle(self, events: list[Event]) -> None:
        """Drop what *events* make stale, in one pass over the loaded entities."""
        if any(event["topic"] == _RECONNECTED for event in events):
            # The server must know the subscription again: later changes then come as events.
            self._session.event_hub.wait_connected(_PATIENCE)
            self._drop_everything()
        drops = drops_of(self._session)
        changes = drops.changes_in([event["data"] for event in events if event["topic"] == _UPDATE])
        if changes:
            keys = drops.drop(changes)
            self._again.append((time.monotonic() + _SECOND_REMOVAL, keys))
        self._remove_again()
        self._settle()

    def _settle(self) -> None:
        """Let a cache that did not answer make up for missed removals, now or later.

        No later event may come, and others read the cache as soon as it answers again.
        """
        left = identity_map_of(self._session).below.settle()
        self._settle_at = None if left is None else time.monotonic() + left

    def _remove_again(self, is_last: bool = False) -> None:
        """Remove the keys once more whose time has come; all keys if *is_last*."""
        due: list[Key] = []
        while self._again and (is_last or self._again[0][0] <= time.monotonic()):
            due += self._again.popleft()[1]
        if due:
            identity_map_of(self._session).below.remove(due)

    def _drop_everything(self) -> None:
        """Drop all loaded values, empty the shared cache, and forget deleted entities."""
        drops = drops_of(self._session)
        drops.drop(drops.any_change())
        drops.forget_deleted()

    def _drop_everything_somehow(self) -> None:
        """Drop everything; if the server does not answer, log that and try again until it does."""
        while not self._session.closed:
            try:
                self._drop_everything()
                return
            except Exception as error:
                self._logger.warning("Deleted entities are not known yet: %s", error)
            if self._thread is None:
                return
            time.sleep(_PAUSE)
