"""Results of queries that are read in part, while a second session changes what they find."""

from __future__ import annotations

from typing import Any

from book import Stage, step

COUNT = 12


def tasks(stage: Stage) -> str:
    """Return an expression for the twelve tasks of this chapter, made on first use."""
    if "tasks" not in stage.memory:
        for number in range(COUNT):
            key = {"id": stage.key(f"task {number}")}
            data = {"name": f"t{number:02}", "parent": stage.project, "bid": number}
            stage.session.create("Task", {**data, **key})
        stage.session.commit()
        stage.memory["tasks"] = (
            f'select name, bid from Task where project_id is "{stage.project["id"]}" order by name'
        )
    return stage.memory["tasks"]


def names(entities: Any) -> list[str]:
    """Return the names of *entities*."""
    return [entity["name"] for entity in entities]


def other(stage: Stage) -> Any:
    """Return the second session of the chapter."""
    if "other" not in stage.memory:
        stage.memory["other"] = stage.new_session()
    return stage.memory["other"]


@step()
def index_on_the_first_page(stage: Stage) -> Any:
    """An index on the first page loads that page."""
    result = stage.session.query(tasks(stage), page_size=5)
    return [result[0]["name"], result[4]["name"], result[2]["bid"]]


@step()
def index_on_the_next_page(stage: Stage) -> Any:
    """An index on the page behind what is loaded loads that page."""
    result = stage.session.query(tasks(stage), page_size=5)
    return [result[0]["name"], result[6]["name"], result[9]["name"]]


@step(asks="E")
def index_further_on(stage: Stage) -> Any:
    """An index far behind gives the same entity."""
    result = stage.session.query(tasks(stage), page_size=3)
    return result[10]["name"]


@step()
def index_past_the_end(stage: Stage) -> Any:
    """An index past the end is an error."""
    return stage.session.query(tasks(stage))[COUNT]


@step()
def length_of_a_page(stage: Stage) -> Any:
    """The length of what fits one page, before and after it is read."""
    result = stage.session.query(tasks(stage))
    return [len(result), names(result), len(result)]


@step(asks="E")
def first_after_reading(stage: Stage) -> Any:
    """The first entity, before and after all are read."""
    result = stage.session.query(tasks(stage), page_size=5)
    return [result.first()["name"], len(names(result)), result.first()["name"]]


@step()
def limit_and_offset(stage: Stage) -> Any:
    """A query with bounds of its own in pages."""
    result = stage.session.query(f"{tasks(stage)} limit 8 offset 3", page_size=4)
    return [names(result), len(result)]


@step()
def page_size_as_text(stage: Stage) -> Any:
    """A page size may be the text of a number."""
    return names(stage.session.query(tasks(stage), "5"))


@step()
def change_by_another_session(stage: Stage) -> Any:
    """An entity that another session changes between two pages comes with its new value."""
    result = iter(stage.session.query(tasks(stage), page_size=5))
    seen = [next(result)["bid"] for _ in range(5)]
    late = other(stage).get("Task", stage.key("task 7"))
    late["bid"] = 700
    other(stage).commit()
    seen += [task["bid"] for task in result]
    late["bid"] = 7
    other(stage).commit()
    return seen


@step()
def creation_by_another_session(stage: Stage) -> Any:
    """An entity that another session creates behind what is read comes."""
    result = iter(stage.session.query(tasks(stage), page_size=5))
    seen = [next(result)["name"]]
    made = other(stage).create(
        "Task",
        {
            "id": stage.key("late"),
            "name": "t99",
            "parent": other(stage).get("Project", stage.project["id"]),
        },
    )
    other(stage).commit()
    seen += names(result)
    other(stage).delete(made)
    other(stage).commit()
    return seen


@step()
def deletion_by_another_session(stage: Stage) -> Any:
    """An entity that another session deletes behind what is read does not come."""
    result = iter(stage.session.query(tasks(stage), page_size=5))
    seen = [next(result)["name"]]
    other(stage).delete(other(stage).get("Task", stage.key("task 11")))
    other(stage).commit()
    return seen + names(result)


@step()
def first_after_a_change_by_another_session(stage: Stage) -> Any:
    """The first entity is asked for when the result was not read, and shows what is new."""
    result = stage.session.query(tasks(stage), page_size=5)
    with stage.wire.paused():
        there = other(stage).get("Task", stage.key("task 0"))
        there["bid"] = 100
        other(stage).commit()
    found = result.first()["bid"]
    there["bid"] = 0
    other(stage).commit()
    return found


@step()
def length_after_a_change_by_another_session(stage: Stage) -> Any:
    """A result that was read keeps its length and its entities; a new one has the new ones."""
    result = stage.session.query(tasks(stage))
    before = len(result)
    parent = other(stage).get("Project", stage.project["id"])
    made = other(stage).create("Task", {"name": "t98", "parent": parent})
    other(stage).commit()
    found = [len(result), names(result)[-1], result[before - 1]["name"]]
    again = stage.session.query(tasks(stage))
    found += [len(again), again[before]["name"]]
    other(stage).delete(made)
    other(stage).commit()
    return [before, *found]


@step(asks="E")
def index_after_a_change_by_another_session(stage: Stage) -> Any:
    """An index behind what was read gives the entity with its new value."""
    result = stage.session.query(tasks(stage), page_size=3)
    before = result[0]["name"]
    there = other(stage).get("Task", stage.key("task 9"))
    there["bid"] = 900
    other(stage).commit()
    found = [result[9]["name"], result[9]["bid"]]
    there["bid"] = 9
    other(stage).commit()
    return [before, *found]


@step(differs=8, why="results can be sliced", asks="")
def slices(stage: Stage) -> Any:
    """Slices of a result, from its middle, its end, and backwards."""
    result = stage.session.query(tasks(stage), page_size=3)
    return [names(result[6:8]), names(result[-2:]), names(result[5:2:-1]), names(result[1:9:4])]


@step()
def commit_after_reading_all(stage: Stage) -> Any:
    """A loop over what fits one page may change and delete what it reads."""
    seen = []
    for task in stage.session.query(f"{tasks(stage)} limit 4"):
        seen.append(task["name"])
        task["bid"] = 50
        stage.session.commit()
    return [seen, [task["bid"] for task in stage.session.query(tasks(stage))]]


@step(differs=35, why="entities that the session deletes leave none of the others out")
def deletion_on_the_way(stage: Stage) -> Any:
    """A loop deletes what it reads, page by page."""
    seen = []
    for task in stage.session.query(tasks(stage), page_size=4):
        seen.append(task["name"])
        stage.session.delete(task)
        stage.session.commit()
    return [seen, names(stage.session.query(tasks(stage)))]
