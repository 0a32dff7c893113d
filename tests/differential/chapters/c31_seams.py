"""Which methods that studios override are reached by what: each notes that it was called."""

from __future__ import annotations

from typing import Any
from unittest import mock

import websocket
from book import Stage, step

#: What subclasses and tests replace on sessions.
SESSION = (
    "call create query get ensure commit populate delete rollback merge _create _merge".split()
)
SESSION += "_encode _decode _load_schemas _read_schemas_from_cache _write_schemas_to_cache".split()
SESSION += "_build_entity_type_classes _configure_locations _discover_plugins".split()
SESSION += "_fetch_server_information check_server_compatibility reset close pick_location".split()
LOCATION = "_add_data _get_context _register_components_in_location _remove_data".split()
LOCATION += (
    "_register_component_in_location _deregister_component_in_location add_component".split()
)
LOCATION += "add_components remove_component remove_components get_resource_identifier".split()
LOCATION += "get_resource_identifiers get_filesystem_path get_filesystem_paths".split()
ACCESSOR = "exists open remove make_container get_container get_filesystem_path".split()
STRUCTURE = "get_resource_identifier get_resource_identifiers _get_parts".split()
STRUCTURE += "sanitise_for_filesystem _get_sequence_expression _format_version".split()

#: An answer to a query that finds nothing.
NOTHING = {"action": "query", "data": [], "metadata": {"next": {"offset": None}}}


def noting(base: Any, names: list[str], called: set[str], label: str = "") -> Any:
    """Return a subclass of *base* whose methods *names* note in *called* that they were called."""

    def method(name: str) -> Any:
        def note(self: Any, *arguments: Any, **options: Any) -> Any:
            called.add(f"{label}{name}")
            return getattr(super(made, self), name)(*arguments, **options)

        return note

    made = type(f"Noting{base.__name__}", (base,), {name: method(name) for name in names})
    return made


class Studio:
    """A session of a class that notes, and what it noted."""

    def __init__(self, stage: Stage, names: list[str]) -> None:
        self.stage = stage
        self.called: set[str] = set()
        options = {"plugin_paths": [], "schema_cache_path": str(stage.schema_folder)}
        self.session = noting(stage.api.Session, names, self.called)(
            **{**stage.server, **options, **stage.options, "auto_connect_event_hub": False}
        )
        stage.sessions.append(self.session)

    def noted(self) -> list[str]:
        """Return what was noted since the last time."""
        found = sorted(self.called)
        self.called.clear()
        return found

    def location(self) -> Any:
        """Return a location on disk all of whose parts note."""
        location = self.session.ensure("Location", {"name": "noting"})
        kind = self.stage.module("entity.location").Location

        def method(name: str) -> Any:
            def note(entity: Any, *arguments: Any, **options: Any) -> Any:
                self.called.add(f"location.{name}")
                return getattr(kind, name)(entity, *arguments, **options)

            return note

        mixin = type("Mixin", (), {name: method(name) for name in LOCATION})
        self.stage.api.mixin(location, mixin, name="NotingLocation")
        folder = self.stage.folder / "c31_seams" / "disk"
        folder.mkdir(parents=True, exist_ok=True)
        disk = self.stage.module("accessor.disk").DiskAccessor
        standard = self.stage.module("structure.standard").StandardStructure
        location.accessor = noting(disk, ACCESSOR, self.called, "accessor.")(prefix=str(folder))
        location.structure = noting(standard, STRUCTURE, self.called, "structure.")()
        module = self.stage.module("resource_identifier_transformer.base")
        transformer = module.ResourceIdentifierTransformer
        location.resource_identifier_transformer = noting(
            transformer, ["encode", "decode"], self.called, "transformer."
        )(self.session)
        self.noted()
        return location


def a_day(studio: Studio) -> dict[str, list[str]]:
    """Return what is reached by the work of a day."""
    session, stage = studio.session, studio.stage
    noted = {"start": studio.noted()}
    project = session.query(f'select id from Project where id is "{stage.project["id"]}"').one()
    noted["query"] = studio.noted()
    assert project["full_name"]
    noted["lazy"] = studio.noted()
    shot = session.create("Shot", {"name": f"day{len(stage.sessions)}", "parent": project})
    noted["create"] = studio.noted()
    session.commit()
    noted["commit"] = studio.noted()
    session.get("Shot", shot["id"])
    noted["get"] = studio.noted()
    session.get("Shot", "nobody")
    noted["get missing"] = studio.noted()
    session.ensure(
        "Shot", {"name": f"en{len(stage.sessions)}", "parent_id": project["id"], "description": "a"}
    )
    noted["ensure"] = studio.noted()
    shot["description"] = "changed"
    session.commit()
    noted["change"] = studio.noted()
    shot["metadata"]["a"] = "1"
    noted["metadata"] = studio.noted()
    session.rollback()
    session.populate([shot], "sort, bid")
    noted["populate"] = studio.noted()
    session.delete(shot)
    session.commit()
    noted["delete"] = studio.noted()
    session._configure_locations()
    noted["locations"] = studio.noted()
    session.reset()
    noted["reset"] = studio.noted()
    session.close()
    noted["close"] = studio.noted()
    return noted


@step()
def everything_is_overridden(stage: Stage) -> Any:
    """A session of which everything is overridden, also what decodes and merges."""
    return a_day(Studio(stage, SESSION))


@step()
def the_usual_is_overridden(stage: Stage) -> Any:
    """A session of which the public methods are overridden, so that records are read at once."""
    return a_day(Studio(stage, [name for name in SESSION if name[0] != "_" and name != "merge"]))


@step(asks="A")
def parts_of_locations(stage: Stage) -> Any:
    """What is reached when a component is added, found and removed."""
    studio = Studio(stage, ["create_component", "call"])
    session, location = studio.session, studio.location()
    project = session.get("Project", stage.project["id"])
    asset = session.create("Asset", {"name": "asset", "parent": project})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    studio.noted()
    path = stage.file("a.txt")
    component = version.create_component(path, location=location)
    noted = {"add": studio.noted()}
    location.get_filesystem_path(component)
    noted["path"] = studio.noted()
    location.remove_component(component)
    noted["remove"] = studio.noted()
    origin = session.query('Location where name is "ftrack.origin"').one()
    location.add_components([component], origin)
    noted["add again"] = studio.noted()
    return noted


@step(asks="A")
def parts_of_locations_for_sequences(stage: Stage) -> Any:
    """The same for a sequence of frames."""
    studio = Studio(stage, ["create_component"])
    location = studio.location()
    for number in (1, 2):
        path = stage.file(f"frames/f.{number:04}.exr", str(number))
    expression = path.replace("0002", "%04d") + " [1-2]"
    project = studio.session.get("Project", stage.project["id"])
    asset = studio.session.create("Asset", {"name": "frames", "parent": project})
    version = studio.session.create("AssetVersion", {"asset": asset})
    studio.session.commit()
    component = version.create_component(expression, location=location)
    noted = {"add": studio.noted()}
    location.get_filesystem_paths(component["members"])
    noted["paths"] = studio.noted()
    location.remove_component(component)
    noted["remove"] = studio.noted()
    return noted


@step()
def patched_modules(stage: Stage) -> Any:
    """What tests patch in modules is what is used: plugins, identities, websockets."""
    answers: list[Any] = []
    name = stage.module_name
    stage.module("inspection"), stage.module("plugin")
    with mock.patch(f"{name}.plugin.discover") as discover:
        stage.new_session(plugin_paths=["/studio"], plugin_arguments={"a": 1})
    given = discover.call_args
    answers.append([given[0][0], len(given[0][1]), given[0][2], given[1]])
    session = stage.new_session()
    with mock.patch(
        f"{name}.inspection.primary_key", wraps=stage.module("inspection").primary_key
    ) as primary_key:
        session.entity_reference(stage.project)
    answers.append(primary_key.called)
    with mock.patch.object(session, "call", return_value=[NOTHING]) as call:
        answers.append([session.query("Project").first(), call.call_count])
        answers.append([session.get("Project", "nobody"), call.call_count])
    with mock.patch.object(session, "call") as call:
        session.create("Shot", {"name": "mocked", "parent_id": stage.project["id"]})
        session.commit()
        answers.append(
            [call.call_count, len(call.call_args[0][0]), type(call.call_args[0][0][0]).__name__]
        )
    return answers


@step()
def websocket_is_patched(stage: Stage) -> Any:
    """A patched ``websocket.create_connection`` is the one that a hub calls."""

    class Refusing(Exception):
        """A refusal of this test's own."""

    seen: list[Any] = []

    def refuse(address: str, *arguments: Any, **options: Any) -> Any:
        seen.append(address.partition("/socket.io/1/websocket/")[0].replace("ws://", "http://"))
        raise Refusing

    server = stage.server
    hub = stage.module("event.hub").EventHub(
        server["server_url"], server["api_user"], server["api_key"]
    )
    with mock.patch.object(websocket, "create_connection", refuse):
        try:
            hub.connect()
        except stage.error("EventHubConnectionError"):
            seen.append("refused")
    return [seen[0], seen[-1], hub.connected]


@step()
def request_session_is_replaced(stage: Stage) -> Any:
    """Headers that are set on the request session go out, and after the end there is none."""
    session = stage.new_session()
    session._request.headers["x-studio"] = "north"
    name = session.query("User").first()["username"]
    session.close()
    try:
        return [name, session._request]
    except stage.error("ConnectionClosedError") as error:
        return [name, type(error).__name__]


@step()
def local_cache(stage: Stage) -> Any:
    """The memory of a session is looked at, emptied and filled under its name."""
    session = stage.new_session()
    project = session.get("Project", stage.project["id"])
    inspection = stage.module("inspection")
    key = session.cache_key_maker.key(inspection.identity(project))
    held = session._local_cache.get(key) is project
    count = sum(1 for entity in session._local_cache.values() if entity is project)
    session._local_cache.clear()
    again = session.get("Project", project["id"])
    session._local_cache.set(key, project)
    return [held, count, again is project, session.get("Project", project["id"]) is project]
