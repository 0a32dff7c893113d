"""Ids that one column may point at in several tables: they belong to one entity alone.

Metadata, notes and custom attributes name their entity by its id, whatever table it is in. Who
makes an entity with the id of another would share what belongs to that, and take it along by
deleting their own.
"""

from __future__ import annotations

import functools
from typing import Any

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.store import chunks, key_of, one_of_keys
from ftrack_like.sandbox.errors import DuplicateEntryError
from ftrack_like.sandbox.storage.permissions.places import ANY_PARENT
from ftrack_like.sandbox.storage.tables import TABLES

__all__ = ["SHARING", "check"]

#: The tables whose ids such columns hold.
SHARING = (*ANY_PARENT, "resource")


def check(batch: Batch) -> None:
    """Raise :exc:`DuplicateEntryError` if *batch* makes an entity with the id of another.

    It is for users with roles: the keys of all others are unlimited, and so is what they delete.
    """
    made = {row["id"]: (type_, row) for type_, row in batch.made if type_.table in SHARING}
    for ids in chunks(list(made)):
        tables: dict[str, str] = {}
        for id_, table in batch.store.execute(_holders(), {"ids": ids}):
            if tables.setdefault(id_, table) != table:
                type_, row = made[id_]
                error = DuplicateEntryError(
                    f"DuplicateEntry: the id {id_!r} of the {type_.name} belongs to another "
                    "entity. Leave the id to the server, or make up a random one."
                )
                raise batch.blame(error, batch.origins.get((type_.table, key_of(type_.table, row))))


@functools.cache
def _holders() -> Any:
    """Return the statement for each id of a list with the tables that have it."""
    return sqlalchemy.union_all(
        *(
            sqlalchemy.select(TABLES[name].c.id, sqlalchemy.literal_column(f"'{name}'")).where(
                one_of_keys(TABLES[name].c.id, "ids")
            )
            for name in SHARING
        )
    )
