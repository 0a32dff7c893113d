"""Waiting for jobs, by events and without, and encoding that is waited for."""

from __future__ import annotations

import json
import os
import subprocess
import threading

import pytest

from ftrack_like import exception
from ftrack_like._session import jobs

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")

from ftrack_like._base import ffmpeg


@pytest.fixture
def other(sandbox):
    """A session of somebody else, who works on jobs."""
    with sandbox.session() as opened:
        yield opened


@pytest.fixture
def job(session):
    """A job that waits to be worked on."""
    user = session.query(f'User where username is "{session.api_user}"').one()
    made = session.create("Job", {"user": user, "status": "queued"})
    session.commit()
    return made


def work(session, job, *steps):
    """Give *job* each of *steps*, a status and its data, one commit each."""
    own = session.get("Job", job["id"])
    for status, data in steps:
        own["status"] = status
        own["data"] = json.dumps(data) if isinstance(data, dict) else data
        session.commit()


@pytest.fixture
def clip(tmp_path):
    """A short movie, or a skip with the reason."""
    try:
        program = ffmpeg.find_ffmpeg()
    except ffmpeg.MediaError as error:
        pytest.skip(str(error))
    path = tmp_path / "clip.mov"
    source = ("-f", "lavfi", "-i", "testsrc=size=64x36:rate=24:duration=0.5")
    subprocess.run([program, "-loglevel", "error", *source, str(path)], check=True)
    return path


@pytest.mark.parametrize("connected", [True, False])
def test_a_job_is_waited_for(session, other, job, connected):
    """It is returned once it is done, with its progress told on the way, by either way."""
    told, halfway = [], threading.Event()

    def tell(done, total):
        told.append((done, total))
        halfway.set() if done == 50 else None

    def do_work():
        work(other, job, ("running", {"progress": 0.5}))
        halfway.wait(20)
        work(other, job, ("running", {"progress": 0.4}), ("done", {"progress": 1.0}))

    if connected:
        session.event_hub.connect()
    worker = threading.Thread(target=do_work)
    worker.start()
    assert session.wait_for_job(job, timeout=30, progress=tell) is job
    worker.join()
    assert job["status"] == "done"
    assert told[-1] == (100, 100)
    assert (50, 100) in told
    assert told == sorted(set(told))


def test_events_say_when_to_look(session, other, job, monkeypatch):
    """With a connected hub nobody asks again and again, and no callback of ours stays behind."""
    monkeypatch.setattr(jobs, "_FIRST_WAIT", 60)
    session.event_hub.connect()
    before = len(session.event_hub._subscribers)
    looked, waiting = [], threading.Event()
    look = jobs._look

    def count(*arguments):
        looked.append(arguments)
        found = look(*arguments)
        waiting.set()
        return found

    monkeypatch.setattr(jobs, "_look", count)

    def finish():
        waiting.wait(20)
        work(other, job, ("done", {}))

    worker = threading.Thread(target=finish)
    worker.start()
    session.wait_for_job(job["id"], timeout=30)
    worker.join()
    assert 2 <= len(looked) <= 3
    assert len(session.event_hub._subscribers) == before
    assert session.event_hub._watchers == []


def test_waiting_inside_a_callback(session, other, job):
    """A program that is handling an event may wait for a job in it."""
    session.event_hub.connect()
    waited = []

    def callback(event):
        worker = threading.Thread(target=work, args=(other, job, ("done", {})))
        worker.start()
        waited.append(session.wait_for_job(job, timeout=30)["status"])
        worker.join()

    from ftrack_like.event.base import Event

    session.event_hub.subscribe("topic=go", callback)
    session.event_hub.publish(Event("go"), synchronous=True)
    assert waited == ["done"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"error": "no space left"}, "no space left"),
        ({"description": "Backup"}, "Backup"),
        ("not JSON", "does not say why"),
        ('["a list"]', "does not say why"),
    ],
)
def test_a_failed_job_says_why(session, other, job, data, reason):
    """The error has the reason that the job gives, and the job."""
    work(other, job, ("failed", data))
    with pytest.raises(exception.JobFailedError, match=reason) as caught:
        session.wait_for_job(job)
    assert caught.value.job is job
    assert job["id"] in str(caught.value)


def test_waiting_ends(session, job):
    """After the time-out there is an error that Python's own name catches, too."""
    with pytest.raises(TimeoutError, match=r"is queued after 0.05 seconds") as caught:
        session.wait_for_job(job, timeout=0.05)
    assert isinstance(caught.value, exception.JobTimeoutError)


def test_progress_that_raises_ends_the_waiting(session, job):
    """What the function raises comes out as it is."""

    def give_up(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.wait_for_job(job, progress=give_up)


def test_a_job_that_does_not_exist(session):
    """Waiting for nothing is an error at once."""
    with pytest.raises(exception.NotFoundError, match="does not exist"):
        session.wait_for_job("no-such-job")


def test_rubbish_in_events_is_ignored():
    """Whatever an event holds, the receiving thread is not harmed."""
    for data in (None, [], {"entities": None}, {"entities": [None, {"entityId": "a"}]}):
        assert jobs._changed(data) <= {"a"}


@pytest.mark.ffmpeg
@pytest.mark.parametrize("connected", [True, False])
def test_encoding_is_waited_for(session, clip, connected):
    """Encoding with wait returns a done job, whose outputs can be downloaded."""
    if connected:
        session.event_hub.connect()
    told = []
    job = session.encode_media(
        clip, wait=True, timeout=60, progress=lambda *news: told.append(news)
    )
    assert job["status"] == "done"
    assert told == sorted(set(told))
    assert told[-1] == (100, 100)
    assert (50, 100) in told
    outputs = {link["component"]["name"]: link["component"] for link in job["job_components"]}
    assert set(outputs) == {"ftrackreview-mp4", "thumbnail"}
    location = session.pick_location(outputs["ftrackreview-mp4"])
    with location.accessor.open(outputs["ftrackreview-mp4"]["id"]) as opened:
        assert b"moov" in opened.read()


@pytest.mark.ffmpeg
def test_encoding_for_a_version(session, clip, tmp_path):
    """The outputs become components of the version, and its thumbnail is set."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    asset = session.create("Asset", {"name": "edit", "parent": project})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    version.encode_media(str(clip), wait=True, timeout=60)
    found = session.query(
        f'select components.name, thumbnail_id from AssetVersion where id is "{version["id"]}"'
    ).one()
    names = {component["name"] for component in found["components"]}
    assert names == {"ftrackreview-mp4", "thumbnail"}
    assert found["thumbnail_id"]


@pytest.mark.ffmpeg
def test_media_that_is_none_fails_in_words(session, clip, tmp_path):
    """What ffmpeg cannot read is a failed job with ffmpeg's reason."""
    (tmp_path / "notes.mov").write_text("no media")
    with pytest.raises(exception.JobFailedError, match="no picture and no sound"):
        session.encode_media(str(tmp_path / "notes.mov"), wait=True, timeout=60)


@pytest.mark.ffmpeg
@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_a_job_whose_output_was_deleted_fails(sandbox_here, session, clip, tmp_path, monkeypatch):
    """A job does not stay running for ever when what it should fill is gone."""
    script, start = tmp_path / "slow-ffmpeg", tmp_path / "start"
    script.write_text(
        f"#!/bin/sh\nwhile [ ! -e '{start}' ]; do sleep 0.02; done\n"
        f"exec '{ffmpeg.find_ffmpeg()}' \"$@\"\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("FTRACK_FFMPEG", str(script))
    job = session.encode_media(str(clip))
    for link in job["job_components"]:
        session.delete(link["component"])
    session.commit()
    start.touch()
    with pytest.raises(exception.JobFailedError, match="FileComponent"):
        session.wait_for_job(job, timeout=60)
