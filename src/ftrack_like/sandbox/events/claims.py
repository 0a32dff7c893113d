"""Which process of a site has which client and subscriber, in tables of a PostgreSQL database.

A client that connects to another process subscribes there with the same ids. The new process finds
the subscribers here, asks the old process to give the client up, and continues where the client
left. If the old process does not exist any more, it continues where the old process last stored its
state, at most a second before its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like.sandbox.events.clients import Position
from ftrack_like.sandbox.events.exchange import Left

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

__all__ = [
    "Adopted",
    "Claim",
    "Elsewhere",
    "Refused",
    "application_name",
    "claim",
    "drop",
    "give_up",
    "is_running",
    "leave_all",
    "lost_clients",
    "refuse",
    "save",
    "wanted_clients",
]

_NOW = "extract(epoch FROM clock_timestamp())"

#: How the name in ``wanted_by`` begins if the process refused to give the client up.
_REFUSED = "refused:"


@dataclass(frozen=True)
class Claim:
    """The wish of a client to have a subscriber; *data* is that of `ftrack.meta.subscribe`."""

    identifier: str
    client_id: str
    username: str
    hub_id: Optional[str]
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Adopted:
    """The client is one that left: what it has received, and the data of its subscribers."""

    left: Left
    subscribers: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Elsewhere:
    """Another *process* has the subscriber; it was asked to give up the client."""

    process: str


@dataclass(frozen=True)
class Refused:
    """Another user, or a connected client, has the subscriber."""


Outcome = Union[None, Adopted, Elsewhere, Refused]


def application_name(process: str) -> str:
    """Return the name under which the listening connection of *process* is known."""
    return f"ftrack-like {process}"


def is_running(connection: Connection, process: str) -> bool:
    """Return whether the listening connection of *process* exists."""
    statement = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s LIMIT 1"
    return connection.execute(statement, (application_name(process),)).fetchone() is not None


def claim(
    connection: Connection, process: str, wish: Claim, *, force: bool = False, again: bool = False
) -> Outcome:
    """Give the subscriber to the client of *wish* in the transaction; None if that was simple.

    *force* takes the subscriber from a process that does not answer. *again* says that an earlier
    try may have been committed.
    """
    connection.execute(
        "INSERT INTO event_client (id, username, hub_id, process) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET hub_id = EXCLUDED.hub_id",
        (wish.client_id, wish.username, wish.hub_id, process),
    )
    data = json.dumps(wish.data)
    added = connection.execute(
        "INSERT INTO event_subscriber (identifier, client_id, data) VALUES (%s, %s, %s)"
        " ON CONFLICT (identifier) DO NOTHING RETURNING 1",
        (wish.identifier, wish.client_id, data),
    ).fetchone()
    if added is not None:
        return None
    holder = connection.execute(
        "SELECT s.client_id, c.username, c.process, c.position, c.pending, c.wanted_by"
        " FROM event_subscriber AS s LEFT JOIN event_client AS c ON c.id = s.client_id"
        " WHERE s.identifier = %s FOR UPDATE OF s",
        (wish.identifier,),
    ).fetchone()
    if holder is None:  # another transaction has just removed it
        return claim(connection, process, wish, force=force, again=again)
    client_id, username, owner, position, pending, wanted_by = holder
    if username is not None and username != wish.username:
        return Refused()
    outcome: Outcome = None
    if client_id == wish.client_id:
        if again and position is not None:
            outcome = Adopted(_read_left(position, pending), _subscribers(connection, client_id))
    elif username is not None:
        if owner not in {None, process} and not force:
            return _ask(connection, wish, client_id, owner, wanted_by)
        outcome = _move(connection, wish, client_id, owner, position, pending)
        if owner == process:  # the broker has moved the subscribers itself
            outcome = None
    connection.execute(
        "UPDATE event_subscriber SET client_id = %s, data = %s WHERE identifier = %s",
        (wish.client_id, data, wish.identifier),
    )
    return outcome


def _ask(
    connection: Connection, wish: Claim, client_id: str, owner: str, wanted_by: Optional[str]
) -> Outcome:
    """Ask the process *owner* to give up a client, unless it has refused that already."""
    refused = wanted_by == _REFUSED + wish.client_id
    connection.execute(
        "UPDATE event_client SET wanted_by = %s WHERE id = %s",
        (None if refused else wish.client_id, client_id),
    )
    return Refused() if refused else Elsewhere(owner)


def _move(
    connection: Connection,
    wish: Claim,
    client_id: str,
    owner: Optional[str],
    position: Optional[str],
    pending: Optional[str],
) -> Adopted:
    """Move the subscribers of another client to that of *wish*, and what it has received."""
    if position is None:
        statement = "SELECT position FROM event_process WHERE id = %s"
        found = connection.execute(statement, (owner,)).fetchone()
        position = None if found is None else found[0]
    subscribers = _subscribers(connection, client_id)
    connection.execute(
        "UPDATE event_subscriber SET client_id = %s WHERE client_id = %s",
        (wish.client_id, client_id),
    )
    connection.execute("DELETE FROM event_client WHERE id = %s", (client_id,))
    connection.execute(
        "UPDATE event_client SET position = %s, pending = %s WHERE id = %s",
        (position, pending, wish.client_id),
    )
    return Adopted(_read_left(position, pending), subscribers)


def _subscribers(connection: Connection, client_id: str) -> list[Mapping[str, Any]]:
    statement = "SELECT data FROM event_subscriber WHERE client_id = %s"
    return [json.loads(data) for (data,) in connection.execute(statement, (client_id,))]


def drop(connection: Connection, client_id: str, identifier: str) -> None:
    """Remove a subscriber of a client, and the client with its last subscriber."""
    connection.execute(
        "DELETE FROM event_subscriber WHERE identifier = %s AND client_id = %s",
        (identifier, client_id),
    )
    connection.execute(
        "DELETE FROM event_client AS c WHERE id = %s"
        " AND NOT EXISTS (SELECT 1 FROM event_subscriber AS s WHERE s.client_id = c.id)",
        (client_id,),
    )


def wanted_clients(connection: Connection, process: str) -> list[tuple[str, str, Optional[str]]]:
    """Return the clients that others ask of *process*: its id, the new client, and the hub."""
    statement = (
        "SELECT old.id, new.id, new.hub_id FROM event_client AS old"
        " JOIN event_client AS new ON new.id = old.wanted_by WHERE old.process = %s"
    )
    return list(connection.execute(statement, (process,)))


def give_up(connection: Connection, client_id: str, process: str, left: Left) -> None:
    """Release a client of *process*, which has received what *left* says."""
    connection.execute(
        "UPDATE event_client SET process = NULL, wanted_by = NULL, position = %s, pending = %s"
        f", updated_at = {_NOW} WHERE id = %s AND process = %s",
        (*_left_as_text(left), client_id, process),
    )


def refuse(connection: Connection, client_id: str, wanted_by: str) -> None:
    """Record that a client stays where it is."""
    connection.execute(
        "UPDATE event_client SET wanted_by = %s WHERE id = %s AND wanted_by = %s",
        (_REFUSED + wanted_by, client_id, wanted_by),
    )


def save(
    connection: Connection,
    process: str,
    snapshot: str,
    changed: Iterable[tuple[str, Left]],
) -> None:
    """Store what *process* has routed, and what its clients with these ids have received."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO event_process (id, position) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE"
            f" SET position = EXCLUDED.position, seen_at = {_NOW}",
            (process, _position_as_text(Position(snapshot))),
        )
        rows = [(*_left_as_text(left), client_id, process) for client_id, left in changed]
        if rows:
            cursor.executemany(
                f"UPDATE event_client SET position = %s, pending = %s, updated_at = {_NOW}"
                " WHERE id = %s AND process = %s",
                rows,
            )


def lost_clients(connection: Connection, process: str, client_ids: Sequence[str]) -> list[str]:
    """Return those of *client_ids* that *process* does not have any more."""
    statement = "SELECT id FROM event_client WHERE process = %s AND id = ANY(%s)"
    kept = {id_ for (id_,) in connection.execute(statement, (process, list(client_ids)))}
    return [one for one in client_ids if one not in kept]


def leave_all(connection: Connection, process: str, snapshot: str) -> None:
    """Release all clients of *process*, which ends."""
    with connection.transaction():
        connection.execute(
            "UPDATE event_client SET process = NULL, position = COALESCE(position, %s)"
            f", updated_at = {_NOW} WHERE process = %s",
            (_position_as_text(Position(snapshot)), process),
        )
        connection.execute("DELETE FROM event_process WHERE id = %s", (process,))


def _left_as_text(left: Left) -> tuple[Optional[str], str]:
    position = None if left.position is None else _position_as_text(left.position)
    numbers = list(left.pending)
    kept = numbers if left.is_complete else {"numbers": numbers, "complete": False}
    return position, json.dumps(kept)


def _position_as_text(position: Position) -> str:
    return json.dumps([position.snapshot, list(position.further)])


def _read_left(position: Optional[str], pending: Optional[str]) -> Left:
    kept = json.loads(pending or "[]")
    is_complete = isinstance(kept, list)
    numbers = kept if is_complete else kept["numbers"]
    if position is None:
        return Left(None, numbers, is_complete)
    snapshot, further = json.loads(position)
    return Left(Position(snapshot, tuple(further)), numbers, is_complete)
