"""Log slow statements with their plans, without the values of their parameters."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["log_slow_statements"]

_LOGGER = logging.getLogger(__name__)

#: The key in ``connection.info`` of the time at which the running statement began.
_BEGAN = "ftrack_like_began"

#: A text in a plan of PostgreSQL, which contains the values of parameters.
_TEXT = re.compile(r"'(?:[^']|'')*'")

#: The statements that have plans.
_PLANNED = ("SELECT", "WITH", "UPDATE", "DELETE")


def log_slow_statements(engine: Engine, seconds: float) -> None:
    """Log a warning for each statement of *engine* that takes longer than *seconds*.

    The warning contains the statement and its plan. Values are left out, because a value may be a
    secret. The plan is that for the same values, without running the statement again.
    """

    def begin(connection: Connection, *more: Any) -> None:
        connection.info[_BEGAN] = time.monotonic()

    def end(
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: Any,
    ) -> None:
        took = time.monotonic() - float(connection.info[_BEGAN])
        if took >= seconds and not statement.startswith("EXPLAIN"):
            plan = "" if isinstance(parameters, list) else _plan(connection, statement, parameters)
            _LOGGER.warning("A statement took %.2f seconds: %s%s", took, statement, plan)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)


def _plan(connection: Connection, statement: str, parameters: Any) -> str:
    """Return the plan of *statement* as indented lines, an empty text if it has none."""
    if not statement.lstrip().startswith(_PLANNED):
        return ""
    is_sqlite = connection.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
    driver: Any = connection.connection.dbapi_connection
    try:
        rows = driver.execute(f"{explain} {statement}", parameters).fetchall()
    except (SQLAlchemyError, connection.dialect.loaded_dbapi.Error):
        return ""
    lines = [row[3] if is_sqlite else _TEXT.sub("'…'", row[0]) for row in rows]
    return "".join(f"\n    {line}" for line in lines)
