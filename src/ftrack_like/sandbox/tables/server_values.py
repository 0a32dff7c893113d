"""Values that all servers and workers of a site share, in the table ``server_value``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.tables.layout import TABLES

__all__ = [
    "KEPT_VALUES",
    "MEDIA_FOLDER",
    "SIGNING_SECRET",
    "agreed_value",
    "kept_values",
    "server_value",
    "set_value",
]

#: The secret that signs addresses, as hexadecimal text.
SIGNING_SECRET = "signing secret"

#: The mark of the folder with the files of the site, as JSON.
MEDIA_FOLDER = "media folder"

#: The values that stay when all data are replaced, because running processes use them.
KEPT_VALUES = (SIGNING_SECRET, MEDIA_FOLDER)


def server_value(connection: Connection, name: str) -> Optional[str]:
    """Return the value called *name*, None if there is none."""
    columns = TABLES["server_value"].c
    found = connection.execute(sqlalchemy.select(columns.value).where(columns.name == name))
    value: Optional[str] = found.scalar()
    return value


def agreed_value(connection: Connection, name: str, value: str) -> str:
    """Store *value* as *name* unless there is a value; return the stored one.

    If several processes call this at the same time, all get the value of the first one.
    """
    connection.execute(
        sqlalchemy.text(
            "INSERT INTO server_value (name, value) VALUES (:name, :value)"
            " ON CONFLICT (name) DO NOTHING"
        ),
        {"name": name, "value": value},
    )
    return server_value(connection, name) or value


def set_value(connection: Connection, name: str, value: str) -> None:
    """Replace the stored value called *name*."""
    table = TABLES["server_value"]
    connection.execute(sqlalchemy.update(table).where(table.c.name == name).values(value=value))


def kept_values(connection: Connection) -> Mapping[str, str]:
    """Return the stored values of :data:`KEPT_VALUES` by name."""
    found = {name: server_value(connection, name) for name in KEPT_VALUES}
    return {name: value for name, value in found.items() if value is not None}
