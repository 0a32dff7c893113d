"""The small language that says which events a subscriber wants.

An expression is made of conditions, `key.path OP value` with OP one of `= != >= <= > <`, joined
by `and`, `or`, `not` and parentheses; `and` binds tighter than `or`. A value is bare (letters,
digits and `-_,./*@+`) or quoted. A value with a star at its end matches what begins with the rest.

How values compare (what the event carries decides, since an expression holds only text):

* a number compares with a number, `data.frame > 9`;
* text compares with text, but text made of digits compares as a whole number, and text that looks
  like a version compares part by part, so that `3.10.1` comes after `v3.9`;
* what cannot be compared is simply false, and so is any condition on a key that is missing.

Everything here is pure and may be used by any thread.
"""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Iterable, Mapping
from typing import Any as AnyValue
from typing import Callable, NamedTuple, NoReturn, Optional, Union

from ftrack_like import exception

__all__ = ["All", "Any", "Condition", "Expression", "Not", "Parser", "compile_expression"]

#: What an expression becomes: tells whether a mapping matches.
Matcher = Callable[[Mapping[str, AnyValue]], bool]
Comparison = Callable[[AnyValue, AnyValue], bool]

OPERATORS: dict[str, Comparison] = {
    "=": operators.eq,
    "!=": operators.ne,
    ">=": operators.ge,
    "<=": operators.le,
    ">": operators.gt,
    "<": operators.lt,
}
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
        those of the module `operator`. *value* is usually text; see the module about how it
        compares.

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
    test = _tester(comparison, value)

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


def _tester(comparison: Comparison, value: AnyValue) -> Callable[[AnyValue], bool]:
    """Return a function that tells whether a value found in an event compares with *value*."""
    if isinstance(value, str) and value.endswith("*") and comparison in _PREFIX_SENSE:
        prefix, wanted = value[:-1], _PREFIX_SENSE[comparison]
        return lambda found: _begins(found, prefix) is wanted

    def test(found: AnyValue) -> bool:
        try:
            left, right = comparable(found, value, ordered=comparison not in _PREFIX_SENSE)
            return bool(comparison(left, right))
        except TypeError:
            return False

    if comparison is operators.eq and isinstance(value, str):
        # Text is equal to itself: most tests end here.
        return lambda found: found == value or (not isinstance(found, str) and test(found))
    return test


#: The operators that know the star, and whether they hold when the beginning fits.
_PREFIX_SENSE: dict[Comparison, bool] = {operators.eq: True, operators.ne: False}


def _begins(found: AnyValue, prefix: str) -> bool:
    if isinstance(found, str):
        return found.startswith(prefix)
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return str(found).startswith(prefix)
    return False


# Values that compare sensibly.

_WHOLE = re.compile(r"[+-]?[0-9]{1,300}\Z")
_VERSION = re.compile(r"[vV]?([0-9]{1,18}(?:\.[0-9]{1,18}){0,15})([-.]?[A-Za-z][A-Za-z0-9.-]*)?\Z")
_RUNS = re.compile(r"[0-9]+|[^0-9]+")


def comparable(found: AnyValue, value: AnyValue, ordered: bool) -> tuple[AnyValue, AnyValue]:
    """Return *found* and *value* in a form that Python compares as a person would.

    *found* comes from an event, *value* from an expression. *ordered* tells whether the two are
    asked for their order and not just for being equal. The pair may still refuse to compare.
    """
    if not isinstance(value, str):
        return found, value
    if isinstance(found, bool):
        return found, _truth(value)
    if isinstance(found, (int, float)):
        number = _number(value)
        return (str(found), value) if number is None and not ordered else (found, number)
    if isinstance(found, str) and ordered:
        return _ordered_text(found, value)
    return found, value


def _truth(value: str) -> Optional[bool]:
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())


def _number(value: str) -> Union[int, float, None]:
    try:
        return int(value) if _WHOLE.match(value) else float(value)
    except ValueError:
        return None


def _ordered_text(found: str, value: str) -> tuple[AnyValue, AnyValue]:
    if _WHOLE.match(found) and _WHOLE.match(value):
        return int(found), int(value)
    left, right = _version(found), _version(value)
    return (found, value) if left is None or right is None else (left, right)


def _version(text: str) -> Optional[tuple[AnyValue, ...]]:
    """Return a sort key for text that looks like a version, or None.

    Zeros at the end do not count, and a version with letters behind it (`2.0rc1`, `2.0-beta`)
    comes before the one without.
    """
    fit = _VERSION.match(text)
    if fit is None:
        return None
    numbers = [int(part) for part in fit.group(1).split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    letters = [
        (0, int(run), "") if run.isdigit() else (1, 0, run)
        for run in _RUNS.findall((fit.group(2) or "").lstrip("-."))
    ]
    return (numbers, not letters, letters)


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
