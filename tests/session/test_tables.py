"""Results as dictionaries and data frames: one projected query, answered by a server."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import pytest

from ftrack_like import attr, exception

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

UTC = datetime.timezone.utc
START = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def project(session: Any) -> Any:
    """Return a project with two shots, each with two tasks, committed and forgotten."""
    schema = session.query("ProjectSchema order by name").first()
    made = session.create("Project", {"name": "table", "project_schema": schema})
    user = session.create("User", {"username": "mira"})
    for number in (10, 20):
        shot = session.create("Shot", {"name": f"sh{number:03}", "parent": made})
        shot["metadata"]["reel"] = f"A{number}"
        for name in ("anim", "comp"):
            task = session.create("Task", {"name": name, "parent": shot, "bid": float(number)})
            if name == "anim":
                task["start_date"] = START
                session.create(
                    "Appointment", {"context": task, "resource": user, "type": "assignment"}
                )
    session.commit()
    for shot in session.query("Shot where name is sh020"):
        shot["custom_attributes"]["fstart"] = 1101
    session.commit()
    session.reset()
    return made


COLUMNS = ["name", "parent.name", "status.name", "start_date", "assignments.resource.username"]
ROWS = [
    {
        "name": name,
        "parent.name": shot,
        "status.name": "Not started",
        "start_date": START if name == "anim" else None,
        "assignments.resource.username": ["mira"] if name == "anim" else [],
    }
    for shot in ("sh010", "sh020")
    for name in ("anim", "comp")
]
QUERY = "Task order by parent.name, name"


def test_rows_as_dictionaries(session: Any, project: Any) -> None:
    """One request loads the columns; references that come again have their values everywhere."""
    before = session.statistics.requests
    assert session.query(QUERY).to_dicts(COLUMNS) == ROWS
    assert session.query(QUERY).to_dicts(", ".join(COLUMNS)) == ROWS
    assert session.statistics.requests - before == 2
    assert session.query(f"select {', '.join(COLUMNS)} from {QUERY}").to_dicts() == ROWS
    built = session.select("Task").order_by("parent.name", "name")
    assert built.columns(*COLUMNS).to_dicts() == ROWS
    assert built.to_dicts([attr.name, attr.parent.name]) == [
        {name: row[name] for name in COLUMNS[:2]} for row in ROWS
    ]


def test_rows_are_not_entities(session: Any, project: Any) -> None:
    """The export loads nothing into the session, and shows no uncommitted change."""
    task = session.query(f"select name from {QUERY}").first()
    task["name"] = "changed"
    known = len(list(session.cache.keys()))
    assert session.query(QUERY).to_dicts(COLUMNS) == ROWS
    assert len(list(session.cache.keys())) == known
    session.rollback()


def test_default_columns(session: Any, project: Any) -> None:
    """Without columns the rows have what the query selects, or the usual columns of the type."""
    tasks = session.query("Task where name is anim and parent.name is sh010")
    wanted = {
        "id": tasks.one()["id"],
        "name": "anim",
        "type.name": "Concept Art",
        "status.name": "Not started",
        "parent.name": "sh010",
    }
    assert tasks.to_dicts() == [wanted]
    users = {"id", "username", "first_name", "last_name", "email", "is_active"}
    assert session.select("User").to_dicts()[0].keys() == users
    (row,) = session.query("select status, children from Shot where name is sh010").to_dicts()
    assert set(row) == {"status.id", "children.id", "children.name", "children.context_type"}
    assert sorted(row["children.name"]) == ["anim", "comp"]


def test_mappings_and_their_entries(session: Any, project: Any) -> None:
    """A mapping is a dictionary; with a key behind it, a column has the value of one entry."""
    rows = session.query("Shot order by name").to_dicts(
        ["custom_attributes.fstart", "metadata.reel", "metadata", "metadata.no key"]
    )
    assert [row["custom_attributes.fstart"] for row in rows][1] == 1101
    assert [row["metadata.reel"] for row in rows] == ["A10", "A20"]
    assert rows[0]["metadata"] == {"reel": "A10"}
    assert rows[0]["metadata.no key"] is None
    built = [attr.custom_attributes["fstart"], attr.metadata["no key"], attr.metadata["a'\n\\"]]
    assert session.query("Shot where name is sh020").to_dicts(built) == [
        {"custom_attributes.fstart": 1101, "metadata.no key": None, "metadata.a'\n\\": None}
    ]
    (task,) = session.query("Task where parent.name is sh020 and name is anim").to_dicts(
        ["parent[Shot].custom_attributes.fstart", "parent.metadata.reel"]
    )
    assert task == {"parent[Shot].custom_attributes.fstart": 1101, "parent.metadata.reel": "A20"}


def test_lists_and_mappings_that_are_one_value(session: Any, project: Any) -> None:
    """A link, a thumbnail and the value of an enumerator are whole, also behind a collection."""
    query = "select name, link, children.link, thumbnail_url from Shot where name is sh010"
    (row,) = session.query(query).to_dicts()
    assert [each["name"] for each in row["link"]] == ["table", "sh010"]
    assert row["link"] == list(session.query(query).one()["link"])
    assert {path[-1]["name"] for path in row["children.link"]} == {"anim", "comp"}
    assert [len(path) for path in row["children.link"]] == [3, 3]
    assert row["thumbnail_url"] is None or isinstance(row["thumbnail_url"], dict)
    for library in ("pandas", "polars"):
        pytest.importorskip(library)
        frame = getattr(session.query(query), f"to_{library}")()
        assert [each["name"] for each in frame["link"][0]] == ["table", "sh010"]


DIFFERING = "assignments.resource.memberships.group.name"


@pytest.mark.parametrize(
    ("use", "advice"),
    [
        (lambda tasks: tasks.where(attr[DIFFERING] == "x"), "resource.as_('User').memberships"),
        (lambda tasks: tasks.columns(DIFFERING), "resource[User].memberships"),
        (lambda tasks: tasks.group_by(DIFFERING), "resource[User].memberships"),
        (lambda tasks: tasks.order_by(DIFFERING), "resource[User].memberships"),
        (lambda tasks: tasks.to_dicts([DIFFERING]), "resource[User].memberships"),
        (
            lambda tasks: tasks.where(attr.assignments.resource.memberships.any()),
            "resource.as_('User').memberships",
        ),
    ],
)
def test_a_path_that_differs_between_sub_types(session: Any, use: Any, advice: str) -> None:
    """Every part of a query asks for the type, before any request."""
    before = session.statistics.requests
    with pytest.raises(exception.InvalidValueError, match="Group and User") as caught:
        use(session.select("Task"))
    assert advice in str(caught.value)
    assert session.statistics.requests == before


def test_groups_of_people_by_their_type(session: Any, project: Any) -> None:
    """With the type in the path, conditions, groups and columns agree."""
    group = session.create("Group", {"name": "Animation", "local": True})
    user = session.query("User where username is mira").one()
    session.create("Membership", {"group": group, "user": user})
    session.commit()
    path = attr.assignments.resource.as_("User").memberships.group.name
    tasks = session.select("Task")
    assert tasks.where(path == "Animation").count() == 2
    rows = tasks.where(path.is_not_none()).columns(path, attr.bid.sum()).group_by(path).to_dicts()
    assert rows == [{str(path): "Animation", "sum_bid": 30.0}]
    found = tasks.where(attr.name == "anim").to_dicts([path])
    assert found == [{str(path): ["Animation"]}] * 2


def test_items_of_lists_by_their_type(session: Any) -> None:
    """A relation that leads to other types in each sub-type takes the type in brackets."""
    lists = session.select("List")
    with pytest.raises(exception.InvalidValueError, match="AssetVersionList and TypedContextList"):
        lists.where(attr.items.name == "x")
    assert lists.where(attr.items.as_("TypedContext").name == "x").count() == 0
    assert lists.where(attr.items.as_("AssetVersion").version == 1).count() == 0
    with pytest.raises(exception.InvalidValueError, match="Select User instead of Resource"):
        session.select("Resource").where(attr.memberships.any(attr.group.name == "x"))


def test_limit_offset_and_pages(session: Any, project: Any, monkeypatch: Any) -> None:
    """Limit and offset of the query hold, and all pages are read."""
    from ftrack_like.query import _table

    monkeypatch.setattr(_table, "PAGE", 3)
    wanted = [{"name": row["name"], "parent.name": row["parent.name"]} for row in ROWS]
    columns = ["name", "parent.name"]
    assert session.query(QUERY).to_dicts(columns) == wanted
    assert session.query(f"{QUERY} offset 1 limit 2").to_dicts(columns) == wanted[1:3]
    assert session.query(f"{QUERY} limit 0").to_dicts(columns) == []


def test_counts_keep_their_columns(session: Any, project: Any) -> None:
    """The rows of groups are taken as they are."""
    grouped = session.select("Task").columns("parent.name", attr.id.count())
    rows = grouped.group_by("parent.name").order_by("parent.name")
    assert rows.to_dicts() == [
        {"parent.name": "sh010", "count_id": 2},
        {"parent.name": "sh020", "count_id": 2},
    ]
    with pytest.raises(exception.InvalidValueError, match="counts or sums"):
        rows.to_dicts(["name"])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["nme"], "Did you mean 'name'"),
        (["status.nme"], "Status has no attribute"),
        ([], "at least one column"),
        (5, "list of paths"),
        (["name limit 1"], "cannot be the name"),
    ],
)
def test_wrong_columns(session: Any, columns: Any, words: str) -> None:
    """Unknown columns are errors before any request."""
    result = session.query("Task")
    before = session.statistics.requests
    with pytest.raises(exception.Error, match=words):
        result.to_dicts(columns)
    assert session.statistics.requests == before


def test_pandas(session: Any, project: Any) -> None:
    """Dates have the time zone UTC, also in empty frames; None stays empty."""
    pandas = pytest.importorskip("pandas")
    frame = session.query(QUERY).to_pandas(COLUMNS)
    assert list(frame.columns) == COLUMNS
    assert str(frame["start_date"].dt.tz) == "UTC"
    assert frame["start_date"][0] == pandas.Timestamp(START)
    assert frame["start_date"].isna().tolist() == [False, True, False, True]
    assert frame["name"].tolist() == ["anim", "comp", "anim", "comp"]
    empty = session.query("Task where name is nothing").to_pandas(COLUMNS)
    assert list(empty.columns) == COLUMNS
    assert str(empty["start_date"].dt.tz) == "UTC"
    grouped = session.select("Task").columns("parent.name", attr.bid.sum()).group_by("parent.name")
    assert grouped.to_pandas().set_index("parent.name")["sum_bid"].to_dict() == {
        "sh010": 20.0,
        "sh020": 40.0,
    }


def test_empty_columns_of_pandas(session: Any, project: Any) -> None:
    """Numbers have a type for numbers also in an empty frame, and in a column without a value."""
    pytest.importorskip("pandas")
    empty = session.query("Task where name is nothing").to_pandas(["name", "bid", "sort"])
    assert str(empty["bid"].dtype) == "float64"
    frame = session.query("Task").to_pandas(["name", "sort"])
    assert frame["sort"].dtype.kind in "if"


@pytest.mark.parametrize(
    ("type_name", "columns"),
    [
        ("Membership", {"group.name", "user.username"}),
        ("ReviewSessionObjectStatus", {"status", "invitee.name", "review_session_object.name"}),
        ("Appointment", {"resource.username", "context.name"}),
        ("UserSecurityRole", {"security_role.name", "user.username"}),
        ("TypedContextLink", {"from.name", "to.name"}),
    ],
)
def test_columns_of_types_without_a_name(session: Any, type_name: str, columns: Any) -> None:
    """Such a type has the names of the entities to which it refers."""
    pytest.importorskip("pandas")
    assert columns <= set(session.select(type_name).to_pandas().columns)


def test_polars(session: Any, project: Any) -> None:
    """Dates have the time zone UTC, also in empty frames; None stays null."""
    polars = pytest.importorskip("polars")
    frame = session.query(QUERY).to_polars(COLUMNS)
    assert frame.to_dicts() == ROWS
    assert frame.schema["start_date"] == polars.Datetime("us", "UTC")
    empty = session.query("Task where name is nothing").to_polars(COLUMNS)
    assert empty.columns == COLUMNS
    assert empty.schema["start_date"] == polars.Datetime("us", "UTC")
    assert empty.schema["name"] == polars.String


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_missing_library(session: Any, monkeypatch: Any, library: str) -> None:
    """The error says what to install, before any request."""
    monkeypatch.setitem(sys.modules, library, None)
    result = session.query("Task")
    before = session.statistics.requests
    with pytest.raises(ImportError, match=f"pip install {library}"):
        getattr(result, f"to_{library}")()
    assert session.statistics.requests == before
