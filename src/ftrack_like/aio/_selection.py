"""Selections of asynchronous sessions: queries that are built without text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeVar, Union, overload

from ftrack_like.aio._query import AsyncQuery
from ftrack_like.query._built import SELECTION_ADVICE
from ftrack_like.query._conditions import SubQuery
from ftrack_like.query.builder import BuiltQuery

if TYPE_CHECKING:
    from ftrack_like.aio._workers import Workers
    from ftrack_like.query.builder import Aggregate, AttributePath, Ordering, QueryCondition

__all__ = ["AsyncSelection"]

_Row = TypeVar("_Row")


class AsyncSelection(AsyncQuery[_Row], SubQuery):
    """A query in parts. Each method that adds a part returns a new selection and sends nothing.

    ``await selection`` returns the list of all rows, and ``async for`` loads page after page, as
    for :class:`AsyncQuery`. ``str`` returns the expression. The parts are those of
    :class:`~ftrack_like.query.builder.BuiltQuery`, which raise the same errors.
    """

    _member_advice = SELECTION_ADVICE

    def __init__(self, workers: Workers, built: BuiltQuery[_Row], page_size: int) -> None:
        """Initialise for the selection *built*, with pages of *page_size*."""
        # A copy each time, because the selection below keeps its rows.
        super().__init__(workers, built.where, page_size, lambda: built.expression)
        self._built = built

    def sub_query(self) -> str:
        """Return the query for the brackets of ``in``: it selects one attribute."""
        return self._built.sub_query()

    def _extended(self, built: BuiltQuery[Any]) -> AsyncSelection[Any]:
        """Return the selection *built* of the same session."""
        return AsyncSelection(self._workers, built, self._page_size)

    def where(self, *conditions: QueryCondition, **values: NoReturn) -> AsyncSelection[_Row]:
        """Return the selection of the entities that also fulfil all *conditions*."""
        return self._extended(self._built.where(*conditions, **values))

    @overload
    def columns(  # type: ignore[overload-overlap]  # paths alone choose the first
        self, *columns: Union[str, AttributePath]
    ) -> AsyncSelection[_Row]: ...

    @overload
    def columns(
        self, *columns: Union[str, AttributePath, Aggregate]
    ) -> AsyncSelection[dict[str, Any]]: ...

    def columns(self, *columns: Union[str, AttributePath, Aggregate]) -> AsyncSelection[Any]:
        """Return the selection with *columns* added to the attributes that it loads."""
        return self._extended(self._built.columns(*columns))

    def group_by(self, *paths: Union[str, AttributePath]) -> AsyncSelection[dict[str, Any]]:
        """Return the selection with one row for each different combination of values at *paths*."""
        return self._extended(self._built.group_by(*paths))

    def order_by(self, *paths: Union[str, AttributePath, Ordering]) -> AsyncSelection[_Row]:
        """Return the selection in the order of *paths*, the most important first."""
        return self._extended(self._built.order_by(*paths))

    def limit(self, count: SupportsIndex) -> AsyncSelection[_Row]:
        """Return the selection of at most *count* rows."""
        return self._extended(self._built.limit(count))

    def offset(self, count: SupportsIndex) -> AsyncSelection[_Row]:
        """Return the selection without its first *count* rows."""
        return self._extended(self._built.offset(count))

    async def count(self) -> int:
        """Return the number of rows. The server counts them, so no row is loaded."""
        return await self._workers.run(self._built.where().count)
