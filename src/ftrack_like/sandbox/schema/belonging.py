"""Where the rows of a type belong. A type declares it as its *place*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

__all__ = ["MemberRows", "RowPlace", "Use", "part_of"]


@dataclass(frozen=True)
class MemberRows:
    """Rows of *table* whose *own* is the row's id name those who see it in *resource*."""

    table: str
    own: str
    resource: str = "resource_id"


@dataclass(frozen=True)
class Use:
    """Rows of *table* point with *column* at a row, and so make it a part of theirs.

    *through* is the (column, table) of what the pointing row belongs to, None where it counts
    itself.
    """

    table: str
    column: str
    through: Optional[tuple[str, str]] = None


@dataclass(frozen=True)
class RowPlace:
    """What a row belongs to; a user sees the row who sees all of that.

    *project* is the column with the id of a project, *through* are (column, table) of rows that
    it is a part of, *anything* are columns with the id of an entity of one of several types.
    What belongs to none is the site's. *private* are columns that name the only users who see
    the row, *shared* is a column that is true for what all may see, *members* name more who
    see it. What *uses* the row decides where it belongs while nothing else does.
    """

    project: Optional[str] = None
    through: tuple[tuple[str, str], ...] = ()
    anything: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    shared: Optional[str] = None
    members: Optional[MemberRows] = None
    uses: tuple[Use, ...] = ()


def part_of(*through: tuple[str, str]) -> RowPlace:
    """Return the place of rows that are a part of others, by (column, table)."""
    return RowPlace(through=through)
