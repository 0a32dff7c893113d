"""Blocks that commit at their end."""

from __future__ import annotations

import asyncio
import contextlib
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
        if exception_type is not None:
            await self._back_out()
            return
        try:
            await self._commit()
        except exception.ServerError as error:
            if isinstance(error, exception.ServerConnectionError):
                self._turn.release()
            else:
                await self._back_out()
            raise
        except BaseException:
            self._turn.release()
            raise
        self._turn.release()

    async def _back_out(self) -> None:
        """Roll back and end the turn, also if the task is cancelled meanwhile.

        The turn ends with the rollback: it would undo the changes of the next transaction.
        """
        rollback = asyncio.ensure_future(self._rollback())
        rollback.add_done_callback(lambda _: self._turn.release())
        with contextlib.suppress(exception.ConnectionClosedError):  # Closing forgets all changes.
            await asyncio.shield(rollback)
