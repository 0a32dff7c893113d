"""A studio program: the report of a day, read by one query and by loops as people write them."""

from __future__ import annotations

import collections
import csv
import datetime
import io
from typing import Any

import arrow
from book import Stage, step

HEAD = ["shot", "task", "status", "artists", "bid", "logged", "due", "notes"]


def build(stage: Stage) -> None:
    """Make a project with shots, tasks, people, time logs and notes, once."""
    if "built" in stage.memory:
        return
    stage.memory["built"] = True
    session = stage.session
    me = session.query(f'User where username is "{session.api_user}"').one()
    people = [
        session.create("User", {"username": name, "first_name": name.title(), "last_name": "Ø"})
        for name in ("amelie", "björn", "chloé")
    ]
    statuses = session.query("Status order by name").all()
    for number in range(4):
        parent = session.create("Shot", {"name": f"sh{number:02}0", "parent": stage.project})
        for index, name in enumerate(("anim", "comp")):
            task = session.create("Task", {"name": name, "parent": parent, "bid": 3600.0 * number})
            task["status"] = statuses[(number + index) % 3]
            if number != 2:
                task["end_date"] = arrow.get("2024-03-31T18:00:00+00:00").shift(days=number)
            for user in people[: number + index]:
                data = {"context": task, "resource": user, "type": "assignment"}
                session.create("Appointment", data)
            for hour in range(number):
                session.create(
                    "Timelog",
                    {
                        "user": people[index],
                        "context": task,
                        "duration": 1800.0 * (hour + 1),
                        "start": arrow.get(f"2024-03-3{index}T0{hour}:00:00+00:00"),
                    },
                )
            task.create_note(f"note on {name}\nsecond line, with “quotes”", author=me)
    session.commit()


def rows(session: Any, project: str, ahead: bool) -> list[list[Any]]:
    """Return the report's rows; with *ahead* everything is asked for with the tasks."""
    columns = (
        "name, bid, end_date, status.name, parent.name, timelogs.duration, notes.content, "
        "assignments.resource.first_name"
        if ahead
        else "id"
    )
    found = session.query(f'select {columns} from Task where project.name is "{project}"')
    report = []
    for task in found:
        artists = sorted(entry["resource"]["first_name"] for entry in task["assignments"])
        due = task["end_date"]
        report.append(
            [
                task["parent"]["name"],
                task["name"],
                task["status"]["name"],
                " & ".join(artists) or None,
                task["bid"],
                sum(log["duration"] for log in task["timelogs"]),
                due and due.isoformat(),
                [note["content"].split("\n")[0] for note in task["notes"]],
            ]
        )
    return sorted(report, key=lambda row: row[:2])


@step()
def by_one_query(stage: Stage) -> Any:
    """Everything that the report needs is projected."""
    build(stage)
    return rows(stage.new_session(), stage.project["name"], ahead=True)


@step()
def by_loops(stage: Stage) -> Any:
    """Nothing is projected: attributes load as they are read."""
    build(stage)
    return rows(stage.new_session(), stage.project["name"], ahead=False)


@step()
def as_table(stage: Stage) -> Any:
    """The report as a file of values separated by commas."""
    build(stage)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    writer.writerows(rows(stage.new_session(), stage.project["name"], ahead=True))
    return text.getvalue()


@step()
def sums_by_person(stage: Stage) -> Any:
    """Hours by person and day, from the time logs themselves."""
    build(stage)
    session = stage.new_session()
    sums: dict[str, float] = collections.defaultdict(float)
    logs = session.query(
        "select user.username, start, duration from Timelog "
        'where start >= "2024-03-30" and start < "2024-03-31" order by start'
    )
    for log in logs:
        sums[f"{log['user']['username']} {log['start'].date()}"] += log["duration"] / 3600
    return dict(sums)


@step()
def late_tasks(stage: Stage) -> Any:
    """Tasks that are due before a moment, with those without a date left out."""
    build(stage)
    day = datetime.datetime(2024, 4, 2, tzinfo=datetime.timezone.utc)
    query = (
        f'select name, parent.name, end_date from Task where end_date < "{day:%Y-%m-%dT%H:%M:%S}" '
        f'and project_id is "{stage.project["id"]}" and status.name != "nothing" '
        "order by end_date, name"
    )
    found = stage.new_session().query(query).all()
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    return [
        [task["parent"]["name"], task["name"], task["end_date"].to(zone).isoformat()]
        for task in found
    ]


@step()
def people_without_work(stage: Stage) -> Any:
    """Who has no task, by a sub-query of the relation."""
    build(stage)
    found = stage.new_session().query(
        "select username from User where not assignments any (context.project_id is "
        f'"{stage.project["id"]}") order by username'
    )
    return [user["username"] for user in found]


@step()
def page_by_page(stage: Stage) -> Any:
    """The tasks three at a time, as a pager reads them."""
    build(stage)
    session = stage.new_session()
    pages = []
    for offset in range(0, 9, 3):
        found = session.query(
            f'select name, parent.name from Task where project_id is "{stage.project["id"]}" '
            f"order by parent.name descending, name limit 3 offset {offset}"
        ).all()
        pages.append([f"{task['parent']['name']}/{task['name']}" for task in found])
    return pages
