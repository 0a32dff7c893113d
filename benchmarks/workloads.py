"""What is measured. A workload takes a :class:`Run` and leaves figures in it.

All of them use the public API alone and take the module as an argument, so that any library with
the interface of ``ftrack_api`` can be measured.
"""

from __future__ import annotations

import gc
import importlib
import resource
import statistics
import sys
import threading
import time
import timeit
from pathlib import Path
from typing import Any

from benchmarks import pages
from benchmarks.crowd import Crowd
from benchmarks.registry import KEY, USER, Run, run_compiled, workload

TIMES = 20_000  # repetitions of what takes nanoseconds


@workload(sizes=(1_000, 10_000), quick=(1_000, 2_000), most_rounds=3)
def query_tasks(run: Run) -> None:
    """Query tasks with nested projections, read all of it, query again."""
    session = run.session()
    with run.timed("query, decode and merge"):
        tasks = session.query(pages.EXPRESSION).all()
    with run.timed("first read of every projected attribute"):
        for task in tasks:
            read_projected(task)
    with run.timed("the same query again"):
        again = session.query(pages.EXPRESSION).all()
    if len(tasks) < run.size or any(a is not b for a, b in zip(tasks, again)):
        raise RuntimeError("the second query gave other objects")


def read_projected(task: Any) -> None:
    """Read every attribute of *task* that the expression selects."""
    for name in ("name", "bid", "description", "start_date", "end_date"):
        task[name]
    task["link"][-1]["name"]
    task["status"]["name"], task["status"]["color"], task["type"]["name"], task["parent"]["name"]
    for assignment in task["assignments"]:
        assignment["resource"]["username"]


@workload(sizes=(1_000, 10_000), quick=(500, 2_000), alone=(50_000,), most_rounds=3)
def commit_one_change(run: Run) -> None:
    """Change one task among many that are loaded, and commit."""
    session, tasks = run.loaded()
    times = []
    for number in range(5):
        tasks[number]["description"] = f"changed {number}"
        start = time.perf_counter()
        session.commit()
        times.append(time.perf_counter() - start)
    run.figures["commit of one change (s)"] = sorted(times)[2]
    with run.timed("session.modified"):
        list(session.modified)
    tasks[0]["description"] = "to be taken back"
    with run.timed("rollback of one change"):
        session.rollback()


@workload()
def import_module(run: Run) -> None:
    """Import the library and its Session in a fresh process, beside importing requests alone."""
    for label, module in (("import", run.module_name), ("import of requests alone", "requests")):
        code = (
            "import sys, time; start = time.perf_counter(); "
            f"import {module}; {module}.Session; "
            "print(time.perf_counter() - start, len(sys.modules))"
        )
        seconds, modules = run_compiled(code, run.folder).split()
        run.figures[f"{label} (s)"] = float(seconds)
        run.figures[f"modules after the {label} (count)"] = float(modules)


@workload()
def start_session(run: Run) -> None:
    """Start further sessions in a process, with a warm schema cache."""
    run.session().close()
    count = 10
    with run.timed("start of a further session", divide=count):
        sessions = [run.session() for _ in range(count)]
    for session in sessions:
        session.close()


@workload(sizes=(500,))
def access_attributes(run: Run) -> None:
    """Read, compare, hash and write attributes of a loaded task."""
    _, tasks = run.loaded()
    task, other = tasks[0], tasks[1]
    for label, statement in (
        ('entity["name"]', 'entity["name"]'),
        ('entity["status"]["name"]', 'entity["status"]["name"]'),
        ("hash(entity)", "hash(entity)"),
        ("entity == other", "entity == other"),
        ("entity.keys()", "list(entity.keys())"),
    ):
        # In a loop of its own: to call a function takes longer than to read a value.
        timer = timeit.Timer(statement, globals={"entity": task, "other": other})
        timer.timeit(10)
        run.figures[f"{label} (s each)"] = timer.timeit(TIMES) / TIMES
    times = []
    for turn in range(7):
        values = [f"{turn} {number}" for number in range(2_000)]
        start = time.perf_counter()
        for value in values:
            task["description"] = value
        times.append((time.perf_counter() - start) / len(values))
    run.figures["write (s each)"] = statistics.median(times)


@workload(sizes=(5_000,), quick=(1_000,), most_rounds=3)
def create_and_commit(run: Run) -> None:
    """Create many tasks and commit them at once."""
    session = run.session()
    parent = session.create("Shot", {"id": pages.make_id("shot", 1), "name": "new"}, True)
    with run.timed("create and commit"):
        for number in range(run.size):
            session.create("Task", {"name": f"new {number}", "parent": parent})
        session.commit()


@workload(sizes=(10_000,), quick=(2_000,), most_rounds=2)
def hold_in_memory(run: Run) -> None:
    """Hold tasks: bytes of resident memory each, before and after everything was read."""
    session = run.session()
    session.query(f'{pages.EXPRESSION} where id is "{pages.make_id("task", 0)}"').all()
    gc.collect()
    before = resident()
    tasks = session.query(pages.EXPRESSION).all()
    gc.collect()
    held = resident()
    for task in tasks:
        read_projected(task)
    gc.collect()
    run.figures["memory per task held (B)"] = (held - before) / len(tasks)
    run.figures["memory per task once read (B)"] = (resident() - before) / len(tasks)


@workload(sizes=(), quick=(2_000,), alone=(20_000,), most_rounds=2)
def iterate_in_memory(run: Run) -> None:
    """Read tasks one after the other without keeping them: memory added by a tenth, and by all."""
    session = run.session()
    session.query(f'{pages.EXPRESSION} where id is "{pages.make_id("task", 0)}"').all()
    for count in (run.size // 10, run.size):
        result = session.query(f"{pages.EXPRESSION} limit {count}")
        rows = result.iterate() if hasattr(result, "iterate") else result
        gc.collect()
        before = most = resident()
        for number, task in enumerate(rows):
            read_projected(task)
            if number % 100 == 0:
                most = max(most, resident())
        share = "all tasks" if count == run.size else "a tenth of the tasks"
        run.figures[f"memory added while reading {share} (B)"] = most - before


def resident() -> float:
    """Return the bytes of this process that are in memory (elsewhere than Linux: at most)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@workload(sizes=(500,), quick=(100,), latency=0.005, most_rounds=3)
def read_unloaded(run: Run) -> None:
    """Loop over tasks and read two attributes that the query did not ask for."""
    session = run.session()
    tasks = session.query(pages.EXPRESSION).all()[: run.size]
    before = run.requests()
    with run.timed("loop over unloaded attributes"):
        for task in tasks:
            task["context_type"], task["object_type_id"]
    run.figures["requests of the loop (count)"] = run.requests() - before


@workload()
def publish_locally(run: Run) -> None:
    """Publish synchronously to 200 subscribers, of which one topic's listen."""
    base: Any = importlib.import_module(f"{run.module_name}.event.base")
    session = run.session()
    hub = session.event_hub
    with run.timed("subscribe", unit="s each", divide=200):
        for number in range(200):
            hub.subscribe(f"topic=bench.topic{number % 20} and data.kind=a", lambda event: None)
    count = 200
    with run.timed("local publish", unit="s each", divide=count):
        for number in range(count):
            event = base.Event(topic=f"bench.topic{number % 20}", data={"kind": "a"})
            hub.publish(event, synchronous=True)


@workload()
def dispatch_mixed(run: Run) -> None:
    """Dispatch events to 200 subscribers of 20 topics, half of them with conditions.

    A tenth subscribes to all topics with a star. An event has 29 candidates.
    """
    base: Any = importlib.import_module(f"{run.module_name}.event.base")
    hub = run.session().event_hub
    for number in range(200):
        topic = "bench.*" if number % 10 == 0 else f"bench.topic{number % 20}"
        condition = f" and data.kind=kind{number % 7} and data.entity.type=Task"
        hub.subscribe(f"topic={topic}{condition if number // 10 % 2 else ''}", lambda event: None)
    events = [
        base.Event(
            topic=f"bench.topic{number % 20}",
            data={"kind": f"kind{number % 9}", "entity": {"type": "Task", "id": str(number)}},
        )
        for number in range(1_000)
    ]
    with run.timed("dispatch", unit="s each", divide=len(events)):
        for event in events:
            hub.publish(event, synchronous=True)


@workload(sizes=(5_000,), quick=(1_000,), most_rounds=3)
def encode_entities(run: Run) -> None:
    """Encode loaded entities as JSON."""
    session, tasks = run.loaded()
    with run.timed("encode, persisted_only"):
        session.encode(tasks, entity_attribute_strategy="persisted_only")


@workload(sizes=(10_000,), quick=(2_000,), latency=0.05, most_rounds=3)
def query_far_away(run: Run) -> None:
    """Query tasks, 500 a page, from a server that answers after 50 ms."""
    session = run.session()
    before = run.requests()
    with run.timed("query with 50 ms of latency"):
        tasks = session.query(pages.EXPRESSION).all()
    run.figures["requests of the query (count)"] = run.requests() - before
    if len(tasks) < run.size:
        raise RuntimeError("some tasks are missing")


@workload(sizes=(500,), latency=0.05, most_rounds=3)
def query_in_threads(run: Run) -> None:
    """Query a page in each of eight threads of one session, beside one thread that does it all."""
    session = run.session()
    with run.timed("one thread, eight pages"):
        for _ in range(8):
            session.query(pages.EXPRESSION).all()[: run.size]
    session.reset()
    threads = [
        threading.Thread(target=lambda: session.query(pages.EXPRESSION).all()[: run.size])
        for _ in range(8)
    ]
    with run.timed("eight threads, a page each"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@workload(sizes=(1_000,), quick=(300,), sandbox=True)
def publish_and_receive(run: Run) -> None:
    """Publish events and receive each of them again, by way of an event server."""
    base: Any = importlib.import_module(f"{run.module_name}.event.base")
    session = run.session()
    hub = session.event_hub
    hub.connect()
    received: list[int] = []
    hub.subscribe("topic=bench.round", lambda event: received.append(event["data"]["number"]))
    hub.wait(0.5)  # Subscriptions travel like events.
    deadline = time.perf_counter() + 30
    with run.timed("publish and receive", unit="s each", divide=run.size):
        for number in range(run.size):
            hub.publish(base.Event(topic="bench.round", data={"number": number}))
        while len(received) < run.size and time.perf_counter() < deadline:
            hub.wait(0.001)
    run.figures["events lost (count)"] = run.size - len(set(received))
    hub.disconnect()
    session.close()


@workload(sizes=(40,), quick=(20,), sandbox=True, alone=(500,), most_rounds=3)
def many_hubs(run: Run) -> None:
    """Connect hubs and publish 100 events a second, each for 20 of them, or for a few more."""
    with Crowd(run.module_name, run.size, run.server_url, USER, KEY) as crowd:
        lost, double = crowd.talk(_seconds_to_talk(run.size))
    waits = sorted(crowd.latencies)
    run.figures["from publishing to the callback, median (s)"] = statistics.median(waits)
    run.figures["the same, 99 of 100 (s)"] = waits[len(waits) * 99 // 100]
    run.figures["deliveries lost (count)"] = lost
    run.figures["deliveries doubled (count)"] = double


def _seconds_to_talk(hubs: int) -> float:
    """Return for how many seconds so many *hubs* publish: one second below any listed size."""
    if hubs < 20:
        return 1.0
    return 10.0 if hubs < 500 else 20.0


@workload(sizes=(64,), quick=(16,), sandbox=True)
def move_data(run: Run) -> None:
    """Upload a file of so many MiB to a server and download it again."""
    session = run.session()
    source = Path(run.folder) / "data.bin"
    with source.open("wb") as file:
        for _ in range(run.size):
            file.write(bytes(1 << 20))
    location = session.query('Location where name is "ftrack.server"').one()
    before = peak()
    with run.timed("upload"):
        component = session.create_component(str(source), {"name": "data"}, location)
    run.figures["more memory at the peak of the upload (B)"] = max(peak() - before, 0)
    before = peak()
    with run.timed("download"):
        opened = location.accessor.open(location.get_resource_identifier(component), "rb")
        length = 0
        while True:
            part = opened.read(1 << 20)
            if not part:
                break
            length += len(part)
        opened.close()
    run.figures["more memory at the peak of the download (B)"] = max(peak() - before, 0)
    if length != source.stat().st_size:
        raise RuntimeError(f"{length} bytes came back")


def peak() -> float:
    """Return the most bytes of this process that were in memory at once."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
