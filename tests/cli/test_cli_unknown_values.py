"""Values that an attribute cannot have: hints after empty queries, and checks before changes."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (
            "Job where status is faild",
            "No Job has the status 'faild'. Did you mean 'failed'? "
            "The values are: done, failed, queued, running.",
        ),
        (
            "TypedContextLink where type = end_to_strt",
            "No TypedContextLink has the type 'end_to_strt'. Did you mean 'end_to_start'?",
        ),
        (
            "Appointment where type=assignement",
            "No Appointment has the type 'assignement'. Did you mean 'assignment'? "
            "The values are: allocation, assignment.",
        ),
        (
            'ReviewSessionObjectStatus where status in ("approvd", "seen")',
            "No ReviewSessionObjectStatus has the status 'approvd'. Did you mean 'approved'?",
        ),
        ("Project where status is actve", "Did you mean 'active'?"),
        ("TypedContextList where system_type is tsk", "Did you mean 'task'?"),
        ('Task where name is "lightng"', "There is no Task 'lightng'. Did you mean 'lighting'?"),
        ("Task where parent.name is sh01", "There is no Context 'sh01'. Did you mean 'sh010'?"),
        (
            'Task where assignments any (resource.username is "admn")',
            "There is no User 'admn'. Did you mean 'admin'?",
        ),
        (
            'Task where parent has (name is "sh01" and project has (name is "shw"))',
            "There is no Project 'shw'. Did you mean 'show'?",
        ),
        (
            "Task where parent_id in (select id from Shot where name is sh01)",
            "There is no Shot 'sh01'. Did you mean 'sh010'?",
        ),
        (
            "Shot where custom_attributes any (key is fstrt and value is 4)",
            "whose key is 'fstrt'. Did you mean 'fstart'?",
        ),
        (
            "Note where parent_type is AssetVersion",
            "Servers compare 'parent_type' with names of tables. Write: parent_type is "
            "asset_version",
        ),
        ("Task where parent.name like h01", 'For a part of it write: parent.name like "%h01%"'),
        ("Note where parent_type is Shot", "Write: parent_type is task"),
        ("Metadata where parent_type is Project", "Write: parent_type is show"),
    ],
)
def test_a_misspelt_value_gets_a_hint(expression: str, words: str, command: Any, site: Any) -> None:
    """A query that finds nothing names the values that no entity has."""
    found = command("query", expression)
    assert (found.status, found.output) == (0, "")
    assert words in found.errors


@pytest.mark.parametrize(
    "expression",
    [
        "Job where status is failed",
        "Appointment where type is allocation",
        "Note where parent_type is asset_version",
        "Note where parent_type is task",
        'Task where description is "lighting"',
        "Task where name is zzz",
        "Task where name like zz%",
        "Task where name is lighting and bid is 3",
        'Task where id is "nothing" or parent_id is none',
    ],
)
def test_a_value_that_may_exist_gets_no_hint(expression: str, command: Any, site: Any) -> None:
    """A query that finds nothing although its values are right prints nothing."""
    found = command("query", expression)
    assert (found.status, found.output, found.errors) == (0, "", "")


def test_a_query_that_finds_rows_sends_nothing_more(
    command: Any, site: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values of a query are only looked up if it finds nothing."""
    from ftrack_like.cli import _unknown_values

    def fail(*arguments: object) -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr(_unknown_values, "stored_values", fail)
    found = command("query", 'Task where status.name is "Not started" or name is "lightng"')
    assert found.status == 0
    assert len(found.lines) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "Job", "user=admin", "status=faild"],
        ["create", "Job", "user=admin", 'status:="faild"'],
        ["create", "Job", "user=admin", "status=faild", "--dry-run"],
    ],
    ids=" ".join,
)
def test_a_value_that_the_schema_excludes_is_refused(
    arguments: list[str], command: Any, session: Any
) -> None:
    """A value outside of the list in the schema is an error before anything is sent."""
    found = command(*arguments)
    assert (found.status, found.output) == (1, "")
    assert found.errors.endswith(
        "No Job has the status 'faild'. Did you mean 'failed'? "
        "The values are: done, failed, queued, running.\n"
    )
    assert session.query("Job where status is queued").all() == []


def test_a_value_that_ftrack_does_not_write_is_warned_of(
    command: Any, site: Any, session: Any
) -> None:
    """A site may know more values than the usual ones, so these are only warned of."""
    found = command("set", "Project", "show", "status=actve")
    assert found.status == 0
    assert found.errors.startswith(
        "ftrack-like: warning: 'status=actve': No Project has the status 'actve'. "
        "Did you mean 'active'?"
    )
    assert session.query("select status from Project").one()["status"] == "actve"
    assert command("set", "Project", "show", "status=active").errors == ""


def test_a_type_of_job_that_clients_cannot_create(command: Any) -> None:
    """A refusal of the library while an entity is made is an error in one line."""
    found = command("create", "Job", "user=admin", "type=render")
    assert found.status == 1
    assert found.errors.startswith("ftrack-like: A job of the type 'render' cannot be created")
    assert "fault of the command" not in found.errors


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("status.name is In progress", ' Put a text of several words in quotes: is "In progress".'),
        ("status.name = In progress or bid = 1", 'in quotes: = "In progress".'),
        ('name is "a is b c" and status.name like In pro%', 'in quotes: like "In pro%".'),
    ],
)
def test_words_without_quotes(condition: str, words: str, command: Any, site: Any) -> None:
    """A value of several words without quotes is quoted in the error, and the place is marked."""
    for arguments in (
        ["query", f"Task where {condition}"],
        ["status", "Completed", "--where", condition],
    ):
        found = command(*arguments)
        assert found.status == 1
        assert found.errors.splitlines()[0].endswith(words)
        assert found.errors.splitlines()[-1].strip() == "^"


def test_other_mistakes_in_queries_get_no_advice_about_quotes(command: Any, site: Any) -> None:
    """Only values of several words need quotes."""
    found = command("query", "Task where name is a order bi name")
    assert found.status == 1
    assert "quotes" not in found.errors


def test_the_type_of_an_existing_asset_is_checked_too(
    command: Any, site: Any, session: Any, tmp_path: Any
) -> None:
    """A misspelt --asset-type has a suggestion, also if the asset exists; case does not matter."""
    kind = session.query('AssetType where name is "Geometry"').first()
    kind = kind or session.create("AssetType", {"name": "Geometry", "short": "geo"})
    session.create("Asset", {"name": "model", "parent": site["sh010"], "type": kind})
    session.commit()
    file = tmp_path / "model.ma"
    file.write_text("model")
    publish = ["publish", str(file), "--context", "show/sq010/sh010", "--dry-run", "--asset-type"]
    found = command(*publish, "gemetry")
    assert (found.status, found.output) == (1, "")
    assert "There is no AssetType 'gemetry'. Did you mean 'Geometry'?" in found.errors
    assert command(*publish, "geometry").status == 0
    other = command(*publish, "Upload")
    assert "has the type 'Geometry', not 'Upload'" in other.errors
