"""Two servers of one database: uploads, signed addresses, the queue and its page."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.conftest import Api
from tests.sandbox.encoding.conftest import Farm, Gate, until
from tests.sandbox.web.conftest import Browser

from ftrack_like.sandbox.media.doorbell import Doorbell, ring
from ftrack_like.sandbox.media.encode_jobs import Worker
from ftrack_like.sandbox.server import SandboxServer


@pytest.fixture
def second(farm: Farm) -> Iterator[SandboxServer]:
    """Return another server of the database and of the folder, without an encoder."""
    with SandboxServer(database=farm.url, media=farm.media, encoders=0) as server:
        yield server


def test_parts_of_an_upload_may_go_to_several_servers(farm: Farm, second: SandboxServer) -> None:
    """Part 1 goes to the first server, part 2 to the second, and the first joins them."""
    data = [b"a" * 1024, b"b" * 1000]
    component = farm.api.create("FileComponent", name="main", file_type=".bin")
    asked = {"action": "get_upload_metadata", "component_id": component, "file_name": "x"}
    (where,) = farm.api.call({**asked, "file_size": 2024, "parts": 2})
    parts = []
    for number, server in ((0, farm.server), (1, second)):
        signed = where["urls"][number]["signed_url"]
        path = signed[len(farm.server.server_url) :]
        answer = requests.put(server.server_url + path, data=data[number], timeout=60)
        assert answer.status_code == 200
        assert answer.headers["ETag"] == f'"{hashlib.md5(data[number]).hexdigest()}"'
        parts.append({"part_number": number + 1, "e_tag": answer.headers["ETag"]})
    Api(second).call(
        {
            "action": "complete_multipart_upload",
            "component_id": component,
            "upload_id": where["upload_id"],
            "parts": parts,
        }
    )
    got = farm.api.http.get(f"{farm.api.url}/component/get?id={component}", timeout=60)
    assert got.content == b"".join(data)


def test_workers_in_two_servers_take_each_job_once(farm: Farm) -> None:
    """Servers with their own encoders share the jobs, and do each of them once."""
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(SandboxServer(database=farm.url, media=farm.media))
        jobs = [farm.ask() for _ in range(4)]
        for job, version in jobs:
            assert farm.wait(job)["status"] == "done"
            assert farm.components(version) == ["ftrackreview-mp4", "main", "thumbnail"]


def test_commit_of_a_job_wakes_other_processes(farm: Farm) -> None:
    """PostgreSQL notifies at the commit, and not for a transaction that is undone."""
    database = farm.server._api.database
    calls: list[str] = []
    bell = Doorbell(database.engine, lambda: calls.append("woken"))
    bell.start()
    try:
        until(lambda: calls, "The doorbell listens")
        calls.clear()
        with contextlib.suppress(ZeroDivisionError), database.write() as connection:
            ring(connection)
            raise ZeroDivisionError
        assert calls == []
        with database.write() as connection:
            ring(connection)
        until(lambda: calls, "The commit wakes")
    finally:
        bell.stop()


def test_claimed_job_is_hidden_from_others_until_its_lease_ends(farm: Farm) -> None:
    """Heartbeats extend a claim; a claim that has been taken over cannot be extended."""
    job, _ = farm.ask()
    jobs = farm.server._api.media.jobs
    first = jobs.claim(Worker("one", "here"), 60.0)
    assert first is not None
    assert first.job.id == job
    assert jobs.claim(Worker("two", "there"), 60.0) is None
    assert jobs.beat(first, -1.0)
    second = jobs.claim(Worker("two", "there"), 60.0)
    assert second is not None
    assert (second.job.id, second.attempts, str(second.previous)) == (job, 2, "one on here")
    assert not jobs.beat(first, 60.0)
    farm.server._api.media.manager.cancel(job)
    assert not jobs.beat(second, 60.0)


def test_page_shows_cancels_and_repeats(farm: Farm, gate: Gate) -> None:
    """An administrator sees worker and heartbeat of a job, cancels it, and repeats it."""
    gate.close()
    worker = farm.worker(gate)
    job, version = farm.ask()
    until(gate.begun, "The worker begins")
    browser = _logged_in(farm)
    page = browser.get("/encoding")
    assert "main.mov of plate v" in page.text
    assert f"process {worker.ready['process']} on {worker.ready['machine']}" in page.text
    assert "1 running, 0 waiting" in page.text
    _press(browser, page, "cancel", job)
    assert farm.wait(job)["error"] == "An administrator has cancelled this encoding."
    page = browser.get("/encoding")
    assert "An administrator has cancelled this encoding." in page.text
    again = browser.post("/encoding/cancel", form_token=page.field("form_token"), job=job)
    assert again.status == 409
    assert "has ended already" in again.text
    gate.open()
    _press(browser, page, "repeat", job)
    assert farm.wait(job)["status"] == "done"
    assert farm.components(version) == ["ftrackreview-mp4", "main", "thumbnail"]


def test_page_is_for_administrators(farm: Farm) -> None:
    """Another user sees neither the page nor the link to it, and changes nothing."""
    user = farm.api.create("User", username="mira", email="mira@example.com")
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
    (answer,) = farm.api.call({**reset, "entity_key": user})
    browser = Browser(farm.server.server_url)
    key = answer["data"]["api_key"]
    page = browser.post("/log-in", username="mira", key=key, next="/browse")
    assert not browser.get("/browse").addresses("/encoding")
    assert browser.get("/encoding").status == 403
    token = page.field("form_token")
    assert browser.post("/encoding/cancel", form_token=token, job="x").status == 403


def _logged_in(farm: Farm) -> Browser:
    browser = Browser(farm.server.server_url)
    browser.post(
        "/log-in", username=farm.server.api_user, key=farm.server.api_key, next="/encoding"
    )
    return browser


def _press(browser: Browser, page: Any, what: str, job: str) -> None:
    """Press the button of *job* that does *what*."""
    browser.post(f"/encoding/{what}", form_token=page.field("form_token"), job=job)
