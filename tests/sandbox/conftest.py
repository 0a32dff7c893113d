"""A small, fixed world for the tests of the query language: its rows, and a way to ask."""

from __future__ import annotations

import os
import uuid
from datetime import datetime

import pytest
from sqlalchemy import create_engine, event, insert, make_url

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.query.run import read_records, run_query
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.tables.layout import TABLES, create_tables


def object_type_id(type_name):
    return MODEL.types[type_name].classifier["object_type_id"]


def _context(id_, type_, name, parent=None, project="p-alpha", **more):
    kind = {"context_type": "show"} if type_ == "Project" else {"context_type": "task"}
    if type_ != "Project":
        kind["object_type_id"] = object_type_id(type_)
        kind["bid"] = 0.0
    return {"id": id_, "name": name, "parent_id": parent, "project_id": project, **kind, **more}


CONTEXTS = [
    _context(
        "p-alpha",
        "Project",
        "alpha",
        status="active",
        full_name="Alpha Film",
        start_date="2024-01-01T00:00:00",
        end_date="2024-12-31T00:00:00",
        is_private=False,
        is_global=False,
        created_at="2023-12-01T08:00:00",
        created_by_id="u-bob",
        color="#ff0000",
    ),
    _context(
        "p-beta",
        "Project",
        "beta",
        project="p-beta",
        status="hidden",
        full_name='Beta, the "Series"',
        is_private=True,
        is_global=False,
        created_by_id="u-zoe",
        created_at="2023-12-02T08:00:00",
    ),
    _context("sq-a", "Sequence", "sq010", "p-alpha"),
    _context("fo-b", "Folder", "Assets", "p-beta", "p-beta"),
    _context("sh-10", "Shot", "sh010", "sq-a", status_id="st-done", priority_id="pr-high"),
    _context("sh-20", "Shot", "Éclair", "sq-a", status_id="st-prog", priority_id="pr-none"),
    _context("sh-30", "Shot", "sh_030", "sq-a"),
    _context("ab-1", "AssetBuild", "Hero 100%", "p-alpha", status_id="st-ready"),
    _context("ms-1", "Milestone", "delivery", "p-alpha", end_date="2024-06-01T00:00:00"),
    _context(
        "t-anim10",
        "Task",
        "animation",
        "sh-10",
        type_id="ty-anim",
        status_id="st-done",
        priority_id="pr-high",
        bid=28800.0,
        start_date="2024-02-01T09:00:00",
        end_date="2024-02-10T18:00:00",
        description="Walk cycle",
        sort=1.0,
        created_by_id="u-bob",
        created_at="2024-01-15T12:00:00",
        thumbnail_id="cp-main",
    ),
    _context(
        "t-comp10",
        "Task",
        "compositing",
        "sh-10",
        type_id="ty-comp",
        status_id="st-prog",
        priority_id="pr-none",
        bid=14400.0,
        start_date="2024-02-11T09:00:00",
        sort=2.0,
        description="",
        created_by_id="u-zoe",
    ),
    _context(
        "t-anim20",
        "Task",
        "Animation",
        "sh-20",
        type_id="ty-anim",
        status_id="st-prog",
        bid=7200.0,
        start_date="2024-03-01T00:00:00",
        sort=3.0,
        description="C:\\temp\\new",
    ),
    _context(
        "t-comp20",
        "Task",
        "compositing",
        "sh-20",
        type_id="ty-comp",
        status_id="st-ready",
        bid=3600.5,
        description="back\\slash 100%",
    ),
    _context(
        "t-light20",
        "Task",
        "lighting",
        "sh-20",
        type_id="ty-light",
        status_id="st-ready",
        description="it's",
    ),
    _context("t-model", "Task", "Modeling", "ab-1", type_id="ty-model", status_id="st-done"),
    _context("t-loose", "Task", 'loose "task"', "p-beta", "p-beta"),
]

ROWS = {
    "context": CONTEXTS,
    "state": [
        {"id": "sta-open", "name": "Not Started", "short": "NOT_STARTED"},
        {"id": "sta-work", "name": "In Progress", "short": "IN_PROGRESS"},
        {"id": "sta-done", "name": "Done", "short": "DONE"},
    ],
    "status": [
        {
            "id": "st-ready",
            "name": "Ready to start",
            "state_id": "sta-open",
            "sort": 1,
            "is_active": True,
        },
        {
            "id": "st-prog",
            "name": "In progress",
            "state_id": "sta-work",
            "sort": 2,
            "is_active": True,
        },
        {"id": "st-done", "name": "Done", "state_id": "sta-done", "sort": 3, "is_active": True},
        {"id": "st-omit", "name": "Omitted", "state_id": None, "sort": 4, "is_active": False},
    ],
    "type": [
        {"id": "ty-anim", "name": "Animation", "is_billable": True, "color": "#111111", "sort": 1},
        {
            "id": "ty-comp",
            "name": "Compositing",
            "is_billable": True,
            "color": "#222222",
            "sort": 2,
        },
        {"id": "ty-light", "name": "Lighting", "is_billable": False, "color": "#333333", "sort": 3},
        {"id": "ty-model", "name": "Modeling", "is_billable": False, "color": "#444444", "sort": 4},
    ],
    "priority": [
        {"id": "pr-high", "name": "High", "value": 1.0, "sort": 1},
        {"id": "pr-none", "name": "None", "value": 5.0, "sort": 2},
    ],
    "resource": [
        {
            "id": "u-bob",
            "resource_type": "user",
            "username": "bob",
            "first_name": "Bob",
            "last_name": "O'Hara",
            "email": "bob@studio.test",
            "is_active": True,
        },
        {
            "id": "u-zoe",
            "resource_type": "user",
            "username": "zoe",
            "first_name": "Zoë",
            "last_name": "Ångström",
            "email": "zoe@studio.test",
            "is_active": False,
        },
        {"id": "u-ann", "resource_type": "user", "username": "ann", "is_active": True},
        {"id": "g-anim", "resource_type": "group", "name": "Animators", "local": False},
        {
            "id": "g-lead",
            "resource_type": "group",
            "name": "Leads",
            "local": True,
            "parent_id": "g-anim",
        },
        {
            "id": "c-client",
            "resource_type": "collaborator",
            "email": "client@other.test",
            "first_name": "Kim",
        },
    ],
    "membership": [
        {"id": "me-1", "group_id": "g-anim", "user_id": "u-bob"},
        {"id": "me-2", "group_id": "g-lead", "user_id": "u-bob"},
        {"id": "me-3", "group_id": "g-anim", "user_id": "u-ann"},
    ],
    "appointment": [
        {"id": "ap-1", "context_id": "t-anim10", "resource_id": "u-bob", "type": "assignment"},
        {"id": "ap-2", "context_id": "t-anim20", "resource_id": "u-bob", "type": "allocation"},
        {"id": "ap-3", "context_id": "t-comp10", "resource_id": "u-zoe", "type": "assignment"},
        {"id": "ap-4", "context_id": "t-anim20", "resource_id": "g-anim", "type": "assignment"},
    ],
    "timelog": [
        {
            "id": "tl-1",
            "context_id": "t-anim10",
            "user_id": "u-bob",
            "duration": 3600.0,
            "start": "2024-02-01T09:00:00",
            "comment": "blocking",
        },
        {
            "id": "tl-2",
            "context_id": "t-comp10",
            "user_id": "u-zoe",
            "duration": 1800.0,
            "start": "2024-02-12T10:30:00",
            "comment": "",
        },
        {
            "id": "tl-3",
            "context_id": "sh-10",
            "user_id": "u-bob",
            "duration": 600.0,
            "start": "2024-02-03T00:00:00",
            "comment": "review",
        },
    ],
    "note": [
        {
            "id": "n-1",
            "content": "Please fix\nthe arm",
            "parent_id": "t-anim10",
            "parent_type": "TypedContext",
            "user_id": "u-zoe",
            "date": "2024-02-04T10:00:00",
            "is_todo": True,
            "category_id": "nc-client",
        },
        {
            "id": "n-2",
            "content": "Done!",
            "parent_id": "t-anim10",
            "parent_type": "TypedContext",
            "user_id": "u-bob",
            "date": "2024-02-05T10:00:00",
            "in_reply_to_id": "n-1",
            "is_todo": False,
        },
        {
            "id": "n-3",
            "content": "Great",
            "parent_id": "v-hero2",
            "parent_type": "AssetVersion",
            "user_id": "u-bob",
            "date": "2024-03-05T10:00:00",
            "is_todo": False,
        },
    ],
    "note_category": [
        {"id": "nc-client", "name": "Client feedback", "color": "#ff0000", "sort": 1}
    ],
    "recipient": [
        {"note_id": "n-1", "resource_id": "u-bob", "text_mentioned": "@bob"},
        {"note_id": "n-1", "resource_id": "g-anim"},
    ],
    "metadata": [
        {"parent_id": "t-anim10", "parent_type": "TypedContext", "key": "k", "value": "v"},
        {
            "parent_id": "t-anim10",
            "parent_type": "TypedContext",
            "key": "shot_id",
            "value": "sh-10",
        },
        {"parent_id": "t-comp10", "parent_type": "TypedContext", "key": "k", "value": "Other"},
        {"parent_id": "p-alpha", "parent_type": "Project", "key": "fps", "value": "24"},
        {
            "parent_id": "cp-seq",
            "parent_type": "SequenceComponent",
            "key": "frames",
            "value": "1-10",
        },
    ],
    "asset_type": [
        {"id": "at-geo", "name": "Geometry", "short": "geo", "component": "main"},
        {"id": "at-plate", "name": "Plate", "short": "img", "component": "main"},
    ],
    "asset": [
        {
            "id": "a-hero",
            "name": "hero",
            "context_id": "ab-1",
            "project_id": "p-alpha",
            "type_id": "at-geo",
        },
        {
            "id": "a-plate",
            "name": "plate",
            "context_id": "sh-10",
            "project_id": "p-alpha",
            "type_id": "at-plate",
        },
        {
            "id": "a-none",
            "name": "nowhere",
            "context_id": None,
            "project_id": None,
            "type_id": None,
        },
    ],
    "asset_version": [
        {
            "id": "v-hero1",
            "asset_id": "a-hero",
            "version": 1,
            "project_id": "p-alpha",
            "status_id": "st-done",
            "task_id": "t-model",
            "user_id": "u-bob",
            "date": "2024-02-20T12:00:00",
            "comment": "first",
            "is_published": True,
        },
        {
            "id": "v-hero2",
            "asset_id": "a-hero",
            "version": 2,
            "project_id": "p-alpha",
            "status_id": "st-prog",
            "task_id": "t-model",
            "user_id": "u-bob",
            "date": "2024-02-21T12:00:00",
            "comment": "second",
            "is_published": True,
            "thumbnail_id": "cp-main",
        },
        {
            "id": "v-plate1",
            "asset_id": "a-plate",
            "version": 1,
            "project_id": "p-alpha",
            "status_id": "st-ready",
            "task_id": "t-comp10",
            "user_id": "u-zoe",
            "date": "2024-03-01T00:00:00",
            "comment": "",
            "is_published": False,
        },
    ],
    "asset_version_link": [{"id": "vl-1", "from_id": "v-hero1", "to_id": "v-plate1"}],
    "component": [
        {
            "id": "cp-main",
            "name": "main",
            "file_type": ".ma",
            "size": 1000,
            "system_type": "file",
            "version_id": "v-hero2",
        },
        {
            "id": "cp-prev",
            "name": "preview",
            "file_type": ".mp4",
            "size": 2000,
            "system_type": "file",
            "version_id": "v-hero2",
        },
        {
            "id": "cp-seq",
            "name": "main",
            "file_type": ".exr",
            "size": 30,
            "system_type": "sequence",
            "version_id": "v-plate1",
            "padding": 4,
        },
        {
            "id": "cp-f1",
            "name": "1",
            "file_type": ".exr",
            "size": 10,
            "system_type": "file",
            "container_id": "cp-seq",
        },
        {
            "id": "cp-f2",
            "name": "2",
            "file_type": ".exr",
            "size": 20,
            "system_type": "file",
            "container_id": "cp-seq",
        },
        {"id": "cp-box", "name": "bundle", "system_type": "container"},
    ],
    "location": [
        {"id": "lo-disk", "name": "studio.disk", "label": "Studio"},
        {"id": "3a372bde-05bc-11e4-8908-20c9d081909b", "name": "ftrack.server", "label": "Server"},
    ],
    "component_location": [
        {
            "id": "cl-1",
            "component_id": "cp-main",
            "location_id": "lo-disk",
            "resource_identifier": "\\\\server\\share\\hero.ma",
        },
        {
            "id": "cl-2",
            "component_id": "cp-seq",
            "location_id": "lo-disk",
            "resource_identifier": "plates/sh010.%04d.exr",
        },
        {
            "id": "cl-3",
            "component_id": "cp-main",
            "location_id": "3a372bde-05bc-11e4-8908-20c9d081909b",
            "resource_identifier": "cp-main",
        },
    ],
    "list_category": [{"id": "lc-day", "name": "Dailies"}],
    "list": [
        {
            "id": "li-shots",
            "name": "Dailies 12",
            "system_type": "task",
            "project_id": "p-alpha",
            "category_id": "lc-day",
            "is_open": True,
            "user_id": "u-bob",
        },
        {
            "id": "li-vers",
            "name": "Client",
            "system_type": "assetversion",
            "project_id": "p-alpha",
            "category_id": "lc-day",
            "is_open": False,
        },
    ],
    "list_object": [
        {"id": "lo-1", "list_id": "li-shots", "entity_id": "sh-10"},
        {"id": "lo-2", "list_id": "li-shots", "entity_id": "t-anim20"},
        {"id": "lo-3", "list_id": "li-vers", "entity_id": "v-hero2"},
    ],
    "typed_context_link": [
        {
            "id": "ln-1",
            "from_id": "t-anim10",
            "to_id": "t-comp10",
            "type": "end_to_start",
            "lag": 0.0,
        },
        {"id": "ln-2", "from_id": "t-anim20", "to_id": "t-comp20", "type": "start_to_start"},
    ],
    "calendar_event": [
        {
            "id": "ce-1",
            "name": "Holiday",
            "start": "2024-05-01T00:00:00",
            "end": "2024-05-03T00:00:00",
            "leave": True,
            "everyone": False,
        },
    ],
    "setting": [
        {"group": "LOOK", "name": "theme", "value": "dark"},
        {"group": "STORAGE", "name": "storage_scenario", "value": "null"},
    ],
    "setting_component": [
        {"component_id": "cp-main", "group": "LOOK", "name": "theme"},
        {"component_id": "cp-prev", "group": "STORAGE", "name": "theme"},
    ],
    "event": [
        {"id": 1, "action": "update", "parent_id": "t-anim10", "user_id": "u-bob"},
        {"id": 2, "action": "create", "parent_id": "t-comp10", "user_id": "u-zoe"},
    ],
    "feed": [
        {"id": "fe-1", "social_id": 1, "owner_id": "t-anim10", "distance": 0},
        {"id": "fe-2", "social_id": 1, "owner_id": "sh-10", "distance": 1},
        {"id": "fe-3", "social_id": 2, "owner_id": "t-comp10", "distance": 0},
    ],
    "review_session": [
        {
            "id": "rs-open",
            "name": "Open",
            "project_id": "p-alpha",
            "start_date": "2024-02-15T12:00:00",
            "end_date": "2024-02-16T00:00:00",
        },
        {
            "id": "rs-past",
            "name": "Past",
            "project_id": "p-alpha",
            "start_date": "2024-02-01T00:00:00",
            "end_date": "2024-02-15T12:00:00",
            "thumbnail_source_id": "v-hero1",
        },
    ],
    "review_session_object": [
        {
            "id": "ro-2",
            "name": "plate",
            "review_session_id": "rs-open",
            "version_id": "v-plate1",
            "sort_order": 2.0,
        },
        {
            "id": "ro-1",
            "name": "hero",
            "review_session_id": "rs-open",
            "version_id": "v-hero2",
            "sort_order": 1.0,
        },
    ],
    "custom_attribute_link": [
        {
            "id": "cl-user",
            "configuration_id": "cf-reviewer",
            "from_id": "t-anim10",
            "from_entity_type": "Context",
            "to_id": "u-zoe",
            "to_entity_type": "User",
        },
        {
            "id": "cl-shot",
            "configuration_id": "cf-similar",
            "from_id": "t-anim10",
            "from_entity_type": "Context",
            "to_id": "sh-20",
            "to_entity_type": "Context",
        },
    ],
    "scope": [{"id": "sc-1", "name": "main"}],
    "context_scope": [{"context_id": "p-alpha", "scope_id": "sc-1"}],
    "object_type": [
        {
            "id": object_type_id(name),
            "name": name,
            "sort": index,
            "icon": "default",
            "is_leaf": name == "Task",
            "is_prioritizable": True,
            "is_schedulable": True,
            "is_statusable": True,
            "is_taskable": True,
            "is_time_reportable": True,
            "is_typeable": True,
        }
        for index, name in enumerate(
            ("Task", "Shot", "Sequence", "Folder", "AssetBuild", "Milestone")
        )
    ],
    "custom_attribute_type": [
        {"id": f"ct-{name}", "name": name, "core": True}
        for name in ("text", "number", "boolean", "date", "enumerator")
    ],
    "custom_attribute_configuration": [
        {
            "id": "cf-fstart",
            "key": "fstart",
            "type_id": "ct-number",
            "entity_type": "task",
            "object_type_id": object_type_id("Shot"),
            "default_value": "1001",
            "config": '{"isdecimal": false}',
        },
        {
            "id": "cf-memo",
            "key": "memo",
            "type_id": "ct-text",
            "entity_type": "task",
            "default_value": '"none yet"',
        },
        {
            "id": "cf-hero",
            "key": "is_hero",
            "type_id": "ct-boolean",
            "entity_type": "task",
            "object_type_id": object_type_id("AssetBuild"),
            "default_value": "false",
        },
        {
            "id": "cf-due",
            "key": "due",
            "type_id": "ct-date",
            "entity_type": "task",
            "object_type_id": object_type_id("Milestone"),
            "default_value": "null",
        },
        {
            "id": "cf-space",
            "key": "colorspace",
            "type_id": "ct-enumerator",
            "entity_type": "show",
            "is_hierarchical": True,
            "default_value": '"acescg"',
        },
        {
            "id": "cf-beta",
            "key": "beta_only",
            "type_id": "ct-text",
            "entity_type": "task",
            "project_id": "p-beta",
            "default_value": '""',
        },
        {
            "id": "cf-phone",
            "key": "phone",
            "type_id": "ct-text",
            "entity_type": "user",
            "default_value": '""',
        },
        {
            "id": "cf-ok",
            "key": "approved",
            "type_id": "ct-boolean",
            "entity_type": "assetversion",
            "default_value": "false",
        },
    ],
    "custom_attribute_value": [
        {"configuration_id": "cf-fstart", "entity_id": "sh-10", "number": 993.0},
        {"configuration_id": "cf-memo", "entity_id": "t-anim10", "text": "Fix ÄRM"},
        {"configuration_id": "cf-memo", "entity_id": "t-comp10", "text": None},
        {"configuration_id": "cf-hero", "entity_id": "ab-1", "number": 1.0},
        {"configuration_id": "cf-due", "entity_id": "ms-1", "text": "2024-06-01T00:00:00"},
        {"configuration_id": "cf-space", "entity_id": "p-beta", "text": "srgb"},
        {"configuration_id": "cf-space", "entity_id": "sh-20", "text": '["srgb", "rec_709"]'},
        {"configuration_id": "cf-phone", "entity_id": "u-bob", "text": "555-1"},
        {"configuration_id": "cf-ok", "entity_id": "v-hero2", "number": 1.0},
    ],
}

for _row in ROWS["custom_attribute_configuration"]:
    _row.update({"kind": "value", "core": False, "sort": 0})
    _row.setdefault("is_hierarchical", False)
    _row.setdefault("config", "{}")

ROWS["custom_attribute_configuration"] += [
    {
        "id": f"cf-{key}",
        "key": key,
        "kind": "link",
        "entity_type": "task",
        "entity_type_to": target,
        "core": False,
        "config": "{}",
    }
    for key, target in (("reviewer", "user"), ("similar", "task"))
]


def _ancestry():
    parents = {row["id"]: row["parent_id"] for row in CONTEXTS}
    for id_ in parents:
        above, depth = id_, 0
        while above is not None:
            yield {"descendant_id": id_, "ancestor_id": above, "depth": depth}
            above, depth = parents[above], depth + 1


ROWS["context_ancestry"] = list(_ancestry())


class World:
    """The rows in a database, and the answers to queries of them."""

    def __init__(self, url="sqlite://"):
        self.rows = ROWS
        self.model = MODEL
        self.context = RequestContext(
            "u-bob", "bob", "http://sandbox.test", datetime(2024, 2, 15, 12, 0, 0)
        )
        self.statements = []
        self.engine = create_engine(url)
        self.connection = self.engine.connect()
        create_tables(self.connection)
        for table, rows in ROWS.items():
            for row in rows:
                self.connection.execute(insert(TABLES[table]), row)
        event.listen(self.engine, "before_cursor_execute", self._note)

    def _note(self, connection, cursor, statement, *more):
        self.statements.append(statement)

    def query(self, expression):
        """Return the result of *expression*; afterwards *statements* are those it took."""
        self.statements.clear()
        return run_query(self.connection, MODEL, expression, self.context)

    def close(self):
        self.connection.rollback()
        self.connection.close()
        self.engine.dispose()

    def records(self, expression):
        return self.query(expression).records

    def keys(self, expression):
        """Return the keys of the entities that *expression* answers, as text."""
        return [
            "/".join(
                str(record[name]) for name in MODEL.types[record["__entity_type__"]].primary_key
            )
            for record in self.records(expression)
        ]

    def read(self, type_name, keys, projections=None):
        self.statements.clear()
        return read_records(self.connection, MODEL, type_name, keys, projections, self.context)


@pytest.fixture(scope="session")
def world_on_postgresql():
    """Return the world in a namespace of its own of a PostgreSQL server, if one is named."""
    url = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")
    if url is None:
        pytest.skip("FTRACK_LIKE_TEST_POSTGRES_URL names no server")
    namespace = f"test_{uuid.uuid4().hex}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {namespace}")
    try:
        found = World(make_url(url).update_query_dict({"options": f"-csearch_path={namespace}"}))
        yield found
        found.close()
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {namespace} CASCADE")
        engine.dispose()


@pytest.fixture(scope="session")
def world():
    """Return the world in a database in memory; tests only read it."""
    return World()
