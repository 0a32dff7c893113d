"""The tables of a site without rows, made once in a process and then copied."""

from __future__ import annotations

import functools
import sqlite3

import sqlalchemy
from sqlalchemy.pool import StaticPool

from ftrack_like.sandbox.tables.layout import create_tables
from ftrack_like.sandbox.tables.statistics import write_statistics

__all__ = ["empty_site"]


@functools.lru_cache(maxsize=1)
def empty_site() -> sqlite3.Connection:
    """Return an SQLite database in memory with all tables and statistics; callers only copy it.

    The first call takes about ten times as long as a copy.
    """
    made = sqlite3.connect(":memory:", check_same_thread=False)
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: made, poolclass=StaticPool)
    with engine.begin() as connection:
        create_tables(connection)
        write_statistics(connection)
    return made
