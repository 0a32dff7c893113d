"""The loss, the replacement and the end of processes lose no request."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import uuid

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

import sqlalchemy
from requests.exceptions import ChunkedEncodingError
from tests.sandbox.processes.asking import (
    ASK,
    POSTGRESQL,
    call,
    creation,
    new_key,
    query,
    refuses,
    results,
)
from tests.sandbox_processes import ProcessSandbox, is_alive, wait_until

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(os.name != "posix", reason="several processes need POSIX"),
    pytest.mark.skipif(not POSTGRESQL, reason="needs FTRACK_LIKE_TEST_POSTGRES_URL"),
]


class Load:
    """Clients that commit and query in threads, each request on a connection of a pool."""

    def __init__(self, sandbox: ProcessSandbox, repeats: bool, clients: int = 4) -> None:
        """With *repeats*, clients repeat a request whose connection broke."""
        self._sandbox = sandbox
        self._repeats = repeats
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        self.acknowledged: list[str] = []
        self.failures: list[str] = []

    def __enter__(self) -> Load:
        """Start the clients; return when some requests were answered."""
        for one in self._threads:
            one.start()
        self.wait_for_more()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the clients."""
        self._stop.set()
        for one in self._threads:
            one.join(60)

    def wait_for_more(self, number: int = 8) -> None:
        """Return when *number* further commits are acknowledged."""
        wanted = len(self.acknowledged) + number
        wait_until(lambda: len(self.acknowledged) >= wanted or self.failures)

    def _run(self) -> None:
        with requests.Session() as http:
            http.headers.update(
                {
                    "ftrack-user": self._sandbox.api_user,
                    "ftrack-api-key": self._sandbox.api_key,
                    "ftrack-strict-api": "true",
                }
            )
            while not self._stop.is_set():
                name = f"n{uuid.uuid4().hex}"
                try:
                    self._commit(http, name)
                except Exception as error:
                    self.failures.append(repr(error))
                    return
                self.acknowledged.append(name)

    def _commit(self, http: requests.Session, name: str) -> None:
        operation = creation("Group", name=name)
        while True:
            try:
                answer = http.post(f"{self._sandbox.server_url}/api", json=[operation], timeout=60)
            except (requests.ConnectionError, ChunkedEncodingError):
                if self._repeats:
                    continue
                raise
            # The answer to a commit was lost: the repetition tells that the entity exists.
            repeated = self._repeats and "already" in answer.text.lower()
            if answer.status_code != 200 and not repeated:
                raise AssertionError(answer.text)
            return


def names_of(sandbox: ProcessSandbox) -> list[str]:
    """Return the names of all groups."""
    names: list[str] = []
    while True:
        expression = f"select name from Group order by id offset {len(names)} limit 500"
        page = results(call(sandbox, query(expression)))[0]["data"]
        if not page:
            return names
        names += [one["name"] for one in page]


def test_kill_of_a_process_under_load_loses_no_commit(mortal: ProcessSandbox) -> None:
    """Acknowledged commits survive kill -9 of a process, once each, and another one replaces it."""
    before = mortal.worker_ids
    with Load(mortal, repeats=True) as load:
        for _ in range(2):
            victim = mortal.worker_ids[0]
            os.kill(victim, signal.SIGKILL)
            load.wait_for_more()
            wait_until(lambda: len(mortal.worker_ids) == 2 and victim not in mortal.worker_ids)
        load.wait_for_more()
    assert load.failures == []
    assert set(mortal.worker_ids).isdisjoint(before[:1])
    stored = names_of(mortal)
    assert len(stored) == len(set(stored))
    assert set(load.acknowledged) <= set(stored)


def test_hang_up_replaces_the_processes_without_a_failed_request(mortal: ProcessSandbox) -> None:
    """SIGHUP replaces all processes while clients send requests, and no request fails."""
    before = mortal.worker_ids
    with Load(mortal, repeats=False) as load:
        assert mortal.process is not None
        mortal.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: len(mortal.worker_ids) == 2 and not set(before).intersection(mortal.worker_ids)
        )
        load.wait_for_more()
    assert load.failures == []
    assert set(load.acknowledged) <= set(names_of(mortal))


class WaitingWriters:
    """Lets requests that create a user or a group wait in the database during the block."""

    def __init__(self, database: str) -> None:
        """The lock is taken at the begin of the block."""
        self._engine = sqlalchemy.create_engine(database)

    def __enter__(self) -> WaitingWriters:
        """Take the lock."""
        self._connection = self._engine.connect()
        self._connection.exec_driver_sql("LOCK TABLE resource IN EXCLUSIVE MODE")
        return self

    def __exit__(self, *error: object) -> None:
        """Give the lock back."""
        self._connection.close()
        self._engine.dispose()

    def is_awaited(self) -> bool:
        """Return whether a request waits."""
        statement = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'resource'::regclass"
        return self._connection.exec_driver_sql(statement).first() is not None


def test_termination_ends_the_requests_and_all_processes(mortal: ProcessSandbox) -> None:
    """SIGTERM refuses new clients, answers running requests, and ends all processes with 0."""
    workers = mortal.worker_ids
    statuses: list[int] = []

    def commit() -> None:
        statuses.append(call(mortal, creation("Group", name="slow")).status_code)

    assert mortal.process is not None
    asking = threading.Thread(target=commit)
    with WaitingWriters(mortal.database) as lock:
        asking.start()
        wait_until(lock.is_awaited)
        mortal.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(mortal))
    asking.join(60)
    assert statuses == [200]
    mortal.process.communicate(timeout=60)
    assert mortal.process.returncode == 0
    assert not any(map(is_alive, workers))


@pytest.fixture
def temporary(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """Return an empty folder for the temporary files of processes that start later."""
    path = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(path))
    return path


@pytest.mark.parametrize("killed_too", [0, 1])
def test_processes_end_when_their_supervisor_is_killed(
    temporary: pathlib.Path, mortal: ProcessSandbox, killed_too: int
) -> None:
    """After kill -9 of the supervisor, its workers end by themselves, and leave no files."""
    workers = mortal.worker_ids
    wait_until(lambda: len([one for one in temporary.glob("*/*") if one.name.isdigit()]) == 2)
    assert mortal.process is not None
    mortal.process.kill()
    for victim in workers[:killed_too]:
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, workers)))
    assert refuses(mortal)
    assert list(temporary.iterdir()) == []


def test_interrupt_ends_with_the_status_of_shells(mortal: ProcessSandbox) -> None:
    """Ctrl-C, which reaches all processes of a terminal, ends them with status 130."""
    workers = mortal.worker_ids
    assert mortal.process is not None
    for number in workers:
        os.kill(number, signal.SIGINT)
    mortal.process.send_signal(signal.SIGINT)
    mortal.process.communicate(timeout=60)
    assert mortal.process.returncode == 130
    assert not any(map(is_alive, workers))


def test_new_key_of_the_administrator_survives_a_restarted_process(
    mortal: ProcessSandbox,
) -> None:
    """A process that is replaced does not bring back the key with which the sandbox started."""
    found = results(call(mortal, query('select id from User where username is "admin"')))
    new = results(call(mortal, new_key(found[0]["data"][0]["id"])))[0]["data"]["api_key"]
    victim = mortal.worker_ids[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(mortal.worker_ids) == 2 and victim not in mortal.worker_ids)
    for worker in mortal.worker_ids:
        mortal.wait_for(worker)
        with mortal.only(worker):
            assert call(mortal, *ASK).status_code == 401
            assert results(call(mortal, *ASK, key=new))


def answered(sandbox: ProcessSandbox) -> int:
    """Return how many requests to the API the metrics of any process count."""
    text = requests.get(f"{sandbox.server_url}/metrics", timeout=60).text
    found = [line for line in text.splitlines() if line.startswith("ftrack_like_requests_total{")]
    return sum(int(line.rpartition(" ")[2]) for line in found if 'kind="api"' in line)


def processes_in_metrics(sandbox: ProcessSandbox) -> set[int]:
    """Return the ids of the processes that the metrics of any process name."""
    text = requests.get(f"{sandbox.server_url}/metrics", timeout=60).text
    lines = [line for line in text.splitlines() if line.startswith("ftrack_like_process_info{")]
    return {int(line.split('"')[1]) for line in lines}


def test_any_process_answers_with_the_metrics_of_all(mortal: ProcessSandbox) -> None:
    """Requests are counted whichever process answered them, and after its end too."""
    for _ in range(12):
        results(call(mortal, *ASK))
    wait_until(lambda: answered(mortal) == 12)
    wait_until(lambda: processes_in_metrics(mortal) == {*mortal.worker_ids})
    assert [answered(mortal) for _ in range(8)] == [12] * 8
    before = {*mortal.worker_ids}
    assert mortal.process is not None
    mortal.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(now := {*mortal.worker_ids}) == 2 and not now & before)
    wait_until(lambda: processes_in_metrics(mortal) == {*mortal.worker_ids})
    assert answered(mortal) == 12
    os.kill(mortal.worker_ids[0], signal.SIGKILL)
    wait_until(lambda: processes_in_metrics(mortal) == {*mortal.worker_ids})
    assert answered(mortal) == 12
