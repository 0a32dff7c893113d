"""The event loop goes on: many queries at once, and no callback that takes long."""

from __future__ import annotations

import asyncio
import asyncio.events
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ftrack_like.aio import AsyncSession
from ftrack_like.testing import Sandbox

Open = Callable[..., AsyncSession]

#: The longest time of a callback on the loop, in seconds of its thread. Waiting does not count, so
#: the result does not depend on other processes.
LONGEST = 0.005


class LongestCallback:
    """The callback of a loop that used the processor longest: its seconds and its text."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.text = ""


@contextmanager
def watched_loop() -> Iterator[LongestCallback]:
    """Measure the callbacks of event loops on this thread. No garbage is collected meanwhile."""
    found = LongestCallback()
    original, here = asyncio.events.Handle._run, threading.get_ident()

    def run(handle: asyncio.events.Handle) -> Any:
        if threading.get_ident() != here:  # The sandbox has a loop too.
            return original(handle)
        begun = time.thread_time()
        try:
            return original(handle)
        finally:
            seconds = time.thread_time() - begun
            if seconds > found.seconds:
                found.seconds, found.text = seconds, repr(handle)

    gc.collect()
    gc.disable()
    asyncio.events.Handle._run = run  # type: ignore[method-assign]
    try:
        yield found
    finally:
        asyncio.events.Handle._run = original  # type: ignore[method-assign]
        gc.enable()


def longest_of_three(main: Callable[[], Any]) -> LongestCallback:
    """Return the best of three runs of *main*: other processes disturb the clocks of threads."""
    results = []
    for _ in range(3):
        with watched_loop() as found:
            asyncio.run(main())
        results.append(found)
        if found.seconds < LONGEST:
            break
    return min(results, key=lambda each: each.seconds)


def test_watch_finds_a_callback_that_takes_long() -> None:
    """The measurement itself sees a callback that works for more than the limit."""

    async def main() -> None:
        await asyncio.sleep(0)
        end = time.thread_time() + 2 * LONGEST
        while time.thread_time() < end:
            pass

    assert longest_of_three(main).seconds > LONGEST


def test_a_thousand_queries_at_once(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """1,000 tasks query on one loop; each gets its rows, in at most 32 threads."""
    threads: set[str] = set()

    async def one(session: AsyncSession, number: int) -> str:
        query = session.query(f'select name from Task where name is "task {number:04}"')
        found = await query.one()
        return str(found["name"])

    async def main() -> None:
        async with open_async() as session:
            session.blocking.on_request(lambda report: threads.add(threading.current_thread().name))
            sandbox.delay(0.02, times=1000, action="query")
            names = await asyncio.gather(*[one(session, number) for number in range(1000)])
            assert names == [f"task {number:04}" for number in range(1000)]

    asyncio.run(main())
    assert 1 < len(threads) <= 32


def test_queries_do_not_block_the_loop(open_async: Open, project: str) -> None:
    """Decoding and attaching large answers takes no time on the loop, nor do many queries."""

    async def main() -> None:
        async with open_async() as session:
            await asyncio.gather(*[session.query("Task").all() for _ in range(4)])
            await asyncio.gather(
                *[session.query("select name from Task limit 10").all() for _ in range(200)]
            )
            async for task in session.query("select name, status.name from Task"):
                assert task["status"]["name"]

    found = longest_of_three(main)
    assert found.seconds < LONGEST, found.text


def test_changes_do_not_block_the_loop(open_async: Open, project: str) -> None:
    """Committing, populating and rolling back 1,200 entities takes no time on the loop."""

    async def main() -> None:
        async with open_async() as session:
            tasks = await session.query("select name from Task")
            for task in tasks:
                await asyncio.sleep(0)
                task["bid"] = 5.0
            await session.commit()
            await session.populate(tasks, "status.name, description")
            for task in tasks:
                await asyncio.sleep(0)
                task["bid"] = 0.0
            await session.rollback()

    found = longest_of_three(main)
    assert found.seconds < LONGEST, found.text


def test_files_do_not_block_the_loop(open_async: Open, movie: Path, tmp_path: Path) -> None:
    """Uploads, downloads, the start and the end take no time on the loop."""

    async def main() -> None:
        async with open_async() as session:
            server: Any = await session.query('Location where name is "ftrack.server"').one()
            component = await session.create_component(
                movie, {"name": "plate"}, server, progress=lambda done, total: None
            )
            await session.download(component, tmp_path / "copy.mov", server)

    found = longest_of_three(main)
    assert found.seconds < LONGEST, found.text


def test_loop_goes_on_while_the_server_is_silent(open_async: Open, sandbox: Sandbox) -> None:
    """While 32 queries wait for the server, other tasks of the loop run."""

    async def main() -> None:
        async with open_async() as session:
            sandbox.delay(50, times=32, action="query")
            waiting = [asyncio.ensure_future(session.query("User").all()) for _ in range(32)]
            ticks = 0
            while sandbox.planned_faults:
                await asyncio.sleep(0.001)
                ticks += 1
            assert ticks
            assert not any(each.done() for each in waiting)
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)

    asyncio.run(main())


def test_tasks_share_entities(open_async: Open, project: str) -> None:
    """Tasks that query the same entities at the same time get the same objects."""

    async def main() -> None:
        async with open_async() as session:
            query = "select name from Task order by name"
            results = await asyncio.gather(*[session.query(query).all() for _ in range(8)])
            for found in results[1:]:
                assert all(one is other for one, other in zip(found, results[0]))

    asyncio.run(main())


def test_tasks_commit_at_once(open_async: Open, project: str) -> None:
    """Tasks that create and commit at the same time lose nothing and send nothing twice."""

    async def one(session: AsyncSession, number: int, parent: Any) -> None:
        for step in range(5):
            session.create("Task", {"name": f"new {number} {step}", "parent": parent})
            await session.commit()

    async def main() -> None:
        async with open_async() as session:
            parent = await session.get("Project", project)
            await asyncio.gather(*[one(session, number, parent) for number in range(12)])
            assert await session.query('Task where name like "new %"').count() == 60
            assert not session.blocking.recorded_operations

    asyncio.run(main())


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_is_kept(open_async: Open, sandbox: Sandbox, concurrency: int) -> None:
    """No more requests than chosen run at the same time."""
    running, most, lock = 0, 0, threading.Lock()

    async def main() -> None:
        nonlocal running, most
        async with open_async(concurrency=concurrency) as session:

            def work() -> None:
                nonlocal running, most
                with lock:
                    running += 1
                    most = max(most, running)
                session.blocking.query("User").all()
                with lock:
                    running -= 1

            await asyncio.gather(*[session.run(work) for _ in range(30)])

    asyncio.run(main())
    assert most == concurrency


#: A program that prints the modules that calls on the loop have imported.
FIRST_CALLS = """
import asyncio, sys
import ftrack_like
from ftrack_like import attr
from ftrack_like.aio import AsyncSession

async def main():
    async with AsyncSession(*sys.argv[1:], plugin_paths=[]) as session:
        task = await session.query("select name, parent from Task").first()
        before = set(sys.modules)
        task["name"] = "first"
        session.delete(session.create("Task", {"name": "new", "parent": task["parent"]}))
        commit = asyncio.ensure_future(session.commit())
        await asyncio.sleep(0)
        session.blocking.modified
        session.select("Task").where(attr.name == "first").order_by("name")
        for name in ("notes", "description", "status"):
            try:
                task[name]
            except ftrack_like.exception.NotLoadedError:
                pass
        session.events("topic=studio.test")
        found = set(sys.modules) - before
        await commit
        print(sorted(each for each in found if each.startswith("ftrack_like") or each == "difflib"))

asyncio.run(main())
"""


def test_first_calls_on_the_loop_import_nothing(sandbox: Sandbox, project: str) -> None:
    """In a new process, the first commit, selection and error find their modules imported."""
    credentials = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
    found = subprocess.run(
        [sys.executable, "-c", FIRST_CALLS, *credentials],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (found.stdout.strip(), found.stderr) == ("[]", "")
