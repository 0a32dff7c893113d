"""Entities of another session: merged, assigned, collected; changed in both between the steps."""

from __future__ import annotations

from typing import Any

from book import Stage, step

MERGED = "what is merged is the session's own entity, wherever it was found"


def tasks(stage: Stage) -> list[Any]:
    """Return three tasks of a second session."""
    if "tasks" not in stage.memory:
        other = stage.memory["other"] = stage.new_session()
        names = [f"other{number}" for number in range(3)]
        stage.memory["tasks"] = [other.get("Task", stage.task(name)["id"]) for name in names]
    found: list[Any] = stage.memory["tasks"]
    return found


def owners(stage: Stage, *values: Any) -> list[bool]:
    """Return whether each of *values* is an entity of the session of the chapter."""
    return [value.session is stage.session for value in values]


def seen(stage: Stage, entity: Any, *names: str) -> list[Any]:
    """Return the values *names* of *entity* as a third session finds them."""
    with stage.wire.paused():
        found = stage.new_session().get(entity.entity_type, entity["id"])
        return [found[name] for name in names]


@step()
def change_what_was_merged(stage: Stage) -> Any:
    """A task of another session is merged; a change to the result is committed by this one."""
    theirs = tasks(stage)[0]
    session = stage.new_session()
    mine = session.merge(theirs)
    mine["description"] = "by the merging session"
    pending = [len(session.recorded_operations), len(theirs.session.recorded_operations)]
    session.commit()
    return [mine is theirs, mine.session is session, pending, seen(stage, theirs, "description")]


@step()
def merge_what_is_known(stage: Stage) -> Any:
    """An identity that the session holds stays the same object and takes the values over."""
    theirs = tasks(stage)[1]
    mine = stage.session.get("Task", theirs["id"])
    before = mine["description"]
    theirs["description"] = "committed by the other"
    theirs.session.commit()
    return [before, stage.session.merge(theirs) is mine, mine["description"]]


@step()
def merged_references(stage: Stage) -> Any:
    """What a merged entity refers to belongs to the session too."""
    theirs = tasks(stage)[2]
    names = [theirs["status"]["name"], theirs["parent"]["name"]]
    mine = stage.new_session().merge(theirs)
    inner = [mine["status"], mine["parent"]]
    return [
        [one["name"] for one in inner] == names,
        [one.session is mine.session for one in inner],
        theirs["status"].session is theirs.session,
    ]


@step()
def merged_members(stage: Stage) -> Any:
    """The members of a merged entity belong to the session, and those of the other stay."""
    theirs = tasks(stage)[0]["parent"]
    count = len(theirs["children"])
    mine = stage.new_session().merge(theirs)
    return [
        len(mine["children"]) == count,
        {child.session is mine.session for child in mine["children"]},
        {child.session is theirs.session for child in theirs["children"]},
    ]


@step()
def merged_metadata(stage: Stage) -> Any:
    """Metadata comes along, and can be changed here."""
    theirs = tasks(stage)[0]
    theirs["metadata"]["key"] = "other"
    theirs.session.commit()
    session = stage.new_session()
    mine = session.merge(theirs)
    found = [dict(mine["metadata"])]
    mine["metadata"]["key"] = "mine"
    session.commit()
    return [*found, dict(theirs["metadata"]), dict(seen(stage, theirs, "metadata")[0])]


@step()
def pending_change_is_shown_not_recorded(stage: Stage) -> Any:
    """What is pending in the other session shows, and stays for that one to commit."""
    theirs = tasks(stage)[0]
    theirs["description"] = "pending"
    session = stage.new_session()
    mine = session.merge(theirs)
    found = [mine["description"], len(session.recorded_operations)]
    session.commit()
    found += seen(stage, theirs, "description")
    theirs.session.commit()
    return [*found, *seen(stage, theirs, "description")]


@step(26, "a change that is pending here stays when another session's entity is merged")
def pending_in_both(stage: Stage) -> Any:
    """Both sessions have changed the same attribute."""
    theirs = tasks(stage)[1]
    session = stage.new_session()
    mine = session.get("Task", theirs["id"])
    mine["description"], theirs["description"] = "mine", "theirs"
    session.merge(theirs)
    theirs.session.rollback()
    return mine["description"]


@step()
def created_there(stage: Stage) -> Any:
    """An entity that the other session has not committed can be merged."""
    other = tasks(stage)[0].session
    made = other.create("Task", {"name": "made there", "parent": tasks(stage)[0]["parent"]})
    session = stage.new_session()
    mine = session.merge(made)
    found = [mine is made, mine["name"], len(session.recorded_operations)]
    other.commit()
    mine["description"] = "mine"
    session.commit()
    return [*found, *seen(stage, made, "name", "description")]


@step(26, MERGED)
def merge_a_list(stage: Stage) -> Any:
    """A list of entities of another session."""
    return owners(stage, *stage.session.merge(tasks(stage)))


@step(26, MERGED)
def merge_a_mapping(stage: Stage) -> Any:
    """A mapping with entities of another session in its values."""
    merged = stage.session.merge({"one": tasks(stage)[0], "more": {"two": [tasks(stage)[1]]}})
    return owners(stage, merged["one"], merged["more"]["two"][0])


@step(26, MERGED)
def merge_a_result(stage: Stage) -> Any:
    """The result of another session's query."""
    other = tasks(stage)[0].session
    return owners(stage, *stage.session.merge(other.query('Task where name like "other%"')))


@step()
def merge_members(stage: Stage) -> Any:
    """A collection of an entity of another session; the other session keeps its own."""
    theirs = tasks(stage)[0]["parent"]["children"]
    merged = stage.session.merge(theirs)
    return [owners(stage, *merged), {each.session is stage.session for each in theirs}]


@step()
def create_with(stage: Stage) -> Any:
    """References to another session's entities in the data of a new one."""
    first = tasks(stage)[0]
    session = stage.session
    data = {"name": "created with", "parent": first["parent"], "status": first["status"]}
    task = session.create("Task", {**data, "type": first["type"]})
    before = owners(stage, task["parent"], task["status"], task["type"])
    session.commit()
    task["parent"]["full_name"] = "changed through it"
    session.commit()
    return [before, owners(stage, task["parent"]), seen(stage, first["parent"], "full_name")]


@step()
def assign_reference(stage: Stage) -> Any:
    """A reference is set twice to entities of another session."""
    theirs = tasks(stage)[0]
    mine = stage.session.get("Task", theirs["id"])
    statuses = theirs.session.query("Status order by name").all()
    for status in statuses[:2]:
        mine["status"] = status
    found = owners(stage, mine["status"])
    stage.session.commit()
    return [found, owners(stage, mine["status"]), mine["status"] == statuses[1]]


@step()
def set_back(stage: Stage) -> Any:
    """A reference that is set and set back is what the server holds."""
    theirs = tasks(stage)[0]
    mine = stage.session.get("Task", theirs["id"])
    before = mine["status"]
    mine["status"] = theirs.session.query(f'Status where id is_not "{before["id"]}"').first()
    mine["status"] = before
    stage.session.commit()
    return mine["status"] is before


def new_list(stage: Stage, name: str) -> Any:
    """Return a committed list called *name*, made with the first task of the other session."""
    first = tasks(stage)[0]
    category = first.session.query("ListCategory order by name").first()
    data = {"name": name, "project": first["parent"], "category": category, "items": [first]}
    made = stage.session.create("TypedContextList", data)
    stage.session.commit()
    return made


@step()
def list_in_create(stage: Stage) -> Any:
    """Members from another session in the data of a new list."""
    made = new_list(stage, "in create")
    return [owners(stage, *made["items"]), len(seen(stage, made, "items")[0])]


@step()
def assign_members(stage: Stage) -> Any:
    """Members from another session are assigned."""
    made = new_list(stage, "assigned")
    made["items"] = tasks(stage)[1:]
    before = owners(stage, *made["items"])
    stage.session.commit()
    return [before, owners(stage, *made["items"]), len(seen(stage, made, "items")[0])]


@step(26, "members from another session become the session's own when they are added")
def add_members(stage: Stage) -> Any:
    """Members from another session are added to what is there."""
    made = new_list(stage, "added")
    made["items"].append(tasks(stage)[1])
    made["items"].extend(tasks(stage)[2:])
    before = owners(stage, *made["items"])
    stage.session.commit()
    return [before, len(seen(stage, made, "items")[0])]


@step()
def membership(stage: Stage) -> Any:
    """Members are told by identity, whichever session an entity is of."""
    items = new_list(stage, "membership")["items"]
    first, second = tasks(stage)[:2]
    found = [first in items, second in items, items.index(first)]
    items.remove(first)
    stage.session.commit()
    return [*found, len(items)]


@step()
def ensure_with(stage: Stage) -> Any:
    """A value of another session's entity in ensure."""
    theirs = tasks(stage)[0]
    status = theirs.session.query("Status order by name").all()[2]
    data = {"id": theirs["id"], "status": status}
    mine = stage.session.ensure("Task", data, identifying_keys=["id"])
    return [mine is theirs, owners(stage, mine, mine["status"]), mine["status"] == status]


@step(asks="F")
def note_by(stage: Stage) -> Any:
    """An author of another session writes a note here."""
    theirs = tasks(stage)[0]
    mine = stage.session.get("Task", theirs["id"])
    note = mine.create_note("hello", author=theirs.session.query("User").first())
    stage.session.commit()
    return owners(stage, note, note["author"])


@step(9, "an entity whose deletion was committed is not found")
def delete_with(stage: Stage) -> Any:
    """An entity of another session can be deleted here."""
    theirs = tasks(stage)[0]
    made = stage.task("to be deleted")
    other = theirs.session.get("Task", made["id"])
    stage.session.delete(other)
    stage.session.commit()
    return stage.session.get("Task", made["id"])


@step()
def populate_with(stage: Stage) -> Any:
    """Populating another session's entity changes nothing in that session."""
    theirs = tasks(stage)[1]
    before = theirs["description"]
    mine = stage.session.get("Task", theirs["id"])
    mine["description"] = "newer"
    stage.session.commit()
    stage.session.populate(theirs, "description")
    return [theirs["description"] == before, mine["description"]]


@step(26, "a cache gives the session's own entity, whichever was put into it")
def cached(stage: Stage) -> Any:
    """Another session's entity is put into the cache."""
    session, theirs = stage.new_session(), tasks(stage)[0]
    key = session.cache_key_maker.key(stage.module("inspection").identity(theirs))
    session.cache.set(key, theirs)
    return [each.session is session for each in (session.get("Task", theirs["id"]),)]


@step(26, "a cache that sessions share gives each its own entities")
def shared_cache(stage: Stage) -> Any:
    """Two sessions share a cache in memory."""
    shared = stage.module("cache").MemoryCache()
    first, second = (stage.new_session(cache=shared) for _ in range(2))
    key = tasks(stage)[0]["id"]
    one, two = first.get("Task", key), second.get("Task", key)
    return [one.session is first, two.session is second]
