"""Collections of entities."""

from __future__ import annotations

import copy
from typing import Any

from book import Stage, step


def users(stage: Stage) -> list[Any]:
    """Return three users of this chapter, made on first use."""
    if "users" not in stage.memory:
        create = stage.session.create
        stage.memory["users"] = [create("User", {"username": f"artist{n}"}) for n in range(3)]
        stage.session.commit()
    return stage.memory["users"]


def group(stage: Stage) -> Any:
    """Return a list of the project's that holds no items yet."""
    category = stage.session.query("ListCategory order by name").first()
    number = stage.memory["lists"] = stage.memory.get("lists", 0) + 1
    data = {"name": f"list{number}", "project": stage.project, "category": category}
    made = stage.session.create("AssetVersionList", data)
    stage.session.commit()
    return made


def versions(stage: Stage) -> list[Any]:
    """Return three asset versions of this chapter, made on first use."""
    if "versions" not in stage.memory:
        session = stage.session
        kind = session.query("AssetType order by name").first()
        asset = session.create("Asset", {"name": "asset", "type": kind, "parent": stage.project})
        stage.memory["versions"] = [
            session.create("AssetVersion", {"asset": asset}) for _ in range(3)
        ]
        session.commit()
    return stage.memory["versions"]


def numbers(stage: Stage, collection: Any) -> list[int]:
    """Return which of the chapter's versions *collection* holds, sorted."""
    known = versions(stage)
    return sorted(known.index(item) for item in collection)


def seen_by_others(stage: Stage, entity: Any) -> list[int]:
    """Return which of the versions another session finds among the items of *entity*."""
    return numbers(stage, stage.new_session().get("AssetVersionList", entity["id"])["items"])


@step()
def empty(stage: Stage) -> Any:
    """A new collection is empty."""
    items = group(stage)["items"]
    return [len(items), list(items), items.mutable, type(items).__name__]


@step(asks="F")
def append(stage: Stage) -> Any:
    """Appended entities are there after the commit."""
    first, second, _ = versions(stage)
    made = group(stage)
    made["items"].append(first)
    made["items"].append(second)
    pending = numbers(stage, made["items"])
    stage.session.commit()
    return [pending, seen_by_others(stage, made)]


@step()
def append_is_a_change(stage: Stage) -> Any:
    """An appended entity makes the owner modified."""
    made = group(stage)
    made["items"].append(versions(stage)[0])
    return stage.module("inspection").state(made)


@step()
def extend_and_insert(stage: Stage) -> Any:
    """Several entities, and one at a place."""
    items = group(stage)["items"]
    items.extend(versions(stage)[:2])
    items.insert(0, versions(stage)[2])
    return [versions(stage).index(item) for item in items]


@step(asks="F")
def remove(stage: Stage) -> Any:
    """A removed entity is gone from the collection, not from the server."""
    made = group(stage)
    made["items"].extend(versions(stage))
    stage.session.commit()
    made["items"].remove(versions(stage)[1])
    stage.session.commit()
    left = stage.new_session().get("AssetVersion", versions(stage)[1]["id"])
    return [seen_by_others(stage, made), left is not None]


@step()
def remove_missing(stage: Stage) -> Any:
    """Removing what is not there."""
    group(stage)["items"].remove(versions(stage)[0])


@step()
def set_list(stage: Stage) -> Any:
    """A list may be set in place of a collection."""
    made = group(stage)
    made["items"] = versions(stage)[:2]
    stage.session.commit()
    made["items"] = [versions(stage)[2]]
    stage.session.commit()
    return seen_by_others(stage, made)


@step()
def set_none(stage: Stage) -> Any:
    """None empties a collection."""
    made = group(stage)
    made["items"] = versions(stage)[:2]
    stage.session.commit()
    made["items"] = None
    stage.session.commit()
    return seen_by_others(stage, made)


@step()
def set_wrong(stage: Stage) -> Any:
    """A collection set to something that is no list."""
    group(stage)["items"] = 5


@step()
def duplicate(stage: Stage) -> Any:
    """An entity can be in a collection only once."""
    items = group(stage)["items"]
    items.append(versions(stage)[0])
    items.append(versions(stage)[0])


@step()
def set_item(stage: Stage) -> Any:
    """An item can be replaced, and by itself."""
    items = group(stage)["items"]
    items.extend(versions(stage)[:2])
    items[0] = versions(stage)[2]
    items[0] = versions(stage)[2]
    return [versions(stage).index(item) for item in items]


@step()
def delete_item(stage: Stage) -> Any:
    """An item can be deleted by its place."""
    items = group(stage)["items"]
    items.extend(versions(stage))
    del items[0]
    return [versions(stage).index(item) for item in items]


@step()
def pop_and_index(stage: Stage) -> Any:
    """A collection has the methods of a list."""
    items = group(stage)["items"]
    items.extend(versions(stage))
    place = items.index(versions(stage)[1])
    popped = items.pop()
    return [place, versions(stage).index(popped), items.count(versions(stage)[0]), len(items)]


@step()
def contains(stage: Stage) -> Any:
    """A collection knows what it holds."""
    items = group(stage)["items"]
    items.append(versions(stage)[0])
    return [versions(stage)[0] in items, versions(stage)[1] in items]


@step()
def contains_text(stage: Stage) -> Any:
    """A collection is asked for something that is no entity."""
    items = group(stage)["items"]
    items.append(versions(stage)[0])
    return "text" in items


@step()
def equality(stage: Stage) -> Any:
    """A collection equals itself and its copy."""
    items = group(stage)["items"]
    items.append(versions(stage)[0])
    twin = copy.copy(items)
    return [items == items, items == twin, items != twin, items == [versions(stage)[0]]]


@step(asks="F")
def children_set_the_parent(stage: Stage) -> Any:
    """A child that is appended gets the parent."""
    shot, task = stage.shot("adopting"), stage.task("adopted")
    shot["children"].append(task)
    stage.session.commit()
    found = stage.new_session().get("Task", task["id"])
    return [found["parent"]["name"], [item["name"] for item in found["link"]]]


@step()
def new_children_are_seen(stage: Stage) -> Any:
    """Children made by reference to the parent appear to a new session."""
    shot = stage.shot("parent")
    stage.session.create("Task", {"name": "b", "parent": shot})
    stage.session.create("Task", {"name": "a", "parent": shot})
    stage.session.commit()
    found = stage.new_session().get("Shot", shot["id"])
    return sorted(child["name"] for child in found["children"])


@step(asks="F")
def unchanged_collection_follows(stage: Stage) -> Any:
    """A collection that was read but not changed follows the next query."""
    made = group(stage)
    before = numbers(stage, made["items"])
    other = stage.new_session()
    theirs = other.get("AssetVersionList", made["id"])
    theirs["items"].append(other.get("AssetVersion", versions(stage)[0]["id"]))
    other.commit()
    stage.session.query(f'select items from AssetVersionList where id is "{made["id"]}"').one()
    return [before, numbers(stage, made["items"])]


@step()
def assignments(stage: Stage) -> Any:
    """People are assigned by appointments of the task."""
    task = stage.task("assigned")
    for user in users(stage)[:2]:
        data = {"context": task, "resource": user, "type": "assignment"}
        stage.session.create("Appointment", data)
    stage.session.commit()
    found = stage.new_session().get("Task", task["id"])
    return sorted(item["resource"]["username"] for item in found["assignments"])


@step()
def collection_in_create(stage: Stage) -> Any:
    """A collection may be given when an entity is created."""
    category = stage.session.query("ListCategory order by name").first()
    data = {"name": "filled", "project": stage.project, "category": category}
    made = stage.session.create("AssetVersionList", {**data, "items": versions(stage)[:2]})
    stage.session.commit()
    return seen_by_others(stage, made)


@step(asks="F")
def rollback_of_a_collection(stage: Stage) -> Any:
    """Rolling back restores the collection."""
    made = group(stage)
    made["items"].append(versions(stage)[0])
    stage.session.commit()
    made["items"].append(versions(stage)[1])
    stage.session.rollback()
    return numbers(stage, made["items"])


@step()
def entity_deleted_from_collection(stage: Stage) -> Any:
    """A deleted child is no longer among the children for others."""
    shot = stage.shot("losing")
    child = stage.session.create("Task", {"name": "lost", "parent": shot})
    stage.session.commit()
    stage.session.delete(child)
    stage.session.commit()
    return list(stage.new_session().get("Shot", shot["id"])["children"])
