"""Which rows a user sees, as SQL.

The conditions ask for the parameters of
:class:`~ftrack_like.sandbox.storage.permissions.rights.Rights`, so that all users with limited
rights share one text of a statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Table, and_, bindparam, exists, false, not_, or_
from sqlalchemy.types import Text

from ftrack_like.sandbox.storage.permissions.places import ANY_PARENT, CLOSED, PLACES, Place, Use
from ftrack_like.sandbox.storage.sql import Expression, all_of, any_of, keys_parameter

__all__ = ["configuration_readable", "is_narrowed", "visible"]

#: How deep containers within containers are followed; what is deeper nobody sees.
_DEPTH = 3

Tables = Mapping[str, Table]
Columns = Mapping[str, Expression]


def is_narrowed(table: str) -> bool:
    """Return whether some users do not see all rows of *table*."""
    return table in PLACES or table in CLOSED


def visible(tables: Tables, table: str, columns: Columns, depth: int = _DEPTH) -> Expression:
    """Return whether the user sees the row of *table* that has *columns*."""
    if table in CLOSED:
        return false()
    place = PLACES[table]
    conditions = [*_belongs(tables, place, columns, depth)]
    if table == "custom_attribute_configuration":
        conditions.append(configuration_readable(tables, columns["id"]))
    if table == "custom_attribute_value":
        conditions.append(configuration_readable(tables, columns["configuration_id"]))
    if place.private:
        conditions.append(_private(tables, place, columns))
    if place.uses:
        conditions.append(_used(tables, place, columns, depth))
    return all_of(conditions)


def configuration_readable(tables: Tables, configuration_id: Expression) -> Expression:
    """Return whether a role of the user may read values of the configuration."""
    link = tables["custom_attribute_read_role"].alias()
    return exists().where(
        link.c.configuration_id == configuration_id,
        keys_parameter(link.c.role_id, "rights_roles"),
    )


def _user() -> Any:
    return bindparam("rights_user", type_=Text())


def _belongs(tables: Tables, place: Place, columns: Columns, depth: int) -> Iterator[Expression]:
    if place.project:
        column = columns[place.project]
        # Some clients leave the project of what has none empty.
        yield or_(column.is_(None), column == "", keys_parameter(column, "rights_projects"))
    for name, table in place.through:
        yield or_(columns[name].is_(None), _is_seen(tables, table, columns[name], depth))
    if place.anything:
        yield from _not_hidden(tables, columns[place.anything], depth)


def _is_seen(tables: Tables, table: str, key: Expression, depth: int) -> Expression:
    """Return whether the row of *table* with *key* is there and seen."""
    if table == "component" and depth == 0:
        return false()
    other = tables[table].alias()
    depth -= table == "component"
    return exists().where(other.c.id == key, visible(tables, table, dict(other.c.items()), depth))


def _not_hidden(tables: Tables, key: Expression, depth: int) -> Iterator[Expression]:
    """Yield that *key* is of no row that the user does not see; it may be of any table."""
    for table in ANY_PARENT:
        if table == "list_object" and depth < _DEPTH:
            continue  # the parents of its parents end here
        other = tables[table].alias()
        within = visible(tables, table, dict(other.c.items()), depth - 1)
        yield not_(exists().where(other.c.id == key, not_(within)))


def _private(tables: Tables, place: Place, columns: Columns) -> Expression:
    found: list[Expression] = [columns[name] == _user() for name in place.private]
    if place.shared:
        found.append(columns[place.shared])
    if place.members:
        member = tables[place.members.table].alias()
        named = and_(
            member.c[place.members.own] == columns["id"],
            member.c[place.members.resource] == _user(),
        )
        found.append(exists().where(named))
    return any_of(found)


def _used(tables: Tables, place: Place, columns: Columns, depth: int) -> Expression:
    """Return that what uses the row is seen: one use of it, or there is none."""
    hidden = [_use(tables, use, columns["id"], depth, seen=False) for use in place.uses]
    seen = [_use(tables, use, columns["id"], depth, seen=True) for use in place.uses]
    parts = [columns[name].is_not(None) for name, _ in place.through]
    return or_(*parts, not_(any_of(hidden)), any_of(seen))


def _use(tables: Tables, use: Use, key: Expression, depth: int, *, seen: bool) -> Expression:
    user = tables[use.table].alias()
    if use.through is None:
        condition = visible(tables, use.table, dict(user.c.items()), depth)
    else:
        name, table = use.through
        condition = _is_seen(tables, table, user.c[name], depth)
    return exists().where(user.c[use.column] == key, condition if seen else not_(condition))
