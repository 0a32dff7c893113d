"""The place of a type's rows: a project, certain users, or the whole site.

An entity type declares it as its *place*. :mod:`ftrack_like.sandbox.access.places` explains how the
permission model uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

__all__ = ["MemberRows", "RowPlace", "Use", "part_of"]


@dataclass(frozen=True)
class MemberRows:
    """A table that lists users who can see a row.

    Column *own* of *table* contains the id of the row, and column *resource* the id of the user.
    """

    table: str
    own: str
    resource: str = "resource_id"


@dataclass(frozen=True)
class Use:
    """A way in which another row uses a row, and so determines its place.

    *column* of *table* contains the id of the used row. *through* is the (column, table) of a row
    to which the using row belongs, or None if the using row itself determines the place.
    """

    table: str
    column: str
    through: Optional[tuple[str, str]] = None


@dataclass(frozen=True)
class RowPlace:
    """The rules for one table. A user can see a row if all of its rules allow it.

    - *project*: the column with the id of a project. The user must be able to see the project.
    - *through*: (column, table) of rows of which this row is a part. The user must be able to see
      them.
    - *anything*: columns with the id of an entity in one of several tables (``ANY_PARENT`` in
      :mod:`ftrack_like.sandbox.access.places`). The user must be able to see the entity.
    - *private*: columns with the ids of the users who can see the row. *shared* is a column that
      is true if all users can see it. *members* lists further users.
    - *uses*: if the row is not a part of another row, the user must be able to see one of the rows
      that use it. An unused row is visible.
    - *gone*: (column, value). If the column has the value, and the row has no project, then the row
      is about an open project that was deleted. Users with a role for all open projects see it.

    If the column of one of the first three rules is empty, this rule allows the row. A row without
    a project, for example, belongs to the whole site.
    """

    project: Optional[str] = None
    through: tuple[tuple[str, str], ...] = ()
    anything: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    shared: Optional[str] = None
    members: Optional[MemberRows] = None
    uses: tuple[Use, ...] = ()
    gone: Optional[tuple[str, str]] = None


def part_of(*through: tuple[str, str]) -> RowPlace:
    """Return the place of rows that are parts of other rows, given by (column, table)."""
    return RowPlace(through=through)
