"""Load the rows of a query, by position or page by page.

Pages are requested by offset. This is fast, but it has a problem: a program often changes the rows
that it iterates over, for example it sets the status of all tasks with another status. After a
commit these rows no longer match, and the following rows move forward. The page at the next offset
would then leave some rows out.

So before each page, the code compares the number of writes of the session (*stamp*) with that of
the first page. If it has changed, the code queries the keys of all rows, removes the keys of rows
that were already read or were created since, and reads the rest by key. The rows keep the positions
that they had at first. Queries for counts and sums have no keys; their pages are always read by
offset.
"""

from __future__ import annotations

import os
import threading
from array import array
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.query._source import QueryRequests, RowPage, check_progress

if TYPE_CHECKING:
    from ftrack_like._session.reading_ahead import AheadWindow

__all__ = ["Pages", "Rows"]


class Rows:
    """The rows of a query and their positions. Rows that were read are kept.

    *first* is the list of rows from position 0 that were read page by page.
    """

    def __init__(self, source: QueryRequests, page_size: int) -> None:
        """Initialise for *source* without rows; a page has *page_size* rows."""
        self._source = source
        self._page_size = page_size
        self._limit = source.parts.limit
        self.first: list[Any] = []
        #: Rows after *first*: by position, or by key if *_keys* is set.
        self._apart: dict[Any, Any] = {}
        self._next: Optional[int] = source.offset
        #: The keys of all rows by position; None until the session has moved rows.
        self._keys: Optional[list[Any]] = None
        #: The number of writes of the session at the first request.
        self._stamp: Optional[int] = None
        self._total: Optional[int] = None
        #: A position from which there are no more rows.
        self._end: Optional[int] = None
        #: Reads the pages after *first* ahead; None if only one page is needed.
        self._ahead: Optional[AheadWindow] = None
        #: How many rows *_ahead* may read; None is all.
        self._goal: Optional[int] = None
        self._renew_lock()

    def _renew_lock(self) -> None:
        """Create the lock, also in a forked process: a thread of the parent may have held it."""
        # Reentrant, because a signal handler may read the same rows.
        self._reading = threading.RLock()
        self._process = os.getpid()

    @property
    def is_complete(self) -> bool:
        """Whether all rows are in *first*."""
        if self._keys is not None:
            return len(self.first) >= len(self._keys)
        return self._next is None

    @property
    def known_total(self) -> Optional[int]:
        """The number of rows if it is known without a request, else None."""
        if self._keys is not None:
            return len(self._keys)
        return len(self.first) if self._next is None else self._total

    # One page after the other

    def next_page(self) -> Optional[str]:
        """Return the query for the page after *first*; None if no request by offset is needed."""
        size = self._size()
        if size <= 0:
            self._next = None
        if self.is_complete or self._is_moved():
            return None
        self._stamp = self._source.writes if self._stamp is None else self._stamp
        assert self._next is not None
        return self._source.page_text(self._next, size)

    def take(self, page: RowPage) -> None:
        """Add *page*, the answer to the query of :meth:`next_page`."""
        assert self._next is not None
        check_progress(self._source.parts.text, self._next, page.following)
        if self.first and self._is_moved():
            return  # The session has changed rows during the request: the page may be wrong.
        self.first.extend(page.rows)
        for position in range(len(self.first) - len(page.rows), len(self.first)):
            self._apart.pop(position, None)
        full = self._limit is not None and len(self.first) >= self._limit
        self._next = None if full else page.following

    def load_page(self, goal: Optional[int] = 0) -> None:
        """Read the page after *first*, if there is one.

        *goal* is how many rows the caller is going to read, None for all. Request the pages up to
        there ahead. If another thread is reading the page, only wait for it.
        """
        if self._process != os.getpid():
            self._renew_lock()
        read = len(self.first)
        with self._reading:
            if len(self.first) == read:
                self._load_page(goal)

    def _load_page(self, goal: Optional[int]) -> None:
        """Read the page after *first*, while the lock is held."""
        text = self.next_page()
        if text is not None and self._next is not None:
            window = self._window_to(goal)
            self.take(self._source.fetch(self._next, self._size(), None, window))
        elif not self.is_complete:
            self._load_by_key()
        if self._keys is not None or self._next is None:
            self.stop_ahead()

    def _window_to(self, goal: Optional[int]) -> Optional[AheadWindow]:
        """Return the window that reads ahead until there are *goal* rows; None to read only one."""
        is_further = goal is None or (self._goal is not None and goal > self._goal)
        if self._ahead is not None and (self._goal == goal or not is_further):
            return self._ahead
        if goal is None or goal > len(self.first) + self._page_size:
            self.stop_ahead()
            self._ahead, self._goal = self._source.window(self._page_size, goal), goal
        return self._ahead

    def look_ahead(self) -> None:
        """Request the pages after *first*: the caller is going to read all rows."""
        if not self._reading.acquire(blocking=False):
            return  # Another thread is reading.
        try:
            if self._next is not None and self.next_page() is not None:
                window = self._window_to(None)
                if window is not None:
                    window.arrived(self._next)
        finally:
            self._reading.release()

    def stop_ahead(self) -> None:
        """Stop reading ahead: the caller reads no further page for now."""
        if not self._reading.acquire(blocking=False):
            return  # Another thread needs the pages.
        try:
            if self._ahead is not None:
                self._ahead.stop()
                self._ahead = None
        finally:
            self._reading.release()

    def _load_by_key(self) -> None:
        """Read the page after *first* by the keys of its rows."""
        start = len(self.first)
        self.first.extend(self._by_key(start, start + self._page_size))
        for key in self._known_keys()[start : len(self.first)]:
            self._apart.pop(key, None)

    def load_to(self, count: Optional[int]) -> list[Any]:
        """Read until *first* has *count* rows, or all rows if it is None; return *first*."""
        while not self.is_complete and (count is None or len(self.first) < count):
            self.load_page(count)
        return self.first

    def _size(self) -> int:
        """Return the number of rows to request for the next page."""
        if self._limit is None:
            return self._page_size
        return min(self._page_size, self._limit - len(self.first))

    # By position

    def span(self, low: int, high: Optional[int]) -> list[Any]:
        """Return the rows from position *low* up to but not including *high*; None is the end."""
        if self._limit is not None:
            high = self._limit if high is None else min(high, self._limit)
        if high is not None and high <= low:
            return []
        if not self.is_complete and self._is_far(low, high):
            found = self._window(low, high)
            if found is not None:
                return found
        return self.load_to(high)[low:high]

    def _is_far(self, low: int, high: Optional[int]) -> bool:
        """Return whether reading from *low* takes fewer pages than reading on from *first*."""
        read = len(self.first)
        if low <= read:
            return False
        if high is None:
            return True
        return -(-(high - low) // self._page_size) < -(-(high - read) // self._page_size)

    def row(self, position: int) -> list[Any]:
        """Return a list with the row at *position*, or an empty list; read its whole page."""
        if position < len(self.first) + self._page_size or self.is_complete:
            return self.load_to(position + 1)[position : position + 1]
        low = position - position % self._page_size
        return self.span(low, low + self._page_size)[position - low :][:1]

    def scattered(self, positions: range) -> list[Any]:
        """Return the rows at the increasing *positions*, one request for each page of rows."""
        found: list[Any] = []
        for begin in range(0, len(positions), self._page_size):
            chunk = positions[begin : begin + self._page_size]
            if self.is_complete or self._is_moved() or chunk[-1] < len(self.first):
                pieces = [self.span(each, each + 1) for each in chunk]
            else:
                self._stamp = self._source.writes if self._stamp is None else self._stamp
                pieces = self._source.fetch_single(chunk)
                if self._is_moved():
                    pieces = [self.span(each, each + 1) for each in chunk]
                else:
                    self._apart.update((each, rows[0]) for each, rows in zip(chunk, pieces) if rows)
            found += [row for rows in pieces for row in rows[:1]]
            if not pieces[-1]:
                break
        return found

    def _window(self, low: int, high: Optional[int]) -> Optional[list[Any]]:
        """Return the rows from *low* up to *high* without reading the rows before them.

        Return None if the offsets of the server are not positions. Then all rows must be read in
        order.
        """
        if self._end is not None:
            high = self._end if high is None else min(high, self._end)
        ahead = None
        if high is None or high - low > self._page_size:
            ahead = self._source.window(self._page_size, high, exact=True)
        try:
            return self._window_rows(low, high, ahead)
        finally:
            if ahead is not None:
                ahead.stop()

    def _window_rows(
        self, low: int, high: Optional[int], ahead: Optional[AheadWindow]
    ) -> Optional[list[Any]]:
        """Return the result of :meth:`_window`; take pages from *ahead*."""
        found: list[Any] = []
        while high is None or low + len(found) < high:
            if self._is_moved():
                return self._by_key(low, high)
            position = low + len(found)
            if position in self._apart:
                found.append(self._apart[position])
                continue
            self._stamp = self._source.writes if self._stamp is None else self._stamp
            size = self._gap(position, high)
            offset = self._source.offset + position
            page = self._source.fetch(offset, size, None, ahead)
            if self._is_moved():
                continue
            self._apart.update(enumerate(page.rows, position))
            found += page.rows
            if page.following is None:
                self._end = position + len(page.rows)
                if page.rows or position == 0:
                    self._total = self._end
                break
            if page.following != offset + len(page.rows):
                return None
        return found

    def _gap(self, position: int, high: Optional[int]) -> int:
        """Return how many rows to request from *position*: up to the next known row or *high*."""
        stop = position + self._page_size
        stop = stop if high is None else min(stop, high)
        for each in range(position, stop):
            if each in self._apart:
                return each - position
        return stop - position

    # How many there are

    def total(self) -> int:
        """Return the number of rows. If there is more than one page, the server counts them."""
        if self._is_moved() or self.is_complete:
            return len(self.first) if self._keys is None else len(self._keys)
        if self._limit is not None and self._limit - len(self.first) <= self._page_size:
            return len(self.load_to(None))  # The limit allows at most one more page.
        if self._total is None:
            self._total = self._counted()
        if self.is_complete or self._total is None:
            return len(self.load_to(None))
        return self._total

    def _counted(self) -> Optional[int]:
        """Return the count of the server, or None; load the first page in the same request."""
        if self.first or not self._source.has_keys:
            total = self._source.count() if self._source.has_keys else None
        else:
            self._stamp = self._source.writes if self._stamp is None else self._stamp
            page, total = self._source.fetch_counted(self._size())
            self.take(page)
        # There must be rows after *first*. Otherwise the count is wrong.
        return total if total is not None and total > len(self.first) else None

    # After the session has moved rows

    def _is_moved(self) -> bool:
        """Return whether the session may have moved rows; if it has just, query the keys."""
        if self._keys is not None:
            return True
        if self._stamp in (None, self._source.writes) or self._next is None:
            return False
        if not self._source.has_keys:
            return False
        self._go_by_key()
        return True

    def _go_by_key(self) -> None:
        """Query the keys of all rows; give the rows that were read their old positions."""
        key_of = self._source.key_of
        known = {position: key_of(row) for position, row in enumerate(self.first)}
        apart = {position: key_of(row) for position, row in self._apart.items()}
        known.update(apart)
        most = None if self._limit is None else self._limit + len(known)
        read = set(known.values())
        assert self._stamp is not None
        present = self._source.keys_since(self._stamp, most)
        others = iter([key for key in present if key not in read])
        keys: list[Any] = []
        while self._limit is None or len(keys) < self._limit:
            position = len(keys)
            key = known.pop(position) if position in known else next(others, None)
            if key is None:
                keys += [known[each] for each in sorted(known)]
                break
            keys.append(key)
        self._apart = {apart[position]: row for position, row in self._apart.items()}
        self._keys = keys

    def _known_keys(self) -> list[Any]:
        assert self._keys is not None
        return self._keys

    def _by_key(self, low: int, high: Optional[int]) -> list[Any]:
        """Return the rows from *low* up to *high* by their keys, without deleted rows."""
        low = max(low, len(self.first))
        while True:
            wanted = self._known_keys()[low:high]
            missing = [key for key in wanted if key not in self._apart]
            if not missing:
                return [self._apart[key] for key in wanted]
            for begin in range(0, len(missing), self._page_size):
                chunk = missing[begin : begin + self._page_size]
                self._apart.update(self._source.by_keys(chunk))
            gone = {key for key in missing if key not in self._apart}
            if gone:
                self._keys = [key for key in self._known_keys() if key not in gone]


class Pages:
    """The rows of a query, read page by page. The rows are not kept.

    With *stable* the keys of all rows are queried first, so that no session can move rows.
    """

    def __init__(self, source: QueryRequests, stable: bool) -> None:
        """Initialise for *source*."""
        self._source = source
        self._stable = stable
        self._next: Optional[int] = source.offset
        self._left = source.parts.limit
        self._keys: Optional[list[Any]] = None
        self._stamp: Optional[int] = None
        #: The hashes of the keys of the returned rows. They take a tenth of the memory of the keys.
        #: The probability that two of a million keys have the same hash is 1 in 40 million.
        self._given = array("q")
        self._ahead: Optional[AheadWindow] = None

    @property
    def is_done(self) -> bool:
        """Whether all pages have been read."""
        return self._next is None or self._left == 0

    def read(self, size: int, fresh: list[Any]) -> list[Any]:
        """Return the next *size* rows, ``[]`` at the end; add the keys of new entities to *fresh*.

        *fresh* lets the caller remove these entities from the identity map later.
        """
        if self._stable and self._keys is None and self._source.has_keys:
            self._keys = self._source.keys(self._left)[::-1]
        while not self.is_done:
            if self._keys is None and not self._is_moved():
                rows = self._by_offset(size, fresh)
            else:
                rows = self._by_key(size, fresh)
            if rows:
                return rows
        return []

    def close(self) -> None:
        """Read no further page, also not on another thread."""
        self._next = None
        if self._ahead is not None:
            self._ahead.stop()

    def _by_offset(self, size: int, fresh: list[Any]) -> list[Any]:
        """Return the page at the next offset; ``[]`` if rows have moved during the request."""
        self._stamp = self._source.writes if self._stamp is None else self._stamp
        size = size if self._left is None else min(size, self._left)
        offset = self._next
        if offset is None:
            return []  # Another thread has closed the pages.
        if not self._given and self._ahead is None:
            self._ahead = self._source.window(size)
        page = self._source.fetch(offset, size, fresh, self._ahead)
        if self._given and self._is_moved():
            return []
        self._next = page.following
        if self._left is not None:
            self._left -= len(page.rows)
        if self._source.has_keys and self._next is not None:
            self._given.extend([hash(self._source.key_of(row)) for row in page.rows])
        return page.rows

    def _by_key(self, size: int, fresh: list[Any]) -> list[Any]:
        """Return the rows of the next keys, without deleted rows."""
        assert self._keys is not None
        chunk = [self._keys.pop() for _ in range(min(size, len(self._keys)))]
        if not self._keys:
            self._next = None
        found = self._source.by_keys(chunk, fresh)
        return [found[key] for key in chunk if key in found]

    def _is_moved(self) -> bool:
        """Return whether the session may have moved rows; if it has just, query the keys."""
        if self._keys is not None:
            return True
        if self._stamp is None or self._stamp == self._source.writes:
            return False
        if not self._source.has_keys:
            return False
        if self._ahead is not None:
            self._ahead.stop()
        given = set(self._given)
        most = None if self._left is None else self._left + len(given)
        present = self._source.keys_since(self._stamp, most)
        keys = [key for key in present if hash(key) not in given]
        self._keys = keys[: self._left][::-1]
        self._left = None
        return True
