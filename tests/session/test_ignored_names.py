"""A key that create() ignores is shown at the line of the program."""

from __future__ import annotations

import asyncio
import linecache
import os
import pathlib
import subprocess
import sys
import warnings
from typing import Any

import pytest

from ftrack_like import exception

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


@pytest.fixture
def project(session: Any) -> Any:
    """Return a committed project."""
    schema = session.query("ProjectSchema order by name").first()
    made = session.create("Project", {"name": "harbour", "project_schema": schema})
    session.commit()
    return made


def test_warning_is_at_the_line_that_creates(session: Any, project: Any) -> None:
    """It names the type, the key and a near name, and the key is ignored, as ever."""
    with pytest.warns(exception.UnknownAttributeWarning) as caught:
        task = session.create("Task", {"name": "comp", "parent": project, "desciption": "x"})
    session.commit()
    assert not task["description"]
    assert str(caught[0].message) == (
        "Task has no attribute 'desciption'; its value is ignored. Did you mean 'description'?"
    )
    line = linecache.getline(caught[0].filename, caught[0].lineno)
    assert "desciption" in line
    assert "session.create" in line


def test_other_ways_to_create_warn_at_the_same_place(
    session: Any, project: Any, tmp_path: pathlib.Path
) -> None:
    """ensure() and create_component() make the entity inside the library."""
    path = tmp_path / "a.exr"
    path.write_bytes(b"x")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session.ensure("Task", {"name": "a", "parent": project, "bd": 1}, ["name", "parent"])
        session.create_component(str(path), {"nam": "main"}, location=None)
        session.types["Task"](session, {"naem": "b", "parent": project})
    session.rollback()
    assert {each.filename for each in caught} == {__file__}
    assert [str(each.message).partition(";")[0] for each in caught] == [
        "Task has no attribute 'bd'",
        "FileComponent has no attribute 'nam'",
        "Task has no attribute 'naem'",
    ]


def test_asynchronous_session_warns_too(sandbox: Any) -> None:
    """The line is that of the coroutine."""
    from ftrack_like.aio import AsyncSession

    async def create() -> None:
        given = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
        async with AsyncSession(*given, plugin_paths=[]) as session:
            session.create("Task", {"nmae": "x"})

    with pytest.warns(exception.UnknownAttributeWarning, match="'nmae'.*'name'") as caught:
        asyncio.run(create())
    assert caught[0].filename == __file__


def test_keys_that_exist_give_no_warning(session: Any, project: Any) -> None:
    """Neither do __entity_type__ and values from a server; changing an unknown key is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = session.create(
            "Task", {"name": "comp", "parent": project, "__entity_type__": "Task"}
        )
        session.create("Task", {"id": "x", "of_the_future": 1}, reconstructing=True)
        with pytest.raises(KeyError, match="Did you mean 'name'"):
            task.update({"nmae": "x"})
        session.commit()


def test_loop_shows_the_warning_once(sandbox: Any, tmp_path: pathlib.Path) -> None:
    """Python shows it on standard error, once for the line."""
    program = tmp_path / "program.py"
    program.write_text(
        "from ftrack_like import Session\n"
        "with Session(plugin_paths=[]) as session:\n"
        "    for number in range(5):\n"
        "        session.create('Task', {'nmae': str(number)})\n"
        "    session.rollback()\n",
        encoding="utf-8",
    )
    run = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **sandbox.environment()},
    )
    assert run.stderr.count("UnknownAttributeWarning") == 1
    assert f"{program}:4: UnknownAttributeWarning: Task has no attribute 'nmae'" in run.stderr
