"""Criteria as SQL conditions.

What holds of nothing known does not hold: a comparison with an empty value is false, but for
``is none``; ``not`` is the exact contrary. A path through a relation asks whether some member
fits, a reference having one member or none, except that ``is none`` also holds where a reference
on the way is empty.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Optional

from sqlalchemy import Select, Text, and_, false, literal, or_

from ftrack_like.sandbox.language import (
    And,
    Compare,
    Criteria,
    Literal,
    Not,
    Or,
    Part,
    Query,
    Some,
    Within,
)
from ftrack_like.sandbox.schema.model import Collection, EntityType, Property, Reference
from ftrack_like.sandbox.storage import custom_attributes
from ftrack_like.sandbox.storage.paths import Paths, Value
from ftrack_like.sandbox.storage.sources import Source
from ftrack_like.sandbox.storage.sql import (
    Expression,
    all_of,
    any_of,
    fold,
    folded,
    like,
    member_of,
    negation,
)
from ftrack_like.sandbox.storage.values import READERS

__all__ = ["Conditions"]

Leaf = Callable[[Source, Part], Expression]

_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "is": operator.eq,
    "is_not": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_LIKES = ("like", "not_like")


class Conditions:
    """The conditions of one expression, over its *paths*.

    *subquery* makes the statement of a query that stands inside an ``in``.
    """

    def __init__(self, paths: Paths, subquery: Callable[[Query], tuple[Select[Any], str]]) -> None:
        self._paths = paths
        self._names = paths.names
        self._subquery = subquery

    def of(self, node: Criteria, source: Source) -> Expression:
        """Return the condition that the row *source* fits *node*."""
        return self._makers[type(node)](self, node, source)

    def _and(self, node: And, source: Source) -> Expression:
        return all_of([self.of(operand, source) for operand in node.operands])

    def _or(self, node: Or, source: Source) -> Expression:
        return any_of([self.of(operand, source) for operand in node.operands])

    def _not(self, node: Not, source: Source) -> Expression:
        return negation(self.of(node.operand, source))

    # -- relations --------------------------------------------------------------------

    def _through(self, source: Source, parts: tuple[Part, ...], leaf: Leaf) -> Expression:
        """Return whether *leaf* holds at the end of some way along *parts*."""
        if len(parts) == 1:
            return leaf(source, parts[0])
        _, step = self._paths.step(source, parts[0])
        return step.exists(self._through(step.target, parts[1:], leaf))

    def _some(self, node: Some, source: Source) -> Expression:
        def leaf(owner: Source, part: Part) -> Expression:
            relation, step = self._paths.step(owner, part)
            self._check_quantifier(node, relation, part)
            if node.criteria is None:
                if isinstance(relation, Reference) and part.cast is None:
                    return self._paths.key(owner, relation).is_not(None)
                return step.exists(None)
            return step.exists(self.of(node.criteria, step.target))

        return self._through(source, node.path.parts, leaf)

    def _check_quantifier(self, node: Some, relation: Property, part: Part) -> None:
        wanted = "any" if isinstance(relation, Collection) else "has"
        if node.quantifier != wanted:
            what = "collection" if wanted == "any" else "reference"
            raise self._names.fail(
                f"{part.name!r} is a {what}: ask for it with {wanted!r} instead of "
                f"{node.quantifier!r}.",
                node.position,
            )

    # -- comparisons ------------------------------------------------------------------

    def _compare(self, node: Compare, source: Source) -> Expression:
        parts = node.path.parts
        if node.value.null:
            if node.operator not in ("is", "is_not"):
                raise self._names.fail("Only 'is' and 'is_not' compare with none.", node.position)
            wanted = self._is_none if node.operator == "is" else self._is_not_none
            return wanted(source, parts)
        direct = self._direct(source, parts)
        if direct is not None:
            return self._compare_value(direct, parts[-1], source.type_, node)
        return self._through(
            source, parts, lambda owner, part: self._compare_final(owner, part, node)
        )

    def _direct(self, source: Source, parts: tuple[Part, ...]) -> Optional[Value]:
        return self._paths.direct_key(source, parts) if len(parts) == 2 else None

    def _compare_final(self, owner: Source, part: Part, node: Compare) -> Expression:
        property_ = self._names.attribute(owner.type_, part)
        if isinstance(property_, Reference) and node.operator not in ("is", "is_not"):
            raise self._names.fail(
                f"{part.name!r} of {owner.type_.name} is a reference: it compares with none or "
                f"an id by 'is' and 'is_not'; else name an attribute of it, such as "
                f"{part.name}.id.",
                node.position,
            )
        value = self._paths.final(owner, part)
        if value.kind == "variable":
            return self._compare_variable(owner, node.operator, node.value)
        return self._compare_value(value, part, owner.type_, node)

    def _compare_value(
        self, value: Value, part: Part, type_: EntityType, node: Compare
    ) -> Expression:
        if node.operator in _LIKES:
            fits = like(value.expression, node.value.text)
            if node.operator == "like":
                return fits
            return and_(value.expression.is_not(None), negation(fits))
        bound = self._read(value, node.value, part, type_)
        compare = _COMPARISONS[node.operator]
        if value.kind == "text":
            result = compare(folded(value.expression, bound), literal(fold(bound), Text()))
        else:
            result = compare(value.expression, bound)
        return _condition(result)

    def _read(self, value: Value, written: Literal, part: Part, type_: EntityType) -> Any:
        """Return *written* as *value* is bound; say what was expected if it cannot be."""
        reader, expected = READERS[value.kind]
        try:
            return reader(written.text)
        except ValueError:
            shown = written.text if len(written.text) <= 40 else f"{written.text[:39]}…"
            raise self._names.fail(
                f"{part.name!r} of {type_.name} compares with {expected}, not {shown!r}.",
                written.position,
            ) from None

    def _compare_variable(self, owner: Source, name: str, written: Literal) -> Expression:
        """Compare a value that is a text or a number, as *written* can be read."""
        catalogue = self._paths.catalogue
        text = custom_attributes.text_value(catalogue, owner)
        if name in _LIKES:
            fits = like(text, written.text)
            return fits if name == "like" else and_(text.is_not(None), negation(fits))
        compare = _COMPARISONS[name]
        alternatives = [
            compare(folded(text, written.text), literal(fold(written.text), Text())),
        ]
        number = custom_attributes.as_number(written)
        if number is not None:
            alternatives.append(compare(custom_attributes.number_value(catalogue, owner), number))
        return or_(*alternatives)

    # -- none -------------------------------------------------------------------------

    def _is_none(self, source: Source, parts: tuple[Part, ...]) -> Expression:
        part = parts[0]
        if len(parts) == 1:
            return negation(self._not_none(source, part))
        if self._only_references(source.type_, parts):
            return negation(self._is_not_none(source, parts))
        _, step = self._paths.step(source, part)
        return step.exists(self._is_none(step.target, parts[1:]))

    def _is_not_none(self, source: Source, parts: tuple[Part, ...]) -> Expression:
        direct = self._direct(source, parts)
        if direct is not None:
            return direct.expression.is_not(None)
        return self._through(source, parts, self._not_none)

    def _not_none(self, owner: Source, part: Part) -> Expression:
        type_ = owner.type_
        property_ = self._names.attribute(type_, part, relation=True)
        if isinstance(property_, Collection):
            return self._paths.step(owner, part)[1].exists(None)
        value = self._paths.value(owner, property_)
        if value.kind == "variable":
            catalogue = self._paths.catalogue
            return or_(
                custom_attributes.text_value(catalogue, owner).is_not(None),
                custom_attributes.number_value(catalogue, owner).is_not(None),
            )
        return value.expression.is_not(None)

    def _only_references(self, type_: EntityType, parts: tuple[Part, ...]) -> bool:
        for part in parts[:-1]:
            relation = self._names.relation(type_, part)
            if isinstance(relation, Collection):
                return False
            type_ = self._names.target(relation, part)
        return True

    # -- in ---------------------------------------------------------------------------

    def _within(self, node: Within, source: Source) -> Expression:
        parts = node.path.parts
        direct = self._direct(source, parts)
        if direct is not None:
            return self._within_value(direct, parts[-1], source.type_, node)
        return self._through(
            source, parts, lambda owner, part: self._within_final(owner, part, node)
        )

    def _within_final(self, owner: Source, part: Part, node: Within) -> Expression:
        value = self._paths.final(owner, part)
        if value.kind == "variable":
            return self._within_variable(owner, node)
        return self._within_value(value, part, owner.type_, node)

    def _within_value(
        self, value: Value, part: Part, type_: EntityType, node: Within
    ) -> Expression:
        if isinstance(node.values, Query):
            found = self._within_query(value, node.values)
            nulls = False
        else:
            bound = [self._read(value, one, part, type_) for one in node.values if not one.null]
            nulls = len(bound) < len(node.values)
            found = _one_of(value, bound)
        if nulls:
            found = or_(found, value.expression.is_(None))
        if not node.negated:
            return found
        return negation(found) if nulls else and_(value.expression.is_not(None), negation(found))

    def _within_query(self, value: Value, query: Query) -> Expression:
        statement, kind = self._subquery(query)
        expression = value.expression
        if value.kind == "text" and kind in ("text", "key"):
            return _condition(folded(expression, "é").in_(statement))
        return _condition(expression.in_(statement))

    def _within_variable(self, owner: Source, node: Within) -> Expression:
        if isinstance(node.values, Query):
            raise self._names.fail(
                "A value of no fixed type cannot be looked up in a query.", node.position
            )
        found = any_of(
            [
                self._compare_variable(owner, "is", one)
                if not one.null
                else negation(self._not_none(owner, node.path.parts[-1]))
                for one in node.values
            ]
            or [false()]
        )
        if not node.negated:
            return found
        return and_(self._not_none(owner, node.path.parts[-1]), negation(found))

    _makers: Mapping[type, Callable[..., Expression]] = {
        And: _and,
        Compare: _compare,
        Not: _not,
        Or: _or,
        Some: _some,
        Within: _within,
    }


def _condition(result: Any) -> Expression:
    """Return *result* of an operator, which SQLAlchemy's hints cannot know to be SQL."""
    expression: Expression = result
    return expression


def _one_of(value: Value, bound: list[Any]) -> Expression:
    """Return whether *value* is one of *bound*."""
    if not bound:
        return false()
    if value.kind == "text":
        texts = [fold(text) for text in bound]
        return member_of(folded(value.expression, *texts), texts)
    if value.kind == "boolean":
        return _condition(value.expression.in_(bound))
    return member_of(value.expression, bound)
