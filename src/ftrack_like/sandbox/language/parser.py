"""A recursive descent parser for expressions.

The grammar::

    query     = ["select" projection {"," projection} "from"] NAME ["where" or] {tail}
    tail      = "group" "by" path {"," path} | "order" "by" order {"," order}
              | "offset" NUMBER | "limit" NUMBER          (each once, in any order)
    projection = path | AGGREGATE "(" path ")"
    order     = path ["asc" | "ascending" | "desc" | "descending"]
    or        = and {"or" and}
    and       = not {"and" not}
    not       = "not" not | "(" or ")" | condition
    condition = path ("any" | "has") "(" [or] ")"
              | path ("in" | "not_in") "(" (query | [value {"," value} [","]]) ")"
              | path OPERATOR value
    path      = NAME ["[" NAME "]"] {"." NAME ["[" NAME "]"]}

Keywords are not reserved: where the grammar requires a name, the parser accepts any word.
Attributes may therefore be called ``from`` or ``group``.

The nesting, the length of paths and the number of conditions have limits. Without them a client
could send a text that exhausts Python's stack, or a query that the database cannot run.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Callable, Optional, TypeVar, Union

from ftrack_like.sandbox.language.errors import ExpressionError, did_you_mean
from ftrack_like.sandbox.language.operators import FOREIGN, OPERATORS, TWO_WORDS, Form, Operator
from ftrack_like.sandbox.language.tokens import Scanner, Token
from ftrack_like.sandbox.language.tree import (
    AGGREGATES,
    Aggregate,
    And,
    Compare,
    Criteria,
    Literal,
    Not,
    Or,
    Order,
    Part,
    Path,
    Query,
    Some,
    Within,
)

__all__ = ["MAXIMUM_CONDITIONS", "MAXIMUM_DEPTH", "MAXIMUM_PARTS", "parse", "parse_path"]

#: The deepest nesting of parentheses, negations and sub-queries.
MAXIMUM_DEPTH = 24
#: The most conditions in one query, including its sub-queries.
MAXIMUM_CONDITIONS = 2_000
#: The most names in one path.
MAXIMUM_PARTS = 12
#: The most items in a list of projections, groups or orders. The list of an ``in`` may be longer.
MAXIMUM_ITEMS = 1_000
#: The largest offset and limit.
MAXIMUM_NUMBER = 2**53

_DIRECTIONS = {"asc": False, "ascending": False, "desc": True, "descending": True}
_TAILS = ("group", "order", "offset", "limit")

#: The end of a text to which a client has added the bounds of a page.
_BOUNDS = re.compile(r"(\s+offset\s+[0-9]+)?\s+limit\s+[0-9]+\s*$")

_Item = TypeVar("_Item")


def parse(text: str) -> Query:
    """Return the tree of the query *text*.

    Raise :exc:`~ftrack_like.sandbox.language.errors.ExpressionError` if *text* is not a query.
    """
    try:
        # Programs repeat short queries. Long ones contain lists of ids, which differ each time.
        return _parse_cached(text) if len(text) <= 4_000 else _Parser(text).whole()
    except ExpressionError as error:
        _find_end(text, error)
        raise


def _find_end(text: str, error: ExpressionError) -> None:
    """Raise a clearer error if *error* points into the bounds that the client has added.

    A session appends ``offset 0 limit 500`` to the user's query. If the query is incomplete, as
    in ``Task where name is``, the parser reads ``offset`` as the missing value and reports an
    error in words that the user did not write. Parsing *text* without its bounds gives the error
    in the user's own words.
    """
    bounds = _BOUNDS.search(text)
    if bounds is not None and error.position >= bounds.start():
        _Parser(text[: bounds.start()]).whole()


def parse_path(text: str) -> Path:
    """Return the tree of *text*, one path such as ``parent[Shot].status.name``.

    Raise :exc:`~ftrack_like.sandbox.language.errors.ExpressionError` if *text* is not a path.
    """
    return _Parser(text).lone_path()


@lru_cache(maxsize=512)
def _parse_cached(text: str) -> Query:
    return _Parser(text).whole()


class _Parser:
    """The parser of a text. Use each instance once."""

    def __init__(self, text: str) -> None:
        self._scanner = Scanner(text)
        self._fail = self._scanner.fail
        self._depth = 0
        self._conditions = 0

    # -- small steps ------------------------------------------------------------------

    def _peek(self) -> Token:
        return self._scanner.peek()

    def _take(self) -> Token:
        return self._scanner.take()

    def _word(self, *words: str) -> Optional[Token]:
        """Take and return the next token if it is one of *words*; else return None."""
        token = self._peek()
        return self._take() if token.kind == "name" and token.word in words else None

    def _symbol(self, symbol: str) -> Optional[Token]:
        token = self._peek()
        return self._take() if token.kind == "symbol" and token.text == symbol else None

    def _expect_symbol(self, symbol: str, where: str) -> Token:
        token = self._symbol(symbol)
        if token is None:
            found = self._peek()
            raise self._fail(
                f"Expected {symbol!r} {where}, found {found.describe()}.", found.position
            )
        return token

    def _name(self, what: str) -> Token:
        token = self._peek()
        if token.kind != "name":
            raise self._fail(f"Expected {what}, found {token.describe()}.", token.position)
        return self._take()

    def _list(self, item: Callable[[], _Item]) -> tuple[_Item, ...]:
        """Read *item* once or more, separated by commas."""
        items = [item()]
        while self._symbol(","):
            items.append(item())
            if len(items) > MAXIMUM_ITEMS:
                raise self._fail(
                    f"A list has more than {MAXIMUM_ITEMS:,} items.", self._peek().position
                )
        return tuple(items)

    def _deeper(self, step: Callable[[], _Item]) -> _Item:
        """Call *step* one nesting level deeper, and return its result."""
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise self._fail(
                f"The expression nests deeper than {MAXIMUM_DEPTH} levels.", self._peek().position
            )
        result = step()
        self._depth -= 1
        return result

    # -- queries ----------------------------------------------------------------------

    def whole(self) -> Query:
        query = self._query()
        self._end(query)
        return query

    def lone_path(self) -> Path:
        path = self._path()
        token = self._peek()
        if token.kind != "end":
            raise self._fail(f"Expected the end, found {token.describe()}.", token.position)
        return path

    def _query(self) -> Query:
        projections = None
        if self._word("select"):
            projections = self._list(self._projection)
            if not self._word("from"):
                token = self._peek()
                raise self._fail(
                    f"Expected ',' or 'from' after the projections, found {token.describe()}.",
                    token.position,
                )
        type_ = self._name("an entity type")
        criteria = self._or() if self._word("where") else None
        return Query(
            type_.text,
            projections,
            criteria,
            position=type_.position,
            **self._tails(),
        )

    def _tails(self) -> dict[str, Any]:
        """Read the clauses after the criteria; return the fields of the :class:`Query`."""
        readers: dict[str, tuple[str, Callable[[], Any]]] = {
            "group": ("group_by", lambda: self._by(self._path)),
            "order": ("order_by", lambda: self._by(self._order)),
            "offset": ("offset", self._number),
            "limit": ("limit", self._number),
        }
        found: dict[str, Any] = {}
        while True:
            token = self._word(*_TAILS)
            if token is None:
                return found
            field, reader = readers[token.word]
            if field in found:
                raise self._fail(f"{token.word!r} is given twice.", token.position)
            found[field] = reader()

    def _by(self, item: Callable[[], _Item]) -> tuple[_Item, ...]:
        if not self._word("by"):
            token = self._peek()
            raise self._fail(f"Expected 'by', found {token.describe()}.", token.position)
        return self._list(item)

    def _number(self) -> int:
        token = self._scanner.value()
        digits = token.text if token.kind == "bare" else ""
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise self._fail(
                f"Expected a whole number, not negative, found {token.describe()}.", token.position
            )
        return min(int(digits), MAXIMUM_NUMBER)

    def _end(self, query: Query) -> None:
        token = self._peek()
        if token.kind == "end":
            return
        if token.word == "where":
            text = "'where' must follow the entity type directly, before 'order by' and the others."
            raise self._fail(text, token.position)
        if token.text == ")":
            raise self._fail("This ')' has no matching '('.", token.position)
        if query.criteria is not None:
            message = f"Expected 'and', 'or' or the end, found {token.describe()}."
        else:
            message = f"Expected 'where' or the end, found {token.describe()}."
        message += did_you_mean(token.word, ("where", "and", "or", "order", "limit", "offset"))
        raise self._fail(message, token.position)

    # -- paths ------------------------------------------------------------------------

    def _projection(self) -> Union[Path, Aggregate]:
        token = self._peek()
        path = self._path()
        if len(path.parts) > 1 or not self._symbol("("):
            return path
        if token.word not in AGGREGATES:
            raise self._fail(
                f"Unknown function {token.text!r}.{did_you_mean(token.text, AGGREGATES)}",
                token.position,
            )
        inner = self._path()
        self._expect_symbol(")", f"after {token.word}({inner}")
        return Aggregate(token.word, inner, token.position)

    def _order(self) -> Order:
        path = self._path()
        direction = self._word(*_DIRECTIONS)
        return Order(path, direction is not None and _DIRECTIONS[direction.word])

    def _path(self) -> Path:
        parts = [self._part("an attribute")]
        while self._symbol("."):
            parts.append(self._part("an attribute after '.'"))
            if len(parts) > MAXIMUM_PARTS:
                raise self._fail(f"A path has more than {MAXIMUM_PARTS} parts.", parts[0].position)
        return Path(tuple(parts))

    def _part(self, what: str) -> Part:
        name = self._name(what)
        if not self._symbol("["):
            return Part(name.text, None, name.position)
        cast = self._name("an entity type inside '[…]'")
        self._expect_symbol("]", f"after {name.text}[{cast.text}")
        return Part(name.text, cast.text, name.position, cast.position)

    # -- criteria ---------------------------------------------------------------------

    def _or(self) -> Criteria:
        operands = [self._and()]
        while self._word("or"):
            operands.append(self._and())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _and(self) -> Criteria:
        operands = [self._not()]
        while self._word("and"):
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _not(self) -> Criteria:
        if self._word("not"):
            return Not(self._deeper(self._not))
        if self._symbol("("):
            criteria = self._deeper(self._or)
            self._expect_symbol(")", "to close the parentheses")
            return criteria
        return self._condition()

    def _condition(self) -> Criteria:
        self._conditions += 1
        if self._conditions > MAXIMUM_CONDITIONS:
            raise self._fail(
                f"The query has more than {MAXIMUM_CONDITIONS:,} conditions.",
                self._peek().position,
            )
        path = self._path()
        token, operator = self._operator(path)
        name = operator.name
        if operator.form is Form.QUANTIFIER:
            return Some(path, name, self._inner(name), token.position)
        if operator.form is Form.MEMBERSHIP:
            return Within(path, self._members(name), operator.negated, token.position)
        return Compare(path, name, self._literal(), token.position)

    def _operator(self, path: Path) -> tuple[Token, Operator]:
        token = self._peek()
        operator = OPERATORS.get(token.word) if token.kind in ("name", "symbol") else None
        if operator is None:
            raise self._unknown_operator(path, token)
        self._take()
        return token, operator

    def _unknown_operator(self, path: Path, token: Token) -> Exception:
        if token.kind == "name" and token.word not in ("and", "or", *_TAILS):
            self._take()
            two = f"{token.word} {self._peek().word}"
            hint = (
                f" Did you mean {TWO_WORDS[two]!r}?"
                if two in TWO_WORDS
                else did_you_mean(token.text, OPERATORS)
            )
            return self._fail(
                f"Unknown operator {token.text!r} after {path}.{hint}", token.position
            )
        if token.text in FOREIGN:
            hint = f" Did you mean {FOREIGN[token.text]!r}?"
            return self._fail(
                f"Unknown operator {token.text!r} after {path}.{hint}", token.position
            )
        return self._fail(
            f"Expected an operator after {path}, found {token.describe()}.", token.position
        )

    def _inner(self, quantifier: str) -> Optional[Criteria]:
        self._expect_symbol("(", f"after {quantifier!r}")
        criteria = None
        if not (self._peek().kind == "symbol" and self._peek().text == ")"):
            criteria = self._deeper(self._or)
        self._expect_symbol(")", f"to close {quantifier!r}")
        return criteria

    def _members(self, operator: str) -> Union[tuple[Literal, ...], Query]:
        self._expect_symbol("(", f"after {operator!r}")
        members = self._deeper(self._query) if self._select_follows() else self._literals()
        self._expect_symbol(")", f"to close {operator!r}")
        return members

    def _select_follows(self) -> bool:
        token = self._peek()
        # "select" is a value, as in "in (select)", unless the name of an attribute follows.
        return token.word == "select" and self._scanner.name_follows(token)

    def _literals(self) -> tuple[Literal, ...]:
        literals: list[Literal] = []
        while not (self._peek().kind == "symbol" and self._peek().text == ")"):
            literals.append(self._literal())
            if not self._symbol(","):
                break
        return tuple(literals)

    def _value_follows(self) -> bool:
        token = self._peek()
        return token.kind in ("text", "name", "bare") and token.word not in ("and", "or", *_TAILS)

    def _literal(self) -> Literal:
        token = self._scanner.value()
        if token.kind not in ("bare", "text"):
            raise self._fail(f"Expected a value, found {token.describe()}.", token.position)
        if token.kind == "bare" and token.word == "not" and self._value_follows():
            raise self._fail("Unknown operator 'is not'. Did you mean 'is_not'?", token.position)
        return Literal(token.text, token.kind == "text", token.position)
