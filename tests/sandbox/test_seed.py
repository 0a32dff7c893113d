"""What a fresh site holds, and the demo project."""

from __future__ import annotations

import datetime
import json

import pytest
import sqlalchemy
from sqlalchemy import func, select

from ftrack_like.sandbox.access.keys import digest_key, is_key, new_key
from ftrack_like.sandbox.actions.checks import required_columns
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Scalar
from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS
from ftrack_like.sandbox.seed.data import demo, site, work
from ftrack_like.sandbox.seed.data.project_schemas import PROJECT_SCHEMAS
from ftrack_like.sandbox.seed.site import seed, seed_demo_project
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.tables.rowset import RowSet, as_moment, named_id

NOW = datetime.datetime(2024, 3, 1, 12, 0, 0)


def fresh(with_demo=False):
    """Return a database with a seed in it."""
    database = Database()
    with database.write() as connection:
        create_tables(connection)
        user_id = seed(connection, api_user="admin", api_key="secret", now=NOW)
        if with_demo:
            seed_demo_project(connection, now=NOW, created_by_id=user_id)
    return database


@pytest.fixture(scope="module")
def rows():
    """Return a function that answers the rows of a table of a seeded database with a demo."""
    database = fresh(with_demo=True)
    with database.read() as connection:

        def read(table, **where):
            columns = TABLES[table].c
            conditions = [columns[name] == value for name, value in where.items()]
            found = connection.execute(select(TABLES[table]).where(*conditions)).mappings()
            return [dict(row) for row in found]

        yield read
    database.close()


def content(database):
    """Return all rows of *database* by table."""
    with database.read() as connection:
        return {
            name: sorted(map(repr, connection.execute(select(table)).fetchall()))
            for name, table in TABLES.items()
        }


# The seed


def test_two_seeds_are_equal():
    """Ids follow from names, so that two fresh sites hold the very same rows."""
    first, second = fresh(with_demo=True), fresh(with_demo=True)

    assert content(first) == content(second)
    first.close()
    second.close()


def test_seeding_is_one_statement_for_each_table():
    """The seed costs as many statements as it fills tables, however many rows there are."""
    database = Database()
    statements = []
    with database.write() as connection:
        create_tables(connection)
        sqlalchemy.event.listen(
            connection,
            "before_cursor_execute",
            lambda connection, cursor, statement, *rest: statements.append(statement),
        )
        seed(connection, api_user="admin", api_key="secret", now=NOW)
    tables = [statement.split("(")[0] for statement in statements]
    database.close()

    assert len(tables) == len(set(tables))
    assert all(statement.startswith("INSERT INTO") for statement in statements)


def test_every_required_value_is_there(rows):
    """No seeded row lacks what the schema requires."""
    missing = set()
    roots = [type_ for type_ in MODEL.types.values() if not type_.bases]
    for root in roots:
        for row in rows(root.table):
            type_ = MODEL.type_of_row(root.name, row)
            for name, column in required_columns(type_):
                if row[column] is None:
                    missing.add((type_.name, name))

    assert missing == set()


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("asset_type", [one.name for one in work.ASSET_TYPES]),
        ("location", [one.name for one in site.LOCATIONS]),
        ("security_role", list(site.SECURITY_ROLES)),
        ("note_category", [one.name for one in site.NOTE_LABELS]),
        ("list_category", [one.name for one in site.LIST_CATEGORIES]),
        ("user_type", [one.name for one in site.USER_TYPES]),
        ("manager_type", [one.name for one in site.MANAGER_TYPES]),
    ],
)
def test_names_of_the_data_are_those_of_the_rows(rows, table, names):
    """What the data modules list, and the documentation from them, is what a site holds."""
    assert sorted(row["name"] for row in rows(table)) == sorted(names)


def test_locations_have_the_ids_of_every_site(rows):
    """The locations have the ids that clients know."""
    assert {row["name"]: row["id"] for row in rows("location")} == {
        "ftrack.origin": "ce9b348f-8809-11e3-821c-20c9d081909b",
        "ftrack.unmanaged": "cb268ecc-8809-11e3-a7e2-20c9d081909b",
        "ftrack.review": "cd41be70-8809-11e3-b98a-20c9d081909b",
        "ftrack.connect": "07b82a97-8cf9-11e3-9383-20c9d081909b",
        "ftrack.server": "3a372bde-05bc-11e4-8908-20c9d081909b",
    }


def test_defaults_of_the_schema_exist(rows):
    """Whatever a foreign key is by default is the id of a row."""
    for type_ in MODEL.types.values():
        for scalar in type_.properties.values():
            if isinstance(scalar, Scalar) and scalar.references and scalar.name != "id":
                default = scalar.facets.get("default")
                if default is not None:
                    assert rows(MODEL.types[scalar.references[0]].table, id=default), scalar.name


def test_templates_hold_types_of_their_project_schema(rows):
    """A task template only asks for types of task that projects of its schema may have."""
    for schema in PROJECT_SCHEMAS:
        for types in schema.templates.values():
            assert set(types) <= set(schema.task_types)
    assert len(rows("task_template_item")) == sum(
        len(types) for schema in PROJECT_SCHEMAS for types in schema.templates.values()
    )


def test_storage_scenario_is_a_setting(rows):
    """The setting that clients keep the storage scenario in exists and is JSON."""
    (setting,) = rows("setting", name="storage_scenario", group="STORAGE")

    assert json.loads(setting["value"])["scenario"] == "ftrack.automatic"


def test_custom_attributes_have_a_default_of_their_type(rows):
    """Defaults are kept as JSON."""
    (start,) = rows("custom_attribute_configuration", key="fstart")

    assert start["default_value"] == "1"
    assert start["kind"] == "value"
    assert start["object_type_id"] == OBJECT_TYPE_IDS["Shot"]
    assert rows("custom_attribute_configuration", key="resolution")[0]["is_hierarchical"]
    assert rows("custom_attribute_configuration", key="delivery_date")[0]["default_value"] == "null"


# The administrator and the key


def test_administrator_may_do_everything(rows):
    """The user that a sandbox is started for has the role of an administrator everywhere."""
    (user,) = rows("resource", username="admin")
    (role,) = rows("user_security_role", user_id=user["id"])

    assert role["security_role_id"] == named_id("SecurityRole", "Administrator")
    assert role["is_all_open_projects"]
    assert user["resource_type"] == "user"
    assert user["is_active"]


def test_keys_are_kept_as_digests(rows):
    """The database never holds a key, only what proves one."""
    (kept,) = rows("user_api_key")

    assert "secret" not in repr(kept)
    assert is_key("secret", kept["digest"])
    assert not is_key("Secret", kept["digest"])


def test_new_keys_are_long_and_never_the_same():
    """Keys that the server makes cannot be guessed."""
    keys = {new_key() for _ in range(50)}

    assert len(keys) == 50
    assert all(len(key) == 40 for key in keys)


def test_any_text_can_be_a_key():
    """Keys beyond ASCII have digests, too."""
    assert digest_key("schlüssel") != digest_key("schlussel")
    assert is_key("\ud800", digest_key("\ud800"))


# The demo project


def test_demo_project_is_its_own_project(rows):
    """A project's project is itself, and it has no parent."""
    (project,) = rows("context", context_type="show")

    assert project["name"] == demo.PROJECT_NAME
    assert project["project_id"] == project["id"]
    assert project["parent_id"] is None


def test_demo_project_has_what_the_data_lists(rows):
    """Sequences, shots, builds, tasks and people are those of the data module."""
    shots = [shot.name for shots in demo.SEQUENCES.values() for shot in shots]

    assert {row["name"] for row in rows("context", object_type_id=OBJECT_TYPE_IDS["Shot"])} == set(
        shots
    )
    assert {
        row["name"] for row in rows("context", object_type_id=OBJECT_TYPE_IDS["Sequence"])
    } == set(demo.SEQUENCES)
    tasks = rows("context", object_type_id=OBJECT_TYPE_IDS["Task"])
    assert len(tasks) == len(shots) * len(demo.SHOT_TASKS) + len(demo.ASSET_BUILDS) * len(
        demo.BUILD_TASKS
    )
    assert {artist.username for artist in demo.ARTISTS} <= {
        row["username"] for row in rows("resource", resource_type="user")
    }


def test_ancestry_is_the_closure_of_the_tree(rows):
    """The table of ancestors says the same as following parents one by one."""
    parents = {row["id"]: row["parent_id"] for row in rows("context")}
    wanted = set()
    for context_id in parents:
        depth, ancestor_id = 0, context_id
        while ancestor_id is not None:
            wanted.add((ancestor_id, context_id, depth))
            depth, ancestor_id = depth + 1, parents[ancestor_id]

    found = {
        (row["ancestor_id"], row["descendant_id"], row["depth"]) for row in rows("context_ancestry")
    }

    assert found == wanted


def test_types_and_statuses_of_the_demo_fit_its_schema(rows):
    """A context of the demo has only what its object type has and its project schema allows."""
    (project,) = rows("context", context_type="show")
    (project_schema,) = rows("project_schema", id=project["project_schema_id"])
    schemas = {
        row["object_type_id"]: row["id"]
        for row in rows("schema", project_schema_id=project_schema["id"])
    }
    flags = {row["id"]: row for row in rows("object_type")}
    for context in rows("context", context_type="task"):
        own = flags[context["object_type_id"]]
        assert (context["type_id"] is not None) == own["is_typeable"], context["name"]
        assert (context["status_id"] is not None) == own["is_statusable"], context["name"]
        assert (context["priority_id"] is not None) == own["is_prioritizable"], context["name"]
        of_type, of_status = {"type_id": context["type_id"]}, {"status_id": context["status_id"]}
        if context["object_type_id"] == OBJECT_TYPE_IDS["Task"]:
            types, workflow = project_schema["task_type_schema_id"], "task_workflow_schema_id"
            assert rows("task_type_schema_type", task_type_schema_id=types, **of_type)
            workflow_id = project_schema[workflow]
            assert rows("workflow_schema_status", workflow_schema_id=workflow_id, **of_status)
            continue
        if own["is_typeable"]:
            schema_id = schemas[context["object_type_id"]]
            assert rows("schema_type", schema_id=schema_id, **of_type), context["name"]
        if own["is_statusable"]:
            schema_id = schemas[context["object_type_id"]]
            assert rows("schema_status", schema_id=schema_id, **of_status), context["name"]


def test_versions_of_the_demo_count_from_one(rows):
    """Versions of an asset are numbered without gaps."""
    numbers = {}
    for version in rows("asset_version"):
        numbers.setdefault(version["asset_id"], []).append(version["version"])

    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
    assert len(numbers) == len(rows("asset"))


# Rows in bulk


def test_moments_are_stored_in_utc_at_whole_seconds():
    """A time with a zone is turned, one without is taken as it is, fractions are cut."""
    zone = datetime.timezone(datetime.timedelta(hours=2))

    assert as_moment(datetime.datetime(2024, 1, 1, 1, 0, 0, 999999, zone)) == "2023-12-31T23:00:00"
    assert as_moment(datetime.datetime(2024, 1, 1, 1, 0)) == "2024-01-01T01:00:00"


def test_named_ids_are_shared_by_types_of_one_table():
    """A label and a category of one name are the same row; other tables have other ids."""
    assert named_id("NoteLabel", "a") == named_id("NoteCategory", "a")
    assert named_id("Status", "a") != named_id("Type", "a")
    assert named_id("Status", "a") != named_id("Status", "b")


def test_rows_fill_in_defaults_and_marks():
    """A row that is added holds the schema's defaults, and what marks its type."""
    database = fresh()
    rows = RowSet()
    rows.add("SequenceComponent", id="frames")
    with database.write() as connection:
        rows.insert(connection)
        table = TABLES["component"]
        row = connection.execute(select(table).where(table.c.id == "frames")).mappings().one()
        assert row["name"] == "main"
        assert row["padding"] == 0
        assert row["system_type"] == "sequence"
        assert connection.execute(select(func.count()).select_from(table)).scalar() == 1
        rows.insert(connection)
        assert connection.execute(select(func.count()).select_from(table)).scalar() == 1
    database.close()


def test_unknown_attributes_are_refused():
    """A mistaken name in a seed is an error, not a value that goes nowhere."""
    with pytest.raises(KeyError, match="colour"):
        RowSet().add("Status", colour="#FFFFFF")
