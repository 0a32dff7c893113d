"""Events of asynchronous sessions."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.aio import AsyncSession
from ftrack_like.event.base import Event
from ftrack_like.testing import Sandbox

Open = Callable[..., AsyncSession]


def numbered(number: int, topic: str = "studio.test") -> Event:
    """Return an event with a *number* in its data."""
    return Event(topic, data={"number": number})


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* is true; fail after a minute."""
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the condition did not come true")


def test_events_arrive_in_order(open_async: Open) -> None:
    """A loop gets the events that match, in order, from the moment of subscribing on."""

    async def main() -> None:
        async with open_async() as session, session.events("topic=studio.test") as events:
            for number in range(50):
                await session.publish(numbered(number))
                await session.publish(numbered(number, "studio.other"))
            found = [(await events.__anext__())["data"]["number"] for _ in range(50)]
            assert found == list(range(50))

    asyncio.run(main())


def test_updates_of_another_session(open_async: Open, sandbox: Sandbox, project: str) -> None:
    """The server's event about a commit of another session arrives."""

    async def main() -> None:
        async with open_async() as session, open_async() as other:
            async with session.events("topic=ftrack.update") as events:
                found = await other.get("Project", project)
                assert found is not None
                found["full_name"] = "Harbour"
                await other.commit()
                async for event in events:
                    assert event["data"]["entities"][0]["entityId"] == project
                    break

    asyncio.run(main())


def test_subscription_ends_with_the_block(open_async: Open) -> None:
    """After the block the subscriber is gone, also if the task was cancelled inside it."""

    async def main() -> None:
        async with open_async() as session:
            async with session.events("topic=studio.test", {"id": "mine"}):
                hub = session.blocking.event_hub
                assert hub.get_subscriber_by_identifier("mine") is not None
            assert hub.get_subscriber_by_identifier("mine") is None
            entered = asyncio.Event()

            async def listen() -> None:
                async with session.events("topic=studio.test", {"id": "mine"}) as events:
                    entered.set()
                    async for _ in events:
                        pass

            task = asyncio.ensure_future(listen())
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert hub.get_subscriber_by_identifier("mine") is None

    asyncio.run(main())


def test_cancelled_while_subscribing(open_async: Open) -> None:
    """A task that is cancelled while it subscribes leaves no subscriber."""

    async def main() -> None:
        async with open_async() as session:
            for milliseconds in (0, 1, 3, 10, 30):
                task = asyncio.ensure_future(
                    session.events("topic=studio.test", {"id": "mine"}).__aenter__()
                )
                await asyncio.sleep(milliseconds / 1000)
                if task.cancel():
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    hub = session.blocking.event_hub
                    await until(lambda: hub.get_subscriber_by_identifier("mine") is None)
                else:
                    await task.result().__aexit__(None, None, None)

    asyncio.run(main())


def test_closing_the_session_ends_the_iteration(open_async: Open) -> None:
    """A loop over events ends when the session is closed, and no thread stays."""

    async def main() -> None:
        session = open_async()
        async with session.events("topic=studio.test") as events:
            found: list[Any] = []

            async def listen() -> None:
                async for event in events:
                    found.append(event)

            task = asyncio.ensure_future(listen())
            await session.publish(numbered(1))
            await until(lambda: len(found) == 1)
            threads = [each for each in threading.enumerate() if "ftrack-like-ev" in each.name]
            await session.close()
            await asyncio.wait_for(task, 60)
            await until(lambda: not any(each.is_alive() for each in threads))

    asyncio.run(main())


def test_replies(open_async: Open) -> None:
    """A publisher waits for the reply of a loop over events, and for all replies."""

    async def main() -> None:
        async with open_async() as session, open_async() as other:
            async with session.events("topic=studio.ask") as events:

                async def answer() -> None:
                    async for event in events:
                        await session.publish_reply(event, {"twice": event["data"]["number"] * 2})

                answering = asyncio.ensure_future(answer())
                reply = await other.publish_and_wait(numbered(21, "studio.ask"), timeout=60)
                assert reply is not None
                assert reply["data"] == {"twice": 42}
                replies = await other.publish_and_wait(
                    numbered(1, "studio.ask"), timeout=1, all_replies=True
                )
                assert [each["data"] for each in replies] == [{"twice": 2}]
                answering.cancel()
            assert await other.publish_and_wait(numbered(1, "studio.ask"), timeout=0.1) is None

    asyncio.run(main())


def test_cancelled_wait_for_a_reply(open_async: Open) -> None:
    """Waiting for a reply ends when the task is cancelled, and frees its thread."""

    async def main() -> None:
        async with open_async(concurrency=1) as session:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(
                    session.publish_and_wait(numbered(1), timeout=600), timeout=0.5
                )
            await asyncio.wait_for(session.query("User").one(), 60)

    asyncio.run(main())


def test_too_many_waiting_events(open_async: Open, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond the limit the oldest events are dropped and counted, with one warning."""

    async def main() -> None:
        async with open_async() as session:
            async with session.events("topic=studio.test", limit=3) as events:
                for number in range(10):
                    await session.publish(numbered(number))
                await until(lambda: events.dropped == 7)
                found = [(await events.__anext__())["data"]["number"] for _ in range(3)]
                assert found == [7, 8, 9]

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert caplog.text.count("the oldest are dropped") == 1


def test_errors(open_async: Open) -> None:
    """A wrong subscription and a server without events raise when the block is entered."""

    async def main() -> None:
        async with open_async() as session:
            with pytest.raises(exception.ParseError):
                async with session.events("topic="):
                    pass
            async with session.events("topic=a", {"id": "mine"}):
                with pytest.raises(exception.NotUniqueError):
                    await session.events("topic=a", {"id": "mine"}).__aenter__()
        with pytest.raises(exception.ServerAuthenticationError):
            async with open_async(api_key="wrong").events("topic=a"):
                pass

    asyncio.run(main())
