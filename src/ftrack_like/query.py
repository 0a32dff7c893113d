"""Results of queries, loaded a page at a time as they are looked at."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, cast

from ftrack_like import exception
from ftrack_like._literals import bind
from ftrack_like._suggest import did_you_mean

__all__ = [
    "Outline",
    "QueryResult",
    "bind",
    "check_progress",
    "load_first_pages",
    "outline",
    "prepare",
]

#: Texts in quotes and words, the parts that an outline is made of, and brackets.
_TOKEN = re.compile(
    r"""
    (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<bracket>[()])
    | (?P<word>[^\s"'(),]+)
    """,
    re.VERBOSE | re.DOTALL,
)


#: Whether the server may count for ``len()``. A program that makes a list asks for the iterator
#: first and then for the length, and so shows that it reads all; until Python 3.10 not so.
_COUNTS = sys.version_info >= (3, 10)


class Outline(NamedTuple):
    """What the client has to know of an expression; its meaning is the server's."""

    #: The expression without what the client says by itself: limit and offset.
    text: str
    #: The type that is queried, or None where none can be made out.
    entity_type: Optional[str]
    #: Whether projections are stated.
    has_projections: bool
    limit: Optional[int]
    offset: Optional[int]


@functools.lru_cache(maxsize=128)
def outline(expression: str) -> Outline:
    """Return the outline of the query *expression*.

    Keywords count in any case and with any white space, but not inside quotes or brackets.
    """
    words = _plain_words(expression)
    text, numbers = _cut_bounds(expression, words)
    lowered = [match.group().lower() for match in words]
    has_projections = lowered[:1] == ["select"]
    if has_projections:
        found = _type_after_from(expression, words, lowered)
    else:
        found = words[0] if words else None
    entity_type = None if found is None else found.group()
    return Outline(text, entity_type, has_projections, numbers.get("limit"), numbers.get("offset"))


def _plain_words(expression: str) -> list[re.Match[str]]:
    """Return the matches of the words of *expression* outside quotes and brackets.

    What stands in brackets (a sub-query, say) has bounds and projections of its own.
    """
    depth = 0
    words = []
    for match in _TOKEN.finditer(expression):
        if match.lastgroup == "bracket":
            depth += 1 if match.group() == "(" else -1
        elif match.lastgroup == "word" and depth <= 0:
            words.append(match)
    return words


def _type_after_from(
    expression: str, words: list[re.Match[str]], lowered: list[str]
) -> Optional[re.Match[str]]:
    """Return the match of the word after the ``from`` that ends the projections.

    A projection may be called ``from`` too; then a comma stands beside it.
    """
    for index in range(1, len(words) - 1):
        if lowered[index] != "from":
            continue
        before = expression[words[index - 1].end() : words[index].start()]
        after = expression[words[index].end() : words[index + 1].start()]
        is_only_projection = index == 1 and lowered[2] == "from"
        if "," not in before and "," not in after and not is_only_projection:
            return words[index + 1]
    return None


def count_expression(expression: str, key: str) -> str:
    """Return the query for how many values of *key*, an attribute, *expression* finds.

    *expression* states projections, but no bounds.
    """
    words = _plain_words(expression)
    lowered = [match.group().lower() for match in words]
    found = _type_after_from(expression, words, lowered) or words[0]
    ends = [
        match.start()
        for index, match in enumerate(words[:-1])
        if lowered[index : index + 2] == ["order", "by"] and match.start() > found.start()
    ]
    body = expression[found.start() : ends[-1] if ends else None]
    return f"select count({key}) from {body.strip()}"


def prepare(expression: str, types: Mapping[str, Any]) -> str:
    """Return *expression* with the default projections of its type, if it states none.

    *types* maps names to entity classes. Raise
    :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError`, a :exc:`KeyError`, if the type is
    not one of them.
    """
    parts = outline(expression)
    name = parts.entity_type or ""
    if name not in types:
        if not name and parts.has_projections:
            return expression  # The server says best what is wrong with it.
        raise exception.UnrecognisedEntityTypeError(name, suggestion=did_you_mean(name, types))
    if parts.has_projections:
        return expression
    projections = types[name].default_projections
    return f"select {', '.join(projections)} from {expression.strip()}"


def _cut_bounds(expression: str, words: list[re.Match[str]]) -> tuple[str, dict[str, int]]:
    """Return *expression* without its limit and offset, and their numbers by keyword."""
    numbers: dict[str, int] = {}
    spans = []
    for keyword, number in zip(words, words[1:]):
        name = keyword.group().lower()
        if name in {"limit", "offset"} and number.group().isdigit():
            numbers[name] = int(number.group())
            spans.append((keyword.start(), number.end()))
    for start, end in reversed(spans):
        expression = expression[:start].rstrip() + " " + expression[end:].lstrip()
    return expression.strip(), numbers


def check_progress(expression: str, offset: int, following: Optional[int]) -> None:
    """Raise an error when the page *following* that at *offset* of *expression* leads nowhere."""
    if following is not None and following <= offset:
        raise exception.ServerAnswerError(
            f"The server answered the page at offset {offset} of {expression!r} "
            f"with a next offset of {following}, which would never end."
        )


def load_first_pages(session: Any, results: Iterable[QueryResult]) -> None:
    """Load the next page of each of *results*, all of *session*, in one call."""
    waiting = [(result, page) for result in results if (page := result._next_page()) is not None]
    if not waiting:
        return
    pages = session._loader.fetch_many([page for _, page in waiting])
    for (result, _), (found, following) in zip(waiting, pages):
        result._take(cast(int, result._next_offset), found, following)


class QueryResult(Sequence[Any]):
    """The entities that a query finds, in order.

    Nothing is asked of the server before it is needed: a page is loaded when an entity on it is
    looked at, and all pages for the length.
    """

    OFFSET_EXPRESSION = re.compile(r"(?P<offset>offset (?P<value>\d+))", re.IGNORECASE)
    LIMIT_EXPRESSION = re.compile(r"(?P<limit>limit (?P<value>\d+))", re.IGNORECASE)

    def __init__(self, session: Any, expression: str, page_size: int = 500) -> None:
        """Initialise the result of *expression* in *session*, loaded *page_size* at a time.

        An expression with a limit is loaded in pages too, as far as the limit.
        """
        super().__init__()
        self._session = session
        self._page_size = _checked_size(page_size)
        parts = outline(expression)
        self._expression = parts.text
        self._limit = parts.limit
        self._offset = parts.offset
        self._next_offset: Optional[int] = parts.offset or 0
        self._results: list[Any] = []
        self._entity_type = parts.entity_type
        #: How many there are, as the server has counted; None while it has not.
        self._count: Optional[int] = None
        #: Whether somebody has begun to go through all.
        self._is_read = False

    def __repr__(self) -> str:
        """Return a text with the expression and how much is loaded. Never ask the server."""
        more = "all" if self._is_complete() else "more to come"
        return f"<{type(self).__name__} {self._expression!r}: {len(self._results)} loaded, {more}>"

    def _is_complete(self) -> bool:
        """Return whether everything is loaded."""
        return self._next_offset is None

    def _load_page(self) -> None:
        """Load the next page. Raise an error if the server sends one that leads nowhere."""
        page = self._next_page()
        if page is not None:
            offset = cast(int, self._next_offset)
            self._take(offset, *self._session._loader.fetch(page))

    def _next_page(self) -> Optional[str]:
        """Return the expression of the next page; None if the limit leaves nothing to load."""
        size = self._page_size
        if self._limit is not None:
            size = min(size, self._limit - len(self._results))
        if size <= 0:
            self._next_offset = None
            return None
        return f"{self._expression} offset {self._next_offset} limit {size}"

    def _take(self, offset: int, found: list[Any], following: Optional[int]) -> None:
        """Take over the page at *offset* with the entities *found*; the next is at *following*."""
        check_progress(self._expression, offset, following)
        self._results.extend(found)
        if self._limit is not None and len(self._results) >= self._limit:
            following = None
        self._next_offset = following

    def _load_to(self, count: Optional[int]) -> list[Any]:
        """Load until there are *count* entities, or all when it is None; return them."""
        while not self._is_complete() and (count is None or len(self._results) < count):
            self._load_page()
        return self._results

    def __getitem__(self, index: Any) -> Any:
        """Return the entity at *index*, or a list of entities for a slice."""
        return self._load_to(_needed(index))[index]

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the entities, loading pages on the way."""
        self._is_read = True
        return self._iterate()

    def __reversed__(self) -> Iterator[Any]:
        """Iterate over the entities, the last one first."""
        return iter(self._load_to(None)[::-1])

    def _iterate(self) -> Iterator[Any]:
        """Yield the entities."""
        position = 0
        while True:
            while position < len(self._results):
                yield self._results[position]
                position += 1
            if self._is_complete():
                return
            self._load_page()

    def iterate(
        self, page_size: Optional[int] = None, keep: bool = False, prefetch: bool = False
    ) -> Iterator[Any]:
        """Return an iterator over the entities that holds one page of them at a time.

        With it any number of entities can be gone through in memory that does not grow. When
        the next page is begun, the session forgets what came with the last one, and what was
        loaded on demand for that: as long as others hold such an entity, it stays the one of
        its identity, and what is changed is held until it is committed. With *keep* the session
        holds everything, as with other ways to read a result.

        With *prefetch* the next page is loaded in a thread while the current one is worked on.
        *page_size* entities come with each request, None means the size of the result's pages.
        What this result has loaded before is loaded again, unless that was all.
        """
        if self._is_complete():
            return iter(self._results)
        entities: Iterator[Any] = self._session._loader.stream(
            self._expression,
            (self._offset or 0, self._limit),
            self._page_size if page_size is None else _checked_size(page_size),
            keep,
            prefetch,
        )
        return entities

    def __len__(self) -> int:
        """Return the number of entities.

        What fits one page is loaded for it. Where there is more the server is asked to count,
        unless somebody reads all of it anyway, or the server cannot.
        """
        if not self._results:
            self._load_to(1)
        if self._count is None and not self._is_read and not self._is_complete() and _COUNTS:
            self._count = self._counted()
        if self._count is None or self._is_complete():
            return len(self._load_to(None))
        return self._count

    def _counted(self) -> Optional[int]:
        """Return how many entities the server counts, None if that cannot be or is not so."""
        total = self._session._loader.count(self._expression, self._entity_type)
        if total is None:
            return None
        total -= self._offset or 0
        if self._limit is not None:
            total = min(total, self._limit)
        return total if total > len(self._results) else None  # There is another page.

    def all(self) -> list[Any]:
        """Return a list of all entities."""
        return list(self._load_to(None))

    def __bool__(self) -> bool:
        """Return whether anything is found, loading no more than a page for it."""
        return bool(self._load_to(1))

    def one(self) -> Any:
        """Return the only entity, asking for at most two.

        Raise :exc:`~ftrack_like.exception.NoResultFoundError` if there is none,
        :exc:`~ftrack_like.exception.MultipleResultsFoundError` if there are more, and
        :exc:`ValueError` if the expression has a limit or an offset.
        """
        self._refuse_limit("one")
        if self._offset is not None:
            raise ValueError(
                "one() asks whether there is a single entity, which an offset makes no sense "
                f"for: {self._expression!r} offset {self._offset}."
            )
        found = self._some(2)
        if len(found) == 1:
            return found[0]
        wrong = exception.MultipleResultsFoundError if found else exception.NoResultFoundError
        raise wrong(f"{wrong.default_message}\nThe query: {self._expression}")

    def first(self) -> Any:
        """Return the first entity, or None if there is none.

        Raise :exc:`ValueError` if the expression has a limit.
        """
        self._refuse_limit("first")
        found = self._some(1)
        return found[0] if found else None

    def _refuse_limit(self, name: str) -> None:
        """Raise :exc:`ValueError` if the expression has a limit, which *name* sets by itself."""
        if self._limit is not None:
            raise ValueError(
                f"{name}() sets the limit itself, but the expression has one: "
                f"{self._expression!r} limit {self._limit}."
            )

    def _some(self, count: int) -> list[Any]:
        """Return up to *count* entities, without loading a whole page for them."""
        if self._results or self._is_complete():
            return self._load_to(count)[:count]
        offset = "" if self._offset is None else f" offset {self._offset}"
        found: list[Any] = self._session._loader.fetch(f"{self._expression}{offset} limit {count}")[
            0
        ]
        return found[:count]


def _checked_size(page_size: int) -> int:
    """Return *page_size*; :exc:`ValueError` if no page can be so small."""
    if page_size < 1:
        raise ValueError(f"A page holds at least one entity: page_size is {page_size!r}.")
    return page_size


def _needed(index: Any) -> Optional[int]:
    """Return how many entities must be loaded for *index*; None means all."""
    if isinstance(index, slice):
        bounds = (index.start or 0, index.stop, index.step or 1)
        if bounds[1] is None or any(bound < 0 for bound in bounds):
            return None
        return int(max(bounds[:2]))
    return int(index) + 1 if index >= 0 else None
