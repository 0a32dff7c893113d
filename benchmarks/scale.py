"""Measure a filled site: the most frequent queries, and clients that read and write at once.

Fill a site first, then measure it::

    ftrack-like sandbox fill --data DIR --projects 20 --tasks 200000 --versions 3 --seed 7
    python -m benchmarks.scale queries --data DIR
    python -m benchmarks.scale changes --data DIR
    python -m benchmarks.scale load --data DIR --clients 16 --servers 1

``queries`` asks the API in the same process, without HTTP, as the administrator and as a user with
a role. ``changes`` creates and deletes contexts there, while another user writes. ``load`` starts
servers and clients as processes; with ``--database`` several servers can share the data.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from typing import Any, Optional

import requests
import sqlalchemy

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES

#: The text of each query by its name, with names of :func:`places` in braces.
QUERIES = pathlib.Path(__file__).parents[1] / "tests" / "data" / "frequent_queries.json"

#: The share of requests of the load that read.
_READS = 0.9


def places(database: Database, seed: int = 1) -> dict[str, str]:
    """Return ids and names of some entities of the site in *database*, chosen by *seed*."""
    contexts, versions = TABLES["context"].c, TABLES["asset_version"].c
    assets, components = TABLES["asset"].c, TABLES["component"].c
    locations = TABLES["component_location"].c
    with database.read() as connection:

        def first(statement: Any) -> Any:
            return connection.execute(statement.limit(1)).one()

        projects = sqlalchemy.select(contexts.id, contexts.name).where(
            contexts.context_type == "show", contexts.name.like("film_%")
        )
        found = connection.execute(projects.order_by(contexts.name)).all()
        project = found[seed % len(found)]
        sequences = sqlalchemy.select(contexts.id).where(
            contexts.parent_id == project.id,
            contexts.object_type_id == OBJECT_TYPE_IDS["Sequence"],
        )
        below = connection.execute(sequences.order_by(contexts.name)).scalars().all()
        sequence = below[seed % len(below)]
        shot = first(
            sqlalchemy.select(contexts.id, contexts.name).where(contexts.parent_id == sequence)
        )
        asset = first(sqlalchemy.select(assets.id, assets.name).where(assets.context_id == shot.id))
        version = first(
            sqlalchemy.select(versions.id, versions.task_id).where(versions.asset_id == asset.id)
        )
        component = first(
            sqlalchemy.select(components.id).where(components.version_id == version.id)
        )
        place = first(
            sqlalchemy.select(locations.resource_identifier).where(
                locations.component_id == component.id
            )
        )
    return {
        "asset": asset.id,
        "asset_name": asset.name,
        "component": component.id,
        "place": place.resource_identifier,
        "project": project.id,
        "project_name": project.name,
        "sequence": sequence,
        "shot": shot.id,
        "shot_name": shot.name,
        "task": version.task_id,
        "version": version.id,
    }


def operations(known: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the operation of each frequent query by its name, for the places in *known*."""
    found = {}
    for name, text in json.loads(QUERIES.read_text("utf-8")).items():
        for place, value in known.items():
            text = text.replace(f"{{{place}}}", value)
        found[name] = {"action": "query", "expression": text}
    return found


#: Queries that read the whole site, whose time grows with it.
WHOLE = {
    "all tasks by status, counted": "select status.name, count(id) from Task group by status.name",
    "all tasks by parent": "select name from Task order by parent.name limit 50",
}


def further(known: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return operations besides the frequent queries, by name."""
    search = {"action": "search", "expression": "select name from Shot limit 20"}
    whole = {name: {"action": "query", "expression": text} for name, text in WHOLE.items()}
    return {
        "search for a shot": {**search, "terms": ["sq003_sh01"]},
        "search for a shot in a project": {
            **search,
            "terms": ["sh01"],
            "context_ids": [known["project"]],
        },
        **whole,
    }


# Queries


def measure(database: Database, folder: str, repeats: int) -> dict[str, dict[str, float]]:
    """Return the best and the median time of each query in milliseconds, for both users.

    *cpu* is the least time on a processor. It depends less on other programs than the others, but
    leaves out the time of a PostgreSQL server.
    """
    api = Api(database, MediaService(database, pathlib.Path(folder)))
    known = places(database)
    asked = {**operations(known), **further(known)}
    found: dict[str, dict[str, float]] = {}
    for name, operation in asked.items():
        found[name] = {}
        for who, user in users(database).items():
            taken = [_time(api, [operation], user) for _ in range(repeats + 2)][2:]
            times = [seconds for seconds, _ in taken]
            found[name][who] = round(min(times) * 1000, 2)
            found[name][f"{who} median"] = round(statistics.median(times) * 1000, 2)
            found[name][f"{who} cpu"] = round(min(cpu for _, cpu in taken) * 1000, 2)
    return found


def users(database: Database) -> dict[str, RequestUser]:
    """Return the administrator and a user with a role."""
    columns = TABLES["resource"].c
    with database.read() as connection:
        ids = {
            name: connection.execute(
                sqlalchemy.select(columns.id).where(columns.username == name)
            ).scalar_one()
            for name in ("admin", "artist001")
        }
    return {
        "administrator": RequestUser(ids["admin"], "admin", unrestricted=True),
        "role": RequestUser(ids["artist001"], "artist001"),
    }


def _time(api: Api, operations: list[dict[str, Any]], user: RequestUser) -> tuple[float, float]:
    """Return the seconds, and the seconds on a processor, of a batch that must succeed."""
    body = json.dumps(operations).encode()
    started, used = time.perf_counter(), time.thread_time()
    answer = api.answer(body, user, "http://x").body
    taken = time.perf_counter() - started, time.thread_time() - used
    if not answer.startswith(b"["):
        raise RuntimeError(answer.decode())
    return taken


# Changes


def change(database: Database, folder: str, count: int, repeats: int) -> dict[str, float]:
    """Return the figures for batches that create and delete *count* tasks, in milliseconds.

    Another user sends small changes at the same time. The site is as before afterwards.
    """
    api = Api(database, MediaService(database, pathlib.Path(folder)))
    known = places(database)
    user = users(database)["administrator"]
    made: list[tuple[float, float]] = []
    removed: list[tuple[float, float]] = []
    waits: list[float] = []
    is_over = threading.Event()

    def write() -> None:
        """Change the description of a task until the end."""
        chance = random.Random(1)
        while True:
            data = {"description": str(chance.random())}
            waits.append(_time(api, [_operation("update", "Task", known["task"], data)], user)[0])
            if is_over.wait(0.02):
                return

    other = threading.Thread(target=write)
    other.start()
    try:
        for _ in range(repeats):
            ids = [str(uuid.uuid4()) for _ in range(count)]
            creations = [
                _operation(
                    "create", "Task", one, {"id": one, "name": one, "parent_id": known["shot"]}
                )
                for one in ids
            ]
            made.append(_time(api, creations, user))
            removed.append(_time(api, [_operation("delete", "Task", one) for one in ids], user))
    finally:
        is_over.set()
        other.join()
    return {
        "tasks in a batch": count,
        "create each": round(min(one for one, _ in made) / count * 1000, 3),
        "create each cpu": round(min(one for _, one in made) / count * 1000, 3),
        "delete each": round(min(one for one, _ in removed) / count * 1000, 3),
        "delete each cpu": round(min(one for _, one in removed) / count * 1000, 3),
        "longest change of another user": round(max(waits) * 1000, 1),
    }


def _operation(
    action: str, type_name: str, id_: str, data: Optional[dict[str, Any]] = None
) -> dict[str, Any]:
    """Return the operation *action* for an entity."""
    found: dict[str, Any] = {"action": action, "entity_type": type_name, "entity_key": [id_]}
    if data is not None:
        found["entity_data"] = {"__entity_type__": type_name, **data}
    return found


# Load


def _client(
    number: int, urls: list[str], user: str, key: str, known: list[dict[str, str]], seconds: float
) -> dict[str, Any]:
    """Read and write for *seconds*.

    Return the times of reads by the name of the query, those of writes, the number of errors, and
    the processor time.
    """
    chance = random.Random(number)
    http = requests.Session()
    http.headers.update({"ftrack-user": user, "ftrack-api-key": key, "ftrack-strict-api": "true"})
    url = urls[number % len(urls)]
    reads: dict[str, list[float]] = {}
    writes: list[float] = []
    errors = 0
    queries = [list(operations(one).items()) for one in known]
    processor = time.process_time()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        index = chance.randrange(len(known))
        if chance.random() < _READS:
            name, operation = chance.choice(queries[index])
            times = reads.setdefault(name, [])
        else:
            operation, times = _change(known[index], chance), writes
        started = time.perf_counter()
        answer = http.post(f"{url}/api", json=[operation], timeout=120)
        times.append(time.perf_counter() - started)
        errors += answer.status_code != 200
    return {
        "reads": reads,
        "writes": writes,
        "errors": errors,
        "processor": time.process_time() - processor,
    }


def _processor_seconds(servers: list[subprocess.Popen[str]]) -> dict[str, float]:
    """Return the processor time so far of *servers* and of all processes of PostgreSQL.

    The result is empty where the system has no folder ``/proc``.
    """
    own = {server.pid for server in servers}
    found = {"servers": 0.0, "PostgreSQL": 0.0}
    statistics_of_processes = list(pathlib.Path("/proc").glob("[0-9]*/stat"))
    for path in statistics_of_processes:
        with contextlib.suppress(OSError):  # the process has ended
            # The name of the program is in brackets, and may have blanks and brackets itself.
            before, _, after = path.read_text(encoding="utf-8").rpartition(")")
            # Four of the numbers are times: of the process, and of its children that have ended.
            seconds = sum(map(int, after.split()[11:15])) / os.sysconf("SC_CLK_TCK")
            if int(path.parent.name) in own:
                found["servers"] += seconds
            elif before.partition("(")[2] == "postgres":
                found["PostgreSQL"] += seconds
    return found if statistics_of_processes else {}


def _change(known: dict[str, str], chance: random.Random) -> dict[str, Any]:
    """Return an operation that changes a task or creates a note."""
    if chance.random() < 0.5:
        return _operation("update", "Task", known["task"], {"description": str(chance.random())})
    id_ = str(uuid.uuid4())
    data = {
        "id": id_,
        "content": "Measured.",
        "parent_id": known["version"],
        "parent_type": "AssetVersion",
    }
    return _operation("create", "Note", id_, data)


def load(arguments: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Return the figures of clients that read and write at once."""
    with contextlib.closing(_site(arguments, folder)) as site:
        database = site.open()
        known = [places(database, seed) for seed in range(arguments.clients)]
    servers = [_start(arguments, folder) for _ in range(arguments.servers)]
    try:
        ready = [json.loads(server.stdout.readline()) for server in servers if server.stdout]
        urls = [one["server_url"] for one in ready]
        user, key = ready[0]["api_user"], ready[0]["api_key"]
        # A fork need not import everything again. No thread and no connection is open here.
        context = multiprocessing.get_context("fork")
        with context.Pool(arguments.clients) as pool:
            tasks = [
                (number, urls, user, key, known, arguments.seconds)
                for number in range(arguments.clients)
            ]
            before = _processor_seconds(servers)
            results = pool.starmap(_client, tasks)
            after = _processor_seconds(servers)
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(60)
    by_query: dict[str, list[float]] = {}
    for one in results:
        for name, times in one["reads"].items():
            by_query.setdefault(name, []).extend(times)
    reads = sorted(each for times in by_query.values() for each in times)
    writes = sorted(each for one in results for each in one["writes"])
    count = len(reads) + len(writes)
    clients = sum(one["processor"] for one in results)
    return {
        "operations a second": round(count / arguments.seconds, 1),
        "processor milliseconds an operation": {
            "clients": round(clients / count * 1000, 2),
            **{name: round((after[name] - before[name]) / count * 1000, 2) for name in after},
        },
        "reads": _spread(reads),
        "writes": _spread(writes),
        "reads by query": {
            name: _spread(sorted(times)) for name, times in sorted(by_query.items())
        },
        "errors": sum(one["errors"] for one in results),
    }


def _spread(times: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile of sorted *times* in milliseconds."""
    if not times:
        return {}
    return {
        "count": len(times),
        "p50": round(statistics.median(times) * 1000, 1),
        "p99": round(times[int(len(times) * 0.99)] * 1000, 1),
    }


def _start(arguments: argparse.Namespace, folder: str) -> subprocess.Popen[str]:
    """Start a server for the load."""
    place = ["--data", arguments.data] if arguments.data else ["--database", arguments.database]
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--port", "0", *place]
    media = ["--media", folder] if arguments.database else []
    return subprocess.Popen([*command, *media], stdout=subprocess.PIPE, text=True)


def _site(arguments: argparse.Namespace, folder: str) -> SiteData:
    return SiteData(arguments.data, url=arguments.database, media=folder)


def main(given: Optional[list[str]] = None) -> int:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser("python -m benchmarks.scale", description=__doc__)
    parser.add_argument("what", choices=["queries", "changes", "load"])
    parser.add_argument("--data", metavar="DIR")
    parser.add_argument("--database", metavar="URL")
    parser.add_argument("--media", metavar="DIR", help="the folder for files, with --database")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--tasks", type=int, default=1_500)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args(given)
    if (arguments.data is None) == (arguments.database is None):
        parser.error("give --data or --database")
    if (arguments.database is None) != (arguments.media is None):
        parser.error("give --media with --database, the same folder each time")
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        media = arguments.media or folder
        if arguments.what == "load":
            figures: dict[str, Any] = load(arguments, media)
        else:
            with contextlib.closing(_site(arguments, media)) as site:
                if arguments.what == "queries":
                    figures = measure(site.open(), media, arguments.repeats)
                else:
                    figures = change(site.open(), media, arguments.tasks, arguments.repeats)
    load_of_machine = {"before": round(before, 1), "after": round(os.getloadavg()[0], 1)}
    print(json.dumps({"load of the machine": load_of_machine, **figures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
