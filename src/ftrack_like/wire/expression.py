"""The language of event subscriptions and targets.

An expression is made of conditions, `key.path OP value` with OP one of `= != >= <= > <`, joined
by `and`, `or`, `not` and parentheses; `and` binds tighter than `or`. A value is bare (letters,
digits and `-_,./*@+`) or quoted. A value that ends with a star matches by its prefix.

:mod:`ftrack_like.wire.comparison` defines how values compare. A condition is false if its key is
missing.

Everything in this module is pure and may be used by any thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Callable, NamedTuple, NoReturn, Optional, Union

from ftrack_like._base.errors import ParseError
from ftrack_like.wire.comparison import OPERATORS, Comparison, compares_plainly, tester
from ftrack_like.wire.topics import Topics

__all__ = [
    "All",
    "Any",
    "Condition",
    "Expression",
    "Matcher",
    "Not",
    "Parser",
    "Term",
    "compile_expression",
    "term_of",
    "topics_of",
]

#: A compiled expression: returns whether a mapping matches.
Matcher = Callable[[Mapping[str, object]], bool]
#: Not equal to any value of an event.
_NOTHING = object()
SYMBOLS = {comparison: symbol for symbol, comparison in OPERATORS.items()}

#: The maximum nesting of parentheses and `not`. Deeper text would overflow the stack.
MAXIMUM_DEPTH = 100


class Term(NamedTuple):
    """An expression as a value that can be compared and be the key of a dictionary.

    *kind* is `condition`, which has *key*, *comparison* and *value*, or `and`, `or` or `not`, which
    have *terms*.
    """

    kind: str
    key: str = ""
    comparison: Optional[Comparison] = None
    value: object = None
    terms: tuple[Term, ...] = ()


class Expression:
    """Represent an expression; this one matches everything."""

    def __str__(self) -> str:
        """Return the class as text."""
        return f"<{self.__class__.__name__}>"

    def match(self, candidate: Mapping[str, object]) -> bool:
        """Return whether the mapping *candidate* matches. Its values may be mappings too."""
        return True

    def compiled(self) -> Matcher:
        """Return a function that matches as this class does, without a walk over objects."""
        return self.match

    def topics(self) -> Optional[Topics]:
        """Return the topics that can match, or None if any topic may."""
        return None

    def term(self, topic: str) -> Union[Term, bool]:
        """Return what is left to test if the topic is *topic*; see :func:`term_of`."""
        return True


class _Members(Expression):
    """An expression of several members."""

    def __init__(self, expressions: Optional[Iterable[Expression]] = None) -> None:
        self._expressions = list(expressions or ())

    def __str__(self) -> str:
        """Return the class and the members as text."""
        return f"<{self.__class__.__name__} [{' '.join(map(str, self._expressions))}]>"


class All(_Members):
    """Match when all of several expressions match. Without members, match everything."""

    def match(self, candidate: Mapping[str, object]) -> bool:
        """Return whether every member matches *candidate*."""
        return all(expression.match(candidate) for expression in self._expressions)

    def compiled(self) -> Matcher:
        """Return a function that calls the compiled members."""
        matchers = [compile_expression(member) for member in self._expressions]
        if len(matchers) == 2:  # by far the commonest case, and twice as fast as the general form
            first, second = matchers
            return lambda candidate: first(candidate) and second(candidate)
        return lambda candidate: all(matcher(candidate) for matcher in matchers)

    def term(self, topic: str) -> Union[Term, bool]:
        """Return the terms of the members that are left."""
        return _joined("and", [term_of(member, topic) for member in self._expressions], True)

    def topics(self) -> Optional[Topics]:
        """Return the topics of the member that leaves the fewest."""
        bounds = [bound for bound in map(topics_of, self._expressions) if bound is not None]
        return min(bounds, key=lambda bound: (len(bound.prefixes), len(bound.exact)), default=None)


class Any(_Members):
    """Match when at least one of several expressions matches. Without members, match nothing."""

    def match(self, candidate: Mapping[str, object]) -> bool:
        """Return whether a member matches *candidate*."""
        return any(expression.match(candidate) for expression in self._expressions)

    def compiled(self) -> Matcher:
        """Return a function that calls the compiled members."""
        matchers = [compile_expression(member) for member in self._expressions]
        return lambda candidate: any(matcher(candidate) for matcher in matchers)

    def term(self, topic: str) -> Union[Term, bool]:
        """Return the terms of the members that are left."""
        return _joined("or", [term_of(member, topic) for member in self._expressions], False)

    def topics(self) -> Optional[Topics]:
        """Return the topics of all members together."""
        bounds = [topics_of(member) for member in self._expressions]
        known = [bound for bound in bounds if bound is not None]
        if len(known) < len(bounds):
            return None
        return Topics(
            frozenset(topic for bound in known for topic in bound.exact),
            frozenset(prefix for bound in known for prefix in bound.prefixes),
        )


class Not(Expression):
    """Match when another expression does not match."""

    def __init__(self, expression: Expression) -> None:
        """Initialise with the *expression* to negate."""
        self._expression = expression

    def __str__(self) -> str:
        """Return the class and the negated expression as text."""
        return f"<{self.__class__.__name__} {self._expression}>"

    def match(self, candidate: Mapping[str, object]) -> bool:
        """Return whether the negated expression does not match *candidate*."""
        return not self._expression.match(candidate)

    def compiled(self) -> Matcher:
        """Return a function that calls the compiled expression."""
        matcher = compile_expression(self._expression)
        return lambda candidate: not matcher(candidate)

    def term(self, topic: str) -> Union[Term, bool]:
        """Return the negated term."""
        term = term_of(self._expression, topic)
        return not term if isinstance(term, bool) else Term("not", terms=(term,))


class Condition(Expression):
    """Match when the value under a key satisfies a comparison."""

    def __init__(self, key: str, operator: Union[str, Comparison], value: object) -> None:
        """Initialise with *key*, a dotted path, *operator* and *value*.

        *operator* is one of the symbols `= != >= <= > <` or a function of two values, such as
        those of the module `operator`. *value* is usually text;
        :mod:`ftrack_like.wire.comparison` defines how it compares.

        Raise :exc:`ValueError` if *operator* is an unknown symbol.
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
        """Return the class and the condition as text."""
        symbol = SYMBOLS.get(self._operator) or getattr(self._operator, "__name__", "?")
        return f"<{self.__class__.__name__} {self._key}{symbol}{self._value}>"

    def match(self, candidate: Mapping[str, object]) -> bool:
        """Return whether the value of *candidate* under the key satisfies the comparison."""
        return self._matcher(candidate)

    def compiled(self) -> Matcher:
        """Return the function that the constructor compiled."""
        return self._matcher

    def term(self, topic: str) -> Union[Term, bool]:
        """Return the condition. A condition on the topic is decided."""
        if self._key == "topic":
            return self._matcher({"topic": topic})
        return Term("condition", self._key, self._operator, self._value)

    def topics(self) -> Optional[Topics]:
        """Return the topic or the prefix, if this is a condition on the topic."""
        value = self._value
        if (self._key, self._operator) != ("topic", OPERATORS["="]):
            return None
        if not (isinstance(value, str) and value):
            return None
        if value.endswith("*"):
            return Topics(frozenset(), frozenset([value[:-1]]))
        return Topics(frozenset([value]), frozenset())


#: The classes whose `match` the methods `compiled` and `topics` describe.
_OURS = frozenset({All, Any, Condition, Not})


def compile_expression(expression: Expression) -> Matcher:
    """Return a function that returns whether a mapping matches *expression*.

    For a subclass, which may override `match`, this is `match` itself.
    """
    return expression.compiled() if type(expression) in _OURS else expression.match


def topics_of(expression: Expression) -> Optional[Topics]:
    """Return the topics that *expression* can match, or None if it may match any topic.

    With this bound, the hub and the sandbox visit few subscribers for an event.
    """
    return expression.topics() if type(expression) in _OURS else None


def term_of(expression: Expression, topic: str) -> Union[Term, bool]:
    """Return *expression* as a term for events about *topic*, without conditions on the topic.

    True means that it matches all events about *topic*, and False that it matches none.

    Raise :exc:`ValueError` for a subclass: it may override `match`, which alone decides then.
    """
    if type(expression) not in _OURS:
        raise ValueError(f"{type(expression).__name__} may decide in another way.")
    return expression.term(topic)


def _joined(kind: str, terms: list[Union[Term, bool]], neutral: bool) -> Union[Term, bool]:
    """Return *terms* joined by *kind*. Terms that are *neutral* do not count."""
    if (not neutral) in terms:
        return not neutral
    left = tuple(term for term in terms if isinstance(term, Term))
    if not left:
        return neutral
    return left[0] if len(left) == 1 else Term(kind, terms=left)


def _compile_condition(key: str, comparison: Comparison, value: object) -> Matcher:
    """Return a function that looks *key* up in a mapping and compares the value with *value*."""
    test = tester(comparison, value)
    # Nearly all conditions ask for equal text: they pass without a call of `test`.
    plain = value if compares_plainly(comparison, value) else _NOTHING
    first, *rest = key.split(".")

    def match(candidate: Mapping[str, object]) -> bool:
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

    Raise :exc:`~ftrack_like.exception.ParseError` at a character that starts no piece.
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
    """Parse text into an expression.

    A parser has no state, so all threads may share one.
    """

    def __init__(self) -> None:
        """Initialise the parser."""

    def parse(self, expression: str) -> Expression:
        """Return the expression that the text *expression* describes.

        Raise :exc:`~ftrack_like.exception.ParseError` if the syntax is wrong. The `position` in
        the error's details counts characters from 0.
        """
        return _Descent(expression).parse()


class _Descent:
    """Parse one text by recursive descent, from the loosest operator to the tightest."""

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


#: A topic without the name of its field.
_TOPIC = re.compile(r"[A-Za-z_*][\w*-]*(\.[\w*-]+)+")


def _parse_error(text: str, position: int, reason: str) -> ParseError:
    hint = f" (for a topic, write topic={text.strip()})" if _TOPIC.fullmatch(text.strip()) else ""
    return ParseError(
        "Failed to parse the event expression at character {position}: {reason}. "
        "The expression is: {expression}",
        details={"expression": text, "position": position, "reason": f"{reason}{hint}"},
    )
