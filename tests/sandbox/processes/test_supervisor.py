"""The supervisor ends with a clear error where no process can work."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import subprocess
import sys
from typing import Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


from tests.sandbox.processes.asking import POSTGRESQL

from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.network.listening import open_listener
from ftrack_like.sandbox.network.settings import Network
from ftrack_like.sandbox.processes.child import WorkerProcess
from ftrack_like.sandbox.processes.messages import WorkerSettings
from ftrack_like.sandbox.processes.supervisor import Supervisor, WorkerError
from ftrack_like.sandbox.site_data import SiteData

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(os.name != "posix", reason="several processes need POSIX"),
    pytest.mark.skipif(not POSTGRESQL, reason="needs FTRACK_LIKE_TEST_POSTGRES_URL"),
]


class Doomed(WorkerProcess):
    """A worker that says it is ready, and ends; the first one only if *goes_on* is False."""

    def __init__(self, now: float, goes_on: bool) -> None:
        self.started_at = now
        self.ready_at: Optional[float] = None
        self.silence = 0.0
        self.is_leaving = False
        self.reason = ""
        self._goes_on = goes_on
        self._said = False
        self._near, self._far = socket.socketpair()
        if not goes_on:
            self._far.close()
        else:
            self._far.send(b"ready")

    number = 1

    def fileno(self) -> int:
        """Return a descriptor that can be read once, or at its end."""
        return self._near.fileno()

    def read(self, now: float) -> bool:
        """Become ready with the first message, and end with the second."""
        self.ready_at = now
        return bool(self._near.recv(100))

    def say(self) -> None:
        """End the worker."""
        self._far.close()

    def terminate(self) -> None:
        """End the worker."""
        self.is_leaving = True
        self._far.close()

    def kill(self) -> None:
        """Do nothing: it has ended."""

    def wait(self) -> int:
        """Return the status."""
        self._near.close()
        return 3


def test_supervisor_gives_up_when_workers_always_end_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After some starts with growing pauses, while none answers, the reason ends the command."""
    monkeypatch.setattr("ftrack_like.sandbox.processes.supervisor._FIRST_PAUSE", 0.01)
    started: list[Doomed] = []

    def start(now: float) -> Doomed:
        started.append(Doomed(now, goes_on=not started))
        return started[-1]

    supervisor = Supervisor(1, start)
    with pytest.raises(WorkerError, match=r"any more: The process 1 .* ended with status 3"):
        supervisor.run(lambda: started[0].say(), lambda: None)
    pauses = [later.started_at - sooner.started_at for sooner, later in zip(started, started[1:])]
    assert len(started) == 8
    for number, pause in enumerate(pauses):
        assert pause >= 0.01 * 2**number


def test_supervisor_bears_any_number_of_early_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one worker answers, the starts of another one may fail for days, one every 15 s."""
    monkeypatch.setattr("ftrack_like.sandbox.processes.supervisor._TICK", 0.0)
    seconds = itertools.count()
    started: list[Doomed] = []

    def start(now: float) -> Doomed:
        if len(started) == 1100:
            os.kill(os.getpid(), signal.SIGTERM)
        started.append(Doomed(now, goes_on=len(started) < 2))
        return started[-1]

    supervisor = Supervisor(2, start, clock=lambda: float(next(seconds)))
    assert supervisor.run(lambda: started[1].say(), lambda: None) == signal.SIGTERM
    assert len(started) > 1100
    latest = started[-10:]
    assert all(two.started_at - one.started_at > 15 for one, two in zip(latest, latest[1:]))


class Mute(Doomed):
    """A worker that says only that it is ready."""

    killed = False

    def kill(self) -> None:
        """End the worker."""
        self.killed = True
        self._far.close()


@pytest.mark.parametrize("step", [0.5, 3600.0], ids=["runs", "sleeps between its steps"])
def test_supervisor_replaces_a_worker_that_hangs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: float
) -> None:
    """Only time in which the supervisor itself runs counts as the silence of a worker."""
    monkeypatch.setattr("ftrack_like.sandbox.processes.supervisor._TICK", 0.001)
    monkeypatch.setattr("ftrack_like.sandbox.processes.supervisor._SILENCE", 0.05)
    times = itertools.count(step=step)
    started: list[Mute] = []

    def start(now: float) -> Mute:
        started.append(Mute(now, goes_on=True))
        if len(started) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return started[-1]

    supervisor = Supervisor(1, start, clock=lambda: float(next(times)))
    assert supervisor.run(lambda: None, lambda: None) == signal.SIGTERM
    assert all(one.killed for one in started[:2])
    assert (started[1].started_at - started[0].started_at) / step > 25  # 0.05 / (2 * 0.001)
    assert "The process 1 of the sandbox hung" in caplog.text


def test_supervisor_replaces_a_stopped_process(
    database: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped by a signal is killed, and one that answers takes its place."""
    monkeypatch.setattr("ftrack_like.sandbox.processes.supervisor._SILENCE", 5.0)
    with contextlib.closing(SiteData(url=database, media=tmp_path)) as site:
        site.open()
        user, administrator = site.user, site.administrator.id
    started: list[WorkerProcess] = []
    with open_listener("127.0.0.1", 0) as listener:
        settings = WorkerSettings(
            listener=listener.fileno(),
            host="127.0.0.1",
            database=database,
            media=str(tmp_path),
            user=user,
            administrator_id=administrator,
            encoders=0,
            loopback_webhooks=False,
            network=Network(),
            limits=Limits(),
            metrics=str(tmp_path),
        )

        def start(now: float) -> WorkerProcess:
            started.append(WorkerProcess(settings, now))
            if len(started) == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return started[-1]

        supervisor = Supervisor(2, start)
        supervisor.run(lambda: os.kill(started[0].number, signal.SIGSTOP), lambda: None)
    assert started[0].wait() == -signal.SIGKILL
    assert "hung" in started[0].reason
    assert started[1].reason == ""


def refused(*options: str) -> str:
    """Return the errors of the command with *options*, which must end with status 1 or 2."""
    ended = subprocess.run(
        [sys.executable, "-m", "ftrack_like.sandbox", "start", "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode in (1, 2)
    assert ended.stdout == ""
    return ended.stderr


def test_workers_without_postgresql_are_refused(tmp_path: pathlib.Path) -> None:
    """--workers with SQLite ends with a sentence that names --database."""
    for place in (["--memory"], ["--data", str(tmp_path)]):
        said = refused("--workers", "2", *place)
        assert "--workers needs a database" in said
        assert "--database postgresql://" in said
    assert list(tmp_path.iterdir()) == []


def test_invalid_number_of_workers_is_refused() -> None:
    """A number of workers outside of the range is an error of the option."""
    for number in ("0", "-1", "1000", "two"):
        assert "a number of processes from 1 to 999" in refused("--workers", number)


def test_chaos_with_workers_is_refused() -> None:
    """--chaos cannot be repeated with several processes, so both together are an error."""
    said = refused("--workers", "2", "--database", "postgresql://nowhere/none", "--chaos")
    assert "Omit --workers or --chaos" in said


def test_database_that_does_not_answer_is_one_error() -> None:
    """A database without a server is told once, without the password, and nothing remains."""
    said = refused("--workers", "2", "--database", "postgresql://me:hush@127.0.0.1:9/none")
    assert said.startswith("ftrack-like: The database cannot be used: ")
    assert len(said.splitlines()) == 1
    assert "hush" not in said


def test_process_that_cannot_start_ends_the_sandbox_with_its_reason(database: str) -> None:
    """When no process can start, the command ends with the reason that the process gave."""
    settings = WorkerSettings(
        listener=os.open(os.devnull, os.O_RDONLY),
        host="127.0.0.1",
        database=database,
        media=None,
        user="admin",
        administrator_id="none",
        encoders=1,
        loopback_webhooks=False,
        network=Network(),
        limits=Limits(),
        metrics=os.devnull,
    )
    supervisor = Supervisor(2, lambda now: WorkerProcess(settings, now))
    announced: list[bool] = []
    with pytest.raises(WorkerError, match=r"not a socket|non-socket"):
        supervisor.run(lambda: announced.append(True), lambda: None)
    os.close(settings.listener)
    assert announced == []
