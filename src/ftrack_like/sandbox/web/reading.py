"""Run queries for the pages, and make complete records of the answers.

The API sends the values of an entity once in an answer, and later only its key. Here each
occurrence of an entity is the same dictionary, so that a template finds all values at each
place. Encoded dates become :class:`datetime.datetime` and :class:`datetime.date` objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Optional

from ftrack_like.sandbox.schema import stock_type

__all__ = ["PageReader", "Record", "connect", "quoted"]

#: An entity from an answer: values by attribute name.
Record = dict[str, Any]

#: Runs API operations and returns their results.
Execute = Callable[[Sequence[Mapping[str, Any]]], list[Any]]


class PageReader:
    """Runs queries with *execute*, and so with the permissions of its user."""

    def __init__(self, execute: Execute) -> None:
        """Initialise with *execute*."""
        self._execute = execute

    def query(self, expression: str) -> list[Record]:
        """Return the records that match *expression*."""
        return connect(self._execute([{"action": "query", "expression": expression}])[0]["data"])

    def one(self, expression: str) -> Optional[Record]:
        """Return the first record that matches *expression*, or None."""
        found = self.query(f"{expression} limit 1")
        return found[0] if found else None


def connect(records: list[Record]) -> list[Record]:
    """Return *records* in which all occurrences of an entity are the same dictionary."""
    known: dict[tuple[Any, ...], Record] = {}
    return [_connected(record, known) for record in records]


def quoted(text: str) -> str:
    """Return *text* quoted and escaped, as a value for an expression."""
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
    name = record["__entity_type__"]
    return (name, *(record.get(part) for part in stock_type(name).primary_key))


def _moment(value: Mapping[str, Any]) -> Any:
    if value["__type__"] == "date":
        return date.fromisoformat(value["value"])
    return datetime.fromisoformat(value["value"])
