"""More of queries: limits, orders, nothing, deep projections, types that share a table, text."""

from __future__ import annotations

import json
from typing import Any

import arrow
from book import Stage, step


def build(stage: Stage) -> Any:
    """Make two shots with tasks in a sequence, once, and return a new session."""
    if "built" not in stage.memory:
        session = stage.session
        sequence = session.create("Sequence", {"name": "seq", "parent": stage.project})
        for number in (1, 2, 3):
            data = {"name": f"sh{number}", "parent": sequence, "description": f"shot {number}"}
            if number == 3:
                data["description"] = None
            shot = session.create("Shot", data)
            for name in ("b", "a"):
                session.create("Task", {"name": f"{name}{number}", "parent": shot})
        session.commit()
        stage.memory["built"] = sequence["id"]
    return stage.new_session()


def names(found: Any) -> list[Any]:
    """Return the names of entities."""
    return [entity["name"] for entity in found]


def below(stage: Stage) -> str:
    """Return the condition for what is in the project of the chapter."""
    return f'project_id is "{stage.project["id"]}"'


@step()
def limits_and_offsets(stage: Stage) -> Any:
    """Limit, offset, both in either order, and limits of zero and of more than there is."""
    session = build(stage)
    answers = []
    for text in ("limit 2", "offset 2", "limit 1 offset 1", "offset 1 limit 1", "limit 50"):
        found = session.query(f"Task where {below(stage)} order by name {text}")
        answers.append([text, names(found)])
    return answers


@step(asks="A")
def limit_of_zero(stage: Stage) -> Any:
    """A limit of nothing."""
    return names(build(stage).query(f"Task where {below(stage)} order by name limit 0"))


@step()
def one_with_limit(stage: Stage) -> Any:
    """One and first with a limit of one's own."""
    session = build(stage)
    answers = []
    for method in ("one", "first"):
        try:
            found = getattr(
                session.query(f"Task where {below(stage)} order by name limit 1"), method
            )
            answers.append(found()["name"])
        except ValueError as error:
            answers.append(type(error).__name__)
    return answers


@step()
def one_of_several(stage: Stage) -> Any:
    """One, where several are found."""
    build(stage).query(f"Task where {below(stage)}").one()


@step()
def one_of_none(stage: Stage) -> Any:
    """One, where none is found, whose query the error tells."""
    build(stage).query('Task where name is "nobody"').one()


@step()
def no_result_as_text(stage: Stage) -> Any:
    """What scripts look for in the texts of these errors."""
    session, texts = build(stage), []
    for query in ('Task where name is "nobody"', f"Task where {below(stage)}"):
        try:
            session.query(query).one()
        except (stage.error("NoResultFoundError"), stage.error("MultipleResultsFoundError")) as e:
            text = str(e).lower()
            texts.append(
                [type(e).__name__, "result" in text, "exactly one" in text or "no " in text]
            )
    return texts


@step()
def small_pages(stage: Stage) -> Any:
    """A page size of one's own, with an order, through to the end."""
    session = build(stage)
    found = session.query(f"Task where {below(stage)} order by name", page_size=4)
    return names(found)


@step()
def iterated_half(stage: Stage) -> Any:
    """A result that is read only in part asks for no more than that."""
    found = iter(build(stage).query(f"Task where {below(stage)} order by name", page_size=2))
    return [next(found)["name"], next(found)["name"], next(found)["name"]]


@step()
def length_and_truth(stage: Stage) -> Any:
    """Length, truth, items, slices, membership of a result that nobody has read."""
    session = build(stage)
    found = session.query(f"Task where {below(stage)} order by name")
    none = session.query('Task where name is "nobody"')
    return [len(found), bool(found), bool(none), found[0]["name"], found[1] in found, len(none)]


@step()
def index_out_of_range(stage: Stage) -> Any:
    """An item that is not there."""
    return build(stage).query('Task where name is "nobody"')[0]


@step()
def orders(stage: Stage) -> Any:
    """Orders by several attributes, through references, both ways."""
    session = build(stage)
    answers = []
    for order in ("parent.name descending, name", "parent.name, name descending", "name desc"):
        answers.append(names(session.query(f"Task where {below(stage)} order by {order}")))
    return answers


@step()
def nothing_in_conditions(stage: Stage) -> Any:
    """Attributes that are none, and that are not."""
    session = build(stage)
    shots = f"Shot where {below(stage)} and description"
    return [
        names(session.query(f"{shots} {text} order by name"))
        for text in ("is none", "is_not none", "is not none", "!= none", "= none")
        if text != "is not none"
    ]


@step()
def wrong_none(stage: Stage) -> Any:
    """A way to ask for nothing that the language does not know."""
    build(stage).query("Shot where description equals none").all()


@step()
def deep_projections_that_come_back(stage: Stage) -> Any:
    """Projections through references and collections need no further request."""
    session = build(stage)
    expression = (
        "select name, parent.name, parent.parent.name, parent.children.name, "
        f"project.project_schema.name, status.state.name from Task where {below(stage)} "
        "order by name"
    )
    with session.auto_populating(False):
        return [
            [
                task["name"],
                task["parent"]["name"],
                task["parent"]["parent"]["name"],
                sorted(str(child["name"]) for child in task["parent"]["children"]),
                task["project"]["project_schema"]["name"],
                task["status"]["state"]["name"],
            ]
            for task in session.query(expression)
        ]


@step(32, "what came with an entity is kept, wherever in the answer it came")
def reference_before_its_entity(stage: Stage) -> Any:
    """A server sends an entity as a reference first, and in full later in the same answer."""
    session = stage.new_session()
    reference = {"__entity_type__": "Task", "id": "t1"}
    folder = {"__entity_type__": "Folder", "id": "f1", "children": [reference]}
    rows = [folder, {**reference, "name": "layout"}]
    answer = [{"action": "query", "data": rows, "metadata": {"next": {"offset": None}}}]
    session.call = lambda *arguments, **options: session.decode(json.dumps(answer))
    with session.auto_populating(False):
        found = session.query("select name from TypedContext").all()
        return str(found[0]["children"][0]["name"])


@step()
def deep_projections(stage: Stage) -> Any:
    """Projections through references need no further request."""
    session = build(stage)
    expression = (
        "select name, parent.name, parent.parent.name, project.project_schema.name, "
        f"status.state.name, assignments.resource from Task where {below(stage)} order by name"
    )
    with session.auto_populating(False):
        return [
            [
                task["name"],
                task["parent"]["name"],
                task["parent"]["parent"]["name"],
                task["project"]["project_schema"]["name"],
                task["status"]["state"]["name"],
                len(task["assignments"]),
            ]
            for task in session.query(expression)
        ]


@step()
def projection_of_a_reference(stage: Stage) -> Any:
    """A reference that is projected by its name alone comes with the defaults of its type."""
    session = build(stage)
    expression = f'select parent, status from Task where {below(stage)} and name is "a1"'
    task = session.query(expression).one()
    with session.auto_populating(False):
        return [stage.loaded(task), stage.loaded(task["parent"]), stage.loaded(task["status"])]


@step()
def unknown_projection(stage: Stage) -> Any:
    """A projection that the type does not have."""
    build(stage).query("select warp from Task").first()


@step()
def several_types_by_one_name(stage: Stage) -> Any:
    """Entities of an abstract type come as what they are."""
    session = build(stage)
    found = session.query(f"TypedContext where {below(stage)} order by name").all()
    contexts = session.query(f'Context where id is "{stage.project["id"]}"').all()
    return [
        [[entity.entity_type, entity["name"]] for entity in found],
        [entity.entity_type for entity in contexts],
    ]


@step()
def get_by_the_general_type(stage: Stage) -> Any:
    """The same entity by its own type and by the types above it."""
    session = build(stage)
    sequence = stage.memory["built"]
    found = [session.get(name, sequence) for name in ("Sequence", "TypedContext", "Context")]
    return [[entity.entity_type for entity in found], found[0] is found[1], found[0] == found[1]]


@step()
def get_by_the_wrong_type(stage: Stage) -> Any:
    """A sequence is asked for as a task."""
    return build(stage).get("Task", stage.memory["built"])


@step()
def get_with_several_keys(stage: Stage) -> Any:
    """A type with two keys: both are needed, as a list."""
    session = build(stage)
    shot = session.query(f"Shot where {below(stage)} order by name").first()
    shot["metadata"]["key"] = "value"
    session.commit()
    other = stage.new_session()
    found = other.get("Metadata", [shot["id"], "key"])
    return [found["value"], other.get("Metadata", [shot["id"], "none"])]


@step()
def get_with_too_few_keys(stage: Stage) -> Any:
    """One key where two are needed."""
    return build(stage).get("Metadata", "one")


@step()
def get_twice(stage: Stage) -> Any:
    """What is known already is not asked for again."""
    session = build(stage)
    return session.get("Sequence", stage.memory["built"]) is session.get(
        "Sequence", stage.memory["built"]
    )


@step()
def relations_in_conditions(stage: Stage) -> Any:
    """Any and has, and paths through several types."""
    session = build(stage)
    answers = []
    for condition in (
        'children any (name is "a1")',
        'parent has (name is "seq")',
        'parent.name is "seq" and not children any (name is "a1")',
        'name in ("sh1", "sh3")',
        'name not_in ("sh1", "sh3")',
        'name like "sh%" and name not_like "%2"',
        'ancestors any (name is "seq")',
    ):
        found = session.query(f"Shot where {below(stage)} and ({condition}) order by name")
        answers.append([condition, names(found)])
    return answers


@step()
def text_with_quotes(stage: Stage) -> Any:
    """Names with quotes and backslashes are found by what the language says of them."""
    session = build(stage)
    for name in ('say "hi"', "back\\slash", "ümläut", "影"):
        session.create("Shot", {"name": name, "parent_id": stage.project["id"]})
    session.commit()
    answers = []
    for text in ('say \\"hi\\"', "back\\\\slash", "ümläut", "影", "ÜMLÄUT"):
        found = session.query(f'select name from Shot where name is "{text}" and {below(stage)}')
        answers.append(names(found))
    return answers


@step()
def unfinished_text(stage: Stage) -> Any:
    """A quote that does not end."""
    build(stage).query('Shot where name is "open').all()


@step()
def dates_in_conditions(stage: Stage) -> Any:
    """Moments by day, by second, and compared."""
    session = build(stage)
    task = session.query(f'Task where name is "a1" and {below(stage)}').one()
    task["start_date"] = arrow.get("2024-02-29T12:30:00+00:00")
    session.commit()
    answers = []
    for condition in (
        'start_date is "2024-02-29"',
        'start_date > "2024-02-29"',
        'start_date >= "2024-02-29T12:30:00" and start_date < "2024-02-29T12:30:01"',
        'start_date before "2024-03-01"',
        'start_date after "2024-03-01"',
    ):
        found = session.query(f"Task where {below(stage)} and {condition}")
        answers.append([condition, names(found)])
    return answers


@step()
def query_of_unknown_type(stage: Stage) -> Any:
    """A type that nobody knows."""
    build(stage).query("Wormhole").first()


@step()
def empty_query(stage: Stage) -> Any:
    """A query of nothing."""
    build(stage).query("").first()
