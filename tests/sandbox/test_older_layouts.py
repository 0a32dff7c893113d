"""Sites of each older layout, made by the programs of their time, on SQLite and PostgreSQL."""

from __future__ import annotations

import gzip
import pathlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Optional

import pytest
import sqlalchemy
from tests.databases import DATABASES, POSTGRES

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media.encode_jobs import EncodeJobs, Worker
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.tables.migrations import LAYOUT_VERSION, layout_of

DATA = pathlib.Path(__file__).parents[1] / "data"

#: The layouts of which there are data. Those of layout 1 have their tests in ``test_accidents``,
#: and the steps of layouts 2 and 3 begin there.
LAYOUTS = (4, 5, 6)

#: The name of the schema in the data of PostgreSQL.
OLD_SCHEMA = "old_layout."


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, namespace: Any) -> Iterator[Optional[str]]:
    """Return the URL of an empty namespace in PostgreSQL, or None for SQLite."""
    with namespace(POSTGRES if request.param == "postgresql" else None) as found:
        yield found


def load(layout: int, url: Optional[str], folder: pathlib.Path) -> None:
    """Load the data of *layout* into the namespace at *url*, or into *folder*."""
    name = f"layout_{layout}{'_postgresql' if url else ''}.sql.gz"
    script = gzip.decompress((DATA / name).read_bytes()).decode("utf-8")
    if url is None:
        folder.mkdir()
        with closing(sqlite3.connect(folder / "sandbox.sqlite")) as database:
            database.executescript(script)
        return
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar()
        driver: Any = connection.connection.driver_connection
        driver.execute(script.replace(OLD_SCHEMA, f"{schema}."))
    engine.dispose()


def site_of(url: Optional[str], folder: pathlib.Path) -> SiteData:
    """Return the site in the namespace at *url* with files in *folder*, or all in *folder*."""
    return SiteData(url=url, media=folder) if url else SiteData(folder)


def structure(database: Database) -> dict[str, Any]:
    """Return the columns and indexes of each table of the layout."""
    with database.read() as connection:
        found = sqlalchemy.inspect(connection)
        return {
            table: (
                sorted(
                    (one["name"], str(one["type"]), one["nullable"])
                    for one in found.get_columns(table)
                ),
                sorted(
                    (str(one["name"]), *map(str, one["column_names"]))
                    for one in found.get_indexes(table)
                ),
            )
            for table in TABLES
        }


def rows(database: Database, table: str, **where: Any) -> list[dict[str, Any]]:
    """Return the rows of *table* that match *where*."""
    columns = TABLES[table].c
    statement = sqlalchemy.select(TABLES[table]).where(
        *(columns[name] == value for name, value in where.items())
    )
    with database.read() as connection:
        return list(map(dict, connection.execute(statement).mappings()))


def test_there_are_data_of_each_layout() -> None:
    """A new layout comes with data of the layout before, so that its step is tested."""
    assert LAYOUTS[-1] == LAYOUT_VERSION - 1


@pytest.mark.filterwarnings("ignore:Cannot reflect:sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_older_site_keeps_its_data_and_gets_the_structure_of_a_new_one(
    layout: int, url: Optional[str], tmp_path: pathlib.Path, namespace: Any
) -> None:
    """A migrated site has its rows, and the columns and indexes of a new site."""
    load(layout, url, tmp_path / "old")
    with closing(site_of(url, tmp_path / "old")) as site:
        database = site.open()
        with database.read() as connection:
            assert layout_of(connection) == str(LAYOUT_VERSION)
        (shot,) = rows(database, "context", name="sh010")
        (task,) = rows(database, "context", parent_id=shot["id"])
        assert task["name"] == "animation"
        assert [one["value"] for one in rows(database, "metadata", parent_id=shot["id"])] == ["7"]
        assert [one["duration"] for one in rows(database, "timelog", context_id=task["id"])] == [60]
        migrated = structure(database)
    with namespace(POSTGRES if url else None) as new_url:
        with closing(site_of(new_url, tmp_path / "new")) as site:
            assert migrated == structure(site.open())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_encode_jobs_of_an_older_site_are_done_in_their_order(
    layout: int, url: Optional[str], tmp_path: pathlib.Path
) -> None:
    """The waiting jobs stay, and workers claim them in the order of their time and id."""
    load(layout, url, tmp_path / "old")
    with closing(site_of(url, tmp_path / "old")) as site:
        jobs = EncodeJobs(site.open())
        assert [one.job.id for one in jobs.list_jobs()] == ["job-c", "job-a", "job-b"]
        assert {one.state for one in jobs.list_jobs()} == {"waiting"}
        claims = [jobs.claim(Worker("process 1", "a machine"), 30.0) for _ in range(3)]
        assert [one and one.job.id for one in claims] == ["job-c", "job-a", "job-b"]
