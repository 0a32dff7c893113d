"""Print a tree as text, in one canonical spelling."""

from __future__ import annotations

from typing import Union

from ftrack_like.sandbox.language.tree import (
    Aggregate,
    And,
    Compare,
    Criteria,
    Literal,
    Not,
    Or,
    Order,
    Path,
    Query,
    Some,
    Within,
)

__all__ = ["to_text"]


def to_text(node: Union[Query, Criteria, Path, Aggregate, Literal]) -> str:
    """Return *node* as text, with lower-case keywords, single blanks and double quotes.

    Parsing the text of a query returns an equal tree.
    """
    if isinstance(node, Query):
        return _query(node)
    if isinstance(node, (Path, Aggregate)):
        return str(node)
    if isinstance(node, Literal):
        return _literal(node)
    return _criteria(node)


def _query(query: Query) -> str:
    pieces = []
    if query.projections is not None:
        pieces += ["select", ", ".join(map(str, query.projections)), "from"]
    pieces.append(query.entity_type)
    if query.criteria is not None:
        pieces += ["where", _criteria(query.criteria)]
    if query.group_by:
        pieces += ["group by", ", ".join(map(str, query.group_by))]
    if query.order_by:
        pieces += ["order by", ", ".join(map(_order, query.order_by))]
    if query.offset:
        pieces += ["offset", str(query.offset)]
    if query.limit is not None:
        pieces += ["limit", str(query.limit)]
    return " ".join(pieces)


def _order(order: Order) -> str:
    return f"{order.path} desc" if order.descending else str(order.path)


def _criteria(node: Criteria) -> str:
    if isinstance(node, Compare):
        return f"{node.path} {node.operator} {_literal(node.value)}"
    if isinstance(node, Within):
        operator = "not_in" if node.negated else "in"
        return f"{node.path} {operator} ({_members(node.values)})"
    if isinstance(node, Some):
        inner = "" if node.criteria is None else _criteria(node.criteria)
        return f"{node.path} {node.quantifier} ({inner})"
    if isinstance(node, Not):
        return f"not {_operand(node.operand)}"
    word = " and " if isinstance(node, And) else " or "
    return word.join(map(_operand, node.operands))


def _operand(node: Criteria) -> str:
    text = _criteria(node)
    return f"({text})" if isinstance(node, (And, Or)) else text


def _members(values: Union[tuple[Literal, ...], Query]) -> str:
    if isinstance(values, Query):
        return _query(values)
    return ", ".join(map(_literal, values))


def _literal(literal: Literal) -> str:
    if not literal.quoted:
        return literal.text
    escaped = literal.text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
