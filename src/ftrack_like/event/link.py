"""The thread that keeps the event hub connected, with one websocket after the other.

A connection to the event server lasts for days, a websocket often does not. A :class:`Link` is the
connection: it opens a websocket, reads from it, and opens another one when it breaks. The owner of
a link is a :class:`~ftrack_like.event.connector.Connector`. The state machine of the link is the
table :data:`ftrack_like.wire.states.LINK`::

    new --connect--> connecting --opened--> connected
                      ^      |                  |
                   connect  failed             lost
                      |      v                  v
                     waiting <------------------+      every state --close--> closed

Three rules make this safe between threads:

1. Only the table decides what happens next, under one lock. A thread that opens a websocket for
   20 seconds, while the program closes the link, finds the state `closed` and closes its
   websocket.
2. `closed` is final. To connect again, the hub creates another link. Late reports of the old link
   therefore cannot touch the new connection: the hub compares the link that reports with its own.
3. Only the thread that reads may close a websocket. Other threads shut it down, which wakes the
   reader. A socket that is closed under its reader lets the reader sleep for ever.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import Any, Callable, NamedTuple, Optional, TypeVar, Union, cast

from ftrack_like import exception
from ftrack_like.event.pending import back_off
from ftrack_like.event.websockets import (
    Readiness,
    WebSocketLike,
    break_off,
    close_websocket,
    faults,
    next_message,
)
from ftrack_like.wire.states import LINK, advance

__all__ = ["Link", "LinkHooks", "weakly"]

#: How long closing waits for the thread to end, in seconds.
JOIN_TIMEOUT = 0.3
#: How often a link that waits to connect checks that its owner still exists, in seconds.
LOOK = 0.5
#: The number of messages that are read before waiting events are sent.
READ_AT_ONCE = 100
#: A websocket counts as broken after this many heartbeat intervals without any data.
SILENT_HEARTBEATS = 1.4

_Hook = TypeVar("_Hook", bound=Callable[..., object])


class LinkHooks(NamedTuple):
    """The functions of the owner that a link calls, on the thread that opens or reads a websocket.

    The owner may have another link when an old link calls. So it must compare the link in
    *opened* and *lost* with its current one.

    * *open* returns a websocket and its heartbeat in seconds, or raises
      :exc:`~ftrack_like.exception.EventHubConnectionError`.
    * *opened* gets the link, the new websocket, and the seconds without a connection before it;
      None for the first websocket.
    * *send_waiting* sends some of the waiting packets. The link calls it when there is nothing to
      read, and regularly while it reads. It returns the seconds until it wants the next call: 0 if
      more packets wait, None if none do. Its argument is true if the next read may block for ever.
    * *received* gets a message, text or bytes. It must not raise.
    * *lost* gets the link and the reason why its websocket is gone.
    """

    open: Callable[[], tuple[WebSocketLike, float]]
    opened: Callable[[Link, WebSocketLike, Optional[float]], None]
    send_waiting: Callable[[bool], Optional[float]]
    received: Callable[[Union[str, bytes]], None]
    lost: Callable[[Link, str], None]


def weakly(hooks: LinkHooks) -> LinkHooks:
    """Return hooks that call *hooks*, which are bound methods, but do not keep their objects alive.

    When an object is gone, its hooks do nothing, and ``open`` raises EventHubConnectionError. With
    strong references, the thread would keep the hub, its session and all entities of the session
    in memory for ever.
    """

    def hooked(hook: _Hook, gone: Optional[str] = None) -> _Hook:
        method = weakref.WeakMethod(hook)

        def call(*arguments: object) -> object:
            target = method()
            if target is not None:
                return target(*arguments)
            if gone is not None:
                raise exception.EventHubConnectionError(gone)
            return None

        return cast("_Hook", call)

    return LinkHooks(
        hooked(hooks.open, "The event hub is not in use any more."),
        hooked(hooks.opened),
        hooked(hooks.send_waiting),
        hooked(hooks.received),
        hooked(hooks.lost),
    )


class Link:
    """Keeps a websocket open, and opens a new one when it breaks, until :meth:`close`.

    The running thread keeps the link alive, and the link keeps its *hooks* alive. Pass hooks from
    :func:`weakly`, so that the owner can be collected, and call :meth:`end_with`, so that the
    thread ends then.

    Any thread may call the methods. A closed link cannot be opened again; create another one.
    """

    def __init__(self, hooks: LinkHooks, logger: logging.Logger) -> None:
        """Initialise a link that calls *hooks* and logs to *logger*."""
        self.connection: Optional[WebSocketLike] = None
        self._hooks = hooks
        self._logger = logger
        self._state = "new"
        self._guard = threading.RLock()
        self._closing = threading.Event()
        self._abandoned = False
        self._finaliser: Optional[weakref.finalize[Any, Any]] = None
        self._process = os.getpid()
        self._heartbeat = 0.0
        self._lost_at: Optional[float] = None
        self._thread = threading.Thread(target=self._run, name="ftrack-event-hub", daemon=True)

    @property
    def closed(self) -> bool:
        """Whether the link was closed, or its owner was collected."""
        return self._abandoned or self._closing.is_set()

    def start(self) -> None:
        """Start the thread that reads. It connects first, unless :meth:`open` did."""
        self._thread.start()

    def open(self) -> None:
        """Open a websocket now.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if that fails, or if another
        thread closes the link before the websocket is open.
        """
        self._step("connect")
        if self._state == "closed":
            raise exception.EventHubConnectionError("The event hub was closed.")
        try:
            connection, heartbeat = self._hooks.open()
        except exception.EventHubConnectionError:
            self._step("failed")
            raise
        with self._guard:
            self._state = advance(LINK, self._state, "opened")
            if self._state == "connected":
                self.connection, self._heartbeat = connection, heartbeat
        if self._state == "closed":
            close_websocket(connection)
            raise exception.EventHubConnectionError("The event hub was closed while connecting.")
        gap = None if self._lost_at is None else time.monotonic() - self._lost_at
        self._hooks.opened(self, connection, gap)

    def suspect(self, connection: Optional[WebSocketLike]) -> None:
        """Shut down *connection*, on which sending failed, if it is the current websocket.

        The thread then opens another one.
        """
        if connection is not None and connection is self.connection:
            break_off(connection, politely=False)

    def break_off(self) -> None:
        """Shut down the current websocket, if there is one, without a close frame."""
        connection = self.connection
        if connection is not None:
            break_off(connection, politely=False)

    def close(self, politely: bool = True) -> None:
        """Close the link for ever; *politely* sends a close frame first.

        The thread ends soon. If it is opening a websocket, it first waits until the websocket is
        open, and closes it.
        """
        self._step("close")
        self._closing.set()
        if self._finaliser is not None:
            self._finaliser.detach()
        connection = self.connection
        if connection is not None:
            break_off(connection, politely)
        if not self._thread.is_alive():
            if connection is not None:
                close_websocket(connection)
        elif threading.current_thread() is not self._thread:
            self._thread.join(JOIN_TIMEOUT)

    def end_with(self, owner: object) -> None:
        """Close the link when *owner* is collected."""
        self._finaliser = weakref.finalize(owner, self._abandon)
        self._finaliser.atexit = False

    def _abandon(self) -> None:
        """Make the thread close the websocket and end, because the owner was collected.

        The garbage collector may call this on any thread at any instruction, so it takes no lock.
        In a forked child it does nothing: the websocket belongs to the parent.
        """
        if os.getpid() != self._process:
            return
        self._abandoned = True
        connection = self.connection
        if connection is not None:
            break_off(connection, politely=False)

    def _step(self, event: str) -> None:
        with self._guard:
            self._state = advance(LINK, self._state, event)

    def _run(self) -> None:
        while not self.closed:
            connection = self.connection
            if connection is None:
                connection = self._reopen()
            if connection is None:
                return
            reason = self._read_safely(connection)
            self.connection = None
            close_websocket(connection)
            self._lost_at = time.monotonic()
            self._step("lost")
            if not self.closed:
                self._logger.info("The connection to the event server was lost: %s", reason)
                self._hooks.lost(self, reason)
        if self._abandoned and self.connection is not None:
            close_websocket(self.connection)

    def _reopen(self) -> Optional[WebSocketLike]:
        """Open a websocket, however long it takes; return None if the link was closed first."""
        begin = self._lost_at or time.monotonic()
        failures = 0
        while not self.closed:
            try:
                self.open()
                return self.connection
            except exception.EventHubConnectionError as error:
                failures += 1
                # One warning for each outage: it may last for hours.
                level = logging.WARNING if failures == 1 else logging.DEBUG
                if not self.closed:
                    # As text: a stored log record would keep the owner alive by the traceback.
                    self._logger.log(level, "%s Trying again.", str(error))
            self._pause(back_off(time.monotonic() - begin))
        return None

    def _pause(self, seconds: float) -> None:
        """Wait for *seconds*, or until the link is closed or abandoned."""
        end = time.monotonic() + seconds
        while not self.closed and (left := end - time.monotonic()) > 0:
            self._closing.wait(min(left, LOOK))

    def _read_safely(self, connection: WebSocketLike) -> str:
        """Read until the websocket breaks, and return the reason; an exception is a reason too."""
        try:
            return self._read(connection)
        except Exception as error:
            self._logger.exception("Reading from the event server failed.")
            return str(error)

    def _read(self, connection: WebSocketLike) -> str:
        """Read until the websocket breaks or is closed, and return the reason."""
        patience = self._heartbeat * SILENT_HEARTBEATS
        heard = _note_life(connection, patience)
        progress = getattr(connection, "progress", None)
        received = 0
        with Readiness(connection) as readiness:
            while not self.closed:
                if not readiness.can_tell:
                    # The next read may block for ever, so everything is sent first.
                    while self._hooks.send_waiting(True) == 0:
                        pass
                elif received % READ_AT_ONCE == 0:
                    self._hooks.send_waiting(False)
                if not readiness.wait(0):
                    left = heard + patience - time.monotonic()
                    if left <= 0:
                        return f"it was silent for {patience:.1f} seconds"
                    pause = self._hooks.send_waiting(False)
                    if not readiness.wait(left if pause is None else min(left, pause)):
                        continue
                try:
                    payload = next_message(connection)
                except faults() as error:
                    return str(error)
                if payload is None:
                    return "it was closed by the server"
                # A large message takes longer than the server may be silent, so a real websocket
                # counts its parts as progress. A substitute cannot: each message counts.
                now = getattr(connection, "progress", None)
                if now is None or now != progress:
                    heard, progress = _note_life(connection, patience), now
                self._hooks.received(payload)
                received += 1
        return "it was closed here"


def _note_life(connection: WebSocketLike, patience: float) -> float:
    """Allow *patience* seconds of silence from now on, and return the current time."""
    now = time.monotonic()
    if hasattr(connection, "silent_at"):
        connection.silent_at = now + patience
    return now
