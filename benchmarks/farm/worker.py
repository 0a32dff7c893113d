"""One worker process of the farm: start a session, read a scene, publish, report a job.

It uses the public API alone and takes the module as an argument, so that any library with the
interface of ``ftrack_api`` can be measured. It reads a :class:`Plan` as one line of JSON, imports
the client, prints ``ready`` and waits for a second line, so that all workers start together. It
prints its result as one line of JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import logging
import sys
import time
import traceback
from typing import Any
from urllib.parse import urlsplit

from benchmarks.farm.wire import Wire

#: The phases of a worker, in order.
START, FIRST, READ, PUBLISH, JOB = PHASES = ("start", "first query", "read", "publish", "job")
#: The location of components whose files stay in place, in every site.
UNMANAGED_LOCATION = "cb268ecc-8809-11e3-a7e2-20c9d081909b"


@dataclasses.dataclass
class Plan:
    """The work of one worker.

    *session* contains the arguments of the session. *task* is the id of the worker's own task, and
    *versions* are the ids of the versions in the scene, which all workers read. *name* is the name
    of the asset to publish, with this number of *components* whose file is *file*. A worker without
    components only reads: it fills the cache, and its result contains the *modules* that it needed.
    The other workers import these before the start, because a client may import on first use.
    """

    module: str
    session: dict[str, Any]
    task: str
    versions: list[str]
    name: str
    components: int
    file: str
    modules: list[str] = dataclasses.field(default_factory=list)


def first_query(session: Any, plan: Plan) -> Any:
    """Return the worker's own task."""
    return session.query(f'select name, parent_id from Task where id is "{plan.task}"').one()


def read(session: Any, plan: Plan) -> list[str]:
    """Read the scene: each version with its asset, shot, status, user and components."""
    names = [session.get("Location", UNMANAGED_LOCATION)["name"]]
    for identifier in plan.versions:
        version = session.get("AssetVersion", identifier)
        names += [version["asset"]["name"], version["asset"]["parent"]["name"]]
        names += [version["status"]["name"], version["user"]["username"]]
        names += [f"{each['name']}{each['file_type']}" for each in version["components"]]
    return names


def publish(session: Any, plan: Plan, task: Any) -> None:
    """Publish a version of a new asset with all components."""
    asset = session.create("Asset", {"name": plan.name, "context_id": task["parent_id"]})
    version = session.create("AssetVersion", {"asset": asset, "task": task})
    session.commit()
    location = session.get("Location", UNMANAGED_LOCATION)
    for number in range(plan.components):
        data = {"name": f"{number:04}"}
        version.create_component(plan.file, data=data, location=location)
    session.commit()


def report_job(session: Any, plan: Plan) -> None:
    """Report a job of the session's user, and set it to done."""
    user = session.query(f'User where username is "{session.api_user}"').one()
    data = json.dumps({"description": plan.name})
    job = session.create("Job", {"user": user, "status": "running", "data": data})
    session.commit()
    job["status"] = "done"
    session.commit()


def work(plan: Plan, module: Any, wire: Wire, result: dict[str, Any]) -> None:
    """Do the work of *plan* with *module*, and write times and counts into *result*."""
    result["begin"] = time.time()
    processor = time.process_time()
    with wire.phase(START):
        session = module.Session(plugin_paths=[], auto_connect_event_hub=False, **plan.session)
    try:
        with wire.phase(FIRST):
            task = first_query(session, plan)
        result["first"] = time.time()
        with wire.phase(READ):
            read(session, plan)
        if plan.components:
            with wire.phase(PUBLISH):
                publish(session, plan, task)
            with wire.phase(JOB):
                report_job(session, plan)
        result["end"] = time.time()
        result["processor_time"] = time.process_time() - processor
        if hasattr(session, "statistics"):
            result["statistics"] = dict(session.statistics)
    finally:
        session.close()


def peak_memory() -> int | None:
    """Return the most bytes of memory that this process had, or None where it is unknown."""
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return None
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Read the plan, wait for the start, work, and print the result."""
    logging.disable(logging.WARNING)
    plan = Plan(**json.loads(sys.stdin.readline()))
    wire = Wire(urlsplit(plan.session["server_url"]).port or 80)
    for name in plan.modules:
        with contextlib.suppress(Exception):  # Some names in sys.modules cannot be imported.
            importlib.import_module(name)
    module = importlib.import_module(plan.module)
    print("ready", flush=True)
    if not sys.stdin.readline():
        return  # The benchmark has ended.
    result: dict[str, Any] = {"error": None}
    try:
        work(plan, module, wire, result)
    except Exception as error:
        traceback.print_exc()
        result["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
    if not plan.components:
        result["modules"] = [name for name in sys.modules if name != "__main__"]
    print(json.dumps({**result, "counts": wire.counts(), "memory": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
