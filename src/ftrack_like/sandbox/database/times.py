"""The time that all processes with one database agree on."""

from __future__ import annotations

import time

from sqlalchemy import Connection

__all__ = ["database_time"]


def database_time(connection: Connection) -> float:
    """Return the seconds (Unix time) of PostgreSQL's clock, because the clocks of machines differ.

    One machine uses an SQLite file, so this is its own clock there.
    """
    if connection.dialect.name == "sqlite":
        return time.time()
    clock = "SELECT extract(epoch FROM clock_timestamp())"
    return float(connection.exec_driver_sql(clock).scalar_one())
