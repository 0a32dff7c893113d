"""The most frequent queries of public code read no table from end to end, on either database."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy
from benchmarks import scale
from tests.databases import DATABASES, POSTGRES

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.sql import prepare
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.seed.generate import fill
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.tables.statistics import write_statistics

from .private_projects import grant, hide_a_project

#: A table that grows has more rows than this in the studio of these tests; the tables that a site
#: configures have fewer.
FEW = 200

USERS = ("administrator", "role", "role in all projects")

#: The names of the queries; they are data of the benchmark too.
NAMES = sorted(json.loads(scale.QUERIES.read_text("utf-8")))


class Studio:
    """A filled site with a private project, and the steps of its database for a query.

    The user "role" does not see the private project. The user "role in all projects" does.
    """

    def __init__(self, database: Database, folder: Any) -> None:
        self.database = database
        with database.load() as connection:
            fill(connection, 3_000, projects=3, versions=2, seed=1)
            private = hide_a_project(connection)
            member = grant(connection, "artist002", private)
            write_statistics(connection)
        self.api = Api(database, MediaService(database, folder))
        self.operations = scale.operations(scale.places(database))
        self.users = scale.users(database)
        self.users["role in all projects"] = RequestUser(member, "artist002")
        with database.read() as connection:
            self.counts = {
                name: connection.execute(
                    sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
                ).scalar_one()
                for name, table in TABLES.items()
            }
        self.asked: list[tuple[str, Any]] = []
        sqlalchemy.event.listen(
            database.engine,
            "before_cursor_execute",
            lambda connection, cursor, statement, parameters, *more: self.asked.append(
                (statement, parameters)
            ),
        )

    def records(self, expression: str, user: str) -> list[dict[str, Any]]:
        """Return the records of a query."""
        body = json.dumps([{"action": "query", "expression": expression}]).encode()
        answer = json.loads(self.api.answer(body, self.users[user], "http://x").body)
        assert isinstance(answer, list), answer
        return list(answer[0]["data"])

    def scans(self, name: str, user: str) -> list[str]:
        """Return the steps that read a growing table from end to end for the query *name*."""
        self.asked.clear()
        body = json.dumps([self.operations[name]]).encode()
        answer = json.loads(self.api.answer(body, self.users[user], "http://x").body)
        assert isinstance(answer, list), answer
        asked = [one for one in self.asked if one[0].startswith(("SELECT", "WITH"))]
        assert asked
        with self.database.read() as connection:
            prepare(connection)
            steps = self._sqlite if self.database.is_sqlite else self._postgresql
            return [step for one in asked for step in steps(connection, *one)]

    def used(self, name: str, user: str) -> set[str]:
        """Return the indexes of SQLite that the query *name* uses."""
        self.scans(name, user)
        with self.database.read() as connection:
            steps = [
                row[3]
                for statement, parameters in list(self.asked)
                if statement.startswith(("SELECT", "WITH"))
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
        return {one for step in steps for one in re.findall(r"INDEX (ix_\w+)", step)}

    def indexes(self, name: str, user: str) -> set[str]:
        """Return the indexes of PostgreSQL that the query *name* uses."""
        self.scans(name, user)
        found: set[str] = set()
        with self.database.read() as connection:
            for method in ("seqscan", "mergejoin", "hashjoin"):
                connection.exec_driver_sql(f"SET LOCAL enable_{method} = off")
            for statement, parameters in self.asked:
                if statement.startswith(("SELECT", "WITH")):
                    explained = connection.exec_driver_sql(
                        f"EXPLAIN (FORMAT JSON) {statement}", parameters
                    )
                    nodes = _nodes(explained.scalar_one()[0]["Plan"], False)
                    found |= {node["Index Name"] for node, _ in nodes if "Index Name" in node}
        return found

    def _sqlite(self, connection: Any, statement: str, parameters: Any) -> Iterator[str]:
        named = re.findall(r"(?:FROM|JOIN|,) (\w+) AS (\w+)", statement)
        tables = {alias: table for table, alias in named}
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
            found = re.match(r"SCAN (\w+)(.*)", row[3])
            # A scan in the order of an index ends with the limit.
            if found and " USING INDEX" not in found[2]:
                if self.counts.get(tables.get(found[1], found[1]), 0) > FEW:
                    yield f"{row[3]}: {statement}"

    def _postgresql(self, connection: Any, statement: str, parameters: Any) -> Iterator[str]:
        """Explain as for large tables: by indexes and nested loops, where there is an index."""
        for method in ("seqscan", "mergejoin", "hashjoin"):
            connection.exec_driver_sql(f"SET LOCAL enable_{method} = off")
        explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        plan = explained.scalar_one()[0]["Plan"]
        for node, is_limited in _nodes(plan, False):
            if self.counts.get(node.get("Relation Name"), 0) <= FEW:
                continue
            is_found = "Index Cond" in node or node["Node Type"] == "Bitmap Heap Scan"
            # This index contains only the projects. There are few in this studio.
            is_found = is_found or node.get("Index Name") == "ix_context_project"
            if not is_found and not (is_limited and node["Node Type"].startswith("Index")):
                yield f"{node['Node Type']} of {node['Relation Name']}: {statement}"


def _nodes(plan: dict[str, Any], is_limited: bool) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield each node of *plan*, and whether a limit ends its scan in the order of an index."""
    kind = plan["Node Type"]
    is_limited = (is_limited or kind == "Limit") and kind not in ("Sort", "Hash", "Aggregate")
    yield plan, is_limited
    for each in plan.get("Plans", ()):
        yield from _nodes(each, is_limited)


@pytest.fixture(scope="module", params=DATABASES)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, namespace: Any
) -> Iterator[Studio]:
    """Return a filled studio on either database."""
    folder = tmp_path_factory.mktemp("media")
    with namespace(POSTGRES if request.param == "postgresql" else None) as url:
        with closing(SiteData(url=url, media=folder)) as data:
            made = Studio(data.open(), folder)
            yield made
            made.api.close()


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_frequent_query_scans_nothing_that_grows(studio: Studio, name: str, user: str) -> None:
    """A frequent query finds rows by indexes, or reads an index in its order up to a limit."""
    assert studio.scans(name, user) == []


def test_a_scan_would_be_found(studio: Studio) -> None:
    """The check of this file finds a query for which there is no index."""
    studio.operations["slow"] = {
        "action": "query",
        "expression": 'select id from Component where file_type is ".mov" order by size',
    }
    assert studio.scans("slow", "administrator") != []


#: Queries for the work of a user, and the indexes that find it.
OF_A_USER = {
    'Timelog where user.username is "artist001" and start >= "2024-03-01" order by start limit 9': {
        "ix_timelog_user_id_start"
    },
    'Timelog where user has (username is "artist001") order by start desc limit 9': {
        "ix_timelog_user_id_start"
    },
    'AssetVersion where user.username in ("artist001", "x") order by date desc limit 9': {
        "ix_asset_version_user_id"
    },
    'Note where author.email is "artist001@example.com" order by date desc limit 9': {
        "ix_note_user_id"
    },
    'Appointment where resource.name is "artist001" order by id limit 9': {
        "ix_appointment_resource_id_type"
    },
}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("expression", sorted(OF_A_USER))
def test_the_work_of_a_user_is_found_by_the_user(
    studio: Studio, expression: str, user: str
) -> None:
    """SQLite does not read the work of all users in the order of the query."""
    if not studio.database.is_sqlite:
        pytest.skip("PostgreSQL knows from its statistics that a user has few of the rows")
    studio.operations["work"] = {"action": "query", "expression": expression}
    assert OF_A_USER[expression] <= studio.used("work", user)


def test_a_condition_that_many_people_meet_gets_no_hint(studio: Studio) -> None:
    """SQLite reads the first rows in order if the condition does not name a person."""
    if not studio.database.is_sqlite:
        pytest.skip("only SQLite gets hints")
    studio.operations["many"] = {
        "action": "query",
        "expression": "select id from Timelog where user.is_active is true order by start limit 9",
    }
    assert "ix_timelog_start" in studio.used("many", "administrator")


def test_there_are_at_least_twenty_queries() -> None:
    """The list of frequent queries is as long as promised."""
    assert len(NAMES) >= 20


def test_the_benchmark_measures_each_query(studio: Studio, tmp_path: pathlib.Path) -> None:
    """The figures of the documentation come from queries that the server answers."""
    if not studio.database.is_sqlite:
        pytest.skip("the folder for files of a PostgreSQL site is that of the fixture")
    figures = scale.measure(studio.database, str(tmp_path), 1)
    assert {*NAMES, *scale.WHOLE} < {*figures}
    assert all(one["role cpu"] > 0 for one in figures.values())
    changes = scale.change(studio.database, str(tmp_path), 5, 1)
    assert changes["delete each"] > 0


def test_a_search_finds_names_by_trigrams(studio: Studio) -> None:
    """PostgreSQL finds words anywhere in a name by an index."""
    if studio.database.is_sqlite:
        pytest.skip("SQLite reads the names of a type")
    with studio.database.read() as connection:
        if (
            connection.exec_driver_sql(
                "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"
            ).scalar()
            == 0
        ):
            pytest.skip("the extension pg_trgm cannot be created on this server")
    studio.operations["search"] = {
        "action": "search",
        "expression": "select name from Shot limit 20",
        "terms": ["sq003_sh01"],
    }
    for user in USERS:
        assert studio.scans("search", user) == []
        assert any("ix_context_name_trigram" in one for one in studio.indexes("search", user))


@pytest.mark.parametrize("user", USERS)
def test_groups_are_those_of_the_rows(studio: Studio, user: str) -> None:
    """Aggregates of groups over relations are those of the rows that the user sees."""
    groups, names = (
        studio.records(
            f"select status.name, parent.name, {aggregates} from Task"
            " group by status.name, parent.name limit 400",
            user,
        )
        for aggregates in ("count(id), count(bid), sum(bid), max(bid)", "min(name), max(name)")
    )
    rows = studio.records("select status.name, parent.name, bid, name from Task", user)
    wanted: dict[tuple[str, str], list[dict[str, Any]]] = {}
    names_of: dict[str, str] = {}  # only the first occurrence of an entity has its attributes
    for row in rows:
        related = (row["status"], row["parent"])
        names_of.update({one["id"]: one["name"] for one in related if "name" in one})
        status, parent = (names_of[one["id"]] for one in related)
        wanted.setdefault((status, parent), []).append(row)
    assert len(groups) == min(len(wanted), 400)
    for group, named in zip(groups, names):
        members = wanted[group["status.name"], group["parent.name"]]
        bids = [one["bid"] for one in members if one["bid"] is not None]
        assert group["count_id"] == len(members)
        assert group["count_bid"] == len(bids)
        assert (group["sum_bid"] or 0) == pytest.approx(sum(bids))
        assert group["max_bid"] == max(bids, default=None)
        known = sorted((one["name"] for one in members), key=str.lower)
        assert (named["min_name"], named["max_name"]) == (known[0], known[-1])
