"""The conditions of the query builder, and their text in the query language.

A condition does not know the type that it is about. When it becomes part of a query, it is written
for a :class:`~ftrack_like.query._route.Place`, and its names and values are checked there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn, Optional, Union

from ftrack_like import exception
from ftrack_like._base.value_errors import shown
from ftrack_like._values.literals import bound_single
from ftrack_like.query._checks import (
    ConditionPart,
    QueryPart,
    check_comparable,
    check_fits,
    check_value,
    value_path,
)
from ftrack_like.query._route import AttributeRoute, Place

__all__ = [
    "BetweenCondition",
    "ComparisonCondition",
    "JoinedCondition",
    "MembershipCondition",
    "NullCondition",
    "QueryCondition",
    "RelationCondition",
    "SubQuery",
    "checked_conditions",
]

_BOOL_ADVICE = (
    "A condition of a query is neither true nor false. Combine conditions with & (and), | (or) and "
    "~ (not), each comparison in brackets: (attr.bid > 1) & (attr.bid < 5). Python's 'and', 'or', "
    "'not', 'in' and 'a < b < c' cannot be translated; use .in_() and .between()."
)


class QueryCondition(ConditionPart):
    """A condition of a query. Combine conditions with ``&``, ``|`` and ``~``."""

    __slots__ = ()

    def render(self, place: Place) -> str:
        """Return the condition as text of the query language, for entities at *place*.

        Raise an error of the library for an unknown name, or a value that cannot be compared.
        """
        raise NotImplementedError

    def operand(self, place: Place, word: str) -> str:
        """Return the text as an operand of *word*, ``and``, ``or`` or ``not``."""
        return self.render(place)

    def __and__(self, other: QueryCondition) -> QueryCondition:
        """Return the condition that both are true."""
        return JoinedCondition("and", checked_conditions("&", (self, other)))

    def __or__(self, other: QueryCondition) -> QueryCondition:
        """Return the condition that at least one is true."""
        return JoinedCondition("or", checked_conditions("|", (self, other)))

    def __invert__(self) -> QueryCondition:
        """Return the exact opposite of the condition."""
        return NegatedCondition(self)

    if not TYPE_CHECKING:

        def __bool__(self) -> NoReturn:
            """Raise :exc:`TypeError`: only the server can evaluate a condition."""
            raise TypeError(_BOOL_ADVICE)

    def __str__(self) -> str:
        """Return the condition as text of the query language."""
        return self.render(Place())

    def __repr__(self) -> str:
        """Return the class and the text."""
        return f"<{type(self).__name__} {self}>"


def checked_conditions(where: str, conditions: Iterable[object]) -> tuple[QueryCondition, ...]:
    """Return *conditions* as a tuple.

    Raise :exc:`~ftrack_like.exception.InvalidValueError` if one is not a condition; *where* names
    the method or operator in the error.
    """
    found = tuple(conditions)
    for each in found:
        if not isinstance(each, QueryCondition):
            raise exception.InvalidValueError(
                "{where} takes conditions such as attr.name == 'layout', not {shown}. {advice}",
                {"where": where, "shown": shown(each), "advice": _advice(each)},
            )
    return found  # type: ignore[return-value]  # checked above


def _advice(value: object) -> str:
    """Return a sentence about *value*, which stands where a condition belongs."""
    if isinstance(value, bool):
        return "Python has evaluated the comparison itself: one side must be a path from attr."
    if isinstance(value, str):
        return "Pass the text of a whole query to session.query."
    if isinstance(value, (list, tuple)):
        return "Pass several conditions as separate arguments: where(*conditions)."
    return "Put brackets around each comparison: (attr.bid > 1) & (attr.bid < 5)."


class JoinedCondition(QueryCondition):
    """Conditions joined by ``and`` or ``or``."""

    __slots__ = ("operands", "word")

    def __init__(self, word: str, operands: Iterable[QueryCondition]) -> None:
        """Join *operands* by *word*; operands that are joined by the same word are merged."""
        self.word = word
        merged: list[QueryCondition] = []
        for each in operands:
            if isinstance(each, JoinedCondition) and each.word == word:
                merged += each.operands
            else:
                merged.append(each)
        self.operands: tuple[QueryCondition, ...] = tuple(merged)

    def render(self, place: Place) -> str:
        """Return the operands with the word between them."""
        return f" {self.word} ".join([each.operand(place, self.word) for each in self.operands])

    def operand(self, place: Place, word: str) -> str:
        """Return the text in brackets, unless it is the only operand or joined by *word*."""
        text = self.render(place)
        return text if len(self.operands) == 1 or word == self.word else f"({text})"


class NegatedCondition(QueryCondition):
    """The opposite of a condition."""

    __slots__ = ("inner",)

    def __init__(self, inner: QueryCondition) -> None:
        """Initialise the opposite of *inner*."""
        self.inner = inner

    def __invert__(self) -> QueryCondition:
        """Return the condition itself."""
        return self.inner

    def render(self, place: Place) -> str:
        """Return ``not`` and the condition."""
        return f"not {self.inner.operand(place, 'not')}"


class ComparisonCondition(QueryCondition):
    """A comparison of an attribute with a value."""

    __slots__ = ("operator", "route", "value")

    def __init__(self, route: AttributeRoute, operator: str, value: object) -> None:
        """Compare the attribute at *route* with *value* by *operator* of the query language."""
        check_value(route, operator, value)
        self.route = route
        self.operator = operator
        self.value = value

    def render(self, place: Place) -> str:
        """Return path, operator and value."""
        found = self.route.resolve(place)
        check_comparable(self.route, self.operator, found)
        own = value_path(self.route, found, self.value, place)
        if found is not None:
            check_fits(self.route, found, self.operator, self.value)
        value = bound_single(self.route.shown, self.value)
        return self.route.condition(f"{self.operator} {value}", own)


class BetweenCondition(QueryCondition):
    """Whether a value is within two bounds."""

    __slots__ = ("bounds", "route")

    def __init__(self, route: AttributeRoute, low: object, high: object) -> None:
        """Initialise for the attribute at *route* and the bounds *low* and *high*, inclusive."""
        self.route = route
        self.bounds = (
            ComparisonCondition(route, ">=", low),
            ComparisonCondition(route, "<=", high),
        )

    def operand(self, place: Place, word: str) -> str:
        """Return the text in brackets where it is not joined by ``and``."""
        text = self.render(place)
        is_single = self.route.key is not None or self._last_collection(place) is not None
        return text if word == "and" or is_single else f"({text})"

    def render(self, place: Place) -> str:
        """Return both comparisons, for one member where the path goes through a collection."""
        for each in self.bounds:
            each.render(place)  # Check names and values.
        texts = [
            f"{each.operator} {bound_single(self.route.shown, each.value)}" for each in self.bounds
        ]
        if self.route.key is not None:
            return self.route.condition(" and value ".join(texts))
        last = self._last_collection(place)
        steps = self.route.steps
        inner = AttributeRoute(steps if last is None else steps[last + 1 :]).text
        both = f"{inner} {texts[0]} and {inner} {texts[1]}"
        return both if last is None else f"{AttributeRoute(steps[: last + 1]).text} any ({both})"

    def _last_collection(self, place: Place) -> Optional[int]:
        """Return the index of the last step that leads to several entities, or None."""
        for index in reversed(range(len(self.route.steps) - 1)):
            found = AttributeRoute(self.route.steps[: index + 1]).resolve(place)
            if found is not None and found.kind in ("collection", "mapping"):
                return index
        return None


class NullCondition(QueryCondition):
    """Whether an attribute has no value."""

    __slots__ = ("is_negated", "route")

    def __init__(self, route: AttributeRoute, is_negated: bool) -> None:
        """Initialise for the attribute at *route*; *is_negated* checks that it has a value."""
        self.route = route
        self.is_negated = is_negated

    def render(self, place: Place) -> str:
        """Return the comparison with none."""
        found = self.route.resolve(place)
        if found is not None and self.route.key is None and found.kind in ("collection", "mapping"):
            raise exception.InvalidValueError(
                "{shown} is a collection. Use {shown}.any() for one that is not empty, and "
                "~{shown}.any() for an empty one.",
                {"shown": self.route.shown},
            )
        return self.route.condition("is_not none" if self.is_negated else "is none")


class SubQuery(QueryPart):
    """A query whose results are the values of ``in``."""

    __slots__ = ()
    has_values = True

    def sub_query(self) -> str:
        """Return the text of the query, which selects one attribute."""
        raise NotImplementedError


class MembershipCondition(QueryCondition):
    """Whether the value of an attribute is one of several values."""

    __slots__ = ("is_negated", "route", "values")

    def __init__(self, route: AttributeRoute, values: object, is_negated: bool) -> None:
        """Initialise for the attribute at *route* and *values*: a collection, or a sub-query."""
        self.route = route
        self.is_negated = is_negated
        self.values: Union[SubQuery, tuple[object, ...]]
        if isinstance(values, SubQuery):
            self.values = values
        else:
            name = "not_in" if is_negated else "in_"
            if isinstance(values, (str, bytes, QueryPart)) or not isinstance(values, Iterable):
                raise exception.InvalidValueError(
                    "{shown}.{name}() takes a list of values or a selection, not {value}.",
                    {"shown": route.shown, "name": name, "value": shown(values)},
                )
            if hasattr(values, "primary_key_attributes"):
                raise exception.InvalidValueError(
                    "{shown}.{name}() takes a list of entities; for one entity use ==.",
                    {"shown": route.shown, "name": name},
                )
            self.values = tuple(values)
            for each in self.values:
                if each is not None:
                    check_value(route, name, each)

    def render(self, place: Place) -> str:
        """Return the condition with the values in brackets."""
        found = self.route.resolve(place)
        word = "not_in" if self.is_negated else "in"
        check_comparable(self.route, word, found)
        if isinstance(self.values, SubQuery):
            own = value_path(self.route, found, None, place)
            return self.route.condition(f"{word} ({self.values.sub_query()})", own)
        given = [each for each in self.values if each is not None]
        own = value_path(self.route, found, given[0] if given else None, place)
        if not given:
            return self._without_values(place)
        for each in given:
            value_path(self.route, found, each, place)
            if found is not None:
                check_fits(self.route, found, word, each)
        texts = [bound_single(self.route.shown, each) for each in given]
        written = self.route.condition(f"{word} ({', '.join(texts)})", own)
        if self.is_negated or len(given) == len(self.values):
            return written
        return f"({written} or {self.route.condition('is none')})"

    def _without_values(self, place: Place) -> str:
        """Return the condition for a list that is empty, or contains only None."""
        if self.is_negated:
            return self.route.condition("is_not none")
        if self.values:
            return self.route.condition("is none")
        return f"{place.key} is none"  # A key always has a value, so this is never true.


class RelationCondition(QueryCondition):
    """Conditions on the entity or the entities to which a relation leads."""

    __slots__ = ("conditions", "route", "word")

    def __init__(self, route: AttributeRoute, word: str, conditions: Iterable[object]) -> None:
        """Initialise for the relation at *route*; *word* is ``any`` or ``has``."""
        self.route = route
        self.word = word
        self.conditions = checked_conditions(f"{route.shown}.{word}()", conditions)

    def render(self, place: Place) -> str:
        """Return the relation, the word, and the conditions in brackets."""
        found = self.route.resolve(place, enters=True)
        if self.route.key is not None:
            raise exception.InvalidValueError(
                "{shown} is a value and not a relation.", {"shown": self.route.shown}
            )
        inner = place
        if found is not None:
            if found.kind == "scalar":
                raise exception.InvalidValueError(
                    "{shown} is a plain value. Compare it, for example {shown} == ….",
                    {"shown": self.route.shown},
                )
            wanted = "has" if found.kind == "reference" else "any"
            if wanted != self.word:
                raise exception.InvalidValueError(
                    "{shown} is a {kind}: use .{wanted}() instead of .{word}().",
                    {
                        "shown": self.route.shown,
                        "kind": "reference" if wanted == "has" else "collection",
                        "wanted": wanted,
                        "word": self.word,
                    },
                )
            inner = Place(place.catalogue, found.target)
        elif place.catalogue is not None:
            inner = Place()
        text = JoinedCondition("and", self.conditions).render(inner) if self.conditions else ""
        return f"{self.route.text} {self.word} ({text})"
