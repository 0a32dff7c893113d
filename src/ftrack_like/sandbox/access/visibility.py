"""SQL conditions for the rows that a user can see.

The conditions follow the rules in :data:`~ftrack_like.sandbox.access.places.PLACES`;
:class:`~ftrack_like.sandbox.schema.belonging.RowPlace` explains the rules. Three constraints
explain the form of the conditions:

- The rights of the user are parameters, not a part of the text. All restricted users then share
  one compiled statement for a query. A user who sees all projects has another one without the
  conditions about projects: PostgreSQL takes 5 ms to plan those for components.
- A row can be a part of another row, which is a part of a third. One sub-query joins all of these
  rows. Nested sub-queries would be simpler, but SQLite's parser accepts only a limited depth, and
  the user's own query already nests.
- Most functions here return the condition that there is a reason to hide the row, not that the user
  may see it. A row without a project is visible, because there is no reason to hide it. A query
  excludes rows for which a condition is NULL, and NOT NULL is NULL too. So a comparison with a
  missing project would hide the row, and :func:`_foreign` must never be NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from sqlalchemy import FromClause, Table, and_, bindparam, exists, false, not_, or_, true
from sqlalchemy.types import Boolean, Text

from ftrack_like.sandbox.access.places import ANY_PARENT, CLOSED, PLACES
from ftrack_like.sandbox.database.sql import Expression, all_of, any_of, keys_parameter, rarely
from ftrack_like.sandbox.schema.belonging import RowPlace, Use

__all__ = ["configuration_readable", "deciding_project", "is_narrowed", "visible"]

#: The most nested containers that a condition follows. Restricted users cannot see components that
#: are deeper.
_DEPTH = 3

Tables = Mapping[str, Table]
Columns = Mapping[str, Expression]


@dataclass(frozen=True)
class _Sight:
    """What conditions are made for: the *tables*, and whether the user sees *all_projects*."""

    tables: Tables
    all_projects: bool


def is_narrowed(table: str) -> bool:
    """Return whether *table* has rows that some users cannot see."""
    return table in PLACES or table in CLOSED


def deciding_project(table: str) -> Optional[str]:
    """Return the column with the project that alone decides who sees a row of *table*, or None."""
    place = PLACES.get(table)
    if place is None or table == "custom_attribute_configuration":
        return None
    return place.project if place == RowPlace(project=place.project) else None


def visible(
    tables: Tables, table: str, columns: Columns, *, all_projects: bool = False
) -> Expression:
    """Return the condition that the user can see a row.

    *columns* are the expressions of its columns. *table* must be narrowed (:func:`is_narrowed`).
    With *all_projects*, the condition holds only for users who see all projects
    (:attr:`~ftrack_like.sandbox.access.rights.Rights.sees_all_projects`).
    """
    if table in CLOSED:
        return false()
    place = PLACES[table]
    sight = _Sight(tables, all_projects)
    conditions = [*_belongs(sight, place, columns)]
    if table == "custom_attribute_configuration":
        conditions.append(configuration_readable(tables, columns["id"]))
    if table == "custom_attribute_value":
        conditions.append(configuration_readable(tables, columns["configuration_id"]))
    if place.private:
        conditions.append(_private(tables, place, columns))
    hidden = _hidden_by_use(sight, place, columns["id"]) if place.uses else None
    if hidden is not None:
        # If the row is a part of another row, that row decides. Its uses do not matter.
        parts = [columns[name].is_not(None) for name, _ in place.through]
        conditions.append(or_(*parts, not_(hidden)))
    return all_of(conditions) if conditions else true()


def configuration_readable(tables: Tables, configuration_id: Expression) -> Expression:
    """Return the condition that a role of the user may read values of the configuration."""
    link = tables["custom_attribute_read_role"].alias()
    return exists().where(
        link.c.configuration_id == configuration_id,
        keys_parameter(link.c.role_id, "rights_roles"),
    )


def _belongs(sight: _Sight, place: RowPlace, columns: Columns) -> Iterator[Expression]:
    """Yield the conditions for the rules about other rows in *place*."""
    for reason in _reasons_of_projects(sight, place, columns):
        yield not_(reason)
    parents = [*place.through, *((name, table) for name in place.anything for table in ANY_PARENT)]
    for name, table in parents:
        hidden = _is_hidden(sight, table, columns[name])
        if hidden is not None:
            yield not_(hidden)
        yield from _not_used_elsewhere(sight, table, columns[name])


def _reasons_of_projects(sight: _Sight, place: RowPlace, columns: Columns) -> Iterator[Expression]:
    """Yield the conditions that the rules about the row's own project hide it."""
    if sight.all_projects:
        return
    if place.project:
        yield _foreign(columns[place.project])
    if place.gone:
        yield _of_gone_project(place, columns)


def _foreign(project_id: Expression) -> Expression:
    """Return the condition that the row has a project that the user cannot see. Never NULL."""
    # Some clients send an empty text as the project of an entity without one.
    return and_(
        project_id.is_not(None),
        project_id != "",
        # This test decides for most rows, so it comes before the next one. SQLite makes the list of
        # the next one only when it needs it.
        or_(
            not_(bindparam("rights_everywhere", type_=Boolean())),
            keys_parameter(project_id, "rights_private"),
        ),
        not_(keys_parameter(project_id, "rights_granted")),
    )


def _of_gone_project(place: RowPlace, columns: Columns) -> Expression:
    """Return the condition that the rule *gone* of *place* hides the row. Never NULL."""
    assert place.gone
    assert place.project
    name, value = place.gone
    return and_(
        columns[place.project].is_(None),
        columns[name].is_not(None),
        columns[name] == value,
        not_(bindparam("rights_everywhere", type_=Boolean())),
    )


def _private(tables: Tables, place: RowPlace, columns: Columns) -> Expression:
    """Return the condition that the row belongs to the user or is shared with the user."""
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


def _user() -> Any:
    return bindparam("rights_user", type_=Text())


# The rows of which a row is a part


@dataclass
class _Scope:
    """A row joined with all rows of which it is a part.

    *from_* is the join. *hiding* contains conditions; if one is true, the user cannot see the row.
    """

    from_: FromClause
    hiding: list[Expression] = field(default_factory=list)


def _is_hidden(sight: _Sight, table: str, key: Expression) -> Optional[Expression]:
    """Return the condition that the row *key* of *table* exists and the user cannot see it.

    Return None if there is no reason to hide a row.
    """
    row = sight.tables[table].alias()
    scope = _Scope(row)
    _join(sight, table, row, scope, _DEPTH)
    if not scope.hiding:
        return None
    return exists().select_from(scope.from_).where(row.c.id == key, any_of(scope.hiding))


def _join(sight: _Sight, table: str, row: FromClause, scope: _Scope, depth: int) -> None:
    """Join to *scope* the rows of which *row*, a row of *table* in *scope*, is a part.

    *depth* limits how often a row may be a part of a row of the same table.
    """
    place = PLACES.get(table)
    if place is None:
        return
    columns = dict(row.c.items())
    scope.hiding.extend(_reasons_of_projects(sight, place, columns))
    if place.private:
        own = _private(sight.tables, place, columns)
        scope.hiding.append(and_(row.c.id.is_not(None), own.is_not(True)))
    for name, other in place.through:
        if other == table and depth == 0:
            # What is too deep to follow is hidden, unless nothing there could hide the row.
            if not sight.all_projects or place.private:
                scope.hiding.append(row.c[name].is_not(None))
            continue
        above = sight.tables[other].alias()
        scope.from_ = scope.from_.outerjoin(above, above.c.id == row.c[name])
        _join(sight, other, above, scope, depth - (other == table))


# The rows that use a row


def _not_used_elsewhere(sight: _Sight, table: str, key: Expression) -> Iterator[Expression]:
    """Yield the condition that the uses of the row *key* do not hide it.

    Yield nothing if rows of *table* do not depend on their uses.
    """
    place: Optional[RowPlace] = PLACES.get(table)
    hidden = _hidden_by_use(sight, place, key) if place is not None and place.uses else None
    if hidden is not None:
        yield not_(hidden)


def _hidden_by_use(sight: _Sight, place: RowPlace, key: Expression) -> Optional[Expression]:
    """Return the condition that rows use the row *key*, and the user can see none of these rows.

    Return None if there is no reason to hide one of these rows.
    """
    hidden = [_used(sight, use, key, seen=False) for use in place.uses]
    reasons = [one for one in hidden if one is not None]
    if not reasons:
        return None
    seen = [_used(sight, use, key, seen=True) for use in place.uses]
    return and_(any_of(reasons), not_(any_of([one for one in seen if one is not None])))


def _used(sight: _Sight, use: Use, key: Expression, *, seen: bool) -> Optional[Expression]:
    """Return the condition that a row uses the row *key*, and is *seen* by the user or not.

    Return None if each row is seen, and *seen* is false.
    """
    row = sight.tables[use.table].alias()
    scope = _Scope(row)
    if use.through is None:
        _join(sight, use.table, row, scope, _DEPTH)
    else:
        name, table = use.through
        above = sight.tables[table].alias()
        scope.from_ = row.join(above, above.c.id == row.c[name])
        _join(sight, table, above, scope, _DEPTH)
    found = exists().select_from(scope.from_).where(rarely(row.c[use.column] == key))
    if scope.hiding:
        hiding = any_of(scope.hiding)
        return found.where(not_(hiding) if seen else hiding)
    return found if seen else None
