"""The ends of blocks: they wait for no other work, and touch no changes of other tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.aio import AsyncEntity, AsyncSession
from ftrack_like.testing import Sandbox

Open = Callable[..., AsyncSession]

#: A test that waited for the server would take this many seconds.
STALLED = 50.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* is true; fail after a minute."""
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the condition did not come true")


async def three_tasks(session: AsyncSession) -> list[AsyncEntity]:
    """Return three tasks of *session*."""
    return await session.query("select name, description from Task order by name limit 3")


async def busy_thread(session: AsyncSession, sandbox: Sandbox) -> asyncio.Future[Any]:
    """Return a query that keeps the only thread of *session* busy."""
    sandbox.delay(STALLED, action="query")
    task = asyncio.ensure_future(session.query("User").all())
    await until(lambda: sandbox.planned_faults == 0)
    return task


async def end(task: asyncio.Future[Any]) -> None:
    """Cancel *task* and wait for its end."""
    task.cancel()
    await asyncio.wait([task])


def test_rollback_of_a_cancelled_block_ends_its_turn(
    open_async: Open, project: str, sandbox: Sandbox
) -> None:
    """A block that is cancelled while it rolls back undoes no change of the next transaction."""

    async def main() -> None:
        async with open_async() as session:
            tasks = await three_tasks(session)
            tasks[0]["description"] = "under way"
            sandbox.delay(0.5, action="update")
            commit = asyncio.ensure_future(session.commit())
            await until(lambda: sandbox.planned_faults == 0)
            reached = asyncio.Event()

            async def failing() -> None:
                async with session.transaction():
                    tasks[1]["description"] = "undone"
                    reached.set()
                    raise ValueError

            block = asyncio.ensure_future(failing())
            await reached.wait()
            await end(block)  # It waits for the commit at this moment.
            async with session.transaction():
                tasks[2]["description"] = "kept"
            await commit
            found = [each["description"] for each in tasks]
            assert (found[0], found[2]) == ("under way", "kept")
            assert found[1] != "undone"
            assert not session.blocking.recorded_operations

    asyncio.run(main())


def test_refused_block_rolls_back_though_cancelled(
    open_async: Open, project: str, sandbox: Sandbox
) -> None:
    """A refused transaction leaves nothing pending, also if its task is cancelled meanwhile."""

    async def main() -> None:
        async with open_async(concurrency=1) as session:
            parent = await session.get("Project", project)
            query = await busy_thread(session, sandbox)
            rolled_back = asyncio.Event()
            rollback = session.rollback

            async def told() -> None:
                rolled_back.set()
                await rollback()

            session.rollback = told  # type: ignore[method-assign]

            async def refused() -> None:
                async with session.transaction():
                    for _ in range(2):
                        session.create("Task", {"name": "twice", "parent": parent})

            block = asyncio.ensure_future(refused())
            await rolled_back.wait()
            await end(block)
            await end(query)
            async with session.transaction():
                session.create("Task", {"name": "once", "parent": parent})
            assert await session.query('Task where name is "once"').count() == 1

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["transaction", "events"])
def test_cancelled_block_waits_for_no_thread(
    open_async: Open, project: str, sandbox: Sandbox, kind: str
) -> None:
    """A cancelled block ends while all threads of the session wait for the server."""

    async def main() -> None:
        async with open_async(concurrency=1) as session:
            task = (await three_tasks(session))[0]
            reached = asyncio.Event()

            async def transaction() -> None:
                async with session.transaction():
                    task["description"] = "undone"
                    reached.set()
                    await asyncio.sleep(STALLED)

            async def events() -> None:
                async with session.events("topic=studio.test") as arriving:
                    reached.set()
                    async for _ in arriving:
                        pass

            block = asyncio.ensure_future(transaction() if kind == "transaction" else events())
            await reached.wait()
            query = await busy_thread(session, sandbox)
            begun = time.monotonic()
            await end(block)
            assert time.monotonic() - begun < STALLED / 2
            await end(query)
            assert not session.blocking.recorded_operations

    asyncio.run(main())


def test_error_of_a_block_survives(open_async: Open) -> None:
    """The error of a block arrives, also if the session has not started, or is closed."""

    async def main() -> None:
        session = open_async(server_url="http://127.0.0.1:9")
        with pytest.raises(ZeroDivisionError):
            async with session.transaction():
                raise ZeroDivisionError
        session = open_async()
        await session.start()

        async def closing() -> None:
            async with session.transaction():
                await session.close()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await closing()
        with pytest.raises(exception.ConnectionClosedError):
            await session.rollback()

    asyncio.run(main())


def test_events_belong_to_one_block(open_async: Open) -> None:
    """A loop over events before the block, and a second block, raise an error with advice."""

    async def main() -> None:
        async with open_async() as session:
            events = session.events("topic=studio.test")
            with pytest.raises(exception.Error, match=r"async with session\.events"):
                await events.__anext__()
            async with events:
                pass
            with pytest.raises(exception.Error, match=r"Call session\.events"):
                async with events:
                    pass

    asyncio.run(main())
