"""What the rights of a user cost on a site that grows: every statement goes by an index."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy
from tests.databases import DATABASES, POSTGRES

from ftrack_like.sandbox.access.places import PLACES
from ftrack_like.sandbox.actions.store import key_columns
from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestCredentials, RequestUser
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.sql import prepare
from ftrack_like.sandbox.events.audience import Audience
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS
from ftrack_like.sandbox.seed.generate import fill
from ftrack_like.sandbox.seed.site import seed
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.tables.statistics import write_statistics

from .private_projects import hide_a_project

#: Tables whose rows a site configures once: reading all of them costs the same for ever.
FIXED = {
    *(
        "action",
        "asset_type",
        "automation",
        "location",
        "note_label",
        "object_type",
        "priority",
        "project_schema",
    ),
    *("project_schema_override", "schema", "security_role", "setting", "state", "status", "type"),
}


class Studio:
    """A site of 1,200 tasks in two projects, asked by a user whose role is for all open ones.

    A third project is private, so that the statements test the projects of rows.
    """

    def __init__(self, database: Database, folder: Any, *, measured: bool) -> None:
        self.database = database
        with database.write() as connection:
            create_tables(connection)
            now = datetime.datetime(2024, 3, 1)
            seed(connection, api_user="admin", api_key="secret", now=now)
            fill(connection, 1_200)
            hide_a_project(connection)
            if not measured:
                write_statistics(connection)
        database.engine.dispose()  # SQLite reads statistics when a connection is opened.
        self.service = Api(database, MediaService(database, folder))
        users = TABLES["resource"].c
        with database.read() as connection:
            named = sqlalchemy.select(users.id).where(users.username == "artist001")
            self.user = RequestUser(connection.execute(named).scalar_one(), "artist001")
            counts = {
                name: connection.execute(
                    sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
                ).scalar_one()
                for name, table in TABLES.items()
            }
        # The planner of a measured database reads small tables from end to end, and rightly so.
        self.growing = {
            name for name in TABLES if counts[name] > 200 or (name not in FIXED and not measured)
        }
        self.asked: list[tuple[str, Any]] = []
        sqlalchemy.event.listen(
            database.engine,
            "before_cursor_execute",
            lambda connection, cursor, statement, parameters, *more: self.asked.append(
                (statement, parameters)
            ),
        )

    def first(self, table: str, **where: Any) -> dict[str, Any]:
        """Return a row of *table*."""
        columns = TABLES[table].c
        conditions = [columns[name] == value for name, value in where.items()]
        statement = sqlalchemy.select(TABLES[table]).where(*conditions).limit(1)
        with self.database.read() as connection:
            return dict(connection.execute(statement).mappings().one())

    def answer(self, *operations: dict[str, Any], user: Any = None) -> Any:
        """Return the answer to *operations*; afterwards *asked* are the statements it took."""
        self.asked.clear()
        body = json.dumps(operations).encode()
        return json.loads(self.service.answer(body, user or self.user, "http://x").body)

    def scans(self) -> list[str]:
        """Return what the plans of the statements in *asked* say of tables read from end to end."""
        asked = [one for one in self.asked if re.match("SELECT|UPDATE|DELETE", one[0])]
        assert asked
        with self.database.read() as connection:
            prepare(connection)
            return [scan for one in asked for scan in self._scans(connection, *one)]

    def _scans(self, connection: Any, statement: str, parameters: Any) -> Iterator[str]:
        if isinstance(parameters, list):
            parameters = parameters[0]
        if self.database.is_sqlite:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            names = dict(re.findall(r"(?:FROM|JOIN|,) (\w+) AS (\w+)", statement))
            tables = {alias: table for table, alias in names.items()}
            for row in rows:
                found = re.match(r"SCAN (\w+)", row[3])
                table = tables.get(found[1], found[1]) if found else None
                if table in self.growing:
                    yield f"{row[3]}: {statement}"
            return
        # A table of a few rows is read from end to end whatever indexes it has. Forbidden to do
        # so, PostgreSQL shows whether there is an index for the condition.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        for node in _nodes(explained.scalar_one()[0]["Plan"]):
            table = node.get("Relation Name")
            if table in self.growing and not _is_found(node):
                yield f"{node['Node Type']} of {table}: {statement}"


def _is_found(node: dict[str, Any]) -> bool:
    """Return whether the rows of *node* are found by a condition on an index."""
    return "Index Cond" in node or node["Node Type"] in ("Bitmap Heap Scan", "ModifyTable")


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


@pytest.fixture(
    scope="module",
    params=[
        "sqlite measured",
        *DATABASES,
    ],
)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, namespace: Any
) -> Iterator[Studio]:
    """Return a studio on either database."""
    with namespace(POSTGRES if request.param == "postgresql" else None) as url:
        database = Database(url)
        measured = request.param != "sqlite"
        made = Studio(database, tmp_path_factory.mktemp("media"), measured=measured)
        yield made
        made.service.close()


def _types() -> list[str]:
    """Return a type of each table whose rows not all users see."""
    found = {
        type_.table: type_.name
        for type_ in MODEL.types.values()
        if type_.concrete and type_.table in PLACES
    }
    return sorted(found.values())


@pytest.mark.parametrize("name", _types())
def test_reading_by_key_scans_nothing_that_grows(studio: Studio, name: str) -> None:
    """A role user who reads an entity by its key makes the database scan no table that grows."""
    value = 1 if name == "Event" else '"0cb8e6a7-0000-0000-0000-000000000000"'
    key = " and ".join(f"{part} is {value}" for part in MODEL.types[name].primary_key)
    answer = studio.answer({"action": "query", "expression": f"{name} where {key}"})
    assert answer[0]["data"] == []
    assert studio.scans() == []


def _entity(name: str, key: list[str], /, **data: Any) -> dict[str, Any]:
    return {
        "entity_type": name,
        "entity_key": key,
        "entity_data": {"__entity_type__": name, **data},
    }


def _operations(studio: Studio, name: str) -> list[dict[str, Any]]:
    task = studio.first("context", name="animation")
    version = studio.first("asset_version")
    component = studio.first("component")
    configuration = studio.first("custom_attribute_configuration", key="fstart")
    new = "00000000-0000-0000-0000-00000000000"
    return {
        "create a task": [
            {
                "action": "create",
                **_entity(
                    "Task", [f"{new}1"], id=f"{new}1", name="one", parent_id=task["parent_id"]
                ),
            }
        ],
        "rename a task": [{"action": "update", **_entity("Task", [task["id"]], name="renamed")}],
        "write a note": [
            {
                "action": "create",
                **_entity(
                    "Note",
                    [f"{new}2"],
                    id=f"{new}2",
                    content="x",
                    parent_id=task["id"],
                    parent_type="task",
                ),
            }
        ],
        "write metadata": [
            {
                "action": "create",
                **_entity(
                    "Metadata",
                    [task["id"], "k"],
                    parent_id=task["id"],
                    parent_type="Task",
                    key="k",
                    value="v",
                ),
            }
        ],
        "set a custom attribute": [
            {
                "action": "update",
                **_entity(
                    "ContextCustomAttributeValue",
                    [configuration["id"], task["parent_id"]],
                    configuration_id=configuration["id"],
                    entity_id=task["parent_id"],
                    value=7,
                ),
            }
        ],
        "publish a version": [
            {
                "action": "create",
                **_entity("AssetVersion", [f"{new}3"], id=f"{new}3", asset_id=version["asset_id"]),
            },
            {
                "action": "create",
                **_entity(
                    "FileComponent", [f"{new}4"], id=f"{new}4", name="main", version_id=f"{new}3"
                ),
            },
        ],
        "set a thumbnail": [
            {
                "action": "create",
                **_entity(
                    "FileComponent", [f"{new}5"], id=f"{new}5", name="thumbnail", file_type=".jpg"
                ),
            },
            {
                "action": "update",
                **_entity("AssetVersion", [version["id"]], thumbnail_id=f"{new}5"),
            },
        ],
        "announce an upload": [
            {
                "action": "get_upload_metadata",
                "component_id": component["id"],
                "file_name": "a.mov",
                "file_size": 1,
            }
        ],
        "delete a version": [
            {"action": "delete", "entity_type": "AssetVersion", "entity_key": [version["id"]]}
        ],
        "delete a shot": [
            {"action": "delete", "entity_type": "Shot", "entity_key": [task["parent_id"]]}
        ],
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "create a task",
        "rename a task",
        "write a note",
        "write metadata",
        "set a custom attribute",
        "publish a version",
        "set a thumbnail",
        "announce an upload",
        "delete a version",
        "delete a shot",
    ],
)
def test_writing_scans_nothing_that_grows(studio: Studio, name: str) -> None:
    """A role user who writes makes the database scan no table that grows."""
    answer = studio.answer(*_operations(studio, name), user=_manager(studio))
    assert isinstance(answer, list), answer
    assert studio.scans() == []


def _manager(studio: Studio) -> RequestUser:
    """Return the user with a role that may do all of this, in all open projects."""
    role = studio.first("security_role", name="Project manager")
    with studio.database.write() as connection:
        held = TABLES["user_security_role"]
        connection.execute(
            held.update()
            .where(held.c.user_id == studio.user.id)
            .values(security_role_id=role["id"], is_all_open_projects=True)
        )
    return studio.user


def test_credentials_and_audience_scan_nothing_that_grows(studio: Studio) -> None:
    """Authenticating a user, and telling what the user may see of events, go by indexes."""
    studio.asked.clear()
    assert studio.service.authenticate(RequestCredentials("admin", "secret")).unrestricted
    event = {
        "source": {"user": {"id": "1", "username": "admin"}},
        "data": {"entities": [], "parents": []},
    }
    Audience(studio.database).view("artist001", event)
    # The projects themselves are read whole, by an index of projects alone.
    about_projects = [one for one in studio.asked if "'show'" in one[0]]
    assert len(about_projects) == 2
    # So are the configurations of custom attributes, of which a site has dozens.
    scans = [one for one in studio.scans() if "'show'" not in one]
    assert all(one.startswith("SCAN custom_attribute_configuration:") for one in scans)
    assert len(scans) <= 1


def test_statements_do_not_grow_with_the_projects(studio: Studio) -> None:
    """The values that a role user's statements carry do not grow with the open projects."""
    task = studio.first("context", name="animation")
    found = studio.answer({"action": "query", "expression": f'Task where id is "{task["id"]}"'})
    assert [one["id"] for one in found[0]["data"]] == [task["id"]]
    project_ids = {task["project_id"], studio.first("context", context_type="show")["id"]}
    assert not [one for one in studio.asked if any(id_ in repr(one[1]) for id_ in project_ids)]


def test_private_projects_are_hidden_as_soon_as_they_are_private(studio: Studio) -> None:
    """A project that turns private is gone for role users with the next request, and comes back."""
    project = studio.first("context", context_type="show")
    administrator = dataclasses.replace(studio.user, unrestricted=True)
    query = {"action": "query", "expression": f'Task where project_id is "{project["id"]}" limit 1'}
    for private, expected in ((True, 0), (False, 1)):
        change = {"action": "update", **_entity("Project", [project["id"]], is_private=private)}
        studio.answer(change, user=administrator)
        assert len(studio.answer(query)[0]["data"]) == expected


def test_keys_of_narrowed_tables_are_known() -> None:
    """Each table that not all users see has a type, so that the tests above read it."""
    assert {MODEL.types[name].table for name in _types()} == set(PLACES)
    assert all(key_columns(table) for table in PLACES)


def test_deleting_hundreds_of_contexts_scans_nothing_that_grows(studio: Studio) -> None:
    """A statement that deletes for hundreds of contexts goes by an index as for a few."""
    shot = studio.first("context", object_type_id=OBJECT_TYPE_IDS["Shot"])
    ids = [f"00000000-0000-0000-0001-{number:012}" for number in range(600)]
    made = [
        {
            "action": "create",
            **_entity("Task", [one], id=one, name=f"task {one}", parent_id=shot["id"]),
        }
        for one in ids
    ]
    user = _manager(studio)
    answer = studio.answer(*made, user=user)
    assert isinstance(answer, list), answer
    deletions = [{"action": "delete", "entity_type": "Task", "entity_key": [one]} for one in ids]
    answer = studio.answer(*deletions, user=user)
    assert isinstance(answer, list), answer
    assert studio.scans() == []


def test_rights_are_read_once_for_one_state_of_the_database(studio: Studio) -> None:
    """On SQLite, a role user's request reads the rights only after something was written."""
    if not studio.database.is_sqlite:
        pytest.skip("PostgreSQL does not tell cheaply whether others wrote")

    def asks_for_roles() -> bool:
        studio.answer({"action": "query", "expression": "Task limit 1"})
        return any("security_role" in statement for statement, _ in studio.asked)

    _manager(studio)  # writes
    assert asks_for_roles()
    assert not asks_for_roles()
    _manager(studio)
    assert asks_for_roles()
