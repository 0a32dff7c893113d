"""Media tools see the upload and nothing else, and take no more than they are given."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
pytest.importorskip("av", reason="the extra 'media' is not installed")
pytest.importorskip("PIL", reason="the extra 'media' is not installed")

from tests.media.samples import image_data, movie_data

import ftrack_like.sandbox
from ftrack_like._base.errors import MediaError
from ftrack_like._media.children import Bounds, Child, run_child
from ftrack_like._media.pipeline import Pipeline, Source
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.tools import DEMUXERS, PROTOCOLS, MediaTools
from ftrack_like.testing import Sandbox

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs process groups")

#: A program that acts as ffmpeg and then does what is written into it.
PROGRAM = """\
#!{python}
import os, pathlib, sys, time
folder = pathlib.Path(__file__).parent
with open(folder / "calls", "a") as calls:
    print("\\t".join(sys.argv[1:]), file=calls)
{body}
"""

#: It "encodes": each file that it is asked for becomes a copy of a movie or of an image.
WRITE = """\
made = [one for one in sys.argv if one.endswith(".part") and not one.startswith("file:")]
kind = "jpg" if "image2" in sys.argv else "mp4"
for one in made:
    pathlib.Path(one).write_bytes((folder / f"made.{kind}").read_bytes())
"""

#: It starts a program of its own, as a wrapper does, and both never end.
HANG = """\
import subprocess
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
part = folder / "pids.part"
part.write_text(f"{os.getpid()} {other.pid}")
part.rename(folder / "pids")
time.sleep(3600)
"""


@pytest.fixture
def program(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function that puts a program in the place of ffmpeg and returns its folder."""

    def make(body: str) -> pathlib.Path:
        folder = tmp_path / "program"
        folder.mkdir()
        path = folder / "ffmpeg"
        path.write_text(PROGRAM.format(python=sys.executable, body=body), "utf-8")
        path.chmod(0o755)
        (folder / "made.mp4").write_bytes(movie_data())
        (folder / "made.jpg").write_bytes(image_data("JPEG"))
        monkeypatch.setenv("FTRACK_FFMPEG", str(path))
        return folder

    return make


@pytest.fixture
def real_ffmpeg() -> str:
    """Return the path of ffmpeg, or skip the test."""
    from ftrack_like._base.ffmpeg import find_ffmpeg

    try:
        return find_ffmpeg()
    except MediaError as error:
        pytest.skip(str(error))


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return what *condition* answers as soon as that is true."""
    end = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < end, "the condition never came true"
        threading.Event().wait(0.02)
    return found


def is_running(pid: int) -> bool:
    """Return whether the process *pid* runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8")
    return True


class Uploads:
    """Uploads to the sandbox of *api*, and encodes there."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def upload_movie(self) -> str:
        """Return the id of a new component with a movie."""
        return self.upload(movie_data())

    def upload(self, data: bytes, file_type: str = ".mov", **more: Any) -> str:
        """Return the id of a new component with *data*."""
        values = {"name": "main", "file_type": file_type, **more}
        component = self.api.create("FileComponent", **values)
        asked = {"action": "get_upload_metadata", "component_id": component}
        (where,) = self.api.call({**asked, "file_name": "x", "file_size": len(data)})
        self.api.http.put(where["url"], data=data, headers=where["headers"], timeout=60)
        return str(component)

    def encode(self, component: str) -> dict[str, Any]:
        """Return the data of the job that encodes *component*, with its ``status``."""
        asked = {"action": "encode_media", "component_id": component}
        job = self.api.call(asked)[0]["job_id"]

        def ended() -> Any:
            one = self.api.one(f"select status, data from Job where id is {job}")
            return one if one["status"] in {"done", "failed"} else None

        record = wait_for(ended)
        return {**json.loads(record["data"]), "status": record["status"]}


@pytest.fixture
def uploads(api: Any) -> Uploads:
    """Return what uploads and encodes on a fresh sandbox."""
    return Uploads(api)


@pytest.fixture
def limited(api: Any) -> Iterator[Callable[[Limits], Uploads]]:
    """Return a function that starts a sandbox with limits."""
    with contextlib.ExitStack() as stack:

        def start(limits: Limits) -> Uploads:
            other = type(api)(stack.enter_context(Sandbox(limits=limits)))
            stack.callback(other.http.close)
            return Uploads(other)

        yield start


# What they may read

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n"

ATTACKS = {
    "hls of a file": PLAYLIST.format("file://{secret}") + "#EXT-X-ENDLIST\n",
    "hls that never ends": PLAYLIST.format("file://{secret}"),
    "hls of an address": PLAYLIST.format("http://127.0.0.1:9/x") + "#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{secret}'\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
        ' profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT1S">'
        '<Period><AdaptationSet><Representation id="1" mimeType="video/mp4">'
        "<BaseURL>file://{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ),
    "sdp": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    ),
}


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("file_type", [".mov", ".m3u8", ".mpd"])
def test_what_refers_to_other_files_is_refused(uploads, real_ffmpeg, tmp_path, name, file_type):
    """A playlist makes no program open anything, and the job says why it was refused."""
    secret = tmp_path / "secret.ts"
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=24:duration=0.2")
    subprocess.run([real_ffmpeg, "-loglevel", "error", *picture, str(secret)], check=True)
    text = ATTACKS[name]
    job = uploads.encode(uploads.upload(text.format(secret=secret).encode(), file_type))
    assert job["status"] == "failed"
    reason = "it is a text, such as a playlist, that can refer to other files"
    assert job["error"].endswith(f"that can be read: {reason}.")


@pytest.mark.ffmpeg
def test_vectors_are_not_drawn(uploads, real_ffmpeg):
    """SVG refers to other files, so it is read neither as a movie nor under another type."""
    text = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="9"/></svg>'
    for file_type in (".svg", ".png", ".mov"):
        assert uploads.encode(uploads.upload(text, file_type))["status"] == "failed"


MEDIA = {
    **dict.fromkeys(("mov", "mp4", "mkv", "webm", "avi", "ts", "mpg", "flv", "wmv"), "av"),
    **dict.fromkeys(("gif", "h264", "mjpeg"), "v"),
    **dict.fromkeys(("wav", "mp3", "flac", "ogg"), "a"),
    **dict.fromkeys(("png", "jpg", "bmp", "tif", "tga", "dpx", "exr", "webp", "ppm"), "i"),
    "mxf": "mxf",
}


@pytest.mark.ffmpeg
@pytest.mark.parametrize("file_type", MEDIA)
def test_usual_media_are_read(real_ffmpeg, tmp_path, file_type):
    """The allow-list has the formats that studios upload."""
    inputs = {
        "v": ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=0.2"),
        "a": ("-f", "lavfi", "-i", "sine=duration=0.2:sample_rate=48000"),
    }
    kind = MEDIA[file_type]
    arguments = {
        "av": (*inputs["v"], *inputs["a"], "-ar", "44100"),
        "v": inputs["v"],
        "a": inputs["a"],
        "i": (*inputs["v"], "-frames:v", "1"),
        "mxf": (*inputs["v"], *inputs["a"]),
    }[kind]
    if file_type == "webm":
        arguments = (*arguments, "-ar", "48000")
    path = tmp_path / f"source.{file_type}"
    command = [real_ffmpeg, "-loglevel", "error", "-nostdin", *arguments, str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"this ffmpeg writes no {file_type}")
    facts = Pipeline(MediaTools(Limits())).facts(Source("it", str(path)))
    assert bool(facts.pictures) == (kind != "a")
    assert bool(facts.sounds) == (kind in {"a", "av", "mxf"})


@POSIX
def test_every_input_has_the_allow_lists(uploads, program):
    """Whatever ffmpeg is started for, it gets the formats and protocols before the input."""
    folder = program(WRITE)
    picture = image_data("TIFF")
    light = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 4\n" + bytes([128, 128, 128, 126]) * 16
    for data, file_type in ((movie_data(), ".mov"), (light, ".hdr")):
        assert uploads.encode(uploads.upload(data, file_type))["status"] == "done"
    sequence = uploads.api.create("SequenceComponent", name="s", file_type=".tif", padding=4)
    for name in ("1", "2"):
        uploads.upload(picture, ".tif", container_id=sequence, name=name)
    assert uploads.encode(sequence)["status"] == "done"
    calls = (folder / "calls").read_text("utf-8").splitlines()
    assert len(calls) == 6
    for call in calls:
        arguments = call.split("\t")
        before = arguments[: arguments.index("-i")]
        assert arguments.count("-i") == 1
        assert before[before.index("-protocol_whitelist") + 1] == "file"
        assert before[before.index("-format_whitelist") + 1].split(",") == list(DEMUXERS)
        assert int(before[before.index("-max_pixels") + 1]) == Limits().image_pixels


def test_no_format_of_the_list_refers_to_others():
    """Playlists, devices, networks, filters and vectors are not among what ffmpeg may read."""
    refused = {
        *("applehttp", "concat", "concatf", "dash", "ffmetadata", "hls", "imf", "lavfi", "rtp"),
        *("rtsp", "sap", "sdp", "svg_pipe", "tty", "vapoursynth", "webm_dash_manifest", "fbdev"),
        *("x11grab", "video4linux2", "alsa", "avisynth", "bluray", "libcdio", "txt"),
    }
    assert not refused & set(DEMUXERS)
    assert PROTOCOLS == ("file",)


@POSIX
def test_pictures_start_no_program(uploads, tmp_path, monkeypatch):
    """A PostScript file is not given to Ghostscript, as Pillow would."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")
    folder = tmp_path / "bin"
    folder.mkdir()
    ghostscript = folder / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {folder}/started\necho 10.0\n", "utf-8")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    component = uploads.upload(page, ".eps")
    address = f"{uploads.api.url}/component/thumbnail?id={component}"
    answer = uploads.api.http.get(address, timeout=60)
    assert answer.headers["content-type"] == "image/png"
    assert not (folder / "started").exists()


# How much they may take


@POSIX
def test_a_program_that_does_not_end_is_ended(limited, program):
    """A child process has a time limit; the job says which, and the next job has its turn."""
    folder = program(
        f"{WRITE}\nif 'image2' in sys.argv and (folder / 'hang').exists():\n    time.sleep(3600)\n"
    )
    (folder / "hang").touch()
    uploads = limited(Limits(frame_seconds=8))
    job = uploads.encode(uploads.upload_movie())
    assert job["status"] == "failed"
    assert "ffmpeg was ended: it took longer than 8 seconds (--frame-seconds)" in job["error"]
    (folder / "hang").unlink()
    assert uploads.encode(uploads.upload_movie())["status"] == "done"


@POSIX
def test_encoding_has_a_time_limit_of_its_own(limited, program):
    """The limit for encoding is another than that for looking at a file."""
    program("time.sleep(3600)\n")
    uploads = limited(Limits(media_seconds=0.5))
    job = uploads.encode(uploads.upload_movie())
    assert job["status"] == "failed"
    assert "longer than 0.5 seconds (--media-seconds)" in job["error"]
    # Nothing is left that looks like a movie.
    assert [one["name"] for one in uploads.api.query("select name from Component")] == ["main"]


@POSIX
def test_a_program_that_writes_too_much_is_ended(limited, program):
    """A child process writes no file larger than the limit."""
    program(
        "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "file = open(sys.argv[-1], 'wb')\nwhile True:\n    file.write(bytes(10**6))\n"
    )
    uploads = limited(Limits(media_file_bytes=5_000_000))
    job = uploads.encode(uploads.upload_movie())
    assert job["status"] == "failed"
    assert "a file of more than 5000000 bytes (--media-file-bytes)" in job["error"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no limit of memory")
def test_a_program_that_takes_too_much_memory_is_ended(limited, program):
    """A child process takes no more memory than the limit, and the job says so."""
    program(
        "try:\n    bytes(3 * 10**9)\nexcept MemoryError:\n"
        "    print('Cannot allocate memory', file=sys.stderr)\n    sys.exit(1)\n"
        "pathlib.Path(sys.argv[-1]).write_bytes(b'made')\n"
    )
    uploads = limited(Limits(media_bytes=1_000_000_000))
    job = uploads.encode(uploads.upload_movie())
    assert job["status"] == "failed"
    assert "more than 1000000000 bytes of memory (--media-bytes)" in job["error"]


@pytest.mark.ffmpeg
def test_a_movie_of_too_many_pixels_is_refused(limited, real_ffmpeg, tmp_path):
    """Pictures of movies are bounded like others, and the job says by what."""
    path = tmp_path / "main.mkv"
    picture = ("-f", "lavfi", "-i", "color=size=640x640:rate=24:duration=0.1")
    subprocess.run([real_ffmpeg, "-loglevel", "error", *picture, str(path)], check=True)
    uploads = limited(Limits(image_pixels=100_000))
    job = uploads.encode(uploads.upload(path.read_bytes()))
    assert job["status"] == "failed"
    assert "640x640" in job["error"]
    assert "--image-pixels" in job["error"]


# When the server ends


@POSIX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_the_server(program, tmp_path, number):
    """No program and no file outlives the server, nor what it started, also when it is killed."""
    folder = program(HANG)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--memory", "--port", "0"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        assert server.stdout is not None
        known = json.loads(server.stdout.readline())
        headers = {"ftrack-user": known["api_user"], "ftrack-api-key": known["api_key"]}

        def call(*operations: Any) -> Any:
            address = f"{known['server_url']}/api"
            return requests.post(address, json=operations, headers=headers, timeout=60).json()

        values = {"id": "movie", "name": "main", "file_type": ".mov"}
        create = {"action": "create", "entity_type": "FileComponent", "entity_key": ["movie"]}
        asked = {"action": "get_upload_metadata", "component_id": "movie", "file_name": "x"}
        data = movie_data()
        where = call({**create, "entity_data": values}, {**asked, "file_size": len(data)})[1]
        requests.put(where["url"], data=data, headers=where["headers"], timeout=60)
        call({"action": "encode_media", "component_id": "movie"})
        wait_for((folder / "pids").exists)
        pids = [int(one) for one in (folder / "pids").read_text().split()]
        assert all(map(is_running, pids))
        assert list(temporary.glob("ftrack-like-encode*/*"))
        server.send_signal(number)
        server.wait(60)
        wait_for(lambda: not any(map(is_running, pids)))
        wait_for(lambda: not list(temporary.glob("ftrack-like-encode*/*")))
    finally:
        server.kill()
        server.communicate(timeout=30)


@POSIX
def test_a_child_is_ended_with_what_it_started(program):
    """Leaving a child ends its whole group."""
    folder = program(HANG)
    with Child([str(folder / "ffmpeg")], Bounds(60)):
        wait_for((folder / "pids").exists)
        pids = [int(one) for one in (folder / "pids").read_text().split()]
    wait_for(lambda: not any(map(is_running, pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a child of it")
def test_a_program_ends_with_what_watches_it(program):
    """A program whose supervisor is killed ends as well."""
    folder = program(
        "(folder / 'part').write_text(f'{os.getppid()} {os.getpid()}')\n"
        "(folder / 'part').rename(folder / 'pids')\ntime.sleep(3600)\n"
    )
    with Child([str(folder / "ffmpeg")], Bounds(60)) as child:
        wait_for((folder / "pids").exists)
        supervisor, pid = map(int, (folder / "pids").read_text().split())
        os.kill(supervisor, signal.SIGKILL)
        assert child.wait(60) == -signal.SIGKILL
        wait_for(lambda: not is_running(pid))


@POSIX
def test_status_and_words_of_a_program_are_returned():
    """The exit status and both ends of a long error output come back."""
    words = "import sys; print('first', 'x' * 10**6, 'last', file=sys.stderr); sys.exit(7)"
    code, said = run_child([sys.executable, "-c", words], Bounds(60))
    assert code == 7
    assert said.startswith("first")
    assert said.endswith("last\n")
    assert len(said) < 200_000


@POSIX
def test_setting_stop_ends_a_program():
    """A server that stops waits for no program."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(MediaError, match="the server is stopping"):
        run_child([sys.executable, "-c", "import time; time.sleep(3600)"], Bounds(60), stop=stop)


def test_one_place_starts_children():
    """No other module of the sandbox and of the pipeline starts a program."""
    starting = set()
    folder = pathlib.Path(ftrack_like.sandbox.__file__).parent
    calls = {"fork", "popen", "posix_spawn", "spawnv", "system", "execv", "execvp"}
    for path in [*folder.rglob("*.py"), *(folder.parent / "_media").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Attribute) and node.attr in calls:
                names = ["subprocess"]
            if {"subprocess", "multiprocessing"} & {one.partition(".")[0] for one in names}:
                starting.add(path.name)
    # The shell that removes a private folder sees no upload, and "child.py" starts only processes
    # of the sandbox itself.
    assert starting == {"children.py", "supervisor.py", "folders.py", "child.py"}


@pytest.mark.skipif(not shutil.which("pdftoppm"), reason="pdftoppm is not installed")
@pytest.mark.ffmpeg
def test_a_huge_page_is_drawn_small(uploads, real_ffmpeg):
    """The size of a page in a document decides over no memory."""
    document = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 14400 14400]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
    assert uploads.encode(uploads.upload(document, ".pdf"))["status"] == "done"
