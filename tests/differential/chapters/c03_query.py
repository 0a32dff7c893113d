"""Queries and their results."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def shots(stage: Stage) -> str:
    """Return an expression for the five shots of this chapter, made on first use."""
    if "shots" not in stage.memory:
        for number in range(1, 6):
            data = {"name": f"sh{number:03}", "description": "even" if number % 2 == 0 else "odd"}
            shot = stage.session.create("Shot", {"parent": stage.project, **data})
            stage.session.create("Task", {"name": f"task{number}", "parent": shot})
        stage.session.commit()
        stage.memory["shots"] = f'Shot where project_id is "{stage.project["id"]}"'
    return stage.memory["shots"]


def names(result: Any) -> list[str]:
    """Return the names of the entities of *result*."""
    return [entity["name"] for entity in result]


@step()
def all_in_order(stage: Stage) -> Any:
    """All results in the order asked for."""
    return names(stage.session.query(f"{shots(stage)} order by name descending").all())


@step()
def iterate(stage: Stage) -> Any:
    """A result can be looped over, measured and indexed."""
    result = stage.session.query(f"{shots(stage)} order by name")
    return [names(result), len(result), result[0]["name"], result[4]["name"]]


@step()
def index_out_of_range(stage: Stage) -> Any:
    """An index past the end."""
    return stage.session.query(shots(stage))[99]


@step()
def result_is_a_sequence(stage: Stage) -> Any:
    """A result knows what is in it."""
    result = stage.session.query(f"{shots(stage)} order by name")
    return [result[1] in result, result.index(result[2]), names(reversed(result))]


@step()
def pages(stage: Stage) -> Any:
    """Small pages give the same results."""
    return names(stage.session.query(f"{shots(stage)} order by name", page_size=2))


@step()
def same_instance(stage: Stage) -> Any:
    """Two queries give the same objects."""
    expression = f"{shots(stage)} order by name"
    first, second = stage.session.query(expression), stage.session.query(expression)
    return all(one is other for one, other in zip(first, second))


@step()
def another_session_has_its_own(stage: Stage) -> Any:
    """Two sessions have different objects that are equal."""
    one = stage.session.query(f"{shots(stage)} order by name").first()
    other = stage.new_session().query(f"{shots(stage)} order by name").first()
    return [one is other, one == other, hash(one) == hash(other)]


@step()
def one(stage: Stage) -> Any:
    """The only result."""
    return stage.session.query(f'{shots(stage)} and name is "sh003"').one()["name"]


@step()
def one_of_none(stage: Stage) -> Any:
    """The only result of a query that finds nothing."""
    return stage.session.query(f'{shots(stage)} and name is "none"').one()


@step()
def one_of_many(stage: Stage) -> Any:
    """The only result of a query that finds several."""
    return stage.session.query(shots(stage)).one()


@step()
def one_with_limit(stage: Stage) -> Any:
    """The only result of a query that is limited anyway."""
    return stage.session.query(f"{shots(stage)} limit 1").one()


@step()
def first(stage: Stage) -> Any:
    """The first result, and the first of none."""
    session = stage.session
    found = session.query(f"{shots(stage)} order by name").first()
    return [found["name"], session.query(f'{shots(stage)} and name is "none"').first()]


@step()
def first_with_limit(stage: Stage) -> Any:
    """The first result of a query that is limited anyway."""
    return stage.session.query(f"{shots(stage)} limit 1").first()


@step()
def limit_and_offset(stage: Stage) -> Any:
    """A window into the results."""
    return names(stage.session.query(f"{shots(stage)} order by name limit 2 offset 1").all())


@step()
def offset_and_limit(stage: Stage) -> Any:
    """The same window, in the other order."""
    return names(stage.session.query(f"{shots(stage)} order by name offset 1 limit 2").all())


@step()
def projections_load_what_they_say(stage: Stage) -> Any:
    """A query that selects brings exactly that, with the key and what the type always sends."""
    session = stage.new_session()
    found = session.query(f"select name, parent.name from {shots(stage)} order by name").first()
    return [stage.loaded(found), sorted(stage.loaded(found["parent"]))]


@step()
def no_projection_loads_the_defaults(stage: Stage) -> Any:
    """A query that selects nothing brings the default projections."""
    found = stage.new_session().query(f"{shots(stage)} order by name").first()
    return sorted(stage.loaded(found))


@step()
def attributes_follow_on_access(stage: Stage) -> Any:
    """What a query left out is loaded when it is read."""
    found = stage.new_session().query(f"select id from {shots(stage)} order by name").first()
    return [found["name"], found["description"], found["parent"]["full_name"]]


@step()
def nested_relations(stage: Stage) -> Any:
    """Relations of relations, through references and collections."""
    expression = f"select name, children.name, children.status.name from {shots(stage)}"
    result = stage.new_session().query(f"{expression} order by name").all()
    return [
        [shot["name"], [[c["name"], c["status"]["name"]] for c in shot["children"]]]
        for shot in result
    ]


@step()
def criteria(stage: Stage) -> Any:
    """Conditions with and, or, not, in, like and none."""
    head = shots(stage)
    conditions = [
        'name in ("sh001", "sh004")',
        'name like "sh00%" and not description is "odd"',
        '(name is "sh001" or name is "sh002") and description is "odd"',
        "description is_not none",
        'children any (name is "task3")',
        'name not_in ("sh001")',
        'parent has (name like "chapter_%") and name > "sh003"',
    ]
    query = stage.session.query
    return {text: names(query(f"{head} and {text} order by name")) for text in conditions}


@step()
def polymorphic(stage: Stage) -> Any:
    """A query of a base type gives entities of the concrete types."""
    shots(stage)
    expression = f'TypedContext where project_id is "{stage.project["id"]}" order by name'
    return [[item.entity_type, item["name"]] for item in stage.session.query(expression)]


@step()
def single_quotes(stage: Stage) -> Any:
    """Text may stand in single quotes."""
    return names(stage.session.query(f"{shots(stage)} and name is 'sh002'"))


@step()
def syntax_error(stage: Stage) -> Any:
    """An expression that nobody can read."""
    return stage.session.query("Shot where name is is").all()


@step()
def unknown_type(stage: Stage) -> Any:
    """A type that does not exist."""
    return stage.session.query("Wormhole")


@step()
def unknown_attribute(stage: Stage) -> Any:
    """A condition on an attribute that does not exist."""
    return stage.session.query('Shot where warp is "9"').all()


@step()
def unknown_projection(stage: Stage) -> Any:
    """A projection that does not exist."""
    return stage.session.query("select warp from Shot").all()


@step()
def lazy(stage: Stage) -> Any:
    """A wrong query is no error before it is asked."""
    stage.session.query('Shot where warp is "9"')
    return "not asked"


@step()
def get(stage: Stage) -> Any:
    """An entity by its id, twice the same object."""
    shot = stage.session.query(f"{shots(stage)} order by name").first()
    return [
        stage.session.get("Shot", shot["id"]) is shot,
        stage.new_session().get("Shot", shot["id"]),
    ]


@step()
def get_missing(stage: Stage) -> Any:
    """An id that nothing has."""
    return stage.session.get("Shot", "00000000-0000-0000-0000-000000000000")


@step()
def get_by_list(stage: Stage) -> Any:
    """A key may be a list of its parts."""
    shot = stage.session.query(f"{shots(stage)} order by name").first()
    return stage.session.get("Shot", [shot["id"]])


@step()
def get_with_wrong_key(stage: Stage) -> Any:
    """A key with too many parts."""
    return stage.session.get("Shot", ["one", "two"])


@step()
def get_unknown_type(stage: Stage) -> Any:
    """An entity of a type that does not exist."""
    return stage.session.get("Wormhole", "id")


@step()
def get_base_type(stage: Stage) -> Any:
    """An entity by its base type."""
    shot = stage.session.query(f"{shots(stage)} order by name").first()
    return stage.new_session().get("TypedContext", shot["id"])


@step()
def populate_scalars(stage: Stage) -> Any:
    """Populate loads the named attributes of several entities."""
    session = stage.new_session()
    found = session.query(f"select id from {shots(stage)} order by name").all()
    session.populate(found, "name, description")
    return [stage.loaded(item) for item in found]


@step()
def populate_nested(stage: Stage) -> Any:
    """Populate follows relations."""
    session = stage.new_session()
    found = session.query(f"select id from {shots(stage)} order by name").first()
    session.populate(found, "children.name, parent.name")
    with session.auto_populating(False):
        return [found["parent"]["name"], [child["name"] for child in found["children"]]]


@step()
def populate_nothing(stage: Stage) -> Any:
    """Populate with no entities, and with one that is only local."""
    stage.session.populate([], "name")
    shot = stage.session.create("Shot", {"name": "local", "parent": stage.project})
    stage.session.populate(shot, "description")
    return shot["name"]


@step()
def populate_unknown(stage: Stage) -> Any:
    """Populate with an attribute that does not exist."""
    found = stage.session.query(f"{shots(stage)} order by name").first()
    return stage.session.populate(found, "warp")


@step(asks="G")
def populate_mixed_types(stage: Stage) -> Any:
    """Populate with entities of different types."""
    shot = stage.session.query(f"{shots(stage)} order by name").first()
    return stage.session.populate([shot, stage.project], "name")


@step()
def auto_population_off(stage: Stage) -> Any:
    """Without auto-population an attribute that is not loaded is not set."""
    session = stage.new_session(auto_populate=False)
    found = session.query(f"select id from {shots(stage)} order by name").first()
    before = found["description"]
    with session.auto_populating(True):
        return [str(before), bool(before), found["description"]]


@step()
def dates(stage: Stage) -> Any:
    """Dates compare with text, and come back as moments in UTC."""
    session = stage.session
    found = session.query(f'{shots(stage)} and created_at >= "2020-01-01" order by name').first()
    moment = found["created_at"]
    return [moment, type(moment).__name__, moment.tzinfo.utcoffset(moment.datetime).total_seconds()]
