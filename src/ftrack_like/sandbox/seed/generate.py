"""Fill a site with a generated studio of any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Optional

import sqlalchemy
from sqlalchemy import Connection

from ftrack_like.sandbox.database.loading import without_indexes
from ftrack_like.sandbox.seed.studio import GeneratedStudio, StudioSize, project_name
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["AlreadyFilledError", "StudioSize", "fill"]

#: The tasks of a project, if the number of projects is not given.
_TASKS_OF_PROJECT = 1_000

#: Up to so many tasks, indexes grow row by row.
_FEW_TASKS = 5_000


class AlreadyFilledError(ValueError):
    """The site contains projects of a studio with the same seed."""


def fill(
    connection: Connection,
    tasks: int = 100_000,
    *,
    projects: Optional[int] = None,
    versions: int = 2,
    seed: int = 0,
    progress: Optional[Callable[[int, int], object]] = None,
) -> Mapping[str, int]:
    """Add projects with *tasks* tasks in total to a seeded database, in one transaction.

    There are *projects* projects, by default one for 1,000 tasks, with sequences, shots, asset
    builds, and *versions* versions of the asset of each shot and build.
    :class:`~ftrack_like.sandbox.seed.studio.GeneratedStudio` adds what belongs to them. *progress*
    is called with the number of finished projects and of all projects. Return the number of added
    rows by table.

    Raise :exc:`AlreadyFilledError` if the site contains a studio with the same *seed*.
    """
    size = StudioSize(projects or -(-tasks // _TASKS_OF_PROJECT), tasks, versions, seed)
    _require_new(connection, size)
    studio = GeneratedStudio(size, _known_users(connection))
    counts: Counter[str] = Counter()
    studio.add_people()
    with without_indexes(connection) if _is_large(connection, size) else nullcontext():
        for number in range(size.projects):
            studio.add_project(number)
            counts.update(studio.rows.insert(connection))
            if progress is not None:
                progress(number + 1, size.projects)
    # The query planners choose indexes by statistics about the rows.
    connection.exec_driver_sql("ANALYZE")
    return dict(counts)


def _is_large(connection: Connection, size: StudioSize) -> bool:
    """Return whether most rows will be new, so that making all indexes again is faster."""
    contexts = TABLES["context"]
    count = sqlalchemy.select(sqlalchemy.func.count()).select_from(contexts)
    return size.tasks > max(int(connection.execute(count).scalar_one()), _FEW_TASKS)


def _require_new(connection: Connection, size: StudioSize) -> None:
    """Raise :exc:`AlreadyFilledError` if the first project of a studio of *size* exists."""
    contexts = TABLES["context"].c
    name = project_name(size, 0)
    named = sqlalchemy.select(contexts.id).where(contexts.name == name).limit(1)
    if connection.execute(named).scalar() is not None:
        raise AlreadyFilledError(
            f"The site already contains the project {name!r} of a studio with the seed "
            f"{size.seed}. Choose another seed."
        )


def _known_users(connection: Connection) -> Mapping[str, str]:
    """Return the ids of the users by user name."""
    users = TABLES["resource"].c
    named = sqlalchemy.select(users.username, users.id).where(users.resource_type == "user")
    return {row.username: row.id for row in connection.execute(named)}
