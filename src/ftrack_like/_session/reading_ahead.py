"""Read ahead: request the next pages of a query while the program works on the current page.

A program that reads 20 pages one after the other waits 20 times for the server. So once the first
page shows that there are more, threads request the pages after it:

- A thread only sends the request and decodes the JSON. The reader attaches the entities, on its own
  thread and in the order of the pages. So identities, load groups and callbacks are the same as
  without reading ahead.
- The number of pages that are requested and not yet read is bounded, and so is the number of
  requests of a session at the same time. The first pages are few, because the number of rows is
  unknown. It grows if the reader has to wait.
- A page that is not read costs a request, but no error: an error is raised when the reader comes to
  its page.
- The reader uses a page only if the text of its query is the text that it would send now, if the
  session has not written since, and if the page is not old. Otherwise it requests the page again.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import calls_of, fetcher_of, renewal_of, statistics_of
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.loader import next_offset
from ftrack_like._transport.cancellation import wait_unless_cancelled

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like._session.calls import Calls
    from ftrack_like.session import Session

__all__ = ["AheadRequests", "AheadWindow"]

#: How many pages are requested ahead at the start: enough to hide the wait for the second page,
#: and few enough for a result of two pages, where one request is too many.
FIRST_PAGES = 2

#: A page that arrived this long ago, in seconds, is requested again: other sessions may have
#: changed its rows, and a reader that slow does not wait for the server anyway.
OLDEST = 10.0

#: A wait for a page is made of waits of this many seconds. On Windows Ctrl-C does not interrupt a
#: wait for a lock, and elsewhere a signal just before it takes effect only after it.
_SLICE = 0.2


class PageAhead:
    """A page that a thread requests: the answer to *expression*.

    *writes* is the number of writes of the session at the time of the request.
    """

    def __init__(self, expression: str, writes: int) -> None:
        """Initialise; :meth:`request` sends the query."""
        self.expression = expression
        self.writes = writes
        #: Whether the reader may still come to this page.
        self.is_wanted = True
        self._result: Optional[Json] = None
        self._error: Optional[BaseException] = None
        self._arrived: Optional[float] = None
        self._done = threading.Event()

    def request(self, calls: Calls) -> None:
        """Send the query and keep the result or the error. Runs in a thread of its own."""
        try:
            batch = RawBatch([{"action": "query", "expression": self.expression}])
            self._result = calls.call_ahead(batch, lambda: self.is_wanted)[0]
        except BaseException as error:
            self._error = error  # The reader raises it when it comes to this page.
        self._arrived = time.monotonic()
        self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether the request has ended."""
        return self._done.is_set()

    @property
    def is_last(self) -> bool:
        """Whether the page has arrived and no page follows it."""
        return self.is_done and self._error is None and next_offset(self._result) is None

    @property
    def is_old(self) -> bool:
        """Whether the page arrived so long ago that its values may be out of date."""
        return self._arrived is not None and time.monotonic() - self._arrived > OLDEST

    def result(self) -> Json:
        """Wait for the result and return it, or raise the error of the request."""
        while not wait_unless_cancelled(self._done, _SLICE):
            pass
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._result


class AheadRequests:
    """The requests ahead of one session, at most *most* at the same time. Threads may share it."""

    def __init__(self, most: int) -> None:
        """Initialise without requests."""
        self.most = most
        self._begin()

    def _begin(self) -> None:
        """Start without requests: after a fork, the threads of the parent do not exist here."""
        self._process = os.getpid()
        # Reentrant, because a signal handler may run a query while this thread starts a request.
        self._lock = threading.RLock()
        # Weak references: if an exception of a signal handler prevents the start of a thread, its
        # page must not count for ever.
        self._pages: weakref.WeakSet[PageAhead] = weakref.WeakSet()

    def start(self, session: Session, expression: str) -> Optional[PageAhead]:
        """Request *expression* in a thread; return None if too many requests are under way.

        Raise :exc:`RuntimeError` if the system cannot start a thread.
        """
        if self._process != os.getpid():
            self._begin()
        with self._lock:
            if sum(not page.is_done for page in self._pages) >= self.most:
                return None
            page = PageAhead(expression, fetcher_of(session).writes)
            # The context of the reader, so that a trace shows the request below the reader's span.
            # A daemon: the end of the program does not wait for pages that it does not read.
            threading.Thread(
                target=copy_context().run,
                args=(page.request, calls_of(session)),
                name="ftrack-like-ahead",
                daemon=True,
            ).start()
            self._pages.add(page)
        statistics_of(session).count(pages_ahead=1)
        return page


class AheadWindow:
    """The pages of one query that are requested and not yet read, in order.

    *following* takes the offset of the second page and returns the texts of the pages from there.
    The reader calls :meth:`take` before it requests a page itself, and :meth:`arrived` after each
    page. Instead, :meth:`begin` takes queries that are known. :meth:`stop` ends reading ahead. One
    thread uses a window at a time.
    """

    def __init__(
        self,
        session: Session,
        requests: AheadRequests,
        following: Callable[[int], Iterator[str]],
        began: int = 0,
    ) -> None:
        """Initialise without pages.

        *began* is the result of ``IdentityMap.begin_reading`` before the first request.
        """
        self.began = began
        self._session = session
        self._requests = requests
        self._following = following
        self._process = os.getpid()
        self._size = min(FIRST_PAGES, requests.most)
        self._texts: Optional[Iterator[str]] = None
        self._pages: deque[PageAhead] = deque()
        #: Whether the queries are known from the start, so that no page is a guess.
        self._is_known = False
        self._is_over = False

    def __del__(self) -> None:
        """Stop: the program does not need the result any more."""
        self.stop()

    def begin(self, texts: Iterator[str]) -> None:
        """Request the first pages of *texts*, the queries that the reader is going to need."""
        self._is_known = True
        self._size = self._requests.most
        self._texts = texts
        self._fill(texts)

    def take(self, expression: str) -> Optional[Json]:
        """Return the result of *expression* if it is requested already, else None.

        Wait for it if necessary. Raise the error of its request.
        """
        if not self._pages:
            return None
        page = self._pages[0]
        if page.expression != expression or page.is_old or not self._is_valid(page):
            self.stop()
            return None
        has_waited = not page.is_done
        try:
            result = page.result()
        except exception.ServerAuthenticationError:
            self.stop()
            if renewal_of(self._session) is None:
                raise
            return None  # The program's function for credentials runs on the reader's thread.
        except Exception:
            self.stop()
            raise
        if not self._is_valid(page):
            self.stop()
            return None
        if self._pages:  # Another thread may have stopped reading ahead during the wait.
            self._pages.popleft()
        if has_waited:
            self._size = min(2 * self._size, self._requests.most)
        return result

    def _is_valid(self, page: PageAhead) -> bool:
        """Return whether the session may use *page*: it is open, and has not written since."""
        return (
            self._process == os.getpid()
            and not self._session.closed
            and page.writes == fetcher_of(self._session).writes
        )

    def arrived(self, offset: Optional[int]) -> None:
        """Request further pages after a page arrived, whose next page is at *offset*."""
        if offset is None and not self._is_known:
            self.stop()
        elif not self._is_over:
            if self._texts is None:
                assert offset is not None
                self._texts = self._following(offset)
            self._fill(self._texts)

    def _fill(self, texts: Iterator[str]) -> None:
        """Request pages until the window is full, or the last page is known."""
        while len(self._pages) < self._size and not self._is_over:
            if not self._is_known and any(page.is_last for page in self._pages):
                return
            expression = next(texts, None)
            if expression is None:
                return
            try:
                page = self._requests.start(self._session, expression)
            except RuntimeError:  # No thread can be started, as at the end of the interpreter.
                page = None
            if page is None:
                self._texts = itertools.chain([expression], texts)  # Try again at the next page.
                return
            self._pages.append(page)
        if self._is_over:  # Another thread has stopped reading ahead in between.
            self.stop()

    def stop(self) -> None:
        """Stop reading ahead; pages under way are neither decoded nor requested again."""
        self._is_over = True
        for page in self._pages:
            page.is_wanted = False
        if self._pages:
            statistics_of(self._session).count(pages_unused=len(self._pages))
        self._pages.clear()
