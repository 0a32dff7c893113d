"""Moving several files at the same time, as if it were one after the other."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like.accessor._progress import Meter, measuring
from ftrack_like.accessor.base import Accessor

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Move", "is_among_others", "move_all", "works_in_threads"]

#: Files under way at the same time, each with a chunk or two in memory. Most of the time goes
#: into waiting for a disk or a server, so there may be more than the machine has processors.
THREADS = 8

#: Whether the file under way is one of several that are moved at the same time.
_AMONG_OTHERS: ContextVar[bool] = ContextVar("_AMONG_OTHERS", default=False)


class Move(NamedTuple):
    """One file to be moved: what moves it, and how many bytes it should have."""

    run: Callable[[], object]
    expected: int


def works_in_threads(accessor: Accessor) -> bool:
    """Return whether *accessor* may be used by several threads at once.

    Its very class must say so, by ``is_thread_safe``: a subclass may open or write in a way of
    its own, as may an accessor on which a method was replaced.
    """
    kind = type(accessor)
    if not issubclass(kind, Accessor) or vars(kind).get("is_thread_safe") is not True:
        return False
    return not any(hasattr(kind, name) for name in vars(accessor))


def is_among_others() -> bool:
    """Return whether the file under way is one of several, so that one thread must do for it."""
    return _AMONG_OTHERS.get()


def move_all(moves: Sequence[Move], meter: Optional[Meter]) -> None:
    """Carry out *moves* in a few threads, and tell *meter* of all of them on this one.

    Raise the error of the first of *moves* that fails. Those after it end at their next chunk,
    those before it are carried out, so that it is the same error as one after the other. When
    this returns or raises, no thread is at work any more.
    """
    _Moving(moves, meter).run()


class _Stale(Exception):
    """A file is not needed any more."""


class _Moving:
    """The state of several files that are moved at the same time."""

    def __init__(self, moves: Sequence[Move], meter: Optional[Meter]) -> None:
        self._moves = moves
        self._meter = meter
        self._lock = threading.Lock()
        #: Files from this position on are not needed any more.
        self._end = len(moves)
        #: How far a file is, ``(its position, done, total)``, or that a thread has finished.
        self._news: queue.SimpleQueue[Optional[tuple[int, int, int]]] = queue.SimpleQueue()

    def run(self) -> None:
        """Move the files; raise the first error, in their order."""
        # lazy: only who moves several files pays for it.
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
            # What they have stored must be known before it can be removed again.
            pool.shutdown(wait=True, cancel_futures=True)
        for future in futures:
            future.result()

    def _finished(self, future: Future[Any]) -> None:
        """Take note that a file is done with. Run in a thread of the pool."""
        self._news.put(None)

    def _follow(self) -> None:
        """Tell the meter of what the threads do, until they are done with all files."""
        left = len(self._moves)
        done, total = [0] * left, [move.expected for move in self._moves]
        all_done, all_total = 0, sum(total)
        while left:
            news = self._news.get()
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
        """Move the file at *index*. Run in a thread of the pool."""
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
            return  # Another file is what failed, or the caller does not wait any more.
        except BaseException:
            self._fail(index)
            raise

    def _tell(self, index: int, done: int, total: int) -> None:
        """Pass on how far the file at *index* is; end its move if it is not needed."""
        if index >= self._end:
            raise _Stale
        self._news.put((index, done, total))

    def _fail(self, index: int) -> None:
        """Let the files from *index* on be given up."""
        with self._lock:
            self._end = min(self._end, index)
