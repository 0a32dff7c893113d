"""The tree of an expression: frozen values, equal when they mean the same text.

Each node that can be at fault carries *position*, the place in the text that it came from; it
takes no part in comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

__all__ = [
    "AGGREGATES",
    "Aggregate",
    "And",
    "Compare",
    "Criteria",
    "Literal",
    "Not",
    "Or",
    "Order",
    "Part",
    "Path",
    "Query",
    "Some",
    "Within",
]

#: Functions over the rows of a group.
AGGREGATES = ("avg", "count", "max", "min", "sum")


@dataclass(frozen=True)
class Part:
    """One name of a path, with the type that a polymorphic relation is narrowed to, or None."""

    name: str
    cast: Optional[str] = None
    position: int = field(default=0, compare=False, repr=False)
    cast_position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        """Return the part as written: ``parent[Shot]``."""
        return f"{self.name}[{self.cast}]" if self.cast else self.name


@dataclass(frozen=True)
class Path:
    """Names from a type through relations to an attribute: ``parent[Shot].status.name``."""

    parts: tuple[Part, ...]

    @property
    def position(self) -> int:
        """Return where the path starts."""
        return self.parts[0].position

    def __str__(self) -> str:
        """Return the path as written."""
        return ".".join(map(str, self.parts))


@dataclass(frozen=True)
class Literal:
    """A value as written: *text* without quotes and escapes. Attributes give it a type later.

    Only a bare ``none`` or ``null`` is null; a quoted one is text.
    """

    text: str
    quoted: bool = True
    position: int = field(default=0, compare=False, repr=False)

    @property
    def null(self) -> bool:
        """Return whether this is none."""
        return not self.quoted and self.text.lower() in ("none", "null")


@dataclass(frozen=True)
class Compare:
    """``PATH OPERATOR VALUE``; *operator* is the canonical name of one."""

    path: Path
    operator: str
    value: Literal
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Within:
    """``PATH in (…)``; *values* are literals, or a query of one attribute."""

    path: Path
    values: Union[tuple[Literal, ...], Query]
    negated: bool = False
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Some:
    """``PATH any (CRITERIA)`` or ``PATH has (CRITERIA)``; None stands for empty parentheses."""

    path: Path
    quantifier: str
    criteria: Optional[Criteria] = None
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Not:
    """The contrary of *operand*."""

    operand: Criteria


@dataclass(frozen=True)
class And:
    """All *operands* hold; two or more."""

    operands: tuple[Criteria, ...]


@dataclass(frozen=True)
class Or:
    """One of *operands* holds; two or more."""

    operands: tuple[Criteria, ...]


Criteria = Union[Compare, Within, Some, Not, And, Or]


@dataclass(frozen=True)
class Aggregate:
    """``count(id)``: *function* over the values at *path*."""

    function: str
    path: Path
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        """Return the aggregate as written."""
        return f"{self.function}({self.path})"


@dataclass(frozen=True)
class Order:
    """One key of the order."""

    path: Path
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """A whole query. *projections* is None without ``select``; *limit* None means no limit."""

    entity_type: str
    projections: Optional[tuple[Union[Path, Aggregate], ...]] = None
    criteria: Optional[Criteria] = None
    group_by: tuple[Path, ...] = ()
    order_by: tuple[Order, ...] = ()
    offset: int = 0
    limit: Optional[int] = None
    position: int = field(default=0, compare=False, repr=False)
