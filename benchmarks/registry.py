"""What a workload is, and the list of all of them."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any, Callable

from benchmarks import pages

USER, KEY = "benchmark", "key"


class Run:
    """One run of a workload with the module named *module_name*.

    *size* is what the workload grows with, *folder* keeps the schema cache between runs.
    ``figures`` maps a figure's name, with its unit in round brackets, to the value.
    """

    def __init__(self, module_name: str, server_url: str, size: int, folder: str) -> None:
        self.module_name = module_name
        self.server_url = server_url
        self.size = size
        self.folder = folder
        self.figures: dict[str, float] = {}

    def session(self) -> Any:
        """Return a session on the canned server that keeps its schemas in the folder."""
        module: Any = importlib.import_module(self.module_name)
        return module.Session(
            server_url=self.server_url,
            api_key=KEY,
            api_user=USER,
            plugin_paths=[],
            schema_cache_path=self.folder,
        )

    def loaded(self) -> tuple[Any, list[Any]]:
        """Return a session and as many tasks in it as the size says."""
        session = self.session()
        return session, list(session.query(pages.EXPRESSION).all()[: self.size])

    @contextlib.contextmanager
    def timed(self, name: str, unit: str = "s", divide: float = 1.0) -> Iterator[None]:
        """Keep the seconds that the block takes, divided by *divide*, as the figure *name*.

        What was made before is collected first, so that the block pays for the collections that
        its own objects cause, and not for one that the start of the session had due.
        """
        gc.collect()
        start = time.perf_counter()
        yield
        self.figures[f"{name} ({unit})"] = (time.perf_counter() - start) / divide

    def requests(self) -> int:
        """Return how many calls the server has answered so far."""
        with urllib.request.urlopen(self.server_url) as answer:
            return int(json.load(answer)["requests"])


@dataclasses.dataclass(frozen=True)
class Workload:
    """*sizes* are those of a full run, *quick* those of a short one; *latency* is in seconds.

    With *sandbox* the server is a sandbox, for what canned answers cannot do. The sizes *alone*
    are measured in a full run too, but not of the published client, which would take minutes. What
    takes long, or hardly varies, is measured in at most *most_rounds* rounds.
    """

    function: Callable[[Run], None]
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    latency: float = 0.0
    sandbox: bool = False
    alone: tuple[int, ...] = ()
    most_rounds: int = 100


WORKLOADS: dict[str, Workload] = {}


def workload(
    sizes: tuple[int, ...] = (0,),
    quick: tuple[int, ...] | None = None,
    latency: float = 0.0,
    sandbox: bool = False,
    alone: tuple[int, ...] = (),
    most_rounds: int = 100,
) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Return a decorator that enters a function among the workloads under its own name."""

    def enter(function: Callable[[Run], None]) -> Callable[[Run], None]:
        short = sizes if quick is None else quick
        WORKLOADS[function.__name__] = Workload(
            function, sizes, short, latency, sandbox, alone, most_rounds
        )
        return function

    return enter


def run_compiled(code: str, folder: str) -> str:
    """Return what *code* prints in a process of its own that has nothing to compile.

    An installed library comes with its byte code; one in a working copy may lack it, where the
    environment forbids to write it. It is kept under *folder*.
    """
    environment = environment_of(folder)
    command = [sys.executable, "-c", code]
    for _ in range(2):
        printed = subprocess.check_output(command, text=True, env=environment)
    return printed


def environment_of(folder: str) -> dict[str, str]:
    """Return the environment of a process whose byte code is kept under *folder*."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "byte-code")
    return environment
