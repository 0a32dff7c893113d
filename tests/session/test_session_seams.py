"""What studios override, replace, patch and copy: it is reached when it is needed."""

from __future__ import annotations

import collections
import logging
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests

from ftrack_like import (
    _centralized_storage_scenario,
    cache,
    exception,
    inspection,
    operation,
    symbol,
)
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub
from ftrack_like.session import Session, SessionAuthentication

KEY = "secret-key-1"


class CopiedSession(Session):
    """A session whose constructor was copied from elsewhere, as studios do it."""

    def __init__(self, server_url: str, api_key: str = KEY, api_user: str = "jane") -> None:
        object.__init__(self)
        self.logger = logging.getLogger("studio")
        self._closed = False
        self._server_url = server_url
        self._api_key = api_key
        self._api_user = api_user
        self.recorded_operations = operation.Operations()
        self.set_flags()
        self.cache_key_maker = cache.StringKeyMaker()
        self.cache = cache.LayeredCache([])
        self.cache.caches.append(cache.MemoryCache())
        self.set_lock()
        self.set_request()
        self.request_timeout = 30
        self._server_information = {}
        self._server_information = self._fetch_server_information()
        self.check_server_compatibility()
        self._event_hub = EventHub(server_url, api_user, api_key)
        self._auto_connect_event_hub_thread = None
        self._plugin_paths: Any = []
        self._discover_plugins(plugin_arguments={})
        self.schemas = self._load_schemas(False)
        self.types = self._build_entity_type_classes(self.schemas)
        _centralized_storage_scenario.register(self)
        self._configure_locations()
        self.event_hub.publish(
            Event(topic="ftrack.api.session.ready", data={"session": self}), synchronous=True
        )

    def set_flags(self) -> None:
        """Set the mappings by thread behind the properties, as newer constructors do."""
        self._record_operations = collections.defaultdict(lambda: True)
        self._auto_populate = collections.defaultdict(lambda: True)

    def set_lock(self) -> None:
        """Set the lock, as newer constructors do."""
        self._thread_lock = threading.RLock()

    def set_request(self) -> None:
        """Make the request session by hand."""
        self._managed_request = None
        self._request = requests.Session()
        self._request.auth = SessionAuthentication(self._api_key, self._api_user)
        self._request.headers.update({"x-copied": "1"})
        self._request.cookies.update({"gate": "open"})


class WithoutLock(CopiedSession):
    """The constructor of a time before there was a lock."""

    def set_lock(self) -> None:
        """Set none."""


class WithOwnRequest(CopiedSession):
    """The constructor of a time when the request session was a plain attribute."""

    def set_request(self) -> None:
        """Set it under its inner name alone."""
        self._managed_request = requests.Session()
        self._managed_request.auth = SessionAuthentication(self._api_key, self._api_user)
        self._managed_request.headers.update({"x-copied": "1"})


class WithPlainFlags(WithoutLock):
    """The constructor of a time when settings of threads were plain attributes."""

    def set_flags(self) -> None:
        """Set the attributes."""
        self.record_operations = True
        self.auto_populate = True


COPIES = [CopiedSession, WithoutLock, WithOwnRequest, WithPlainFlags]


@pytest.mark.parametrize("class_", COPIES)
def test_copied_constructors_work(server: Any, class_: type[CopiedSession]) -> None:
    """A session whose constructor is not ours starts, creates, commits, queries and closes."""
    session = class_(server.url)
    assert server.requests[0][2]["x-copied"] == "1"
    task = session.create("Task", {"id": "t", "name": "a"})
    assert session.created == [task]
    session.commit()
    with session.auto_populating(False):
        assert not session.auto_populate
    assert session.auto_populate
    assert session.query("Task").all() == []
    assert session.statistics.requests == 4
    with session._thread_lock:
        pass
    session.reset()
    session.close()
    with pytest.raises(exception.ConnectionClosedError):
        session.query("Task").all()


@pytest.mark.parametrize("class_", COPIES)
def test_copied_constructors_do_a_day_of_work(
    sandbox: Any, class_: type[CopiedSession], tmp_path: Path
) -> None:
    """Such a session publishes, reads what it lacks, hears events, and takes changes back."""
    session = class_(sandbox.server_url, sandbox.api_key, sandbox.api_user)
    schema = session.query("ProjectSchema order by name").first()
    project = session.create("Project", {"name": "copied", "project_schema": schema})
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    shot["metadata"]["turnover"] = "a"
    session.commit()
    session.reset()
    shot = session.query("select id from Shot").one()
    assert (shot["parent"]["name"], shot["metadata"]["turnover"]) == ("copied", "a")
    shot["name"] = "changed"
    session.rollback()
    assert shot["name"] == "sh010"
    (tmp_path / "plate.exr").write_bytes(b"pixels")
    server_location = session.get("Location", symbol.SERVER_LOCATION_ID)
    component = session.create_component(str(tmp_path / "plate.exr"), location=server_location)
    availability = session.get_component_availability(component)
    assert availability[symbol.SERVER_LOCATION_ID] == 100.0
    session.event_hub.connect()
    heard: list[Any] = []
    session.event_hub.subscribe("topic=copied", heard.append)
    assert session.event_hub.wait_connected(10)
    session.event_hub.publish(Event(topic="copied"))
    for _ in range(100):
        session.event_hub.wait(0.05)
        if heard:
            break
    assert len(heard) == 1
    session.close()
    assert not session.event_hub.connected


def test_thread_settings_of_a_copied_constructor(server: Any) -> None:
    """Mappings keyed by thread that a copied constructor sets keep their meaning."""
    session = CopiedSession(server.url)
    session.__dict__["_auto_populate"] = collections.defaultdict(lambda: False)
    session.__dict__["_record_operations"] = {threading.get_ident(): False}
    assert not session.auto_populate
    assert not session.record_operations
    session.close()


def test_attributes_may_be_added(server: Any, open_session: Any) -> None:
    """Any attribute can be set on a session."""
    session = open_session(server)
    session.studio_project = "x"
    assert session.studio_project == "x"


@pytest.mark.parametrize("name", ["call", "_call"])
def test_replaced_call_is_the_one_that_is_used(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Queries, gets, commits and remote actions all go through the call that is there now."""
    session = open_session(server)
    task = session.create("Task", {"id": "t"}, reconstructing=True)
    asked = []
    original = getattr(session, name)

    def noting(batch: Any) -> Any:
        asked.extend(each["action"] for each in batch)
        return original(batch)

    monkeypatch.setattr(session, name, noting)
    session.query("Task").all()
    session.get("Task", "x")
    task["name"] = "b"
    session.commit()
    session.send_user_invite({"id": "u"})
    assert asked == ["query", "query", "update", "send_user_invite"]


def test_overridden_methods_are_reached(server: Any) -> None:
    """``get``, ``ensure`` and ``populate`` go through the methods that a subclass overrides."""
    told = []

    class Told(Session):
        """A session that notes its calls."""

        def query(self, expression: str, page_size: int = 500) -> Any:
            told.append("query")
            return super().query(expression, page_size)

        def create(self, *arguments: Any, **keywords: Any) -> Any:
            told.append("create")
            return super().create(*arguments, **keywords)

        def commit(self) -> None:
            told.append("commit")
            super().commit()

    with Told(server.url, KEY, "jane", schema_cache_path=False) as session:
        assert set(told) <= {"create"}  # The locations.
        del told[:]
        session.get("Task", "1")
        assert told == ["query"]
        session.ensure("Task", {"name": "a"})
        assert told == ["query", "query", "create", "commit"]
        del told[:]
        task = session.create("Task", {"id": "1"}, reconstructing=True)
        session.populate([task], "name")
        assert told == ["create", "query"]


def test_overridden_decoding_is_reached(server: Any, replies: Any) -> None:
    """A session that decodes its own way sees every object that the server sends."""
    record = {"__entity_type__": "Task", "id": "1", "name": "a"}

    class Decoding(Session):
        """A session that shouts."""

        def _decode(self, item: Any) -> Any:
            if "__entity_type__" in item:
                item["name"] = item["name"].upper()
            return super()._decode(item)

    with Decoding(server.url, KEY, "jane", schema_cache_path=False) as session:
        server.answer = lambda batch: [{"action": "query", "data": [record], "metadata": {}}]
        assert session.query("Task").all()[0]["name"] == "A"


def test_overridden_encoding_is_reached(server: Any, open_session: Any) -> None:
    """A patched ``_encode`` sees what JSON has no form for."""
    session = open_session(server)
    with mock.patch.object(session, "_encode", side_effect=lambda item, **_: "encoded"):
        assert session.encode({"a": object()}) == '{"a": "encoded"}'


def test_cache_may_be_replaced_whole(server: Any, open_session: Any) -> None:
    """Another cache set on a session is the one that entities go to."""
    session = open_session(server)
    session.cache = cache.LayeredCache([cache.MemoryCache()])
    task = session.create("Task", {"id": "t"}, reconstructing=True)
    assert session._local_cache is session.cache.caches[0]
    assert session.cache.get(str(("Task", ["t"]))) is task
    session._local_cache.clear()
    assert session._local_cache.values() == []


def test_cache_below_memory(server: Any, open_session: Any) -> None:
    """A cache given as object, or as function of the session, stands below the memory cache."""
    own = cache.MemoryCache()
    assert open_session(server, cache=own).cache.caches[1] is own
    seen = []

    def make(session: Any) -> Any:
        seen.append(session)
        return own

    made = open_session(server, cache=make)
    assert (seen, made.cache.caches[1]) == ([made], own)
    assert len(open_session(server, cache=lambda session: None).cache.caches) == 1


def test_key_maker_is_used(server: Any, open_session: Any) -> None:
    """Another key maker makes the keys of all entities."""

    class Upper(cache.StringKeyMaker):
        """A key maker that shouts."""

        def _key(self, obj: Any) -> str:
            return super()._key(obj).upper()

    session = open_session(server, cache_key_maker=Upper())
    task = session.create("Task", {"id": "t"}, reconstructing=True)
    assert session.get("Task", "t") is task
    assert "('TASK', ['T'])" in session.cache.keys()


def test_request_session_is_a_real_one(server: Any, open_session: Any) -> None:
    """The request session can be used, patched and replaced."""
    session = open_session(server)
    assert isinstance(session._request, requests.Session)
    assert session._request is session._managed_request
    replacement = requests.Session()
    replacement.headers["x-mine"] = "1"
    session._request = replacement
    session.query("Task").all()
    assert server.requests[-1][2]["x-mine"] == "1"
    assert "ftrack-api-key" not in server.requests[-1][2]
    with mock.patch.object(session._request, "post") as post:
        response = post.return_value
        response.status_code = 200
        response.headers = {}
        response.text = '[{"action": "query", "data": [], "metadata": {"next": {"offset": null}}}]'
        assert session.query("Task").all() == []
    assert post.call_args[0] == (f"{server.url}/api",)
    assert post.call_args[1]["timeout"] == 60


def test_inspection_and_plugins_are_reached_through_their_modules(
    server: Any, open_session: Any, tmp_path: Path
) -> None:
    """Tests that patch ``plugin.discover`` and ``inspection.primary_key`` are heard."""
    with mock.patch("ftrack_like.plugin.discover") as discover:
        session = open_session(server, plugin_paths=["/a"], plugin_arguments={"b": 1})
    assert discover.call_args == mock.call(["/a"], [session], {"b": 1})
    with mock.patch("ftrack_like.inspection.primary_key", return_value={"id": "patched"}):
        assert session.entity_reference(mock.Mock(entity_type="Task"))["id"] == "patched"


def test_entity_reference_takes_anything_like_an_entity(server: Any, open_session: Any) -> None:
    """A reference needs type and key attributes, and asks once not to load anything."""

    class Duck(dict):
        """Something like an entity."""

        entity_type = "Duck"
        primary_key_attributes = ["id"]

    session = open_session(server)
    with mock.patch.object(session, "auto_populating", wraps=session.auto_populating) as asked:
        assert session.entity_reference(Duck(id="1")) == {"__entity_type__": "Duck", "id": "1"}
    asked.assert_called_once_with(False)


def test_event_hub_class(server: Any, open_session: Any) -> None:
    """Another class of hub is used, with the settings that it knows."""
    made = []

    class OldHub(EventHub):
        """A hub with the signature of old."""

        def __init__(
            self, server_url: str, api_user: str, api_key: str, headers: Any, cookies: Any
        ) -> None:
            made.append((headers, cookies))
            super().__init__(server_url, api_user, api_key)

    session = open_session(server, event_hub_class=OldHub, headers={"a": "b"}, cookies={"c": "d"})
    assert isinstance(session.event_hub, OldHub)
    assert made == [({"a": "b"}, {"c": "d"})]

    class NewHub(EventHub):
        """A hub that notes its settings."""

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            made.append(keywords)
            super().__init__(*arguments, **keywords)

    open_session(server, event_hub_class=NewHub, verify=False, connect_timeout=3)
    assert made[1]["verify"] is False
    assert made[1]["connect_timeout"] == 3


PLUGIN = """
seen = []

def register(session):
    from ftrack_like import session as module
    session.found = session.query("Task").all()
    session.task = session.create("Task", {"id": "plugin", "name": "x"}, reconstructing=True)
"""


def test_query_inside_register(server: Any, open_session: Any, tmp_path: Path) -> None:
    """A plugin may query while the session is starting."""
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    session = open_session(server, plugin_paths=[str(tmp_path)])
    assert session.found == []
    assert session.get("Task", "plugin") is session.task
    assert server.actions == [["query_server_information"], ["query_schemas"], ["query"]]


CONSTRUCTING = """
from ftrack_like.entity.factory import StandardFactory

def register(session):
    def construct(event):
        made = StandardFactory().create(event["data"]["schema"])
        made.built_by = "plugin"
        return made

    session.event_hub.subscribe("topic=ftrack.api.session.construct-entity-type", construct)
"""


def test_types_are_built_by_all_plugins(server: Any, open_session: Any, tmp_path: Path) -> None:
    """A plugin that builds classes has its say also when another one queried before it."""
    (tmp_path / "a.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "b.py").write_text(CONSTRUCTING, encoding="utf-8")
    session = open_session(server, plugin_paths=[str(tmp_path)])
    assert session.types["Task"].built_by == "plugin"
    assert session.create("Task", {}).built_by == "plugin"


def test_one_path_of_plugins_as_text(server: Any, open_session: Any, tmp_path: Path) -> None:
    """A single folder may be given as text; the variable may name several."""
    assert open_session(server, plugin_paths=str(tmp_path))._plugin_paths == [str(tmp_path)]


def test_plugin_folders_of_the_environment(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the argument, the variable names the folders."""
    monkeypatch.setenv("FTRACK_EVENT_PLUGIN_PATH", "/a:/b")
    monkeypatch.setattr("os.pathsep", ":")
    assert open_session(server, plugin_paths=None)._plugin_paths == ["/a", "/b"]


def test_server_information_is_a_copy(server: Any, open_session: Any) -> None:
    """Changing what the session tells of the server changes nothing in the session."""
    session = open_session(server)
    session.server_information["version"] = "changed"
    assert session.server_information["version"] == "4.13.8"
    assert inspection.state(session.create("Task", {})) is not None
