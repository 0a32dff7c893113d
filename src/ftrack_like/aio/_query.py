"""Queries of asynchronous sessions."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, Union, cast

from ftrack_like import exception
from ftrack_like._base.suggest import AdvisesMembers
from ftrack_like.aio._hints import refuse_synchronous

if TYPE_CHECKING:
    import pandas
    import polars

    from ftrack_like._base.types import Projections
    from ftrack_like.aio._workers import Workers
    from ftrack_like.query import QueryResult
    from ftrack_like.query.builder import BuiltQuery

__all__ = ["AsyncQuery"]

_Row = TypeVar("_Row")

#: The advice of notebooks.
_UNREAD = (
    "A display sends no request. Show the rows with await query, or use await query.to_pandas() or "
    "await query.to_dicts()."
)

#: The part of the first page that a loop gets first, 1/8, before the session reads ahead.
_EARLY = 8


@refuse_synchronous(
    iter="Rows arrive later. Use 'async for row in query', or 'for row in await query'.",
    len="Rows arrive later. Use 'await query.count()'.",
    bool="Rows arrive later. To find out whether there is one, use 'if await query.first()'.",
    getitem="Rows arrive later. Use '(await query)[index]', or 'await query.first()'.",
)
class AsyncQuery(AdvisesMembers, Generic[_Row]):
    """A query that is sent when it is awaited, or when a loop begins. It can be used repeatedly.

    ``await query`` returns the list of all entities. ``async for`` loads page after page. ``str``
    returns the expression.
    """

    _member_advice = {
        **dict.fromkeys(
            ("where", "filter", "filter_by", "columns", "order_by", "group_by"),
            "To build a query from parts, use session.select('Task').where(attr.name == …).",
        ),
        **dict.fromkeys(
            ("limit", "offset"), "Write 'limit 10' or 'offset 10' at the end of the query."
        ),
    }

    def __init__(
        self,
        workers: Workers,
        make: Callable[[], Union[QueryResult[Any], BuiltQuery[Any]]],
        page_size: int,
        expression: Callable[[], str],
    ) -> None:
        """Initialise; *make* returns the result, with pages of *page_size*, in a worker.

        *expression* returns the text of the query, or raises
        :exc:`~ftrack_like.exception.InvalidValueError` if the query is not complete yet.
        """
        self._workers = workers
        self._make = make
        self._page_size = page_size
        self._expression = expression

    @property
    def expression(self) -> str:
        """The query as text."""
        return self._expression()

    def __str__(self) -> str:
        """Return the query as text."""
        return self.expression

    def __repr__(self) -> str:
        """Return a text with the expression; send no request."""
        try:
            return f"<{type(self).__name__} {self.expression!r}>"
        except exception.InvalidValueError:
            return f"<{type(self).__name__}, incomplete>"

    def _repr_html_(self) -> str:
        """Return the expression as HTML for notebooks; send no request."""
        # lazy: only notebooks need it
        from ftrack_like._values.html import unread_note

        return unread_note(repr(self), _UNREAD)

    def __await__(self) -> Generator[Any, None, list[_Row]]:
        """Return the list of all entities."""
        return self.all().__await__()

    async def all(self) -> list[_Row]:
        """Return the list of all entities."""
        return await self._workers.run(lambda: self._make().all())

    async def first(self) -> Optional[_Row]:
        """Return the first entity, or None. Raise as :meth:`QueryResult.first` does."""
        return await self._workers.run(lambda: cast("Optional[_Row]", self._make().first()))

    async def one(self) -> _Row:
        """Return the only entity. Raise as :meth:`QueryResult.one` does."""
        return await self._workers.run(lambda: cast("_Row", self._make().one()))

    async def count(self) -> int:
        """Return the number of entities, which the server counts."""
        return await self._workers.run(lambda: len(self._make()))

    async def to_dicts(self, columns: Optional[Projections] = None) -> list[dict[str, Any]]:
        """Return the rows as dictionaries; see :meth:`QueryResult.to_dicts`."""
        return await self._workers.run(lambda: self._make().to_dicts(columns))

    async def to_pandas(self, columns: Optional[Projections] = None) -> pandas.DataFrame:
        """Return the rows as a data frame of pandas; see :meth:`QueryResult.to_pandas
        <ftrack_like.query.QueryResult.to_pandas>`.
        """
        return await self._workers.run(lambda: self._make().to_pandas(columns))

    async def to_polars(self, columns: Optional[Projections] = None) -> polars.DataFrame:
        """Return the rows as a data frame of polars; see :meth:`QueryResult.to_polars
        <ftrack_like.query.QueryResult.to_polars>`.
        """
        return await self._workers.run(lambda: self._make().to_polars(columns))

    def __aiter__(self) -> AsyncIterator[_Row]:
        """Iterate over the entities; load pages on the way, some ahead."""
        early = max(1, self._page_size // _EARLY)
        sizes = itertools.chain(
            (early, self._page_size - early or self._page_size), itertools.repeat(self._page_size)
        )
        return self._rows(lambda: iter(self._make()), sizes)

    def iterate(self, *, keep: bool = False, stable: bool = False) -> AsyncIterator[_Row]:
        """Return an iterator over the entities that keeps only one page in memory.

        *keep* and *stable* are as for :meth:`QueryResult.iterate
        <ftrack_like.query.QueryResult.iterate>`, whose errors come with the first page.
        """
        return self._rows(
            lambda: self._make().iterate(keep=keep, stable=stable),
            itertools.repeat(self._page_size),
        )

    async def _rows(
        self, begin: Callable[[], Iterator[_Row]], sizes: Iterable[int]
    ) -> AsyncIterator[_Row]:
        """Yield the rows of the iterator that *begin* returns; a worker reads *sizes* at a time."""
        rows = await self._workers.run(begin)
        try:
            for size in sizes:
                found = await self._workers.run(functools.partial(_take, rows, size))
                is_last = len(found) < size
                found.reverse()
                while found:
                    yield found.pop()  # So that the list does not keep the entity alive.
                if is_last:
                    return
        finally:
            # A cancelled worker may still run the iterator, which then ends by itself.
            with contextlib.suppress(ValueError):
                rows.close()  # type: ignore[attr-defined]  # a generator


def _take(rows: Iterator[_Row], count: int) -> list[_Row]:
    """Return the next *count* of *rows*, or fewer at the end."""
    return list(itertools.islice(rows, count))
