"""The verbs of an asynchronous session, one by one."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import attr, exception
from ftrack_like.aio import AsyncEntity, AsyncSession
from ftrack_like.testing import Sandbox

Open = Callable[..., AsyncSession]

SERVER = 'Location where name is "ftrack.server"'


def test_query_returns_all_entities(open_async: Open, project: str) -> None:
    """``await`` of a query returns the list of all entities, over several pages."""

    async def main() -> None:
        async with open_async() as session:
            tasks = await session.query("select name from Task order by name", page_size=500)
            assert [task["name"] for task in tasks] == [f"task {n:04}" for n in range(1200)]
            assert all(isinstance(task, AsyncEntity) for task in tasks)
            bound = session.query("Task where name is :name", values={"name": "task 0007"})
            assert (await bound.one())["name"] == "task 0007"
            assert await session.query("Task where name is 'none'").first() is None
            assert await session.query("Task").count() == 1200
            rows = await session.query("select name from Task limit 1").to_dicts()
            assert list(rows[0]) == ["name"]
            with pytest.raises(exception.MultipleResultsFoundError):
                await session.query("Task").one()

    asyncio.run(main())


def test_loop_requests_pages_on_the_way(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """A loop gets all entities in order; a loop that ends at the first one requests one page."""

    async def main() -> None:
        async with open_async(read_ahead=False) as session:
            with sandbox.requests() as seen:
                found = [task["name"] async for task in session.query(QUERY, page_size=500)]
            assert found == [f"task {n:04}" for n in range(1200)]
            assert len(seen) == 3
            with sandbox.requests() as seen:
                async for _ in session.query(QUERY, page_size=500):
                    break
                gc.collect()
            assert len(seen) == 1

    QUERY = "select name from Task order by name"
    asyncio.run(main())


@pytest.mark.parametrize("size", [1, 7, 8, 400, 1200, 5000])
def test_loop_with_any_page_size(open_async: Open, project: str, size: int) -> None:
    """The size of the pages changes neither the entities nor their order."""

    async def main() -> None:
        limit = 30 if size < 8 else 1200
        async with open_async() as session:
            query = session.query(f"select name from Task order by name limit {limit}", size)
            found = [task["name"] async for task in query]
            assert found == [f"task {n:04}" for n in range(limit)]

    asyncio.run(main())


def test_selections(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """A selection is built without a request, and awaited or looped over like a query."""

    async def main() -> None:
        async with open_async() as session:
            with sandbox.assert_requests(exactly=0):
                few = session.select("Task").columns("name").where(attr.name.in_(["task 0003"]))
                assert str(few) == few.expression
                assert "task 0003" in repr(few)
                with pytest.raises(exception.UnknownAttributeError):
                    session.select("Task").where(attr.nmae == "x")
            assert [task["name"] for task in await few] == ["task 0003"]
            with sandbox.assert_requests(exactly=1):  # Each await queries again.
                assert [task["name"] for task in await few] == ["task 0003"]
            ordered = session.select("Task", page_size=500).columns("name").order_by(-attr.name)
            names = [task["name"] async for task in ordered]
            assert names == [f"task {n:04}" for n in reversed(range(1200))]
            assert [task["name"] for task in await ordered.limit(2).offset(1)] == names[1:3]
            assert (await ordered.limit(3).first() or {})["name"] == names[0]
            with sandbox.assert_requests(exactly=1):
                assert await ordered.count() == 1200
            counts = session.select("Task").columns(attr.id.count()).group_by("parent_id")
            assert [row["count_id"] for row in await counts] == [1200]
            assert await counts.count() == 1
            parents = session.select("Task").columns("parent_id")
            assert (await session.select("Project").where(attr.id.in_(parents)).one())[
                "id"
            ] == project

    asyncio.run(main())


def test_selection_before_the_start(open_async: Open) -> None:
    """A selection needs the schemas of the server, so the session must have started."""

    async def main() -> None:
        session = open_async()
        with pytest.raises(exception.Error, match="has not started"):
            session.select("Task")
        await session.close()

    asyncio.run(main())


def test_many_queries_in_one_request(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """``query_many`` returns a list for each query; one request loads the first pages."""

    async def main() -> None:
        async with open_async() as session:
            texts = ["select name from Task where name like 'task 000%' order by name", "Project"]
            with sandbox.assert_requests(exactly=1):
                tasks, projects = await session.query_many(texts)
            assert [task["name"] for task in tasks] == [f"task {n:04}" for n in range(10)]
            assert [each["id"] for each in projects] == [project]
            (every,) = await session.query_many(["select name from Task"], page_size=500)
            assert len({task["id"] for task in every}) == 1200
            with pytest.raises(exception.ServerParseError):
                await session.query_many(["Task", "Task where and"])

    asyncio.run(main())


def test_many_entities_by_key(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """``get_many`` returns an entity or None for each key, in their order, in one request."""

    async def main() -> None:
        async with open_async() as session:
            rows = await session.query("select id from Task order by name limit 2").to_dicts()
            keys = [rows[1]["id"], "no id", rows[0]["id"]]
            with sandbox.assert_requests(exactly=1):
                found = await session.get_many("Task", iter(keys))
            assert [each and each["name"] for each in found] == ["task 0001", None, "task 0000"]
            assert all(isinstance(each, AsyncEntity) for each in found if each)

    asyncio.run(main())


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(open_async: Open, project: str, library: str) -> None:
    """Queries and selections become data frames while the loop goes on."""
    pytest.importorskip(library)

    async def main() -> None:
        async with open_async() as session:
            query = session.query("select name from Task where name like 'task 000%'")
            selection = session.select("Task").where(attr.name.startswith("task 000"))
            for each in (query, selection):
                frame = await getattr(each, f"to_{library}")(["name", "parent.name"])
                assert list(frame.columns) == ["name", "parent.name"]
                assert len(frame) == 10

    asyncio.run(main())


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("stable", [False, True])
def test_iterate_forgets_pages(open_async: Open, project: str, keep: bool, stable: bool) -> None:
    """``iterate`` gives all entities in order, and the session forgets those of earlier pages."""

    async def main() -> None:
        async with open_async() as session:
            query = session.query("select name from Task order by name", page_size=100)
            seen, alive = [], []
            async for task in query.iterate(keep=keep, stable=stable):
                seen.append(task["name"])
                alive.append(weakref.ref(task))
            del task
            gc.collect()
            assert seen == [f"task {n:04}" for n in range(1200)]
            assert all(each() is not None for each in alive) is keep
            assert any(each() is not None for each in alive) is keep
            selected = session.select("Task", page_size=100).columns("name").order_by("name")
            assert [task["name"] async for task in selected.iterate()] == seen

    asyncio.run(main())


def test_iterate_can_be_left(open_async: Open, project: str) -> None:
    """A loop that ends early ends the stream, and the session goes on."""

    async def main() -> None:
        async with open_async() as session:
            rows = session.query("select name from Task", page_size=100).iterate()
            async for _ in rows:
                break
            await rows.aclose()  # type: ignore[attr-defined]
            counts = session.query("select count(id) from Task group by parent_id")
            with pytest.raises(ValueError, match="stably"):
                await counts.iterate(stable=True).__anext__()
            assert len(await session.query("Task")) == 1200

    asyncio.run(main())


def test_missing_attribute_names_the_projection(
    open_async: Open, project: str, sandbox: Sandbox
) -> None:
    """Reading an attribute that is not loaded sends nothing, and says how to load it."""

    async def main() -> None:
        async with open_async() as session:
            task = await session.query("select name from Task").first()
            assert task is not None
            with sandbox.assert_requests(exactly=0):
                for name, projection in (("status", "status.name"), ("bid", "bid")):
                    with pytest.raises(exception.NotLoadedError) as caught:
                        task[name]
                    assert caught.value.projection == projection
                    assert f"select {projection} from Task" in str(caught.value)
                    assert f'await entity.load("{projection}")' in str(caught.value)
            with sandbox.assert_requests(exactly=1):
                await task.load("status.name, bid")
                assert task["status"]["name"] == "Not started"
                assert task["bid"] == 0

    asyncio.run(main())


def test_blocking_calls_are_refused_on_the_loop(
    open_async: Open, project: str, sandbox: Sandbox
) -> None:
    """No method of the session below waits on the thread of the loop; in a worker all may."""

    async def main() -> None:
        async with open_async() as session:
            task = await session.query("select name from Task").first()
            assert task is not None
            uses: list[Callable[[], Any]] = [
                lambda: session.blocking.query("Task").all(),
                lambda: session.blocking.commit(),
                task.items,
                lambda: session.blocking.call([{"action": "query", "expression": "Task"}]),
            ]
            task["description"] = "changed"
            with sandbox.assert_requests(exactly=0):
                for use in uses:
                    with pytest.raises(exception.BlockingCallError):
                        use()
            assert len(await session.run(session.blocking.query("Task").all)) == 1200
            assert dict(await session.run(task.items))["description"] == "changed"
            assert await session.run(lambda: task["status"]["name"]) == "Not started"

    asyncio.run(main())


def test_create_change_and_delete(open_async: Open, project: str, sandbox: Sandbox) -> None:
    """Changes are recorded without a request, and a commit sends them together."""

    async def main() -> None:
        async with open_async() as session:
            parent = await session.get("Project", project)
            assert parent is not None
            assert await session.get("Project", "none") is None
            task = session.create("Task", {"name": "new", "parent": parent})
            assert task["name"] == "new"
            await session.commit()
            task["description"] = "x"
            await session.commit()
            assert (await session.query('Task where description is "x"').one()) is task
            task["description"] = "y"
            await session.rollback()
            assert task["description"] == "x"
            session.delete(task)
            await session.commit()
            assert await session.query('Task where name is "new"').first() is None

    asyncio.run(main())


def test_ensure_and_populate(open_async: Open, project: str) -> None:
    """ensure() finds what it made, and populate() loads for many entities at once."""

    async def main() -> None:
        async with open_async() as session:
            data = {"name": "made", "project_id": project, "parent_id": project}
            made = await asyncio.gather(*[session.ensure("Task", data) for _ in range(5)])
            assert len({task["id"] for task in made}) == 1
            tasks = await session.query("select id from Task limit 10")
            await session.populate(tasks, "name")
            assert all(task["name"] for task in tasks)
            results = await session.call([{"action": "query", "expression": "User"}])
            assert results[0]["data"]

    asyncio.run(main())


def test_synchronous_use_has_a_hint(open_async: Open, project: str) -> None:
    """``for``, ``with``, ``len`` and indices raise a TypeError with the asynchronous form."""

    def wrong(session: Any) -> Iterator[tuple[Callable[[], object], str]]:
        query = session.query("Task")
        yield lambda: list(query), "async for"
        yield lambda: len(query), "await query.count"
        yield lambda: query[0], "await query"
        yield lambda: bool(query), "await query.first"
        yield lambda: session.__enter__(), "async with"
        yield lambda: session.transaction().__enter__(), "async with"
        yield lambda: session.events("topic=*").__enter__(), "async with"
        yield lambda: list(session.events("topic=*")), "async for"

    async def main() -> None:
        async with open_async() as session:
            for use, form in wrong(session):
                with pytest.raises(TypeError, match=form):
                    use()

    asyncio.run(main())


def test_transaction(open_async: Open, project: str) -> None:
    """A block commits at its end, and rolls back if it raises or the server refuses."""

    async def change(session: AsyncSession, task: AsyncEntity, fails: bool) -> None:
        async with session.transaction():
            task["name"] = "second"
            session.create("Project", {"name": "harbour"})
            if fails:
                raise ZeroDivisionError

    async def main() -> None:
        async with open_async() as session:
            task = await session.query('select name from Task where name is "task 0000"').one()
            async with session.transaction():
                task["name"] = "first"
            assert await session.query('Task where name is "first"').count() == 1
            with pytest.raises(ZeroDivisionError):
                await change(session, task, fails=True)
            assert task["name"] == "first"
            with pytest.raises(exception.ServerNotUniqueError):
                await change(session, task, fails=False)
            assert task["name"] == "first"
            assert not session.blocking.recorded_operations

    asyncio.run(main())


def test_transactions_take_turns(open_async: Open, project: str) -> None:
    """The changes of two transactions are sent in two batches, whatever the tasks await."""
    batches: list[int] = []

    async def one(session: AsyncSession, tasks: list[AsyncEntity], name: str) -> None:
        async with session.transaction():
            for task in tasks:
                task["description"] = name
                await asyncio.sleep(0.001)

    async def main() -> None:
        async with open_async() as session:
            tasks = await session.query("select name from Task limit 20")
            session.blocking.on_commit(lambda report: batches.append(report.updated))
            await asyncio.gather(
                one(session, tasks[:10], "one"),
                one(session, tasks[10:], "two"),
            )

    asyncio.run(main())
    assert batches == [10, 10]


def test_commit_has_the_changes_of_its_call(open_async: Open, project: str) -> None:
    """Changes that are made while a commit runs wait for the next one."""
    sent: list[int] = []

    async def main() -> None:
        async with open_async() as session:
            tasks = await session.query("select name from Task limit 2")
            session.blocking.on_commit(lambda report: sent.append(report.updated))
            tasks[0]["name"] = "a"
            commit = asyncio.ensure_future(session.commit())
            await asyncio.sleep(0)
            tasks[1]["name"] = "b"
            await commit
            assert tasks[1]["name"] == "b"
            await session.commit()

    asyncio.run(main())
    assert sent == [1, 1]


def test_files(open_async: Open, movie: Path, tmp_path: Path) -> None:
    """Files go to a location and back, and progress comes on the thread of the loop."""
    told: list[tuple[int, int]] = []
    threads: set[int] = set()

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        threads.add(threading.get_ident())

    async def main() -> None:
        size = movie.stat().st_size
        async with open_async() as session:
            server: Any = await session.query(SERVER).one()
            component = await session.create_component(
                movie, {"name": "plate"}, server, progress=progress
            )
            assert told[-1] == (size, size)
            target = tmp_path / "copy.mov"
            assert await session.download(component, target, progress=progress) == size
            assert target.read_bytes() == movie.read_bytes()
            assert threads == {threading.get_ident()}
            await session.remove_component(component, server)
            with pytest.raises(exception.ComponentNotInAnyLocationError):
                await session.download(component, tmp_path / "none.mov")
            other = await session.create_component(movie, {"name": "other"}, None)
            origin: Any = await session.query('Location where name is "ftrack.origin"').one()
            await session.add_component(other, server, origin)
            assert (await session.run(server.get_component_availability, other)) == 100.0

    asyncio.run(main())


def test_encode_media(open_async: Open, movie: Path) -> None:
    """encode_media() uploads and returns a job, which wait_for_job() waits for."""

    async def main() -> None:
        async with open_async() as session:
            job = await session.encode_media(movie)
            with pytest.raises((exception.JobFailedError, exception.JobTimeoutError)):
                await session.wait_for_job(job, timeout=0.01)

    asyncio.run(main())


def test_start_errors_come_each_time(open_async: Open) -> None:
    """A wrong key fails each call until the session is closed, and entering the block."""

    async def main() -> None:
        session = open_async(api_key="wrong")
        for _ in range(2):
            with pytest.raises(exception.ServerAuthenticationError):
                await session.query("User")
            with pytest.raises(exception.Error, match="has not started"):
                session.create("Task")
        await session.close()
        with pytest.raises(exception.ServerAuthenticationError):
            async with open_async(api_key="wrong"):
                pass

    asyncio.run(main())


def test_closed_session(open_async: Open) -> None:
    """After close() each call raises; a second close does nothing."""

    async def main() -> None:
        session = open_async()
        async with session:
            pass
        await session.close()
        assert session.closed
        for use in (session.query("User").all, session.commit, session.start):
            with pytest.raises(exception.ConnectionClosedError):
                await use()
        unused = open_async()
        await unused.close()

    asyncio.run(main())


def test_close_ends_running_queries(open_async: Open, sandbox: Sandbox) -> None:
    """A query that waits for the server raises ConnectionClosedError when the session closes."""

    async def main() -> None:
        session = open_async()
        await session.start()
        sandbox.delay(60, action="query")
        query = asyncio.ensure_future(session.query("User").all())
        await until(lambda: sandbox.planned_faults == 0)
        await session.close()
        with pytest.raises(exception.ConnectionClosedError):
            await query

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* is true; fail after a minute."""
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the condition did not come true")


def test_two_loops_one_after_the_other(open_async: Open, project: str) -> None:
    """A session goes on in a second event loop."""
    session = open_async()

    async def count() -> int:
        async with session.transaction():
            return await session.query("Task").count()

    assert [asyncio.run(count()), asyncio.run(count())] == [1200, 1200]
    asyncio.run(session.close())


@pytest.mark.parametrize("name", ["timeot", "connect", "on_lazy_load"])
def test_unknown_options(name: str) -> None:
    """An option that no session has, or that an asynchronous one sets itself, is refused."""
    with pytest.raises(TypeError, match=rf"AsyncSession\(\) has no argument '{name}'"):
        AsyncSession(**{name: 1})


def test_dropped_session_is_collected(open_async: Open) -> None:
    """A session that a program drops after closing it does not stay in memory."""

    async def main() -> weakref.ref[AsyncSession]:
        session = open_async()
        async with session:
            await session.query("User")
        return weakref.ref(session)

    dropped = asyncio.run(main())

    def is_collected() -> bool:
        gc.collect()
        return dropped() is None

    asyncio.run(until(is_collected))  # Its last thread may still be ending.


@pytest.mark.parametrize("concurrency", [0, 33])
def test_concurrency_is_bounded(open_async: Open, concurrency: int) -> None:
    """The number of threads is from 1 to 32."""
    with pytest.raises(ValueError, match="concurrency is from 1 to 32"):
        open_async(concurrency=concurrency)
