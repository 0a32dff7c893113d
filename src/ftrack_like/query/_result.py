"""Results of queries: the entities that a query finds, read like a list."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Optional, SupportsIndex, TypeVar, Union, overload

from ftrack_like import exception
from ftrack_like._collaborators import loader_of
from ftrack_like.query._rows import Rows
from ftrack_like.query._source import Page, Source
from ftrack_like.query._text import outline
from ftrack_like.query._wording import Wording

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["QueryResult", "load_first_pages"]

#: What a query finds: entities, or plain mappings where it groups.
_Row = TypeVar("_Row")

#: Whether the server may count for ``len()``. A program that makes a list asks for the iterator
#: first and then for the length, and so shows that it reads all; until Python 3.10 not so.
_COUNTS = sys.version_info >= (3, 10)

#: The largest position that a server is asked for; further on, the rows are counted first.
_FURTHEST = 2**31 - 1


def load_first_pages(session: Session, results: Iterable[QueryResult[Any]]) -> None:
    """Load the next page of each of *results*, all of *session*, in one call."""
    waiting = []
    for result in results:
        text = result.begin_page()
        if text is not None:
            waiting.append((result, text))
    if not waiting:
        return
    pages = loader_of(session).fetch_many(
        [text for _, text in waiting], None, [result.wording for result, _ in waiting]
    )
    for (result, _), (found, following) in zip(waiting, pages):
        result.take_page(Page(found, following))


class QueryResult(Sequence[_Row]):
    """The entities that a query finds, in order.

    Nothing is asked of the server before it is needed. A page is loaded when an entity on it is
    looked at, and what a slice lacks when it is made.

    Rows that the same session deletes, changes or creates between two requests do not move the
    others: each is found once, at the position where it was. Rows that others delete may; see
    :meth:`iterate`.
    """

    OFFSET_EXPRESSION = re.compile(r"(?P<offset>offset (?P<value>\d+))", re.IGNORECASE)
    LIMIT_EXPRESSION = re.compile(r"(?P<limit>limit (?P<value>\d+))", re.IGNORECASE)

    def __init__(
        self,
        session: Session,
        expression: str,
        page_size: Union[SupportsIndex, str] = 500,
        *,
        wording: Optional[Wording] = None,
    ) -> None:
        """Initialise the result of *expression* in *session*, loaded *page_size* at a time.

        An expression with a limit is loaded in pages too, as far as the limit. *wording* is what
        the author of the query wrote, if that is not *expression*.
        """
        super().__init__()
        self._session = session
        self._page_size = _checked_size(page_size)
        parts = outline(expression)
        self._expression = parts.text
        self._limit = parts.limit
        self._offset = parts.offset
        self.wording: Wording = Wording(expression) if wording is None else wording
        self._source = Source(session, parts, self.wording)
        self._rows = Rows(self._source, self._page_size)
        #: Whether somebody has begun to go through all.
        self._is_read = False

    def __repr__(self) -> str:
        """Return a text with the expression and how much is loaded. Never ask the server."""
        more = "all" if self.is_complete() else "more to come"
        loaded = len(self._rows.first)
        return f"<{type(self).__name__} {self._expression!r}: {loaded} loaded, {more}>"

    def is_complete(self) -> bool:
        """Return whether everything is loaded."""
        return self._rows.is_complete

    @overload
    def __getitem__(self, index: SupportsIndex) -> _Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[_Row]: ...

    def __getitem__(self, index: Union[SupportsIndex, slice]) -> Union[_Row, list[_Row]]:
        """Return the entity at *index*, or a list of entities for a slice.

        What is not loaded yet is asked for by its position, without what stands before it. Where
        an index counts from the end, the server counts first.
        """
        if isinstance(index, slice):
            return self._slice(index)
        try:
            position = operator.index(index)
        except TypeError:
            raise TypeError(
                f"An index of a query result is a number or a slice, not {index!r}."
            ) from None
        found = self._from_end(position) if position < 0 else self._at(position)
        if not found:
            raise IndexError(f"The query result has no entity {index}: {self.wording.bound!r}.")
        return found[0]

    def begin_page(self) -> Optional[str]:
        """Return the query for the page after what is loaded; None if there is none to ask for.

        A page that can only be read by its keys is loaded at once.
        """
        text = self._rows.next_page()
        if text is None and not self.is_complete():
            self._rows.load_page()
        return text

    def take_page(self, page: Page) -> None:
        """Take over *page*, the answer to :meth:`begin_page`."""
        self._rows.take(page)

    def _at(self, position: int) -> list[_Row]:
        """Return a list of the entity at *position*, empty if there is none."""
        if self._limit is not None and position >= self._limit:
            return []
        if position > _FURTHEST and position >= self._rows.total():
            return []
        return self._rows.row(position)

    def _from_end(self, position: int) -> list[_Row]:
        """Return a list of the entity at the negative *position*, empty if there is none."""
        total = self._rows.total()
        found = self._at(position + total) if position + total >= 0 else []
        if found or self.is_complete() or position + total < 0:
            return found
        return self._rows.load_to(None)[position:][:1]  # There are fewer than the server counted.

    def _slice(self, index: slice) -> list[_Row]:
        """Return the entities of the slice *index*, as that of a list would give them."""
        rows = self._rows
        start, stop, step = (
            None if bound is None else operator.index(bound)
            for bound in (index.start, index.stop, index.step)
        )
        step = 1 if step is None else step
        if step == 0:
            raise ValueError("slice step cannot be zero")
        if self.is_complete() or (step == -1 and start is None and stop is None):
            return rows.load_to(None)[index]
        is_sparse = abs(step) > 1 and abs(step) >= self._page_size
        is_counted = (
            (start is not None and (start < 0 or start > _FURTHEST))
            or (stop is not None and stop < 0)
            or (start is None and step < 0)
            or (is_sparse and (stop is None or step < 0))
        )
        if is_counted:
            total = rows.total()
            if self.is_complete():
                return rows.load_to(None)[index]
            found = self._counted(range(*index.indices(total)), is_sparse)
            return rows.load_to(None)[index] if found is None else found
        if step > 0:
            start = 0 if start is None else start
            if is_sparse and stop is not None:
                stop = stop if self._limit is None else min(stop, self._limit)
                return rows.scattered(range(start, max(start, min(stop, _FURTHEST)), step))
            return rows.span(start, stop)[::step]
        # From *start*, or from the last one if there are fewer, downwards.
        assert start is not None
        return rows.span(0 if stop is None else stop + 1, start + 1)[::step]

    def _counted(self, positions: range, is_sparse: bool) -> Optional[list[_Row]]:
        """Return the entities at *positions*, None if there are fewer than the server counted."""
        if not positions:
            return []
        rising = positions if positions.step > 0 else positions[::-1]
        if is_sparse:
            found = self._rows.scattered(rising)
        else:
            found = self._rows.span(rising[0], rising[-1] + 1)[:: rising.step]
        if len(found) != len(positions):
            return None
        return found if positions.step > 0 else found[::-1]

    def __iter__(self) -> Iterator[_Row]:
        """Iterate over the entities, loading pages on the way."""
        self._is_read = True
        return self._iterate()

    def __reversed__(self) -> Iterator[_Row]:
        """Iterate over the entities, the last one first."""
        return iter(self._rows.load_to(None)[::-1])

    def _iterate(self) -> Iterator[_Row]:
        """Yield the entities."""
        position = 0
        rows = self._rows
        while True:
            while position < len(rows.first):
                yield rows.first[position]
                position += 1
            if rows.is_complete:
                return
            rows.load_page()

    def iterate(
        self,
        page_size: Optional[Union[SupportsIndex, str]] = None,
        keep: bool = False,
        prefetch: bool = False,
        *,
        stable: bool = False,
    ) -> Iterator[_Row]:
        """Return an iterator over the entities that holds one page of them at a time.

        With it any number of entities can be gone through in memory that does not grow. When
        the next page is begun, the session forgets what came with the last one, and what was
        loaded on demand for that: as long as others hold such an entity, it stays the one of
        its identity, and what is changed is held until it is committed. With *keep* the session
        holds everything, as with other ways to read a result.

        With *prefetch* the next page is loaded in a thread while the current one is worked on.
        *page_size* entities come with each request, None means the size of the result's pages.
        What this result has loaded before is loaded again, unless that was all.

        Entities that this session deletes, changes or creates on the way leave none of the others
        out. With *stable* those that others delete do not either: the ids of all are asked for
        first, in pages of 5,000, and then the entities by their ids. What is deleted before its
        page is begun does not come.

        Raise :exc:`ValueError` for *stable* if the query finds counts or sums, not entities.
        """
        size = self._page_size if page_size is None else _checked_size(page_size)
        if stable and not self._source.has_keys:
            raise ValueError(
                f"The rows of {self.wording.bound!r} have no ids, so they cannot be read by them."
            )
        if self.is_complete():
            return iter(self._rows.first)
        entities: Iterator[_Row] = loader_of(self._session).stream(
            self._source, size, keep, prefetch, stable
        )
        return entities

    def __len__(self) -> int:
        """Return the number of entities.

        What fits one page is loaded for it. Where there is more the server is asked to count,
        unless somebody reads all of it anyway, or the server cannot.
        """
        if not self._rows.first:
            self._rows.load_to(1)
        if self._is_read or not _COUNTS:
            return len(self._rows.load_to(None))
        return self._rows.total()

    def all(self) -> list[_Row]:
        """Return a list of all entities."""
        return list(self._rows.load_to(None))

    def __bool__(self) -> bool:
        """Return whether anything is found, loading no more than a page for it."""
        return bool(self._rows.load_to(1))

    def one(self) -> _Row:
        """Return the only entity, asking for at most two.

        Raise :exc:`~ftrack_like.exception.NoResultFoundError` if there is none,
        :exc:`~ftrack_like.exception.MultipleResultsFoundError` if there are more, and
        :exc:`ValueError` if the expression has a limit or an offset.
        """
        self._refuse_limit("one")
        if self._offset is not None:
            raise ValueError(
                "one() asks whether there is a single entity, but the expression contains an "
                f"offset clause: {self.wording.bound!r}."
            )
        found = self._some(2)
        if len(found) == 1:
            return found[0]
        wrong = exception.MultipleResultsFoundError if found else exception.NoResultFoundError
        raise wrong(f"{wrong.default_message}\nThe query: {self.wording.bound}")

    def first(self) -> Optional[_Row]:
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
                f"{name}() sets the limit itself, but the expression already contains a limit "
                f"clause: {self.wording.bound!r}."
            )

    def _some(self, count: int) -> list[_Row]:
        """Return up to *count* entities, without loading a whole page for them."""
        if self._rows.first or self.is_complete():
            return self._rows.load_to(count)[:count]
        return self._source.fetch_some(count)


def _checked_size(page_size: Union[SupportsIndex, str]) -> int:
    """Return *page_size*, a number or its text; :exc:`ValueError` if no page can be so small."""
    try:
        size = int(page_size) if isinstance(page_size, str) else operator.index(page_size)
    except ValueError:
        raise ValueError(f"A page_size is a whole number, not {page_size!r}.") from None
    except TypeError:
        raise TypeError(f"A page_size is a whole number, not {page_size!r}.") from None
    if size < 1:
        raise ValueError(f"A page holds at least one entity: page_size is {page_size!r}.")
    return size
