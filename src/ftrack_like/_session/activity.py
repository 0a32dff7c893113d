"""Reads the activity rows of the server for an event hub that catches up."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftrack_like import exception

if TYPE_CHECKING:
    from ftrack_like.event.missed import ActivityRow
    from ftrack_like.session import Session

__all__ = ["SessionActivity"]

#: The number of rows in one request.
_PAGE = 500
#: Attributes that servers may lack, beside ``id`` and ``parent_id``.
_OPTIONAL = ("action", "data", "created_at", "parent_type", "project_id")


class SessionActivity:
    """The rows of the type ``Event``. Servers agree only about ids, times, parents."""

    def __init__(self, session: Session) -> None:
        """Read rows through *session*, which this object does not keep alive."""
        self._session = weakref.ref(session)

    def newest(self) -> str:
        """Return the id of the newest row, "0" if there is none."""
        row = self._open_session().query("select id from Event order by id descending").first()
        return "0" if row is None else str(row["id"])

    def after(self, position: str) -> Sequence[ActivityRow]:
        """Return at most 500 rows with higher ids than *position*, in order of their ids."""
        session = self._open_session()
        names = [each.name for each in session.types["Event"].attributes]
        columns = ["id", "parent_id", *(each for each in _OPTIONAL if each in names)]
        if "user" in names:
            columns += ["user.id", "user.username"]
        query = session.query(
            f"select {', '.join(columns)} from Event where id > {int(position)} order by id "
            f"limit {_PAGE}"
        )
        rows = query.to_dicts(columns)
        for row in rows:
            row["user"] = {"id": row.get("user.id"), "username": row.get("user.username")}
            row["created_at"] = str(row.get("created_at") or "") or None
        return rows

    def _open_session(self) -> Session:
        session = self._session()
        if session is None or session.closed:
            raise exception.ConnectionClosedError("The session is closed.")
        return session
