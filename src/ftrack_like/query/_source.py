"""The requests for a query: rows by offset or by key, and the number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import fetcher_of
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._values.literals import groups, key_condition, quoted
from ftrack_like.query._custom_keys import warn_of_keys
from ftrack_like.query._text import Outline, keyed_expressions
from ftrack_like.query._wording import Wording

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value
    from ftrack_like._session.reading_ahead import AheadWindow
    from ftrack_like.session import Session

__all__ = ["QueryRequests", "RowPage", "check_progress"]

#: The keys in one page of keys.
KEY_PAGE = 5_000


class RowPage(NamedTuple):
    """A page of rows."""

    rows: list[Any]
    #: The offset of the next page, or None.
    following: Optional[int]


def check_progress(expression: str, offset: int, following: Optional[int]) -> None:
    """Raise ServerAnswerError unless the next offset *following* is larger than *offset*."""
    if following is not None and following <= offset:
        raise exception.ServerAnswerError(
            f"The server answered the page at offset {offset} of {expression!r} "
            f"with the next offset {following}. Reading on would never end."
        )


class QueryRequests:
    """A query and its requests.

    *parts* is its outline. Errors quote the text in *wording*.
    """

    def __init__(self, session: Session, parts: Outline, wording: Wording) -> None:
        """Initialise for *session*."""
        self._session = session
        self.parts = parts
        self.offset: int = parts.offset or 0
        self.wording = wording
        self._keyed: Optional[tuple[tuple[str, ...], str, str]] = None

    @property
    def writes(self) -> int:
        """The number of writes that the session has begun."""
        count: int = fetcher_of(self._session).writes
        return count

    @property
    def has_keys(self) -> bool:
        """Whether the rows are entities with keys, and not counts or sums."""
        if self._keyed is None:
            class_ = self._session.types.get(self.parts.entity_type or "")
            names = tuple(class_.primary_key_attributes) if class_ is not None else ()
            texts = keyed_expressions(self.parts.text, list(names)) if names else None
            self._keyed = (names, *(texts or ("", "")))
        return self._keyed[1] != ""

    def page_text(self, offset: int, size: int) -> str:
        """Return the query for *size* rows from *offset*, which includes the query's own offset."""
        return f"{self.parts.text} offset {offset} limit {size}"

    def window(
        self, size: int, count: Optional[int] = None, *, exact: bool = False
    ) -> Optional[AheadWindow]:
        """Return a window that reads ahead, in pages of *size* rows; None to read no page ahead.

        With *count* it requests only pages that begin among the first *count* rows; with *exact*
        the last page ends there too.
        """
        if not self.has_keys:
            return None  # The rows have no ids by which they could be found after a change.
        limit = self.parts.limit
        ends = [limit, count if exact else None]
        last = min([self.offset + each for each in ends if each is not None], default=None)
        end = None if count is None else self.offset + count
        return fetcher_of(self._session).window(lambda start: self._texts(start, size, end, last))

    def _texts(
        self, offset: int, size: int, end: Optional[int], last: Optional[int]
    ) -> Iterator[str]:
        """Yield the queries for pages of *size* rows that begin before *end* and end at *last*."""
        while (end is None or offset < end) and (last is None or offset < last):
            yield self.page_text(offset, size if last is None else min(size, last - offset))
            offset += size

    def fetch(
        self,
        offset: int,
        size: int,
        fresh: Optional[list[Any]] = None,
        window: Optional[AheadWindow] = None,
    ) -> RowPage:
        """Return the page of *size* rows from *offset*; add the keys of new entities to *fresh*.

        Take the page from *window* if it is on its way.
        """
        text, fetcher = self.page_text(offset, size), fetcher_of(self._session)
        if window is None:
            found = RowPage(*fetcher.fetch(text, fresh, self.wording))
        else:
            found = RowPage(*fetcher.fetch_ahead(text, fresh, self.wording, window))
        check_progress(self.parts.text, offset, found.following)
        if offset == self.offset:
            self.note_found(found.rows)
        return found

    def note_found(self, rows: object) -> None:
        """Show warnings about probable mistakes if *rows*, the first of all, are none.

        These are unknown custom attributes, and references that are compared with names.

        *rows* is the list of rows, or their number.
        """
        if not rows:
            from ftrack_like.query._references import warn_of_references  # lazy: few find nothing

            warn_of_keys(self._session, self.wording.bound)
            warn_of_references(self._session, self.parts.entity_type, self.wording.bound)

    def fetch_some(self, count: int) -> list[Any]:
        """Return at most *count* rows from the start."""
        offset = "" if self.parts.offset is None else f" offset {self.parts.offset}"
        text = f"{self.parts.text}{offset} limit {count}"
        found: list[Any] = fetcher_of(self._session).fetch(text, None, self.wording)[0]
        self.note_found(found or count == 0)
        return found[:count]

    def fetch_single(self, positions: Iterable[int]) -> list[list[Any]]:
        """Return for each of *positions* a list with its row, in one request for all."""
        texts = [self.page_text(self.offset + each, 1) for each in positions]
        wordings = [self.wording] * len(texts)
        return [rows for rows, _ in fetcher_of(self._session).fetch_many(texts, None, wordings)]

    def fetch_counted(self, size: int) -> tuple[RowPage, Optional[int]]:
        """Return the first page of *size* rows, and the number of all rows, None if unknown."""
        text = self.page_text(self.offset, size)
        found, total = fetcher_of(self._session).fetch_counted(
            text, self.parts.text, self.parts.entity_type, self.wording
        )
        page = RowPage(*found)
        self.note_found(page.rows)
        return page, self._bounded(total)

    def count(self) -> Optional[int]:
        """Return the number of rows within limit and offset; None if the server cannot count."""
        total = fetcher_of(self._session).count(self.parts.text, self.parts.entity_type)
        self.note_found(total != 0)
        return self._bounded(total)

    def _bounded(self, total: Optional[int]) -> Optional[int]:
        if total is None:
            return None
        total = max(total - self.offset, 0)
        return total if self.parts.limit is None else min(total, self.parts.limit)

    def key_of(self, row: Value) -> Key:
        """Return the key of *row*: a value, or a tuple of values."""
        names = self._names()
        return row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)

    def keys(self, count: Optional[int]) -> list[Any]:
        """Return the keys of the first *count* rows, or of all rows if it is None.

        If the session writes between two pages of keys, start again.
        """
        while True:
            before = self.writes
            found = self._keys_once(count)
            if self.writes == before:
                self.note_found(found or count == 0)
                return found

    def keys_since(self, stamp: int, count: Optional[int]) -> list[Any]:
        """Return *count* keys of rows that exist, without rows that were created after *stamp*.

        *stamp* is an earlier value of :attr:`writes`.
        """
        created_since = fetcher_of(self._session).created_since
        single = len(self._names()) == 1
        while True:
            created = created_since(stamp)
            found = self.keys(None if count is None else count + len(created))
            # Another thread may have created entities after the first look. The session records
            # them before it sends them, so this look knows all that *found* may contain.
            if created_since(stamp) == created:
                return [key for key in found if ((key,) if single else key) not in created]

    def _keys_once(self, count: Optional[int]) -> list[Any]:
        fetcher, end = fetcher_of(self._session), None if count is None else self.offset + count
        window = fetcher.window(lambda start: self._key_texts(start, end))
        found: list[Any] = []
        offset: Optional[int] = self.offset
        try:
            while offset is not None and (count is None or len(found) < count):
                left = None if count is None else offset + count - len(found)
                text = next(self._key_texts(offset, left))
                rows, following = fetcher.fetch_raw(text, self.wording, window)
                check_progress(self.parts.text, offset, following)
                found += [self.key_of(row) for row in rows]
                offset = following
        finally:
            if window is not None:
                window.stop()
        return found

    def _key_texts(self, offset: int, end: Optional[int]) -> Iterator[str]:
        """Yield the queries for the pages of keys from *offset* up to *end*, None for all."""
        assert self._keyed is not None
        while end is None or offset < end:
            size = KEY_PAGE if end is None else min(KEY_PAGE, end - offset)
            yield f"{self._keyed[1]} offset {offset} limit {size}"
            offset += size

    def by_keys(self, keys: list[Any], fresh: Optional[list[Any]] = None) -> dict[Any, Any]:
        """Return ``{key: row}`` for *keys*, without deleted rows."""
        assert self._keyed is not None
        texts = [
            f"{self._keyed[2]}{condition} offset 0 limit {count}"
            for condition, count in self._conditions(keys)
        ]
        wordings = [self.wording] * len(texts)
        pages = fetcher_of(self._session).fetch_many(texts, fresh, wordings) if texts else []
        return {self.key_of(row): row for rows, _ in pages for row in rows}

    def _names(self) -> tuple[str, ...]:
        return self._keyed[0] if self.has_keys and self._keyed else ()

    def _conditions(self, keys: list[Any]) -> Iterable[tuple[str, int]]:
        """Yield conditions that select the rows with *keys*, each with its number of keys."""
        names = self._names()
        single = len(names) == 1
        for group in groups(quoted(key) if single else key_condition(names, key) for key in keys):
            yield self._joined(names, group), len(group)

    @staticmethod
    def _joined(names: tuple[str, ...], group: list[str]) -> str:
        return f"{names[0]} in ({', '.join(group)})" if len(names) == 1 else " or ".join(group)
