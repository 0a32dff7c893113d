"""The nodes of an expression's tree: frozen dataclasses that compare by value.

Nodes that an error can point at have a *position*, their index in the text. Comparisons ignore it.
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

#: The functions that combine the rows of a group into one value.
AGGREGATES = ("avg", "count", "max", "min", "sum")


@dataclass(frozen=True)
class Part:
    """One name of a path. *cast* narrows a polymorphic relation to one type: ``parent[Shot]``."""

    name: str
    cast: Optional[str] = None
    position: int = field(default=0, compare=False, repr=False)
    cast_position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        """Return the part as written: ``parent[Shot]``."""
        return f"{self.name}[{self.cast}]" if self.cast else self.name


@dataclass(frozen=True)
class Path:
    """The names that lead from a type over relations to an attribute: ``parent.status.name``."""

    parts: tuple[Part, ...]

    @property
    def position(self) -> int:
        """Return the index of the path in the text."""
        return self.parts[0].position

    def __str__(self) -> str:
        """Return the path as written."""
        return ".".join(map(str, self.parts))


@dataclass(frozen=True)
class Literal:
    """A value. *text* has no quotes and escapes; the compared attribute decides its type later.

    A bare ``none`` or ``null`` means NULL. In quotes it is a text.
    """

    text: str
    quoted: bool = True
    position: int = field(default=0, compare=False, repr=False)

    @property
    def null(self) -> bool:
        """Return whether the value is NULL."""
        return not self.quoted and self.text.lower() in ("none", "null")


@dataclass(frozen=True)
class Compare:
    """``PATH OPERATOR VALUE``. *operator* is the canonical name of an operator."""

    path: Path
    operator: str
    value: Literal
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Within:
    """``PATH in (…)`` or ``not_in``. *values* are literals, or a query with a single projection."""

    path: Path
    values: Union[tuple[Literal, ...], Query]
    negated: bool = False
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Some:
    """``PATH any (CRITERIA)`` or ``PATH has (CRITERIA)``. Without criteria any entity matches."""

    path: Path
    quantifier: str
    criteria: Optional[Criteria] = None
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Not:
    """``not OPERAND``."""

    operand: Criteria


@dataclass(frozen=True)
class And:
    """Two or more *operands* joined by ``and``."""

    operands: tuple[Criteria, ...]


@dataclass(frozen=True)
class Or:
    """Two or more *operands* joined by ``or``."""

    operands: tuple[Criteria, ...]


Criteria = Union[Compare, Within, Some, Not, And, Or]


@dataclass(frozen=True)
class Aggregate:
    """A *function* of :data:`AGGREGATES` over the values of *path*: ``count(id)``."""

    function: str
    path: Path
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        """Return the aggregate as written."""
        return f"{self.function}({self.path})"


@dataclass(frozen=True)
class Order:
    """One path of an ``order by``."""

    path: Path
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """A whole query. *projections* is None if the text has no ``select``."""

    entity_type: str
    projections: Optional[tuple[Union[Path, Aggregate], ...]] = None
    criteria: Optional[Criteria] = None
    group_by: tuple[Path, ...] = ()
    order_by: tuple[Order, ...] = ()
    offset: int = 0
    limit: Optional[int] = None
    position: int = field(default=0, compare=False, repr=False)
