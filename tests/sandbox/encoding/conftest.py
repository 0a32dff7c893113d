"""A site on PostgreSQL whose media are encoded by processes that a test starts and kills."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest
import requests
import sqlalchemy
from tests.conftest import Api

from ftrack_like._base import ffmpeg
from ftrack_like.sandbox.server import SandboxServer

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

#: Seconds to wait for a condition, and of the lease of a worker.
PATIENCE = 120.0
LEASE = 3.0

#: An ffmpeg that tells that it runs, and waits while the gate is closed.
_GATED = """\
#!/bin/sh
echo "$$" >> "{gate}/begun"
while [ -e "{gate}/closed" ]; do sleep 0.05; done
exec "{program}" "$@"
"""

#: ffmpeg's arguments for the smallest useful movie.
_MOVIE = ("-f", "lavfi", "-i", "testsrc=size=32x32:rate=24:duration=0.1", "-pix_fmt", "yuv420p")


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Return the first true result of *condition*."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: this has not happened within {patience} seconds.")


class Gate:
    """Holds the ffmpeg of workers that are started with :attr:`program`."""

    def __init__(self, folder: pathlib.Path, program: str) -> None:
        self._folder = folder
        self.program = folder / "ffmpeg"
        self.program.write_text(_GATED.format(gate=folder, program=program))
        self.program.chmod(0o755)

    def close(self) -> None:
        """Hold each ffmpeg from now on."""
        (self._folder / "closed").touch()

    def open(self) -> None:
        """Let all continue."""
        (self._folder / "closed").unlink(missing_ok=True)

    def begun(self) -> int:
        """Return how many programs have begun."""
        path = self._folder / "begun"
        return len(path.read_text().splitlines()) if path.exists() else 0


class WorkerProcess:
    """A running ``sandbox worker``; *ready* is the line that it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        self.ready: dict[str, Any] = json.loads(line) if line else {}

    def send(self, number: int) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End the process as a crash does."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def end(self) -> tuple[int, str]:
        """Ask the process to end; return its status and what it wrote to standard error."""
        self.process.terminate()
        return self.result()

    def result(self) -> tuple[int, str]:
        """Return the status and the errors of the process when it has ended."""
        _, told = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, told


class Farm:
    """A site: *server* answers requests and encodes nothing; workers are started on demand."""

    def __init__(self, server: SandboxServer, url: str, media: pathlib.Path, movie: bytes) -> None:
        self.server = server
        self.url = url
        self.media = media
        self.api = Api(server)
        self.movie = movie
        schema = self.api.query("ProjectSchema where name is VFX")[0]["id"]
        project = self.api.create(
            "Project", name="show", full_name="Show", project_schema_id=schema
        )
        self.asset = self.api.create("Asset", name="plate", context_id=project)
        self._workers: list[WorkerProcess] = []

    def command(self, word: str, *options: str, media: Optional[pathlib.Path] = None) -> list[str]:
        """Return the command ``sandbox <word>`` for the site."""
        command = [sys.executable, "-m", "ftrack_like.sandbox", word, "--database", self.url]
        return [*command, "--media", str(media or self.media), *options]

    def worker(
        self,
        gate: Optional[Gate] = None,
        *more: str,
        media: Optional[pathlib.Path] = None,
        jobs: int = 1,
    ) -> WorkerProcess:
        """Start a worker with *more* options; return it when it is ready or has ended."""
        options = ("--lease", str(LEASE), "--jobs", str(jobs), "--json", *more)
        environment = {**os.environ, "PYTHONUTF8": "1"}
        if gate is not None:
            environment["FTRACK_FFMPEG"] = str(gate.program)
        started = WorkerProcess(
            subprocess.Popen(
                self.command("worker", *options, media=media),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                text=True,
            )
        )
        self._workers.append(started)
        return started

    def upload(self) -> tuple[str, str]:
        """Return the ids of a component with a movie, and of its new version."""
        version = self.api.create("AssetVersion", asset_id=self.asset)
        component = self.api.create(
            "FileComponent", name="main", file_type=".mov", version_id=version
        )
        operation = {"action": "get_upload_metadata", "component_id": component}
        (where,) = self.api.call({**operation, "file_name": "x", "file_size": len(self.movie)})
        requests.put(where["url"], data=self.movie, headers=where["headers"], timeout=60)
        return component, version

    def ask(self) -> tuple[str, str]:
        """Return the ids of a new encode job and of the version for which it encodes."""
        component, version = self.upload()
        operation = {"action": "encode_media", "component_id": component, "version_id": version}
        return str(self.api.call(operation)[0]["job_id"]), version

    def job(self, job: str) -> dict[str, Any]:
        """Return the status and the decoded data of a Job."""
        found = self.api.one(f"select status, data from Job where id is {job}")
        return {"status": found["status"], **json.loads(found["data"])}

    def wait(self, job: str) -> dict[str, Any]:
        """Return :meth:`job` when it has ended."""

        def ended() -> Optional[dict[str, Any]]:
            found = self.job(job)
            return found if found["status"] in {"done", "failed"} else None

        return dict(until(ended, f"The job {job} ends"))

    def components(self, version: str) -> list[str]:
        """Return the names of the components of a version."""
        found = self.api.query(f"select name from Component where version_id is {version}")
        return sorted(one["name"] for one in found)

    def queue(self) -> list[dict[str, Any]]:
        """Return the queue as the command prints it."""
        done = subprocess.run(
            self.command("jobs", "--json"),
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        return list(json.loads(done.stdout))

    def end_lease(self, job: str) -> None:
        """Let the lease of the worker of *job* end now, as the time would."""
        engine = sqlalchemy.create_engine(self.url)
        with engine.begin() as connection:
            statement = sqlalchemy.text("UPDATE encode_job SET expires_at = 0 WHERE id = :id")
            assert connection.execute(statement, {"id": job}).rowcount == 1
        engine.dispose()

    def end_other(self, kept: WorkerProcess) -> None:
        """Ask all workers but *kept* to end."""
        for one in self._workers:
            if one is not kept and one.process.poll() is None:
                one.end()

    def end_workers(self) -> None:
        """Kill the workers that still run."""
        for one in self._workers:
            if one.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    one.send(signal.SIGCONT)
                one.kill()
            for stream in (one.process.stdout, one.process.stderr):
                if stream is not None:
                    stream.close()
        self._workers.clear()


@pytest.fixture
def gate(tmp_path: pathlib.Path, program: str) -> Iterator[Gate]:
    """Return a gate for ffmpeg, open at first."""
    folder = tmp_path / "gate"
    folder.mkdir()
    made = Gate(folder, program)
    yield made
    made.open()


@pytest.fixture(scope="session")
def program() -> str:
    """Return the path of ffmpeg, or skip the test with the reason."""
    pytest.importorskip("av", reason="PyAV (media extra) is not installed")
    try:
        return ffmpeg.find_ffmpeg()
    except ffmpeg.MediaError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def farm_site(
    namespace: Any, tmp_path_factory: pytest.TempPathFactory, program: str
) -> Iterator[Farm]:
    """Return a site on PostgreSQL without an encoder of its own."""
    if not POSTGRESQL:
        pytest.skip("FTRACK_LIKE_TEST_POSTGRES_URL names no PostgreSQL server")
    media = tmp_path_factory.mktemp("shared")
    movie = tmp_path_factory.mktemp("movie") / "main.mov"
    subprocess.run([program, "-loglevel", "error", *_MOVIE, str(movie)], check=True, timeout=60)
    with namespace(POSTGRESQL) as url:
        with SandboxServer(database=url, media=media, encoders=0) as server:
            yield Farm(server, url, media, movie.read_bytes())


@pytest.fixture
def farm(farm_site: Farm) -> Iterator[Farm]:
    """Return the site; the workers of a test end with it."""
    yield farm_site
    farm_site.end_workers()
