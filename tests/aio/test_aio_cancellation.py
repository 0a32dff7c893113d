"""Cancelled tasks: they end soon, leave nothing half-written, and the session goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like._transport.cancellation import (
    CURRENT_CANCELLATION,
    AbandonedError,
    Cancellation,
    check_cancelled,
    wait_unless_cancelled,
)
from ftrack_like.aio import AsyncSession
from ftrack_like.testing import Sandbox

Open = Callable[..., AsyncSession]

SERVER = 'Location where name is "ftrack.server"'

#: A test that waited for the server instead of cancelling would take this many seconds.
STALLED = 50.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* is true; fail after a minute."""
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the condition did not come true")


async def cancel(task: asyncio.Future[Any]) -> None:
    """Cancel *task* and wait for its end."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def parts_of(folder: Path) -> list[str]:
    """Return the names of all files in *folder*, hidden ones too."""
    return sorted(each.name for each in folder.iterdir())


def test_cancelled_query_frees_its_thread(open_async: Open, sandbox: Sandbox) -> None:
    """A query that waits for the server ends at once, and the only thread serves the next one."""

    async def main() -> None:
        async with open_async(concurrency=1) as session:
            sandbox.delay(STALLED, action="query")
            begun = time.monotonic()
            task = asyncio.ensure_future(session.query("User").all())
            await until(lambda: sandbox.planned_faults == 0)
            await cancel(task)
            assert len(await session.query("User")) == 1
            assert time.monotonic() - begun < STALLED / 2
            assert session.blocking.statistics["retries"] == 0

    asyncio.run(main())


def test_waiting_query_is_not_sent(open_async: Open, sandbox: Sandbox) -> None:
    """A query that waits for a free thread is never sent once it is cancelled."""

    async def main() -> None:
        async with open_async(concurrency=1) as session:
            sandbox.delay(STALLED, action="query")
            first = asyncio.ensure_future(session.query("User").all())
            await until(lambda: sandbox.planned_faults == 0)
            with sandbox.requests() as seen:
                await cancel(asyncio.ensure_future(session.query("Project").all()))
                await cancel(first)
                await session.query("Status").first()
            assert [str(each).count("Project ") for each in seen] == [0]

    asyncio.run(main())


def test_cancelled_start_goes_on(open_async: Open, sandbox: Sandbox, tmp_path: Path) -> None:
    """A start that is cancelled registers each plugin once, and the session works afterwards."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "noting.py").write_text(
        "import pathlib\n"
        "def register(session):\n"
        "    with open(pathlib.Path(__file__).with_name('told'), 'a') as file:\n"
        "        file.write('x')\n"
        "    session.query('User').all()\n"
    )

    async def main() -> None:
        session = open_async(plugin_paths=[str(folder)])
        sandbox.delay(0.3, action="query")
        task = asyncio.ensure_future(session.start())
        await until(lambda: sandbox.planned_faults == 0)
        await cancel(task)
        assert len(await session.query("User")) == 1
        await session.close()

    asyncio.run(main())
    assert (folder / "told").read_text() == "x"


def test_time_limit_on_a_query(open_async: Open, sandbox: Sandbox) -> None:
    """``wait_for`` ends a query that takes too long, also while it is retried."""

    async def main() -> None:
        async with open_async() as session:
            sandbox.fail(503, times=8, action="query", retry_after=STALLED)
            begun = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.query("User").all(), 0.3)
            assert time.monotonic() - begun < STALLED / 2
            sandbox.recover()
            assert len(await session.query("User")) == 1

    asyncio.run(main())


@pytest.mark.parametrize("moment", ["at once", "while it runs"])
def test_cancelled_commit_is_sent_once(
    open_async: Open, project: str, sandbox: Sandbox, moment: str
) -> None:
    """A commit that is cancelled and committed again creates its entities exactly once."""

    async def main() -> None:
        async with open_async() as session:
            parent = await session.get("Project", project)
            session.create("Task", {"name": "once", "parent": parent})
            if moment != "at once":
                sandbox.delay(0.5, action="create")
            commit = asyncio.ensure_future(session.commit())
            if moment != "at once":
                await until(lambda: sandbox.planned_faults == 0)
            else:
                await asyncio.sleep(0)
            await cancel(commit)
            await session.commit()
            assert await session.query('Task where name is "once"').count() == 1
            assert not session.blocking.recorded_operations
            assert not session.blocking.in_doubt

    asyncio.run(main())


def test_cancelled_commit_in_doubt_is_settled(
    open_async: Open, project: str, sandbox: Sandbox
) -> None:
    """The answer to a cancelled commit is lost: the next commit finds out that it was applied."""

    async def main() -> None:
        async with open_async() as session:
            parent = await session.get("Project", project)
            session.create("Task", {"name": "once", "parent": parent})
            sandbox.fail("lose", action="create", delay=0.3)
            commit = asyncio.ensure_future(session.commit())
            await until(lambda: sandbox.planned_faults == 0)
            await cancel(commit)
            await session.commit()
            assert await session.query('Task where name is "once"').count() == 1

    asyncio.run(main())


def test_close_reports_a_cancelled_commit_that_failed(open_async: Open, sandbox: Sandbox) -> None:
    """If a cancelled commit is refused afterwards, closing the session raises its error."""

    async def main() -> None:
        session = open_async()
        await session.start()
        schema = await session.query("ProjectSchema").first()
        for _ in range(2):
            session.create("Project", {"name": "twice", "project_schema": schema})
        sandbox.delay(0.3, action="create")
        commit = asyncio.ensure_future(session.commit())
        await until(lambda: sandbox.planned_faults == 0)
        await cancel(commit)
        with pytest.raises(exception.ServerNotUniqueError):
            await session.close()

    asyncio.run(main())


@pytest.mark.parametrize("chunks", range(7))
def test_cancelled_upload_leaves_nothing(
    open_async: Open, movie: Path, chunks: int, sandbox: Sandbox
) -> None:
    """An upload that is cancelled after any chunk leaves no component; repeating it works."""

    async def main() -> None:
        async with open_async() as session:
            server: Any = await session.query(SERVER).one()
            reached = asyncio.Event()

            def progress(done: int, total: int) -> None:
                if done >= chunks * 1024 * 1024:
                    reached.set()

            if not chunks:
                reached.set()
            task = asyncio.ensure_future(
                session.create_component(movie, {"name": "plate"}, server, progress=progress)
            )
            await asyncio.wait(
                [task, asyncio.ensure_future(reached.wait())], return_when="FIRST_COMPLETED"
            )
            task.cancel()
            await asyncio.wait([task])
            await check_whole_or_nothing(session, server)
            await session.create_component(movie, {"name": "again"}, server)
            assert await session.query('Component where name is "again"').count() == 1

    asyncio.run(main())


async def check_whole_or_nothing(session: AsyncSession, server: Any) -> None:
    """Check that each component is registered with its data, and that nothing is pending."""
    await session.commit()
    for component in await session.query("select name, size from FileComponent"):
        path = f"ComponentLocation where component_id is {component['id']}"
        assert await session.query(path).count() >= 1, component
        assert await session.run(server.get_component_availability, component) == 100.0
        size = await session.run(lambda one=component: len(_read(server, one)))
        assert size == component["size"]
    assert not session.blocking.recorded_operations


def _read(location: Any, component: Any) -> bytes:
    """Return the data of *component* in *location*."""
    with location.accessor.open(location.get_resource_identifier(component), "rb") as data:
        content: bytes = data.read()
        return content


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128])
def test_upload_cancelled_at_any_moment(open_async: Open, movie: Path, milliseconds: int) -> None:
    """Whenever an upload is cancelled, the component is there with its data, or not at all."""

    async def main() -> None:
        async with open_async() as session:
            server: Any = await session.query(SERVER).one()
            task = asyncio.ensure_future(session.create_component(movie, {"name": "plate"}, server))
            await asyncio.sleep(milliseconds / 1000)
            task.cancel()
            await asyncio.wait([task])
            await check_whole_or_nothing(session, server)

    asyncio.run(main())


def test_stalled_upload_ends_soon(open_async: Open, movie: Path, sandbox: Sandbox) -> None:
    """An upload to a storage that does not answer ends when it is cancelled."""

    async def main() -> None:
        async with open_async(concurrency=1) as session:
            server: Any = await session.query(SERVER).one()
            sandbox.delay(STALLED, path="/component")
            begun = time.monotonic()
            task = asyncio.ensure_future(session.create_component(movie, {"name": "plate"}, server))
            await until(lambda: sandbox.planned_faults == 0)
            await cancel(task)
            assert await session.query("FileComponent").count() == 0
            assert time.monotonic() - begun < STALLED / 2

    asyncio.run(main())


@pytest.mark.parametrize("members", [1, 12])
def test_cancelled_download_leaves_no_file(
    open_async: Open, movie: Path, tmp_path: Path, members: int, sandbox: Sandbox
) -> None:
    """A download that is cancelled at its first chunk, or before it, leaves no file."""
    folder = tmp_path / "here"
    folder.mkdir()

    async def main() -> None:
        async with open_async() as session:
            server: Any = await session.query(SERVER).one()
            component = await session.create_component(movie, {"name": "plate"}, server)
            reached = asyncio.Event()
            tasks = [
                asyncio.ensure_future(
                    session.download(
                        component,
                        folder / f"{number}.mov",
                        server,
                        progress=lambda done, total: reached.set(),
                    )
                )
                for number in range(members)
            ]
            await reached.wait()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            done = [n for n, task in enumerate(tasks) if not task.cancelled()]
            assert parts_of(folder) == sorted(f"{number}.mov" for number in done)
            begun = time.monotonic()
            sandbox.delay(STALLED, path="/component")
            stalled = asyncio.ensure_future(session.download(component, folder / "s.mov", server))
            await until(lambda: sandbox.planned_faults == 0)
            await cancel(stalled)
            assert "s.mov" not in "".join(parts_of(folder))
            assert time.monotonic() - begun < STALLED / 2

    asyncio.run(main())


def test_cancelled_ensure(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """ensure() that is cancelled while it commits makes the entity once, with the next call."""

    async def main() -> None:
        async with open_async() as session:
            data = {"name": "ensured", "project_id": project, "parent_id": project}
            sandbox.delay(0.3, action="create")
            task = asyncio.ensure_future(session.ensure("Task", data))
            await until(lambda: sandbox.planned_faults == 0)
            await cancel(task)
            await session.ensure("Task", data)
            assert await session.query('Task where name is "ensured"').count() == 1

    asyncio.run(main())


def test_cancelled_wait_for_a_job(open_async: Open) -> None:
    """Waiting for a job ends when the task is cancelled."""

    async def main() -> None:
        async with open_async(concurrency=1) as session:
            user = await session.query("User").one()
            job = session.create("Job", {"user": user, "status": "running"})
            await session.commit()
            begun = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.wait_for_job(job), 0.2)
            await session.query("User").one()
            assert time.monotonic() - begun < STALLED / 2

    asyncio.run(main())


def test_cancelled_loop_over_a_query(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """A loop that is cancelled while it waits for a page ends, and the session goes on."""

    async def main() -> None:
        async with open_async(read_ahead=False) as session:
            seen: list[str] = []

            async def read() -> None:
                async for task in session.query("select name from Task", page_size=500):
                    seen.append(task["name"])
                    if len(seen) == 500:
                        sandbox.delay(STALLED, action="query")

            begun = time.monotonic()
            task = asyncio.ensure_future(read())
            await until(lambda: len(seen) == 500 and sandbox.planned_faults == 0)
            await cancel(task)
            assert len(seen) == 500
            assert await session.query("Task").count() == 1200
            assert time.monotonic() - begun < STALLED / 2

    asyncio.run(main())


def test_work_is_told_once_on_each_thread() -> None:
    """Each thread of cancelled work gets the error once, so that it can clean up afterwards."""
    cancellation = Cancellation()
    told: list[str] = []

    def work() -> None:
        CURRENT_CANCELLATION.set(cancellation)
        with pytest.raises(AbandonedError):
            wait_unless_cancelled(threading.Event(), 60)
        check_cancelled()
        told.append(threading.current_thread().name)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    cancellation.cancel()
    for each in threads:
        each.join(30)
    assert len(told) == 3


def test_finished_work_is_not_cancelled() -> None:
    """Cancelling work that is over shuts no socket down: other work may use it."""

    class Used:
        cancellation = None
        aborted = 0

        def abort(self) -> None:
            self.aborted += 1

    from ftrack_like._transport.cancellation import hold

    def work(cancellation: Cancellation, used: Used) -> None:
        CURRENT_CANCELLATION.set(cancellation)
        hold(used, is_reading=True)

    first, second, used = Cancellation(), Cancellation(), Used()
    for each in (first, second):
        thread = threading.Thread(target=work, args=(each, used))
        thread.start()
        thread.join()
    first.cancel()
    assert used.aborted == 0
    second.finish()
    second.cancel()
    assert used.aborted == 0
