"""The results of queries: a list-like object that loads entities on demand."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Optional, SupportsIndex, TypeVar, Union, overload

from ftrack_like import exception
from ftrack_like._base.collaborators import catalogue_of, fetcher_of, start_of
from ftrack_like._base.suggest import AdvisesMembers
from ftrack_like.query._rows import Rows
from ftrack_like.query._source import QueryRequests, RowPage
from ftrack_like.query._text import outline
from ftrack_like.query._wording import Wording

if TYPE_CHECKING:
    import pandas
    import polars

    from ftrack_like._base.types import Projections
    from ftrack_like.session import Session

__all__ = ["QueryResult", "load_first_pages"]

#: A row of a result: an entity, or a plain mapping for a query with ``group by``.
_Row = TypeVar("_Row")

#: Whether ``len()`` may send a query for the count. ``list(result)`` calls ``iter()`` and then
#: ``len()``. This order shows that the program reads all rows, so that counting would be a waste.
#: Before Python 3.10 the order is the opposite, so ``len()`` loads all rows there.
_COUNTS = sys.version_info >= (3, 10)

#: A loop reads ahead after this part of its first page, 1/8. Many loops end at the first entities.
_EARLY = 8

#: The largest position in a request. For larger positions, the server counts the rows first.
_FURTHEST = 2**31 - 1


def load_first_pages(session: Session, results: Iterable[QueryResult[Any]]) -> None:
    """Load the next page of each of *results*, which belong to *session*, in one request."""
    waiting = []
    for result in results:
        text = result.begin_page()
        if text is not None:
            waiting.append((result, text))
    if not waiting:
        return
    pages = fetcher_of(session).fetch_many(
        [text for _, text in waiting], None, [result.wording for result, _ in waiting]
    )
    for (result, _), (found, following) in zip(waiting, pages):
        result.take_page(RowPage(found, following))


class _Pattern:
    """A regular expression of a class that older programs use; compiled on first use."""

    def __init__(self, pattern: str) -> None:
        """Keep *pattern*, which ignores case."""
        self._pattern = pattern

    def __get__(self, instance: object, owner: Optional[type] = None) -> re.Pattern[str]:
        """Return the compiled pattern; the module ``re`` caches it."""
        return re.compile(self._pattern, re.IGNORECASE)


#: How to change a query: its text is complete, and a selection has the methods for it.
_SELECT = "A result belongs to a finished query. To build one from parts, use"

#: The advice for the methods of selections and of other libraries.
_ADVICE = {
    **dict.fromkeys(
        ("where", "filter", "filter_by"), f"{_SELECT} session.select('Task').where(attr.name == …)."
    ),
    "columns": f"{_SELECT} session.select('Task').columns('name', 'status.name').",
    "options": f"{_SELECT} session.select('Task').columns('name', 'status.name').",
    "order_by": f"{_SELECT} session.select('Task').order_by('name').",
    "group_by": f"{_SELECT} session.select('Task').group_by('status.name').",
    "limit": "Write 'limit 10' at the end of the query, or take a slice: result[:10].",
    "offset": "Write 'offset 10' at the end of the query, or take a slice: result[10:].",
    "to_df": "Use to_pandas() or to_polars().",
    "to_list": "Use all().",
}


class QueryResult(AdvisesMembers, Sequence[_Row]):
    """The entities that a query finds, in order.

    The result sends no request before it is needed. Reading an entity loads its page. A slice loads
    its missing entities.

    If the same session deletes, changes or creates rows between two requests, the positions of the
    other rows stay the same, and each row is found once. If other sessions delete rows, rows may be
    left out; see :meth:`iterate`. Threads may read a result at the same time.
    """

    _member_advice = _ADVICE

    OFFSET_EXPRESSION = _Pattern(r"(?P<offset>offset (?P<value>\d+))")
    LIMIT_EXPRESSION = _Pattern(r"(?P<limit>limit (?P<value>\d+))")

    def __init__(
        self,
        session: Session,
        expression: str,
        page_size: Union[SupportsIndex, str] = 500,
        *,
        wording: Optional[Wording] = None,
    ) -> None:
        """Initialise the result of *expression* in *session*; a page has *page_size* entities.

        An expression with a limit is loaded in pages up to the limit. *wording* is the text of the
        author of the query, if it differs from *expression*.
        """
        super().__init__()
        self._session = session
        self._page_size = _checked_size(page_size)
        parts = outline(expression)
        self._expression = parts.text
        self._limit = parts.limit
        self._offset = parts.offset
        self.wording: Wording = Wording(expression) if wording is None else wording
        self._source = QueryRequests(session, parts, self.wording)
        self._rows = Rows(self._source, self._page_size)
        #: Whether a program has begun to iterate over all rows.
        self._is_read = False

    def __repr__(self) -> str:
        """Return the expression and the number of loaded rows; send no request."""
        try:
            return f"<{type(self).__name__} {self._bounded()!r}: {self._progress()}>"
        except Exception:  # A half-built result in a debugger.
            return f"<{type(self).__name__}, incomplete>"

    def _bounded(self) -> str:
        """Return the expression with its offset and limit."""
        offset = "" if self._offset is None else f" offset {self._offset}"
        limit = "" if self._limit is None else f" limit {self._limit}"
        return f"{self._expression}{offset}{limit}"

    def _progress(self) -> str:
        """Return the number of loaded rows in words, such as ``25 of 130 loaded``."""
        loaded, total = len(self._rows.first), self._rows.known_total
        return f"{loaded} loaded, more to come" if total is None else f"{loaded} of {total} loaded"

    def _repr_html_(self) -> str:
        """Return the loaded rows as HTML for notebooks, at most 20; send no request."""
        # lazy: only notebooks need it
        from ftrack_like.query._notebook import result_table, wrong_columns

        mistake = ""
        if not self._rows.first and _knows_schemas(self._session):
            catalogue = catalogue_of(self._session)
            mistake = wrong_columns(catalogue, self.entity_type or "", self._expression)
        return result_table(
            repr(self),
            self._expression,
            self._rows.first,
            is_complete=self.is_complete(),
            mistake=mistake,
        )

    @property
    def entity_type(self) -> Optional[str]:
        """The name of the type of the rows; None if the expression does not name one."""
        return self._source.parts.entity_type

    def is_complete(self) -> bool:
        """Return whether all rows are loaded."""
        return self._rows.is_complete

    @overload
    def __getitem__(self, index: SupportsIndex) -> _Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[_Row]: ...

    def __getitem__(self, index: Union[SupportsIndex, slice]) -> Union[_Row, list[_Row]]:
        """Return the entity at *index*, or a list of entities for a slice.

        Missing entities are loaded by their positions, without the entities before them. For a
        negative index the server counts the rows first. Raise :exc:`IndexError` if there is no
        entity at *index*.
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
        """Return the query for the next page; None if no request is needed.

        If the page must be read by keys, load it now and return None.
        """
        text = self._rows.next_page()
        if text is None and not self.is_complete():
            self._rows.load_page()
        return text

    def take_page(self, page: RowPage) -> None:
        """Add *page*, the answer to the query of :meth:`begin_page`."""
        self._rows.take(page)
        self._source.note_found(self._rows.first)

    def _at(self, position: int) -> list[_Row]:
        """Return a list with the entity at *position*, or an empty list."""
        if self._limit is not None and position >= self._limit:
            return []
        if position > _FURTHEST and position >= self._rows.total():
            return []
        return self._rows.row(position)

    def _from_end(self, position: int) -> list[_Row]:
        """Return a list with the entity at the negative *position*, or an empty list."""
        total = self._rows.total()
        found = self._at(position + total) if position + total >= 0 else []
        if found or self.is_complete() or position + total < 0:
            return found
        return self._rows.load_to(None)[position:][:1]  # The server counted too many rows.

    def _slice(self, index: slice) -> list[_Row]:
        """Return the entities of the slice *index*, with the rules of a list.

        Choose the way with the fewest requests: load single rows for a step larger than a page,
        else load the span between the bounds. Count first if a bound depends on the number of rows.
        """
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
        # Downwards from *start*, or from the last row if there are fewer.
        assert start is not None
        return rows.span(0 if stop is None else stop + 1, start + 1)[::step]

    def _counted(self, positions: range, is_sparse: bool) -> Optional[list[_Row]]:
        """Return the entities at *positions*; None if the server counted too many rows."""
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
        """Iterate over the entities; load pages on the way."""
        self._is_read = True
        return self._iterate()

    def __reversed__(self) -> Iterator[_Row]:
        """Iterate over the entities in reverse order."""
        return iter(self._rows.load_to(None)[::-1])

    def _iterate(self) -> Iterator[_Row]:
        """Yield the entities; read pages ahead from the time when the caller has read on a bit."""
        position, early = 0, max(1, self._page_size // _EARLY)
        rows = self._rows
        try:
            while True:
                while position < len(rows.first):
                    yield rows.first[position]
                    position += 1
                    if position == early:
                        rows.look_ahead()
                if rows.is_complete:
                    return
                rows.load_page(None if position else 0)
        finally:
            rows.stop_ahead()

    def iterate(
        self,
        page_size: Optional[Union[SupportsIndex, str]] = None,
        keep: bool = False,
        prefetch: bool = False,
        *,
        stable: bool = False,
    ) -> Iterator[_Row]:
        """Return an iterator over the entities that keeps only one page in memory.

        So a program can process any number of entities in constant memory. At the start of the
        next page, the session forgets the entities of the last page, and the entities that were
        loaded on demand for these. While the program still refers to such an entity, the session
        keeps it in the identity map. Entities with changes are kept until they are committed. With
        *keep*, the session keeps all entities, as for other ways to read a result.

        With *prefetch*, a thread loads the next page while the program works on the current page.
        A page has *page_size* entities; None means the page size of this result. Entities that
        this result has already loaded are loaded again, unless it is complete.

        If this session deletes, changes or creates entities on the way, no other entity is left
        out. With *stable*, this is also guaranteed if other sessions delete entities: the ids of
        all entities are loaded first, in pages of 5,000, and then the entities by their ids. An
        entity that is deleted before the start of its page is left out.

        Raise :exc:`ValueError` for *stable* if the rows of the query are counts or sums.
        """
        size = self._page_size if page_size is None else _checked_size(page_size)
        if stable and not self._source.has_keys:
            raise ValueError(
                f"Cannot iterate stably over {self.wording.bound!r}: its rows have no ids."
            )
        if self.is_complete():
            return iter(self._rows.first)
        entities: Iterator[_Row] = fetcher_of(self._session).stream(
            self._source, size, keep, prefetch, stable
        )
        return entities

    def __len__(self) -> int:
        """Return the number of entities.

        This loads the first page. If there are more rows, the server counts them. If the program is
        already reading all rows, or the server cannot count them, this loads all rows.
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
        """Return whether there is an entity; load at most one page."""
        return bool(self._rows.load_to(1))

    def one(self) -> _Row:
        """Return the only entity; load at most two.

        Raise :exc:`~ftrack_like.exception.NoResultFoundError` if there is no entity,
        :exc:`~ftrack_like.exception.MultipleResultsFoundError` if there are several, and
        :exc:`ValueError` if the expression has a limit or an offset.
        """
        self._refuse_limit("one")
        if self._offset is not None:
            raise ValueError(
                "one() needs all entities of the query, but the expression contains an offset "
                f"clause: {self.wording.bound!r}."
            )
        found = self._some(2)
        if len(found) == 1:
            return found[0]
        wrong = exception.MultipleResultsFoundError if found else exception.NoResultFoundError
        raise wrong(f"{wrong.default_message}\nThe query: {self.wording.bound}")

    def first(self) -> Optional[_Row]:
        """Return the first entity, or None if the query finds nothing.

        Raise :exc:`ValueError` if the expression has a limit.
        """
        self._refuse_limit("first")
        found = self._some(1)
        return found[0] if found else None

    def count(self, *values: object) -> int:
        """Return the number of entities; the server counts them if there are several pages.

        With one of *values*, return how many rows equal it, as every sequence does.
        """
        return super().count(*values) if values else len(self)

    # Tables

    def to_dicts(self, columns: Optional[Projections] = None) -> list[dict[str, Any]]:
        """Return the rows as a list of dictionaries with *columns* as keys.

        *columns* are paths, such as ``["name", "status.name"]`` or ``"name, status.name"``. The
        default is the attributes after ``select``, or without ``select`` the key, the name, the
        type, the status and the parent, as far as the type has them.

        ``custom_attributes.fstart`` is the value of one custom attribute, and ``metadata.reel`` of
        one entry of metadata. A path to an entity stands for the default projections of its type.
        The value of a path through a collection is a list. Dates are :class:`datetime.datetime` in
        UTC.

        The method sends one query for the columns, in large pages. It returns the values of the
        server, without uncommitted changes, and loads no entities into the session.

        Raise :exc:`~ftrack_like.exception.UnknownAttributeError` for an unknown column.
        """
        # lazy: few programs export tables
        from ftrack_like.query import _table

        return _table.read_dicts(self._session, self._source, columns)

    def to_pandas(self, columns: Optional[Projections] = None) -> pandas.DataFrame:
        """Return the rows as a data frame of pandas; *columns* are as for :meth:`to_dicts`.

        Columns with dates have the type ``datetime64`` with the time zone UTC. Use this instead of
        ``pandas.DataFrame(result)``, which loads and shows every attribute of each entity. Raise
        :exc:`ImportError` if pandas is not installed.
        """
        # lazy: few programs export tables
        from ftrack_like.query import _table

        return _table.read_pandas(self._session, self._source, columns)

    def to_polars(self, columns: Optional[Projections] = None) -> polars.DataFrame:
        """Return the rows as a data frame of polars; *columns* are as for :meth:`to_dicts`.

        Columns with dates have the type ``Datetime`` with the time zone UTC. Raise
        :exc:`ImportError` if polars is not installed.
        """
        # lazy: few programs export tables
        from ftrack_like.query import _table

        return _table.read_polars(self._session, self._source, columns)

    def _refuse_limit(self, name: str) -> None:
        """Raise :exc:`ValueError` if the expression has a limit: the method *name* sets it."""
        if self._limit is not None:
            raise ValueError(
                f"{name}() sets the limit itself, but the expression already contains a limit "
                f"clause: {self.wording.bound!r}."
            )

    def _some(self, count: int) -> list[_Row]:
        """Return at most *count* entities without loading a whole page."""
        if self._rows.first or self.is_complete():
            return self._rows.load_to(count)[:count]
        return self._source.fetch_some(count)


def _knows_schemas(session: Session) -> bool:
    """Return whether the schemas of *session* can be read without a request."""
    start = start_of(session)
    return start is not None and start.is_over


def _checked_size(page_size: Union[SupportsIndex, str]) -> int:
    """Return *page_size*, a number or its text, as a number.

    Raise :exc:`ValueError` if it is less than 1 or not a number, and :exc:`TypeError` for another
    type.
    """
    try:
        size = int(page_size) if isinstance(page_size, str) else operator.index(page_size)
    except ValueError:
        raise ValueError(f"A page_size is a whole number, not {page_size!r}.") from None
    except TypeError:
        raise TypeError(f"A page_size is a whole number, not {page_size!r}.") from None
    if size < 1:
        raise ValueError(f"A page needs at least one entity, but page_size is {page_size!r}.")
    return size
