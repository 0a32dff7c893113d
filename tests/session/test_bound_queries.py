"""Queries with bound values, answered by a server."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

#: Texts that would change a query that they were pasted into.
NASTY = [
    'say "x"',
    "it's",
    "back\\slash\\",
    '" or username like "%',
    "') or ('a' is 'a",
    '\\" or id is_not "',
    ":name",
    "%",
    "none",
    "dé 日本 \n line",
]


@pytest.fixture
def people(session: Any) -> dict[str, Any]:
    """Return committed users by their first names."""
    made = {
        name: session.create("User", {"username": f"user{index}", "first_name": name})
        for index, name in enumerate(NASTY)
    }
    session.commit()
    return made


@pytest.mark.parametrize("text", NASTY)
def test_text_finds_itself_alone(session: Any, people: Any, text: str) -> None:
    """A text finds those that hold it and nobody else, whatever is in it."""
    found = session.query("User where first_name is :name", values={"name": text})
    assert found.all() == [people[text]]


def test_lists_find_their_members(session: Any, people: Any) -> None:
    """A list is for in and not_in, of texts, entities or ids; an empty one finds nothing."""
    query = "User where first_name in :names and username like :user order by username"
    found = session.query(query, values={"names": NASTY[2:5], "user": "user%"})
    assert found.all() == [people[name] for name in NASTY[2:5]]
    several = list(people.values())[:2]
    assert set(session.query("User where id in :users", values={"users": several})) == set(several)
    assert session.query("User where id in :users", values={"users": found}).all() == found.all()
    assert session.query("User where first_name in :names", values={"names": []}).all() == []
    rest = session.query("User where id not_in :users", values={"users": several}).all()
    assert set(several).isdisjoint(rest)
    assert rest


def test_other_values(session: Any) -> None:
    """Entities, dates, numbers, booleans and None compare as what they are."""
    schema = session.query("ProjectSchema").first()
    values = {"name": "film", "full_name": "Film", "project_schema": schema}
    project = session.create("Project", values)
    task = session.create("Task", {"name": "comp", "parent": project, "bid": 2.5})
    task["start_date"] = datetime.datetime(2026, 1, 2, 3, 4, 5)
    session.commit()
    query = (
        "Task where project.id is :project and start_date >= :day and start_date <= :moment"
        " and bid is :bid and end_date is :end and project.is_global is :no"
    )
    bound = {
        "project": project,
        "day": datetime.date(2026, 1, 2),
        "moment": datetime.datetime(2026, 1, 2, 3, 4, 5),
        "bid": 2.5,
        "end": None,
        "no": False,
    }
    assert session.query(query, values=bound).all() == [task]
    assert session.query(query, values={**bound, "no": True}).all() == []


def test_page_size_keeps_its_place(session: Any, people: Any) -> None:
    """The second argument is the size of pages, with values or without."""
    statistics = session.statistics
    before = statistics.requests
    found = session.query("User where username like :user", 3, values={"user": "user%"}).all()
    assert len(found) == len(NASTY)
    # Pages that were read ahead past the end do not count.
    assert statistics.requests - before - statistics.pages_unused == -(-len(NASTY) // 3)
