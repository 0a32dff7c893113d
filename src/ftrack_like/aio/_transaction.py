"""Blocks that commit at their end."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like.aio._hints import refuse_synchronous

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["AsyncTransaction", "Turns"]

#: The locks by event loop: one transaction of a session runs at a time.
Turns = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]


@refuse_synchronous(
    enter="Use 'async with' instead of 'with'.",
    exit="Use 'async with' instead of 'with'.",
)
class AsyncTransaction:
    """A block of :meth:`AsyncSession.transaction`. Use it once."""

    def __init__(
        self,
        turns: Turns,
        commit: Callable[[], Coroutine[Any, Any, None]],
        rollback: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Initialise; *commit* and *rollback* are those of the session, *turns* are its locks."""
        self._turns = turns
        self._commit = commit
        self._rollback = rollback
        self._turn: asyncio.Lock

    async def __aenter__(self) -> None:
        """Wait for the turn."""
        self._turn = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        await self._turn.acquire()

    async def __aexit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Commit, or roll back if the block raised an exception; end the turn."""
        try:
            if exception_type is not None:
                await asyncio.shield(asyncio.ensure_future(self._rollback()))
                return
            try:
                await self._commit()
            except exception.ServerConnectionError:
                raise
            except exception.ServerError:
                await self._rollback()
                raise
        finally:
            self._turn.release()
