"""Ids that one column may point at in several tables: they belong to one entity alone.

Metadata, notes and custom attributes name their entity by its id, whatever table it is in. Who
makes an entity with the id of another would share what belongs to that, and take it along by
deleting their own.
"""

from __future__ import annotations

import functools
from typing import Any

import sqlalchemy

from ftrack_like.sandbox.access.places import ANY_PARENT
from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.store import Row, chunks, key_of, one_of_keys
from ftrack_like.sandbox.errors import DuplicateEntryError, SandboxError
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["SHARING", "check"]

#: The tables whose ids such columns hold.
SHARING = (*ANY_PARENT, "resource")


def check(batch: Batch) -> None:
    """Raise :exc:`DuplicateEntryError` if *batch* makes an entity with the id of another.

    It is for users with roles; all others may delete everything anyway.
    """
    made = {row["id"]: (type_, row) for type_, row in batch.made if type_.table in SHARING}
    for type_, row in batch.made:
        if type_.table in SHARING and made[row["id"]][0].table != type_.table:
            raise _taken(batch, type_, row)
    # What the batch deleted again took along what is the other's, too.
    for ids in chunks(list(made)):
        for id_, table in batch.store.execute(_holders(), {"ids": ids}):
            type_, row = made[id_]
            if table != type_.table:
                raise _taken(batch, type_, row)


def _taken(batch: Batch, type_: EntityType, row: Row) -> SandboxError:
    error = DuplicateEntryError(
        f"DuplicateEntry: the id {row['id']!r} of the {type_.name} belongs to another entity. "
        "Make up a random id for each entity."
    )
    return batch.blame(error, batch.origins.get((type_.table, key_of(type_.table, row))))


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
