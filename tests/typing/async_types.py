"""What type checkers make of an asynchronous session. ``check.py`` compares each comment."""

from __future__ import annotations

from typing_extensions import reveal_type

from ftrack_like import attr
from ftrack_like.aio import AsyncSession
from ftrack_like.event.base import Event


async def main() -> None:
    async with AsyncSession() as session:
        reveal_type(session)  # AsyncSession

        # Queries
        query = session.query("Task")
        reveal_type(query)  # AsyncQuery[AsyncEntity]
        reveal_type(await query)  # list[AsyncEntity]
        reveal_type(await query.all())  # list[AsyncEntity]
        reveal_type(await query.first())  # AsyncEntity | None
        reveal_type(await query.one())  # AsyncEntity
        reveal_type(await query.count())  # int
        reveal_type(await query.to_dicts("name"))  # list[dict[str, Any]]
        async for each in query:
            reveal_type(each)  # AsyncEntity

        async for each in query.iterate(stable=True):
            reveal_type(each)  # AsyncEntity
        reveal_type(await session.query_many(["Task", "User"]))  # list[list[AsyncEntity]]

        # Selections
        selection = session.select("Task").where(attr.bid > 1).order_by("name").limit(5)
        reveal_type(selection)  # AsyncSelection[AsyncEntity]
        reveal_type(await selection)  # list[AsyncEntity]
        async for each in selection:
            reveal_type(each)  # AsyncEntity
        counts = session.select("Task").columns(attr.id.count()).group_by("status.name")
        reveal_type(counts)  # AsyncSelection[dict[str, Any]]
        reveal_type(await counts)  # list[dict[str, Any]]

        # Entities
        task = session.create("Task", {"name": "layout"})
        reveal_type(task)  # AsyncEntity
        reveal_type(task["name"])  # Any
        reveal_type(await task.load("status.name"))  # None
        reveal_type(await session.get("Task", "an id"))  # AsyncEntity | None
        reveal_type(await session.get_many("Task", ["an id"]))  # list[AsyncEntity | None]
        reveal_type(await session.ensure("Task", {"name": "layout"}))  # AsyncEntity
        reveal_type(await session.commit())  # None
        async with session.transaction():
            task["name"] = "lighting"
        session.delete(task)

        # Files
        component = await session.create_component("/path/to/file.exr")
        reveal_type(component)  # Component
        reveal_type(await session.pick_location(component))  # Location | None
        reveal_type(await session.download(component, "/path"))  # int
        reveal_type(await session.encode_media("/path/to/clip.mov", wait=True))  # Job

        # Events
        async with session.events("topic=ftrack.update") as events:
            reveal_type(events)  # AsyncEvents
            async for event in events:
                reveal_type(event)  # Event
        reveal_type(await session.publish_and_wait(Event("a")))  # Event | None
        reveal_type(await session.publish_and_wait(Event("a"), all_replies=True))  # list[Event]

        # Everything else
        reveal_type(session.blocking)  # Session
        reveal_type(await session.run(lambda: 1))  # int
        reveal_type(await session.run(session.blocking.get_widget_url, "info"))  # str


async def wrong(session: AsyncSession) -> None:
    session.query("Task").first()["name"]  # mistake
    for each in session.query("Task"):  # mistake
        print(each)
    AsyncSession(concurrency="many")  # mistake
    session.create("Task").load()  # mistake
    await session.run(session.blocking.get_widget_url, 5)  # mistake
    await session.run(session.blocking.get_widget_url)  # mistake
    async with session.events(1):  # mistake
        pass
