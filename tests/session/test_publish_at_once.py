"""Publishing reviewables by several processes at once, and by processes that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.media.measuring import measured

from ftrack_like import exception
from ftrack_like._base import ffmpeg
from ftrack_like._session import claims, publications
from ftrack_like.media import publish_reviewable
from ftrack_like.symbol import SERVER_LOCATION_ID

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")
pytestmark = pytest.mark.ffmpeg

#: Whether a process is killed at each step in both ways.
EVERYWHERE = bool(os.environ.get("FTRACK_LIKE_TEST_ENCODE_EVERYWHERE"))

#: Seconds for an encoding. A machine with many other processes needs more than one minute.
PATIENCE = 240

both_ways = pytest.mark.parametrize("encode", ["server", "local"])


@pytest.fixture(scope="module")
def program():
    """The path of ffmpeg, or a skip with the reason."""
    try:
        return ffmpeg.find_ffmpeg()
    except exception.MediaError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def clips(program, tmp_path_factory):
    """Two short movies of different content."""
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for name, size in (("one.mov", "64x36"), ("two.mov", "32x32")):
        picture = ("-f", "lavfi", "-i", f"testsrc=size={size}:rate=24:duration=0.2")
        subprocess.run([program, "-loglevel", "error", *picture, str(folder / name)], check=True)
        made.append(folder / name)
    return made


@pytest.fixture
def version(session):
    """A committed version to publish for."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    asset = session.create("Asset", {"name": "edit", "parent": project})
    made = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return made


def published(session, version):
    """Return the components that players show for *version*."""
    found = session.query(f'select name from Component where version_id is "{version["id"]}"')
    return [each for each in found if each["name"].startswith("ftrackreview-")]


def claims_on(session, version):
    """Return the claims that are left on *version*."""
    return session.query(f'Metadata where parent_id is "{version["id"]}"').all()


def jobs_of(session):
    """Return all jobs."""
    return session.query("select status from Job").all()


@both_ways
def test_several_at_once_make_one_reviewable(session, sandbox, version, clips, encode):
    """Three sessions publish the same content at once: one encodes, the others get its result."""
    ready = threading.Barrier(3)

    def publish(_):
        with sandbox.session() as own:
            same = own.get("AssetVersion", version["id"])
            ready.wait(60)
            made = publish_reviewable(same, clips[0], encode=encode, timeout=PATIENCE)
            return made.is_new, made.component["id"]

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(publish, range(3)))
    assert sorted(is_new for is_new, _ in results) == [False, False, True]
    assert {identifier for _, identifier in results} == {
        each["id"] for each in published(session, version)
    }
    assert len(published(session, version)) == 1
    assert len(jobs_of(session)) == (encode == "server")
    assert claims_on(session, version) == []


def test_different_content_at_once_leaves_one_reviewable(session, sandbox, version, clips):
    """Two sessions publish two files at once: one is the current publication afterwards."""
    ready = threading.Barrier(2)

    def publish(clip):
        with sandbox.session() as own:
            same = own.get("AssetVersion", version["id"])
            ready.wait(60)
            return publish_reviewable(same, clip, encode="local", timeout=PATIENCE).is_new

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(publish, clips)) == [True, True]
    assert len(published(session, version)) == 1


@both_ways
def test_new_content_takes_the_place_of_the_old(session, version, clips, encode):
    """One reviewable is left, with its data; the old one is gone with its data and thumbnail."""
    first = publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE).component["id"]
    thumbnail = version["thumbnail_id"]
    second = publish_reviewable(version, clips[1], encode=encode, timeout=PATIENCE)
    assert second.is_new
    assert published(session, version) == [second.component]
    server = session.get("Location", SERVER_LOCATION_ID)
    assert server.get_component_availability(second.component) == 100.0
    for gone in (first, thumbnail):
        with pytest.raises(exception.AccessorOperationFailedError, match="404"):
            server.accessor.open(gone).read()
    session.populate(version, "thumbnail_id")
    assert session.query(f'Component where id is "{version["thumbnail_id"]}"').first()
    again = publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE)
    assert again.is_new
    assert published(session, version) == [again.component]
    assert again.component["metadata"]["publication_number"] == "3"


def test_a_job_that_is_not_waited_for_takes_the_place_as_well(session, version, clips):
    """With ``wait=False`` the old reviewable goes when the job for the new one is there."""
    publish_reviewable(version, clips[0], encode="local")
    new = publish_reviewable(version, clips[1], wait=False)
    assert published(session, version) == [new.component]
    session.wait_for_job(new.job, PATIENCE)


def test_what_could_not_be_replaced_stays(sandbox_here, session, version, clips, monkeypatch):
    """When the job for new content fails, players still have the old publication."""
    old = publish_reviewable(version, clips[0], timeout=PATIENCE).component
    with monkeypatch.context() as patch:
        patch.setenv("FTRACK_FFMPEG", "/nowhere/ffmpeg")
        with pytest.raises(exception.JobFailedError):
            publish_reviewable(version, clips[1], timeout=PATIENCE)
    assert old in published(session, version)
    new = publish_reviewable(version, clips[1], timeout=PATIENCE).component
    assert published(session, version) == [new]


def test_reviewables_that_others_made_stay(session, version, clips):
    """A component of the same name that this function did not publish is left alone."""
    data = {"name": "ftrackreview-mp4"}
    server = session.get("Location", SERVER_LOCATION_ID)
    own = version.create_component(str(clips[0]), data, location=server)
    new = publish_reviewable(version, clips[1], encode="local").component
    assert set(published(session, version)) == {own, new}


#: Publishes, and is killed before or after the request with a number.
KILLED = """
import os, signal, sys
import requests
from ftrack_like.media import publish_reviewable
from ftrack_like.session import Session

url, user, key, version, clip, encode, limit = sys.argv[1:]
session = Session(url, key, user, plugin_paths=[], schema_cache_path=False)
version = session.query(f'AssetVersion where id is "{version}"').one()
original, count = requests.Session.send, 0

def send(self, *arguments, **keywords):
    global count
    for step in (0, 1):
        count += 1
        if count == int(limit):
            os.kill(os.getpid(), signal.SIGKILL)
        if step == 0:
            response = original(self, *arguments, **keywords)
    return response

requests.Session.send = send
publish_reviewable(version, clip, encode=encode, timeout=240)
"""


#: The steps at which a process is killed, and how it encodes. An ordinary run kills it at each step
#: once, with the two ways in turn; the number 1000 is never reached.
KILLS = [
    (limit, encode)
    for place, limit in enumerate((5, 14, 16, 18, 20, 22, 1000))
    for turn, encode in enumerate(("server", "local"))
    if EVERYWHERE or limit == 1000 or place % 2 == turn
]


@pytest.mark.parametrize(("limit", "encode"), KILLS)
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_process_leaves_nothing_that_is_doubled(
    session, sandbox, version, clips, encode, limit, monkeypatch
):
    """The next call completes what is there or does it again, at once, and cleans up."""
    arguments = [sandbox.server_url, sandbox.api_user, sandbox.api_key, version["id"]]
    command = [sys.executable, "-c", KILLED, *arguments, str(clips[0]), encode, str(limit)]
    result = subprocess.run(command, check=False, timeout=PATIENCE)
    monkeypatch.setattr(claims, "_LEASE", 1e6)  # The lock tells; no sign of life is waited for.
    assert result.returncode == (0 if limit == 1000 else -9)
    made = publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE)
    assert published(session, version) == [made.component]
    names = sorted(each["name"] for each in session.query("select name from Component"))
    assert names == ["ftrackreview-mp4", "thumbnail"]
    assert len(jobs_of(session)) == (encode == "server")
    assert claims_on(session, version) == []


@both_ways
def test_an_interrupted_call_is_done_again(session, version, clips, encode, monkeypatch):
    """Ctrl-C at the last step leaves nothing; the next call begins, and waits for nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(claims.Claim, "ending", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE)
    assert claims_on(session, version) == []
    assert session.query("select id from Component").all() == []
    monkeypatch.setattr(claims, "_LEASE", 1e6)
    made = publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE)
    assert published(session, version) == [made.component]
    assert claims_on(session, version) == []


@both_ways
def test_what_an_interrupted_call_cannot_remove_is_left_to_the_next(
    session, version, clips, encode, monkeypatch
):
    """If the server is out of reach after Ctrl-C, the next call finds the claim and cleans up."""
    with monkeypatch.context() as patch:
        patch.setattr(claims.Claim, "ending", _interrupt)
        patch.setattr(publications, "remove_made_under", _fail)
        with pytest.raises(KeyboardInterrupt):
            publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE)
    assert len(claims_on(session, version)) == 2
    monkeypatch.setattr(claims, "_LEASE", 1e6)
    made = publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE)
    assert published(session, version) == [made.component]
    assert claims_on(session, version) == []
    assert len(jobs_of(session)) == (encode == "server")


def _interrupt(*_):
    raise KeyboardInterrupt


def _fail(*_):
    raise OSError("out of reach")


def _claim(session, version, token, content="x"):
    """Make the rows of a claim that another machine has."""
    for key, value in (
        ("ftrack_like.publishing", "{}"),
        (f"ftrack_like.publishing.{token}", json.dumps({"content": content, "abandoned": []})),
    ):
        data = {"parent_id": version["id"], "parent_type": "AssetVersion"}
        session.create("Metadata", {**data, "key": key, "value": value})
    session.commit()


def test_another_machine_that_gives_no_sign_of_life_is_not_waited_for(
    session, version, clips, monkeypatch
):
    """Its claim is taken over after a while, although no lock tells that it is gone."""
    monkeypatch.setattr(claims, "_LEASE", 0.0)
    _claim(session, version, str(uuid.uuid4()))
    assert publish_reviewable(version, clips[0], encode="local", timeout=PATIENCE).is_new
    assert claims_on(session, version) == []


def test_another_machine_at_work_is_waited_for_so_long(session, version, clips):
    """The error says that another process publishes, when the time is over."""
    _claim(session, version, str(uuid.uuid4()))
    with pytest.raises(exception.MediaError, match="Another process publishes"):
        publish_reviewable(version, clips[0], encode="local", timeout=0.05)
    assert published(session, version) == []
    assert list(session.recorded_operations) == []


@both_ways
def test_a_process_that_lost_its_claim_publishes_nothing(
    session, sandbox, version, clips, encode, monkeypatch
):
    """One that slept while another took over returns what the other published."""
    original = claims.Claim.ending
    slept = []

    def sleep(claim, *ids):
        if claim._session is session and not slept:
            slept.append(claim)
            with sandbox.session() as other:
                monkeypatch.setattr(claims.Claim, "_is_gone", lambda *_: True)
                same = other.get("AssetVersion", version["id"])
                publish_reviewable(same, clips[0], encode=encode, timeout=PATIENCE)
        return original(claim, *ids)

    monkeypatch.setattr(claims.Claim, "ending", sleep)
    made = publish_reviewable(version, clips[0], encode=encode, timeout=PATIENCE)
    assert slept
    assert not made.is_new
    assert published(session, version) == [made.component]
    server = session.get("Location", SERVER_LOCATION_ID)
    assert server.get_component_availability(made.component) == 100.0
    with server.accessor.open(made.component["id"]) as data:
        assert b"moov" in data.read()
    session.commit()
    assert published(session, version) == [made.component]


def test_a_claim_names_no_component_of_others(session, version, clips, monkeypatch, tmp_path):
    """What others write as an abandoned claim removes neither components nor files."""
    monkeypatch.setattr(claims, "_LEASE", 0.0)
    server = session.get("Location", SERVER_LOCATION_ID)
    precious = session.create_component(str(clips[0]), {"name": "precious"}, location=server)
    _claim(session, version, precious["id"])
    publish_reviewable(version, clips[1], encode="local", timeout=PATIENCE)
    assert server.get_component_availability(precious) == 100.0
    with server.accessor.open(precious["id"]) as data:
        assert data.read() == clips[0].read_bytes()


# Sequences and names


@pytest.fixture
def frames(program, tmp_path):
    """A sequence of twelve pictures."""
    folder = tmp_path / "frames"
    folder.mkdir()
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x36:rate=24:duration=0.5")
    target = str(folder / "f.%04d.png")
    subprocess.run([program, "-loglevel", "error", *picture, target], check=True)
    return folder


@both_ways
def test_a_sequence_is_published_as_a_movie(session, version, frames, program, tmp_path, encode):
    """All frames are in it, at 24 a second; it is known again and other frames are not."""
    path = str(frames / "f.%04d.png [1-12]")
    made = publish_reviewable(version, path, encode=encode, timeout=PATIENCE)
    assert made.component["name"] == "ftrackreview-mp4"
    session.populate(made.component, "metadata")
    metadata = dict(made.component["metadata"])
    assert metadata["source_file_name"] == "f.%04d.png"
    assert json.loads(metadata["ftr_meta"]) == {
        "width": 64,
        "height": 36,
        "frameIn": 1,
        "frameOut": 12,
        "frameRate": 24.0,
    }
    server = session.get("Location", SERVER_LOCATION_ID)
    copy = tmp_path / "copy.mp4"
    with server.accessor.open(made.component["id"]) as data:
        copy.write_bytes(data.read())
    assert measured(copy).frames == 12
    assert not publish_reviewable(version, path, encode=encode, timeout=PATIENCE).is_new
    fewer = str(frames / "f.%04d.png [1-4, 8]")
    assert publish_reviewable(version, fewer, encode=encode, timeout=PATIENCE).is_new
    assert len(published(session, version)) == 1


def test_a_sequence_with_a_missing_or_empty_frame_is_an_error(session, version, frames):
    """Nothing is published of a part."""
    with pytest.raises(FileNotFoundError, match=r"f\.0013\.png"):
        publish_reviewable(version, str(frames / "f.%04d.png [1-13]"))
    (frames / "f.0003.png").write_bytes(b"")
    with pytest.raises(exception.MediaError, match=r"f\.0003\.png is empty"):
        publish_reviewable(version, str(frames / "f.%04d.png [1-12]"), encode="local")
    assert published(session, version) == []


NAMES = [
    "a:b",
    "file:x",
    "50%",
    "f.%04d",
    "with blank",
    "it's",
    'a "quote"',
    "-i",
    "ミカ 漫画 é",
    "back\\slash",
    "concat:a|b",
    "$HOME `id` ; & <>",
    "[1-3]",
    "*?",
    "new\nline",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_any_name_is_published(session, version, clips, frames, tmp_path, name, monkeypatch):
    """Movies and images are encoded here whatever they are called, also by a relative path."""
    monkeypatch.chdir(tmp_path)
    movie, image = tmp_path / f"{name}.mov", tmp_path / f"{name}.png"
    movie.write_bytes(clips[0].read_bytes())
    image.write_bytes((frames / "f.0001.png").read_bytes())
    made = publish_reviewable(version, f"{name}.mov", encode="local")
    assert made.component["metadata"]["source_file_name"] == f"{name}.mov"
    assert publish_reviewable(version, image, encode="local").component["name"] == (
        "ftrackreview-image"
    )


@pytest.mark.parametrize("name", ["a:b", "50% é", "-i"])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_sequences_of_any_name_are_published(session, version, frames, tmp_path, name):
    """The names of frames do not matter either."""
    for number in (1, 2, 3):
        source = frames / f"f.{number:04}.png"
        (tmp_path / f"{name}.{number:04}.png").write_bytes(source.read_bytes())
    path = str(tmp_path / f"{name}.%04d.png [1-3]")
    made = publish_reviewable(version, path, encode="local")
    assert made.component["name"] == "ftrackreview-mp4"
