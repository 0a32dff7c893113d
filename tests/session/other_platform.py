"""A program that uses the client on a platform that lacks parts of Linux.

It runs in a fresh process: ``python other_platform.py FOLDER NAME…``. It takes the named parts
away, imports every module of the client, and then does a day's work on the server that the
environment names. ``nt`` as a name makes the modules of the client see Windows: ``os.name`` is
``nt``, ``sys.platform`` is ``win32``, and ``msvcrt`` locks files. ``compiled`` hides the compiled
modules of installed packages.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import threading
import types
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path

#: What Windows lacks. A dotted name is an attribute, another name is a module.
LACKING = (
    "fcntl",
    "grp",
    "pwd",
    "resource",
    "termios",
    "os.fork",
    "os.register_at_fork",
    "os.getuid",
    "os.geteuid",
    "os.getgid",
    "os.fchmod",
    "os.killpg",
    "os.setsid",
    "os.sysconf",
    "os.statvfs",
    "os.O_NOFOLLOW",
    "os.O_DIRECTORY",
    "os.O_NONBLOCK",
    "signal.SIGALRM",
    "signal.SIGHUP",
    "signal.SIGKILL",
    "signal.SIGPIPE",
    "signal.SIGCHLD",
    "signal.SIGUSR1",
    "signal.setitimer",
    "select.poll",
    "select.epoll",
    "socket.AF_UNIX",
    "time.tzset",
)

LIBRARIES = (
    "sqlite3",
    "subprocess",
    "tempfile",
    "getpass",
    "arrow",
    "clique",
    "platformdirs",
    "requests",
    "websocket",
)

#: Modules of the package that are not the client.
SERVER = ("ftrack_like.sandbox", "ftrack_like.testing", "ftrack_like.pytest_plugin")


def take_away(names: list[str]) -> None:
    """Remove the modules and attributes *names* from this process."""
    for name in names:
        module, _, attribute = name.rpartition(".")
        if not module:
            sys.modules[name] = None  # type: ignore[assignment]
        elif hasattr(importlib.import_module(module), attribute):
            delattr(importlib.import_module(module), attribute)


def add_locks_of_windows(lock: object) -> list[str]:
    """Provide ``msvcrt`` on top of *lock*, which is ``fcntl.flock``; return the list of calls."""
    calls: list[str] = []
    module = types.ModuleType("msvcrt")

    def locking(descriptor: int, mode: int, size: int) -> None:
        calls.append("unlock" if mode == 0 else "lock")
        try:
            lock(descriptor, 8 if mode == 0 else 2 | 4)  # type: ignore[operator]
        except BlockingIOError as error:
            raise PermissionError(13, "Permission denied") from error

    module.locking = locking  # type: ignore[attr-defined]
    module.LK_UNLCK, module.LK_LOCK, module.LK_NBLCK = 0, 1, 2  # type: ignore[attr-defined]
    sys.modules["msvcrt"] = module
    return calls


def refuse_compiled() -> None:
    """Hide the compiled modules of installed packages, as if their wheels had none."""
    pure = FileFinder.path_hook((SourceFileLoader, SOURCE_SUFFIXES))

    def hook(path: str) -> FileFinder:
        if not {"site-packages", "dist-packages"} & set(Path(path).parts):
            raise ImportError("Only installed packages have other compiled modules.")
        return pure(path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def compiled() -> list[str]:
    """Return the names of the compiled modules of installed packages in this process."""
    return [
        name
        for name, module in list(sys.modules.items())
        if "site-packages" in (getattr(module, "__file__", None) or "")
        and not str(module.__file__).endswith(".py")
    ]


def import_client() -> list[str]:
    """Import every module of the client; return their names."""
    import ftrack_like

    names = ["ftrack_like"]
    for found in pkgutil.walk_packages(ftrack_like.__path__, "ftrack_like.", onerror=print):
        if not found.name.startswith(SERVER) and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
            names.append(found.name)
    return names


def show_windows(names: list[str]) -> None:
    """Let the modules *names* see Windows. The standard library stays that of this system."""
    for module, changes in ((os, {"name": "nt"}), (sys, {"platform": "win32"})):
        copy = types.ModuleType(module.__name__)
        copy.__dict__.update({**vars(module), **changes})
        for name in names:
            if vars(sys.modules[name]).get(module.__name__) is module:
                setattr(sys.modules[name], module.__name__, copy)


def work(folder: Path) -> None:
    """Query, commit, publish a file, read it back, keep a cache, and publish an event."""
    import ftrack_like
    from ftrack_like import cache

    kept = cache.SerialisedCache(cache.FileCache(str(folder / "kept")))
    with ftrack_like.Session(
        schema_cache_path=str(folder / "schemas"), cache=kept, auto_connect_event_hub=True
    ) as session:
        assert session.query("User").all()
        schema = session.query("ProjectSchema").first()
        name = f"platform-{os.getpid()}"
        project = session.create("Project", {"name": name, "project_schema": schema})
        session.commit()

        source = folder / "Übersicht 日本.txt"
        source.write_text("frame\n", encoding="utf-8")
        component = session.create_component(str(source), {"name": "main"}, location="auto")
        disk = session.ensure("Location", {"name": f"disk-{os.getpid()}"})
        disk.accessor = ftrack_like.accessor.disk.DiskAccessor(str(folder / "store"))
        disk.structure = ftrack_like.structure.standard.StandardStructure()
        disk.priority = 10
        asset = session.create("Asset", {"name": "plate", "parent": project, "type": None})
        version = session.create("AssetVersion", {"asset": asset})
        component["version"] = version
        session.commit()
        disk.add_component(component, session.get("Location", component_place(component)))
        stored = Path(disk.get_filesystem_path(component))
        assert stored.read_text(encoding="utf-8") == "frame\n"
        upload = version.create_component(
            str(source),
            {"name": "copy"},
            location=session.query('Location where name is "ftrack.server"').one(),
        )
        session.commit()
        server = upload["component_locations"][0]["location"]
        assert server.get_url(upload)

        arrived = threading.Event()
        session.event_hub.subscribe("topic=platform.test", lambda event: arrived.set())
        session.event_hub.publish(
            ftrack_like.event.base.Event(topic="platform.test", data={}), on_error="raise"
        )
        while not arrived.is_set():
            session.event_hub.wait(0.1)
        session.delete(project)
        session.commit()
    assert not list(folder.rglob("*.ftrack-part"))


def component_place(component: object) -> str:
    """Return the id of the location that *component* is in."""
    (place,) = component["component_locations"]  # type: ignore[index]
    return str(place["location_id"])


def main() -> None:
    """Do as the arguments say, and print the number of modules and of locks."""
    folder, *names = sys.argv[1:]
    on_windows = "nt" in names
    if "compiled" in names:
        refuse_compiled()
    # The standard library and the libraries of others keep the parts that they found at their
    # import. They have versions for each platform; this is about the code of the client.
    import fcntl

    for library in LIBRARIES:
        importlib.import_module(library)
    calls = add_locks_of_windows(fcntl.flock)
    take_away([name for name in names if name not in {"nt", "compiled"}])
    modules = import_client()
    if on_windows:
        show_windows(modules)
    work(Path(folder))
    assert "compiled" not in names or not compiled(), compiled()
    print(len(modules), len(calls))


if __name__ == "__main__":
    main()
