"""Streams: yield the entities of a query page by page, in constant memory.

A stream must forget the entities of a page when it reads the next one. But it may forget only those
that arrived with the page. Other parts of the program may rely on entities that the session had
before. So each page records the keys of its new entities in a ``fresh`` list.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, cast

from ftrack_like._base.collaborators import identity_map_of
from ftrack_like.query import Pages

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["EntityPage", "stream"]


class EntityPage(NamedTuple):
    """One page of a query."""

    entities: list[Any]
    #: The identity map keys of the new entities: they arrived with the page, or were loaded for it
    #: later.
    fresh: list[Any]


class _Ahead:
    """A page that a background thread loads."""

    def __init__(self, load: Callable[[], EntityPage]) -> None:
        """Start a thread that calls *load*."""
        self._load = load
        self._page: Optional[EntityPage] = None
        self._error: Optional[BaseException] = None
        self._release: Optional[Callable[[list[Any]], Any]] = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ftrack-prefetch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """Load the page and keep it, or release it if it was abandoned."""
        try:
            page = self._load()
        except BaseException as error:
            self._error = error  # The thread that waits for the page raises it.
            return
        with self._lock:
            self._page = page
            release = self._release
        if release is not None:
            release(page.fresh)

    def result(self) -> EntityPage:
        """Wait for the page and return it, or raise the error of loading it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return cast(EntityPage, self._page)

    def abandon(self, release: Callable[[list[Any]], Any]) -> None:
        """Call *release* with the keys of the page when it is loaded. Do not wait for it."""
        with self._lock:
            self._release = release
            page = self._page
        if page is not None:
            release(page.fresh)


def stream(
    session: Session, pages: Pages, page_size: int, keep: bool, prefetch: bool
) -> Iterator[Any]:
    """Yield the entities of *pages*, *page_size* at a time.

    At the start of each page, release the entities of the page before, unless *keep* is true; see
    ``QueryResult.iterate``. With *prefetch*, load the next page in the background.
    """
    held: list[Any] = []  # keys of entities with local values, to release after a commit
    ahead: Optional[_Ahead] = None
    page: Optional[EntityPage] = None
    try:
        while True:
            page = _load_page(pages, page_size) if ahead is None else ahead.result()
            ahead = None
            if prefetch and not pages.is_done:
                ahead = _Ahead(lambda: _load_page(pages, page_size))
            yield from _emptying(page.entities)
            if not keep:
                held = identity_map_of(session).release(held + page.fresh)
            page = None
            if ahead is None and pages.is_done:
                return
    finally:
        pages.close()
        # The loop ended early, by an error or because the caller stopped it: release the loaded
        # pages.
        if not keep:
            release = identity_map_of(session).release
            release(held + (page.fresh if page is not None else []))
            if ahead is not None:
                ahead.abandon(release)


def _emptying(entities: list[Any]) -> Iterator[Any]:
    """Yield *entities* and remove each from the list, so that the list does not keep it alive."""
    entities.reverse()
    while entities:
        yield entities.pop()


def _load_page(pages: Pages, size: int) -> EntityPage:
    """Return the next page of *pages*, with at most *size* entities."""
    fresh: list[Any] = []
    return EntityPage(pages.read(size, fresh), fresh)
