"""A studio program: a session class of its own, with a cache on disk, counters and retries."""

from __future__ import annotations

import functools
import logging
from typing import Any

from book import Stage, step


def session_class(stage: Stage) -> Any:
    """Return the studio's session class on the stage's library."""
    cache = stage.module("cache")

    class StudioSession(stage.api.Session):  # type: ignore[name-defined,misc]
        """Counts what it does, caches lookups, refuses to commit when told to be read-only."""

        read_only = False

        def __init__(self, *arguments: Any, cache_path: str = "", **options: Any) -> None:
            self.counts: dict[str, int] = {}
            self.started: list[str] = []
            self.logger = logging.getLogger("studio.session")
            if cache_path:
                options["cache"] = functools.partial(self.make_cache, cache_path)
            super().__init__(*arguments, **options)
            self.started.append("done")

        @staticmethod
        def make_cache(path: str, session: Any) -> Any:
            """Return layers: memory is put on top by the library."""
            return cache.SerialisedCache(
                cache.FileCache(path), encode=session.encode, decode=session.decode
            )

        def count(self, name: str) -> None:
            """Count one use of *name*."""
            self.counts[name] = self.counts.get(name, 0) + 1

        def call(self, data: Any) -> Any:
            """Count calls by their first action."""
            self.count(data[0]["action"] if data else "nothing")
            return super().call(data)

        def query(self, expression: str, page_size: int = 500) -> Any:
            """Read archived projects only when asked for."""
            self.count("query()")
            if expression == "Project":
                expression = 'Project where status is "active"'
            return super().query(expression, page_size)

        def create(self, entity_type: str, data: Any = None, reconstructing: bool = False) -> Any:
            """Note which types are created."""
            if not reconstructing:
                self.count(f"create {entity_type}")
            return super().create(entity_type, data, reconstructing)

        def commit(self) -> None:
            """Refuse when the session is read-only."""
            if self.read_only:
                raise PermissionError("read-only")
            self.count("commit")
            super().commit()

        def _configure_locations(self) -> None:
            self.started.append("locations")
            super()._configure_locations()

        def _build_entity_type_classes(self, schemas: Any) -> Any:
            self.started.append("types")
            types = super()._build_entity_type_classes(schemas)
            types["Task"].studio_path = property(
                lambda task: "/".join(item["name"] for item in task["link"])
            )
            return types

    return StudioSession


def make(stage: Stage, **options: Any) -> Any:
    """Return a session of the studio's class."""
    settings = {"plugin_paths": [], "schema_cache_path": str(stage.schema_folder)}
    settings.update(stage.options, auto_connect_event_hub=False)
    session = session_class(stage)(
        stage.server["server_url"],
        stage.server["api_key"],
        stage.server["api_user"],
        True,
        **{**settings, **options},
    )
    stage.sessions.append(session)
    return session


@step()
def start(stage: Stage) -> Any:
    """The overridden parts of the start run in their order."""
    session = make(stage)
    return [session.started, session.counts, session.auto_populate, type(session).__name__]


@step(asks="A")
def counted(stage: Stage) -> Any:
    """What the library does passes through what is overridden."""
    stage.task("counted")
    session = make(stage)
    before = dict(session.counts)
    task = session.query('Task where name is "counted"').first()
    path = task.studio_path
    task["description"] = "seen"
    session.commit()
    again = session.get("Task", task["id"]) is task
    session.ensure("Task", {"name": "counted", "parent_id": stage.project["id"]})
    new = {name for name, count in session.counts.items() if count != before.get(name)}
    return [path, again, new]


@step()
def query_is_narrowed(stage: Stage) -> Any:
    """The overridden query is what everything uses."""
    stage.project["status"] = "hidden"
    stage.session.commit()
    try:
        session = make(stage)
        plain = stage.new_session()
        names = [[p["name"] for p in each.query("Project")] for each in (session, plain)]
    finally:
        stage.project["status"] = "active"
        stage.session.commit()
    return [stage.project["name"] in found for found in names]


@step(asks="H")
def read_only(stage: Stage) -> Any:
    """What commits by itself is refused too."""
    session = make(stage)
    session.read_only = True
    answers = []
    for call in (
        session.commit,
        lambda: session.ensure("Shot", {"name": "never", "parent_id": stage.project["id"]}),
        lambda: session.create_component(stage.file("never.txt"), location="auto"),
    ):
        try:
            call()
            answers.append("done")
        except (PermissionError, stage.error("LocationError")) as error:
            answers.append([type(error).__name__, "read-only" in str(error)])
    session.rollback()
    return [answers, stage.new_session().query('Shot where name is "never"').first()]


@step()
def cache_on_disk(stage: Stage) -> Any:
    """A second session finds in the file what the first has loaded."""
    task = stage.task("cached", description="kept on disk")
    path = str(stage.folder / "studio_cache")
    first = make(stage, cache_path=path)
    loaded = first.query(f'select name, description from Task where id is "{task["id"]}"').one()
    name = loaded["name"]
    first.close()
    second = make(stage, cache_path=path)
    found = second.get("Task", task["id"])
    with second.auto_populating(False):
        values = [found["name"], found["description"]]
    cache = stage.module("cache")
    memory, disk = second.cache.caches
    kinds = [isinstance(memory, cache.MemoryCache), isinstance(disk, cache.SerialisedCache)]
    return [name, values, second.counts, kinds]


@step()
def cache_replaced(stage: Stage) -> Any:
    """The cache may be replaced while the session runs."""
    session = make(stage)
    task = stage.task("replaced")
    found = session.get("Task", task["id"])
    cache = stage.module("cache")
    session.cache = cache.LayeredCache([cache.MemoryCache()])
    again = session.get("Task", task["id"])
    return [found == again, found is again, len(list(session.cache.keys())) > 0]


@step()
def operations_replaced(stage: Stage) -> Any:
    """Operations may be taken aside and put back."""
    session = make(stage)
    shot = session.create("Shot", {"name": "aside", "parent_id": stage.project["id"]})
    aside = session.recorded_operations
    session.recorded_operations = stage.module("operation").Operations()
    session.commit()
    before = stage.new_session().get("Shot", shot["id"])
    session.recorded_operations = aside
    session.commit()
    return [before, stage.new_session().get("Shot", shot["id"])["name"], session.counts["commit"]]


@step()
def operations_by_hand(stage: Stage) -> Any:
    """Operations may be pushed for entities that were never loaded."""
    shot = stage.shot("by_hand")
    session = make(stage)
    operation = stage.module("operation")
    key = {"id": shot["id"]}
    session.recorded_operations.push(
        operation.UpdateEntityOperation("Shot", key, "description", None, "pushed")
    )
    session.commit()
    first = stage.new_session().get("Shot", shot["id"])["description"]
    session.recorded_operations.push(operation.DeleteEntityOperation("Shot", key))
    session.commit()
    return [first, stage.new_session().get("Shot", shot["id"])]
