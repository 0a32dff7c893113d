"""The steps that both libraries play, and what a step may use.

A step is a function in a module of ``chapters``, decorated with :func:`step`; its one-sentence
docstring says what it asks. The steps of a chapter run in the order in which they stand there, and
share a session, a project and ``stage.memory``. What a step returns is its answer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import pkgutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from wire import Wire


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to ask of both libraries.

    *differs* is the number in the list of deliberate differences (docs/differences.rst) that makes
    what comes out differ, with *why* in words; None where it must be equal. *asks* is the letter,
    in the same document, of the reason why other requests are sent for the same outcome.
    """

    chapter: str
    name: str
    function: Callable[[Stage], Any]
    differs: int | None
    why: str
    asks: str

    @property
    def title(self) -> str:
        """The step's name with its chapter."""
        return f"{self.chapter}.{self.name}"


STEPS: list[Step] = []


def step(
    differs: int | None = None, why: str = "", asks: str = ""
) -> Callable[[Callable[[Stage], Any]], Callable[[Stage], Any]]:
    """Return a decorator that enters a function among the steps."""

    def enter(function: Callable[[Stage], Any]) -> Callable[[Stage], Any]:
        chapter = function.__module__.rpartition(".")[2]
        STEPS.append(Step(chapter, function.__name__, function, differs, why, asks))
        return function

    return enter


def load_steps() -> list[Step]:
    """Return all steps, chapter by chapter in the order of the chapters' names."""
    chapters = importlib.import_module("chapters")
    for module in sorted(pkgutil.iter_modules(chapters.__path__), key=lambda item: item.name):
        importlib.import_module(f"chapters.{module.name}")
    return STEPS


@contextlib.contextmanager
def sandbox() -> Iterator[str]:
    """Yield the line of JSON with which a new sandbox in memory says where it is; end it after."""
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--memory", "--json", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.terminate()


class Stage:
    """What a step works with: a library under its module name, and a sandbox for it alone.

    *server* is ``{"server_url", "api_user", "api_key"}``; *folder* may be written to.
    ``options`` are given to all sessions, ``wire`` records what is sent.
    """

    def __init__(self, module_name: str, server: dict[str, str], folder: Path) -> None:
        self.api: Any = importlib.import_module(module_name)
        self.module_name = module_name
        self.server = server
        self.folder = folder
        self.schema_folder = folder / "schemas"
        self.schema_folder.mkdir()
        self.memory: dict[str, Any] = {}
        self.sessions: list[Any] = []
        self._session: Any = None
        self._project: Any = None
        self._chapter = ""
        self.options: dict[str, Any] = {}
        self.wire = Wire()

    def begin(self, chapter: str) -> None:
        """Start *chapter* with nothing that an earlier one left in this process."""
        if chapter == self._chapter:
            return
        for session in self.sessions:
            session.close()
        self._chapter = chapter
        self.sessions, self.memory = [], {}
        self._session = self._project = None

    def module(self, name: str) -> Any:
        """Return the library's module *name*, such as ``exception`` or ``structure.standard``."""
        return importlib.import_module(f"{self.module_name}.{name}")

    def error(self, name: str) -> Any:
        """Return the library's error class *name*."""
        return getattr(self.module("exception"), name)

    def new_session(self, **options: Any) -> Any:
        """Return another session on the sandbox, closed when the chapter ends."""
        settings = {"plugin_paths": [], "schema_cache_path": str(self.schema_folder)}
        settings["auto_connect_event_hub"] = False
        settings.update(self.options)
        session = self.api.Session(**{**self.server, **settings, **options})
        self.sessions.append(session)
        return session

    @property
    def session(self) -> Any:
        """The session of the chapter."""
        if self._session is None:
            self._session = self.new_session()
        return self._session

    @property
    def opened(self) -> bool:
        """Whether the chapter has a session by now."""
        return self._session is not None

    @property
    def project(self) -> Any:
        """The project of the chapter, committed."""
        if self._project is None:
            schema = self.session.query("ProjectSchema order by name").first()
            name = f"chapter_{self._chapter}"
            data = {"name": name, "full_name": name, "project_schema": schema}
            self._project = self.session.create("Project", data)
            self.session.commit()
        return self._project

    def key(self, name: str) -> str:
        """Return the id that *name* stands for: the same in all runs, so that orders by it are."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._chapter}/{name}"))

    def shot(self, name: str, **data: Any) -> Any:
        """Return a committed shot called *name* in the project of the chapter."""
        parent = self.project
        shot = self.session.create("Shot", {"name": name, "parent": parent, **data})
        self.session.commit()
        return shot

    def task(self, name: str, **data: Any) -> Any:
        """Return a committed task called *name* in the project of the chapter."""
        parent = data.pop("parent", None) or self.project
        task = self.session.create("Task", {"name": name, "parent": parent, **data})
        self.session.commit()
        return task

    def status(self, number: int) -> Any:
        """Return the status *number* by name."""
        return self.session.query("Status order by name").all()[number]

    def file(self, name: str, content: str = "content") -> str:
        """Return the path of a new file called *name* with *content*."""
        path = self.folder / self._chapter / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return str(path)

    def settle(self, *hubs: Any) -> None:
        """Return when the event server knows of all that *hubs*, connected, have subscribed to."""
        event = self.module("event.base").Event
        for number, hub in enumerate(hubs):
            heard: list[Any] = []
            hub.subscribe(f"topic=settled.{number}", heard.append)
            hub.publish(event(f"settled.{number}"))
            deadline = time.monotonic() + 30
            while not heard and time.monotonic() < deadline:
                hub.wait(0.05)

    def loaded(self, entity: Any) -> dict[str, Any]:
        """Return what *entity* holds of its attributes without asking the server."""
        not_set = self.module("symbol").NOT_SET
        with entity.session.auto_populating(False):
            return {name: value for name, value in entity.items() if value is not not_set}
