"""Query the server for rows and counts, and record which calls of the session write."""

from __future__ import annotations

import itertools
import logging
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like._session.batch import RawBatch
from ftrack_like._transport.redaction import masked
from ftrack_like.query import Wording, count_expression

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.session import Session

__all__ = ["Asker", "next_offset"]

#: How many keys of created entities a session remembers. It forgets the oldest ones first.
REMEMBERED = 100_000


class Asker:
    """Send queries whose results do not become entities.

    Any thread may use it.
    """

    def __init__(self, session: Session) -> None:
        """Keep *session*; each query looks up its ``call``, because programs override it."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        #: Whether the server can count the results of a query. True until it fails to.
        self._server_counts = True
        #: A counter that goes up before and after each call that may change the server's data.
        self.writes = 0
        #: The keys of entities that the session created, with the value of *writes* at that time.
        self._created: dict[tuple[Any, ...], int] = {}

    def fetch_raw(self, expression: str, wording: Wording) -> tuple[list[Any], Optional[int]]:
        """Return the rows for *expression* as the server sent them, and the next offset.

        The offset is None after the last page. *wording* restores the caller's wording in errors.
        """
        batch = RawBatch([{"action": "query", "expression": expression}])
        result = self._call(batch, [wording])[0]
        return result["data"], next_offset(result)

    def _call(self, operations: list[Any], wordings: Optional[Sequence[Wording]]) -> list[Json]:
        """Return the results of the query *operations*.

        A syntax error of the server quotes the entry of *wordings* for the failing operation.
        """
        try:
            return self._session.call(operations)
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


def next_offset(result: Json) -> Optional[int]:
    """Return the offset of the page after *result*, or None for the last page."""
    try:
        offset: Optional[int] = result["metadata"]["next"]["offset"]
    except (KeyError, TypeError):
        return None  # A server without pages sends all rows in one answer.
    return offset
