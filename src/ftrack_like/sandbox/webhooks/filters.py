"""The filters of triggers: conditions on the body of a webhook.

::

    entity.entity_type = "Task" and entity.new.status_id != entity.old.status_id

A filter compares paths with texts in double quotes, or paths with paths, by ``=`` and ``!=``.
``and`` binds closer than ``or``. In a text, a backslash precedes a double quote or a backslash.
Paths lead into the body. :func:`parse_filter` rejects paths that never lead anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

from ftrack_like.sandbox.language import ExpressionError, did_you_mean

__all__ = ["OPERATIONS", "Filter", "parse_filter"]

#: The maximum number of characters in a filter.
_LONGEST = 4_000

#: The operations that trigger webhooks.
OPERATIONS = ("create", "update")

#: The paths to single values of a body.
_PATHS = (
    "id",
    "fez_id",
    "metadata.date",
    "metadata.resource_id",
    "metadata.server_url",
    "metadata.configuration_hash",
    "entity.id",
    "entity.entity_type",
    "entity.operation",
)

#: The beginnings of the paths to attributes of the entity.
_ATTRIBUTES = ("entity.new.", "entity.old.")

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>!=|=)|(?P<word>[A-Za-z_][\w.]*)|(?P<other>\S))',
    re.ASCII | re.DOTALL,
)

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

_EXAMPLE = 'entity.entity_type = "Task"'

#: Signs and words that people know from other languages, and the remedy for each.
_REMEDIES = {
    "(": "Filters have no brackets. 'and' binds closer than 'or'.",
    ")": "Filters have no brackets. 'and' binds closer than 'or'.",
    "'": "Put texts in double quotes.",
    '"': "The text has no closing double quote.",
    "<": "Filters only compare with = and !=.",
    ">": "Filters only compare with = and !=.",
    "!": "Write != for 'is not equal'.",
    "is": "Write = for 'is equal'.",
    "is_not": "Write != for 'is not equal'.",
    "not": "Write != for 'is not equal'.",
    "in": "Compare with each value, and write 'or' between the comparisons.",
    "like": "Filters only compare with = and !=.",
}


class _Token(NamedTuple):
    """A part of a filter at *position*. *kind* is a group of ``_TOKEN``, or ``end``."""

    kind: str
    text: str
    position: int


@dataclass(frozen=True)
class _Path:
    """The names that lead from the body to a value."""

    names: tuple[str, ...]

    def value(self, body: Mapping[str, Any]) -> Any:
        """Return the value at the path, None if there is none."""
        found: Any = body
        for name in self.names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


@dataclass(frozen=True)
class _Comparison:
    """A path, whether it must be equal, and the text or path with which it is compared."""

    path: _Path
    equal: bool
    other: Union[_Path, str]

    def uses(self, name: str) -> bool:
        """Return whether one of the paths contains *name*."""
        return any(name in one.names for one in (self.path, self.other) if isinstance(one, _Path))

    def holds(self, body: Mapping[str, Any]) -> bool:
        """Return whether the comparison is true for *body*."""
        value = self.path.value(body)
        if isinstance(self.other, str):
            return _is_written(value, self.other) == self.equal
        return bool(value == self.other.value(body)) == self.equal


@dataclass(frozen=True)
class Filter:
    """A parsed filter: alternatives, each with comparisons that must all be true."""

    alternatives: tuple[tuple[_Comparison, ...], ...]

    def uses(self, name: str) -> bool:
        """Return whether a path of the filter contains *name*."""
        return any(one.uses(name) for each in self.alternatives for one in each)

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Return whether the filter selects the webhook with *body*."""
        return any(all(one.holds(body) for one in each) for each in self.alternatives)


def parse_filter(text: str, attributes: Optional[Set[str]] = None) -> Filter:
    """Return the filter in *text*.

    *attributes* are the names that may follow ``entity.new`` and ``entity.old``. With None, every
    name may. Raise :exc:`ExpressionError` with the position of the first mistake.
    """
    if len(text) > _LONGEST:
        raise ExpressionError(f"A filter has at most {_LONGEST} characters.", _LONGEST, text)
    return _Parser(text, attributes).filter()


class _Parser:
    """Reads one filter from left to right."""

    def __init__(self, text: str, attributes: Optional[Set[str]]) -> None:
        self._text = text
        self._attributes = attributes
        self._tokens = _tokens(text)
        self._next = next(self._tokens)

    def filter(self) -> Filter:
        """Return the whole filter."""
        alternatives = []
        comparisons = [self._comparison()]
        while self._next.kind != "end":
            token = self._take()
            if token.text not in {"and", "or"}:
                raise self._error("'and' or 'or' must follow a comparison.", token)
            if token.text == "or":
                alternatives.append(tuple(comparisons))
                comparisons = []
            comparisons.append(self._comparison())
        return Filter((*alternatives, tuple(comparisons)))

    def _comparison(self) -> _Comparison:
        start = self._next
        left = self._operand()
        sign = self._take()
        if sign.kind != "sign":
            raise self._error("= or != must follow here.", sign)
        place = self._next
        right = self._operand()
        if isinstance(left, str):
            left, right, place = right, left, start
        if isinstance(left, str):
            raise self._error(f"One side must be a path, as in {_EXAMPLE}.", start)
        if left.names == ("entity", "operation") and isinstance(right, str):
            self._check_operation(right, place)
        return _Comparison(left, sign.text == "=", right)

    def _operand(self) -> Union[_Path, str]:
        token = self._take()
        if token.kind == "text":
            return _ESCAPED.sub(r"\1", token.text[1:-1])
        if token.kind == "word" and token.text not in {"and", "or"}:
            self._check_path(token)
            return _Path(tuple(token.text.split(".")))
        raise self._error(
            f"A path or a text in double quotes must follow, as in {_EXAMPLE}.", token
        )

    def _check_path(self, token: _Token) -> None:
        """Raise :exc:`ExpressionError` if the path in *token* leads nowhere."""
        if token.text in _PATHS:
            return
        for start in _ATTRIBUTES:
            name = token.text[len(start) :]
            if not token.text.startswith(start) or not name or "." in name:
                continue
            if self._attributes is None or name in self._attributes:
                return
            near = did_you_mean(name, self._attributes)
            place = token.position + len(start)
            message = f"No entity has the attribute {name!r}.{near}"
            raise ExpressionError(message, place, self._text)
        known = ", ".join((*_PATHS, *(f"{start}<attribute>" for start in _ATTRIBUTES)))
        near = did_you_mean(token.text, _PATHS)
        message = f"The body has no value {token.text!r}.{near} The paths are {known}."
        raise self._error(message, token)

    def _check_operation(self, value: str, token: _Token) -> None:
        if value not in OPERATIONS:
            wanted = " and ".join(map(repr, OPERATIONS))
            raise self._error(f"Only {wanted} trigger webhooks, not {value[:20]!r}.", token)

    def _take(self) -> _Token:
        token = self._next
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def _error(self, message: str, token: _Token) -> ExpressionError:
        lowered = token.text.lower()
        remedy = _REMEDIES.get(lowered)
        if remedy is None and lowered in {"and", "or"} and token.text != lowered:
            remedy = f"Write {lowered!r} in lower case."
        return ExpressionError(remedy or message, token.position, self._text)


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the tokens of *text*; the last one has the kind ``end``."""
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            yield _Token("end", "", len(text))
            return
        kind = str(match.lastgroup)
        yield _Token(kind, match.group(kind), match.start(kind))
        position = match.end()


def _is_written(value: Any, text: str) -> bool:
    """Return whether *text* is the written form of *value*. No text is the form of None."""
    if isinstance(value, str):
        return value == text
    if isinstance(value, bool):
        return text == str(value).lower()
    if isinstance(value, (int, float)):
        try:
            return float(text) == value
        except ValueError:
            return False
    if isinstance(value, list):  # the key of the entity
        return len(value) == 1 and _is_written(value[0], text)
    return False
