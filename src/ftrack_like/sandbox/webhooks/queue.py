"""The waiting deliveries, in a table that no client can read or write.

A batch stores its deliveries in its own transaction. A delivery stays in the table until it
succeeds or the sandbox gives up, so a restarted server continues with the remaining ones. All times
are those of the database's clock: another machine must not take a delivery because its clock is
ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.clock import utc_now
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.times import database_time
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["LOGGED", "Delivery", "DeliveryQueue", "Outcome", "Waiting", "discard", "enqueue"]

_TABLE = "webhook_delivery"

#: The owner of the transactions. Batches of users that wait to write go first if there are many.
_OWNER = "webhooks"

#: The number of rows that the log keeps, for all webhooks together. It is cut after this many more.
LOGGED = 10_000
_SLACK = 100

#: Seconds for which a delivery on PostgreSQL belongs to the server that took it. Other servers of
#: the database do not send it in this time.
_LEASE = 60.0


@dataclass(frozen=True)
class Delivery:
    """A body to send. *attempts* counts the failures so far, *due_at* is in seconds (Unix time)."""

    number: int
    action_id: str
    event_id: str
    summary: str
    body: str
    attempts: int
    due_at: float


@dataclass(frozen=True)
class Outcome:
    """The end of an attempt. *message* is for the log.

    The delivery is attempted again after *delay* seconds; None removes it.
    """

    delivery: Delivery
    succeeded: bool
    message: str
    delay: Optional[float] = None


@dataclass(frozen=True)
class Waiting:
    """The number of waiting deliveries of a webhook, and the time of the next attempt."""

    count: int
    due_at: float


def enqueue(connection: Connection, deliveries: Sequence[dict[str, Any]]) -> None:
    """Store *deliveries* in the transaction of *connection*.

    Each has the fields of a :class:`Delivery`, without number, attempts and time.
    """
    now = database_time(connection)
    rows = [{**one, "attempts": 0, "due_at": now} for one in deliveries]
    connection.execute(sqlalchemy.insert(TABLES[_TABLE]), rows)


def discard(connection: Connection, action_ids: Sequence[str]) -> None:
    """Remove the waiting deliveries of webhooks in the transaction of *connection*."""
    table = TABLES[_TABLE]
    connection.execute(sqlalchemy.delete(table).where(table.c.action_id.in_(action_ids)))


class DeliveryQueue:
    """The waiting deliveries in *database*; threads may share it.

    *now* returns the time in UTC for the log.
    """

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._database = database

    def waiting(self) -> dict[str, Waiting]:
        """Return the waiting deliveries by the id of their webhook."""
        columns = TABLES[_TABLE].c
        count, first = sqlalchemy.func.count(), sqlalchemy.func.min(columns.due_at)
        statement = sqlalchemy.select(columns.action_id, count, first).group_by(columns.action_id)
        with self._database.read() as connection:
            return {id_: Waiting(n, due) for id_, n, due in connection.execute(statement)}

    def address(self, action_id: str) -> Optional[tuple[Optional[str], Optional[str]]]:
        """Return the address and the headers of a webhook, None if it does not exist."""
        columns = TABLES["action"].c
        statement = sqlalchemy.select(columns.webhook_url, columns.headers)
        with self._database.read() as connection:
            found = connection.execute(statement.where(columns.id == action_id)).first()
        return None if found is None else (found.webhook_url, found.headers)

    def take(self, action_id: str, most: int) -> list[Delivery]:
        """Return up to *most* deliveries of a webhook that are due, the oldest first.

        On PostgreSQL, other servers do not get them for a minute. Pass each to :meth:`record`.
        """
        table = TABLES[_TABLE]
        statement = (
            sqlalchemy.select(table)
            .where(table.c.action_id == action_id)
            .order_by(table.c.due_at, table.c.number)
            .limit(most)
        )
        if self._database.is_sqlite:
            with self._database.read() as connection:
                due = statement.where(table.c.due_at <= database_time(connection))
                return [Delivery(**one) for one in connection.execute(due).mappings()]
        # Another process may take deliveries of the same webhook at this moment.
        unlocked = statement.with_for_update(skip_locked=True)
        with self._database.write(_OWNER) as connection:
            now = database_time(connection)
            due = unlocked.where(table.c.due_at <= now)
            found = [Delivery(**one) for one in connection.execute(due).mappings()]
            for one in found:
                _postpone(connection, one, now + _LEASE)
            return found

    def overdue(self, seconds: float) -> list[str]:
        """Return the ids of webhooks with a delivery that has been due for *seconds*."""
        columns = TABLES[_TABLE].c
        statement = sqlalchemy.select(columns.action_id).distinct()
        with self._database.read() as connection:
            limit = database_time(connection) - seconds
            found = connection.execute(statement.where(columns.due_at < limit))
            return list(found.scalars())

    def seconds_left(self, action_id: str) -> Optional[float]:
        """Return the seconds until the next attempt of a webhook, None if nothing waits."""
        columns = TABLES[_TABLE].c
        statement = sqlalchemy.select(sqlalchemy.func.min(columns.due_at))
        with self._database.read() as connection:
            found = connection.execute(statement.where(columns.action_id == action_id)).scalar()
            return None if found is None else float(found) - database_time(connection)

    def record(self, outcomes: Sequence[Outcome], untouched: Sequence[Delivery] = ()) -> None:
        """Store *outcomes* and their rows of the log, and give back *untouched* deliveries."""
        if self._database.is_sqlite and not outcomes:
            return
        with self._database.write(_OWNER) as connection:
            for outcome in outcomes:
                _record(connection, outcome, self._now())
            if not self._database.is_sqlite:
                for one in untouched:
                    _postpone(connection, one, one.due_at)


def _record(connection: Connection, outcome: Outcome, now: datetime) -> None:
    table, delivery = TABLES[_TABLE], outcome.delivery
    if outcome.delay is None:
        connection.execute(sqlalchemy.delete(table).where(*_is(delivery)))
    else:
        attempts = delivery.attempts + 1
        due_at = database_time(connection) + outcome.delay
        _postpone(connection, delivery, due_at, attempts=attempts)
    actions = TABLES["action"].c
    known = sqlalchemy.select(actions.id).where(actions.id == delivery.action_id)
    if connection.execute(known).first() is not None:
        _log(connection, outcome, now)


def _postpone(connection: Connection, delivery: Delivery, due_at: float, **values: Any) -> None:
    table = TABLES[_TABLE]
    changed = sqlalchemy.update(table).where(*_is(delivery)).values(due_at=due_at, **values)
    connection.execute(changed)


def _is(delivery: Delivery) -> tuple[Any, ...]:
    """Return the conditions for the row of *delivery*. SQLite uses the numbers of rows again."""
    columns = TABLES[_TABLE].c
    return (columns.number == delivery.number, columns.event_id == delivery.event_id)


def _log(connection: Connection, outcome: Outcome, now: datetime) -> None:
    table, action_id = TABLES["action_log"], outcome.delivery.action_id
    row = {
        "action_id": action_id,
        "message": outcome.message,
        "status": "success" if outcome.succeeded else "failure",
        "created_at": now.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    (number,) = connection.execute(sqlalchemy.insert(table), row).inserted_primary_key or (0,)
    if number % _SLACK == 0:
        outdated = sqlalchemy.delete(table).where(table.c.id <= number - LOGGED)
        connection.execute(outdated)
