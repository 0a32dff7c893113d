"""What asynchronous objects show and advise, and what a refused call leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ftrack_like import Session, attr, exception
from ftrack_like.aio import AsyncQuery, AsyncSelection, AsyncSession
from ftrack_like.testing import Sandbox

Open = Callable[..., AsyncSession]


def test_queries_show_their_expression(open_async: Open, sandbox: Sandbox) -> None:
    """``str``, ``repr`` and notebooks show the query, and send nothing."""

    async def main() -> None:
        async with open_async() as session:
            selection = session.select("Task")
            with sandbox.assert_requests(exactly=0):
                for query in (session.query("Task where bid > 1"), selection.where(attr.bid > 1)):
                    assert str(query) == query.expression == "Task where bid > 1"
                    assert repr(query) == f"<{type(query).__name__} 'Task where bid > 1'>"
                    assert "Task where bid &gt; 1" in query._repr_html_()
                assert repr(selection.group_by("name")) == "<AsyncSelection, incomplete>"

    asyncio.run(main())


def test_missing_members_have_advice() -> None:
    """Each member of ``Session`` that the front does not have says where it is."""
    public = {name for name in dir(Session) if not name.startswith("_") and hasattr(Session, name)}
    missing = {name for name in public if not hasattr(AsyncSession, name)}
    assert {"types", "pending", "statistics", "merge"} <= missing
    assert not {"query", "get_many", "close"} & missing
    session = AsyncSession("http://127.0.0.1:1", "key", "user")
    for name in missing:
        with pytest.raises(AttributeError, match=rf"session\.blocking\.{name}\b"):
            getattr(session, name)
    assert not missing & set(dir(session))


@pytest.mark.parametrize("name", ["filter", "filter_by", "options"])
def test_members_of_other_libraries_have_advice(name: str) -> None:
    """A method of SQLAlchemy names the method of a selection; consoles do not offer it."""
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'\. \w+"):
        getattr(AsyncSelection, name)
    assert isinstance(AsyncSelection.where, type(AsyncSelection.order_by))
    if name != "options":
        with pytest.raises(AttributeError, match=r"session\.select\("):
            getattr(AsyncQuery, name)


REFUSED: dict[str, Callable[[Any], object]] = {
    "create_note": lambda found: found["Task"].create_note("Look.", found["User"]),
    "create_reply": lambda found: found["Note"].create_reply("I did.", found["User"]),
    "start_timer": lambda found: found["User"].start_timer(found["Task"]),
    "create_thumbnail": lambda found: found["Task"].create_thumbnail(__file__),
    "stop_timer": lambda found: found["User"].stop_timer(),
    "create_component": lambda found: found["Task"].session.create_component(__file__),
    "encode_media": lambda found: found["Task"].session.encode_media(__file__),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_call_leaves_no_changes(
    open_async: Open, project: str, sandbox: Sandbox, name: str
) -> None:
    """A method that would wait on the loop raises, and the next commit sends nothing of it."""
    with sandbox.session(plugin_paths=[]) as session:
        author = session.query("User").first()
        session.query("Task").first().create_note("Look.", author)
        session.commit()

    async def main() -> None:
        async with open_async() as session:
            kinds = ("Task", "User", "Note")
            found = {kind: await session.query(f"select id from {kind}").first() for kind in kinds}
            with pytest.raises(exception.Error):
                REFUSED[name](found)
            assert list(session.blocking.pending()) == []

    asyncio.run(main())


def test_note_after_loading(open_async: Open, project: str) -> None:
    """``create_note`` works on the loop once the notes of the entity are loaded."""

    async def main() -> None:
        async with open_async() as session:
            task = await session.query("select notes.content from Task").first()
            author = await session.query("User").first()
            assert task is not None
            assert author is not None
            task.create_note("Look.", author)  # type: ignore[attr-defined]
            await session.commit()
            rows = await session.query("Note").to_dicts(["content", "parent_id"])
            assert rows == [{"content": "Look.", "parent_id": task["id"]}]

    asyncio.run(main())
