"""Encode workers: real processes, killed and paused in the middle of jobs."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
from typing import Any

import pytest
from tests.sandbox.encoding.conftest import POSTGRESQL, Farm, Gate, until

from ftrack_like.sandbox import command_line
from ftrack_like.sandbox.server import SandboxServer

pytestmark = [pytest.mark.ffmpeg, pytest.mark.usefixtures("program")]

#: The number of jobs that workers share.
JOBS = int(os.environ.get("FTRACK_LIKE_TEST_ENCODE_JOBS", "8"))

#: The components of a version whose movie was encoded.
ENCODED = ["ftrackreview-mp4", "main", "thumbnail"]


def test_three_workers_do_each_job_once(farm: Farm, gate: Gate) -> None:
    """Each job is done by one worker, and each version has one result."""
    for _ in range(3):
        assert farm.worker(gate).ready
    jobs = [farm.ask() for _ in range(JOBS)]
    assert [farm.wait(job)["status"] for job, _ in jobs] == ["done"] * JOBS
    for _, version in jobs:
        assert farm.components(version) == ENCODED
    programs = gate.begun()
    farm.wait(farm.ask()[0])
    assert programs == JOBS * (gate.begun() - programs) > 0
    assert not [one for one in farm.queue() if one["state"] != "failed"]


def test_job_of_killed_worker_is_taken_again(farm: Farm, gate: Gate) -> None:
    """After the lease another worker does the job, and there is one result."""
    gate.close()
    first = farm.worker(gate)
    job, version = farm.ask()
    until(gate.begun, "The first worker begins")
    first.kill()
    gate.open()
    farm.worker(gate)
    assert farm.wait(job)["status"] == "done"
    assert farm.components(version) == ENCODED
    assert not [one for one in (farm.media / "incoming").rglob("*") if one.is_file()]


def test_paused_worker_writes_nothing_over_the_new_owner(farm: Farm, gate: Gate) -> None:
    """A worker that continues after its lease drops the job; nobody sees an error."""
    gate.close()
    paused = farm.worker(gate)
    job, version = farm.ask()
    until(gate.begun, "The first worker begins")
    paused.send(signal.SIGSTOP)
    gate.open()
    farm.worker(gate)
    done = farm.wait(job)
    assert done["status"] == "done"
    before = _files(farm, done)
    paused.send(signal.SIGCONT)
    # The paused worker is at work again when it has done another job.
    farm.end_other(paused)
    assert farm.wait(farm.ask()[0])["status"] == "done"
    assert farm.job(job) == done
    assert farm.components(version) == ENCODED
    assert _files(farm, done) == before
    assert "rror" not in paused.end()[1]


def test_job_that_kills_its_worker_fails_after_three_attempts(farm: Farm, gate: Gate) -> None:
    """The Job says what happened, has no outputs, and another worker does the next job."""
    gate.close()
    job, version = farm.ask()
    for attempt in range(1, 4):
        worker = farm.worker(gate)
        until(lambda number=attempt: gate.begun() >= number, f"Attempt {attempt} begins")
        worker.kill()
        farm.end_lease(job)
    gate.open()
    last = farm.worker(gate)
    failed = farm.wait(job)
    assert failed["status"] == "failed"
    assert (
        "3 times its worker ended before the encoding, the last time that of process"
        in (failed["error"])
    )
    assert farm.components(version) == ["main"]
    assert farm.wait(farm.ask()[0])["status"] == "done"
    (shown,) = (one for one in farm.queue() if one["id"] == job)
    assert (shown["state"], shown["error"]) == ("failed", failed["error"])
    status, told = last.end()
    assert status == 0
    assert f"{job} of the version {version}: failed (seconds " in told
    assert failed["error"] in told


def test_sigterm_hands_the_job_back(farm: Farm, gate: Gate) -> None:
    """A worker that is asked to end gives its job to another one at once, as the same attempt."""
    gate.close()
    first = farm.worker(gate)
    job, version = farm.ask()
    until(gate.begun, "The first worker begins")
    status, told = first.end()
    assert status == 0
    assert f"{job} of the version {version}: taken (attempt 1)." in told
    assert "handed back (seconds " in told
    (waiting,) = (one for one in farm.queue() if one["id"] == job)
    assert (waiting["state"], waiting["attempts"], waiting["worker"]) == ("waiting", 0, None)
    gate.open()
    farm.worker(gate)
    assert farm.wait(job)["status"] == "done"
    assert farm.components(version) == ENCODED


def test_queue_command_shows_the_worker_and_cancels(farm: Farm, gate: Gate) -> None:
    """The queue names worker, machine and heartbeat; a cancelled job can be repeated."""
    gate.close()
    worker = farm.worker(gate)
    job, version = farm.ask()
    until(gate.begun, "The worker begins")
    (shown,) = (one for one in farm.queue() if one["id"] == job)
    assert shown["state"] == "running"
    assert shown["worker"] == f"process {worker.ready['process']}"
    assert shown["machine"] == worker.ready["machine"]
    assert shown["started_at"] <= shown["heartbeat_at"]
    assert _jobs(farm, "--cancel", job).returncode == 0
    cancelled = farm.wait(job)
    assert cancelled["error"] == "An administrator has cancelled this encoding."
    assert farm.components(version) == ["main"]
    assert "has ended already" in _jobs(farm, "--cancel", job).stderr
    gate.open()
    assert _jobs(farm, "--repeat", job).returncode == 0
    assert farm.wait(job)["status"] == "done"
    assert farm.components(version) == ENCODED
    assert "There is no encode job" in _jobs(farm, "--repeat", job).stderr


def test_log_has_the_state_of_each_job(farm: Farm, gate: Gate) -> None:
    """With --log-format json, a worker writes a line when it takes a job, and one at its end."""
    worker = farm.worker(gate, "--log-format", "json")
    job, version = farm.ask()
    assert farm.wait(job)["status"] == "done"
    status, told = worker.end()
    assert status == 0
    taken, done = [json.loads(line) for line in told.splitlines()]
    assert (taken["state"], taken["attempt"], done["state"]) == ("taken", 1, "done")
    assert {taken["job"], done["job"]} == {job}
    assert {taken["version"], done["version"]} == {version}
    assert done["seconds"] >= 0


def test_queue_shows_the_path_of_the_version(farm: Farm) -> None:
    """The list names the version by its path, as other commands accept it."""
    asked = [farm.ask() for _ in range(2)]  # Both versions have the same asset.
    queue = {one["id"]: one for one in farm.queue()}
    for job, version in asked:
        shown = queue[job]
        assert shown["version_id"] == version
        assert re.fullmatch(r"(.+/)+[^/]+/v\d{3}", shown["version"])
        (line,) = (one for one in _jobs(farm).stdout.splitlines() if one.startswith(job))
        assert line.endswith(f"  {shown['version']}")


def test_queue_is_changed_without_the_folder(
    farm: Farm,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A machine without the folder for files lists, cancels and repeats; it makes no folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    job, version = farm.ask()

    def manage(*options: str) -> list[dict[str, Any]]:
        status = command_line.main(["jobs", "--database", farm.url, "--json", *options])
        told = capsys.readouterr()
        assert (status, told.err) == (0, "")
        return [one for one in json.loads(told.out) if one["id"] == job]

    assert [one["state"] for one in manage()] == ["waiting"]
    assert [one["state"] for one in manage("--cancel", job)] == ["failed"]
    assert farm.components(version) == ["main"]
    assert [one["state"] for one in manage("--repeat", job)] == ["waiting"]
    assert [one["state"] for one in manage("--cancel", job)] == ["failed"]
    assert list(tmp_path.iterdir()) == []
    missing = str(tmp_path / "missing")
    assert command_line.main(["jobs", "--database", farm.url, "--media", missing]) == 1
    assert f"cannot use the folder for files {missing}" in capsys.readouterr().err


def test_worker_with_another_folder_is_refused(farm: Farm, tmp_path: pathlib.Path) -> None:
    """The error names the path, the machine, the right folder and the remedy."""
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    refused = farm.worker(media=wrong)
    assert refused.ready == {}
    status, told = refused.result()
    assert status == 1
    for words in (str(wrong), str(farm.media), "is not marked", "--media PATH"):
        assert words in told
    assert list(wrong.iterdir()) == []
    (wrong / "site-mark").write_text("mark of another site\n")
    assert "has the mark of another site" in farm.worker(media=wrong).result()[1]
    missing = farm.worker(media=tmp_path / "missing").result()[1]
    assert f"cannot use the folder for files {tmp_path / 'missing'}" in missing
    (wrong / "site-mark").write_text((farm.media / "site-mark").read_text())
    assert farm.worker(media=wrong).ready["media"] == str(wrong)


def test_second_server_with_another_folder_is_refused(farm: Farm, tmp_path: pathlib.Path) -> None:
    """A server of the same database proves that it sees the same folder."""
    with pytest.raises(RuntimeError, match="is not the folder for files of this site"):
        SandboxServer(database=farm.url, media=tmp_path).start()
    with SandboxServer(database=farm.url, media=farm.media, encoders=0) as second:
        assert second.server_url != farm.server.server_url


def test_worker_before_the_first_start_is_refused(namespace: Any, tmp_path: pathlib.Path) -> None:
    """A worker creates no site: it says that the sandbox must start first."""
    if not POSTGRESQL:
        pytest.skip("FTRACK_LIKE_TEST_POSTGRES_URL names no PostgreSQL server")
    with namespace(POSTGRESQL) as url:
        command = ("-m", "ftrack_like.sandbox", "worker", "--media", str(tmp_path))
        told = _run(*command, "--database", url)
    assert told.returncode == 1
    assert "contains no site yet. Start the sandbox" in told.stderr


def _files(farm: Farm, job: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the inode and the time of each output of *job*."""
    found = {}
    for one in job["output"]:
        id_ = one["component_id"]
        state = (farm.media / "data" / id_[:2] / id_).stat()
        found[one["name"]] = (state.st_ino, state.st_mtime_ns)
    return found


def _jobs(farm: Farm, *options: str) -> subprocess.CompletedProcess[str]:
    return _run(*farm.command("jobs", *options)[1:])


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)
