"""Read the model of a site from its database: object types are rows, and entity types too."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, case, select

from ftrack_like.sandbox.schema import model_with
from ftrack_like.sandbox.schema.contexts import DEFAULT_PRIORITY_ID
from ftrack_like.sandbox.schema.model import Model
from ftrack_like.sandbox.schema.object_types import FLAGS, ObjectType
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["model_of"]


def model_of(connection: Connection) -> Model:
    """Return the model with an entity type for each object type that *connection* sees.

    Two calls return the same object if the object types are the same.
    """
    return _model_from(tuple(map(tuple, connection.execute(_STATEMENT))))


@lru_cache(maxsize=64)
def _model_from(rows: tuple[tuple[Any, ...], ...]) -> Model:
    return model_with(tuple(map(_object_type, rows)), rows[0][-1] if rows else None)


def _object_type(row: tuple[Any, ...]) -> ObjectType:
    id_, name, *flags = row[:-1]
    return ObjectType(id_, name or "", frozenset(one for one, on in zip(FLAGS, flags) if on))


def _statement() -> Any:
    """Return the statement for id, name and flags of each object type, and the default priority.

    The default priority is that of a stock site. A site without it uses its least urgent priority.
    """
    types, priorities = TABLES["object_type"].c, TABLES["priority"].c
    stock_first = case((priorities.id == DEFAULT_PRIORITY_ID, 0), else_=1)
    default = select(priorities.id).order_by(
        stock_first, priorities.sort.desc(), priorities.name, priorities.id
    )
    flags = [types[f"is_{name}"] for name in FLAGS]
    columns = (types.id, types.name, *flags, default.limit(1).scalar_subquery())
    return select(*columns).order_by(types.sort, types.name, types.id)


_STATEMENT = _statement()
