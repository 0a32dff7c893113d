"""The loaded rows of a result as a table for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftrack_like import exception
from ftrack_like._values.html import MOST_ROWS, rows_table, unread_note
from ftrack_like._values.labels import is_entity, known_values
from ftrack_like.query._route import read_route
from ftrack_like.query._text import projections_of
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like._values.catalogue import Catalogue

__all__ = ["UNREAD", "result_table", "wrong_columns"]

#: The advice for a result of which nothing is read.
UNREAD = (
    "No row is read yet, and a display sends no request. Read the rows with list(result) and show "
    "the result again, or use result.to_pandas() or result.to_dicts()."
)

#: The most columns.
MOST_COLUMNS = 12


def result_table(
    title: str, expression: str, rows: Sequence[Any], *, is_complete: bool, mistake: str = ""
) -> str:
    """Return HTML with *title* and the first of *rows*, the loaded rows of *expression*.

    The columns are the attributes that the query selects. Nothing is loaded. Without rows, the
    HTML says how to read them, or *mistake*, the error that reading will raise.
    """
    if not rows and not is_complete:
        return unread_note(title, mistake or UNREAD)
    shown = rows[:MOST_ROWS]
    cells: list[tuple[list[Any], Mapping[str, Any]]]
    if shown and not is_entity(shown[0]):
        columns = list(dict.fromkeys(name for row in shown for name in row))[:MOST_COLUMNS]
        cells = [([row.get(name) for name in columns], row) for row in shown]
    else:
        names = projections_of(expression)[0]
        columns = [name for name in names if name != "thumbnail_url"][:MOST_COLUMNS]
        cells = [([_loaded(row, name) for name in columns], known_values(row)) for row in shown]
    return rows_table(title, columns, cells, len(rows) - len(shown))


def wrong_columns(catalogue: Catalogue, type_name: str, expression: str) -> str:
    """Return the error for the first column of *expression* that *type_name* does not have.

    Return an empty text if there is none, or if only the server can tell.
    """
    if not catalogue.has_schema(type_name):
        return ""
    for name in projections_of(expression)[0]:
        try:
            catalogue.follow(type_name, read_route(name).steps)
        except exception.UnknownAttributeError as error:
            return str(error)
        except exception.Error:
            continue  # The server accepts more than the catalogue, such as an aggregate.
    return ""


def _loaded(entity: Value, path: str) -> object:
    """Return the loaded value at *path* from *entity*, "" if it is not loaded."""
    values = [entity]
    is_list = False
    for part in path.split("."):
        name = part.partition("[")[0].strip()
        values = [_known(each, name) for each in values]
        is_list = is_list or any(_is_members(each) for each in values)
        values = [one for each in values for one in _members(each)]
    found = [each for each in values if each is not NOT_SET]
    if is_list and found and not is_entity(found[0]):
        return ", ".join([str(each) for each in found[:10]])
    if is_list:
        return found
    return found[0] if found and found[0] is not None else ""


def _known(value: Value, name: str) -> Value:
    """Return the loaded value of the attribute *name* of *value*, or NOT_SET."""
    if not is_entity(value):
        return value.get(name, NOT_SET) if isinstance(value, Mapping) else NOT_SET
    attribute = value.attributes.get(name)
    if attribute is None:
        return NOT_SET
    try:
        local = attribute.get_local_value(value)
        return attribute.get_remote_value(value) if local is NOT_SET else local
    except exception.Error:  # The server sent a date that cannot be read.
        return NOT_SET


def _is_members(value: Value) -> bool:
    return hasattr(getattr(value, "collection", value), "members")


def _members(value: Value) -> Iterable[Value]:
    """Return the members of *value*, a collection; a list of *value* if it is not one."""
    members: Any = getattr(value, "collection", value)
    return list(members.members) if _is_members(value) else [value]
