"""Sixteen clients work while the processes of a farm are killed: nothing acknowledged is lost.

``FTRACK_LIKE_TEST_CHAOS_SECONDS`` says for how many seconds processes are killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Optional

import pytest

if not os.environ.get("FTRACK_LIKE_TEST_CHAOS_SECONDS"):
    pytest.skip("kills processes for some time: tox run -e farm", allow_module_level=True)
pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
pytest.importorskip("redis", reason="the extra 'redis' is not installed")

from tests.farm.clients import Client, Site
from tests.farm.servers import EncodeWorkers, Faults, Postgres, Redis, removed_at_end
from tests.sandbox_processes import ProcessSandbox, is_alive, wait_until

from ftrack_like.symbol import SERVER_LOCATION_ID

SECONDS = float(os.environ["FTRACK_LIKE_TEST_CHAOS_SECONDS"])

CLIENTS = 16
LISTS = 4

#: ffmpeg's arguments for the smallest useful movie.
_MOVIE = ("-f", "lavfi", "-i", "testsrc=size=32x32:rate=24:duration=0.1", "-pix_fmt", "yuv420p")

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="kills processes by signals of POSIX systems"),
    pytest.mark.timeout(600 + 10 * SECONDS),
]


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """Return a folder that the user of PostgreSQL can enter, unlike ``tmp_path``."""
    with removed_at_end(pathlib.Path(tempfile.mkdtemp(prefix="ftrack-like-chaos-"))) as made:
        yield made


@pytest.fixture
def postgres(folder: pathlib.Path) -> Iterator[Postgres]:
    """Return a PostgreSQL server that the test may stop."""
    with contextlib.closing(Postgres(folder / "postgres")) as made:
        yield made


@pytest.fixture
def redis(folder: pathlib.Path) -> Iterator[Redis]:
    """Return a Redis server that the test may kill."""
    made = Redis(folder)
    yield made
    made.stop()


@pytest.fixture
def clip(folder: pathlib.Path) -> Optional[pathlib.Path]:
    """Return a movie of three frames, None without ffmpeg."""
    found = os.environ["FTRACK_FFMPEG"]
    if not os.path.exists(found) and shutil.which(found) is None:
        return None
    path = folder / "clip.mov"
    subprocess.run([found, "-v", "error", *_MOVIE, str(path)], check=True, timeout=120)
    return path


def make_site(server: ProcessSandbox, redis: Redis, folder: pathlib.Path, clip: Any) -> Site:
    """Create the project and the lists that the clients share."""
    with server.session(plugin_paths=[]) as session:
        schema = session.query("ProjectSchema").first()
        data = {"name": "chaos", "full_name": "Chaos", "project_schema": schema}
        project = session.create("Project", data)
        category = session.query("ListCategory").first()
        lists = [
            session.create(
                "TypedContextList", {"name": f"l{n}", "project": project, "category": category}
            )
            for n in range(LISTS)
        ]
        session.commit()
        ids = [one["id"] for one in lists]
        return Site(project["id"], ids, redis.url, server.session, folder, clip)


def doubles(values: list[Any]) -> list[Any]:
    """Return what *values* contains several times."""
    return [value for value, count in Counter(values).items() if count > 1]


def check_rows(session: Any, site: Site, clients: list[Client]) -> None:
    """Compare the rows of the site with the ledgers: each exactly once, and no other rows."""
    of_project = f'where project_id is "{site.project}"'
    tasks = session.query(f"select name, description from Task {of_project}").all()
    expected = {id_: one for client in clients for id_, one in client.ledger.tasks.items()}
    assert {task["id"]: task["name"] for task in tasks} == {
        id_: name for id_, (name, _) in expected.items()
    }
    assert doubles([task["name"] for task in tasks]) == []
    metadata = session.query('select parent_id, value from Metadata where key is "value"').all()
    found = sorted((one["parent_id"], one["value"]) for one in metadata)
    assert found == sorted((id_, value) for id_, (_, value) in expected.items())
    links = session.query("select from_id, to_id from TypedContextLink").all()
    assert sorted((one["from_id"], one["to_id"]) for one in links) == sorted(
        pair for client in clients for pair in client.ledger.links
    )
    for number, id_ in enumerate(site.lists):
        members = session.query(f'select id from TypedContext where lists any (id is "{id_}")')
        assert sorted(one["id"] for one in members) == sorted(
            member
            for client in clients
            if client.number % LISTS == number
            for member in client.ledger.listed
        )
    project = session.query(f'select metadata from Project where id is "{site.project}"').one()
    descriptions = {task["id"]: task["description"] for task in tasks}
    for client in clients:
        last = str(client.ledger.counter) if client.ledger.counter else ""
        assert (descriptions[client.own["id"]] or "") == last
        assert project["metadata"].get(f"client-{client.number}", "") == last


def check_components(session: Any, clients: list[Client]) -> None:
    """Compare components and their data with the ledgers."""
    expected = {id_: one for client in clients for id_, one in client.ledger.components.items()}
    found = session.query('select id from FileComponent where name in ("chaos", "clip")').all()
    assert {one["id"] for one in found} == set(expected)
    rows = session.query(
        "select component_id from ComponentLocation"
        f' where location_id is "{SERVER_LOCATION_ID}" and component.name in ("chaos", "clip")'
    ).all()
    assert sorted(one["component_id"] for one in rows) == sorted(expected)
    location = session.get("Location", SERVER_LOCATION_ID)
    for component in found:
        identifier = location.get_resource_identifier(component)
        with location.accessor.open(identifier, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        assert digest == expected[component["id"]]


def check_jobs(session: Any, clients: list[Client]) -> Counter[str]:
    """Wait until all acknowledged jobs have ended; return how often they ended how."""
    jobs = [id_ for client in clients for id_ in client.ledger.jobs]
    ended: Counter[str] = Counter()
    for id_ in jobs:
        query = f'select status, data from Job where id is "{id_}"'

        def has_ended() -> bool:
            session.reset()
            return session.query(query).one()["status"] in {"done", "failed"}

        wait_until(has_ended)
        job = session.query(query).one()
        outputs = session.query(
            f'select component.name from JobComponent where job_id is "{id_}"'
        ).all()
        names = [one["component"]["name"] for one in outputs]
        assert doubles(names) == []
        # A job whose workers were killed three times fails, so that it cannot kill all workers.
        told = json.loads(job["data"])
        assert job["status"] == "done" or "worker" in told["error"], told
        assert bool(names) == (job["status"] == "done")
        ended[job["status"]] += 1
    return ended


def check_events(clients: list[Client]) -> int:
    """Wait until each client has heard each event exactly once; return the number of events."""
    expected = {(one.number, n) for one in clients for n in one.ledger.published}
    own = {one.own["id"] for one in clients}  # created before all clients listened
    created = {id_ for one in clients for id_ in one.ledger.tasks} - own

    def missing() -> dict[int, tuple[list[Any], list[str]]]:
        """Return the events and the created tasks of which a client has not heard, by client."""
        left = {
            client.number: (
                sorted(expected.difference(client.heard)),
                sorted(created.difference(client.told)),
            )
            for client in clients
        }
        return {number: both for number, both in left.items() if any(both)}

    with contextlib.suppress(AssertionError):
        wait_until(lambda: not missing())
    assert missing() == {}
    for client in clients:
        assert doubles(client.heard) == []
        assert doubles(client.told) == []
        assert set(client.heard) == expected
    return sum(len(client.heard) + len(client.told) for client in clients)


def report(faults: Faults, clients: list[Client], jobs: Counter[str], events: int) -> None:
    """Print the figures of the run; ``pytest -s`` shows them."""
    ledgers = [client.ledger for client in clients]
    figures = {
        "kills": faults.counts,
        "commits": sum(one.commits for one in ledgers),
        "tasks": sum(len(one.tasks) for one in ledgers),
        "links": sum(len(one.links) for one in ledgers),
        "list members": sum(len(one.listed) for one in ledgers),
        "uploads": sum(len(one.components) for one in ledgers),
        "events published": sum(len(one.published) for one in ledgers),
        "events received": events,
        "jobs": dict(jobs),
        "reads": sum(one.reads for one in ledgers),
        "requests sent again": sum(one.retries for one in clients),
        "calls settled after an error": dict(sum((one.settled for one in ledgers), Counter())),
        "new connections of hubs": sum(one.reconnections for one in clients),
    }
    print(f"\n{json.dumps(figures)}")


def test_nothing_acknowledged_is_lost_or_doubled(
    folder: pathlib.Path, postgres: Postgres, redis: Redis, clip: Optional[pathlib.Path]
) -> None:
    """Under kill -9 of all kinds of processes, each acknowledged change is there exactly once."""
    media = folder / "media"
    stop = threading.Event()
    with ProcessSandbox(
        database=postgres.url, workers=2, media=media, options=["--encoders", "0"]
    ) as server:
        workers = EncodeWorkers(postgres.url, media, 2 if clip else 0, folder / "workers.log")
        known = {*server.worker_ids, *(one.pid for one in workers.processes)}
        site = make_site(server, redis, folder, clip)
        clients = [Client(number, site, stop) for number in range(CLIENTS)]
        try:
            faults = Faults(server, postgres, redis, workers)
            for client in clients:
                client.start()
            faults.run(SECONDS)
            time.sleep(1)
            stop.set()
            for client in clients:
                client.join()
            errors = [repr(client.error) for client in clients if client.error is not None]
            assert errors == []
            events = check_events(clients)
            with server.session(plugin_paths=[]) as session:
                check_rows(session, site, clients)
                check_components(session, clients)
                jobs = check_jobs(session, clients)
            report(faults, clients, jobs, events)
        finally:
            stop.set()
            for client in clients:
                client.close()
            known |= {*server.worker_ids, *(one.pid for one in workers.processes)}
            statuses = workers.stop()
        assert statuses == [0] * len(statuses)
        assert server.stop() == 0
        wait_until(lambda: not any(map(is_alive, known)))
