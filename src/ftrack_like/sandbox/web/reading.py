"""What pages read: queries whose answers are whole, with moments as moments.

An answer of the API sends an entity once and refers to it afterwards; here every mention of an
entity is the same mapping, so that a template finds the name of a status wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Optional

from ftrack_like.sandbox.schema import MODEL

__all__ = ["Reader", "Record", "connect", "quoted"]

#: An entity as a query answered it: values by attribute.
Record = dict[str, Any]

#: Runs operations of the protocol and returns their results.
Execute = Callable[[Sequence[Mapping[str, Any]]], list[Any]]


class Reader:
    """Asks by *execute*, on behalf of whoever that stands for."""

    def __init__(self, execute: Execute) -> None:
        """Prepare to ask."""
        self._execute = execute

    def query(self, expression: str) -> list[Record]:
        """Return all records of *expression*."""
        return self.page(expression)[0]

    def one(self, expression: str) -> Optional[Record]:
        """Return the first record of *expression*, None without one."""
        found = self.query(f"{expression} limit 1")
        return found[0] if found else None

    def page(self, expression: str) -> tuple[list[Record], Optional[int]]:
        """Return the records of *expression*, and the offset of what follows them, if any."""
        result = self._execute([{"action": "query", "expression": expression}])[0]
        following: Optional[int] = result["metadata"]["next"]["offset"]
        return connect(result["data"]), following


def connect(records: list[Record]) -> list[Record]:
    """Return *records* with every mention of an entity being one and the same mapping."""
    known: dict[tuple[Any, ...], Record] = {}
    return [_connected(record, known) for record in records]


def quoted(text: str) -> str:
    """Return *text* as a value in an expression."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _connected(value: Any, known: dict[tuple[Any, ...], Record]) -> Any:
    if isinstance(value, list):
        return [_connected(one, known) for one in value]
    if not isinstance(value, dict):
        return value
    if "__type__" in value:
        return _moment(value)
    entity = known.setdefault(_identity(value), {}) if "__entity_type__" in value else {}
    for name, one in value.items():
        entity[name] = _connected(one, known)
    return entity


def _identity(record: Record) -> tuple[Any, ...]:
    type_ = MODEL.types[record["__entity_type__"]]
    return (type_.name, *(record.get(name) for name in type_.primary_key))


def _moment(value: Mapping[str, Any]) -> Any:
    if value["__type__"] == "date":
        return date.fromisoformat(value["value"])
    return datetime.fromisoformat(value["value"])
