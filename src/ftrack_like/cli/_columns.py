"""Columns by dotted path: the projections to load, and the values of an entity."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, cast

from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._units import KEYED, in_cell

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Value
    from ftrack_like.entity.base import Entity

__all__ = ["Column", "column_of", "columns_of", "plain_value", "projections_for"]

_CAST = re.compile(r"\[[^\]]*\]")


class Column(NamedTuple):
    """A column of a result.

    *name* is its name in the output, *projection* the attribute to load, and *path* the names of
    the attributes and keys from the entity to the value. *naming* is the attribute by which people
    name the entities in the column; it is empty if the name is not to be loaded.
    """

    name: str
    projection: str
    path: tuple[str, ...]
    naming: str = ""

    def value(self, row: Mapping[str, Value]) -> Json:
        """Return the value of *row*, an entity or a row of counts, as a JSON value."""
        return plain_value(self._found_in(row))

    def shown(self, row: Mapping[str, Value]) -> Json:
        """Return the value of *row* as a table shows it to people.

        A reference is its name, a date is in UTC and has minutes, and durations and sizes have
        units.
        """
        name = "" if KEYED.intersection(self.path) else self.path[-1]
        return _value_in_cell(self._found_in(row), name, self.naming)

    def _found_in(self, row: Mapping[str, Value]) -> Value:
        """Return the value of *row*."""
        if self.name in row and getattr(row, "entity_type", None) is None:
            return row[self.name]
        return _follow_path(row, self.path)


def columns_of(text: str) -> list[Column]:
    """Return the columns in *text*, paths with commas between them.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake` for an empty path.
    """
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageMistake(
            f"--columns {text!r} has an empty path. Write paths with commas, such as "
            "name,status.name,parent.name."
        )
    return [column_of(name) for name in dict.fromkeys(names)]


def column_of(name: str) -> Column:
    """Return the column for the dotted path *name*, such as ``parent[Shot].name``."""
    words = name.split(".")
    plain = [_CAST.sub("", word) for word in words]
    for index, word in enumerate(plain):
        if word in KEYED:
            attribute = "custom_attributes" if word == "custom" else word
            key = ".".join(words[index + 1 :])
            path = [*plain[:index], attribute, *([key] if key else [])]
            return Column(name, ".".join([*words[:index], attribute]), tuple(path))
    return Column(name, name, tuple(plain))


def projections_for(columns: Sequence[Column]) -> str:
    """Return the projections of a query that loads *columns*."""
    names = [f"{each.projection}.{each.naming}" for each in columns if each.naming]
    return ", ".join(dict.fromkeys([*(each.projection for each in columns), *names]))


def _value_in_cell(value: Value, name: str, naming: str) -> Json:
    """Return the *value* of the attribute *name* as a table shows it.

    *naming* is the attribute that stands for an entity.
    """
    if _is_list(value) and naming:
        return [_value_in_cell(each, name, naming) for each in value]
    if naming and getattr(value, "entity_type", None) is not None:
        return plain_value(_item(cast("Entity", value), naming) or value)
    return plain_value(in_cell(name, value))


def _follow_path(value: Value, path: Sequence[str]) -> Value:
    """Return the value at *path* below *value*; a list of values through a list of entities."""
    for index, name in enumerate(path):
        if isinstance(value, Mapping):
            value = _item(value, name)
        elif _is_list(value):
            return [_follow_path(each, path[index:]) for each in value]
        else:
            return None
    return value


def _item(owner: Mapping[str, Value], name: str) -> Value:
    """Return the item *name* of *owner*, None if it has no value."""
    from ftrack_like.symbol import NOT_SET  # lazy: "--help" answers at once

    try:
        value = owner[name]
    except KeyError:
        return None
    return None if value is NOT_SET else value


def _is_list(value: Value) -> bool:
    """Return whether *value* is a list or a collection of entities."""
    if isinstance(value, (str, bytes)):
        return False
    return isinstance(value, Sequence) or hasattr(value, "append")


def plain_value(value: Value) -> Json:
    """Return *value* as a JSON value: dates in ISO format, and a reference as its id."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if getattr(value, "entity_type", None) is not None:
        return _reference_text(cast("Entity", value))
    if isinstance(value, Mapping):
        return {str(name): plain_value(each) for name, each in value.items()}
    if _is_list(value):
        return [plain_value(each) for each in value]
    moment: Optional[Any] = getattr(value, "isoformat", None)
    return moment() if moment is not None else str(value)


def _reference_text(entity: Entity) -> Json:
    """Return the primary key of *entity*: its id, or a mapping if it has several parts."""
    key = entity.operation_key()
    return next(iter(key.values())) if len(key) == 1 else dict(key)
