"""More of sessions: reset, threads, batches by hand, ensure, errors as scripts look at them."""

from __future__ import annotations

import json
import threading
from typing import Any

import arrow
from book import Stage, step


def text_of(call: Any, *wanted: str) -> list[Any]:
    """Return which texts of *wanted* the error of *call* shows, whatever the case."""
    try:
        call()
    except Exception as error:
        text = str(error).lower()
        return [word for word in wanted if word.lower() in text]
    return ["no error"]


@step()
def reset(stage: Stage) -> Any:
    """After a reset nothing is known and nothing is pending."""
    session = stage.new_session()
    project = session.get("Project", stage.project["id"])
    project["full_name"] = "never"
    session.reset()
    again = session.get("Project", stage.project["id"])
    return [again is project, again["full_name"], len(session.recorded_operations)]


@step()
def reset_is_told(stage: Stage) -> Any:
    """A reset is told by an event within the process."""
    session = stage.new_session()
    heard: list[Any] = []
    session.event_hub.subscribe(
        "topic=ftrack.api.session.reset", lambda e: heard.append(e["data"]["session"] is session)
    )
    session.reset()
    return heard


@step()
def entity_after_reset(stage: Stage) -> Any:
    """An entity that was loaded before a reset is read and changed after it."""
    session = stage.new_session()
    project = session.get("Project", stage.project["id"])
    session.reset()
    with session.auto_populating(False):
        known = project["name"]
    project["full_name"] = "changed after reset"
    session.commit()
    return [known, stage.new_session().get("Project", project["id"])["full_name"]]


@step()
def settings_of_threads(stage: Stage) -> Any:
    """What one thread switches off stays on in another."""
    session = stage.new_session()
    seen: list[Any] = []

    def look() -> None:
        seen.append([session.auto_populate, session.record_operations])

    with session.auto_populating(False), session.operation_recording(False):
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    look()
    return seen


@step()
def threads_share_entities(stage: Stage) -> Any:
    """Threads that query the same get the same entities."""
    session = stage.new_session()
    found: list[Any] = []

    def ask() -> None:
        found.append(session.query(f'Project where id is "{stage.project["id"]}"').one())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    with stage.wire.paused():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [len(found), found[0] is found[1]]


@step()
def batch_by_hand(stage: Stage) -> Any:
    """Creation, change, query and deletion in one call, answered one by one."""
    session = stage.session
    shot = stage.shot("batch")
    key = {"entity_type": "Shot", "entity_key": [shot["id"]]}
    data = {"__entity_type__": "Shot", "description": "by hand"}
    query = f'select description from Shot where id is "{shot["id"]}"'
    answers = session.call(
        [
            {"action": "update", **key, "entity_data": data},
            {"action": "query", "expression": query},
            {"action": "delete", **key},
            {"action": "query", "expression": query},
        ]
    )
    return [
        [answer.get("action") for answer in answers],
        answers[0]["data"],
        answers[1]["data"][0]["description"],
        answers[2]["data"],
        answers[3]["data"],
    ]


@step()
def batch_that_fails(stage: Stage) -> Any:
    """When one operation of a call is refused, none of them happened."""
    session = stage.session
    shot = stage.shot("undone", description="before")
    key = {"entity_type": "Shot", "entity_key": [shot["id"]]}
    data = {"__entity_type__": "Shot", "description": "after"}
    try:
        session.call([{"action": "update", **key, "entity_data": data}, {"action": "none"}])
    except stage.error("ServerError"):
        return stage.new_session().get("Shot", shot["id"])["description"]
    return "done"


@step()
def create_by_call(stage: Stage) -> Any:
    """An entity that is created by a call is answered as an entity."""
    session = stage.session
    data = {"__entity_type__": "Shot", "name": "called", "parent_id": stage.project["id"]}
    data["id"] = "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"
    answers = session.call(
        [
            {
                "action": "create",
                "entity_type": "Shot",
                "entity_data": data,
                "entity_key": [data["id"]],
            }
        ]
    )
    made = answers[0]["data"]
    return [made, made["name"], made is session.get("Shot", made["id"])]


@step()
def references_by_hand(stage: Stage) -> Any:
    """References of entities, loaded or only known by id, and of what is no entity."""
    session = stage.new_session()
    shot = stage.shot("referenced")
    bare = session.create("Shot", {"id": shot["id"]}, reconstructing=True)
    return [session.entity_reference(bare), session.entity_reference(stage.project)]


@step(asks="A")
def encode_all(stage: Stage) -> Any:
    """An entity with all attributes, which are loaded for that."""
    session = stage.new_session()
    kind = session.query("Priority order by name").first()
    return json.loads(session.encode(kind, entity_attribute_strategy="all"))


@step()
def encode_collections(stage: Stage) -> Any:
    """Collections and mappings become lists of references."""
    session = stage.new_session()
    shot = stage.shot("encoded", metadata={"a": "1"})
    stage.task("child", parent=shot)
    found = session.query(
        f'select name, children, metadata from Shot where id is "{shot["id"]}"'
    ).one()
    with session.auto_populating(False):
        text = session.encode([found], entity_attribute_strategy="set_only")
    return json.loads(text)


@step()
def decode_lists(stage: Stage) -> Any:
    """Entities within lists and mappings become entities, the rest stays."""
    record = {"__entity_type__": "Status", "id": "11111111-2222-3333-4444-555555555555"}
    text = json.dumps({"list": [record, 1, None, "x"], "deep": {"a": [{"b": record}]}})
    found = stage.session.decode(text)
    return [found["list"], found["deep"]["a"][0]["b"].entity_type]


@step()
def decode_unknown_type(stage: Stage) -> Any:
    """A record of a type that the schemas do not have."""
    return stage.session.decode('{"__entity_type__": "Wormhole", "id": "1"}')


@step()
def decode_rubbish(stage: Stage) -> Any:
    """A text that is no JSON."""
    return stage.session.decode("{")


@step(31, "references identify as well")
def ensure_by_reference(stage: Stage) -> Any:
    """Ensure with references, and with values that are only set when it is made."""
    session = stage.new_session()
    project = session.get("Project", stage.project["id"])
    first = session.ensure(
        "Shot", {"name": "by_reference", "parent": project, "description": "x"}, ["name", "parent"]
    )
    second = session.ensure(
        "Shot", {"name": "by_reference", "parent": project, "description": "y"}, ["name", "parent"]
    )
    return [first is second, second["description"]]


@step()
def ensure_of_several(stage: Stage) -> Any:
    """Ensure where the identifying values fit several."""
    for name in ("several_a", "several_b"):
        stage.shot(name, description="same")
    data = {"description": "same", "project_id": stage.project["id"]}
    stage.new_session().ensure("Shot", data)


@step(31, "texts with quotes identify as well")
def ensure_with_quotes(stage: Stage) -> Any:
    """Ensure with values that hold quotes and newlines."""
    session = stage.new_session()
    data = {"name": 'quo"ted', "parent_id": stage.project["id"]}
    return [session.ensure("Shot", data) is session.ensure("Shot", data)]


@step()
def ensure_of_moments(stage: Stage) -> Any:
    """Ensure by a moment and a number."""
    session = stage.new_session()
    data = {
        "name": "dated",
        "parent_id": stage.project["id"],
        "bid": 7200.0,
        "end_date": arrow.get("2024-05-06T07:08:09+00:00"),
    }
    first = session.ensure("Task", data, ["name", "parent_id", "bid"])
    return [session.ensure("Task", data, ["name", "parent_id", "bid"]) is first, first["bid"]]


@step()
def words_in_errors(stage: Stage) -> Any:
    """The words by which scripts tell errors apart in their texts."""
    session = stage.session
    shot = stage.shot("worded")
    twin = {"name": "worded", "parent": stage.project}

    def commit(entity_type: str, data: Any) -> None:
        session.create(entity_type, data)
        try:
            session.commit()
        finally:
            session.rollback()

    return [
        text_of(lambda: commit("Shot", twin), "duplicate", "unique", "Server reported error"),
        text_of(lambda: commit("Task", {"name": "x"}), "Server reported error", "Validation"),
        text_of(lambda: session.query("Shot where warp is 1").all(), "Server reported", "warp"),
        text_of(lambda: session.query("Shot where where").all(), "Server reported error", "Parse"),
        text_of(lambda: session.create("Wormhole"), "Wormhole", "recognised"),
        text_of(lambda: setattr(session, "x", shot["warp"]), "warp"),
        text_of(lambda: session.get("Metadata", "x"), "key", "Metadata"),
        text_of(lambda: shot.__setitem__("id", "x"), "immutable", "id"),
        text_of(lambda: stage.new_session(api_key="no"), "api key", "Server reported error"),
    ]


@step()
def attributes_of_errors(stage: Stage) -> Any:
    """What errors of the server carry besides their texts."""
    stage.session.create("Task", {"name": "orphan"})
    try:
        stage.session.commit()
    except stage.error("ServerError") as error:
        return [isinstance(error.message, str), type(error.details).__name__, len(error.args)]
    return None


@step()
def immutable_attributes(stage: Stage) -> Any:
    """An id cannot be changed, nor what the server works out."""
    shot = stage.shot("immutable")
    answers = []
    for name, value in (("id", "x"), ("context_type", "show"), ("link", []), ("created_at", None)):
        try:
            shot[name] = value
            answers.append([name, "set"])
        except stage.error("ImmutableAttributeError"):
            answers.append([name, "refused"])
    return answers


@step()
def populate_in_many_ways(stage: Stage) -> Any:
    """Entities and projections as one, as lists, as text, of several types."""
    session = stage.new_session()
    keys = [stage.shot(f"many{number}")["id"] for number in range(2)]
    shots = [session.create("Shot", {"id": key}, reconstructing=True) for key in keys]
    session.populate(shots[0], "name")
    session.populate(shots, "description, parent.name")
    session.populate([], "name")
    with session.auto_populating(False):
        return [[shot["name"], shot["description"], shot["parent"]["name"]] for shot in shots[:1]]


@step()
def populate_created(stage: Stage) -> Any:
    """An entity that is not on the server yet is left alone."""
    shot = stage.session.create("Shot", {"name": "fresh", "parent": stage.project})
    stage.session.populate(shot, "description, sort")
    return str(shot["description"])


@step()
def created_entity_has_defaults(stage: Stage) -> Any:
    """What is read from a created entity before its commit."""
    task = stage.session.create("Task", {"name": "fresh", "parent": stage.project})
    names = ("name", "description", "bid", "status", "children", "metadata", "notes", "end_date")
    shown = []
    for name in names:
        value = task[name]
        shown.append([name, len(value) if hasattr(value, "__len__") else str(value)])
    return shown


@step()
def server_information_is_fetched_again(stage: Stage) -> Any:
    """The information about the server is that of the start."""
    session = stage.session
    return [session.server_information == session._fetch_server_information(), session.closed]


@step()
def entities_as_keys(stage: Stage) -> Any:
    """Entities of two sessions equal each other, and meet in sets and dictionaries."""
    one, two = stage.new_session(), stage.new_session()
    key = stage.project["id"]
    first, second = one.get("Project", key), two.get("Project", key)
    return [first == second, first is second, len({first, second}), {first: 1}[second]]
