"""The generated studio that measurements are made on."""

from __future__ import annotations

import datetime

import pytest
from sqlalchemy import func, select

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS
from ftrack_like.sandbox.seed.generate import fill
from ftrack_like.sandbox.seed.site import seed
from ftrack_like.sandbox.tables.layout import TABLES, create_tables


def filled(tasks):
    """Return a seeded database with *tasks* tasks, and the counts that filling it answered."""
    database = Database()
    with database.write() as connection:
        create_tables(connection)
        seed(connection, api_user="admin", api_key="secret", now=datetime.datetime(2024, 3, 1))
        counts = fill(connection, tasks)
    return database, counts


def count(connection, table, **where):
    """Return how many rows of *table* fit *where*."""
    conditions = [TABLES[table].c[name] == value for name, value in where.items()]
    statement = select(func.count()).select_from(TABLES[table]).where(*conditions)
    return connection.execute(statement).scalar()


@pytest.mark.parametrize(("tasks", "projects"), [(7, 1), (1003, 2)])
def test_as_many_tasks_as_asked_for(tasks, projects):
    """The number of tasks is exact; projects are as many as are needed."""
    database, counts = filled(tasks)
    with database.read() as connection:
        assert count(connection, "context", object_type_id=OBJECT_TYPE_IDS["Task"]) == tasks
        assert count(connection, "context", context_type="show") == projects
        assert count(connection, "context") == counts["context"]
        assert count(connection, "appointment", type="assignment") == tasks
    database.close()


def test_ancestry_reaches_from_the_project_to_the_task():
    """A task has itself, its shot, its sequence and its project above it."""
    database, _ = filled(7)
    ancestry = TABLES["context_ancestry"]
    with database.read() as connection:
        task_id = (
            connection.execute(
                select(TABLES["context"].c.id).where(
                    TABLES["context"].c.object_type_id == OBJECT_TYPE_IDS["Task"]
                )
            )
            .scalars()
            .first()
        )
        depths = connection.execute(
            select(ancestry.c.depth).where(ancestry.c.descendant_id == task_id)
        ).scalars()

        assert sorted(depths) == [0, 1, 2, 3]
    database.close()


def test_two_fills_are_equal():
    """Measurements of two runs are made on the same rows."""
    contents = []
    for _ in range(2):
        database, _counts = filled(20)
        with database.read() as connection:
            contents.append(
                [sorted(map(repr, connection.execute(select(t)))) for t in TABLES.values()]
            )
        database.close()

    assert contents[0] == contents[1]


def test_the_planner_knows_the_rows():
    """Filling ends with the statistics that indexes are chosen by."""
    database, _ = filled(7)
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT count(*) FROM sqlite_stat1").scalar()
    database.close()

    assert rows > 0
