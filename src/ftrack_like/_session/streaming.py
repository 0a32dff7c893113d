"""Streams: the entities of a query one page after the other, in memory that does not grow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, cast

from ftrack_like._collaborators import identity_map_of
from ftrack_like.query import Pages

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["Page", "stream"]


class Page(NamedTuple):
    """One page of a query."""

    entities: list[Any]
    #: The identity map keys of what came to the session with it, and what is loaded for it yet.
    fresh: list[Any]


class _Ahead:
    """A page that is being loaded in a thread of its own."""

    def __init__(self, load: Callable[[], Page]) -> None:
        """Begin to *load*."""
        self._load = load
        self._page: Optional[Page] = None
        self._error: Optional[BaseException] = None
        self._release: Optional[Callable[[list[Any]], Any]] = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ftrack-prefetch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """Load, and keep what comes of it unless it was abandoned."""
        try:
            page = self._load()
        except BaseException as error:
            self._error = error  # It is raised where the page is waited for.
            return
        with self._lock:
            self._page = page
            release = self._release
        if release is not None:
            release(page.fresh)

    def result(self) -> Page:
        """Wait for the page and return it; raise the error that came instead."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return cast(Page, self._page)

    def abandon(self, release: Callable[[list[Any]], Any]) -> None:
        """Have *release* called with the keys of what comes, without waiting for it."""
        with self._lock:
            self._release = release
            page = self._page
        if page is not None:
            release(page.fresh)


def stream(
    session: Session, pages: Pages, page_size: int, keep: bool, prefetch: bool
) -> Iterator[Any]:
    """Yield the entities of *pages*, *page_size* at a time.

    What came with a page is let go of when the next one is begun, unless *keep*; see
    ``QueryResult.iterate``. With *prefetch* the page after the current one is loaded at the same
    time.
    """
    held: list[Any] = []  # keys of what could not be let go of yet
    ahead: Optional[_Ahead] = None
    page: Optional[Page] = None
    try:
        while True:
            page = _load(pages, page_size) if ahead is None else ahead.result()
            ahead = None
            if prefetch and not pages.is_done:
                ahead = _Ahead(lambda: _load(pages, page_size))
            yield from _emptying(page.entities)
            if not keep:
                held = identity_map_of(session).release(held + page.fresh)
            page = None
            if ahead is None and pages.is_done:
                return
    finally:
        # Left early, by an error or by the reader: what was loaded is let go of as well.
        if not keep:
            release = identity_map_of(session).release
            release(held + (page.fresh if page is not None else []))
            if ahead is not None:
                ahead.abandon(release)


def _emptying(entities: list[Any]) -> Iterator[Any]:
    """Yield *entities*, each of which is held by nobody here from then on."""
    entities.reverse()
    while entities:
        yield entities.pop()


def _load(pages: Pages, size: int) -> Page:
    """Return the next page of *pages*, with *size* entities."""
    fresh: list[Any] = []
    return Page(pages.read(size, fresh), fresh)
