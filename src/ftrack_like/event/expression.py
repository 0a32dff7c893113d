"""The small language that says which events a subscriber wants.

An expression is made of conditions, `key.path OP value` with OP one of `= != >= <= > <`, joined
by `and`, `or`, `not` and parentheses; `and` binds tighter than `or`. A value is bare (letters,
digits and `-_,./*@+`) or quoted. A value with a star at its end matches what begins with the rest.

How values compare is told in :mod:`ftrack_like.event.comparison`. A condition on a key that is
missing is false.

Everything here is pure and may be used by any thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any as AnyValue
from typing import Callable, NoReturn, Optional, Union

from ftrack_like._errors import ParseError
from ftrack_like.event.comparison import OPERATORS, Comparison, compares_plainly, tester

__all__ = [
    "All",
    "Any",
    "Condition",
    "Expression",
    "Not",
    "Parser",
    "compile_expression",
    "topics_of",
]

#: What an expression becomes: tells whether a mapping matches.
Matcher = Callable[[Mapping[str, AnyValue]], bool]
#: Equal to nothing that an event may carry.
_NOTHING = object()
SYMBOLS = {comparison: symbol for symbol, comparison in OPERATORS.items()}

#: Parentheses and `not` may be nested this deep; more is refused rather than overflow the stack.
MAXIMUM_DEPTH = 100


class Expression:
    """Represent an expression; this one matches everything."""

    def __str__(self) -> str:
        """Return the expression's class and content as text."""
        return f"<{self.__class__.__name__}>"

    def match(self, candidate: Mapping[str, AnyValue]) -> bool:
        """Return whether *candidate*, a mapping that may hold further mappings, matches."""
        return True


class All(Expression):
    """Match when each of several expressions does."""

    def __init__(self, expressions: Optional[Iterable[Expression]] = None) -> None:
        """Initialise with *expressions*; without any, everything matches."""
        self._expressions = list(expressions or ())

    def __str__(self) -> str:
        """Return the expression's class and members as text."""
        return f"<{self.__class__.__name__} [{' '.join(map(str, self._expressions))}]>"

    def match(self, candidate: Mapping[str, AnyValue]) -> bool:
        """Return whether every member matches *candidate*."""
        return all(expression.match(candidate) for expression in self._expressions)


class Any(Expression):
    """Match when at least one of several expressions does."""

    def __init__(self, expressions: Optional[Iterable[Expression]] = None) -> None:
        """Initialise with *expressions*; without any, nothing matches."""
        self._expressions = list(expressions or ())

    def __str__(self) -> str:
        """Return the expression's class and members as text."""
        return f"<{self.__class__.__name__} [{' '.join(map(str, self._expressions))}]>"

    def match(self, candidate: Mapping[str, AnyValue]) -> bool:
        """Return whether some member matches *candidate*."""
        return any(expression.match(candidate) for expression in self._expressions)


class Not(Expression):
    """Match when another expression does not."""

    def __init__(self, expression: Expression) -> None:
        """Initialise with the *expression* to turn round."""
        self._expression = expression

    def __str__(self) -> str:
        """Return the expression's class and member as text."""
        return f"<{self.__class__.__name__} {self._expression}>"

    def match(self, candidate: Mapping[str, AnyValue]) -> bool:
        """Return whether the member does not match *candidate*."""
        return not self._expression.match(candidate)


class Condition(Expression):
    """Match when the value under a key compares as asked."""

    def __init__(self, key: str, operator: Union[str, Comparison], value: AnyValue) -> None:
        """Initialise with *key*, a dotted path, *operator* and *value*.

        *operator* is one of the symbols `= != >= <= > <` or a function of two values, such as
        those of the module `operator`. *value* is usually text; how it compares is told in
        :mod:`ftrack_like.event.comparison`.

        Raise :exc:`ValueError` if *operator* is a symbol that is not known.
        """
        if isinstance(operator, str):
            if operator not in OPERATORS:
                raise ValueError(
                    f"The operator {operator!r} is not known. Use one of: {' '.join(OPERATORS)}."
                )
            operator = OPERATORS[operator]
        self._key = key
        self._operator = operator
        self._value = value
        self._matcher = _compile_condition(key, operator, value)

    def __str__(self) -> str:
        """Return the expression's class and condition as text."""
        symbol = SYMBOLS.get(self._operator) or getattr(self._operator, "__name__", "?")
        return f"<{self.__class__.__name__} {self._key}{symbol}{self._value}>"

    def match(self, candidate: Mapping[str, AnyValue]) -> bool:
        """Return whether *candidate* has the key with a value that compares as asked."""
        return self._matcher(candidate)


# Compilation: an expression becomes one closure, so that matching walks no tree of objects.


def compile_expression(expression: Expression) -> Matcher:
    """Return a function that tells whether a mapping matches *expression*.

    A subclass that has its own `match` is asked through it.
    """
    compiler = _COMPILERS.get(type(expression))
    return compiler(expression) if compiler else expression.match


def _compile_all(expression: All) -> Matcher:
    matchers = [compile_expression(member) for member in expression._expressions]
    if len(matchers) == 2:  # by far the commonest, and twice as fast as the general form
        first, second = matchers
        return lambda candidate: first(candidate) and second(candidate)
    return lambda candidate: all(matcher(candidate) for matcher in matchers)


def _compile_any(expression: Any) -> Matcher:
    matchers = [compile_expression(member) for member in expression._expressions]
    return lambda candidate: any(matcher(candidate) for matcher in matchers)


def _compile_not(expression: Not) -> Matcher:
    matcher = compile_expression(expression._expression)
    return lambda candidate: not matcher(candidate)


_COMPILERS: dict[type, Callable[[AnyValue], Matcher]] = {
    Condition: lambda expression: expression._matcher,
    All: _compile_all,
    Any: _compile_any,
    Not: _compile_not,
}


def _compile_condition(key: str, comparison: Comparison, value: AnyValue) -> Matcher:
    """Return a function that looks *key* up in a mapping and compares what it finds."""
    test = tester(comparison, value)
    # Text that is equal passes without a test, as nearly always.
    plain = value if compares_plainly(comparison, value) else _NOTHING
    first, *rest = key.split(".")

    def match(candidate: Mapping[str, AnyValue]) -> bool:
        try:
            found = candidate[first]
            for part in rest:
                if not (type(found) is dict or isinstance(found, Mapping)):
                    return False
                found = found[part]
        except KeyError:
            return False
        return found == plain or test(found)

    return match


# Which topics an expression can be about, so that an event need not visit every subscriber.

#: Exact topics, and prefixes of topics.
Bound = tuple[frozenset[str], frozenset[str]]


def topics_of(expression: Expression) -> Optional[Bound]:
    """Return the topics that *expression* can match, or None if it may match any topic.

    The first set holds whole topics, the second one prefixes of topics.
    """
    kind = type(expression)
    if kind is Condition:
        return _condition_topics(expression)
    if kind not in (All, Any):
        return None
    bounds = [topics_of(member) for member in expression._expressions]  # type: ignore[attr-defined]
    known = [bound for bound in bounds if bound is not None]
    if kind is All:
        return min(known, key=lambda bound: (len(bound[1]), len(bound[0])), default=None)
    if len(known) < len(bounds):
        return None
    exact: frozenset[str] = frozenset().union(*(bound[0] for bound in known))
    prefixes: frozenset[str] = frozenset().union(*(bound[1] for bound in known))
    return exact, prefixes


def _condition_topics(expression: AnyValue) -> Optional[Bound]:
    value = expression._value
    if (expression._key, expression._operator) != ("topic", OPERATORS["="]) or not value:
        return None
    if value.endswith("*"):
        return frozenset(), frozenset([value[:-1]])
    return frozenset([value]), frozenset()


# Reading text.


#: A piece of an expression: its kind, its text and its position. The kinds are `word`, `quoted`,
#: `operator`, `(`, `)`, `end`, and the key words `and`, `or` and `not`.
Token = tuple[str, str, int]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<word>[A-Za-z0-9\-_,./*@+]+)
      | (?P<operator>[!<>]=|[=<>])
      | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<parenthesis>[()])
      | (?P<end>\Z)
      | (?P<fault>\S)
    )""",
    re.VERBOSE | re.DOTALL,
)
_KEY = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?\Z")
_KEY_WORDS = frozenset({"and", "or", "not"})
_ESCAPED = re.compile(r"""\\(["'\\])""")


def _tokens(text: str) -> list[Token]:
    """Return the pieces of *text*; the last one is of the kind `end`.

    Raise :exc:`~ftrack_like.exception.ParseError` if there is something that is none.
    """
    tokens: list[Token] = []
    for fit in _TOKEN.finditer(text):
        kind = fit.lastgroup or ""
        piece, position = fit.group(kind), fit.start(kind)
        if kind == "operator":
            # A key word before an operator is a key that looks like it.
            if tokens and tokens[-1][0] in _KEY_WORDS:
                tokens[-1] = ("word", *tokens[-1][1:])
        elif kind == "word":
            if piece.lower() in _KEY_WORDS and (not tokens or tokens[-1][0] != "operator"):
                kind = piece.lower()
        elif kind == "parenthesis":
            kind = piece
        elif kind == "fault":
            raise _fault(text, position)
        tokens.append((kind, piece, position))
    return tokens


def _fault(text: str, position: int) -> ParseError:
    character = text[position]
    reason = (
        "this quote is never closed"
        if character in "\"'"
        else f"{character!r} cannot stand here; put values with such characters in quotes"
    )
    return _parse_error(text, position, reason)


class Parser:
    """Turn text into an expression.

    A parser keeps nothing between calls, so that one may serve every thread.
    """

    def __init__(self) -> None:
        """Initialise the parser."""

    def parse(self, expression: str) -> Expression:
        """Return the expression that the text *expression* describes.

        Raise :exc:`~ftrack_like.exception.ParseError` if the text breaks the rules. The error's
        details tell the `position`, counted in characters from 0.
        """
        return _Descent(expression).parse()


class _Descent:
    """One reading of one text, from the loosest rule down to the tightest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._tokens = iter(_tokens(text))
        self._kind, self._piece, self._position = next(self._tokens)

    def parse(self) -> Expression:
        expression = self._any()
        if self._kind != "end":
            self._fail("and, or or the end of the text")
        return expression

    def _any(self) -> Expression:
        first = self._all()
        if self._kind != "or":
            return first
        members = [first]
        while self._kind == "or":
            self._advance()
            members.append(self._all())
        return Any(members)

    def _all(self) -> Expression:
        first = self._single()
        if self._kind != "and":
            return first
        members = [first]
        while self._kind == "and":
            self._advance()
            members.append(self._single())
        return All(members)

    def _single(self) -> Expression:
        if self._kind == "word":
            return self._condition()
        if self._kind not in ("not", "("):
            self._fail("a key such as topic or data.id")
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            self._fail(f"at most {MAXIMUM_DEPTH} levels of parentheses and not")
        if self._take(self._kind, "") == "(":
            expression = self._any()
            self._take(")", "a closing parenthesis")
        else:
            expression = Not(self._single())
        self._depth -= 1
        return expression

    def _condition(self) -> Condition:
        if not _KEY.match(self._piece):
            self._fail("a key such as topic or data.id")
        key = self._take("word", "a key")
        symbol = self._take("operator", "an operator (= != >= <= > <)")
        if self._kind == "quoted":
            quoted = self._take("quoted", "a value")
            return Condition(key, symbol, _ESCAPED.sub(r"\1", quoted[1:-1]))
        return Condition(key, symbol, self._take("word", "a value, bare or in quotes"))

    def _take(self, kind: str, wanted: str) -> str:
        if self._kind != kind:
            self._fail(wanted)
        piece = self._piece
        self._advance()
        return piece

    def _advance(self) -> None:
        self._kind, self._piece, self._position = next(self._tokens)

    def _fail(self, wanted: str) -> NoReturn:
        found = "the end" if self._kind == "end" else repr(self._piece)
        raise _parse_error(self._text, self._position, f"expected {wanted}, found {found}")


def _parse_error(text: str, position: int, reason: str) -> ParseError:
    return ParseError(
        "Failed to parse the event expression at character {position}: {reason}. "
        "The expression is: {expression}",
        details={"expression": text, "position": position, "reason": reason},
    )
