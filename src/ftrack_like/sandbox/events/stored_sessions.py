"""Sessions in a PostgreSQL database: any process may open the websocket of a handshake.

A signed value would need no row, but only a row can be taken once. The table contains digests, so a
copy of the database opens no websocket.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import closing
from typing import Any, Callable, Optional

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.errors import PermissionDeniedError
from ftrack_like.sandbox.events.sessions import SESSION_LIFETIME, Caller, Granted, session_text

__all__ = ["StoredSessions"]

_GRANT = "INSERT INTO event_session (digest, user_id, replays) VALUES (%s, %s, %s)"
_TAKE = (
    "DELETE FROM event_session WHERE digest = %s RETURNING user_id, replays,"
    " extract(epoch FROM clock_timestamp()) - created_at"
)


class StoredSessions:
    """The sessions in *database* that wait for their websocket; its methods wait for the database.

    *heartbeat* is told to the clients, in seconds. *find_user* returns the user with an id, or
    raises :exc:`~ftrack_like.sandbox.errors.PermissionDeniedError`.
    """

    #: See :class:`~ftrack_like.sandbox.events.sessions.Sessions`.
    blocks: bool = True

    def __init__(
        self, database: Database, heartbeat: float, find_user: Callable[[str], Caller]
    ) -> None:
        self._database = database
        self._heartbeat = heartbeat
        self._find_user = find_user

    def grant(self, user: Caller, replays: bool = False) -> str:
        """Return a new session of *user*, as the text `SESSION:HEARTBEAT:CLOSE:websocket`.

        *replays* means that the client acknowledges events and drops repeated events.
        """
        identifier = secrets.token_hex(16)
        self._execute(_GRANT, (_digest(identifier), user.id, replays))
        return session_text(identifier, self._heartbeat)

    def take(self, identifier: str) -> Optional[Granted]:
        """Return the session *identifier* and forget it; None if it is unknown or too old."""
        found = self._execute(_TAKE, (_digest(identifier),))
        if found is None or found[2] > SESSION_LIFETIME:
            return None
        try:
            return Granted(self._find_user(found[0]), found[1])
        except PermissionDeniedError:
            return None

    def _execute(self, statement: str, values: tuple[object, ...]) -> Optional[tuple[Any, ...]]:
        """Run *statement* in a transaction, which needs no turn to write; return its row."""
        with closing(self._database.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            row = cursor.fetchone() if cursor.description else None
            connection.commit()
            return None if row is None else tuple(row)


def _digest(identifier: str) -> str:
    return hashlib.sha256(identifier.encode("utf-8", "replace")).hexdigest()
