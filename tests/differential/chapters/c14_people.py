"""Users, notes, timers and workflows."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def user(stage: Stage) -> Any:
    """Return the user of the session."""
    return stage.session.query(f'User where username is "{stage.server["api_user"]}"').one()


@step(asks="F")
def create_note(stage: Stage) -> Any:
    """A note on a task, with its author."""
    task = stage.task("noted")
    note = task.create_note("Lower the horizon", author=user(stage))
    stage.session.commit()
    found = stage.new_session().get("Note", note["id"])
    return [found["content"], found["author"]["username"], found["parent_id"] == task["id"]]


@step(asks="F")
def note_with_recipients(stage: Stage) -> Any:
    """A note that is sent to somebody."""
    reader = stage.session.create("User", {"username": "reader"})
    stage.session.commit()
    note = stage.task("sent").create_note("Look", author=user(stage), recipients=[reader])
    stage.session.commit()
    found = stage.new_session().get("Note", note["id"])
    return sorted(item["user"]["username"] for item in found["recipients"])


@step(asks="F")
def note_with_label(stage: Stage) -> Any:
    """A note with a label."""
    label = stage.session.query("NoteLabel order by name").first()
    note = stage.task("labelled").create_note("Mind", author=user(stage), labels=[label])
    stage.session.commit()
    found = stage.new_session().get("Note", note["id"])
    return [item["label"]["name"] == label["name"] for item in found["note_label_links"]]


@step(asks="F")
def reply(stage: Stage) -> Any:
    """A reply to a note."""
    note = stage.task("replied").create_note("Question", author=user(stage))
    stage.session.commit()
    answer = note.create_reply("Answer", author=user(stage))
    stage.session.commit()
    found = stage.new_session().get("Note", note["id"])
    same = found["replies"][0]["id"] == answer["id"]
    return [[item["content"] for item in found["replies"]], same]


@step(asks="F")
def notes_of_a_task(stage: Stage) -> Any:
    """The notes of a task are among its attributes."""
    task = stage.task("many_notes")
    for text in ("one", "two"):
        task.create_note(text, author=user(stage))
    stage.session.commit()
    found = stage.new_session().get("Task", task["id"])
    return sorted(note["content"] for note in found["notes"])


@step(asks="A")
def timer(stage: Stage) -> Any:
    """A timer runs, is stopped, and leaves a time log."""
    task = stage.task("timed")
    running = user(stage).start_timer(task, comment="working", name="work")
    kept = [running["comment"], running["name"], running["context"]["name"]]
    stage.session.commit()
    log = user(stage).stop_timer()
    stage.session.commit()
    return [kept, log.entity_type, log["comment"], log["context"]["name"]]


@step(asks="A")
def second_timer(stage: Stage) -> Any:
    """A second timer while one runs, and one that takes over."""
    person = user(stage)
    person.start_timer(stage.task("timer_one"), name="one")
    try:
        person.start_timer(stage.task("timer_two"), name="two")
        outcome = "started"
    except stage.error("NotUniqueError"):
        outcome = "refused"
        stage.session.rollback()
    forced = user(stage).start_timer(stage.task("timer_three"), name="three", force=True)
    name = forced["name"]
    user(stage).stop_timer()
    return [outcome, name]


@step(asks="A")
def stop_without_timer(stage: Stage) -> Any:
    """Stopping when no timer runs."""
    return user(stage).stop_timer()


@step(asks="A")
def statuses_of_a_schema(stage: Stage) -> Any:
    """The statuses that a project schema allows."""
    schema = stage.project["project_schema"]
    return {
        name: [status["name"] for status in schema.get_statuses(name)]
        for name in ("Task", "Shot", "AssetVersion")
    }


@step()
def statuses_by_type(stage: Stage) -> Any:
    """The statuses of tasks by their type."""
    schema = stage.project["project_schema"]
    kind = schema.get_types("Task")[0]
    return [status["name"] for status in schema.get_statuses("Task", kind["id"])]


@step(asks="A")
def types_of_a_schema(stage: Stage) -> Any:
    """The types that a project schema allows."""
    schema = stage.project["project_schema"]
    return {name: [kind["name"] for kind in schema.get_types(name)] for name in ("Task", "Shot")}


@step()
def statuses_of_unknown_type(stage: Stage) -> Any:
    """The statuses of a type that a schema says nothing about."""
    return stage.project["project_schema"].get_statuses("Wormhole")


@step()
def job(stage: Stage) -> Any:
    """A job of a user."""
    made = stage.session.create("Job", {"user": user(stage), "status": "running"})
    stage.session.commit()
    made["status"] = "done"
    stage.session.commit()
    found = stage.new_session().get("Job", made["id"])
    return [found["status"], found["type"], found["user"]["username"]]


@step()
def job_with_wrong_type(stage: Stage) -> Any:
    """A job of a type that a script may not choose."""
    return stage.session.create("Job", {"user": user(stage), "type": "odd_job"})


@step()
def links_between_versions(stage: Stage) -> Any:
    """Versions that use other versions, seen from both ends."""
    session = stage.session
    kind = session.query("AssetType order by name").first()
    asset = session.create("Asset", {"name": "linked", "type": kind, "parent": stage.project})
    user_of, used = (session.create("AssetVersion", {"asset": asset}) for _ in range(2))
    session.commit()
    user_of["uses_versions"].append(used)
    session.commit()
    found = stage.new_session().get("AssetVersion", used["id"])
    return [item["id"] == user_of["id"] for item in found["used_in_versions"]]
