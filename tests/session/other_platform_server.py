"""A program that runs the sandbox on a platform that lacks parts of Linux.

It runs in a fresh process with the folder for its data as argument. Its neighbour
``other_platform.py`` has the list of the parts.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import other_platform

#: Libraries of others, which keep the parts that they found at their import.
LIBRARIES = (
    "anyio._backends._asyncio",
    "jinja2",
    "sqlalchemy.dialects.sqlite",
    "starlette.applications",
    "uvicorn.server",
    "wsproto",
)

#: Parts that the event loop of this system needs whenever it starts.
OF_THE_LOOP = {"select.epoll", "select.poll", "socket.AF_UNIX"}


def main(folder: str) -> None:
    """Import every module of the sandbox; query one in memory, and one with data in *folder*."""
    import fcntl

    for library in (*other_platform.LIBRARIES, *LIBRARIES):
        importlib.import_module(library)
    calls = other_platform.add_locks_of_windows(fcntl.flock)
    other_platform.take_away([name for name in other_platform.LACKING if name not in OF_THE_LOOP])

    import ftrack_like.sandbox
    from ftrack_like.testing import Sandbox

    for found in pkgutil.walk_packages(ftrack_like.sandbox.__path__, "ftrack_like.sandbox."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for options in ({}, {"data": folder}):
        with Sandbox(**options) as sandbox, sandbox.session() as session:
            print(session.query("User").one()["username"])
    print(len(calls) > 0)


if __name__ == "__main__":
    main(sys.argv[1])
