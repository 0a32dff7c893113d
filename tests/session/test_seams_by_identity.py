"""Every method that programs may replace is called, however it was replaced.

A replacement may be decorated by ``functools.wraps``, patched on the class, set on one object, or
defined by a subclass. Each row of the tables names a method and some work that reaches it.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional
from unittest import mock

import pytest
import websocket

import ftrack_like
from ftrack_like import cache, inspection, operation, plugin
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.entity.factory import StandardFactory
from ftrack_like.entity.location import Location
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub
from ftrack_like.session import Session
from ftrack_like.structure.entity_id import EntityIdStructure
from ftrack_like.structure.id import IdStructure
from ftrack_like.structure.standard import StandardStructure

KINDS = ["wrapped", "patched", "instance", "subclass"]
PATIENCE = 20


class Replacing:
    """Replaces a method in one of four ways, and counts its calls."""

    def __init__(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kind = kind
        self.calls = 0
        self._monkeypatch = monkeypatch

    def noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts and calls *function*."""

        def note(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            return function(*arguments, **options)

        return functools.wraps(function)(note) if self.kind == "wrapped" else note

    def in_class(self, class_: type, name: str) -> Any:
        """Return *class_*, or one derived from it, with the method *name* replaced."""
        note = self.noting(getattr(class_, name))
        if self.kind in ("wrapped", "patched"):
            self._monkeypatch.setattr(class_, name, note)
            return class_
        if self.kind == "subclass":
            return type(f"Studio{class_.__name__}", (class_,), {name: note})

        def initialise(made: Any, *arguments: Any, **options: Any) -> None:
            # Before anything else, as the constructor calls some of the methods.
            setattr(made, name, functools.partial(note, made))
            class_.__init__(made, *arguments, **options)

        return type(class_.__name__, (class_,), {"__init__": initialise})

    def on(self, instance: Any, class_: type, name: str) -> None:
        """Replace the method *name* of *instance*, whose own *class_* defines it."""
        note = self.noting(getattr(class_, name))
        if self.kind in ("wrapped", "patched"):
            self._monkeypatch.setattr(class_, name, note)
        elif self.kind == "instance":
            setattr(instance, name, functools.partial(note, instance))
        else:
            ftrack_like.mixin(instance, type("Studio", (), {name: note}), name="Studio")


@pytest.fixture(params=KINDS)
def replacing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Replacing:
    """Return what replaces a method in one of the ways."""
    return Replacing(request.param, monkeypatch)


class Work:
    """What a session does in a table of methods, on a project."""

    def __init__(self, sandbox: Any, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        with sandbox.session() as session:
            schema = session.query("ProjectSchema order by name").first()
            data = {"name": "seams", "full_name": "seams", "project_schema": schema}
            project = session.create("Project", data)
            shot = session.create("Shot", {"name": "shot", "parent": project})
            session.commit()
            self.project_id, self.shot_id = project["id"], shot["id"]

    def open(self, class_: Any, **options: Any) -> Any:
        """Return a session of *class_*."""
        place = self.sandbox
        settings = {"schema_cache_path": str(self.folder / "schemas"), "plugin_paths": []}
        return class_(place.server_url, place.api_key, place.api_user, **{**settings, **options})

    def file(self, name: str = "a.txt") -> str:
        """Return the path of a new file."""
        (self.folder / name).write_text("content")
        return str(self.folder / name)


@pytest.fixture
def work(sandbox: Any, tmp_path: Path) -> Work:
    """Return work to do on a project of the sandbox."""
    return Work(sandbox, tmp_path)


class Seam(NamedTuple):
    """The method *name*, and the *reach* that calls it, with a session and the work."""

    name: str
    #: None if the start of the session reaches it.
    reach: Optional[Callable[[Any, Work], Any]] = None


def _query(session: Any, work: Work) -> Any:
    return session.query("select name from Shot").all()


def _shot(session: Any, work: Work) -> Any:
    return session.query(f'select id from Shot where id is "{work.shot_id}"').one()


def _read(session: Any, work: Work) -> Any:
    assert _shot(session, work)["description"] in ("", None)


def _change(session: Any, work: Work) -> None:
    _shot(session, work)["description"] = "changed"
    session.commit()
    assert not session.recorded_operations


def _ensure(session: Any, work: Work) -> Any:
    data = {"name": "made", "parent_id": work.project_id}
    assert session.ensure("Shot", data)["name"] == "made"


def _forget_metadata(session: Any, work: Work) -> None:
    shot = _shot(session, work)
    shot["metadata"]["key"] = "value"
    session.commit()
    del shot["metadata"]["key"]
    session.commit()


def _reset(session: Any, work: Work) -> None:
    session.reset()


def _roll_back(session: Any, work: Work) -> None:
    _shot(session, work)["description"] = "no"
    session.rollback()


def _refer(session: Any, work: Work) -> None:
    session.entity_reference(_shot(session, work))


def _publish_component(session: Any, work: Work) -> None:
    session.create_component(work.file(), location=_location(session, work))


SESSION = [
    Seam("call", _query),
    Seam("call", _change),
    Seam("_call", _query),
    Seam("create", _ensure),
    Seam("create", _publish_component),
    Seam("create"),
    Seam("query", lambda session, work: session.get("Shot", work.shot_id)),
    Seam("query", _ensure),
    Seam("query", lambda s, work: s.populate(_shot(s, work), "description")),
    Seam("commit", _ensure),
    Seam("commit", _publish_component),
    Seam("populate", _read),
    Seam("delete", _forget_metadata),
    Seam("rollback", _roll_back),
    Seam("auto_populating", _refer),
    Seam("_create", _query),
    Seam("_create", lambda session, work: session.create("Shot")),
    Seam("_merge", _query),
    Seam("merge", _query),
    Seam("merge", _change),
    Seam("_encode", _change),
    Seam("_decode", _query),
    Seam("_decode", _change),
    Seam("decode", _query),
    Seam("encode", _query),
    Seam("_load_schemas"),
    Seam("_read_schemas_from_cache"),
    Seam("_write_schemas_to_cache"),
    Seam("_build_entity_type_classes"),
    Seam("_configure_locations"),
    Seam("_configure_locations", _reset),
    Seam("_discover_plugins"),
    Seam("_fetch_server_information"),
    Seam("check_server_compatibility"),
    Seam("close", lambda session, work: session.__exit__(None, None, None)),
]


@pytest.mark.parametrize("seam", SESSION, ids=lambda seam: seam.name)
def test_session(seam: Seam, replacing: Replacing, work: Work) -> None:
    """A replaced method of a session is called by the work that it is for."""
    if seam.name in ("_load_schemas", "_read_schemas_from_cache"):
        work.open(Session).close()  # With a file of schemas, which a short cut could take.
    with work.open(replacing.in_class(Session, seam.name)) as session:
        if seam.reach is not None:
            replacing.calls = 0
            seam.reach(session, work)
    assert replacing.calls


def test_upload_asks_by_a_replaced_method(
    replacing: Replacing, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload of many parts asks a replaced ``get_upload_metadata`` as the older clients do."""
    monkeypatch.setattr("ftrack_like.accessor._sending.count_parts", lambda size: 2)
    asked = []
    original = Session.get_upload_metadata

    def older(
        self: Any, component_id: str, file_name: str, file_size: int, checksum: Any = None
    ) -> Any:
        asked.append(file_name)
        return original(self, component_id, file_name, file_size, checksum)

    if replacing.kind == "wrapped":
        # The signature that reflection finds is the original's, which takes parts.
        older = functools.wraps(original)(older)
    with monkeypatch.context() as patch:
        patch.setattr(replacing, "noting", lambda function: older)
        class_ = replacing.in_class(Session, "get_upload_metadata")
    if replacing.kind in ("wrapped", "patched"):
        monkeypatch.setattr(Session, "get_upload_metadata", older)
    with work.open(class_) as session:
        server = session.query('Location where name is "ftrack.server"').one()
        session.create_component(work.file(), location=server)
    assert asked == ["main.txt"]


def _connected(hub: Any) -> None:
    if hub.connected:
        hub.disconnect(unsubscribe=False)
    hub.connect()
    hub.close()


def _reconnected(hub: Any) -> None:
    hub.reconnect(attempts=1)
    hub.reconnect(attempts=1)
    hub.close()


def _until(hub: Any, condition: Callable[[], Any]) -> None:
    """Handle events until *condition* is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        hub.wait(0.05)


def _published(hub: Any) -> None:
    seen: list[Event] = []
    if not hub.connected:
        hub.connect()
    hub.subscribe("topic=studio.question", lambda event: "answer")
    assert hub._courier.wait_ready(PATIENCE)
    hub.publish(Event("studio.question"), on_reply=seen.append)
    _until(hub, lambda: seen)
    assert seen[0]["data"] == "answer"
    # Received events are acknowledged together, a moment later.
    _until(hub, lambda: hub._courier._arrivals.left(0.0) is None)
    hub.close()


def _published_here(hub: Any) -> None:
    hub.subscribe("topic=here", lambda event: 1)
    assert hub.publish(Event("here"), synchronous=True) == [1]


def _unsubscribed(hub: Any) -> None:
    if not hub.connected:
        hub.connect()
    with hub.subscription("topic=studio.question", print):
        assert hub._courier.wait_ready(PATIENCE)
    _until(hub, lambda: not hub._packet_callbacks)
    hub.close()


def _replied(hub: Any) -> None:
    hub.init_connection()
    hub.publish_reply(Event("question", source={"id": "1"}), "answer")


HUB = [
    ("_handle", _published_here),
    ("_handle", _published),
    ("_handle_packet", _published),
    ("_handle_reply", _published),
    ("_send_packet", _published),
    ("_send_packet", _connected),
    ("_acknowledge_packet", _published),
    ("_add_packet_callback", _published),
    ("_pop_packet_callback", _published),
    ("_emit_event_packet", _published),
    ("_get_socket_io_session", _connected),
    ("_prepare_event", _published_here),
    ("_prepare_event", _published),
    ("_prepare_reply_event", _published),
    ("_publish", _published_here),
    ("_on_published", _published),
    ("_add_subscriber", _published_here),
    ("_notify_server_about_subscriber", _published_here),
    ("_on_subscribed", _unsubscribed),
    ("_on_unsubscribed", _unsubscribed),
    ("_encode", _published),
    ("_encode_object_hook", _published),
    ("_decode", _published),
    ("_decode_object_hook", _published),
    ("connect", _reconnected),
    ("disconnect", _reconnected),
    ("init_connection", _connected),
    ("get_server_url", _connected),
    ("get_network_location", _connected),
    ("get_subscriber_by_identifier", _unsubscribed),
    ("publish", _replied),
    ("publish_reply", _published),
    ("subscribe", _unsubscribed),
    ("unsubscribe", _unsubscribed),
]


@pytest.mark.parametrize(("name", "reach"), HUB)
def test_event_hub(
    name: str, reach: Callable[[Any], None], replacing: Replacing, sandbox: Any
) -> None:
    """A replaced method of an event hub is called."""
    class_ = replacing.in_class(EventHub, name)
    hub = class_(sandbox.server_url, sandbox.api_user, sandbox.api_key)
    reach(hub)
    hub.close()
    assert replacing.calls


@pytest.mark.parametrize("replacing", ["instance", "patched"], indirect=True)
@pytest.mark.parametrize(("name", "reach"), HUB)
def test_event_hub_that_is_connected(
    name: str, reach: Callable[[Any], None], replacing: Replacing, sandbox: Any
) -> None:
    """A method that is replaced while the hub is connected is called from then on."""
    hub = EventHub(sandbox.server_url, sandbox.api_user, sandbox.api_key)
    hub.connect()
    assert hub.wait_connected(PATIENCE)
    replacing.on(hub, EventHub, name)
    reach(hub)
    hub.close()
    assert replacing.calls


@pytest.mark.parametrize("name", ["connected", "secure"])
@pytest.mark.parametrize("kind", ["patched", "subclass"])
def test_properties_of_event_hub(
    name: str, kind: str, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replaced property of an event hub is read."""
    reads: list[str] = []
    original = getattr(EventHub, name)

    def read(self: Any) -> Any:
        reads.append(name)
        return original.fget(self)

    class_: Any = EventHub
    if kind == "patched":
        monkeypatch.setattr(EventHub, name, property(read))
    else:
        class_ = type("StudioHub", (EventHub,), {name: property(read)})
    hub = class_(sandbox.server_url, sandbox.api_user, sandbox.api_key)
    hub.connect()
    hub.close()
    assert reads


@pytest.mark.parametrize("takes", ["everything", "the older arguments"])
def test_session_makes_a_hub_with_a_replaced_constructor(
    takes: str, replacing: Replacing, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session makes its hub by a replaced constructor, which may take less than ours."""
    original = EventHub.__init__

    def everything(self: Any, *arguments: Any, **options: Any) -> None:
        replacing.calls += 1
        original(self, *arguments, **options)

    def older(
        self: Any, url: str, user: str, key: str, headers: Any = None, cookies: Any = None
    ) -> None:
        replacing.calls += 1
        original(self, url, user, key, headers, cookies)

    made = everything if takes == "everything" else older
    if replacing.kind in ("wrapped", "patched"):
        note = functools.wraps(original)(made) if replacing.kind == "wrapped" else made
        monkeypatch.setattr(EventHub, "__init__", note)
        class_: Any = None
    elif replacing.kind == "subclass":
        class_ = type("StudioHub", (EventHub,), {"__init__": made})
    else:
        # A function that stands for the class, decorated around an older one.
        class_ = functools.wraps(older)(
            lambda *a, **k: [hub := EventHub.__new__(EventHub), made(hub, *a, **k)][0]
        )
    with work.open(Session, verify=False, event_hub_class=class_) as session:
        assert replacing.calls == 1
        assert isinstance(session.event_hub, EventHub)
        if takes == "everything" and replacing.kind in ("wrapped", "patched", "subclass"):
            assert session.event_hub._settings.verify is False


def _location(session: Any, work: Work, structure: Any = None) -> Any:
    location = session.ensure("Location", {"name": "studio"})
    (work.folder / "store").mkdir(exist_ok=True)
    location.accessor = DiskAccessor(prefix=str(work.folder / "store"))
    location.structure = structure or EntityIdStructure()
    return location


def _sequence(session: Any, work: Work) -> Any:
    for number in (1, 2, 3):
        work.file(f"f.{number:04d}.png")
    path = str(work.folder / "f.%04d.png [1-3]")
    return session.create_component(path, {"name": "main"}, location=None)


LOCATION = [
    "_add_data",
    "_get_context",
    "_register_components_in_location",
    "get_resource_identifiers",
    "add_components",
]


@pytest.mark.parametrize("several", [False, True], ids=["file", "sequence"])
@pytest.mark.parametrize("name", LOCATION)
def test_location_adds(name: str, several: bool, replacing: Replacing, work: Work) -> None:
    """A replaced method of a location is called when a component is added, for each file."""
    with work.open(Session) as session:
        origin = session.query('Location where name is "ftrack.origin"').one()
        location = _location(session, work)
        if several:
            component = _sequence(session, work)
        else:
            component = session.create_component(work.file(), location=None)
        replacing.on(location, Location, name)
        location.add_component(component, origin)
        if several and name in ("_add_data", "_get_context"):
            assert replacing.calls >= 3
        assert replacing.calls
        assert session.get_component_availability(component, [location]) == {location["id"]: 100.0}


@pytest.mark.parametrize(
    "name", ["_remove_data", "_deregister_component_in_location", "remove_components"]
)
def test_location_removes(name: str, replacing: Replacing, work: Work) -> None:
    """A replaced method of a location is called when components are removed."""
    with work.open(Session) as session:
        location = _location(session, work)
        component = session.create_component(work.file(), location=location)
        replacing.on(location, Location, name)
        location.remove_component(component)
        assert replacing.calls
        assert session.get_component_availability(component, [location]) == {location["id"]: 0.0}


def test_location_registers_one(replacing: Replacing, work: Work) -> None:
    """A replaced ``_register_component_in_location`` is what others call for one component."""
    with work.open(Session) as session:
        location = _location(session, work)
        component = session.create_component(work.file(), location=None)
        replacing.on(location, Location, "_register_component_in_location")
        location._register_component_in_location(component, "somewhere")
        assert replacing.calls == 1
        assert location.get_resource_identifier(component) == "somewhere"


STRUCTURE = ["_get_parts", "sanitise_for_filesystem", "_get_sequence_expression", "_format_version"]


@pytest.mark.parametrize("name", STRUCTURE)
def test_standard_structure(name: str, replacing: Replacing, work: Work) -> None:
    """A replaced method of a structure decides where data goes."""
    with work.open(Session) as session:
        shot = _shot(session, work)
        asset = session.create("Asset", {"name": "asset", "parent": shot})
        version = session.create("AssetVersion", {"asset": asset})
        session.commit()
        component = _sequence(session, work)
        component["version"] = version
        session.commit()
        structure = replacing.in_class(StandardStructure, name)()
        _location(session, work, structure).add_component(
            component, session.query('Location where name is "ftrack.origin"').one()
        )
    assert replacing.calls


@pytest.mark.parametrize("kind", ["class", "instance", "subclass"])
@pytest.mark.parametrize(
    ("class_", "name", "value", "expected"),
    [
        (IdStructure, "path_separator", "!", "!"),
        (IdStructure, "prefix", "shelf", "shelf/"),
        (StandardStructure, "illegal_character_substitute", "-", "a-b"),
        (StandardStructure, "project_versions_prefix", "versions", "/versions/"),
    ],
)
def test_attributes_of_structures(
    kind: str, class_: Any, name: str, value: str, expected: str, work: Work
) -> None:
    """An attribute of a structure counts as it is now, also as a property of a subclass."""
    given = property(lambda self: value, lambda self, new: None)
    chosen = type("Studio", (class_,), {name: given}) if kind == "subclass" else class_
    structure = chosen()
    if kind != "subclass":
        setattr(structure, name, value)
    with work.open(Session) as session:
        project = session.get("Project", work.project_id)
        asset = session.create("Asset", {"name": "a b", "parent": project})
        version = session.create("AssetVersion", {"asset": asset})
        session.commit()
        data = {"name": "main", "version": version, "file_type": ".txt"}
        component = session.create("FileComponent", data)
        session.commit()
        place = structure.get_resource_identifier(component)
    assert expected in place
    assert name != "path_separator" or "/" not in place


@pytest.mark.parametrize("kind", ["instance", "subclass"])
def test_prefix_of_a_disk(kind: str, tmp_path: Path) -> None:
    """The prefix of a disk accessor may change, or be a property of a subclass."""
    chosen = str(tmp_path / "chosen")
    given = property(lambda self: chosen, lambda self, value: None)
    class_ = type("Studio", (DiskAccessor,), {"prefix": given})
    accessor = (DiskAccessor if kind == "instance" else class_)(prefix=str(tmp_path))
    if kind == "instance":
        accessor.prefix = chosen
    accessor.make_container("")
    with accessor.open("a.txt", "wb") as file:
        file.write(b"1")
    assert (tmp_path / "chosen" / "a.txt").read_bytes() == b"1"


def _use_file_cache(made: Any) -> None:
    made.set("a", "1")
    assert made.get("a") == "1"
    assert made.keys() == ["a"]
    made.set_many({"b": "2"})
    made.remove("a")


def test_file_cache(replacing: Replacing, tmp_path: Path) -> None:
    """A replaced ``_database`` of a file cache is what all methods work on."""
    _use_file_cache(replacing.in_class(cache.FileCache, "_database")(tmp_path / "cache"))
    assert replacing.calls == 5


def test_file_cache_sets_many(replacing: Replacing, tmp_path: Path) -> None:
    """A file cache below a session stores by a replaced ``set``."""
    made = replacing.in_class(cache.FileCache, "set")(tmp_path / "cache")
    cache.SerialisedCache(made, encode=str, decode=str).set_many({"a": "1", "b": "2"})
    assert replacing.calls == 2


@pytest.mark.parametrize("name", ["get", "set", "values"])
def test_local_cache(name: str, replacing: Replacing, work: Work) -> None:
    """A replaced method of a session's memory is what the session finds and keeps entities by."""
    with work.open(Session) as session:
        memory = replacing.in_class(cache.MemoryCache, name)()
        session.cache.caches[0] = memory
        shot = _shot(session, work)
        assert _shot(session, work) is shot
        assert shot in session._local_cache.values()
    assert replacing.calls


@pytest.mark.parametrize("name", ["key", "_key"])
def test_cache_key_maker(name: str, replacing: Replacing, work: Work) -> None:
    """A replaced maker of keys makes the keys of the session's cache."""
    maker = replacing.in_class(cache.StringKeyMaker, name)()
    with work.open(Session, cache_key_maker=maker) as session:
        replacing.calls = 0
        assert session.get("Shot", work.shot_id) is _shot(session, work)
    assert replacing.calls


def test_recorded_operations(replacing: Replacing, work: Work) -> None:
    """A replaced ``push`` gets every change."""
    with work.open(Session) as session:
        shot = _shot(session, work)
        session.recorded_operations = replacing.in_class(operation.Operations, "push")()
        shot["name"] = "a"
        shot["name"] = "b"
        shot["parent"] = session.get("Project", work.project_id)
        assert replacing.calls == len(session.recorded_operations) == 3


@pytest.mark.parametrize(
    "name", ["create_scalar_attribute", "create_mapped_collection_attribute", "create"]
)
def test_factory(name: str, replacing: Replacing, work: Work) -> None:
    """A replaced method of the factory makes attributes, also when others were made before."""
    with work.open(Session) as session:
        schemas = session.schemas
    factory = replacing.in_class(StandardFactory, name)()
    schema = next(each for each in schemas if each["id"] == "Task")
    factory.create(schema)
    assert replacing.calls


MODULES = [
    (plugin, "discover", lambda work: work.open(Session, plugin_paths=["/studio"]).close()),
    (inspection, "primary_key", lambda work: _with_session(work, _refer)),
    (inspection, "primary_key", lambda work: _with_session(work, _delete)),
    (inspection, "identity", lambda work: _with_session(work, _compare)),
    (websocket, "create_connection", lambda work: _connected(_hub_of(work.sandbox))),
]


def _with_session(work: Work, reach: Callable[[Any, Work], Any]) -> None:
    with work.open(Session) as session:
        reach(session, work)


def _delete(session: Any, work: Work) -> None:
    session.delete(_shot(session, work))


def _compare(session: Any, work: Work) -> None:
    class Duck(dict):  # type: ignore[type-arg]
        """Something like an entity."""

        entity_type = "Shot"
        primary_key_attributes = ("id",)

    assert _shot(session, work) == Duck(id=work.shot_id)


def _hub_of(sandbox: Any) -> EventHub:
    return EventHub(sandbox.server_url, sandbox.api_user, sandbox.api_key)


@pytest.mark.parametrize("kind", ["wrapped", "patched", "mock"])
@pytest.mark.parametrize(("module", "name", "reach"), MODULES)
def test_functions_of_modules(
    module: Any, name: str, reach: Any, kind: str, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that is patched in its module is the one that is called."""
    replacing = Replacing(kind, monkeypatch)
    original = getattr(module, name)
    if kind == "mock":
        with mock.patch.object(module, name, wraps=original) as patched:
            reach(work)
        assert patched.called
        return
    monkeypatch.setattr(module, name, replacing.noting(original))
    reach(work)
    assert replacing.calls


def test_bound_method_of_another_session_counts(work: Work) -> None:
    """The method of another session, set on this one, is the one that is called."""
    with work.open(Session) as session, work.open(Session) as other:
        session.merge = other.merge
        assert _shot(session, work) is _shot(other, work)


def test_own_method_set_again_changes_nothing(work: Work) -> None:
    """A session whose own bound method is set on it works as before."""
    with work.open(Session) as session:
        for name in ("merge", "_merge", "_create", "_decode"):
            setattr(session, name, getattr(session, name))
        assert not session._loader.takes_plain_path()
        assert _shot(session, work) is _shot(session, work)


def test_short_cut_is_taken_again_after_a_patch(work: Work) -> None:
    """Once a patch is over, the session reads as quickly as before."""
    with work.open(Session) as session:
        with mock.patch.object(Session, "merge", autospec=True, side_effect=Session.merge):
            assert session._loader.takes_plain_path()
        assert not session._loader.takes_plain_path()
