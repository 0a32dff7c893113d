"""Move several files at the same time, with the same result as one after the other.

The files of a sequence are independent, and most of the time goes into waiting. But callers rely
on the sequential behaviour:

- *Errors*: the error of the first file in the order of the moves is raised, even if a later file
  failed earlier in time. Therefore a failure stops only the files after it. The files before it
  continue, since one of these may fail too.
- *Progress*: the caller's function is called only on the caller's thread. Therefore the threads
  put their progress into a queue, and the caller's thread reads it.
- *Clean-up*: the caller removes the stored files after an error. Therefore the function returns
  only when no thread works any more.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, TypeVar

from ftrack_like._transport.cancellation import check_cancelled
from ftrack_like.accessor._progress import Meter, measuring
from ftrack_like.accessor.base import Accessor

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Move", "is_among_others", "move_all", "next_of", "works_in_threads"]

News = TypeVar("News")

#: The most files to move at the same time, each with one or two chunks in memory. It may exceed
#: the number of processors, since most of the time goes into waiting for a disk or a server.
THREADS = 8

#: The seconds after which a wait for progress begins again.
_LOOK = 0.1

#: Whether the current file is one of several that are moved at the same time.
_AMONG_OTHERS: ContextVar[bool] = ContextVar("_AMONG_OTHERS", default=False)


class Move(NamedTuple):
    """One file to move: *run* moves it, and it is *expected* to have this many bytes."""

    run: Callable[[], object]
    expected: int


def works_in_threads(accessor: Accessor) -> bool:
    """Return whether several threads may use *accessor* at once.

    The class of *accessor* itself must set ``is_thread_safe``. Subclasses do not inherit it, and
    replaced methods on the object cancel it: their code may not be safe for threads.
    """
    kind = type(accessor)
    if not issubclass(kind, Accessor) or vars(kind).get("is_thread_safe") is not True:
        return False
    return not any(hasattr(kind, name) for name in vars(accessor))


def next_of(items: queue.SimpleQueue[News]) -> News:
    """Wait for the next of *items* and return it.

    On Windows, Ctrl-C does not end a wait without a time limit. So wait again and again. Raise an
    error when the current work is cancelled.
    """
    while True:
        check_cancelled()
        with contextlib.suppress(queue.Empty):
            return items.get(timeout=_LOOK)


def is_among_others() -> bool:
    """Return whether the current file is one of several; then its upload uses one thread."""
    return _AMONG_OTHERS.get()


def move_all(moves: Sequence[Move], meter: Optional[Meter]) -> None:
    """Run all *moves* in a few threads, and report their progress to *meter* on this thread.

    If moves fail, raise the error of the first in the order of *moves*. The moves after it end at
    their next chunk. When this function returns or raises, all threads have ended.
    """
    _Moving(moves, meter).run()


class _Stale(Exception):
    """Ends the move of a file that is no longer needed."""


class _Moving:
    """The state of several files that are moved at the same time."""

    def __init__(self, moves: Sequence[Move], meter: Optional[Meter]) -> None:
        self._moves = moves
        self._meter = meter
        self._lock = threading.Lock()
        #: The files from this index on are no longer needed.
        self._end = len(moves)
        #: Progress from the threads: ``(index of the file, done, total)`` in bytes, or None when
        #: the move of a file has ended.
        self._news: queue.SimpleQueue[Optional[tuple[int, int, int]]] = queue.SimpleQueue()

    def run(self) -> None:
        """Move the files; raise the error of the first file in their order."""
        # lazy: needed only for several files.
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(min(THREADS, len(self._moves)), "ftrack-like-move")
        try:
            futures = [
                pool.submit(copy_context().run, self._move, index)
                for index in range(len(self._moves))
            ]
            for future in futures:
                future.add_done_callback(self._finished)
            self._follow()
        finally:
            self._fail(-1)
            # The caller removes the stored files after an error, so no thread may store more.
            pool.shutdown(wait=True, cancel_futures=True)
        for future in futures:
            future.result()

    def _finished(self, future: Future[Any]) -> None:
        """Report that the move of a file has ended. Runs in a thread of the pool."""
        self._news.put(None)

    def _follow(self) -> None:
        """Report the progress of the threads to the meter until all moves have ended."""
        left = len(self._moves)
        done, total = [0] * left, [move.expected for move in self._moves]
        all_done, all_total = 0, sum(total)
        while left:
            news = next_of(self._news)
            if news is None:
                left -= 1
                continue
            index, here, size = news
            all_done += here - done[index]
            all_total += size - total[index]
            done[index], total[index] = here, size
            if self._meter is not None:
                self._meter.move_all_to(all_done, all_total)

    def _move(self, index: int) -> None:
        """Move the file at *index*. Runs in a thread of the pool."""
        if index >= self._end:
            return
        move = self._moves[index]
        _AMONG_OTHERS.set(True)
        meter = Meter(functools.partial(self._tell, index), move.expected)
        meter.begin(move.expected)
        try:
            with measuring(meter):
                move.run()
                meter.end()
        except _Stale:
            return  # An earlier file failed, or the caller no longer waits.
        except BaseException:
            self._fail(index)
            raise

    def _tell(self, index: int, done: int, total: int) -> None:
        """Queue the progress of the file at *index*; end its move if it is no longer needed."""
        if index >= self._end:
            raise _Stale
        self._news.put((index, done, total))

    def _fail(self, index: int) -> None:
        """Give up the files from *index* on."""
        with self._lock:
            self._end = min(self._end, index)
