"""The asynchronous session."""

from __future__ import annotations

import asyncio
import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Optional, TypeVar, Union, cast, overload

from ftrack_like import exception
from ftrack_like._base.collaborators import start_of
from ftrack_like._base.suggest import argument_names, check_arguments
from ftrack_like._session.downloads import download_component
from ftrack_like._session.starting import begin
from ftrack_like._transport.cancellation import run_to_the_end
from ftrack_like.aio._core import CoreSession
from ftrack_like.aio._events import AsyncEvents, HubThread
from ftrack_like.aio._hints import AdvisesBlocking, refuse_synchronous
from ftrack_like.aio._query import AsyncQuery
from ftrack_like.aio._selection import AsyncSelection
from ftrack_like.aio._transaction import AsyncTransaction, Turns
from ftrack_like.aio._workers import MOST_THREADS, Workers, arrival, tell_loop
from ftrack_like.session import Session

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import TypeVarTuple, Unpack

    from ftrack_like._base.types import DataSource, Json, PathText, Progress, Projections, Value
    from ftrack_like.aio._entity import AsyncEntity
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.job import Job
    from ftrack_like.entity.location import Location
    from ftrack_like.event.subscriber import Metadata
    from ftrack_like.query.builder import BuiltQuery
    from ftrack_like.wire.events import Event, EventData

    _Arguments = TypeVarTuple("_Arguments")

__all__ = ["AsyncSession"]

_Result = TypeVar("_Result")

#: How many events of a subscription may wait for the program.
_MOST_EVENTS = 1000


@refuse_synchronous(
    enter="Use 'async with' instead of 'with'.",
    exit="Use 'async with' instead of 'with'.",
)
class AsyncSession(AdvisesBlocking):
    """A session for programs with an event loop, with the verbs of the synchronous session.

    Tasks may share it. Their queries, uploads and downloads run at the same time, in at most
    *concurrency* threads; further ones wait for a free thread. Commits run one after the other, and
    so do calls of :meth:`ensure`. All tasks share the entities and the pending changes: a commit
    sends the changes of all tasks. Give tasks whose changes must succeed or fail separately a
    session each.

    Use it with ``async with``, or :meth:`close` it. It may be used by one event loop after another.
    """

    def __init__(
        self,
        server_url: Optional[str] = None,
        api_key: Optional[str] = None,
        api_user: Optional[str] = None,
        *,
        concurrency: int = MOST_THREADS,
        **options: Value,
    ) -> None:
        """Initialise; nothing is read or sent before the first ``await``.

        *concurrency* is the largest number of threads, from 1 to 32. The other arguments and
        *options* are those of :class:`~ftrack_like.session.Session`, without ``connect`` and
        ``on_lazy_load``. Raise :exc:`TypeError` for another option, and :exc:`ValueError` for
        another number of threads.
        """
        _check_options(options)
        self._options: dict[str, Any] = {
            "server_url": server_url,
            "api_key": api_key,
            "api_user": api_user,
            **options,
        }
        self._workers = Workers(concurrency)
        self._opening = threading.Lock()
        self._core: Optional[CoreSession] = None
        self._closed = False
        self._hub_thread = HubThread(lambda: self._open().event_hub)
        self._listening: weakref.WeakSet[AsyncEvents] = weakref.WeakSet()
        self._turns: Turns = weakref.WeakKeyDictionary()

    def __repr__(self) -> str:
        """Return the server and the user, never the key."""
        core = self._core
        state = "not started" if core is None else repr(core)
        return f"<{type(self).__name__} {state}>"

    async def __aenter__(self) -> AsyncSession:
        """Start the session and return it; leaving the block closes it.

        Raise the errors of the constructor of :class:`~ftrack_like.session.Session`.
        """
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the session."""
        await self.close()

    # The core

    async def start(self) -> None:
        """Read the settings, ask the server and load plugins. The first ``await`` does this too.

        Raise the errors of the constructor of :class:`~ftrack_like.session.Session`, each time
        until the start has succeeded.
        """
        await self._workers.run(self._open)

    def _open(self) -> CoreSession:
        """Return the synchronous session, started. Runs in a worker."""
        with self._opening:
            if self._closed:
                raise exception.ConnectionClosedError()
            if self._core is None:
                self._core = CoreSession(self, self._options)
        # A cancelled task must not interrupt the start: plugins would register twice.
        run_to_the_end(begin, self._core)
        self._core.prepare()
        return self._core

    @property
    def blocking(self) -> Session:
        """The synchronous session below, for functions that :meth:`run` runs in a thread.

        On the thread of an event loop its methods raise
        :exc:`~ftrack_like.exception.BlockingCallError` instead of waiting for the server. Raise
        :exc:`~ftrack_like.exception.Error` before the start.
        """
        if self._closed:
            raise exception.ConnectionClosedError()
        core = self._core
        if core is None or not _has_started(core):
            raise exception.Error(
                "The session has not started. Use 'async with AsyncSession(…) as session', or "
                "await session.start()."
            )
        return core

    async def run(
        self, function: Callable[[Unpack[_Arguments]], _Result], *arguments: Unpack[_Arguments]
    ) -> _Result:
        """Return ``function(*arguments)``, which runs in a thread of this session.

        For blocking methods without a coroutine here, such as ``location.get_url``. If the task is
        cancelled, the function gets an error at its next request, wait for the server or chunk of a
        file, and the task ends when the function has cleaned up.
        """
        return await self._workers.run(functools.partial(self._started, function, arguments))

    def _started(self, function: Callable[..., _Result], arguments: tuple[Any, ...]) -> _Result:
        """Return ``function(*arguments)`` with a started session. Runs in a worker."""
        self._open()
        return function(*arguments)

    async def _do(self, function: Callable[[CoreSession], _Result]) -> _Result:
        """Return the result of *function*, which a worker calls with the started session."""
        return await self._workers.run(lambda: function(self._open()))

    @property
    def closed(self) -> bool:
        """Whether the session is closed."""
        return self._closed

    async def close(self) -> None:
        """Wait for commits, end all connections, and forget all entities.

        A second call does nothing. Calls that wait for the server raise
        :exc:`~ftrack_like.exception.ConnectionClosedError`. If a commit failed after its task was
        cancelled, raise its error at the end.
        """
        if self._closed:
            return
        self._closed = True
        for each in list(self._listening):
            each.end()
        await self._workers.finish(self._close)

    def _close(self) -> None:
        """Close the synchronous session. Runs in a thread of its own."""
        try:
            with self._opening:
                core = self._core
            if core is not None:
                core.close()
        finally:
            self._workers.end()

    # Entities

    def query(
        self, expression: str, page_size: int = 500, *, values: Optional[Mapping[str, Any]] = None
    ) -> AsyncQuery[AsyncEntity]:
        """Return the query *expression*, which is sent when it is awaited or when a loop begins.

        The arguments are those of :meth:`Session.query <ftrack_like.session.Session.query>`, whose
        errors come with the ``await``.
        """
        return AsyncQuery(
            self._workers,
            lambda: self._open().query(expression, page_size, values=values),
            page_size,
            lambda: expression,
        )

    def select(self, entity_type: str, page_size: int = 500) -> AsyncSelection[AsyncEntity]:
        """Return a selection of the entities of *entity_type*, to build a query without text.

        This sends nothing. Raise the errors of
        :meth:`Session.select <ftrack_like.session.Session.select>`, and
        :exc:`~ftrack_like.exception.Error` before the start.
        """
        built = cast("BuiltQuery[AsyncEntity]", self.blocking.select(entity_type, page_size))
        return AsyncSelection(self._workers, built, page_size)

    async def query_many(
        self, expressions: Iterable[str], page_size: int = 500
    ) -> list[list[AsyncEntity]]:
        """Return the lists of all entities that each of *expressions* finds.

        One request loads the first pages of all. See
        :meth:`Session.query_many <ftrack_like.session.Session.query_many>`.
        """
        asked = list(expressions)
        found = await self._do(
            lambda core: [result.all() for result in core.query_many(asked, page_size)]
        )
        return cast("list[list[AsyncEntity]]", found)

    async def get(self, entity_type: str, entity_key: object) -> Optional[AsyncEntity]:
        """Return an entity by its key, or None.

        See :meth:`Session.get <ftrack_like.session.Session.get>`.
        """
        found = await self._do(lambda core: core.get(entity_type, entity_key))
        return cast("Optional[AsyncEntity]", found)

    async def get_many(
        self, entity_type: str, entity_keys: Iterable[object]
    ) -> list[Optional[AsyncEntity]]:
        """Return the entity, or None, for each of *entity_keys*, in their order.

        See :meth:`Session.get_many <ftrack_like.session.Session.get_many>`.
        """
        asked = list(entity_keys)
        found = await self._do(lambda core: core.get_many(entity_type, asked))
        return cast("list[Optional[AsyncEntity]]", found)

    def create(self, entity_type: str, data: Optional[Mapping[str, Any]] = None) -> AsyncEntity:
        """Return a new entity with *data*; the next commit creates it on the server.

        This sends nothing. Raise the errors of
        :meth:`Session.create <ftrack_like.session.Session.create>`, and
        :exc:`~ftrack_like.exception.Error` before the start.
        """
        return cast("AsyncEntity", self.blocking.create(entity_type, data))

    async def ensure(
        self,
        entity_type: str,
        data: Mapping[str, Any],
        identifying_keys: Optional[Iterable[str]] = None,
    ) -> AsyncEntity:
        """Return the entity with *data*; create or update it, and commit, as needed.

        See :meth:`Session.ensure <ftrack_like.session.Session.ensure>`.
        """
        found = await self._do(lambda core: core.ensure(entity_type, data, identifying_keys))
        return cast("AsyncEntity", found)

    def delete(self, entity: AsyncEntity) -> None:
        """Delete *entity* with the next commit. This sends nothing."""
        self.blocking.delete(entity)

    async def populate(
        self, entities: Union[AsyncEntity, Iterable[AsyncEntity]], projections: Projections
    ) -> None:
        """Load *projections* of *entities*, in few requests.

        See :meth:`Session.populate <ftrack_like.session.Session.populate>`.
        """
        await self._do(lambda core: core.populate(entities, projections))

    async def call(self, data: list[dict[str, Any]]) -> list[Json]:
        """Run the operations *data* in one transaction; return their results.

        See :meth:`Session.call <ftrack_like.session.Session.call>`.
        """
        return await self._do(lambda core: core.call(data))

    # Changes

    async def commit(self) -> None:
        """Send the changes that are pending now, in one transaction.

        Changes that other tasks make meanwhile wait for the next commit. If the task is cancelled
        before the commit begins, nothing is sent. Otherwise the commit goes on, and the next one
        waits for it, so each change is sent once. Errors are those of
        :meth:`Session.commit <ftrack_like.session.Session.commit>`.
        """
        if self._core is None and not self._closed:
            return  # Nothing is pending before the start.
        future = self.blocking.commit_in_background()
        try:
            await arrival(future)
        except asyncio.CancelledError:
            future.cancel()
            raise
        future.result(0)

    async def rollback(self) -> None:
        """Undo all changes since the last commit. Wait for a commit that is under way.

        If the task is cancelled meanwhile, the rollback goes on.
        """
        core = self._core
        if self._closed:
            raise exception.ConnectionClosedError()
        if core is not None and _has_started(core):  # Nothing is pending before the start.
            await self._workers.finish(core.rollback)

    def transaction(self) -> AsyncTransaction:
        """Return a block that commits at its end; if it raises, roll back all pending changes.

        Use it with ``async with``. Transactions of several tasks take turns. If the server refuses
        the commit, roll back as well. After a lost connection or a cancelled commit the changes
        stay pending, because the server may have applied them: the next commit finds out.
        """
        return AsyncTransaction(self._turns, self.commit, self.rollback)

    # Files

    async def create_component(
        self,
        path: PathText,
        data: Optional[Mapping[str, Any]] = None,
        location: Union[Location, str, None] = "auto",
        *,
        progress: Optional[Progress] = None,
    ) -> Component:
        """Return a new component for *path*, with its data in *location*.

        See :meth:`Session.create_component <ftrack_like.session.Session.create_component>`.
        *progress* is called on the thread of the loop. Cancelling the task ends the transfer and
        removes partial data.
        """
        more = _progress_options(progress)
        text = cast("str", path)
        return await self._do(lambda core: core.create_component(text, data, location, **more))

    async def add_component(
        self,
        component: Component,
        location: Location,
        source: DataSource,
        *,
        recursive: bool = True,
        progress: Optional[Progress] = None,
    ) -> None:
        """Copy the data of *component* from *source* to *location*, and register it there.

        See :meth:`Location.add_component <ftrack_like.entity.location.Location.add_component>`.
        *progress* and cancelling are as for :meth:`create_component`.
        """
        more = _progress_options(progress)
        await self.run(
            lambda: location.add_component(component, source, recursive=recursive, **more)
        )

    async def remove_component(
        self, component: Component, location: Location, *, recursive: bool = True
    ) -> None:
        """Remove *component* and its data from *location*, and commit."""
        await self.run(lambda: location.remove_component(component, recursive=recursive))

    async def download(
        self,
        component: Component,
        path: PathText,
        location: Optional[Location] = None,
        *,
        progress: Optional[Progress] = None,
    ) -> int:
        """Copy the data of *component* to the file at *path*; return the number of bytes.

        The file appears when it is complete, and replaces an existing one. *location* is where the
        data are, by default the location that :meth:`pick_location` returns. Cancelling the task
        leaves no file.

        Raise :exc:`~ftrack_like.exception.ComponentNotInAnyLocationError` if the data are not
        accessible, and :exc:`~ftrack_like.exception.LocationError` for a component with members.
        """
        told = _progress_options(progress).get("progress")
        return await self._do(
            lambda core: download_component(core, component, path, location, told)
        )

    async def pick_location(self, component: Optional[Component] = None) -> Optional[Location]:
        """Return the accessible location with the best priority, or None.

        See :meth:`Session.pick_location <ftrack_like.session.Session.pick_location>`.
        """
        return await self._do(lambda core: core.pick_location(component))

    async def encode_media(
        self,
        media: Union[PathText, AsyncEntity],
        version_id: Optional[str] = None,
        keep_original: Union[bool, str] = "auto",
        *,
        wait: bool = False,
        timeout: Optional[float] = None,
        progress: Optional[Progress] = None,
    ) -> Job:
        """Start a job that makes versions of *media* for browsers, and return the job.

        See :meth:`Session.encode_media <ftrack_like.session.Session.encode_media>`.
        """
        told = _progress_options(progress).get("progress")
        return await self._do(
            lambda core: core.encode_media(
                media, version_id, keep_original, wait=wait, timeout=timeout, progress=told
            )
        )

    async def wait_for_job(
        self,
        job: Union[AsyncEntity, Job, str],
        timeout: Optional[float] = None,
        progress: Optional[Progress] = None,
    ) -> Job:
        """Wait until *job* is done, and return it.

        See :meth:`Session.wait_for_job <ftrack_like.session.Session.wait_for_job>`.
        """
        told = _progress_options(progress).get("progress")
        return await self._do(lambda core: core.wait_for_job(job, timeout, told))

    # Events

    def events(
        self,
        subscription: str,
        subscriber: Optional[Metadata] = None,
        *,
        limit: int = _MOST_EVENTS,
    ) -> AsyncEvents:
        """Return the events that match *subscription*, to use with ``async with``.

        *subscription* is an expression such as ``"topic=ftrack.update"``; *subscriber* is the
        metadata of the subscriber. The event hub connects if necessary. If more than *limit* events
        wait for the program, the oldest are dropped.
        """
        made = AsyncEvents(self._workers, self._hub_thread, subscription, subscriber, limit)
        self._listening.add(made)
        return made

    async def publish(self, event: Event) -> None:
        """Send *event* to the server, which passes it on to all subscribers.

        Raise :exc:`TypeError` if *event* is not an event, and
        :exc:`~ftrack_like.exception.EventHubError` if it cannot be sent.
        """
        await self._workers.run(lambda: self._hub_thread.connected_hub().publish(event))

    @overload
    async def publish_and_wait(
        self, event: Event, timeout: float = ..., *, all_replies: Literal[False] = ...
    ) -> Optional[Event]: ...

    @overload
    async def publish_and_wait(
        self, event: Event, timeout: float = ..., *, all_replies: Literal[True]
    ) -> list[Event]: ...

    async def publish_and_wait(
        self, event: Event, timeout: float = 10.0, *, all_replies: bool = False
    ) -> Union[Event, list[Event], None]:
        """Publish *event* and return the first reply, or None after *timeout* seconds.

        With *all_replies*, wait for *timeout* seconds and return the list of all replies.
        """
        return await self._workers.run(
            lambda: self._hub_thread.connected_hub().publish_and_wait(
                event, timeout, all_replies=all_replies
            )
        )

    async def publish_reply(self, source_event: Event, data: EventData) -> None:
        """Publish *data* as a reply to *source_event*."""
        await self._workers.run(
            lambda: self._hub_thread.connected_hub().publish_reply(source_event, data)
        )


def _has_started(core: CoreSession) -> bool:
    """Return whether the start of *core* is over."""
    start = start_of(core)
    return start is not None and start.is_over


def _check_options(options: Mapping[str, Any]) -> None:
    """Raise :exc:`TypeError` unless *options* are options of a session that may be set here."""
    known = {*(argument_names(Session.__init__) or ())}
    check_arguments("AsyncSession", options, known - {"connect", "on_lazy_load"})


def _progress_options(progress: Optional[Progress]) -> dict[str, Progress]:
    """Return the argument ``progress`` that calls *progress* on the loop; nothing if it is None.

    Studios override methods without this parameter.
    """
    if progress is None:
        return {}
    loop, tell = asyncio.get_running_loop(), progress
    return {"progress": lambda done, total: tell_loop(loop, functools.partial(tell, done, total))}
