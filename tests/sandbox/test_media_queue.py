"""Encoding by the server: what becomes of which media, and of jobs that cannot be done.

On SQLite and, where ``FTRACK_LIKE_TEST_POSTGRES_URL`` names a server, on PostgreSQL.
"""

from __future__ import annotations

import errno
import json
import os
import pathlib
import shutil
import subprocess
import time
from typing import Any

import pytest

pytest.importorskip("av", reason="PyAV (media extra) is not installed")

from tests.media.measuring import Measured, measured

from ftrack_like._base import ffmpeg
from ftrack_like.sandbox.media.incoming import IncomingFile

pytestmark = pytest.mark.ffmpeg

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")
SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"

#: A PDF of one empty page.
DOCUMENT = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


#: For what depends on the database.
ON_BOTH = pytest.mark.parametrize(
    "running_sandbox",
    [pytest.param(None, id="sqlite")]
    + ([pytest.param(POSTGRESQL, id="postgresql")] if POSTGRESQL else []),
    indirect=True,
)


@pytest.fixture(scope="module")
def running_sandbox(request: Any, sandbox_on: Any) -> Any:
    """Return a sandbox on the database that a test asks for, SQLite by default."""
    with sandbox_on(getattr(request, "param", None)) as running:
        yield running


@pytest.fixture(scope="module")
def program() -> str:
    """Return the path of ffmpeg, or skip the test with what it said."""
    try:
        return ffmpeg.find_ffmpeg()
    except ffmpeg.MediaError as error:
        pytest.skip(str(error))


@pytest.fixture
def make(program: str, tmp_path: pathlib.Path) -> Any:
    """Return a function that makes media with ffmpeg and returns its data."""

    def made(name: str, *arguments: str) -> bytes:
        path = tmp_path / name
        subprocess.run(
            [program, "-y", "-loglevel", "error", "-nostdin", *arguments, str(path)],
            check=True,
            timeout=120,
        )
        return path.read_bytes() if path.exists() else b""

    return made


def movie(size: str, seconds: float = 0.5) -> tuple[str, ...]:
    """Return ffmpeg's arguments for a movie with sound."""
    return (
        *("-f", "lavfi", "-i", f"testsrc=size={size}:rate=24:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=duration={seconds}"),
    )


class Encoder:
    """Uploads, asks for encoding and waits, over bare HTTP."""

    def __init__(self, api: Any, folder: pathlib.Path, program: str) -> None:
        self.api = api
        self.folder = folder
        self.program = program
        schema = api.query("ProjectSchema where name is VFX")[0]["id"]
        project = api.create("Project", name="show", full_name="Show", project_schema_id=schema)
        asset = api.create("Asset", name="plate", context_id=project)
        self.version = api.create("AssetVersion", asset_id=asset)

    def upload(self, name: str, file_type: str, data: bytes, **more: Any) -> str:
        """Return the id of a component with *data* on the server."""
        component = self.api.create("FileComponent", name=name, file_type=file_type, **more)
        self.send(component, data)
        return str(component)

    def send(self, component: str, data: bytes) -> None:
        """Upload *data*."""
        operation = {"action": "get_upload_metadata", "component_id": component}
        (where,) = self.api.call({**operation, "file_name": "x", "file_size": len(data)})
        self.api.http.put(where["url"], data=data, headers=where["headers"], timeout=60)

    def ask(self, component: str, **more: Any) -> str:
        """Return the id of a new job that encodes *component* for the version."""
        operation = {"action": "encode_media", "component_id": component}
        return str(self.api.call({**operation, "version_id": self.version, **more})[0]["job_id"])

    def wait(self, job: str) -> dict[str, Any]:
        """Return the record of *job* once it has ended, its data decoded."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found = self.api.one(f"select status, data, finished_at from Job where id is {job}")
            if found["status"] in {"done", "failed"}:
                return {**found, "data": json.loads(found["data"])}
            time.sleep(0.02)
        raise AssertionError("The job does not end.")

    def encode(self, component: str, **more: Any) -> dict[str, Any]:
        """Encode *component* and return its outputs: paths by the names of the components."""
        job = self.wait(self.ask(component, **more))
        assert job["status"] == "done", job["data"].get("error")
        outputs = {}
        for output in job["data"]["output"]:
            address = f"{self.api.url}/component/get?id={output['component_id']}"
            path = self.folder / output["component_id"]
            path.write_bytes(self.api.http.get(address, timeout=60).content)
            outputs[output["name"]] = path
        return outputs

    def left(self) -> list[str]:
        """Return the names of all components."""
        return sorted(one["name"] for one in self.api.query("select name from Component"))

    def has_data(self, component: str) -> bool:
        """Return whether the server has data for the component."""
        address = f"{self.api.url}/component/get?id={component}"
        return bool(self.api.http.get(address, timeout=60).status_code != 404)

    def probe(self, path: pathlib.Path) -> Measured:
        """Return what decoding all of *path* shows."""
        return measured(path)


@pytest.fixture
def encoder(api: Any, tmp_path: pathlib.Path, program: str) -> Encoder:
    """Return what encodes."""
    return Encoder(api, tmp_path, program)


@ON_BOTH
def test_a_movie_becomes_one_that_browsers_play(encoder, make):
    """H.264 and AAC, the index first, its sound kept, with metadata and a thumbnail."""
    source = encoder.upload("main", ".mov", make("main.mov", *movie("640x360", 1)))
    outputs = encoder.encode(source)
    assert set(outputs) == {"ftrackreview-mp4", "thumbnail"}
    data = outputs["ftrackreview-mp4"].read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    found = encoder.probe(outputs["ftrackreview-mp4"])
    assert (found.codec, found.sounds[0][0]) == ("h264", "aac")
    assert (found.width, found.height, found.frames) == (640, 360, 24)
    record = encoder.api.one(
        "select size, version_id, metadata.key, metadata.value, component_locations.location_id"
        ' from FileComponent where name is "ftrackreview-mp4"'
    )
    assert (record["size"], record["version_id"]) == (len(data), encoder.version)
    assert [one["location_id"] for one in record["component_locations"]] == [SERVER_LOCATION]
    (meta,) = record["metadata"]
    assert meta["key"] == "ftr_meta"
    wanted = {"frameIn": 0, "frameOut": 23, "frameRate": 24.0, "width": 640, "height": 360}
    assert json.loads(meta["value"]) == wanted
    thumbnail = encoder.api.one("select thumbnail.name, thumbnail_id from AssetVersion")
    assert thumbnail["thumbnail_id"] == outputs["thumbnail"].name


@pytest.mark.parametrize(
    ("size", "becomes"),
    [
        ("641x359", {"": (640, 358)}),
        ("2560x1440", {"": (1280, 720), "-1080": (1920, 1080), "-1440": (2560, 1440)}),
        (
            "1080x2160",
            {"": (360, 720), "-1080": (540, 1080), "-1440": (720, 1440), "-2160": (1080, 2160)},
        ),
        ("2x2", {"": (2, 2)}),
    ],
)
def test_odd_and_large_sizes(encoder, make, size, becomes):
    """Odd sides become even ones, and a large source has further sizes beside the smallest."""
    source = encoder.upload("main", ".mkv", make("main.mkv", *movie(size, 0.1)))
    outputs = encoder.encode(source)
    names = {f"ftrackreview-mp4{name}": wanted for name, wanted in becomes.items()}
    assert set(outputs) == {*names, "thumbnail"}
    for name, wanted in names.items():
        found = encoder.probe(outputs[name])
        assert (found.width, found.height) == wanted
        record = encoder.api.one(
            f'select size, version_id, metadata.value from FileComponent where name is "{name}"'
        )
        assert (record["size"], record["version_id"]) == (
            outputs[name].stat().st_size,
            encoder.version,
        )
        meta = json.loads(record["metadata"][0]["value"])
        assert (meta["width"], meta["height"], meta["frameOut"]) == (*wanted, found.frames - 1)


def test_webm_where_it_is_asked_for(encoder, make):
    """Beside the mp4 there is a webm, if the request names it."""
    source = encoder.upload("main", ".mov", make("main.mov", *movie("160x90")))
    outputs = encoder.encode(source, formats=["video/webm"])
    assert set(outputs) == {"ftrackreview-mp4", "ftrackreview-webm", "thumbnail"}
    found = encoder.probe(outputs["ftrackreview-webm"])
    assert (found.codec, found.sounds[0][0]) == ("vp9", "opus")


@pytest.mark.parametrize("file_type", [".png", ".tif", ".bmp", ".tga", ".dpx", ".exr", ".JPG"])
def test_images_become_jpeg(encoder, make, file_type):
    """Still formats that browsers do not show, and those they do, become JPEG."""
    picture = make(
        f"still{file_type}", "-f", "lavfi", "-i", "testsrc=size=201x101", "-frames:v", "1"
    )
    outputs = encoder.encode(encoder.upload("still", file_type, picture))
    assert set(outputs) == {"ftrackreview-image", "thumbnail"}
    assert outputs["ftrackreview-image"].read_bytes().startswith(b"\xff\xd8\xff")
    record = encoder.api.one(
        'select metadata.value from Component where name is "ftrackreview-image"'
    )
    assert (
        json.loads(record["metadata"][0]["value"])["width"]
        == encoder.probe(outputs["ftrackreview-image"]).width
    )


def test_a_sequence_becomes_a_movie(encoder, make, tmp_path):
    """Frames are shown in the order of their numbers, 24 a second."""
    make("frame.%04d.png", *movie("160x90", 0.5)[:4])
    sequence = encoder.api.create("SequenceComponent", name="plate", file_type=".png", padding=4)
    for number in (9, 10, 11, 8, 12, 1):
        data = (tmp_path / f"frame.{number:04d}.png").read_bytes()
        encoder.upload(str(number), ".png", data, container_id=sequence)
    found = encoder.probe(encoder.encode(sequence)["ftrackreview-mp4"])
    # The frames keep their numbers: a missing one shows the one before it.
    assert found.frames == 12
    metadata = encoder.api.one(
        'select metadata.key, metadata.value from Component where name is "ftrackreview-mp4"'
    )["metadata"]
    told = {one["key"]: one["value"] for one in metadata}
    assert told["missing_frames"] == "2-7"
    meta = json.loads(told["ftr_meta"])
    assert (meta["frameIn"], meta["frameOut"], meta["frameRate"]) == (1, 12, 24.0)


def test_the_first_page_of_a_document(encoder, monkeypatch):
    """A PDF is shown as an image; without pdftoppm, the job says what to install."""
    which = shutil.which
    found = which("pdftoppm")
    # It may be installed or removed while the job waits.
    monkeypatch.setattr(
        shutil, "which", lambda name, **more: found if name == "pdftoppm" else which(name, **more)
    )
    job = encoder.wait(encoder.ask(encoder.upload("script", ".pdf", DOCUMENT)))
    if found:
        assert job["status"] == "done", job["data"]
        assert [one["name"] for one in job["data"]["output"]] == ["ftrackreview-image", "thumbnail"]
    else:
        assert job["status"] == "failed"
        assert "poppler-utils" in job["data"]["error"]


@ON_BOTH
def test_a_source_that_is_not_kept_goes(encoder, make):
    """Once the outputs are there, the source and its data are not."""
    source = encoder.upload("main", ".mov", make("main.mov", *movie("160x90")))
    encoder.encode(source, keep_original=False)
    assert encoder.api.query(f"Component where id is {source}") == []
    address = f"{encoder.api.url}/component/get?id={source}"
    deadline = time.monotonic() + 20
    while encoder.api.http.get(address, timeout=30).status_code != 404:
        assert time.monotonic() < deadline, "the data stays"
        time.sleep(0.01)


@ON_BOTH
def test_a_failed_job_leaves_nothing_that_looks_like_a_movie(encoder):
    """Its outputs and the source that was uploaded for it are gone, and it says what went wrong."""
    source = encoder.upload("main", ".mov", b"this is no movie")
    job = encoder.wait(encoder.ask(source, keep_original=False))
    assert job["status"] == "failed"
    # The name of the component stands for the file that the server made of it.
    assert job["data"]["error"] == (
        "'main' contains no picture and no sound that can be read: it is a text."
    )
    assert job["finished_at"] is not None
    assert encoder.left() == []
    ids = [one["component_id"] for one in job["data"]["output"]]
    assert len(ids) == 2
    assert not any(map(encoder.has_data, [source, *ids]))


def test_a_source_that_belongs_to_a_version_stays(encoder):
    """What could not be encoded may be encoded again if it is a part of a version."""
    source = encoder.upload("main", ".mov", b"this is no movie", version_id=encoder.version)
    assert encoder.wait(encoder.ask(source, keep_original=False))["status"] == "failed"
    assert encoder.left() == ["main"]
    other = encoder.upload("other", ".mov", b"this is no movie")
    assert encoder.wait(encoder.ask(other, keep_original=True))["status"] == "failed"
    assert encoder.left() == ["main", "other"]


@ON_BOTH
def test_new_media_replace_the_earlier_ones(encoder, make):
    """A version has one current movie, whatever it had before; other components stay."""
    encoder.upload("other", ".mov", b"by hand", version_id=encoder.version)
    for size, file_type, name in (
        *(("1920x1080", ".mov", "mp4"), ("64x64", ".mov", "mp4"), ("64x64", ".png", "image")),
        ("64x36", ".mov", "mp4"),
    ):
        count = ("-frames:v", "1") if file_type == ".png" else ()
        data = make(f"main{file_type}", *movie(size, 0.1)[: 4 if count else None], *count)
        source = encoder.upload("main", file_type, data)
        outputs = encoder.encode(source, keep_original=False)
        assert set(encoder.left()) == {"other", *outputs}
        assert len(encoder.left()) == 1 + len(outputs)
        assert f"ftrackreview-{name}" in outputs
        thumbnail = encoder.api.one("select thumbnail_id from AssetVersion")["thumbnail_id"]
        assert thumbnail == outputs["thumbnail"].name
    # Media of another version, and of none, stay.
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.1)))
    encoder.encode(source, version_id=None, keep_original=False)
    assert encoder.left().count("ftrackreview-mp4") == 2


@pytest.mark.parametrize("how", ["deleted", "failed", "done"])
def test_a_job_that_a_user_ends_leaves_nothing(encoder, make, program, tmp_path, monkeypatch, how):
    """Whoever deletes a running job, or sets its status, cancels it."""
    started = slowly(program, tmp_path, monkeypatch)
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.2)))
    job = encoder.ask(source, keep_original=False)
    wait_until(started.exists)
    if how == "deleted":
        encoder.api.delete("Job", job)
    else:
        encoder.api.update("Job", job, status=how)
    (tmp_path / "go on").touch()
    wait_until(lambda: encoder.left() == [])
    assert [
        one["status"] for one in encoder.api.query(f"select status from Job where id is {job}")
    ] == ([] if how == "deleted" else [how])
    # The next job has its turn.
    monkeypatch.setenv("FTRACK_FFMPEG", program)
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.2)))
    assert set(encoder.encode(source)) == {"ftrackreview-mp4", "thumbnail"}


def test_a_version_that_is_deleted_meanwhile_takes_its_media_along(
    encoder, make, program, tmp_path, monkeypatch
):
    """The job fails, and no component stays without a version."""
    started = slowly(program, tmp_path, monkeypatch)
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.2)))
    job = encoder.ask(source, keep_original=False)
    wait_until(started.exists)
    encoder.api.delete("AssetVersion", encoder.version)
    (tmp_path / "go on").touch()
    assert encoder.wait(job)["status"] == "failed"
    assert encoder.left() == []


def test_a_full_disk_leaves_no_movie(encoder, make, monkeypatch):
    """The job says what happened, and no half of a movie stays."""
    data = make("main.mov", *movie("64x64", 0.2))
    with monkeypatch.context() as patch:
        source = encoder.upload("main", ".mov", data, version_id=encoder.version)
        patch.setattr(IncomingFile, "complete", _no_space)
        job = encoder.wait(encoder.ask(source))
    assert job["status"] == "failed"
    assert job["data"]["error"] == (
        "The server could not read or write a file: No space left on device."
    )
    assert encoder.left() == ["main"]
    assert set(encoder.encode(source)) == {"ftrackreview-mp4", "thumbnail"}


def _no_space(*arguments: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_frame_that_cannot_be_read_is_named(encoder, make, tmp_path):
    """A damaged frame of a sequence is an error with its name, and not left out in silence."""
    make("frame.%04d.png", *movie("160x90", 0.2)[:4])
    sequence = encoder.api.create("SequenceComponent", name="plate", file_type=".png", padding=4)
    for number in range(1, 5):
        data = (tmp_path / f"frame.{number:04d}.png").read_bytes()
        data = data[: len(data) // 2] if number == 3 else data
        encoder.upload(str(1000 + number), ".png", data, container_id=sequence)
    job = encoder.wait(encoder.ask(sequence))
    assert job["status"] == "failed"
    assert job["data"]["error"] == "'plate' has frames that cannot be read: 1003."
    assert encoder.left() == ["1001", "1002", "1003", "1004", "plate"]


def slowly(program: str, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Let ffmpeg wait until the file ``go on`` exists; return the file that says it has started."""
    script, started = folder / "slow-ffmpeg", folder / "started"
    script.write_text(
        f"#!/bin/sh\ntouch '{started}'\nwhile [ ! -e '{folder}/go on' ]; do sleep 0.02; done\n"
        f"exec '{program}' \"$@\"\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("FTRACK_FFMPEG", str(script))
    return started


def wait_until(condition: Any) -> None:
    """Return as soon as *condition* is true."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["main", "se'quence %04d; rm -rf ~", "-y", "pipe:1"])
def test_names_are_no_commands(encoder, make, name):
    """Whatever a component is called, it is the data that is encoded."""
    source = encoder.upload(name, ".mov", make("main.mov", *movie("64x64", 0.2)))
    assert set(encoder.encode(source)) == {"ftrackreview-mp4", "thumbnail"}


@pytest.mark.parametrize(
    "playlist",
    [
        "ffconcat version 1.0\nfile '{path}'\n",
        "ffconcat version 1.0\nfile '{id}'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{path}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{id}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x\n#EXT-X-ENDLIST\n",
    ],
)
@pytest.mark.parametrize("file_type", [".mov", ".m3u8"])
def test_media_cannot_name_other_files(encoder, make, tmp_path, playlist, file_type):
    """What is uploaded is read alone: a playlist makes no movie of what else the server has."""
    data = make("secret.ts", *movie("64x64", 0.5))
    encoder.upload("secret", ".ts", data, id="ab-secret")
    text = playlist.format(path=tmp_path / "secret.ts", id="ab-secret")
    source = encoder.upload("main", file_type, text.encode(), id="ab-playlist")
    assert encoder.wait(encoder.ask(source))["status"] == "failed"


@ON_BOTH
def test_without_a_version_the_outputs_stay_alone(encoder, make):
    """Media of no version are encoded as well."""
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.2)))
    encoder.encode(source, version_id=None)
    record = encoder.api.one('select version_id from Component where name is "ftrackreview-mp4"')
    assert record["version_id"] is None


@ON_BOTH
def test_a_job_tells_how_far_it_is(encoder, make):
    """It is queued, running and done, each told as an event, and its links name the outputs."""
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.2)))
    job = encoder.ask(source)
    components = encoder.api.query(f"select component_id from JobComponent where job_id is {job}")
    done = encoder.wait(job)
    assert done["data"]["progress"] == 1.0
    named = {output["component_id"] for output in done["data"]["output"]}
    assert {one["component_id"] for one in components} == named
    deadline = time.monotonic() + 20
    while (seen := told_of(encoder.api, job))[-1:] != ["done"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen == ["queued", "running", "done"]


def told_of(api: Any, job: str) -> list[str]:
    """Return the statuses of *job* that events told."""
    answer = api.http.get(f"{api.url}/events", timeout=30).json()
    return [
        entity["changes"]["status"]["new"]
        for event in (one["event"] for one in answer["events"])
        for entity in event["data"].get("entities", ())
        if entity.get("entityId") == job and "status" in (entity.get("changes") or {})
    ]


def test_without_ffmpeg_the_job_says_how_to_install_it(encoder, make, monkeypatch):
    """The program is looked for when it is wanted, and its absence is told in words."""
    source = encoder.upload("main", ".mov", make("main.mov", *movie("64x64", 0.2)))
    monkeypatch.setenv("FTRACK_FFMPEG", "/nowhere/ffmpeg")
    job = encoder.wait(encoder.ask(source))
    assert job["status"] == "failed"
    assert "FTRACK_FFMPEG names '/nowhere/ffmpeg'" in job["data"]["error"]


def test_a_restart_takes_up_what_was_left(program, make, tmp_path, sandbox_api):
    """Jobs that were queued or running when the server went are done by the next one."""
    folder = tmp_path / "data"
    with sandbox_api(folder) as api:
        api.sandbox._api.media._queue.stop()
        encoder = Encoder(api, tmp_path, program)
        data = make("main.mov", *movie("64x64", 0.2))
        jobs = [encoder.ask(encoder.upload(str(n), ".mov", data)) for n in range(2)]
        api.update("Job", jobs[0], status="running")
    with sandbox_api(folder) as api:
        encoder.api = api
        assert [encoder.wait(job)["status"] for job in jobs] == ["done", "done"]


@pytest.fixture
def sandbox_api(api: Any) -> Any:
    """Return a context manager: the API of a sandbox with its data in a folder."""
    import contextlib

    from ftrack_like.testing import Sandbox

    @contextlib.contextmanager
    def opened(folder: pathlib.Path) -> Any:
        with Sandbox(folder) as sandbox:
            other = type(api)(sandbox)
            other.sandbox = sandbox
            yield other
            other.http.close()

    return opened


def test_presets_of_the_studio_add_a_burn_in_and_a_slate(encoder, make, tmp_path, monkeypatch):
    """The server draws what it knows of the version, and its metadata count the slate."""
    chosen = tmp_path / "presets.json"
    chosen.write_text(json.dumps({"*": {"burn_in": True, "slate": True}}))
    monkeypatch.setenv("FTRACK_MEDIA_PRESETS", str(chosen))
    source = encoder.upload("main", ".mov", make("main.mov", *movie("320x180")))
    outputs = encoder.encode(source)
    found = encoder.probe(outputs["ftrackreview-mp4"])
    record = encoder.api.one(
        'select metadata.key, metadata.value from FileComponent where name is "ftrackreview-mp4"'
    )
    metadata = {one["key"]: one["value"] for one in record["metadata"]}
    meta = json.loads(metadata["ftr_meta"])
    assert found.frames == 13 == meta["frameOut"] + 1
    assert metadata["slate_frames"] == "1"
    # The card is darker than the picture.
    assert found.levels[0] < 60 < min(found.levels[1:])


def test_a_sequence_with_a_slate_keeps_its_numbers(encoder, make, tmp_path, monkeypatch):
    """The slate is the frame before the first one."""
    chosen = tmp_path / "presets.json"
    chosen.write_text(json.dumps({"*": {"slate": ["{shot} {version}"]}}))
    monkeypatch.setenv("FTRACK_MEDIA_PRESETS", str(chosen))
    picture = make("frame.png", *movie("64x36", 0.04)[:4], "-frames:v", "1")
    sequence = encoder.api.create("SequenceComponent", name="main", file_type=".png", padding=4)
    for number in (1001, 1002, 1003):
        encoder.upload(f"{number:04d}", ".png", picture, container_id=sequence)
    outputs = encoder.encode(sequence)
    assert encoder.probe(outputs["ftrackreview-mp4"]).frames == 4
    record = encoder.api.one(
        'select metadata.key, metadata.value from FileComponent where name is "ftrackreview-mp4"'
    )
    metadata = {one["key"]: one["value"] for one in record["metadata"]}
    meta = json.loads(metadata["ftr_meta"])
    assert (meta["frameIn"], meta["frameOut"]) == (1000, 1003)
