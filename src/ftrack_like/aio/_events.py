"""Events as an asynchronous iterator, and the thread that handles the events of a session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like.aio._hints import refuse_synchronous
from ftrack_like.aio._workers import tell_loop

if TYPE_CHECKING:
    from types import TracebackType

    from ftrack_like.aio._workers import Workers
    from ftrack_like.event.hub import EventHub
    from ftrack_like.event.subscriber import Metadata
    from ftrack_like.wire.events import Event

__all__ = ["AsyncEvents", "HubThread"]

#: How many seconds to wait until the server knows a subscriber.
_PATIENCE = 10.0

_logger = logging.getLogger(__name__)


class HubThread:
    """Connects the event hub of a session, and handles its events in one thread.

    The callbacks of plugins run in this thread too. Threads may share it.
    """

    def __init__(self, find_hub: Callable[[], EventHub]) -> None:
        """Initialise; *find_hub* returns the hub when it is needed."""
        self._find_hub = find_hub
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None

    def connected_hub(self) -> EventHub:
        """Return the hub, connected and with a thread that handles its events. May wait.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if the server is out of reach.
        """
        hub = self._find_hub()
        with self._lock:
            if not hub.connected:
                try:
                    hub.connect()
                except exception.EventHubConnectionError:
                    # The hub may be connecting already, after a fault or in the background.
                    if not hub.wait_connected(_PATIENCE):
                        raise
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=_call_subscribers, args=(hub,), name="ftrack-like-events", daemon=True
                )
                self._thread.start()
        return hub


def _call_subscribers(hub: EventHub) -> None:
    """Handle the events of *hub* until it is disconnected for good."""
    while True:
        try:
            hub.wait()
        except exception.EventHubConnectionError:
            return
        except Exception:
            _logger.exception("Handling events failed.")


@refuse_synchronous(
    enter="Use 'async with' instead of 'with'.",
    exit="Use 'async with' instead of 'with'.",
    iter="Events arrive later. Use 'async for' instead of 'for'.",
)
class AsyncEvents:
    """The events that match a subscription: ``async with`` subscribes, ``async for`` waits.

    Events that arrive while the program works on another one wait. At most *limit* events wait;
    beyond it the oldest are dropped, and *dropped* counts them.
    """

    def __init__(
        self,
        workers: Workers,
        thread: HubThread,
        subscription: str,
        subscriber: Optional[Metadata],
        limit: int,
    ) -> None:
        """Initialise; :meth:`AsyncSession.events` does this."""
        self._workers = workers
        self._thread = thread
        self._subscription = subscription
        self._subscriber = subscriber
        self._waiting: deque[Event] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self._is_waking = False
        self._is_over = False
        self._hub: Optional[EventHub] = None
        self._identifier: Optional[str] = None
        self._loop: asyncio.AbstractEventLoop
        self._news: asyncio.Event
        #: How many events were dropped because too many waited.
        self.dropped = 0

    async def __aenter__(self) -> AsyncEvents:
        """Connect the event hub if necessary, subscribe, and return the iterator.

        The server knows the subscriber at the end. Raise
        :exc:`~ftrack_like.exception.EventHubConnectionError` if it is out of reach, and
        :exc:`~ftrack_like.exception.ParseError` if the syntax of the subscription is wrong. Raise
        :exc:`~ftrack_like.exception.Error` the second time.
        """
        if hasattr(self, "_loop"):
            raise exception.Error("The block was entered before. Call session.events(…) again.")
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self._workers.run(self._subscribe)
        except BaseException:
            await self._end()  # The worker may have subscribed before the task was cancelled.
            raise
        return self

    async def __aexit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Unsubscribe."""
        await self._end()

    def __aiter__(self) -> AsyncEvents:
        """Return the iterator itself."""
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event and return it. The iteration ends when the session is closed.

        Raise :exc:`~ftrack_like.exception.Error` before the block.
        """
        if not hasattr(self, "_loop"):
            raise exception.Error("Use 'async with session.events(…) as events' before the loop.")
        while True:
            with self._lock:
                if self._waiting:
                    return self._waiting.popleft()
            if self._is_over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    def end(self) -> None:
        """End the iteration. Any thread may call this."""
        self._is_over = True
        if hasattr(self, "_loop"):
            tell_loop(self._loop, self._news.set)

    async def _end(self) -> None:
        """Unsubscribe, also if the task is cancelled meanwhile."""
        self._is_over = True
        with contextlib.suppress(exception.ConnectionClosedError):  # The hub is closed.
            await asyncio.shield(asyncio.ensure_future(self._workers.finish(self._unsubscribe)))

    def _subscribe(self) -> None:
        """Subscribe, and wait until the server knows it. Runs in a worker."""
        hub = self._thread.connected_hub()
        with self._lock:
            if self._is_over:
                return
            self._hub = hub
            metadata = None if self._subscriber is None else dict(self._subscriber)
            self._identifier = hub.subscribe(self._subscription, self._arrived, metadata)
        hub.wait_connected(_PATIENCE)

    def _unsubscribe(self) -> None:
        """Unsubscribe, if that has not happened. Runs in a thread of its own."""
        with self._lock:
            hub, identifier = self._hub, self._identifier
            self._hub = self._identifier = None
        if hub is None or identifier is None:
            return
        try:
            hub.unsubscribe(identifier)
        except exception.NotFoundError:
            _logger.debug("The subscriber %s is gone already.", identifier)

    def _arrived(self, event: Event) -> None:
        """Keep *event* for the iterator. Runs in the thread of the events."""
        with self._lock:
            if len(self._waiting) == self._waiting.maxlen:
                self.dropped += 1
                if self.dropped == 1:
                    _logger.warning(
                        "More than %d events wait for the loop over %r; the oldest are dropped.",
                        self._waiting.maxlen,
                        self._subscription,
                    )
            self._waiting.append(event)
            if self._is_waking:
                return
            self._is_waking = True
        tell_loop(self._loop, self._wake)

    def _wake(self) -> None:
        """Continue the tasks that wait for an event. Runs on the thread of the loop."""
        with self._lock:
            self._is_waking = False
        self._news.set()
