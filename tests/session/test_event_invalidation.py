"""A session with EventInvalidation never keeps a value that is older than an event's delay."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like import Session, exception
from ftrack_like.cache import EventInvalidation
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.wire.events import Event

#: How long a change may take to arrive on a busy machine, in seconds.
PATIENCE = 60.0

#: Values with a signature, which differ between two reads.
SIGNED = frozenset({"thumbnail_url", "url"})


def wait_until(condition: Callable[[], bool], text: str) -> None:
    """Return when *condition* holds; fail with *text* if it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, text
        time.sleep(0.01)


@pytest.fixture
def project(session: Session) -> Any:
    """Return a new project of the writing session."""
    name = f"fresh_{uuid.uuid4().hex}"
    schema = session.query("ProjectSchema").first()
    found = session.create("Project", {"name": name, "project_schema": schema})
    session.commit()
    return found


@pytest.fixture
def reader(sandbox: Any) -> Iterator[Session]:
    """Return a session that other programs keep up to date."""
    with sandbox.session() as session, EventInvalidation(session):
        yield session


class Outage:
    """Lets the removals of the shared cache *layer* fail until :meth:`end`."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self.missed = 0
        layer.remove_many = layer.remove = layer.clear = self._fail

    def _fail(self, *values: Any) -> None:
        self.missed += 1
        raise OSError("the cache does not answer")

    def end(self) -> None:
        """Let the layer work again."""
        del self._layer.remove_many, self._layer.remove, self._layer.clear


@pytest.mark.parametrize("is_away_at_start", [False, True])
def test_removals_of_an_outage_are_made_up_for_without_another_event(
    sandbox: Any,
    session: Session,
    project: Any,
    monkeypatch: pytest.MonkeyPatch,
    is_away_at_start: bool,
) -> None:
    """A shared cache that is away during a change loses the old value when it answers again."""
    monkeypatch.setattr("ftrack_like._session.lower_layers.REST", 0.2)
    monkeypatch.setattr("ftrack_like.cache.invalidation._SECOND_REMOVAL", 0.01)
    with sandbox.session(cache=f"memory://{uuid.uuid4().hex}") as watching:
        layer = watching.cache.caches[1]
        outage = Outage(layer) if is_away_at_start else None
        watching.get("Project", project["id"])["name"]
        with EventInvalidation(watching):
            if outage is None:
                watching.get("Project", project["id"])["name"]
                outage = Outage(layer)
                project["full_name"] = "changed"
                session.commit()
            assert layer.keys()
            wait_until(lambda: outage.missed > 0, "the cache was not asked")
            outage.end()
            left = lambda: [each for each in layer.keys() if project["id"] in each]  # noqa: E731
            wait_until(lambda: not left(), "the old value stays in the cache")


class Writer:
    """A second session that makes random changes below one project."""

    def __init__(self, session: Session, project: Any, chance: random.Random) -> None:
        self.session = session
        self.project = project
        self.chance = chance
        self.contexts = [project]
        self.others: list[Any] = []
        self.versions: list[Any] = []
        self.links: list[Any] = []
        self.user = session.query('User where username is "admin"').one()
        self.statuses = project["project_schema"].get_statuses("Task")
        self.types = project["project_schema"].get_types("Task")
        self.sentinel = session.create("Folder", {"name": "sentinel", "parent": project})
        session.commit()
        self.steps = [
            *[self.create] * 4,
            *[self.change] * 4,
            self.delete,
            self.metadata,
            self.unset_metadata,
            self.move,
            self.link,
            self.unlink,
            self.assign,
            self.publish,
            self.note,
            self.collect,
            self.log_time,
            self.custom_attribute,
        ]

    def some(self, entities: list[Any]) -> Optional[Any]:
        return self.chance.choice(entities) if entities else None

    def folders(self) -> list[Any]:
        return [each for each in self.contexts if each.entity_type != "Task"]

    def tasks(self) -> list[Any]:
        return [each for each in self.contexts if each.entity_type == "Task"]

    def create(self) -> None:
        parent = self.some(self.folders())
        kind = self.chance.choice(["Folder", "Shot", "Task", "Task"])
        values = {"name": f"n{uuid.uuid4().hex[:8]}", "parent": parent}
        if kind == "Task":
            values.update(type=self.chance.choice(self.types), status=self.some(self.statuses))
        self.contexts.append(self.session.create(kind, values))

    def change(self) -> None:
        entity = self.some(self.contexts)
        name = self.chance.choice(["name", "description", "status", "type", "bid"])
        if entity.entity_type != "Task":
            name = (
                "full_name"
                if entity is self.project
                else self.chance.choice(["name", "description"])
            )
        values = {
            "status": lambda: self.some(self.statuses),
            "type": lambda: self.some(self.types),
            "bid": lambda: float(self.chance.randrange(1000)),
        }
        entity[name] = values.get(name, lambda: f"v{uuid.uuid4().hex[:8]}")()

    def delete(self) -> None:
        self.session.commit()
        entity = self.some([each for each in self.contexts if each is not self.project])
        if entity is None:
            return
        gone = {each["id"] for each in self.below(entity)}
        self.session.delete(entity)
        self.session.commit()
        self.contexts = [each for each in self.contexts if each["id"] not in gone]
        self.others, self.versions, self.links = [], [], []

    def below(self, entity: Any) -> list[Any]:
        with self.new_session() as session:
            text = f'select id from TypedContext where ancestors.id is "{entity["id"]}"'
            return [entity, *session.query(text).all()]

    def new_session(self) -> Any:
        return Session(
            self.session.server_url,
            self.session.api_key,
            self.session.api_user,
            plugin_paths=[],
        )

    def metadata(self) -> None:
        entity = self.some(self.contexts)
        entity["metadata"][self.chance.choice("abc")] = uuid.uuid4().hex[:6]

    def unset_metadata(self) -> None:
        entity = self.some(self.contexts)
        for key in list(entity["metadata"].keys())[:1]:
            del entity["metadata"][key]

    def move(self) -> None:
        self.session.commit()
        entity = self.some([each for each in self.contexts if each is not self.project])
        if entity is None:
            return
        inside = {each["id"] for each in self.below(entity)}
        target = self.some([each for each in self.folders() if each["id"] not in inside])
        if target is not None:
            entity["parent"] = target

    def link(self) -> None:
        one, two = self.some(self.tasks()), self.some(self.tasks())
        if one is not None and one is not two:
            values = {"from": one, "to": two}
            self.links.append(self.session.create("TypedContextLink", values))

    def unlink(self) -> None:
        if self.links:
            self.session.delete(self.links.pop())

    def assign(self) -> None:
        task = self.some(self.tasks())
        if task is not None:
            values = {"context": task, "resource": self.user, "type": "assignment"}
            self.others.append(self.session.create("Appointment", values))

    def publish(self) -> None:
        task = self.some(self.tasks())
        if task is None:
            return
        if self.versions and self.chance.random() < 0.5:
            asset = self.some(self.versions)["asset"]
        else:
            kind = self.session.query("AssetType").first()
            values = {"name": f"a{uuid.uuid4().hex[:8]}", "type": kind, "parent": task["parent"]}
            asset = self.session.create("Asset", values)
        version = self.session.create("AssetVersion", {"asset": asset, "task": task})
        self.versions.append(version)

    def note(self) -> None:
        entity = self.some([*self.tasks(), *self.versions])
        if entity is not None:
            self.others.append(entity.create_note(uuid.uuid4().hex, self.user))

    def collect(self) -> None:
        tasks = self.tasks()
        category = self.session.query("ListCategory").first()
        values = {
            "name": f"l{uuid.uuid4().hex[:8]}",
            "project": self.project,
            "category": category,
            "owner": self.user,
        }
        found = self.session.create("TypedContextList", values)
        found["items"] = self.chance.sample(tasks, min(2, len(tasks)))

    def log_time(self) -> None:
        task = self.some(self.tasks())
        if task is not None:
            values = {"context": task, "user": self.user, "duration": 60.0}
            self.others.append(self.session.create("Timelog", values))

    def custom_attribute(self) -> None:
        task = self.some(self.tasks())
        if task is not None:
            task["custom_attributes"]["freshness"] = uuid.uuid4().hex[:6]

    def work(self, count: int) -> None:
        """Make *count* random changes, committed in random groups."""
        for _ in range(count):
            self.chance.choice(self.steps)()
            if self.chance.random() < 0.6:
                self.session.commit()
        self.session.commit()

    def signal(self) -> str:
        """Change the sentinel as the last change, and return its new description."""
        text = uuid.uuid4().hex
        self.sentinel["description"] = text
        self.session.commit()
        return text


def read_randomly(session: Session, project_id: str, chance: random.Random) -> None:
    """Load random values of random entities below the project."""
    names = "name, description, link, parent.name, status.name, metadata, custom_attributes"
    for entity in session.query(f'select {names} from Task where project_id is "{project_id}"'):
        entity["name"]
    pool = [
        each
        for each in session.cache.caches[0].values()
        if hasattr(each, "entity_type") and each.entity_type not in ("Location", "Setting")
    ]
    for entity in chance.sample(pool, min(40, len(pool))):
        known = [each.name for each in entity.attributes if each.name not in SIGNED]
        for name in chance.sample(known, min(6, len(known))):
            with contextlib.suppress(exception.ServerError):  # Not every relation can be loaded.
                value = entity[name]
                if isinstance(value, (Collection, MappedCollectionProxy)):
                    list(value)


def plain(value: Any) -> Any:
    """Return *value* in a form that does not depend on its session."""
    if isinstance(value, MappedCollectionProxy):
        value = value.collection
    if isinstance(value, Collection):
        value = value.members
    if hasattr(value, "entity_type"):
        return str(value)
    if isinstance(value, list) and value and hasattr(value[0], "entity_type"):
        return sorted(map(str, value))
    return value


def differences(session: Session, truth: Session) -> list[str]:
    """Return the loaded values of *session* that differ from those of *truth*."""
    truth.reset()
    found = []
    by_type: dict[str, list[Any]] = {}
    for entity in session.cache.caches[0].values():
        if hasattr(entity, "entity_type"):
            by_type.setdefault(entity.entity_type, []).append(entity)
    for entity_type, entities in by_type.items():
        if entity_type in ("Location", "Setting"):
            continue  # Their first values come from the library, not from the server.
        keys = entities[0].primary_key_attributes
        names = {name for each in entities for name in each.remote_values} - SIGNED
        wanted = [[each.remote_values[name] for name in keys] for each in entities]
        others = truth.get_many(entity_type, wanted)
        existing = [each for each in others if each is not None]
        loadable = list(names - set(keys))
        if existing and loadable:
            truth.populate(existing, loadable)
        for entity, other in zip(entities, others):
            if other is None:
                if set(entity.remote_values) - set(keys):
                    found.append(f"{entity} is deleted")
                continue
            for name in set(entity.remote_values) & names:
                own = plain(entity.attributes.lookup(name).get_remote_value(entity))
                right = plain(other.attributes.lookup(name).get_remote_value(other))
                if own != right:
                    found.append(f"{entity!r} {name}: {own!r:.200} is {right!r:.200}")
    return found


@pytest.fixture
def configuration(session: Session) -> Any:
    """Return a custom attribute ``freshness`` of tasks."""
    text = 'CustomAttributeConfiguration where key is "freshness"'
    found = session.query(text).first()
    if found is None:
        kind = session.query('CustomAttributeType where name is "text"').one()
        task = session.query('ObjectType where name is "Task"').one()
        found = session.create(
            "CustomAttributeConfiguration",
            {
                "key": "freshness",
                "label": "Freshness",
                "entity_type": "task",
                "object_type_id": task["id"],
                "type": kind,
                "default": "",
                "config": "{}",
            },
        )
        session.commit()
    return found


def cut(session: Session) -> None:
    """Cut the connection of the event hub of *session*, as a network fault does."""
    connection: Any = session.event_hub._connection
    with contextlib.suppress(AttributeError, OSError):
        connection.sock.shutdown(2)


#: How often the sessions become quiet with each seed.
ROUNDS = int(os.environ.get("FTRACK_LIKE_TEST_ROUNDS", "3"))

SEEDS = [int(each) for each in os.environ.get("FTRACK_LIKE_TEST_SEEDS", "1").split()]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["memory only", "shared cache", "weak", "cut"])
def test_loaded_values_equal_those_of_the_server(
    sandbox: Any, session: Session, configuration: Any, project: Any, seed: int, kind: str
) -> None:
    """After each quiet point every loaded value of a session is that of the server."""
    chance = random.Random(seed)
    writer = Writer(session, project, chance)
    options: dict[str, Any] = {"weak_identity_map": kind == "weak"}
    if kind == "shared cache":
        options["cache"] = f"memory://{uuid.uuid4().hex}"
    with sandbox.session(**options) as reader, sandbox.session() as truth:
        with EventInvalidation(reader):
            sentinel = reader.get("Folder", writer.sentinel["id"])
            held = [sentinel]
            for _ in range(ROUNDS):
                read_randomly(reader, project["id"], chance)
                held += reader.query(f'Task where project_id is "{project["id"]}"').all()
                if kind == "cut" and chance.random() < 0.7:
                    cut(reader)
                reading = threading.Thread(
                    target=read_randomly, args=(reader, project["id"], random.Random(seed))
                )
                reading.start()
                writer.work(8)
                reading.join()
                text = writer.signal()
                wait_until(lambda: sentinel["description"] == text, "the event did not arrive")
                assert differences(reader, truth) == []
                assert reader._identity_map.below.resting == {}
        if kind == "shared cache":
            with sandbox.session(cache=options["cache"]) as other:
                ids = [each["id"] for each in held]
                other.get_many("Task", ids)
                assert differences(other, truth) == []


def add_folder(session: Session, parent: Any) -> Any:
    """Return a new committed folder below *parent*."""
    found = session.create("Folder", {"name": f"n{uuid.uuid4().hex[:8]}", "parent": parent})
    session.commit()
    return found


def test_local_changes_stay(reader: Session, session: Session, project: Any) -> None:
    """An event drops the server's values below local changes, and not the changes."""
    folder = add_folder(session, project)
    own = reader.get("Folder", folder["id"])
    own["description"] = "mine"
    own["metadata"]["mine"] = "1"
    assert own["name"] == folder["name"]
    folder["description"] = "theirs"
    folder["name"] = new_name = f"new{uuid.uuid4().hex}"
    folder["metadata"]["theirs"] = "2"
    session.commit()
    wait_until(lambda: own["name"] == new_name, "the name is old")
    assert own["description"] == "mine"
    assert own["metadata"]["mine"] == "1"
    assert reader.modified == [own]
    reader.rollback()
    assert own["description"] == "theirs"
    assert dict(own["metadata"]) == {"theirs": "2"}


def test_changes_can_be_committed_after_an_event(
    reader: Session, session: Session, project: Any
) -> None:
    """A commit sends the local changes only; the other session's changes stay on the server."""
    folder = add_folder(session, project)
    own = reader.get("Folder", folder["id"])
    own["description"] = "mine"
    assert own["name"]
    folder["name"] = new_name = f"new{uuid.uuid4().hex}"
    session.commit()
    wait_until(lambda: own["name"] == new_name, "the name is old")
    reader.commit()
    assert own["description"] == "mine"
    session.populate(folder, "name, description")
    assert (folder["name"], folder["description"]) == (new_name, "mine")


def test_deleted_entities_leave(reader: Session, session: Session, project: Any) -> None:
    """After an event about a deletion, ``get`` finds nothing and lists are shorter."""
    folder = add_folder(session, project)
    own, parent = reader.get("Folder", folder["id"]), reader.get("Project", project["id"])
    children = parent["children"]
    assert own in children
    session.delete(folder)
    session.commit()
    wait_until(lambda: reader.get("Folder", own["id"]) is None, "the folder is still there")
    assert own not in children
    assert parent["children"] is children


def test_held_collections_follow(reader: Session, session: Session, project: Any) -> None:
    """A collection and a mapping that the program holds show the new members."""
    own = reader.get("Project", project["id"])
    children, metadata = own["children"], own["metadata"]
    assert len(children) == 0
    assert dict(metadata) == {}
    folder = add_folder(session, project)
    project["metadata"]["key"] = "value"
    session.commit()
    wait_until(lambda: [each["id"] for each in children] == [folder["id"]], "no new child")
    wait_until(lambda: dict(metadata) == {"key": "value"}, "no new key")


def test_callbacks_see_the_values_of_their_event(
    reader: Session, session: Session, project: Any
) -> None:
    """In a callback for an event, the session has no value from before the event."""
    own = reader.get("Project", project["id"])
    seen: list[str] = []
    reader.event_hub.subscribe("topic=ftrack.update", lambda event: seen.append(own["full_name"]))
    reader.event_hub.wait_connected(PATIENCE)
    for number in range(10):
        assert own["full_name"] is not None
        project["full_name"] = f"name {number}"
        session.commit()
        expected = f"name {number}"
        end = time.monotonic() + PATIENCE
        while expected not in seen:
            assert time.monotonic() < end
            reader.event_hub.wait(0.05)
    assert seen[0] == "name 0"


def test_events_are_not_kept_for_a_program_that_does_not_wait(
    reader: Session, session: Session, project: Any
) -> None:
    """Without other subscribers no event waits for ``wait``; with one, all of its events do."""
    own = reader.get("Project", project["id"])
    before = reader.event_hub._event_queue.qsize()
    project["full_name"] = "first"
    session.commit()
    wait_until(lambda: own["full_name"] == "first", "no event")
    assert reader.event_hub._event_queue.qsize() == before
    reader.event_hub.subscribe("topic=ftrack.update", lambda event: None)
    reader.event_hub.wait_connected(PATIENCE)
    project["full_name"] = "second"
    session.commit()
    wait_until(lambda: reader.event_hub._event_queue.qsize() > before, "no event for wait")


def test_lost_connection_drops_everything(
    sandbox: Any, reader: Session, session: Session, project: Any
) -> None:
    """Changes and deletions during a gap are known after the connection is back."""
    folder, gone = add_folder(session, project), add_folder(session, project)
    own, other = reader.get("Folder", folder["id"]), reader.get("Folder", gone["id"])
    assert own["name"] == folder["name"]
    assert other["name"]
    hub = reader.event_hub
    hub.disconnect(unsubscribe=False, reconnect=True)
    folder["name"] = new_name = f"new{uuid.uuid4().hex}"
    session.delete(gone)
    session.commit()
    assert own["name"] != new_name
    hub.connect()
    cut(reader)
    wait_until(lambda: own["name"] == new_name, "the name is old")
    wait_until(lambda: reader.get("Folder", gone["id"]) is None, "the folder is still there")


def test_start_drops_older_values_and_stop_ends(
    sandbox: Any, session: Session, project: Any
) -> None:
    """Values from before the start are dropped; after the stop they stay as they are."""
    with sandbox.session() as reader:
        own = reader.get("Project", project["id"])
        project["full_name"] = "before the start"
        session.commit()
        freshness = EventInvalidation(reader)
        freshness.start()
        freshness.start()
        assert own["full_name"] == "before the start"
        subscribers = len(reader.event_hub._subscribers)
        freshness.stop()
        freshness.stop()
        assert len(reader.event_hub._subscribers) == subscribers - 1
        assert not any(each.name == "ftrack-invalidation" for each in threading.enumerate())
        project["full_name"] = "after the stop"
        session.commit()
        assert own["full_name"] == "before the start"
        with freshness:
            assert own["full_name"] == "after the stop"


def test_server_without_events_raises_an_error(sandbox: Any) -> None:
    """If the hub cannot connect, the start fails and leaves nothing behind."""
    with sandbox.session() as reader:
        reader.event_hub._api_key = "wrong"
        before = len(reader.event_hub._subscribers)
        with pytest.raises(exception.EventHubConnectionError):
            EventInvalidation(reader).start()
        assert len(reader.event_hub._subscribers) == before


@pytest.mark.parametrize(
    "entity",
    [
        {},
        {"action": "update", "entityType": "socialfeed"},
        {"entityId": 5, "entity_type": "Task"},
        {"entityId": "ID", "entity_type": None, "action": "update"},
        {"entityId": "ID", "entity_type": "Project", "action": "update"},
        {"entityId": "ID", "entity_type": "Project", "changes": None, "parents": None},
        {"entityId": "ID", "entity_type": "Project", "changes": {"a": "b"}, "parents": ["x", {}]},
        {"entityId": "ID", "entity_type": "Unknown", "action": "encoded", "keys": None},
    ],
)
def test_events_of_any_shape_are_handled(
    reader: Session, session: Session, project: Any, entity: dict[str, Any]
) -> None:
    """An event with missing or strange parts does not end the invalidation."""
    own = reader.get("Project", project["id"])
    named = {name: project["id"] if each == "ID" else each for name, each in entity.items()}
    for data in ({"entities": [named]}, {"entities": None}, {}, None, [named]):
        if not session.event_hub.connected:
            session.event_hub.connect()
        session.event_hub.publish(Event(topic="ftrack.update", data=data))
    project["full_name"] = text = uuid.uuid4().hex
    session.commit()
    wait_until(lambda: own["full_name"] == text, "the invalidation has ended")
