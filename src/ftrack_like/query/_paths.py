"""Paths to attributes, from which programs build the conditions of a query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, Union

from ftrack_like import exception
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._base.value_errors import shown
from ftrack_like.query._checks import ConditionPart
from ftrack_like.query._conditions import (
    BetweenCondition,
    ComparisonCondition,
    MembershipCondition,
    NullCondition,
    QueryCondition,
    RelationCondition,
    SubQuery,
)
from ftrack_like.query._route import AttributeRoute, read_route

if TYPE_CHECKING:
    from ftrack_like._base.types import Value

__all__ = ["Aggregate", "AttributePath", "Ordering", "attr"]

_BRACKETS = (
    "Put brackets around each comparison: (attr.bid > 1) & (attr.bid < 5). Python applies & and | "
    "before comparisons."
)


class Ordering(NamedTuple):
    """A path to sort by, in ascending or descending order."""

    path: str
    is_descending: bool


class Aggregate(NamedTuple):
    """A function over the rows of a group: ``count``, ``sum``, ``avg``, ``min`` or ``max``.

    In the rows of the result, its value has the name *key*, such as ``sum_bid``.
    """

    function: str
    path: str

    @property
    def key(self) -> str:
        """The name of the value in the rows of the result."""
        return f"{self.function}_{self.path}"

    def __str__(self) -> str:
        """Return the aggregate as text of the query language."""
        return f"{self.function}({self.path})"


class AttributePath(ConditionPart):
    """A path to an attribute, such as ``attr.status.name``.

    Comparing it with a value makes a condition for a query. Use ``attr["status.name"]`` for a path
    in a variable, and for an attribute whose name is also a method, such as ``like``.
    """

    __slots__ = ("_route",)
    __hash__: ClassVar[None]  # type: ignore[assignment]  # == makes a condition

    def __init__(self, route: AttributeRoute = AttributeRoute()) -> None:  # noqa: B008 - immutable
        """Initialise the path *route*."""
        self._route = route

    # Paths

    def __getattr__(self, name: str) -> AttributePath:
        """Return the path to the attribute *name* of the entity at the end of this path."""
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(name)  # Python and notebooks ask every object for these.
        return AttributePath(self._route.to(name))

    def __getitem__(self, name: str) -> AttributePath:
        """Return the path in the text *name*; for a mapping, the value of the entry *name*.

        ``attr["status.name"]`` is a path. ``attr.custom_attributes["fstart"]`` is the value of the
        custom attribute *fstart*.
        """
        if not self._route.steps:
            return AttributePath(read_route(name))
        if not isinstance(name, str) or self._route.key is not None:
            raise exception.InvalidValueError(
                "A key of {shown} is text, not {value}.",
                {"shown": self._route.shown, "value": shown(name)},
            )
        return AttributePath(AttributeRoute(self._route.steps, name))

    def as_(self, entity_type: str) -> AttributePath:
        """Return the path with its end treated as an *entity_type*: ``attr.parent.as_("Shot")``.

        Where a relation leads to several types, this selects the entities of one type.
        """
        return AttributePath(self._route.cast_to(entity_type))

    def __str__(self) -> str:
        """Return the path as text of the query language."""
        return self._route.text if self._route.key is None else self._route.shown

    def __repr__(self) -> str:
        """Return the path as a program writes it."""
        return f"<{self._route.shown}>"

    # Comparisons

    def __eq__(self, value: Value) -> QueryCondition:  # type: ignore[override]
        """Return the condition that the attribute equals *value*; texts compare without case."""
        return ComparisonCondition(self._route, "is", value)

    def __ne__(self, value: Value) -> QueryCondition:  # type: ignore[override]
        """Return the condition that the attribute has a value other than *value*."""
        return ComparisonCondition(self._route, "is_not", value)

    def __lt__(self, value: Value) -> QueryCondition:
        """Return the condition that the attribute is less than *value*, or before it."""
        return ComparisonCondition(self._route, "<", value)

    def __le__(self, value: Value) -> QueryCondition:
        """Return the condition that the attribute is at most *value*."""
        return ComparisonCondition(self._route, "<=", value)

    def __gt__(self, value: Value) -> QueryCondition:
        """Return the condition that the attribute is greater than *value*, or after it."""
        return ComparisonCondition(self._route, ">", value)

    def __ge__(self, value: Value) -> QueryCondition:
        """Return the condition that the attribute is at least *value*."""
        return ComparisonCondition(self._route, ">=", value)

    def like(self, pattern: str) -> QueryCondition:
        """Return the condition that the text matches *pattern*, without regard to case.

        ``%`` stands for any text, and ``_`` for one character. A backslash before them, or before
        a backslash, takes away this meaning.
        """
        return ComparisonCondition(self._route, "like", _pattern(pattern))

    def not_like(self, pattern: str) -> QueryCondition:
        """Return the condition that there is a text that does not match *pattern*."""
        return ComparisonCondition(self._route, "not_like", _pattern(pattern))

    def startswith(self, text: str) -> QueryCondition:
        """Return the condition that the value starts with *text*; ``%`` has no meaning in it."""
        return ComparisonCondition(self._route, "like", f"{_literal_pattern(text)}%")

    def endswith(self, text: str) -> QueryCondition:
        """Return the condition that the value ends with *text*; ``%`` has no meaning in it."""
        return ComparisonCondition(self._route, "like", f"%{_literal_pattern(text)}")

    def contains(self, text: str) -> QueryCondition:
        """Return the condition that the value contains *text*; ``%`` has no meaning in it."""
        return ComparisonCondition(self._route, "like", f"%{_literal_pattern(text)}%")

    def in_(self, values: Union[Iterable[Value], SubQuery]) -> QueryCondition:
        """Return the condition that the value is one of *values*.

        *values* is a list of values or entities, or a selection of one attribute. An empty list
        finds nothing. None in the list also finds entities without a value.
        """
        return MembershipCondition(self._route, values, False)

    def not_in(self, values: Union[Iterable[Value], SubQuery]) -> QueryCondition:
        """Return the condition that there is a value, and that it is none of *values*."""
        return MembershipCondition(self._route, values, True)

    def between(self, low: Value, high: Value) -> QueryCondition:
        """Return the condition that the value is at least *low* and at most *high*."""
        return BetweenCondition(self._route, low, high)

    def is_none(self) -> QueryCondition:
        """Return the condition that the attribute has no value."""
        return NullCondition(self._route, False)

    def is_not_none(self) -> QueryCondition:
        """Return the condition that the attribute has a value."""
        return NullCondition(self._route, True)

    def any(self, *conditions: QueryCondition) -> QueryCondition:
        """Return the condition that one member of the collection fulfils all *conditions*.

        Without *conditions*: that the collection is not empty.
        """
        return RelationCondition(self._route, "any", conditions)

    def has(self, *conditions: QueryCondition) -> QueryCondition:
        """Return the condition that the referenced entity fulfils all *conditions*."""
        return RelationCondition(self._route, "has", conditions)

    # Order and aggregates

    def __neg__(self) -> Ordering:
        """Return the descending order by this attribute."""
        return self.desc()

    def __pos__(self) -> Ordering:
        """Return the ascending order by this attribute."""
        return self.asc()

    def desc(self) -> Ordering:
        """Return the descending order by this attribute."""
        return Ordering(str(self), True)

    def asc(self) -> Ordering:
        """Return the ascending order by this attribute."""
        return Ordering(str(self), False)

    def count(self) -> Aggregate:
        """Return the number of values in each group, as a column."""
        return Aggregate("count", str(self))

    def sum(self) -> Aggregate:
        """Return the sum of the values in each group, as a column."""
        return Aggregate("sum", str(self))

    def avg(self) -> Aggregate:
        """Return the average of the values in each group, as a column."""
        return Aggregate("avg", str(self))

    def min(self) -> Aggregate:
        """Return the smallest value in each group, as a column."""
        return Aggregate("min", str(self))

    def max(self) -> Aggregate:
        """Return the largest value in each group, as a column."""
        return Aggregate("max", str(self))

    # Mistakes that Python would otherwise hide. Checkers report them, since they do not see these
    # methods. After the call of a method that returns NoReturn, they would check nothing more.

    if not TYPE_CHECKING:

        def __bool__(self) -> NoReturn:
            """Raise :exc:`TypeError`: an attribute in a query has no value."""
            raise TypeError(
                f"{self._route.shown} is the path of an attribute, neither true nor false. Compare "
                "it with a value, and combine conditions with &, | and ~."
            )

        def __iter__(self) -> NoReturn:
            """Raise :exc:`TypeError`."""
            raise TypeError(f"{self._route.shown} is the path of an attribute and has no items.")

        def __contains__(self, value: object) -> NoReturn:
            """Raise :exc:`TypeError`: the operator ``in`` of Python cannot make a condition."""
            raise TypeError(f"Use {self._route.shown}.contains(text) instead of Python's 'in'.")

        def __and__(self, other: object) -> NoReturn:
            """Raise :exc:`TypeError` with advice about brackets."""
            raise TypeError(_BRACKETS)

        def __rand__(self, other: object) -> NoReturn:
            """Raise :exc:`TypeError` with advice about brackets."""
            raise TypeError(_BRACKETS)

        def __or__(self, other: object) -> NoReturn:
            """Raise :exc:`TypeError` with advice about brackets."""
            raise TypeError(_BRACKETS)

        def __ror__(self, other: object) -> NoReturn:
            """Raise :exc:`TypeError` with advice about brackets."""
            raise TypeError(_BRACKETS)

        def __invert__(self) -> NoReturn:
            """Raise :exc:`TypeError` with advice."""
            shown_path = self._route.shown
            raise TypeError(
                f"~ negates a condition: ~({shown_path} == …), or {shown_path}.is_none() for no "
                "value."
            )

        def __call__(self, *arguments: Any, **keywords: Any) -> NoReturn:  # noqa: ANN401 - any call
            """Raise :exc:`TypeError`: paths have no such method."""
            name = self._route.steps[-1][0] if self._route.steps else "attr"
            methods = dir(self)
            hint = did_you_mean(name, methods)
            raise TypeError(
                f"{self._route.shown} is the path of an attribute, and {name!r} is not a method of "
                f"a path. {hint}{' ' if hint else ''}The methods are: {', '.join(methods)}."
            )

    def __dir__(self) -> list[str]:
        """Return the names of the methods."""
        names = [name for name, value in vars(AttributePath).items() if callable(value)]
        return sorted(name for name in names if not name.startswith("_"))


def _pattern(pattern: str) -> str:
    if not isinstance(pattern, str):
        raise exception.InvalidValueError(
            "A pattern is text such as 'sh0%', not {shown}.", {"shown": shown(pattern)}
        )
    return pattern


def _literal_pattern(text: str) -> str:
    """Return *text* as a pattern that only *text* matches."""
    escaped = _pattern(text).replace("\\", "\\\\")
    return escaped.replace("%", "\\%").replace("_", "\\_")


#: The start of all paths: ``attr.status.name``.
attr: AttributePath = AttributePath()
