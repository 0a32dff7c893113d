"""Populating what is loaded, while a second session changes it between the steps."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def shot_in_both(stage: Stage, name: str) -> tuple[Any, Any]:
    """Return a new shot as the session of the chapter holds it, and as a second one does."""
    mine = stage.shot(name)
    other = stage.memory.get("other") or stage.new_session()
    stage.memory["other"] = other
    return mine, other.get("Shot", mine["id"])


def change(theirs: Any, **values: Any) -> None:
    """Let the second session set *values* on *theirs*, and commit."""
    theirs.update(values)
    theirs.session.commit()


@step()
def poll_a_job(stage: Stage) -> Any:
    """A loop that populates the status of a job ends when another session sets it."""
    session, other = stage.session, stage.new_session()
    user = session.query('User where username is "admin"').one()
    job = session.create("Job", {"type": "api_job", "status": "running", "user": user})
    session.commit()
    theirs = other.get("Job", job["id"])
    rounds = 0
    while job["status"] != "done" and rounds < 9:
        rounds += 1
        if rounds == 3:
            change(theirs, status="done")
        session.populate(job, "status")
    return rounds


@step()
def scalar(stage: Stage) -> Any:
    """A loaded value is replaced."""
    mine, theirs = shot_in_both(stage, "scalar")
    before = mine["description"]
    change(theirs, description="new")
    stage.session.populate(mine, "description")
    return [before, mine["description"]]


@step()
def asked_each_time(stage: Stage) -> Any:
    """Three calls make three requests, whether or not something changed."""
    mine, _ = shot_in_both(stage, "each_time")
    for _ in range(3):
        stage.session.populate(mine, "name, description")
    return mine["name"]


@step()
def several(stage: Stage) -> Any:
    """Entities that have the value and entities that lack it are refreshed alike."""
    pairs = [shot_in_both(stage, f"several{number}") for number in range(3)]
    pairs[0][0]["description"]
    for number, (_, theirs) in enumerate(pairs):
        change(theirs, description=f"new {number}")
    mine = [pair[0] for pair in pairs]
    stage.session.populate(mine, "description")
    with stage.session.auto_populating(False):
        return [shot["description"] for shot in mine]


@step()
def local_change_stays(stage: Stage) -> Any:
    """A value that is set and not committed stays; taken back, it shows the new one."""
    mine, theirs = shot_in_both(stage, "local")
    mine["description"] = "mine"
    change(theirs, description="theirs")
    stage.session.populate(mine, "description")
    found = [mine["description"]]
    del mine["description"]
    return [*found, mine["description"]]


@step()
def cleared_by_del(stage: Stage) -> Any:
    """After ``del`` the last known value shows, and populating brings the present one."""
    mine, theirs = shot_in_both(stage, "cleared")
    mine["description"] = "mine"
    del mine["description"]
    found = [mine["description"]]
    change(theirs, description="theirs")
    stage.session.populate(mine, "description")
    return [*found, mine["description"]]


@step()
def cleared_by_not_set(stage: Stage) -> Any:
    """Setting NOT_SET is the same."""
    not_set = stage.module("symbol").NOT_SET
    mine, theirs = shot_in_both(stage, "not_set")
    mine["description"], mine["status"]
    mine["description"] = not_set
    mine["status"] = not_set
    change(theirs, description="theirs", status=theirs.session.query("Status").all()[-1])
    stage.session.populate(mine, "description, status")
    return [mine["description"], mine["status"]["id"] == theirs["status"]["id"]]


@step()
def reference(stage: Stage) -> Any:
    """A reference to another entity than before."""
    mine, theirs = shot_in_both(stage, "reference")
    before = mine["status"]["name"]
    found = theirs.session.query(f'Status where name is_not "{before}" order by name')
    change(theirs, status=found.first())
    stage.session.populate(mine, "status")
    return mine["status"]["name"] == theirs["status"]["name"] != before


@step()
def reference_from_and_to_nothing(stage: Stage) -> Any:
    """A reference that is emptied, and filled again."""
    session = stage.session
    asset_type = session.query("AssetType order by name").first()
    data = {"name": "empties", "parent": stage.project, "type": asset_type}
    version = session.create("AssetVersion", {"asset": session.create("Asset", data)})
    session.commit()
    task = stage.task("empties")
    found = []
    other = stage.new_session()
    theirs = other.get("AssetVersion", version["id"])
    for value in (other.get("Task", task["id"]), None):
        change(theirs, task=value)
        session.populate(version, "task.name")
        found.append(version["task"] and version["task"]["name"])
    return found


@step()
def nested(stage: Stage) -> Any:
    """Values of what is referred to."""
    mine, theirs = shot_in_both(stage, "nested")
    before = mine["parent"]["full_name"]
    change(theirs["parent"], full_name="renamed")
    stage.session.populate(mine, "parent.full_name")
    found = mine["parent"]["full_name"]
    change(theirs["parent"], full_name=before)
    return found


@step()
def members(stage: Stage) -> Any:
    """Members that were added and removed."""
    mine, theirs = shot_in_both(stage, "members")
    other = theirs.session
    tasks = [other.create("Task", {"name": f"m{n}", "parent": theirs}) for n in range(2)]
    other.commit()
    found = [sorted(task["name"] for task in mine["children"])]
    other.delete(tasks[0])
    other.create("Task", {"name": "m2", "parent": theirs})
    other.commit()
    stage.session.populate(mine, "children")
    found.append(sorted(task["name"] for task in mine["children"]))
    return found


@step()
def values_of_members(stage: Stage) -> Any:
    """Values of members, through the collection."""
    mine, theirs = shot_in_both(stage, "values")
    task = theirs.session.create("Task", {"name": "v0", "parent": theirs})
    theirs.session.commit()
    before = [task["name"] for task in mine["children"]]
    change(task, name="v1")
    stage.session.populate(mine, "children.name")
    return [before, [task["name"] for task in mine["children"]]]


@step(39, "each type is asked for by its own name")
def several_types(stage: Stage) -> Any:
    """Entities of two types are refreshed by one call."""
    mine, theirs = shot_in_both(stage, "several_types")
    before = theirs["parent"]["full_name"]
    found = [mine["name"], mine["parent"]["full_name"]]
    theirs["parent"]["full_name"] = "renamed"
    change(theirs, name="several_renamed")
    stage.session.populate([mine["parent"], mine], "name, full_name")
    found += [mine["name"], mine["parent"]["full_name"]]
    change(theirs["parent"], full_name=before)
    return found


@step(asks="G")
def what_a_later_type_lacks(stage: Stage) -> Any:
    """A type that comes later need not have the attribute."""
    mine, theirs = shot_in_both(stage, "later_type")
    mine["description"], mine["name"], mine["parent"]["name"]
    change(theirs, description="new")
    stage.session.populate([mine, mine["parent"]], "description, name")
    return [mine["description"], mine["parent"]["name"]]


@step(asks="G")
def what_all_later_types_lack(stage: Stage) -> Any:
    """Nor any of the attributes."""
    mine, theirs = shot_in_both(stage, "later_types")
    mine["description"]
    change(theirs, description="new")
    stage.session.populate([mine, mine["parent"]], "description")
    return mine["description"]


@step(asks="G")
def what_the_first_type_lacks(stage: Stage) -> Any:
    """The type of the first entity needs to have it."""
    mine, _ = shot_in_both(stage, "first_type")
    stage.session.populate([mine["parent"], mine], "description")


@step()
def metadata(stage: Stage) -> Any:
    """Metadata that was added, changed and removed."""
    mine, theirs = shot_in_both(stage, "metadata")
    found = []
    for value in ({"a": "1", "b": "1"}, {"a": "2", "c": "1"}, {}):
        with stage.wire.paused():  # Several changes to metadata go in an order of their own.
            for key in sorted(set(theirs["metadata"]) - set(value)):
                del theirs["metadata"][key]
            theirs["metadata"].update(value)
            theirs.session.commit()
        stage.session.populate(mine, "metadata")
        found.append(dict(mine["metadata"]))
    return found


@step()
def computed(stage: Stage) -> Any:
    """Values that the server works out."""
    mine, theirs = shot_in_both(stage, "computed")
    before = [part["name"] for part in mine["link"]]
    change(theirs, name="computed_again")
    stage.session.populate(mine, "link")
    return [before, [part["name"] for part in mine["link"]]]


@step()
def deleted_meanwhile(stage: Stage) -> Any:
    """An entity that another session deleted keeps what was loaded."""
    mine, theirs = shot_in_both(stage, "deleted")
    before = mine["description"]
    theirs.session.delete(theirs)
    theirs.session.commit()
    stage.session.populate(mine, "description, status")
    return [before, mine["description"], mine["name"]]


@step()
def after_own_commit(stage: Stage) -> Any:
    """A value that this session has committed is replaced like any other."""
    mine, theirs = shot_in_both(stage, "after_commit")
    change(mine, description="mine")
    change(theirs, description="theirs")
    stage.session.populate(mine, "description")
    return mine["description"]


@step()
def without_auto_population(stage: Stage) -> Any:
    """Populating asks also where reading does not."""
    mine, theirs = shot_in_both(stage, "manual")
    mine["description"]
    change(theirs, description="theirs")
    with stage.session.auto_populating(False):
        stage.session.populate(mine, "description")
        return mine["description"]


@step()
def reading_does_not_ask_again(stage: Stage) -> Any:
    """Reading alone gives what is loaded."""
    mine, theirs = shot_in_both(stage, "reading")
    before = [mine["description"], mine["status"]["name"]]
    change(theirs, description="theirs", status=theirs.session.query("Status").all()[-1])
    return [before, mine["description"], mine["status"]["name"] == before[1]]
