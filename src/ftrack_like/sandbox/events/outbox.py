"""The outbox of a site on PostgreSQL: the events of the last minutes, for all its processes.

A transaction gets its number when it begins to write, and its events become visible when it
commits. So events do not become visible in the order of their numbers, and a reader that asks for
"numbers after the last one" loses events. Each event therefore stores the id of its transaction. A
reader remembers a snapshot of PostgreSQL, and reads the events of the transactions that this
snapshot did not see. This finds each event exactly once, also after a lost connection.

After a crash, PostgreSQL gives the ids of transactions again that left no trace on the disk. A
transaction that stored an event left one. So the end of a remembered snapshot is lowered to the id
after the highest one of an event: ids from there may come again, and no event has had one.

The tables are not part of the layout of the data. They contain nothing that is older than a few
minutes, clients cannot reach them, and a site on SQLite has no such tables. If their columns ever
change, give them new names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.events.clients import Position
from ftrack_like.sandbox.events.exchange import Left, Parcel

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.engine import Connection

__all__ = [
    "EVENT",
    "RESTRICTED",
    "RIGHTS",
    "Snapshot",
    "Stored",
    "append",
    "channel_of",
    "connect",
    "create_tables",
    "current_snapshot",
    "parcel_of",
    "read_missed",
    "read_new",
    "trim",
]

#: Kinds of rows: an event for everybody, an event that is reduced for each user, and a change of
#: rights, whose content is the JSON list of the users to disconnect.
EVENT = "event"
RESTRICTED = "restricted"
RIGHTS = "rights"

#: Seconds for which an event stays in the outbox, longer than a client may be away.
KEPT = 180.0

#: The key of the PostgreSQL advisory lock under which the tables are created.
_CREATION = 0x6576656E7473

_NOW = "extract(epoch FROM clock_timestamp())"

_TABLES = f"""
CREATE TABLE IF NOT EXISTS event_outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    kind text NOT NULL,
    content text NOT NULL,
    origin text UNIQUE,
    websocket text,
    created_at double precision NOT NULL DEFAULT {_NOW}
);
CREATE INDEX IF NOT EXISTS ix_event_outbox_xid ON event_outbox (xid);
CREATE INDEX IF NOT EXISTS ix_event_outbox_created_at ON event_outbox (created_at);
CREATE TABLE IF NOT EXISTS event_process (
    id text PRIMARY KEY,
    position text,
    seen_at double precision NOT NULL DEFAULT {_NOW}
);
CREATE TABLE IF NOT EXISTS event_client (
    id text PRIMARY KEY,
    username text NOT NULL,
    hub_id text,
    process text,
    position text,
    pending text,
    wanted_by text,
    updated_at double precision NOT NULL DEFAULT {_NOW}
);
CREATE INDEX IF NOT EXISTS ix_event_client_process ON event_client (process);
CREATE TABLE IF NOT EXISTS event_subscriber (
    identifier text PRIMARY KEY,
    client_id text NOT NULL,
    data text NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_event_subscriber_client_id ON event_subscriber (client_id);
CREATE TABLE IF NOT EXISTS event_session (
    digest text PRIMARY KEY,
    user_id text NOT NULL,
    replays boolean NOT NULL,
    created_at double precision NOT NULL DEFAULT {_NOW}
);
CREATE INDEX IF NOT EXISTS ix_event_session_created_at ON event_session (created_at);
"""

# The last object that the statements above create; one transaction creates all.
_EXISTS = (
    "SELECT to_regclass(quote_ident(current_schema()) || '.ix_event_session_created_at')"
    " IS NOT NULL"
)

# The rows of the outer join always include one with the snapshot. Rows with an id that PostgreSQL
# has not given yet come from a copy of another server.
READ_NEW = """
SELECT pg_current_snapshot()::text, o.xid, o.number, o.kind, o.content
FROM (SELECT 1) AS one LEFT JOIN event_outbox AS o
    ON (o.xid >= %s OR o.xid = ANY(%s))
    AND o.xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
ORDER BY o.number
"""

READ_MISSED = """
SELECT number, kind, content FROM event_outbox
WHERE (number = ANY(%s) OR ((xid >= %s OR xid = ANY(%s)) AND NOT number = ANY(%s)))
    AND kind <> 'rights'
    AND pg_visible_in_snapshot(xid::text::xid8, %s::pg_snapshot)
ORDER BY number
"""


class Stored(NamedTuple):
    """A row of the outbox."""

    number: int
    kind: str
    content: str


class Snapshot(NamedTuple):
    """A snapshot of PostgreSQL: all transactions before *following* except *running* are over."""

    following: int
    running: list[int]

    @classmethod
    def read(cls, text: str) -> Snapshot:
        """Return the snapshot *text*, in PostgreSQL's form ``xmin:xmax:running,…``."""
        _, following, running = text.split(":")
        return cls(int(following), [int(one) for one in running.split(",") if one])

    def lowered(self, following: int) -> str:
        """Return the text of this snapshot, which ends at *following* at the latest."""
        end = min(following, self.following)
        running = [one for one in self.running if one < end]
        return f"{min(running, default=end)}:{end}:{','.join(map(str, running))}"


def connect(database: Database, name: str) -> psycopg.Connection[Any]:
    """Return a new connection to *database* that is not in its pool, with *name* as its name.

    Each statement is a transaction, unless it is in a ``transaction()`` block.
    """
    pooled = database.engine.raw_connection()
    connection: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
    pooled.detach()
    connection.rollback()
    connection.autocommit = True
    connection.execute("SELECT set_config('application_name', %s, false)", (name,))
    return connection


def create_tables(connection: psycopg.Connection[Any]) -> None:
    """Create the missing tables. Several processes may do this at the same time.

    If the tables exist, the function locks none: CREATE INDEX waits for writers even if
    the index exists, and a process that started under load had a deadlock with their transactions.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATION,))
        found = connection.execute(_EXISTS).fetchone()
        if found is None or not found[0]:
            connection.execute(_TABLES)


def channel_of(connection: psycopg.Connection[Any]) -> str:
    """Return the channel for the notifications of the site, whose tables are in one schema."""
    found = connection.execute("SELECT current_schema()").fetchone()
    name = str(found[0]) if found else ""
    return f"ftrack_like_{hashlib.sha256(name.encode('utf-8')).hexdigest()[:16]}"


def current_snapshot(connection: psycopg.Connection[Any]) -> str:
    """Return the snapshot of the transactions with events that are over."""
    found = connection.execute(
        "SELECT pg_current_snapshot()::text, (SELECT coalesce(max(xid), 2) FROM event_outbox)"
    ).fetchone()
    assert found is not None, "this statement has one row"
    return Snapshot.read(str(found[0])).lowered(int(found[1]) + 1)


def append(connection: Connection, rows: Iterable[tuple[str, str]]) -> None:
    """Store *rows*, kind and content of each, in the transaction of *connection*."""
    statement = "INSERT INTO event_outbox (kind, content) VALUES (%s, %s)"
    connection.exec_driver_sql(statement, list(rows))


def read_new(connection: psycopg.Connection[Any], snapshot: str) -> tuple[str, list[Stored]]:
    """Return a new snapshot, and the rows that it sees and the earlier *snapshot* did not see."""
    earlier = Snapshot.read(snapshot)
    rows = connection.execute(READ_NEW, (earlier.following, earlier.running)).fetchall()
    found = [row for row in rows if row[1] is not None]
    following = max([earlier.following, *(row[1] + 1 for row in found)])
    return Snapshot.read(rows[0][0]).lowered(following), [Stored(*row[2:]) for row in found]


def read_missed(connection: psycopg.Connection[Any], left: Left, until: str) -> list[Stored]:
    """Return the events that a client has not received when it *left*, up to a snapshot."""
    position = left.position or Position(until)
    earlier = Snapshot.read(position.snapshot)
    values = (
        list(left.pending),
        earlier.following,
        earlier.running,
        list(position.further),
        until,
    )
    return [Stored(*row) for row in connection.execute(READ_MISSED, values)]


def parcel_of(row: Stored) -> Parcel:
    """Return the event in *row*."""
    return Parcel(json.loads(row.content), row.content, row.kind == RESTRICTED, row.number)


def trim(connection: psycopg.Connection[Any]) -> None:
    """Remove what no client can miss any more, unless another process is doing it."""
    with connection.transaction():
        mine = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_CREATION,)).fetchone()
        if mine is None or not mine[0]:
            return
        for statement in _TRIM:
            connection.execute(statement, (KEPT,))


#: What to remove, given the seconds to keep it. The clients of a process that lives stay.
_TRIM: Sequence[str] = (
    f"DELETE FROM event_outbox WHERE created_at < {_NOW} - %s",
    f"DELETE FROM event_session WHERE created_at < {_NOW} - %s",
    f"DELETE FROM event_process WHERE seen_at < {_NOW} - %s",
    f"DELETE FROM event_client AS c WHERE updated_at < {_NOW} - %s"
    " AND NOT EXISTS (SELECT 1 FROM event_process AS p WHERE p.id = c.process)",
    "DELETE FROM event_subscriber AS s WHERE %s > 0"
    " AND NOT EXISTS (SELECT 1 FROM event_client AS c WHERE c.id = s.client_id)",
)
