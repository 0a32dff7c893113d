"""Lists that two sessions change, each after the other has read them."""

from __future__ import annotations

from typing import Any

from book import Stage, step

TOGETHER = "what the other session has changed in a list stays"


def tasks(stage: Stage) -> list[Any]:
    """Return four tasks of this chapter, made on first use."""
    if "tasks" not in stage.memory:
        stage.memory["tasks"] = [stage.task(f"listed{n}", id=stage.key(str(n))) for n in range(4)]
    found: list[Any] = stage.memory["tasks"]
    return found


def in_both(stage: Stage, name: str, count: int) -> tuple[Any, Any, list[Any]]:
    """Return a list of *count* tasks that two sessions have read, and the other's tasks."""
    session = stage.session
    if "other" not in stage.memory:
        stage.memory["other"] = stage.new_session()
    other = stage.memory["other"]
    category = session.query("ListCategory order by name").first()
    data = {"name": name, "project": stage.project, "category": category}
    mine = session.create("TypedContextList", {**data, "items": tasks(stage)[:count]})
    session.commit()
    theirs = other.get("TypedContextList", mine["id"])
    assert len(mine["items"]) == len(theirs["items"]) == count
    return mine, theirs, [other.get("Task", task["id"]) for task in tasks(stage)]


def names(items: Any) -> list[str]:
    """Return the names of *items* in order."""
    return sorted(item["name"] for item in items)


def stored(stage: Stage, entity: Any) -> list[str]:
    """Return the names of the items of *entity* as a third session finds them."""
    with stage.wire.paused():
        return names(stage.new_session().get(entity.entity_type, entity["id"])["items"])


@step(38, TOGETHER)
def both_add(stage: Stage) -> Any:
    """Each session adds a task."""
    mine, theirs, others = in_both(stage, "both add", 1)
    theirs["items"].append(others[1])
    theirs.session.commit()
    mine["items"].append(tasks(stage)[2])
    stage.session.commit()
    return [stored(stage, mine), names(mine["items"])]


@step(38, TOGETHER)
def both_remove(stage: Stage) -> Any:
    """Each session removes a task."""
    mine, theirs, others = in_both(stage, "both remove", 3)
    theirs["items"].remove(others[0])
    theirs.session.commit()
    mine["items"].remove(tasks(stage)[1])
    stage.session.commit()
    return stored(stage, mine)


@step(38, TOGETHER)
def one_adds_one_removes(stage: Stage) -> Any:
    """The other session adds, this one removes."""
    mine, theirs, others = in_both(stage, "add and remove", 2)
    theirs["items"].append(others[3])
    theirs.session.commit()
    mine["items"].remove(tasks(stage)[0])
    stage.session.commit()
    return stored(stage, mine)


@step(asks="F")
def the_same_task(stage: Stage) -> Any:
    """Both sessions add one task, and both remove it."""
    mine, theirs, others = in_both(stage, "the same", 1)
    found = []
    for change in ("append", "remove"):
        getattr(theirs["items"], change)(others[1])
        theirs.session.commit()
        getattr(mine["items"], change)(tasks(stage)[1])
        stage.session.commit()
        found.append(stored(stage, mine))
    return found


@step(asks="F")
def assigned(stage: Stage) -> Any:
    """A list that is assigned holds what was assigned, whatever the other session added."""
    mine, theirs, others = in_both(stage, "assigned", 1)
    theirs["items"].append(others[1])
    theirs.session.commit()
    mine["items"] = tasks(stage)[2:]
    stage.session.commit()
    return stored(stage, mine)


@step(asks="F")
def populated_in_between(stage: Stage) -> Any:
    """A list that is populated after the other session's change has both changes."""
    mine, theirs, others = in_both(stage, "populated", 1)
    theirs["items"].append(others[1])
    theirs.session.commit()
    stage.session.populate(mine, "items")
    before = names(mine["items"])
    mine["items"].append(tasks(stage)[2])
    stage.session.commit()
    return [before, stored(stage, mine)]


@step(asks="F")
def one_after_the_other(stage: Stage) -> Any:
    """A list that the other session reads after the commit shows and keeps what was added."""
    mine, theirs, others = in_both(stage, "in turn", 0)
    mine["items"].append(tasks(stage)[0])
    stage.session.commit()
    theirs.session.populate(theirs, "items")
    before = names(theirs["items"])
    theirs["items"].append(others[1])
    theirs.session.commit()
    return [before, stored(stage, mine), names(mine["items"])]


@step(38, TOGETHER)
def metadata_of_both(stage: Stage) -> Any:
    """Each session sets another key of the metadata of a task that both have read."""
    mine, other = tasks(stage)[0], stage.memory["other"]
    theirs = other.get("Task", mine["id"])
    found = [dict(mine["metadata"]), dict(theirs["metadata"])]
    theirs["metadata"]["theirs"] = "1"
    other.commit()
    mine["metadata"]["mine"] = "2"
    stage.session.commit()
    with stage.wire.paused():
        there = stage.new_session().get("Task", mine["id"])
        return [*found, dict(there["metadata"])]


@step(38, TOGETHER)
def children_of_both(stage: Stage) -> Any:
    """Each session moves another task below one shot."""
    mine, other = stage.shot("adopting"), stage.memory["other"]
    theirs = other.get("Shot", mine["id"])
    found = [len(mine["children"]), len(theirs["children"])]
    theirs["children"].append(other.get("Task", tasks(stage)[0]["id"]))
    other.commit()
    mine["children"].append(tasks(stage)[1])
    stage.session.commit()
    with stage.wire.paused():
        there = stage.new_session().get("Shot", mine["id"])
        return [*found, names(there["children"])]
