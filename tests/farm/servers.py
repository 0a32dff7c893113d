"""PostgreSQL, Redis, a sandbox of two processes and encode workers, for a test that kills them."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Optional

import pytest
from tests.sandbox_processes import PATIENCE, ProcessSandbox, is_alive, wait_until

__all__ = ["EncodeWorkers", "Faults", "Postgres", "Redis", "program", "removed_at_end"]

#: Seconds after which other workers take the job of a killed one.
LEASE = 3

#: Seconds between two faults.
PAUSE = 3.0


def program(name: str) -> str:
    """Return the path of the program *name*; skip the test if it is not installed."""
    # Debian keeps the programs of PostgreSQL out of PATH.
    found = [shutil.which(name), *sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))]
    known = [one for one in found if one]
    if not known:
        pytest.skip(f"the program {name} is not installed")
    return known[-1]


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextlib.contextmanager
def removed_at_end(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Let all users enter *folder*, such as that of PostgreSQL, and remove it after the block."""
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Postgres:
    """A PostgreSQL cluster in the new folder *folder*, which any user must be able to enter.

    *settings*, such as ``"wal_writer_delay=10s"``, are given to the server.
    """

    def __init__(self, folder: pathlib.Path, *settings: str) -> None:
        self._control = program("pg_ctl")
        self._data = folder / "data"
        self._settings = settings
        self._log = folder / "log"
        self._port = free_port()
        folder.mkdir(mode=0o700)
        # PostgreSQL refuses to run as root.
        self._prefix: list[str] = []
        if os.getuid() == 0:
            self._prefix = [program("runuser"), "-u", "postgres", "--"]
            shutil.chown(folder, "postgres")
        self._folder = folder
        self._run(
            program("initdb"),
            *("-D", str(self._data), "-U", "ftrack_like", "-A", "trust"),
            *("-E", "UTF8", "--locale=C.UTF-8", "-N"),
        )
        self.start()

    @property
    def url(self) -> str:
        """Return the address of the database for the sandbox."""
        return f"postgresql+psycopg://ftrack_like@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start the server; return when it answers."""
        # Without fsync, a crash of the server loses nothing; only a crash of the machine does.
        options = f"-p {self._port} -k {self._folder}"
        for one in ("listen_addresses=127.0.0.1", "fsync=off", *self._settings):
            options += f" -c {one}"
        place = ["-D", str(self._data), "-l", str(self._log)]
        self._run(self._control, *place, "-w", "-t", str(int(PATIENCE)), "-o", options, "start")

    def crash(self) -> None:
        """Stop the server as a crash does, and start it again."""
        self._run(self._control, "-D", str(self._data), "-m", "immediate", "stop")
        self.start()

    def stop(self) -> None:
        """Stop the server as a crash does, if it runs."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run(self._control, "-D", str(self._data), "-m", "immediate", "stop")

    def close(self) -> None:
        """Stop the server, if it runs."""
        self.stop()

    def _run(self, *command: str) -> None:
        subprocess.run(
            [*self._prefix, *command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=PATIENCE,
        )


class Redis:
    """A Redis server that stores nothing on the disk."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._port = free_port()
        self._command = [
            program("redis-server"),
            *("--bind", "127.0.0.1", "--port", str(self._port)),
            *("--save", "", "--appendonly", "no", "--dir", str(folder)),
        ]
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.start()

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server; return when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

        def answers() -> bool:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return True
            return False

        wait_until(answers)

    def crash(self) -> None:
        """Kill the server, and start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Kill the server, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)


class EncodeWorkers:
    """*count* processes that encode the media of the site at *url* with files in *media*."""

    def __init__(self, url: str, media: pathlib.Path, count: int, log: pathlib.Path) -> None:
        self._log = log
        self._command = [
            *(sys.executable, "-m", "ftrack_like.sandbox", "worker", "--json"),
            *("--database", url, "--media", str(media), "--lease", str(LEASE)),
        ]
        self.processes = [self._started() for _ in range(count)]

    def _started(self) -> subprocess.Popen[str]:
        with self._log.open("a") as log:
            process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        # A supervisor of the machine, such as systemd, starts a worker again that cannot start
        # because the database is away.
        ready = process.stdout.readline()
        if not ready:
            process.wait(PATIENCE)
            return self._started()
        json.loads(ready)
        return process

    def crash(self, index: int) -> None:
        """Kill a worker, and start another one in its place."""
        process = self.processes[index]
        assert process.poll() is None, f"the worker ended by itself: {process.returncode}"
        process.kill()
        process.communicate(timeout=PATIENCE)
        self.processes[index] = self._started()

    def stop(self) -> list[int]:
        """Ask all workers to end; return their statuses."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        return [process.returncode for process in self.processes]


class Faults:
    """Kills one process after the other: each kind once, in random order, then again."""

    def __init__(
        self, server: ProcessSandbox, postgres: Postgres, redis: Redis, workers: EncodeWorkers
    ) -> None:
        self._server = server
        self._workers = workers
        self._random = random.Random(7)
        self._kinds: dict[str, Callable[[], None]] = {
            "server process": self._kill_server_process,
            "PostgreSQL": postgres.crash,
            "Redis": redis.crash,
        }
        if workers.processes:
            self._kinds["encode worker"] = self._kill_worker
        #: How often each kind was killed.
        self.counts = dict.fromkeys(self._kinds, 0)

    def run(self, seconds: float) -> None:
        """Kill processes for *seconds*, and at least each kind once."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or not all(self.counts.values()):
            for kind in self._random.sample(sorted(self._kinds), len(self._kinds)):
                time.sleep(PAUSE)
                self._kinds[kind]()
                self.counts[kind] += 1

    def _kill_server_process(self) -> None:
        known = self._server.worker_ids
        if known:
            killed = self._random.choice(known)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: not is_alive(killed))

    def _kill_worker(self) -> None:
        self._workers.crash(self._random.randrange(len(self._workers.processes)))
