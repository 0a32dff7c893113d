"""Two servers that write to one PostgreSQL database at once, and a database that goes away."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import psycopg
import pytest
import sqlalchemy

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.database import commit_marks, shared_locks
from ftrack_like.sandbox.database import deadline as deadlines
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.outages import is_outage
from ftrack_like.sandbox.database.repeats import (
    CommitInDoubtError,
    TransactionLostError,
    repeated,
)
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.seed.ids import row_id
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES

POSTGRES = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(POSTGRES is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL names no server"),
]

#: The number of threads that write at once, half of them to each server.
THREADS = 8

#: Errors that tell a client that another one was faster.
REFUSALS = ("DuplicateEntry", "ValidationError", "NotFound", "IntegrityError", "KeyError")


class Servers:
    """Two servers, each with its own connections and its own lock for writers, on one database."""

    def __init__(self, url: str, folder: Any) -> None:
        self.site = SiteData(url=url, media=folder)
        self.databases = [self.site.open(), Database(url)]
        self.apis = [Api(database, MediaService(database, folder)) for database in self.databases]
        users = TABLES["resource"].c
        with self.databases[0].read() as connection:
            named = sqlalchemy.select(users.id).where(users.username == "admin")
            self.user = RequestUser(connection.execute(named).scalar_one(), "admin", True)

    def close(self) -> None:
        """Close both servers."""
        self.apis[1].close()
        self.apis[0].close()
        self.site.close()

    def call(self, server: int, *operations: dict[str, Any]) -> Any:
        """Return the answer of a server to *operations*: results, or the error as a mapping."""
        body = json.dumps(operations).encode()
        return json.loads(self.apis[server].answer(body, self.user, "http://x").body)

    def make(self, type_name: str, **data: Any) -> str:
        """Create an entity and return its id."""
        id_ = data.setdefault("id", str(uuid.uuid4()))
        answer = self.call(0, creation(type_name, data))
        assert isinstance(answer, list), answer
        return str(id_)

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Return the rows of *table* that match *where*."""
        columns = TABLES[table].c
        statement = sqlalchemy.select(TABLES[table]).where(
            *(columns[name] == value for name, value in where.items())
        )

        def read() -> list[dict[str, Any]]:
            with self.databases[0].read() as connection:
                return list(map(dict, connection.execute(statement).mappings()))

        return repeated(read)

    def hammer(self, operation: Callable[[int], Any], times: int = 1) -> list[Any]:
        """Send the operations for the numbers from 0 from all threads at once.

        *operation* returns one operation or a list. Return the answers in the order of numbers.
        """
        barrier = threading.Barrier(THREADS)

        def work(thread: int) -> list[Any]:
            barrier.wait(60)
            answers = []
            for turn in range(times):
                made = operation(turn * THREADS + thread)
                sent = made if isinstance(made, list) else [made]
                answers.append(self.call(thread % 2, *sent))
            return answers

        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(work, range(THREADS)))
        answers = [found[thread][turn] for turn in range(times) for thread in range(THREADS)]
        for answer in answers:
            if isinstance(answer, dict):
                assert any(word in str(answer) for word in REFUSALS), answer
        return answers


def creation(type_name: str, data: dict[str, Any], *key: str) -> dict[str, Any]:
    """Return the operation that creates a *type_name* with *data*."""
    return {
        "action": "create",
        "entity_type": type_name,
        "entity_key": [data[name] for name in key or ("id",)],
        "entity_data": {"__entity_type__": type_name, **data},
    }


def change(type_name: str, id_: str, **data: Any) -> dict[str, Any]:
    """Return the operation that changes an entity."""
    return {
        "action": "update",
        "entity_type": type_name,
        "entity_key": [id_],
        "entity_data": {"__entity_type__": type_name, **data},
    }


def succeeded(answers: list[Any]) -> int:
    """Return how many *answers* are results."""
    return sum(isinstance(answer, list) for answer in answers)


@pytest.fixture
def servers(namespace: Any, tmp_path: Any) -> Iterator[Servers]:
    """Return two servers on a new site."""
    with namespace(POSTGRES) as url:
        made = Servers(url, tmp_path)
        yield made
        made.close()


@pytest.fixture
def project(servers: Servers) -> str:
    """Return the id of a project."""
    return servers.make("Project", name="film", full_name="Film")


def test_names_stay_unique(servers: Servers, project: str) -> None:
    """Of clients that create a name under one parent at once, one succeeds."""

    def operation(number: int) -> dict[str, Any]:
        name = f"sq{number // THREADS}"
        return creation("Sequence", {"id": str(uuid.uuid4()), "name": name, "parent_id": project})

    answers = servers.hammer(operation, times=4)
    names = Counter(row["name"] for row in servers.rows("context", parent_id=project))
    assert names == {f"sq{number}": 1 for number in range(4)}
    assert succeeded(answers) == 4


def test_versions_get_all_numbers(servers: Servers, project: str) -> None:
    """Versions that are created at once get different numbers without a gap."""
    asset = servers.make(
        "Asset", name="comp", context_id=project, type_id=row_id("AssetType", "Comp")
    )
    answers = servers.hammer(
        lambda number: creation("AssetVersion", {"id": str(uuid.uuid4()), "asset_id": asset}),
        times=4,
    )
    numbers = sorted(row["version"] for row in servers.rows("asset_version", asset_id=asset))
    assert numbers == list(range(1, 4 * THREADS + 1))
    assert succeeded(answers) == 4 * THREADS


def test_a_user_has_one_timer(servers: Servers, project: str) -> None:
    """Of timers that are started for one user at once, one runs."""
    answers = servers.hammer(
        lambda number: creation(
            "Timer", {"id": str(uuid.uuid4()), "user_id": servers.user.id, "context_id": project}
        )
    )
    assert succeeded(answers) == 1
    assert len(servers.rows("timer")) == 1


def test_a_key_of_metadata_has_one_value(servers: Servers, project: str) -> None:
    """Metadata and rows of links that are created at once exist once."""
    scope = row_id("Scope", "In-house")

    def operation(number: int) -> dict[str, Any]:
        data = {"parent_id": project, "parent_type": "Project", "key": "a", "value": str(number)}
        if number >= THREADS:
            return change("Project", project, scopes=[{"__entity_type__": "Scope", "id": scope}])
        return creation("Metadata", data, "parent_id", "key")

    answers = servers.hammer(operation, times=2)
    assert succeeded(answers[:THREADS]) == 1
    assert len(servers.rows("metadata")) == 1
    assert len(servers.rows("context_scope")) == 1


def test_no_change_is_lost(servers: Servers, project: str) -> None:
    """Changes of different attributes of one entity at once are all kept, and all recorded."""
    before = len(servers.rows("event"))
    names = ("description", "bid", "sort", "start_date", "end_date", "name", "priority_id")
    task = servers.make("Task", name="task", parent_id=project)
    values = {
        "description": "text",
        "bid": 5.0,
        "sort": 7.0,
        "start_date": "2024-01-01T00:00:00",
        "end_date": "2024-02-01T00:00:00",
        "name": "renamed",
        "priority_id": row_id("Priority", "Urgent"),
        "status_id": row_id("Status", "Approved"),
    }
    order = [*names, "status_id"]
    answers = servers.hammer(
        lambda number: change("Task", task, **{order[number]: values[order[number]]})
    )
    assert succeeded(answers) == THREADS
    (row,) = servers.rows("context", id=task)
    assert {name: row[name] for name in values} == values
    ids = sorted(event["id"] for event in servers.rows("event"))
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) == before + 1 + THREADS


def test_moves_make_no_cycle(servers: Servers, project: str) -> None:
    """Folders that are moved into each other at once stay a tree, with the right ancestors."""
    folders = [servers.make("Folder", name=f"f{number}", parent_id=project) for number in range(4)]

    def operation(number: int) -> dict[str, Any]:
        moved = number % len(folders)
        below = (number // len(folders) + moved + 1) % len(folders)
        return change("Folder", folders[moved], parent_id=folders[below])

    servers.hammer(operation, times=6)
    require_tree(servers)


def require_tree(servers: Servers) -> None:
    """Check that all contexts have existing parents, no cycle, and the ancestors that follow."""
    rows = {row["id"]: row for row in servers.rows("context")}
    wanted: dict[str, dict[str, int]] = defaultdict(dict)
    for id_ in rows:
        above: Optional[str] = id_
        while above is not None:
            assert above in rows
            assert above not in wanted[id_], "a context is below itself"
            wanted[id_][above] = len(wanted[id_])
            above = rows[above]["parent_id"]
        assert rows[id_]["project_id"] == list(wanted[id_])[-1]
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for one in servers.rows("context_ancestry"):
        found[one["descendant_id"]][one["ancestor_id"]] = one["depth"]
    assert found == wanted


def test_deletions_leave_nothing_behind(servers: Servers, project: str) -> None:
    """What is created in a shot while it is deleted is either refused or deleted with it."""
    shots = [servers.make("Shot", name=f"sh{number}", parent_id=project) for number in range(4)]

    def operation(number: int) -> Any:
        shot = shots[number // THREADS]
        if number % THREADS == 3:
            return {"action": "delete", "entity_type": "Shot", "entity_key": [shot]}
        task, note = str(uuid.uuid4()), str(uuid.uuid4())
        return [
            creation("Task", {"id": task, "name": f"task{number}", "parent_id": shot}),
            creation(
                "Note",
                {"id": note, "content": "x", "parent_id": task, "parent_type": "Task"},
            ),
        ]

    servers.hammer(operation, times=4)
    require_tree(servers)
    assert [row["id"] for row in servers.rows("context")] == [project]
    assert servers.rows("note") == []
    assert servers.rows("recipient") == []


def test_items_of_lists_are_unique(servers: Servers, project: str) -> None:
    """An entity that is added to a list by several clients at once is in it once."""
    list_id = servers.make(
        "TypedContextList",
        name="list",
        project_id=project,
        category_id=row_id("ListCategory", "Default"),
    )
    task = servers.make("Task", name="task", parent_id=project)
    item = [{"__entity_type__": "Task", "id": task}]
    servers.hammer(lambda number: change("TypedContextList", list_id, items=item))
    assert len(servers.rows("list_object")) == 1


# A database that goes away


def end_connections(servers: Servers) -> int:
    """End all connections to the namespace, as a restart does; return their number."""
    connected = sqlalchemy.create_engine(servers.databases[0].engine.url)
    with connected.begin() as connection:
        sql = """
            SELECT count(pg_terminate_backend(pid)) FROM pg_locks
            WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
            AND objid = (hashtext(current_schema())::bigint & 4294967295)::oid
        """
        count = connection.exec_driver_sql(sql).scalar_one()
    connected.dispose()
    return int(count)


def commit_and_cut(servers: Servers, connection: sqlalchemy.Connection) -> None:
    """Commit the transaction of *connection*, and lose the answer: raise the error of the driver.

    The driver itself would not commit again.
    """
    connection.exec_driver_sql("COMMIT")
    end_connections(servers)
    connection.exec_driver_sql("SELECT 1")


def test_clients_do_not_notice_lost_connections(servers: Servers, project: str) -> None:
    """While all connections end again and again, every request succeeds, and nothing is doubled."""
    done = threading.Event()
    ended: list[int] = []

    def disturb() -> None:
        while not done.wait(0.5):
            ended.append(end_connections(servers))

    asset = servers.make(
        "Asset", name="comp", context_id=project, type_id=row_id("AssetType", "Comp")
    )
    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        answers: list[Any] = []
        while sum(ended) < 12:
            answers += servers.hammer(
                lambda number: [
                    {"action": "query", "expression": f'Asset where id is "{asset}"'},
                    creation("AssetVersion", {"id": str(uuid.uuid4()), "asset_id": asset}),
                ]
            )
    finally:
        done.set()
        disturber.join()
    assert succeeded(answers) == len(answers)
    numbers = sorted(row["version"] for row in servers.rows("asset_version", asset_id=asset))
    assert numbers == list(range(1, len(answers) + 1))


@pytest.mark.parametrize("saved", [True, False])
def test_a_lost_commit_is_asked_for(servers: Servers, project: str, saved: bool) -> None:
    """If the connection breaks during the commit, the server finds out whether it was saved."""
    database = servers.databases[0]

    def cut(connection: sqlalchemy.Connection) -> None:
        if saved:
            commit_and_cut(servers, connection)
        end_connections(servers)

    sqlalchemy.event.listen(database.engine, "commit", cut, once=True)
    insertion = sqlalchemy.insert(TABLES["scope"]).values(id="1", name="new")
    if saved:
        with database.write() as connection:
            connection.execute(insertion)
    else:
        with pytest.raises(TransactionLostError), database.write() as connection:
            connection.execute(insertion)
    assert len(servers.rows("scope", id="1")) == int(saved)


def test_a_commit_of_unknown_outcome_is_not_repeated(
    servers: Servers, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where PostgreSQL cannot say what it saved, the error is none that repeats the transaction."""
    database = servers.databases[0]
    monkeypatch.setattr(commit_marks, "_PATIENCE", 100)  # milliseconds
    other = sqlalchemy.create_engine(database.engine.url)
    runs = []

    def cut(connection: sqlalchemy.Connection) -> None:
        end_connections(servers)
        holder = lock.enter_context(other.connect())
        holder.exec_driver_sql("SELECT 1 FROM commit_writer FOR UPDATE")

    def work() -> None:
        runs.append(1)
        with database.write() as connection:
            connection.execute(sqlalchemy.insert(TABLES["scope"]).values(id="1", name="new"))

    sqlalchemy.event.listen(database.engine, "commit", cut, once=True)
    with contextlib.ExitStack() as lock, pytest.raises(CommitInDoubtError):
        repeated(work)
    other.dispose()
    assert len(runs) == 1


@pytest.mark.parametrize("days", [29, 31])
def test_a_writer_that_slept_for_weeks_repeats_no_saved_commit(
    servers: Servers, project: str, days: int
) -> None:
    """The answer depends on no clock; if the mark is gone, the outcome is unknown."""
    first = servers.databases[0]
    other = sqlalchemy.create_engine(first.engine.url)
    insertion = sqlalchemy.insert(TABLES["scope"])

    def sleep(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        with other.begin() as later:
            later.exec_driver_sql(f"UPDATE commit_writer SET used_at = now() - interval '{days} d'")
        with contextlib.closing(Database(first.engine.url)) as started, started.write():
            pass
        commit_and_cut(servers, connection)

    is_known = days < 30
    expected = contextlib.nullcontext() if is_known else pytest.raises(CommitInDoubtError)
    sqlalchemy.event.listen(first.engine, "commit", sleep, once=True)
    with expected, first.write() as connection:
        connection.execute(insertion.values(id="1", name="1"))
    with first.write() as connection:
        connection.execute(insertion.values(id="2", name="2"))
    other.dispose()
    assert len(servers.rows("scope", id="1") + servers.rows("scope", id="2")) == 2


def test_a_long_batch_of_another_process_does_not_hide_the_outcome(
    servers: Servers, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question waits for the transaction in question only, not for other writers."""
    first, second = servers.databases
    monkeypatch.setattr(commit_marks, "_PATIENCE", 100)  # milliseconds

    def cut(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        end_connections(servers)
        repeated(lambda: writing.enter_context(second.write()))
        connection.exec_driver_sql("SELECT 1")

    sqlalchemy.event.listen(first.engine, "commit", cut, once=True)
    with contextlib.ExitStack() as writing, first.write() as connection:
        connection.execute(sqlalchemy.insert(TABLES["scope"]).values(id="1", name="new"))
    assert len(servers.rows("scope", id="1")) == 1


@pytest.mark.parametrize("saved", [True, False])
def test_a_batch_whose_outcome_is_unknown_gets_no_report(
    servers: Servers, project: str, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    """The client gets the status 503, like a lost answer: neither a success nor a refusal."""
    first = servers.databases[0]
    monkeypatch.setattr(commit_marks, "was_saved", lambda *asked: None)

    def cut(connection: sqlalchemy.Connection) -> None:
        if saved:
            commit_and_cut(servers, connection)
        end_connections(servers)

    sqlalchemy.event.listen(first.engine, "commit", cut, once=True)
    with pytest.raises(CommitInDoubtError) as caught:
        servers.call(0, creation("Scope", {"id": "1", "name": "x"}))
    assert is_outage(caught.value)


def test_a_stop_that_is_announced_after_a_commit_leaves_it_in_doubt(
    servers: Servers, project: str
) -> None:
    """PostgreSQL sends the error of its stop before the connection breaks."""
    first = servers.databases[0]
    stop = psycopg.errors.AdminShutdown("terminating connection due to administrator command")

    def cut(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        raise sqlalchemy.exc.OperationalError("COMMIT", None, stop)

    sqlalchemy.event.listen(first.engine, "commit", cut, once=True)
    with first.write() as connection:
        connection.execute(sqlalchemy.insert(TABLES["scope"]).values(id="1", name="new"))
    assert len(servers.rows("scope", id="1")) == 1


def test_a_restart_leaves_no_row_for_processes_of_the_last_month(servers: Servers) -> None:
    """A process that starts removes the rows of those that have not written for long."""
    with servers.databases[0].write() as connection:
        connection.exec_driver_sql("UPDATE commit_writer SET used_at = used_at - interval '1 year'")
    with (
        contextlib.closing(Database(servers.databases[0].engine.url)) as new,
        new.write() as connection,
    ):
        found = connection.exec_driver_sql("SELECT count(*) FROM commit_writer").scalar()
    assert found == 1


def test_a_wrong_address_is_reported_at_once() -> None:
    """A server that was never reached is not waited for."""
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(sqlalchemy.exc.OperationalError), database.read():
        pass
    database.close()


def heavy(number: int) -> dict[str, Any]:
    """Return a query that takes a while, however few rows there are."""
    words = " or ".join(f'name like "%{number} {index}%"' for index in range(400))
    return {"action": "query", "expression": f"select id from Type where {words}"}


def test_a_server_knows_when_another_one_waits_to_write(servers: Servers) -> None:
    """A writer sees that another process waits, and that none waits any more."""
    first, second = servers.databases
    entered = threading.Event()

    def write() -> None:
        with second.write():
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with first.write() as connection:
            assert first.nobody_waits_to_write(connection)
            other = pool.submit(write)
            pause = threading.Event()
            while first.nobody_waits_to_write(connection):
                pause.wait(0.01)
            assert not entered.is_set()
        other.result(30)
    assert entered.is_set()
    with first.write() as connection:
        assert first.nobody_waits_to_write(connection)


def test_a_long_batch_ends_for_a_writer_of_another_process(
    servers: Servers, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch beyond its limit goes on only while no process waits to write."""
    # Alone, the batch would end by itself.
    monkeypatch.setattr(deadlines, "_EXTENSIONS", 1_000)
    first, second = servers.databases
    limits = Limits(batch_seconds=1.0)
    api = Api(first, MediaService(first, servers.apis[0].media.folder), limits=limits)
    begins = creation("Folder", {"id": str(uuid.uuid4()), "name": "long", "parent_id": project})
    body = json.dumps([begins, *map(heavy, range(1_500))]).encode()

    def write() -> None:
        with second.write():
            pass

    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(api.answer, body, servers.user, "http://x")
        pause = threading.Event()
        while is_turn_free(servers):
            assert not long.done(), long.result().body
            pause.wait(0.01)
        pool.submit(write).result(60)
        answer = json.loads(long.result(60).body)
    assert isinstance(answer, dict)
    assert answer["exception"] == "BatchTimeoutError", answer
    assert servers.rows("context", name="long") == []


def is_turn_free(servers: Servers) -> bool:
    """Return whether no transaction of any server has the turn to write."""
    with servers.databases[1].engine.connect() as connection:
        return not connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            f" AND classid::bigint = {shared_locks._TURN}"
            " AND objid::bigint = hashtext(current_schema())::bigint & 4294967295"
        ).scalar()
