"""With the statistics of a new database SQLite goes by the index that a grown one needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, event

from ftrack_like.sandbox.access.rights import Rights
from ftrack_like.sandbox.query.run import run_query
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.tables.layout import create_tables
from ftrack_like.sandbox.tables.statistics import write_statistics


@pytest.fixture(scope="module")
def plan(world, tmp_path_factory):
    """Return a function that gives the lines of the plan of an expression's first statement."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'empty.sqlite'}")
    with engine.begin() as connection:
        create_tables(connection)
        write_statistics(connection)
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *details: statements.append(details[2:4]))

    def lines(expression, restricted=False):
        private = frozenset({"hidden"})
        rights = Rights("user", {"role": "Role"}, frozenset({"role"}), {}, private)
        context = replace(world.context, rights=rights if restricted else None)
        with engine.connect() as connection:
            statements.clear()
            run_query(connection, MODEL, expression, context)
            statement, parameters = statements[0]
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [row[3] for row in rows]

    yield lines
    engine.dispose()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Task where parent_id is x", "ix_context_parent_id_name (parent_id=?)"),
        ("Task where parent.id is x", "ix_context_parent_id_name (parent_id=?)"),
        ("Task where parent.name is x", "ix_context_parent_id_name (parent_id=?)"),
        ("Task where parent.parent.name is x", "ix_context_parent_id_name (parent_id=?)"),
        ("Task where id in (x, y)", "sqlite_autoindex_context_1 (id=?)"),
        ("TypedContext where name is x", "ix_context_name (name=?)"),
        ("Context where name in (x, y)", "ix_context_name (name=?)"),
        ("Task where project.id is x and name is y", "ix_context_name (name=?)"),
        ("Task where project_id is x", "ix_context_project_id_context_type_object_type_id"),
        ("Task", "ix_context_object_type_id_context_type"),
        ("Task where status.name is_not x", "ix_context_object_type_id_context_type"),
        ("Task where ancestors.id is x", "sqlite_autoindex_context_1 (id=?)"),
        ("Task where metadata any (key is x and value is y)", "sqlite_autoindex_context_1 (id=?)"),
        ("Task where assignments.resource.username is x", "sqlite_autoindex_context_1 (id=?)"),
        ("AssetVersion where asset.parent.id is x", "ix_asset_version_asset_id_version"),
        ("Component where version.asset.id is x", "ix_component_version_id"),
        ("Note where parent_id is x", "ix_note_parent_id_date"),
    ],
)
def test_query_starts_with_the_index_that_leaves_least(plan, expression, expected):
    """The rows of the type asked for are found by what narrows them most."""
    (first, *_) = plan(expression)

    assert expected in first


@pytest.mark.parametrize("expression", ["Task limit 5", "Task where status_id is x", "Note"])
def test_default_order_needs_no_sorting(plan, expression):
    """Without "order by" rows come out of the index in the order of the answer."""
    assert not any("B-TREE" in line for line in plan(expression))


def test_statistics_cover_every_index():
    """Writing them twice changes nothing; each index of the database has its own."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        create_tables(connection)
        write_statistics(connection)
        first = connection.exec_driver_sql("SELECT * FROM sqlite_stat1 ORDER BY 1, 2").all()
        write_statistics(connection)
        again = connection.exec_driver_sql("SELECT * FROM sqlite_stat1 ORDER BY 1, 2").all()
        indexes = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'context'"
        )

        assert first == again
        assert set(indexes.scalars()) <= {row[1] for row in first}
    engine.dispose()


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "select status.name, count(id) from Task group by status.name",
            {
                False: "ix_context_status_id_",
                True: "ix_context_project_id_object_type_id_status_id",
            },
        ),
        (
            "select status.name, count(id) from Task where project_id is x group by status.name",
            dict.fromkeys((False, True), "ix_context_project_id_object_type_id_status_id"),
        ),
    ],
)
def test_counts_by_status_read_only_an_index(plan, expression, expected, restricted):
    """No row of a task is read to count it, with rights for some projects neither."""
    lines = plan(expression, restricted=restricted)
    (own,) = [line for line in lines if "ix_context_" in line]

    assert "COVERING INDEX" in own
    assert expected[restricted] in own
