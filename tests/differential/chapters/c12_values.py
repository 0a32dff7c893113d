"""What surrounds entities: inspection, encoding, merging, formatting, raw calls."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import arrow
from book import Stage, step


@step()
def identity(stage: Stage) -> Any:
    """Identity and primary key of an entity."""
    inspection = stage.module("inspection")
    return [inspection.identity(stage.project), dict(inspection.primary_key(stage.project))]


@step()
def states(stage: Stage) -> Any:
    """The states of several entities."""
    shots = [stage.shot(f"state{number}") for number in range(3)]
    shots[1]["description"] = "changed"
    stage.session.delete(shots[2])
    new = stage.session.create("Shot", {"name": "new", "parent": stage.project})
    return [str(state) for state in stage.module("inspection").states([*shots, new])]


@step()
def symbols(stage: Stage) -> Any:
    """NOT_SET is false, and its copies are itself."""
    not_set = stage.module("symbol").NOT_SET
    return [bool(not_set), str(not_set), repr(not_set), copy.copy(not_set) is not_set]


@step(19, "a deep or pickled copy of NOT_SET is NOT_SET")
def deep_copies_of_symbols(stage: Stage) -> Any:
    """NOT_SET after a deep copy and after pickling."""
    not_set = stage.module("symbol").NOT_SET
    twin = pickle.loads(pickle.dumps(not_set))
    return [copy.deepcopy(not_set) is not_set, twin is not_set]


@step()
def encode_strategies(stage: Stage) -> Any:
    """An entity as JSON, by each strategy."""
    session = stage.new_session()
    expression = f'select name, status from Project where id is "{stage.project["id"]}"'
    project = session.query(expression).one()
    project["full_name"] = "changed"
    with session.auto_populating(False):
        return {
            strategy: json.loads(session.encode(project, entity_attribute_strategy=strategy))
            for strategy in ("set_only", "modified_only", "persisted_only")
        }


@step()
def encode_unknown_strategy(stage: Stage) -> Any:
    """A strategy that does not exist."""
    return stage.session.encode(stage.project, entity_attribute_strategy="some")


@step()
def encode_values(stage: Stage) -> Any:
    """Dates, texts and containers as JSON."""
    value = {"when": arrow.get("2024-05-06T07:08:09+00:00"), "text": "ü", "list": [1, None]}
    return json.loads(stage.session.encode(value))


@step()
def encode_the_impossible(stage: Stage) -> Any:
    """A value that JSON does not know."""
    return stage.session.encode({"value": object()})


@step()
def decode_entity(stage: Stage) -> Any:
    """JSON with an entity becomes an entity."""
    key = "11111111-2222-3333-4444-555555555555"
    text = json.dumps({"__entity_type__": "Shot", "id": key, "name": "decoded"})
    shot = stage.session.decode(text)
    return [shot, stage.loaded(shot)]


@step()
def decode_date(stage: Stage) -> Any:
    """JSON with a moment becomes a moment."""
    text = json.dumps({"at": {"__type__": "datetime", "value": "2024-05-06T07:08:09"}})
    found = stage.session.decode(text)["at"]
    return [found, type(found).__name__]


@step()
def encode_and_decode(stage: Stage) -> Any:
    """An entity that was encoded and decoded in another session."""
    text = stage.session.encode(stage.project, entity_attribute_strategy="persisted_only")
    return stage.new_session().decode(text)["name"]


@step()
def merge(stage: Stage) -> Any:
    """A detached entity is merged into the session's own."""
    project = stage.project
    text = json.dumps({"__entity_type__": "Project", "id": project["id"], "full_name": "merged"})
    merged = stage.session.merge(stage.session.decode(text))
    return [merged is project, project["full_name"]]


@step()
def merge_containers(stage: Stage) -> Any:
    """Lists and mappings with entities can be merged."""
    project = stage.project
    text = json.dumps({"items": [{"__entity_type__": "Project", "id": project["id"]}]})
    merged = stage.session.merge(stage.session.decode(text))
    return [sorted(merged), merged["items"][0] == project]


@step()
def entity_reference(stage: Stage) -> Any:
    """The short form of an entity."""
    return stage.session.entity_reference(stage.project)


@step()
def call_query(stage: Stage) -> Any:
    """A raw call gives what the server says, entities included."""
    expression = f'select name from Project where id is "{stage.project["id"]}"'
    result = stage.session.call([{"action": "query", "expression": expression}])
    return [sorted(result[0]), result[0]["data"][0]["name"], result[0]["data"][0] is stage.project]


@step()
def call_unknown_action(stage: Stage) -> Any:
    """An action that the server does not know."""
    return stage.session.call([{"action": "no_such_action"}])


@step()
def call_several(stage: Stage) -> Any:
    """Several operations in one call."""
    project = f'Project where id is "{stage.project["id"]}"'
    result = stage.session.call([{"action": "query", "expression": project}] * 2)
    return [len(result), [item["data"][0] for item in result]]


@step()
def call_aggregate(stage: Stage) -> Any:
    """A count by a raw call."""
    expression = 'select count(id) from Location where name like "ftrack.%" group by name'
    result = stage.session.call([{"action": "query", "expression": expression}])
    return len(result[0]["data"])


@step(asks="A")
def format_entity(stage: Stage) -> Any:
    """An entity as text for people."""
    formatter = stage.module("formatter")
    text = formatter.format(stage.project, attribute_filter=formatter.FILTER["ignore_unset"])
    return [stage.project["name"] in text, text.splitlines()[0].startswith("Project")]


@step()
def operations(stage: Stage) -> Any:
    """What was recorded, in order, with the values."""
    shot = stage.shot("recorded", description="old")
    shot["description"] = "new"
    item = next(iter(stage.session.recorded_operations))
    return [
        type(item).__name__,
        item.entity_type,
        dict(item.entity_key),
        item.attribute_name,
        item.old_value,
        item.new_value,
    ]


@step()
def lazy_log_message(stage: Stage) -> Any:
    """A log message that is put together when it is needed."""
    message = stage.module("logging").LazyLogMessage("{0} and {name}", 1, name="two")
    return str(message)


@step()
def second_level_cache(stage: Stage) -> Any:
    """Entities are found in a cache on disk without asking the server."""
    cache = stage.module("cache")
    path = stage.folder / "second_level"

    def make(session: Any) -> Any:
        return cache.SerialisedCache(
            cache.FileCache(str(path)), encode=session.encode, decode=session.decode
        )

    first = stage.new_session(cache=make)
    name = first.get("Project", stage.project["id"])["name"]
    second = stage.new_session(cache=make)
    with second.auto_populating(False):
        return [name, second.get("Project", stage.project["id"])["name"]]


@step()
def cache_keys(stage: Stage) -> Any:
    """The key under which the session keeps an entity."""
    session = stage.session
    project = stage.project
    key = session.cache_key_maker.key(stage.module("inspection").identity(project))
    layered = isinstance(session.cache, stage.module("cache").LayeredCache)
    return [key, session.cache.get(key) is project, layered]


@step(2, "texts in messages are not shown as bytes")
def error_texts(stage: Stage) -> Any:
    """Errors hold their message and details."""
    error = stage.error("Error")("{word} happened", {"word": "nothing"})
    return [str(error), error.message, error.details["word"]]


@step()
def mixin(stage: Stage) -> Any:
    """An entity gains methods from a class."""
    extra = type("Extra", (), {"shout": lambda self: self["name"].upper()})
    shot = stage.shot("mixed")
    stage.api.mixin(shot, extra, name="LoudShot")
    return [shot.shout(), type(shot).__name__, shot["name"]]
