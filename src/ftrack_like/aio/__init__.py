"""The asynchronous front: a session for programs with an event loop.

::

    async with AsyncSession() as session:
        async for task in session.query("select name, status.name from Task"):
            print(task["name"], task["status"]["name"])

:class:`AsyncSession` has the verbs of :class:`~ftrack_like.session.Session`. Those that may wait
are coroutines. A bounded number of threads runs them on one synchronous session, so both fronts
share all code. Reading an attribute never waits: if it is not loaded, it raises
:exc:`~ftrack_like.exception.NotLoadedError`.
"""

from __future__ import annotations

from ftrack_like.aio._entity import AsyncEntity
from ftrack_like.aio._events import AsyncEvents
from ftrack_like.aio._query import AsyncQuery
from ftrack_like.aio._selection import AsyncSelection
from ftrack_like.aio._session import AsyncSession

__all__ = ["AsyncEntity", "AsyncEvents", "AsyncQuery", "AsyncSelection", "AsyncSession"]
