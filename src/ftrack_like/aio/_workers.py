"""Run blocking functions in a bounded number of threads, and cancel them with their tasks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from ftrack_like import exception
from ftrack_like._transport.cancellation import CURRENT_CANCELLATION, Cancellation

__all__ = ["MOST_THREADS", "Workers", "arrival", "tell_loop"]

#: The most threads of a session. The session keeps this many connections to the server.
MOST_THREADS = 32

#: How many seconds a cancelled task waits until its function has cleaned up. A function that waits
#: for the answer to a commit may take longer; it then ends on its own.
UNWINDING = 2.0

_Result = TypeVar("_Result")


class Workers:
    """The threads of a session, at most *concurrency*. Tasks of any event loop may use it."""

    def __init__(self, concurrency: int) -> None:
        """Initialise; threads begin when they are needed.

        Raise :exc:`ValueError` unless *concurrency* is from 1 to :data:`MOST_THREADS`.
        """
        if not 1 <= concurrency <= MOST_THREADS:
            raise ValueError(f"concurrency is from 1 to {MOST_THREADS}, not {concurrency!r}.")
        self._pool = ThreadPoolExecutor(concurrency, "ftrack-like-aio")
        self._is_over = False

    async def run(self, function: Callable[[], _Result]) -> _Result:
        """Return the result of *function*, which runs in a thread as soon as one is free.

        If the task is cancelled, *function* gets an error at its next request, wait or chunk, and
        cleans up. The task ends afterwards, but at most :data:`UNWINDING` seconds later.
        """
        cancellation = Cancellation()
        context = copy_context()
        context.run(CURRENT_CANCELLATION.set, cancellation)
        if self._is_over:
            raise exception.ConnectionClosedError()
        future = self._pool.submit(context.run, _finishing(cancellation, function))
        arrived = arrival(future)
        try:
            await arrived
        except asyncio.CancelledError:
            if not future.cancel():
                cancellation.cancel()
                await asyncio.wait([arrival(future)], timeout=UNWINDING)
            raise
        return future.result(0)

    @staticmethod
    async def finish(function: Callable[[], _Result]) -> _Result:
        """Return the result of *function*, which runs in a thread of its own, also if all are busy.

        For the end of work that has begun. Cancelling the task ends the wait, and *function* goes
        on.
        """
        pool = ThreadPoolExecutor(1, "ftrack-like-finish")
        future = pool.submit(copy_context().run, function)
        pool.shutdown(wait=False)
        await arrival(future)
        return future.result(0)

    def end(self) -> None:
        """Accept no more functions. The running ones end on their own."""
        self._is_over = True
        self._pool.shutdown(wait=False)


def _finishing(
    cancellation: Cancellation, function: Callable[[], _Result]
) -> Callable[[], _Result]:
    """Return a function that calls *function* and then finishes *cancellation*."""

    def call() -> _Result:
        try:
            return function()
        finally:
            cancellation.finish()

    return call


def arrival(future: Future[_Result]) -> asyncio.Future[None]:
    """Return a future of the running loop that is done when *future* is done.

    Unlike :func:`asyncio.wrap_future`, it neither reads the result or the error of *future*, nor
    cancels it.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()

    future.add_done_callback(lambda _: tell_loop(loop, functools.partial(_set_done, arrived)))
    return arrived


def tell_loop(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    """Call *callback* on the thread of *loop*; do nothing if the loop is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)


def _set_done(arrived: asyncio.Future[None]) -> None:
    """Mark *arrived* as done, unless its task was cancelled."""
    if not arrived.done():
        arrived.set_result(None)
