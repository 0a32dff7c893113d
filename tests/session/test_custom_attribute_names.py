"""A query with a custom attribute that the site does not have says so."""

from __future__ import annotations

import asyncio
import json
import linecache
import os
import subprocess
import sys
import warnings
from typing import Any, Callable

import pytest

from ftrack_like import attr, exception
from ftrack_like._values import custom_attributes
from ftrack_like.query._custom_keys import named_keys
from ftrack_like.session import Session

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

WRONG = 'Shot where custom_attributes any (key is "fstrat" and value > 1)'
RIGHT = 'Shot where custom_attributes any (key is "fstart" and value > 1000)'
BOUND = "Shot where custom_attributes any (key is :key)"
SENTENCE = "The site has no custom attribute 'fstrat'"


@pytest.fixture
def shot(session: Any) -> Any:
    """Return a committed shot that begins at frame 1001."""
    schema = session.query("ProjectSchema order by name").first()
    project = session.create("Project", {"name": "harbour", "project_schema": schema})
    made = session.create("Shot", {"name": "sh010", "parent": project})
    session.commit()
    made["custom_attributes"]["fstart"] = 1001
    session.commit()
    return made


# Selections


SELECTIONS = [
    attr.custom_attributes["fstrat"] > 1000,
    ~attr.custom_attributes.any(attr.key == "fstrat", attr.value > 1000),
    attr.custom_attributes["fstrat"].between(1, 2) | (attr.name == "sh010"),
    attr.custom_attributes.any(attr.key.in_(["fstart", "fstrat"])),
    attr.project.custom_attributes["fstrat"].is_none(),
    attr.parent.as_("Shot").custom_attributes["fstrat"] == 1,
]


@pytest.mark.parametrize("condition", SELECTIONS, ids=str)
def test_selection_refuses_an_unknown_key(session: Any, condition: Any) -> None:
    """Like any other unknown attribute, whatever the condition would find."""
    found = session.select("Shot").where(condition)
    with pytest.raises(exception.UnknownAttributeError) as caught:
        found.all()
    assert str(caught.value) == f"{SENTENCE}. Did you mean 'fstart'?"
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize(
    "use",
    [
        lambda found: found.first(),
        lambda found: found.one(),
        lambda found: found.count(),
        lambda found: len(found),
        lambda found: list(found.iterate()),
        lambda found: found.to_dicts(["name"]),
        lambda found: found.columns(attr.id.count()).all(),
    ],
)
def test_each_use_of_a_selection_is_checked(session: Any, use: Callable[[Any], Any]) -> None:
    """Building it sends nothing; each use has the error."""
    before = session.statistics.requests
    found = session.select("Shot").where(attr.custom_attributes["fstrat"] == 1)
    tasks = session.select("Task").where(attr.parent_id.in_(found.columns("id")))
    assert session.statistics.requests == before
    for each in (found, tasks):
        with pytest.raises(exception.UnknownAttributeError, match=SENTENCE):
            use(each)


def test_check_costs_one_request_in_a_session(session: Any, shot: Any) -> None:
    """A selection without custom attributes costs none, and neither do metadata."""
    session.reset()

    def requests_of(condition: Any) -> int:
        before: int = session.statistics.requests
        session.select("Shot").where(condition).columns("name").all()
        return int(session.statistics.requests - before)

    assert requests_of(attr.name == "sh010") == 1
    assert requests_of(attr.metadata["anything"] == "x") == 1
    assert requests_of(attr.custom_attributes["fstart"] == 1001) == 2
    assert requests_of(attr.custom_attributes["FSTART"] == 1001) == 1
    assert requests_of(attr.custom_attributes["fend"] == 1) == 1


class Limited(Session):
    """A session whose user may not read the configurations."""

    def query(self, expression: str, *arguments: Any, **options: Any) -> Any:
        """Refuse a query for the configurations."""
        if "CustomAttributeConfiguration" in expression:
            raise exception.ServerPermissionDeniedError("no")
        return super().query(expression, *arguments, **options)


def test_nothing_is_checked_if_the_keys_cannot_be_read(sandbox: Any, shot: Any) -> None:
    """A user without the permission gets what the server finds."""
    given = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
    with Limited(*given, plugin_paths=[]) as session, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert session.select("Shot").where(attr.custom_attributes["fstrat"] == 1).all() == []
        assert session.query(WRONG).all() == []


def test_attribute_that_was_added_meanwhile_is_found(
    session: Any, shot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long-running program reads the keys again before it refuses one, once a minute at most."""
    found = session.select("Shot").where(attr.custom_attributes["mood"] == "dark")
    before = session.statistics.requests
    for _ in range(3):
        with pytest.raises(exception.UnknownAttributeError):
            found.all()
    assert session.statistics.requests == before + 1
    session.create(
        "CustomAttributeConfiguration",
        {
            "entity_type": "task",
            "object_type": session.query("ObjectType where name is Shot").one(),
            "key": "mood",
            "label": "Mood",
            "type": session.query("CustomAttributeType where name is text").one(),
            "config": json.dumps({"markdown": False}),
            "default": "",
        },
    )
    session.commit()
    monkeypatch.setattr(custom_attributes, "_KEYS_AGE", 0)
    assert found.all() == []


def test_asynchronous_selection_is_checked(sandbox: Any) -> None:
    """The error comes with the await."""
    from ftrack_like.aio import AsyncSession

    async def find() -> None:
        given = (sandbox.server_url, sandbox.api_key, sandbox.api_user)
        async with AsyncSession(*given, plugin_paths=[]) as session:
            found = session.select("Shot").where(attr.custom_attributes["fstrat"] == 1)
            with pytest.raises(exception.UnknownAttributeError, match=SENTENCE):
                await found
            with pytest.raises(exception.UnknownAttributeError, match=SENTENCE):
                await found.count()

    asyncio.run(find())


# Queries as text


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.query(WRONG).all(),
        lambda session: session.query(WRONG).first(),
        lambda session: list(session.query(WRONG).iterate()),
        lambda session: list(session.query(WRONG).iterate(stable=True)),
        lambda session: session.query(WRONG).to_dicts(["name"]),
        lambda session: session.query(WRONG)[:10],
        lambda session: session.query_many([WRONG, "User"])[0].all(),
        lambda session: session.query(f"select custom_attributes from {WRONG}").all(),
        lambda session: session.query(BOUND, values={"key": "fstrat"}).all(),
    ],
)
def test_text_without_results_warns(session: Any, use: Callable[[Any], Any]) -> None:
    """The query finds nothing, as ever, and the line of the program is shown."""
    with pytest.warns(exception.UnknownAttributeWarning) as caught:
        assert not use(session)
    assert {str(each.message) for each in caught} == {
        f"{SENTENCE}, so the query finds nothing. Did you mean 'fstart'?"
    }
    assert {each.filename for each in caught} == {__file__}
    assert "lambda session: " in linecache.getline(__file__, caught[0].lineno)


def test_text_with_results_sends_nothing_more(session: Any, shot: Any) -> None:
    """Neither does a query without results that has no key; a right key gives no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = session.statistics.requests
        assert len(session.query(f"select name from {RIGHT}").all()) == 1
        assert session.query("select name from Shot where name is nothing").all() == []
        assert session.statistics.requests == before + 2
        assert session.query(RIGHT.replace("> 1000", "> 2000")).all() == []


def test_column_of_a_table_is_checked(session: Any, shot: Any) -> None:
    """A column of an unknown key is an error; one without values is not."""
    found = session.select("Shot")
    assert found.to_dicts(["custom_attributes.fstart"]) == [{"custom_attributes.fstart": 1001}]
    assert found.to_dicts(["metadata.nothing"]) == [{"metadata.nothing": None}]
    for result in (found, session.query("Shot")):
        with pytest.raises(exception.UnknownAttributeError, match=SENTENCE):
            result.to_dicts(["name", "custom_attributes.fstrat"])


def test_command_shows_the_warning_as_one_line(sandbox: Any) -> None:
    """There is no line of a program to show."""
    run = subprocess.run(
        [sys.executable, "-m", "ftrack_like", "query", WRONG],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **sandbox.environment()},
    )
    assert run.stderr.splitlines() == [
        f"ftrack-like: warning: {SENTENCE}, so the query finds nothing. Did you mean 'fstart'?"
    ]


@pytest.mark.parametrize(
    ("expression", "keys"),
    [
        (WRONG, ["fstrat"]),
        ("Shot where parent[Shot].custom_attributes any ((value > 1) and (key is 'a'))", ["a"]),
        (
            'Shot where custom_attributes any (key is "a\\"b") and metadata any (key is "c")',
            ['a"b'],
        ),
        ('Shot where custom_attributes.key is "a" and not project.name is "b"', ["a"]),
        ('Shot where custom_attributes any (key in ("a", "b") and value in ("c"))', ["a", "b"]),
        ('Shot where custom_attributes any (configuration.key is "a")', ["a"]),
        ('Task where id in (select id from Task where custom_attributes any (key is "a"))', ["a"]),
        ('Shot where custom_attributes any (key is_not "a") or key is "b"', []),
        ('Shot where name is "custom_attributes any (key is x)"', []),
        ('Shot where custom_attributes any (notes any (key is "a"))', []),
        ("Shot where custom_attributes any (key is", []),
        ("Shot where custom_attributes any (key in", []),
        ("Shot where custom_attributes.key", []),
        ("Shot where custom_attributes any () ) ) and key is (", []),
    ],
)
def test_keys_are_found_in_the_text(expression: str, keys: list[str]) -> None:
    """Only keys of custom attributes that are compared for equality count."""
    assert named_keys(expression) == keys
