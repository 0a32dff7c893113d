"""Query the server for entities, rows and counts, and record which calls of the session write."""

from __future__ import annotations

import itertools
import logging
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like import exception
from ftrack_like._base.collaborators import (
    identity_map_of,
    loader_of,
    request_session_of,
    statistics_of,
)
from ftrack_like._base.seams import is_overridden
from ftrack_like._session.arrow_loading import expect_dates
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.loader import next_offset
from ftrack_like._transport.http import is_own_session
from ftrack_like._transport.redaction import masked
from ftrack_like.query import Pages, QueryRequests, RowPage, Wording, count_expression

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Projections
    from ftrack_like._session.reading_ahead import AheadRequests, AheadWindow
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Fetcher"]

#: The methods of a session that a request ahead bypasses, or calls on another thread.
_CALLING = ("call", "_call", "encode", "_encode")

#: How many keys of created entities a session remembers. It forgets the oldest ones first.
REMEMBERED = 100_000


class Fetcher:
    """Query the server for the session: entities, rows, counts and missing values.

    Any thread may use it. It releases all locks while it waits for the server.
    """

    def __init__(self, session: Session) -> None:
        """Keep *session*; each query looks up its ``call``, because programs override it."""
        self._session = session
        self._loader = loader_of(session)
        self._identity_map = identity_map_of(session)
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        #: Whether the server can count the results of a query. True until it fails to.
        self._server_counts = True
        #: A counter that goes up before and after each call that may change the server's data.
        self.writes = 0
        #: The keys of entities that the session created, with the value of *writes* at that time.
        self._created: dict[tuple[Any, ...], int] = {}
        #: The requests for pages that the program has not come to yet.
        self._ahead: Optional[AheadRequests] = None

    def fetch(
        self,
        expression: str,
        fresh: Optional[list[Any]] = None,
        wording: Optional[Wording] = None,
    ) -> tuple[list[Any], Optional[int]]:
        """Query one page with *expression*; return its entities and the offset of the next page.

        The offset is None for the last page. The method adds the keys of entities that are new to
        the session to *fresh*. A syntax error of the server quotes the caller's *wording*.
        """
        return self.fetch_many([expression], fresh, None if wording is None else [wording])[0]

    def fetch_many(
        self,
        expressions: Iterable[str],
        fresh: Optional[list[Any]] = None,
        wordings: Optional[Sequence[Wording]] = None,
    ) -> list[tuple[list[Any], Optional[int]]]:
        """Return the result of :meth:`fetch` for each of *expressions*, with one call."""
        asked = list(expressions)
        operations = [{"action": "query", "expression": each} for each in asked]
        merges = self._loader.takes_plain_path()
        if not merges:
            operations = RawBatch(operations)
        number = self._identity_map.begin_reading()
        results = self._call(operations, wordings)
        page = self._loader.page
        try:
            return [page(each, result, fresh, merges) for each, result in zip(asked, results)]
        finally:
            self._identity_map.end_reading(number)

    def fetch_ahead(
        self, expression: str, fresh: Optional[list[Any]], wording: Wording, window: AheadWindow
    ) -> tuple[list[Any], Optional[int]]:
        """Return the result of :meth:`fetch`; take the page from *window* if it is on its way.

        Before the entities are attached, *window* requests the pages after this one.
        """
        operations = RawBatch([{"action": "query", "expression": expression}])
        result = self._call(operations, [wording], window)[0]
        window.arrived(next_offset(result))
        try:
            return self._loader.page(expression, result, fresh)
        finally:
            self._identity_map.end_reading(window.began)

    def window(
        self, following: Callable[[int], Iterator[str]] = lambda offset: iter(())
    ) -> Optional[AheadWindow]:
        """Return a window that reads ahead, or None if the session does not read ahead.

        *following* takes the offset of the second page and returns the queries for the pages from
        there. It is not needed for a window that begins with known queries.
        """
        session = self._session
        most = getattr(session, "_read_ahead", 0)
        if not most or is_overridden(session, *_CALLING) or self._loader.takes_plain_path():
            return None
        if session.closed or not is_own_session(request_session_of(session)):
            return None
        # lazy: most results have one page
        from ftrack_like._session.reading_ahead import AheadRequests, AheadWindow

        if self._ahead is None or self._ahead.most != most:
            self._ahead = AheadRequests(most)
        # All requests of the window begin after this.
        return AheadWindow(session, self._ahead, following, self._identity_map.begin_reading())

    def fetch_counted(
        self, page: str, expression: str, entity_type: Optional[str], wording: Wording
    ) -> tuple[tuple[list[Any], Optional[int]], Optional[int]]:
        """Return the results of :meth:`fetch` for *page* and of :meth:`count` for *expression*.

        That takes one call if the server can count.
        """
        counting = self._counting(expression, entity_type)
        if counting is not None and not self._loader.takes_plain_path():
            batch = RawBatch([{"action": "query", "expression": page}, counting])
            number = self._identity_map.begin_reading()
            try:
                found, count = self._session.call(batch)
            except exception.ServerConnectionError:
                raise
            except exception.ServerError as error:
                # If the server refused the page, this call raises the error again.
                first = self.fetch(page, None, wording)
                self._note_no_count(error)
                return first, None
            loaded = self._loader.page(page, found)
            self._identity_map.end_reading(number)
            return loaded, self._number(count)
        return self.fetch(page, None, wording), self.count(expression, entity_type)

    def fetch_raw(
        self, expression: str, wording: Wording, window: Optional[AheadWindow] = None
    ) -> tuple[list[Any], Optional[int]]:
        """Return the rows for *expression* as the server sent them, and the next offset.

        The offset is None after the last page. *wording* restores the caller's wording in errors.
        Take the page from *window* if it is on its way.
        """
        batch = RawBatch([{"action": "query", "expression": expression}])
        result = self._call(batch, [wording], window)[0]
        following = next_offset(result)
        if window is not None:
            window.arrived(following)
        return result["data"], following

    def _call(
        self,
        operations: list[Any],
        wordings: Optional[Sequence[Wording]],
        window: Optional[AheadWindow] = None,
    ) -> list[Json]:
        """Return the results of the query *operations*; look for a single one in *window*.

        A syntax error of the server quotes the entry of *wordings* for the failing operation.
        """
        expect_dates(self._session, [each["expression"] for each in operations])
        try:
            ahead = None if window is None else window.take(operations[0]["expression"])
            return self._session.call(operations) if ahead is None else [ahead]
        except exception.ServerParseError as error:
            place = error.operation if len(operations) > 1 else 0
            if wordings is not None and place is not None and place < len(wordings):
                wordings[place].restate(error, operations[place]["expression"])
                error.message = masked(error.message, getattr(self._session, "_api_key", None))
            raise

    def count(self, expression: str, entity_type: Optional[str]) -> Optional[int]:
        """Return how many entities of *entity_type* the server counts for *expression*.

        Return None if the server cannot count. The session then does not ask it for counts again.
        """
        counting = self._counting(expression, entity_type)
        if counting is None:
            return None
        try:
            return self._number(self._session.call(RawBatch([counting]))[0])
        except exception.ServerConnectionError:
            raise
        except exception.ServerError as error:
            self._note_no_count(error)
            return None

    def _counting(self, expression: str, entity_type: Optional[str]) -> Optional[dict[str, str]]:
        """Return the operation that counts, or None where counting is not possible."""
        if not self._server_counts or entity_type is None:
            return None
        key = self._session.types[entity_type].primary_key_attributes[0]
        counting = count_expression(expression, key)
        return None if counting is None else {"action": "query", "expression": counting}

    def _number(self, result: Json) -> Optional[int]:
        """Return the number in *result*, the answer to a counting query; None if it has none."""
        try:
            (number,) = result["data"][0].values()
            return operator.index(number)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self._note_no_count(error)
            return None

    def _note_no_count(self, error: Exception) -> None:
        """Remember that the server does not count: it answered a counting query with *error*."""
        self._logger.debug("The server cannot count; load all pages instead: %s", error)
        self._server_counts = False

    def stream(
        self, source: QueryRequests, page_size: int, keep: bool, prefetch: bool, stable: bool
    ) -> Iterator[Any]:
        """Return an iterator over the results of *source*; see ``QueryResult.iterate``."""
        # lazy: few programs stream results
        from ftrack_like._session import streaming

        pages = Pages(source, stable)
        return streaming.stream(self._session, pages, page_size, keep, prefetch)

    def populate(self, entities: Union[Entity, Iterable[Entity]], projections: Projections) -> None:
        """Load *projections* of *entities* from the server, also if they are loaded already.

        *entities* is one entity, or several of any types. *projections* is a text such as
        ``"name, status.name"``, or a list of names. The server's values replace the remote ones;
        local changes stay. Created entities that are not yet committed are skipped. The type of the
        first entity must have all of *projections*. For other types the method skips the names that
        they lack.

        Raise :exc:`~ftrack_like.exception.InvalidEntityError` for a value that is not an entity.
        """
        queries = list(self._loader.completing(entities, projections))
        results = self.results([expression for expression, _ in queries], completes=True)
        for (_, complete), found in zip(queries, results):
            complete(found)

    def results(self, expressions: list[str], *, completes: bool = False) -> Iterator[list[Any]]:
        """Yield the entities that each of *expressions* finds, in their order.

        The requests for several expressions run at the same time. With *completes*, known entities
        stay in their load groups. An error is raised at the place of its expression.
        """
        session = self._session
        results = [session.query(each) for each in expressions]
        window = self.window() if len(results) > 1 and not is_overridden(session, "query") else None
        texts = [None if window is None else result.begin_page() for result in results]
        if window is not None:
            window.begin(filter(None, texts))
        state = self._loader.state
        try:
            for result, text in zip(results, texts):
                state.completes = completes
                try:
                    if window is not None and text is not None:
                        page = self.fetch_ahead(text, None, result.wording, window)
                        result.take_page(RowPage(*page))
                    found: list[Any] = result.all()
                finally:
                    state.completes = False
                yield found
        finally:
            if window is not None:
                window.stop()

    def lazy_load(
        self, entity: Entity, attribute_name: str, projections: Optional[str] = None
    ) -> None:
        """Load the value *attribute_name* of *entity*, and of the members of its load group.

        *projections* is the text to select, by default the attribute's name.
        """
        members = self._loader.members_to_load(entity, attribute_name)
        if not members:
            return
        state, group = self._loader.state, entity.load_group
        state.fresh = None if group is None else group.fresh
        try:
            self._session.populate(members, projections or attribute_name)
        finally:
            state.fresh = None
        if len(members) > 1:
            statistics_of(self._session).count(grouped_loads=1)
            self._loader.leave_groups(members, attribute_name)

    def note_write(self, created: Iterable[tuple[Any, ...]] = ()) -> None:
        """Record that this session is about to change data on the server, or has just done so.

        *created* are the keys of the entities that it creates.
        """
        # The keys come first: a thread that sees the new count finds them.
        self._created.update(dict.fromkeys(created, self.writes + 1))
        self.writes += 1
        excess = len(self._created) - REMEMBERED
        if excess > 0:
            for key in list(itertools.islice(self._created, excess)):
                del self._created[key]

    def created_since(self, writes: int) -> set[tuple[Any, ...]]:
        """Return the keys of the entities created since the counter had the value *writes*."""
        # A list, because another thread may add keys.
        return {key for key, number in list(self._created.items()) if number > writes}
