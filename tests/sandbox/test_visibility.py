"""The conditions for users who see all projects find what the general conditions find."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.engine import Connection
from tests.databases import DATABASES, POSTGRES

from ftrack_like.sandbox.access.rights import Rights, load_rights
from ftrack_like.sandbox.access.visibility import is_narrowed, visible
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.sql import prepare
from ftrack_like.sandbox.seed.generate import fill
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES

from .private_projects import grant

NARROWED = sorted(name for name in TABLES if is_narrowed(name))


@pytest.fixture(scope="module", params=DATABASES)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, namespace: Any
) -> Iterator[tuple[Database, Rights]]:
    """Return a site with a private project that is full, and the rights of a user who sees it."""
    folder = tmp_path_factory.mktemp("media")
    with namespace(POSTGRES if request.param == "postgresql" else None) as url:
        with closing(SiteData(url=url, media=folder)) as data:
            database = data.open()
            with database.load() as connection:
                fill(connection, 300, projects=2, versions=2, seed=1)
                user = grant(connection, "artist002", _hide_a_full_project(connection))
                _nest_components(connection)
                names = TABLES["resource"].c
                of_others = sqlalchemy.select(names.id).where(names.username == "artist001")
                for owner in (user, connection.execute(of_others).scalar_one()):
                    job = {"id": str(uuid.uuid4()), "user_id": owner}
                    connection.execute(TABLES["job"].insert(), job)
            with database.read() as connection:
                rights = load_rights(connection, user)
            assert rights is not None
            yield database, rights


def _hide_a_full_project(connection: Connection) -> str:
    """Make the project with most contexts private; return its id."""
    columns = TABLES["context"].c
    largest = (
        sqlalchemy.select(columns.project_id)
        .group_by(columns.project_id)
        .order_by(sqlalchemy.func.count().desc())
        .limit(1)
    )
    found = str(connection.execute(largest).scalar_one())
    private = TABLES["context"].update().where(columns.id == found).values(is_private=True)
    connection.execute(private)
    return found


def _nest_components(connection: Connection) -> None:
    """Put components of versions into each other."""
    table = TABLES["component"]
    rows = connection.execute(sqlalchemy.select(table).limit(3)).mappings().all()
    above = None
    for row in rows:
        made = {**row, "id": str(uuid.uuid4()), "container_id": above}
        connection.execute(table.insert(), made)
        above = made["id"]


def _seen(
    database: Database, rights: Rights, table: str, *, all_projects: bool
) -> tuple[list[Any], int]:
    """Return the rows of *table* that the user sees, and how many there are."""
    columns = TABLES[table].c
    condition = visible(TABLES, table, dict(columns.items()), all_projects=all_projects)
    with database.read() as connection:
        prepare(connection)
        every = connection.execute(sqlalchemy.select(TABLES[table])).all()
        seen = connection.execute(
            sqlalchemy.select(TABLES[table]).where(condition), rights.parameters
        ).all()
    return sorted(map(repr, seen)), len(every)


def test_both_conditions_find_the_same_rows(site: tuple[Database, Rights]) -> None:
    """A user who sees all projects gets the same rows of each table from both conditions."""
    database, rights = site
    assert rights.private_projects
    assert rights.sees_all_projects
    filled, reduced = set(), set()
    for table in NARROWED:
        general, count = _seen(database, rights, table, all_projects=False)
        short, _ = _seen(database, rights, table, all_projects=True)
        assert short == general, table
        filled |= {table} if general else set()
        reduced |= {table} if len(general) < count else set()
    assert {"context", "asset_version", "component", "note", "timelog", "job"} <= filled
    assert "job" in reduced  # that of somebody else


@pytest.mark.parametrize("table", ["context", "asset_version", "component", "note"])
def test_the_general_condition_hides_a_private_project(
    site: tuple[Database, Rights], table: str
) -> None:
    """Without the role in the private project, the user sees less, and not all projects."""
    database, rights = site
    stranger = dataclasses.replace(rights, granted={})
    assert not stranger.sees_all_projects
    seen, count = _seen(database, stranger, table, all_projects=False)
    assert 0 < len(seen) < count


def test_a_user_without_a_role_for_open_projects_does_not_see_all(
    site: tuple[Database, Rights],
) -> None:
    """Roles in projects by name do not show the other projects."""
    _, rights = site
    assert not dataclasses.replace(rights, everywhere=frozenset()).sees_all_projects
