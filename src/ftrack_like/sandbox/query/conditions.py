"""Compile criteria to SQL conditions.

SQL has three truth values, but users expect two, so each condition follows these rules:

- A comparison with NULL is false, except ``is none``. This also applies to ``is_not`` and
  ``not_in``: an entity without a status does not match ``status.name is_not "Done"``.
- ``not`` is the exact opposite. An entity matches either a criterion or its negation. SQL's NOT
  does not do this, because NOT NULL is NULL. See
  :func:`~ftrack_like.sandbox.database.sql.negation`.
- A path over a relation is true if at least one entity at its end matches. A reference leads to
  one entity or none.
- Conditions on the key and the value of a dictionary, joined by ``and``, are about one entry of
  it. See :mod:`ftrack_like.sandbox.query.pairs`.
- ``is none`` is also true if a reference on the path is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, and_, or_

from ftrack_like.sandbox.database.sql import (
    Expression,
    all_of,
    any_of,
    folded,
    negation,
    rarely,
)
from ftrack_like.sandbox.language import (
    OPERATORS,
    And,
    Compare,
    Criteria,
    Literal,
    Not,
    Or,
    Part,
    Path,
    Query,
    Some,
    Within,
)
from ftrack_like.sandbox.query.operands import UnreadableValueError
from ftrack_like.sandbox.query.pairs import Pairs
from ftrack_like.sandbox.query.paths import Paths
from ftrack_like.sandbox.query.sources import RowSource, set_apart
from ftrack_like.sandbox.schema.model import Collection, EntityType, Property, Reference

__all__ = ["Conditions"]

#: The most nested relations in one query.
MAXIMUM_STEPS = 24
#: Each third nested relation becomes a common table expression (``WITH``). SQLite's parser
#: accepts only a limited depth of nested queries; see :func:`~.sources.set_apart`.
APART = 3

#: The columns with the person whose work a row is, and the attributes that name a person.
_PERSON_COLUMNS = frozenset({"resource_id", "user_id"})
_NAMES = frozenset({"email", "name", "username"})

Leaf = Callable[[RowSource, Part], Expression]
Subquery = Callable[[Query, bool], tuple[Select[Any], str]]


class Conditions:
    """Compiles the criteria of an expression.

    *paths* resolves the paths of the expression. *subquery* compiles a query inside ``in`` and
    returns its statement and the kind of its values. Its second argument is true if the values
    must be in lower case.
    """

    def __init__(self, paths: Paths, subquery: Subquery) -> None:
        self._paths = paths
        self._names = paths.names
        self._subquery = subquery
        self._pairs = Pairs(self._names)
        self._steps = 0

    def of(self, node: Criteria, source: RowSource) -> Expression:
        """Return the condition that the row *source* matches *node*."""
        return self._makers[type(node)](self, node, source)

    def _and(self, node: And, source: RowSource) -> Expression:
        operands = self._pairs.join(node.operands, source.type_)
        return all_of([self.of(operand, source) for operand in operands])

    def _or(self, node: Or, source: RowSource) -> Expression:
        return any_of([self.of(operand, source) for operand in _merged(node.operands)])

    def _not(self, node: Not, source: RowSource) -> Expression:
        return negation(self.of(node.operand, source))

    # -- relations --------------------------------------------------------------------

    def _through(
        self, source: RowSource, parts: tuple[Part, ...], leaf: Leaf, *, names_few: bool = False
    ) -> Expression:
        """Return the condition that *leaf* is true for an entity to which *parts* lead.

        *names_few* says that *leaf* compares a name with one or a few values.
        """
        if len(parts) == 1:
            return leaf(source, parts[0])
        # The row itself contains the value of "status.id", so this path needs no sub-query.
        held = self._paths.key_only(source, parts)
        if held is not None:
            return leaf(held, parts[1])
        relation, step = self._paths.step(source, parts[0])
        with self._inside(parts[0]) as apart:
            inner = self._through(step.target, parts[1:], leaf, names_few=names_few)
            found = step.exists(inner, apart=apart)
        is_rare = names_few and len(parts) == 2 and _leads_to_person(relation)
        return rarely(found) if is_rare else found

    @contextmanager
    def _inside(self, part: Part) -> Iterator[bool]:
        """Count one more nested relation during the block, in which its conditions are compiled.

        Yield whether the relation should be a common table expression. Raise
        :exc:`~ftrack_like.sandbox.language.ExpressionError` if there are too many.
        """
        self._steps += 1
        if self._steps > MAXIMUM_STEPS:
            raise self._names.fail(
                f"More than {MAXIMUM_STEPS} relations are nested in one another.", part.position
            )
        yield self._steps % APART == 0
        self._steps -= 1

    def _some(self, node: Some, source: RowSource) -> Expression:
        def leaf(owner: RowSource, part: Part) -> Expression:
            relation = self._names.relation(owner.type_, part)
            self._check_quantifier(node, relation, part)
            if node.criteria is None:
                return self._is_known(owner, part)
            _, step = self._paths.step(owner, part)
            with self._inside(part) as apart:
                found = step.exists(self.of(node.criteria, step.target), apart=apart)
            is_rare = _leads_to_person(relation) and _names_few(node.criteria)
            return rarely(found) if is_rare else found

        return self._through(source, node.path.parts, leaf)

    def _check_quantifier(self, node: Some, relation: Property, part: Part) -> None:
        kind = "collection" if isinstance(relation, Collection) else "reference"
        if OPERATORS[node.quantifier].over != kind:
            wanted = next(one.name for one in OPERATORS.values() if one.over == kind)
            raise self._names.fail(
                f"{part.name!r} is a {kind}: use {wanted!r} instead of {node.quantifier!r}.",
                node.position,
            )

    # -- comparisons ------------------------------------------------------------------

    def _compare(self, node: Compare, source: RowSource) -> Expression:
        parts = node.path.parts
        if not node.value.null:
            return self._through(
                source,
                parts,
                lambda owner, part: self._compare_final(owner, part, node),
                names_few=_names_few(node),
            )
        operator = OPERATORS[node.operator]
        if not operator.equality:
            raise self._names.fail(
                "Only 'is' and 'is_not' can compare a value with none.", node.position
            )
        if operator.negated:
            return self._through(source, parts, self._is_known)
        return self._is_none(source, parts)

    def _compare_final(self, owner: RowSource, part: Part, node: Compare) -> Expression:
        property_ = self._names.attribute(owner.type_, part)
        operator = OPERATORS[node.operator]
        if isinstance(property_, Reference) and not operator.equality:
            raise self._names.fail(
                f"{part.name!r} of {owner.type_.name} is a reference. Compare it with none or an "
                f"id by 'is' or 'is_not', or compare one of its attributes, such as "
                f"{part.name}.id.",
                node.position,
            )
        operand = self._paths.final(owner, part)
        try:
            return operand.compare(operator, node.value.text)
        except UnreadableValueError as error:
            raise self._unreadable(error, owner.type_, part, node.value) from None

    def _unreadable(
        self, error: UnreadableValueError, type_: EntityType, part: Part, written: Literal
    ) -> Exception:
        shown = written.text if len(written.text) <= 40 else f"{written.text[:39]}…"
        return self._names.fail(
            f"{part.name!r} of {type_.name} must be compared with {error.expected}, not {shown!r}.",
            written.position,
        )

    # -- none -------------------------------------------------------------------------

    def _is_none(self, source: RowSource, parts: tuple[Part, ...]) -> Expression:
        # Over references, "is none" means "no value at the end", so an empty reference counts too.
        # Over a collection it means "some member has no value". There the negation would be wrong:
        # it would mean "no member has a value".
        if len(parts) == 1 or self._only_references(source.type_, parts):
            return negation(self._through(source, parts, self._is_known))
        _, step = self._paths.step(source, parts[0])
        with self._inside(parts[0]) as apart:
            return step.exists(self._is_none(step.target, parts[1:]), apart=apart)

    def _is_known(self, owner: RowSource, part: Part) -> Expression:
        property_ = self._names.attribute(owner.type_, part, relation=True)
        if isinstance(property_, Collection) or part.cast or getattr(property_, "also", None):
            return self._paths.step(owner, part)[1].exists(None)
        return self._paths.operand(owner, property_).known()

    def _only_references(self, type_: EntityType, parts: tuple[Part, ...]) -> bool:
        for part in parts[:-1]:
            relation = self._names.relation(type_, part)
            if isinstance(relation, Collection):
                return False
            type_ = self._names.target(relation, part)
        return True

    # -- in ---------------------------------------------------------------------------

    def _within(self, node: Within, source: RowSource) -> Expression:
        parts = node.path.parts
        found = self._through(
            source,
            parts,
            lambda owner, part: self._within_final(owner, part, node),
            names_few=_names_few(node),
        )
        nulls = not isinstance(node.values, Query) and any(one.null for one in node.values)
        # "not_in" needs no condition for none, because NULL never matches it.
        return or_(found, self._is_none(source, parts)) if nulls and not node.negated else found

    def _within_final(self, owner: RowSource, part: Part, node: Within) -> Expression:
        operand = self._paths.final(owner, part)
        if isinstance(node.values, Query):
            found = self._within_query(owner, part, node, node.values)
        else:
            written = [one for one in node.values if not one.null]
            try:
                found = operand.one_of([one.text for one in written])
            except UnreadableValueError as error:
                faulty = next(one for one in written if one.text == error.text)
                raise self._unreadable(error, owner.type_, part, faulty) from None
        return and_(operand.known(), negation(found)) if node.negated else found

    def _within_query(self, owner: RowSource, part: Part, node: Within, query: Query) -> Expression:
        operand = self._paths.final(owner, part)
        if operand.kind == "variable":
            raise self._names.fail(
                "A custom attribute value cannot be compared with a query by 'in'.", node.position
            )
        text = operand.kind == "text"
        # The values of the sub-query are not known here and may contain any letters.
        looked_up = folded(operand.expression, None) if text else operand.expression
        with self._inside(part) as apart:
            statement, kind = self._subquery(query, text)
            held, selected = _stored_as(operand.kind), _stored_as(kind)
            if held != selected:
                raise self._names.fail(
                    f"{part.name!r} of {owner.type_.name} contains {held}, but the query selects "
                    f"{selected}.",
                    node.position,
                )
            found: Expression = looked_up.in_(set_apart(statement) if apart else statement)
        return found

    _makers: Mapping[type, Callable[..., Expression]] = {
        And: _and,
        Compare: _compare,
        Not: _not,
        Or: _or,
        Some: _some,
        Within: _within,
    }


def _names_few(node: Criteria) -> bool:
    """Return whether *node* is a condition for the people with one or a few names."""
    if not isinstance(node, (Compare, Within)) or node.path.parts[-1].name not in _NAMES:
        return False
    if isinstance(node, Within):
        return not node.negated and not isinstance(node.values, Query)
    return node.operator == "is"


def _leads_to_person(relation: Property) -> bool:
    """Return whether *relation* leads from work, such as a time log, to its person.

    Each of many people has few of the rows, but SQLite expects 25 people in a sub-query, and would
    rather read all rows in the order of the query. A site has rows that one user (a program) has
    created all, so this is not true for ``created_by``.
    """
    return isinstance(relation, Reference) and relation.column in _PERSON_COLUMNS


def _stored_as(kind: str) -> str:
    """Return the database type of *kind* in words. PostgreSQL compares only equal types."""
    return {"number": "numbers", "flag": "numbers", "boolean": "truth values"}.get(kind, "texts")


def _merged(operands: Sequence[Criteria]) -> list[Criteria]:
    """Return the *operands* of an "or". Each path's ``PATH is VALUE`` are merged to one ``in``.

    Scripts often join hundreds of ``name is "…"``, which would make a long and slow statement.
    """
    merged: list[Criteria] = []
    by_path: dict[Path, list[Compare]] = {}
    for operand in operands:
        if isinstance(operand, Compare) and operand.operator == "is" and not operand.value.null:
            by_path.setdefault(operand.path, []).append(operand)
        else:
            merged.append(operand)
    for path, alike in by_path.items():
        values = tuple(one.value for one in alike)
        one_by_one = len(alike) == 1
        merged.append(alike[0] if one_by_one else Within(path, values, False, alike[0].position))
    return merged
