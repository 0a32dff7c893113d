"""Which step of the suite reaches which public name, and which names no step reaches.

``python reached.py OUTPUT`` plays all steps with this library against a sandbox of its own and
writes ``{name: [titles of steps]}`` as JSON; a name is ``module:name`` as in ``api_surface.json``.
A function counts when it is called on an object of its class, a class when one is made of it or a
method of it is called. Modules, constants and attributes of instances are not looked at.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import logging
import sys
import tempfile
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from book import Stage, load_steps, sandbox
from play import play

HERE = Path(__file__).resolve().parent
LIBRARY = "ftrack_like"
SURFACE = json.loads((HERE.parent / "unit" / "api_surface.json").read_text(encoding="utf-8"))
KINDS = ("function", "property", "class")


def surface() -> Iterator[str]:
    """Yield the names that are looked at, but for abstract functions, which nobody calls."""
    for module, names in SURFACE.items():
        for name, entry in names.items():
            if any(kind in entry for kind in KINDS) and not (
                entry.get("abstract") and "function" in entry
            ):
                yield f"{module}:{name}"


def look_up(title: str) -> tuple[Any, Any]:
    """Return the class that the name *title* belongs to, None without one, and what it names."""
    module, _, name = title.partition(":")
    found: Any = importlib.import_module(f"{LIBRARY}.{module}".rstrip("."))
    owner = None
    for part in name.split("."):
        owner = found
        found = (
            getattr(found, part) if inspect.ismodule(found) else inspect.getattr_static(found, part)
        )
    return (owner if inspect.isclass(owner) else None), found


def codes(value: Any) -> Iterator[types.CodeType]:
    """Yield the code that runs when *value*, a function or a property, is used."""
    if isinstance(value, property):
        for function in (value.fget, value.fset, value.fdel):
            yield from codes(function)
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    if isinstance(value, types.FunctionType):
        yield value.__code__


class Tracer:
    """Notes the public names that are reached while it is switched on, in all threads."""

    def __init__(self) -> None:
        self.reached: set[str] = set()
        self.classes: dict[type, str] = {}
        self.watched: dict[types.CodeType, list[tuple[Any, str]]] = {}
        for title in surface():
            owner, value = look_up(title)
            if inspect.isclass(value):
                self.classes.setdefault(value, title)
            for code in codes(value):
                self.watched.setdefault(code, []).append((owner, title))

    def profile(self, frame: Any, happening: str, argument: Any) -> None:
        """Take notice of a call."""
        if happening != "call":
            return
        code = frame.f_code
        entries = self.watched.get(code, ())
        begins = code.co_name == "__init__"
        if not entries and not begins:
            return  # Without a look at the variables, which takes most of the time.
        first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        for owner, title in entries:
            if owner is None or isinstance(first, owner) or first is owner:
                self.reached.add(title)
                self.reached.update(filter(None, [self.classes.get(owner)]))
        if begins and first is not None:
            for kind in type(first).__mro__:
                if kind in self.classes:
                    self.reached.add(self.classes[kind])

    @contextlib.contextmanager
    def watching(self) -> Iterator[set[str]]:
        """Yield a set that holds, at the end, the names that were reached meanwhile."""
        self.reached = set()
        threading.setprofile(self.profile)
        sys.setprofile(self.profile)
        try:
            yield self.reached
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]  # it may be None


def cover(server: dict[str, str], folder: Path) -> dict[str, list[str]]:
    """Return the titles of the steps that reach each name of the surface, in the steps' order."""
    found: dict[str, list[str]] = {title: [] for title in surface()}
    tracer = Tracer()
    stage = Stage(LIBRARY, server, folder)
    for step in load_steps():
        if "random" in step.chapter:
            continue  # They reach nothing that the others do not, and tracing them takes long.
        with tracer.watching() as reached:
            play(stage, step)
        for title in reached:
            found[title].append(step.title)
    stage.begin("")
    return found


def main() -> None:
    """Play, and write what was reached to the file that the command line names."""
    logging.disable(logging.CRITICAL)
    with sandbox() as line, tempfile.TemporaryDirectory() as folder:
        found = cover(json.loads(line), Path(folder).resolve())
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
