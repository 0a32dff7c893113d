"""Asynchronous sessions on a sandbox. Each test runs its own event loop with ``asyncio.run``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.aio import AsyncSession
from ftrack_like.testing import Sandbox


@pytest.fixture
def open_async(sandbox: Sandbox) -> Callable[..., AsyncSession]:
    """Return a function that makes an asynchronous session on the sandbox, with *options*."""

    def open_one(**options: Any) -> AsyncSession:
        settings = {
            "server_url": sandbox.server_url,
            "api_key": sandbox.api_key,
            "api_user": sandbox.api_user,
            "plugin_paths": [],
            **options,
        }
        return AsyncSession(**settings)

    return open_one


@pytest.fixture
def project(sandbox: Sandbox) -> str:
    """Return the id of a project with 1,200 tasks, ``task 0000`` to ``task 1199``."""
    with sandbox.session(plugin_paths=[]) as session:
        schema = session.query("ProjectSchema order by name").first()
        made = session.create("Project", {"name": "harbour", "project_schema": schema})
        for number in range(1200):
            session.create("Task", {"name": f"task {number:04}", "parent": made})
        session.commit()
        return str(made["id"])


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """Return the path of a file of 6 MiB."""
    path = tmp_path / "plate.mov"
    path.write_bytes(bytes(range(256)) * 4096 * 6)
    return path
