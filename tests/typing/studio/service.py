"""A service of a studio that uses the types of its site in an asynchronous session.

Checkers report only the marked mistakes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import reveal_type

from ftrack_like import attr

if TYPE_CHECKING:
    from ftrack_types import AsyncSession, Session, Shot, Task, User
else:
    from ftrack_like import Session
    from ftrack_like.aio import AsyncSession


def hours(tasks: list[Task]) -> float:
    return sum(task["bid"] for task in tasks) / 3600


async def read(shot: Shot) -> None:
    async with AsyncSession() as session:
        reveal_type(session)  # AsyncSession
        reveal_type(session.blocking)  # Session
        reveal_type(await session.query("Task"))  # list[Task]
        reveal_type(await session.query("Task").first())  # Task | None
        reveal_type(await session.query("Task where bid > 1"))  # list[Any]
        async for task in session.query("Task").iterate(stable=True):
            reveal_type(task)  # Task
        selection = session.select("Task").where(attr.parent == shot).limit(5)
        reveal_type(selection)  # AsyncSelection[Task]
        print(hours(await selection))
        reveal_type(await session.get("Task", "an id"))  # Task | None
        reveal_type(await session.get_many("Task", ["an id"]))  # list[Task | None]
        found, people = await session.query_many(["Task where bid > 1", "User"])
        tasks: list[Task] = found
        users: list[User] = people
        await session.populate(tasks, "status.name")
        print(users)


async def change(session: AsyncSession, shot: Shot) -> None:
    task = session.create("Task", {"name": "comp", "parent": shot})
    reveal_type(task)  # Task
    await task.load("status.name")
    await task["status"].load("name")
    reveal_type(await session.ensure("Status", {"name": "Done"}))  # Status
    both = await asyncio.gather(session.get("Task", "an id"), session.get("Shot", "an id"))
    reveal_type(both)  # tuple[Task | None, Shot | None]
    component = await session.create_component("/path/to/plate.exr", {"name": "main"})
    task["thumbnail"] = component
    location = await session.pick_location(component)
    reveal_type(location)  # Location | None
    if location is not None:
        await session.add_component(component, location, "/path/to/plate.exr")
    job = await session.encode_media(component)
    reveal_type((await session.wait_for_job(job))["status"])  # str
    session.delete(task)


async def mistakes(session: AsyncSession, task: Task) -> None:
    task["stauts"]  # mistake
    (await session.query("Task").one())["stauts"]  # mistake
    (await session.query("Task").first())["name"]  # mistake
    session.create("Task", {"nmae": "comp"})  # mistake
    session.create("Tsk", {"name": "comp"})  # mistake
    await session.ensure("Task", {"nmae": "comp"})  # mistake
    await session.get("Tsk", "an id")  # mistake
    session.select("Tsk")  # mistake
    session.get("Task", "an id")  # mistake
    task.load("name")  # mistake
    await session.create_component(5)  # mistake
    await session.create_component("/path", locaton=None)  # mistake
    (await session.encode_media("/path/to/plate.exr"))["stauts"]  # mistake


def wait(session: Session, task: Task) -> None:
    task.load("name")  # mistake
