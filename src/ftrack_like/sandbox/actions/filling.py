"""Values that the server sets on new entities: times, the author, zeros."""

from __future__ import annotations

import functools
from typing import Any

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.schema.model import EntityType, Scalar

__all__ = ["fill"]

#: Columns with the time of creation, required or not.
_MADE_AT = {"created_at", "date", "thread_activity"}

#: Columns with the creator, in any table. In the tables of ``_OWN_USER``, ``user_id`` is one too.
_MADE_BY = {"created_by", "created_by_id"}
_OWN_USER = {"asset_version", "job", "list", "note", "temp_data", "timelog", "timer", "user_view"}

#: Required attributes that the module of their type fills. A review session without an end stays
#: open.
_LEFT_EMPTY = {
    ("ReviewSession", "end_date"),
    ("ReviewSessionObject", "sort_order"),
    ("TempData", "expiry"),
    ("User", "is_active"),
}

_ZEROS: dict[Any, Any] = {"number": 0.0, "integer": 0, "boolean": False}

#: Required columns with another default than ``_ZEROS``.
_OTHER_ZEROS = {"is_active": True, "local": True, "is_billable": True}


def fill(batch: Batch, type_: EntityType, row: Row) -> None:
    """Complete *row*, a new *type_*.

    A value that only the server may set replaces the value that the client sent.
    """
    for column, kind, required, only_server in _fillings(type_):
        given = row.get(column) is not None if required else column in row
        if only_server or not given:
            row[column] = _value(batch, column, kind)


def _value(batch: Batch, column: str, kind: str) -> Any:
    if kind == "now":
        return batch.now
    if kind == "user":
        return batch.user_id
    return _OTHER_ZEROS.get(column, _ZEROS[kind])


@functools.lru_cache(maxsize=4096)
def _fillings(type_: EntityType) -> tuple[tuple[str, str, bool, bool], ...]:
    """Return tuples of column, kind of value, whether required, whether only the server sets it."""
    found = []
    for one in type_.properties.values():
        if not isinstance(one, Scalar) or one.column is None:
            continue
        kind = _kind(type_, one)
        if kind is not None:
            required = one.name in type_.required
            only_server = one.name in type_.immutable and kind in {"now", "user"}
            found.append((one.column, kind, required, only_server))
    return tuple(found)


def _kind(type_: EntityType, one: Scalar) -> Any:
    required = one.name in type_.required
    if (type_.name, one.name) in _LEFT_EMPTY:
        return None
    if one.format == "date-time":
        return "now" if required or one.name in _MADE_AT else None
    if one.column in _MADE_BY or (one.column == "user_id" and type_.table in _OWN_USER):
        return "user"
    return one.type if required and one.type in _ZEROS else None
