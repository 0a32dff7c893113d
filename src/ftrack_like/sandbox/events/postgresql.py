"""The exchange of processes that share a PostgreSQL database.

See :mod:`~ftrack_like.sandbox.events.outbox` for the way of an event, and
:mod:`~ftrack_like.sandbox.events.claims` for clients that change the process.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.events import claims, outbox
from ftrack_like.sandbox.events.claims import Claim
from ftrack_like.sandbox.events.clients import Client, RemoteSubscriber
from ftrack_like.sandbox.events.exchange import Origin, Parcel, Router, Settle
from ftrack_like.sandbox.events.reader import Reader
from ftrack_like.sandbox.events.writer import FAILURES, Drop, Post, Wish, Writer
from ftrack_like.wire.events import new_id

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

__all__ = ["PostgresExchange"]


class PostgresExchange:
    """Carries events through the outbox in *database*; see
    :class:`~ftrack_like.sandbox.events.exchange.Exchange`.
    """

    def __init__(self, database: Database) -> None:
        """Create the missing tables in *database*. Events are stored and read after the start."""
        self._database = database
        #: The id of this process in the tables.
        self.process: str = new_id()
        with self._connect("ftrack-like") as connection:
            outbox.create_tables(connection)
            self._channel = outbox.channel_of(connection)
            self._snapshot = outbox.current_snapshot(connection)

    def _connect(self, name: str) -> Connection:
        return outbox.connect(self._database, name)

    def attach(self, router: Router) -> None:
        """Route events with *router*."""
        listen = functools.partial(self._connect, claims.application_name(self.process))
        store = functools.partial(self._connect, f"ftrack-like events {self.process}")
        self._reader = Reader(self.process, router, listen, self._channel, self._snapshot)
        self._writer = Writer(self.process, router, store, self._channel, self._reader)

    def start(self) -> None:
        """Begin to store the events of this process, and to route those of all processes."""
        with self._connect("ftrack-like") as connection:
            claims.save(connection, self.process, self._snapshot, ())
        self._reader.start()
        self._writer.start()

    def stop(self) -> None:
        """Store what waits, release the clients for other processes, and end."""
        self._writer.stop()
        self._reader.stop(self._notify)

    def _notify(self) -> None:
        """Wake the reader for the last time; without the database it wakes by itself."""
        with contextlib.suppress(*FAILURES), self._connect("ftrack-like") as connection:
            connection.execute("SELECT pg_notify(%s, '')", (self._channel,))

    def post(self, parcel: Parcel, origin: Optional[Origin], settle: Settle) -> int:
        """Store *parcel*; the readers of all processes route it."""
        kind = outbox.RESTRICTED if parcel.restricted else outbox.EVENT
        self._writer.put(Post(kind, parcel.text, settle, origin))
        return 0

    def tell_rights(self) -> None:
        """Let all processes read the rights of users again, after all data have been replaced."""
        self._writer.put(Post(outbox.RIGHTS, "[]", lambda problem: None))

    def claim(
        self, subscriber: RemoteSubscriber, settle: Settle, resumed: Callable[[], None]
    ) -> bool:
        """Look for *subscriber* in other processes; the answer comes later."""
        client = subscriber.client
        data = {"subscriber": subscriber.metadata, "subscription": subscriber.text}
        wish = Claim(subscriber.identifier, client.id, client.username, client.hub_id, data)
        self._writer.put(Wish(wish, client, settle, resumed))
        return False

    def drop(self, client: Client, identifier: str) -> None:
        """Forget a subscriber of *client*."""
        self._writer.put(Drop(client.id, identifier))

    def wake(self) -> None:
        """Tell all processes that a transaction has stored events in the outbox."""
        self._writer.wake()

    def catch_up(self, seconds: float = 5.0) -> None:
        """Return when all events that were stored before the call are routed in this process.

        Raise :exc:`TimeoutError` after *seconds*.
        """
        self._reader.catch_up(self.wake, seconds)
