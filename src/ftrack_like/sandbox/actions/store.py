"""The rows of a running batch: read once, changed in place, inserted many at a time.

All code that works on a batch shares one dictionary (value by column) for each row. New rows wait
in a buffer. The store inserts them before any statement that could miss them, that is, before all
statements except a lookup by key. The order of inserts does not matter, because the database checks
foreign keys at the end of the transaction.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import sqlalchemy
from sqlalchemy import Table
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.database.sql import Expression, folded, keys_parameter, rarely
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Key", "Row", "Store", "chunks", "key_of", "one_of_keys"]

#: Values by column.
Row = dict[str, Any]

#: The values of the primary key, in the order of the table's columns.
Key = tuple[Any, ...]

#: The number of keys in one ``IN (…)``.
_CHUNK = 500


class Store:
    """The rows of one transaction on *connection*; belongs to one thread."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rows: dict[str, dict[Key, Optional[Row]]] = {}
        self._new: dict[str, dict[Key, Row]] = {}

    def get(self, table: str, key: Key) -> Optional[Row]:
        """Return the row of *table* with *key*, None if there is none."""
        known = self._rows.setdefault(table, {})
        if key not in known:
            found = self.connection.execute(_by_key(table), _key_parameters(key)).mappings().first()
            known[key] = dict(found) if found is not None else None
        return known[key]

    def known(self, table: str, key: Key) -> Optional[Row]:
        """Return the row of *table* with *key* if it was read already, else None."""
        return self._rows.get(table, {}).get(key)

    def prefetch(self, table: str, keys: Iterable[Key]) -> None:
        """Read the rows of *table* with *keys*, with as few statements as possible.

        This works for tables with a single key column. :meth:`get` reads the rows of other tables.
        """
        known = self._rows.setdefault(table, {})
        missing = [key[0] for key in dict.fromkeys(keys) if len(key) == 1 and key not in known]
        if not missing or not _has_plain_key(table):
            return
        known.update(((value,), None) for value in missing)
        column = key_columns(table)[0]
        parameters = {"values": missing}
        for row in self.connection.execute(_pointing(table, column), parameters).mappings():
            known[(row[column],)] = dict(row)

    def find(
        self, table: str, unless: Optional[Mapping[str, Any]] = None, /, **where: Any
    ) -> list[Row]:
        """Return the rows of *table* whose columns have the values of *where*.

        A list or a query matches any of its values. Rows with one of the values in *unless* are
        left out.
        """
        self.flush()
        statement = sqlalchemy.select(TABLES[table]).where(*_conditions(table, where))
        for column, value in (unless or {}).items():
            statement = statement.where(TABLES[table].c[column] != value)
        return self.adopt(table, self.connection.execute(statement).mappings())

    def find_pointing(self, table: str, column: str, values: Sequence[Any]) -> list[Row]:
        """Return the rows of *table* whose indexed *column* has one of *values*."""
        found = self.execute(_pointing(table, column), {"values": values})
        return self.adopt(table, found.mappings())

    def find_named(self, table: str, column: str, names: Sequence[str], **where: Any) -> list[Row]:
        """Return the rows of *table* that match *where*, with one of *names* in *column*.

        The case of the names is ignored.
        """
        named = TABLES[table].c[column]
        if self.connection.dialect.name == "sqlite":
            condition = named.in_(names)  # SQLite ignores the case of these columns
        else:
            condition = folded(named).in_([name.lower() for name in names])
        statement = sqlalchemy.select(TABLES[table]).where(condition, *_conditions(table, where))
        return self.adopt(table, self.execute(statement).mappings())

    def adopt(self, table: str, found: Iterable[Any]) -> list[Row]:
        """Return *found* rows of *table* as the shared dictionaries of this store."""
        known = self._rows.setdefault(table, {})
        rows = []
        for values in found:
            key = key_of(table, values)
            row = known.get(key)
            if row is None:
                row = known[key] = dict(values)
            rows.append(row)
        return rows

    def values(self, table: str, column: str, **where: Any) -> list[Any]:
        """Return the values of *column* in the rows of *table* that match *where*."""
        self.flush()
        statement = sqlalchemy.select(TABLES[table].c[column]).where(*_conditions(table, where))
        return list(self.connection.execute(statement).scalars())

    def execute(self, statement: sqlalchemy.Executable, parameters: Any = None) -> Any:
        """Return the result of *statement*, which sees all rows of the batch so far.

        After a statement that changes rows, call :meth:`forget` for their table.
        """
        self.flush()
        return self.connection.execute(statement, parameters)

    def insert(self, table: str, values: Mapping[str, Any]) -> Row:
        """Return a new row of *table* with *values*; missing columns are null."""
        row = dict.fromkeys(column_names(table))
        row.update(values)
        key = key_of(table, row)
        self._new.setdefault(table, {})[key] = row
        self._rows.setdefault(table, {})[key] = row
        return row

    def insert_all(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert complete *rows* into *table* at once, without a place in the buffer."""
        self.connection.execute(_insert(table), rows)

    def update(self, table: str, row: Row, changes: Mapping[str, Any]) -> None:
        """Set *changes* (value by column, without key columns) on *row* of *table*."""
        row.update(changes)
        key = key_of(table, row)
        if key in self._new.get(table, ()):
            return
        self.connection.execute(
            _update_by_key(table, tuple(sorted(changes))),
            {**_key_parameters(key), **{f"value_{name}": value for name, value in changes.items()}},
        )

    def delete(self, table: str, *rows: Row) -> None:
        """Delete *rows* of *table*."""
        stored = []
        for row in rows:
            key = key_of(table, row)
            self._rows.setdefault(table, {})[key] = None
            if self._new.get(table, {}).pop(key, None) is None:
                stored.append(key)
        if len(stored) > 1 and _has_plain_key(table):
            # One statement: others may take Python's lock after each of many.
            column = key_columns(table)[0]
            values = {"values": [value for (value,) in stored]}
            self.connection.execute(_delete_pointing(table, column), values)
        elif stored:
            self.connection.execute(_delete_by_key(table), list(map(_key_parameters, stored)))

    def delete_where(self, table: str, **where: Any) -> None:
        """Delete the rows of *table* that match *where*, without reading them."""
        self.execute(sqlalchemy.delete(TABLES[table]).where(*_conditions(table, where)))
        self.forget(table)

    def delete_pointing(self, table: str, column: str, values: Sequence[Any]) -> None:
        """Delete the rows of *table* whose *column* has one of *values*, found by its index."""
        self.execute(_delete_pointing(table, column), {"values": values})
        self.forget(table)

    def update_where(self, table: str, changes: Mapping[str, Any], **where: Any) -> None:
        """Set *changes* on the rows of *table* that match *where*, without reading them."""
        conditions = _conditions(table, where)
        self.execute(sqlalchemy.update(TABLES[table]).where(*conditions).values(**changes))
        self.refresh(table)

    def forget(self, table: str) -> None:
        """Drop the known rows of *table*. Dictionaries in use elsewhere are no longer updated."""
        self.flush()
        self._rows.pop(table, None)

    def refresh(self, table: str) -> None:
        """Read the known rows of *table* again, into the dictionaries in use."""
        known = {key: row for key, row in self._rows.pop(table, {}).items() if row is not None}
        self.prefetch(table, known)
        fresh = self._rows.setdefault(table, {})
        for key, row in known.items():
            found = fresh.get(key)
            if found is not None:
                row.update(found)
                fresh[key] = row

    def flush(self) -> None:
        """Insert the new rows from the buffer."""
        waiting, self._new = self._new, {}
        for table, rows in waiting.items():
            if rows:
                self.connection.execute(_insert(table), list(rows.values()))


def key_columns(table: str) -> tuple[str, ...]:
    """Return the names of the columns of *table*'s primary key."""
    return _KEY_COLUMNS[table]


def key_of(table: str, row: Mapping[str, Any]) -> Key:
    """Return the key of *row* of *table*."""
    return tuple([row[name] for name in _KEY_COLUMNS[table]])


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Yield *values* in parts that fit into one statement."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


@functools.cache
def _has_plain_key(table: str) -> bool:
    """Return whether the key of *table* is one text."""
    columns = list(TABLES[table].primary_key.columns)
    return len(columns) == 1 and not _is_numeric(columns[0])


@functools.cache
def column_names(table: str) -> tuple[str, ...]:
    """Return the names of the columns of *table*."""
    return tuple(column.name for column in TABLES[table].columns)


#: The types of values that match any of their items.
_MANY = (list, tuple, set, sqlalchemy.Select)

_KEY_COLUMNS = {
    name: tuple(column.name for column in table.primary_key.columns)
    for name, table in TABLES.items()
}


def _conditions(table: str, where: Mapping[str, Any]) -> list[Any]:
    columns = TABLES[table].c
    return [
        columns[name].in_(value) if isinstance(value, _MANY) else columns[name] == value
        for name, value in where.items()
    ]


def _key_parameters(key: Key) -> dict[str, Any]:
    return {f"key_{index}": value for index, value in enumerate(key)}


def _key_conditions(table: Table) -> list[Any]:
    return [
        column == sqlalchemy.bindparam(f"key_{index}", type_=column.type)
        for index, column in enumerate(table.primary_key.columns)
    ]


@functools.cache
def _by_key(table: str) -> Any:
    return sqlalchemy.select(TABLES[table]).where(*_key_conditions(TABLES[table]))


@functools.cache
def _pointing(table: str, column: str) -> Any:
    return sqlalchemy.select(TABLES[table]).where(one_of_keys(TABLES[table].c[column], "values"))


@functools.cache
def _delete_pointing(table: str, column: str) -> Any:
    return sqlalchemy.delete(TABLES[table]).where(one_of_keys(TABLES[table].c[column], "values"))


def one_of_keys(column: sqlalchemy.Column[Any], name: str) -> Expression:
    """Return the condition that *column* is in the list parameter *name*, found by its index."""
    return rarely(keys_parameter(column, name, numeric=_is_numeric(column)))


def _is_numeric(column: sqlalchemy.Column[Any]) -> bool:
    return isinstance(column.type, (sqlalchemy.Integer, sqlalchemy.Float))


@functools.cache
def _insert(table: str) -> Any:
    return sqlalchemy.insert(TABLES[table])


@functools.cache
def _delete_by_key(table: str) -> Any:
    return sqlalchemy.delete(TABLES[table]).where(*_key_conditions(TABLES[table]))


@functools.lru_cache(maxsize=1024)
def _update_by_key(table: str, names: tuple[str, ...]) -> Any:
    values: dict[str, Any] = {name: sqlalchemy.bindparam(f"value_{name}") for name in names}
    statement = sqlalchemy.update(TABLES[table]).where(*_key_conditions(TABLES[table]))
    return statement.values(**values)
