"""Select the subscribers for an event, with one evaluation of each distinct expression.

Many subscribers have the same conditions, and most conditions ask whether a value of the event is
equal to some text. A :class:`Selector` looks such a value up once and finds the subscribers in a
dictionary. It evaluates each other expression once, however many subscribers have it.

Everything in this module is pure. Threads may share a selector.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Callable, NamedTuple, Optional

from ftrack_like.wire.comparison import compares_plainly
from ftrack_like.wire.expression import (
    Expression,
    Matcher,
    Term,
    term_of,
)

__all__ = ["Matches", "Selector"]

#: Stands for the value of a key that an event lacks.
_MISSING = object()
#: The types of JSON values. A condition on a list or a mapping depends on the type only, so it
#: does not matter if their content changes.
_JSON_TYPES = frozenset({str, int, float, bool, type(None), dict, list, type(_MISSING)})

#: The values of an event under the keys of a selector.
Values = tuple[object, ...]
Reader = Callable[[Mapping[str, object]], Optional[Values]]
Check = Callable[[Mapping[str, object], Values], Optional[bool]]


class _Table(NamedTuple):
    """The terms that need one value of an event to be equal to some text.

    *exact* and *partial* contain the positions of entries by that text. The entries in *partial*
    have more conditions, which the matcher evaluates. *terms* contains all of them, for a value
    that is not text.
    """

    exact: dict[str, list[int]]
    partial: dict[str, list[tuple[Matcher, list[int]]]]
    terms: list[tuple[Matcher, list[int]]]


class Matches(NamedTuple):
    """The entries that match one event: their *positions*, in order.

    *values* are the values of the event that decided. ``holds(fields, values)`` returns whether the
    event still has them.
    """

    positions: Sequence[int]
    values: Values
    holds: Check


class Selector:
    """Finds which of several expressions match an event about one topic."""

    def __init__(self, topic: str, entries: Iterable[tuple[Expression, Matcher]]) -> None:
        """Initialise for events about *topic*; *entries* are expressions, each with its matcher.

        Raise :exc:`ValueError` if an expression is an instance of a subclass.
        """
        self._always: list[int] = []
        # For this topic, one matcher decides for all expressions with the same term.
        distinct: dict[Term, tuple[Matcher, list[int]]] = {}
        count = 0
        for position, (expression, matcher) in enumerate(entries):
            count += 1
            term = _term_of(expression, topic)
            if term is True:
                self._always.append(position)
            elif term is not False:
                known = distinct.get(term)
                if known is None:
                    known = distinct[term] = (matcher, [])
                known[1].append(position)
        keys = sorted({key for term in distinct for key in _keys_in(term)} | {"topic"})
        self._places = {key: place for place, key in enumerate(keys)}
        # They read the values of all keys in the fields of an event, and compare them.
        self._read, self._holds, self._all_hold = _compile(tuple(keys))
        self._tables: dict[str, _Table] = {}
        self._others: list[tuple[Matcher, list[int]]] = []
        for term, (matcher, positions) in distinct.items():
            self._enter(term, matcher, positions)
        #: For each position, and for the end, the first position from there on whose entry has
        #: conditions on more than the topic.
        self.next_conditional = _next_of((positions for _, positions in distinct.values()), count)

    def select(self, fields: Mapping[str, object]) -> Optional[Matches]:
        """Return the entries that match the event with *fields*.

        Return None if a value is not a JSON value: only each expression itself can decide then.
        """
        values = self._read(fields)
        if values is None or not _JSON_TYPES.issuperset(map(type, values)):
            return None
        found = self._found(fields, values)
        holds = self._holds if _MISSING in values else self._all_hold
        return Matches(sorted(self._always + found) if found else self._always, values, holds)

    def _found(self, fields: Mapping[str, object], values: Values) -> list[int]:
        found: list[int] = []
        candidates = self._others
        for key, table in self._tables.items():
            value = values[self._places[key]]
            if type(value) is str:
                found += table.exact.get(value, ())
                candidates = candidates + table.partial.get(value, [])
            elif value is not _MISSING:
                candidates = candidates + table.terms
        for matcher, positions in candidates:
            if matcher(fields):
                found += positions
        return found

    def _enter(self, term: Term, matcher: Matcher, positions: list[int]) -> None:
        equality = _equality(term)
        if equality is None:
            self._others.append((matcher, positions))
            return
        table = self._tables.setdefault(equality.key, _Table({}, {}, []))
        table.terms.append((matcher, positions))
        text = str(equality.value)
        if equality is term:
            table.exact[text] = positions
        else:
            table.partial.setdefault(text, []).append((matcher, positions))


def _next_of(positions: Iterable[list[int]], count: int) -> list[int]:
    """Return the first of *positions* that is not before each place from 0 to *count*.

    It is *count* where none follows.
    """
    wanted = set(chain.from_iterable(positions))
    following = [count]
    for place in range(count - 1, -1, -1):
        following.append(place if place in wanted else following[-1])
    return following[::-1]


def _equality(term: Term) -> Optional[Term]:
    """Return a condition that asks for equal text and that *term* cannot do without, or None."""
    for one in term.terms if term.kind == "and" else (term,):
        if one.comparison is not None and compares_plainly(one.comparison, one.value):
            return one
    return None


def _keys_in(term: Term) -> Iterator[str]:
    """Generate the keys of the conditions in *term*."""
    if term.kind == "condition":
        yield term.key
    for one in term.terms:
        yield from _keys_in(one)


_term_of = functools.lru_cache(maxsize=4096)(term_of)


@functools.lru_cache(maxsize=256)  # the subscribers of most topics have the same keys
def _compile(keys: tuple[str, ...]) -> tuple[Reader, Check, Check]:
    """Return a function that reads the values of *keys*, and two that compare them.

    They are made from source text. A check runs after most callbacks, and a loop over the keys
    takes four times as long. The second check is for values of which none is missing; it takes half
    as long as the first. Keys get into the text as literals only.
    """
    names: dict[tuple[str, ...], str] = {(): "fields"}
    steps: list[str] = []
    values: list[str] = []
    for key in keys:
        *parents, name = key.split(".")
        for length in range(1, len(parents) + 1):
            path = tuple(parents[:length])
            if path not in names:
                names[path] = f"mapping_{len(names)}"
                steps += (
                    f"{names[path]} = {names[path[:-1]]}.get({path[-1]!r}, NOTHING)",
                    f"if type({names[path]}) is not dict:",
                    f"    if isinstance({names[path]}, Mapping): return None",
                    f"    {names[path]} = NOTHING",
                )
        values.append(f"{names[tuple(parents)]}.get({name!r}, MISSING)")
    same = " and ".join(f"{value} is values[{place}]" for place, value in enumerate(values))
    source = [
        "def read(fields):",
        *(f"    {step}" for step in steps),
        f"    return ({', '.join(values)},)",
        "def holds(fields, values):",
        *(f"    {step}" for step in steps),
        f"    return {same}",
        "def all_hold(fields, values):",
        "    try:",
        *(f"        {step}" for step in _short_steps(names)),
        f"        return {_short_comparison(keys, names)}",
        "    except KeyError:",
        "        return False",
    ]
    space: dict[str, typing.Any] = {"MISSING": _MISSING, "Mapping": Mapping, "NOTHING": {}}
    exec("\n".join(source), space)
    return space["read"], space["holds"], space["all_hold"]


def _short_steps(names: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    """Yield the lines that find the mappings *names*, a name by path, if all of them exist."""
    for path, name in names.items():
        if path:
            yield f"{name} = {names[path[:-1]]}[{path[-1]!r}]"
            yield f"if type({name}) is not dict: return holds(fields, values)"


def _short_comparison(keys: Sequence[str], names: Mapping[tuple[str, ...], str]) -> str:
    """Return the expression that all values of *keys* in the mappings *names* are the same."""
    paths = [key.split(".") for key in keys]
    found = [f"{names[tuple(path[:-1])]}[{path[-1]!r}]" for path in paths]
    return " and ".join(f"{each} is values[{place}]" for place, each in enumerate(found))
