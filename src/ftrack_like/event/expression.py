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
from typing import Callable, NamedTuple, NoReturn, Optional, Union

from ftrack_like import exception
from ftrack_like.event.comparison import OPERATORS, Comparison, tester

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
SYMBOLS = {comparison: symbol for symbol, comparison in OPERATORS.items()}

#: Parentheses and `not` may be nested this deep; more is refused rather than overflow the stack.
MAXIMUM_DEPTH = 100

_MISSING = object()


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
    find = _finder(key)
    test = tester(comparison, value)

    def match(candidate: Mapping[str, AnyValue]) -> bool:
        found = find(candidate)
        return found is not _MISSING and test(found)

    return match


def _finder(key: str) -> Callable[[Mapping[str, AnyValue]], AnyValue]:
    """Return a function that gives the value under the dotted *key*, or `_MISSING`."""
    first, *rest = key.split(".")

    def find_here(candidate: Mapping[str, AnyValue]) -> AnyValue:
        try:
            return candidate[first]
        except KeyError:
            return _MISSING

    def find_below(candidate: Mapping[str, AnyValue]) -> AnyValue:
        found = find_here(candidate)
        for part in rest:
            if not (type(found) is dict or isinstance(found, Mapping)):
                return _MISSING
            try:
                found = found[part]
            except KeyError:
                return _MISSING
        return found

    return find_below if rest else find_here


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


class _Token(NamedTuple):
    """A piece of an expression: *kind* is `word`, `quoted`, `operator`, `(`, `)` or `end`."""

    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator>[!<>]=|[=<>])
      | (?P<word>[A-Za-z0-9\-_,./*@+]+)
      | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<parenthesis>[()])
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_KEY = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?\Z")
_ESCAPED = re.compile(r"""\\(["'\\])""")


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
        self._tokens = self._split()
        self._index = 0

    def parse(self) -> Expression:
        expression = self._any()
        if self._token.kind != "end":
            self._fail("and, or or the end of the text")
        return expression

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        position = 0
        while not tokens or tokens[-1].kind != "end":
            fit = _TOKEN.match(self._text, position)
            if fit is None:
                self._fail_at_character(position)
            kind = str(fit.lastgroup)
            text = fit.group(kind)
            start = fit.start(kind)
            tokens.append(_Token(text if kind == "parenthesis" else kind, text, start))
            position = fit.end()
        return tokens

    @property
    def _token(self) -> _Token:
        return self._tokens[self._index]

    def _is_word(self, word: str) -> bool:
        """Return whether the token is the key *word* and not a key that looks like it."""
        token = self._token
        if token.kind != "word" or token.text.lower() != word:
            return False
        return self._tokens[self._index + 1].kind != "operator"

    def _any(self) -> Expression:
        members = [self._all()]
        while self._is_word("or"):
            self._index += 1
            members.append(self._all())
        return members[0] if len(members) == 1 else Any(members)

    def _all(self) -> Expression:
        members = [self._single()]
        while self._is_word("and"):
            self._index += 1
            members.append(self._single())
        return members[0] if len(members) == 1 else All(members)

    def _single(self) -> Expression:
        negated, grouped = self._is_word("not"), self._token.kind == "("
        if not (negated or grouped):
            return self._condition()
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            self._fail(f"at most {MAXIMUM_DEPTH} levels of parentheses and not")
        self._index += 1
        expression = Not(self._single()) if negated else self._any()
        if grouped:
            self._take(")", "a closing parenthesis")
        self._depth -= 1
        return expression

    def _condition(self) -> Condition:
        if not (self._token.kind == "word" and _KEY.match(self._token.text)):
            self._fail("a key such as topic or data.id")
        key = self._take("word", "a key")
        symbol = self._take("operator", "an operator (= != >= <= > <)")
        if self._token.kind == "quoted":
            quoted = self._take("quoted", "a value")
            return Condition(key, symbol, _ESCAPED.sub(r"\1", quoted[1:-1]))
        return Condition(key, symbol, self._take("word", "a value, bare or in quotes"))

    def _take(self, kind: str, wanted: str) -> str:
        token = self._token
        if token.kind != kind:
            self._fail(wanted)
        self._index += 1
        return token.text

    def _fail(self, wanted: str) -> NoReturn:
        token = self._token
        found = "the end" if token.kind == "end" else repr(token.text)
        raise _parse_error(self._text, token.position, f"expected {wanted}, found {found}")

    def _fail_at_character(self, position: int) -> NoReturn:
        position += len(self._text[position:]) - len(self._text[position:].lstrip())
        character = self._text[position]
        reason = (
            "this quote is never closed"
            if character in "\"'"
            else f"{character!r} cannot stand here; put values with such characters in quotes"
        )
        raise _parse_error(self._text, position, reason)


def _parse_error(text: str, position: int, reason: str) -> exception.ParseError:
    return exception.ParseError(
        "Failed to parse the event expression at character {position}: {reason}. "
        "The expression is: {expression}",
        details={"expression": text, "position": position, "reason": reason},
    )
