"""What a user waits for in total: whole processes, and small programs on servers at a distance."""

from __future__ import annotations

import asyncio
import importlib
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks import pages
from benchmarks.registry import KEY, USER, Run, environment_of, workload

#: How often a process is started; the median counts.
PROCESSES = 7

#: A whole program: import, session with a warm schema cache, first query, and two reads.
PROGRAM = """
import {module}
session = {module}.Session(server_url={url!r}, api_key={key!r}, api_user={user!r},
                           plugin_paths=[], schema_cache_path={folder!r})
task = session.query("select name, status.name from Task").first()
task["name"], task["status"]["name"]
"""
#: The least that any client does: import requests and send one request.
BARE = """
import requests
body = [{{"action": "query", "expression": "select name, status.name from Task limit 1"}}]
requests.Session().post({url!r} + "/api", json=body).json()
"""


@workload()
def start_process(run: Run) -> None:
    """Start a process, import, open a session with a warm cache, query, read and end."""
    values = {
        "module": run.module_name,
        "url": run.server_url,
        "key": KEY,
        "user": USER,
        "folder": run.folder,
    }
    programs = {
        "whole process up to the first query": PROGRAM.format(**values),
        "… with requests alone and one request": BARE.format(**values),
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(PROCESSES + 1):
        for name, code in programs.items():
            seconds = seconds_of([sys.executable, "-c", code], run.folder)
            if turn:  # The first turn compiles, and fills the schema cache.
                times[name].append(seconds)
    for name, seconds in times.items():
        run.figures[f"{name} (s)"] = statistics.median(seconds)


def seconds_of(command: list[str], folder: str) -> float:
    """Return how many seconds *command* takes, with its byte code kept under *folder*."""
    start = time.perf_counter()
    subprocess.run(command, env=environment_of(folder), check=True)
    return time.perf_counter() - start


def small_program(run: Run) -> None:
    """Start a session, query tasks, read what 20 of them lack, change one and commit."""
    run.session().close()
    with run.timed("start of the session"):
        session = run.session()
    with run.timed("query of all tasks, 500 a page"):
        tasks: list[Any] = session.query(pages.EXPRESSION).all()
    with run.timed("loop over 20 tasks that reads an unloaded attribute"):
        for task in tasks[:20]:
            task["context_type"]
    with run.timed("commit of one change"):
        tasks[0]["description"] = "changed"
        session.commit()
    run.figures["all of it (s)"] = sum(run.figures.values())


@workload(sizes=(2_000,), quick=(500,), most_rounds=3)
def small_program_0_ms(run: Run) -> None:
    """Run a small program on a server that answers at once."""
    small_program(run)


@workload(sizes=(2_000,), quick=(500,), latency=0.02, most_rounds=3)
def small_program_20_ms(run: Run) -> None:
    """Run a small program on a server that answers after 20 ms."""
    small_program(run)


@workload(sizes=(2_000,), quick=(500,), latency=0.1, most_rounds=3)
def small_program_100_ms(run: Run) -> None:
    """Run a small program on a server that answers after 100 ms."""
    small_program(run)


@workload(sizes=(10, 100), latency=0.02)
def small_query(run: Run) -> None:
    """Query few tasks of a server that answers after 20 ms, and read all of it."""
    session = run.session()
    with run.timed("query and first read"):
        for task in session.query(f"{pages.EXPRESSION} limit {run.size}"):
            task["name"], task["start_date"], task["status"]["name"]


def separate_queries(run: Run) -> None:
    """Send queries for one task each: one after the other, and at once on an event loop.

    A library without an asynchronous session has only the first figure.
    """
    texts = [
        f'select name, status.name from Task where id is "{pages.make_id("task", number)}"'
        for number in range(run.size)
    ]
    session = run.session()
    with run.timed("queries one after the other"):
        found = [session.query(text).one()["name"] for text in texts]
    session.close()
    try:
        aio: Any = importlib.import_module(f"{run.module_name}.aio")
    except ImportError:
        return
    if asyncio.run(names_at_once(run, aio.AsyncSession, texts)) != found:
        raise RuntimeError("the queries at once found other tasks")


async def names_at_once(run: Run, async_session: Any, texts: list[str]) -> list[str]:
    """Return the names that *texts* find, sent at once by an *async_session*; take the time."""
    options = {"plugin_paths": [], "schema_cache_path": run.folder}
    async with async_session(run.server_url, KEY, USER, **options) as session:
        with run.timed("queries at once, on an event loop"):
            tasks = await asyncio.gather(*[session.query(text).one() for text in texts])
        return [task["name"] for task in tasks]


@workload(sizes=(100,), most_rounds=3)
def separate_queries_0_ms(run: Run) -> None:
    """Send queries for one task each to a server that answers at once."""
    separate_queries(run)


@workload(sizes=(100,), quick=(40,), latency=0.02, most_rounds=3)
def separate_queries_20_ms(run: Run) -> None:
    """Send queries for one task each to a server that answers after 20 ms."""
    separate_queries(run)


@workload(sizes=(100,), quick=(40,), latency=0.1, most_rounds=2)
def separate_queries_100_ms(run: Run) -> None:
    """Send queries for one task each to a server that answers after 100 ms."""
    separate_queries(run)
