"""Reads the outbox of a site, and routes its events to the clients of this process.

One thread listens for notifications. Each of them, and each second without one, makes it read the
events that it has not seen. So a lost notification or a lost connection delays events, and loses
none.
"""

from __future__ import annotations

import collections
import json
import logging
import select
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Optional

import psycopg

from ftrack_like.sandbox.events import claims
from ftrack_like.sandbox.events.claims import Adopted
from ftrack_like.sandbox.events.exchange import Left, Router
from ftrack_like.sandbox.events.outbox import (
    RIGHTS,
    Stored,
    parcel_of,
    read_missed,
    read_new,
    trim,
)
from ftrack_like.sandbox.events.writer import FAILURES, Wish

if TYPE_CHECKING:
    Connection = psycopg.Connection[Any]

__all__ = ["Reader"]

_LOGGER = logging.getLogger(__name__)

#: Seconds between two looks at the outbox without a notification, and between two stored states.
_POLL = 1.0
_SAVING = 1.0
#: Seconds between two signs of life of an idle process, and between two removals of old events.
_ALIVE = 20.0
_TRIMMING = 10.0

#: Seconds before another connection after an error; each further error doubles them.
_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


class Reader:
    """A thread that routes the events of all processes; *process* is the id of this one.

    *snapshot* is that of the first events to route.
    """

    def __init__(
        self,
        process: str,
        router: Router,
        open_connection: Callable[[], Connection],
        channel: str,
        snapshot: str,
    ) -> None:
        self._process = process
        self._router = router
        self._open = open_connection
        self._channel = channel
        self._snapshot = snapshot
        #: The numbers of events after the snapshot that have been routed.
        self._routed: set[int] = set()
        #: The wishes to finish, with what the client had before; None if another wish brings it.
        self._adoptions: collections.deque[tuple[Wish, Optional[Adopted]]] = collections.deque()
        self._noticed = False
        self._wanted = False
        self._stopping = False
        self._turned = threading.Condition()
        self._begun = self._finished = 0
        self._saved: dict[str, Left] = {}
        self._saved_snapshot = ""
        self._saved_at = self._alive_at = self._trimmed_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="sandbox-events-in", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._router.reached(self._snapshot)
        self._thread.start()

    def adopt(self, wish: Wish, adopted: Adopted) -> None:
        """Give a client what it had before; a notification must follow."""
        self._adoptions.append((wish, adopted))

    def finishes(self, wish: Wish) -> bool:
        """Finish *wish* after a running adoption of its client; return False if there is none.

        A notification must follow.
        """
        waits = any(one.client is wish.client for one, _ in tuple(self._adoptions))
        if waits:
            self._adoptions.append((wish, None))
        return waits

    def catch_up(self, wake: Callable[[], None], seconds: float) -> None:
        """Return when all events that are stored now are routed; *wake* sends a notification.

        Return at once if the thread has ended. Raise :exc:`TimeoutError` after *seconds*.
        """
        with self._turned:
            turn = self._begun + 1
            wake()
            over = self._turned.wait_for(
                lambda: self._finished >= turn or not self._thread.is_alive(), seconds
            )
            if not over:
                raise TimeoutError(f"The events of other processes did not arrive in {seconds:g} s")

    def stop(self, wake: Callable[[], None], seconds: float = 5.0) -> None:
        """Release all clients, and end; wait up to *seconds*. *wake* sends a notification."""
        self._stopping = True
        wake()
        self._thread.join(seconds)

    # The thread.

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping:
            connection: Optional[Connection] = None
            try:
                connection = self._open()
                connection.add_notify_handler(self._notice)
                connection.execute(f"LISTEN {self._channel}")
                while not self._stopping:
                    self._turn(connection)
                    pause = 0.0
                    self._wait(connection)
                self._end(connection)
            except FAILURES as error:
                if not pause:
                    _LOGGER.warning("The outbox cannot be read, events wait: %s", error)
                pause = min(2 * pause, _LONGEST_PAUSE) or _PAUSE
                time.sleep(pause)
            except Exception:
                _LOGGER.exception("Events of other processes could not be handled.")
                time.sleep(_LONGEST_PAUSE)
            finally:
                if connection is not None:
                    connection.close()

    def _turn(self, connection: Connection) -> None:
        """Route what is new, answer other processes, and store the state if that is due."""
        with self._turned:
            self._begun += 1
            turn = self._begun
        self._noticed = False
        self._route_new(connection)
        while self._adoptions:
            self._adopt(connection, *self._adoptions[0])
            self._adoptions.popleft()  # only now: an error of the database repeats it
        with self._turned:
            self._finished = turn
            self._turned.notify_all()
        now = time.monotonic()
        due = now - self._saved_at >= _SAVING
        if self._wanted or due:
            self._wanted = False
            self._give_up(connection)
        if due:
            self._saved_at = now
            self._save(connection, now)
        if now - self._trimmed_at >= _TRIMMING:
            self._trimmed_at = now
            trim(connection)

    def _route_new(self, connection: Connection) -> None:
        snapshot, rows = read_new(connection, self._snapshot)
        for row in rows:
            if row.number in self._routed:
                continue
            try:
                self._route(row)
            except FAILURES:
                raise  # what users may see could not be read: try this event again
            except Exception:
                _LOGGER.exception("The event %d of the outbox could not be routed.", row.number)
            self._routed.add(row.number)
        self._snapshot = snapshot
        self._routed.clear()
        self._router.reached(snapshot)

    def _route(self, row: Stored) -> None:
        if row.kind == RIGHTS:
            self._router.forget_rights(json.loads(row.content))
        else:
            self._router.route(parcel_of(row))

    def _adopt(self, connection: Connection, wish: Wish, adopted: Optional[Adopted]) -> None:
        """Give the client of *wish* what it missed; all events so far have been routed here."""
        if adopted is not None:
            left = adopted.left
            missed = [parcel_of(one) for one in read_missed(connection, left, self._snapshot)]
            is_complete = left.is_complete and left.position is not None
            try:
                self._router.adopt(wish.client, adopted.subscribers, missed, is_complete)
            except ValueError:
                _LOGGER.exception("The subscribers of a client could not be restored.")
        wish.finish(self._router)

    def _give_up(self, connection: Connection) -> None:
        """Release the clients that returned to other processes."""
        for client_id, wanted_by, hub_id in claims.wanted_clients(connection, self._process):
            try:
                left = self._router.release(client_id, hub_id)
            except ValueError:
                claims.refuse(connection, client_id, wanted_by)
                continue
            if left is not None:
                self._saved.pop(client_id, None)
                claims.give_up(connection, client_id, self._process, left)

    def _save(self, connection: Connection, now: float) -> None:
        """Store what has changed since the last call."""
        states = [(client.id, left) for client, left in self._router.remembered()]
        changed = [(id_, left) for id_, left in states if self._saved.get(id_) != left]
        if changed or self._snapshot != self._saved_snapshot or now - self._alive_at > _ALIVE:
            claims.save(connection, self._process, self._snapshot, changed)
            self._saved = dict(states)
            self._saved_snapshot = self._snapshot
            self._alive_at = now
        lost = claims.lost_clients(connection, self._process, [id_ for id_, _ in states])
        if lost:
            self._router.abandon(lost)

    def _end(self, connection: Connection) -> None:
        """Store the last state, and release all clients."""
        self._route_new(connection)
        states = [(client.id, left) for client, left in self._router.remembered()]
        claims.save(connection, self._process, self._snapshot, states)
        claims.leave_all(connection, self._process, self._snapshot)

    def _wait(self, connection: Connection) -> None:
        """Wait for a notification, but not longer than :data:`_POLL`."""
        if self._noticed:
            return
        readable, _, _ = select.select([connection.fileno()], [], [], _POLL)
        if readable:
            connection.pgconn.consume_input()
            notification = connection.pgconn.notifies()
            while notification is not None:
                self._wanted = self._wanted or notification.extra == b"wanted"
                notification = connection.pgconn.notifies()

    def _notice(self, notification: psycopg.Notify) -> None:
        """Note a notification that arrived during a statement."""
        self._noticed = True
        self._wanted = self._wanted or notification.payload == "wanted"
