"""`ftrack-like publish`, `upload` and `download`, as whole processes against a sandbox."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import symbol
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._fetching import fetch, safe_name, wanted_files
from ftrack_like.cli._sources import sources_of
from ftrack_like.media import find_ffmpeg
from ftrack_like.session import Session
from ftrack_like.testing import ProjectFactory, Sandbox

Run = Callable[..., "subprocess.CompletedProcess[str]"]

#: More than a download must have, so that its part is kept.
LARGE = 12 * 1024 * 1024


@pytest.fixture
def environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of the commands."""
    return {**os.environ, **sandbox.environment(), "FTRACK_API_RETRY_SECONDS": "5"}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Return the function that runs a command in ``tmp_path``."""

    def run_command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ftrack_like", *arguments],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run_command


@pytest.fixture
def project(session: Session) -> ProjectFactory:
    """Return a factory with a new project."""
    return ProjectFactory(session, "harbour")


@pytest.fixture
def task(project: ProjectFactory) -> Any:
    """Return a task in a shot."""
    return project.shot("sh010", ["animation"])["children"][0]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return ``tmp_path`` with a scene and three frames."""
    (tmp_path / "scene.ma").write_text("scene")
    for number in (1001, 1002, 1003):
        (tmp_path / f"plate.{number}.exr").write_text(f"frame {number}")
    return tmp_path


@pytest.fixture
def _recovers(sandbox: Sandbox) -> Iterator[None]:
    """Keep the faults of a test from other tests."""
    yield
    sandbox.recover()


def one_line_error(result: subprocess.CompletedProcess[str], status: int) -> str:
    """Return the error of *result*, which must be a single line with *status*.

    The session logs repetitions.
    """
    assert result.returncode == status, result.stdout + result.stderr
    logged = ("ftrack-like: warning: ",)
    lines = [line for line in result.stderr.splitlines() if not line.startswith(logged)]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("ftrack-like")
    return lines[0]


# publish


def test_publish_makes_a_whole_version(run: Run, files: Path, task: Any, session: Session) -> None:
    """The version has its asset, task, comment, status, note, files and sequence."""
    done = run(
        *("publish", "scene.ma", "plate.1001.exr", "plate.1002.exr", "plate.1003.exr"),
        *("--context", task["id"], "--comment", "First pass.", "--status", "Pending review"),
        *("--asset-type", "Animation", "--note", "Mind the sail."),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    version = session.get("AssetVersion", done.stdout.strip())
    assert version["asset"]["name"] == "scene"
    assert version["asset"]["type"]["name"] == "Animation"
    assert version["asset"]["parent"]["name"] == "sh010"
    assert version["task"] is task
    assert (version["comment"], version["status"]["name"]) == ("First pass.", "Pending Review")
    assert version["is_published"]
    assert [note["content"] for note in version["notes"]] == ["Mind the sail."]
    found = {one["name"]: one for one in version["components"]}
    assert found["scene"]["file_type"] == ".ma"
    assert found["plate"].entity_type == "SequenceComponent"
    assert [one["name"] for one in found["plate"]["members"]] == ["1001", "1002", "1003"]
    location = session.pick_location(found["scene"])
    assert location["name"] == "ftrack.server"


def test_publish_again_makes_the_next_version(run: Run, files: Path, task: Any) -> None:
    """A second run finds the asset, and JSON has the number and the components."""
    run("publish", "scene.ma", "--context", "harbour/sh010/animation", "--asset-name", "layout")
    done = run(
        *("publish", "main=scene.ma", "plate.####.exr"),
        *("--context", "harbour/sh010", "--task", task["id"], "--asset-name", "layout", "--json"),
    )
    found = json.loads(done.stdout)
    assert found["version"] == 2
    assert found["asset"]["name"] == "layout"
    assert [one["name"] for one in found["components"]] == ["main", "plate"]


def test_dry_run_changes_nothing(run: Run, files: Path, task: Any, session: Session) -> None:
    """The plan names the entities and the files, and the server stays as it was."""
    options = ("--context", task["id"], "--note", "Look.", "--dry-run")
    done = run("publish", "scene.ma", "plate.%04d.exr", *options)
    assert done.returncode == 0, done.stderr
    for words in ("create Asset 'scene'", "create AssetVersion", "Plan: 2 to create."):
        assert words in done.stdout
    assert "upload scene.ma (5 bytes) as the component 'scene' to ftrack.server" in done.stdout
    assert "3 files" in done.stdout
    assert "write the note 'Look.'" in done.stdout
    changes = json.loads(run("publish", "scene.ma", *options, "--json").stdout)
    assert [one["entity_type"] for one in changes] == ["Asset", "AssetVersion"]
    assert session.query("AssetVersion").all() == []
    assert session.query("Asset").all() == []


@pytest.mark.usefixtures("_recovers")
def test_failed_publish_leaves_nothing(
    run: Run, files: Path, task: Any, session: Session, sandbox: Sandbox
) -> None:
    """If a file cannot be uploaded, neither version nor asset nor component stay."""
    sandbox.fail(next=403, path="/component", times=20)
    done = run("publish", "scene.ma", "--context", task["id"])
    one_line_error(done, 1)
    assert done.stdout == ""
    sandbox.recover()
    for entity_type in ("AssetVersion", "Asset", "Component"):
        assert session.query(entity_type).all() == [], entity_type


def test_publish_with_thumbnail_and_reviewable(
    run: Run, files: Path, task: Any, session: Session
) -> None:
    """The version gets its thumbnail, and the reviewable is encoded."""
    try:
        find_ffmpeg()
    except Exception as error:
        pytest.skip(str(error))
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (64, 48), "orange").save(files / "still.png")
    done = run(
        *("publish", "scene.ma", "--context", task["id"], "--wait"),
        *("--thumbnail", "still.png", "--reviewable", "still.png"),
    )
    assert done.returncode == 0, done.stderr
    version = session.get("AssetVersion", done.stdout.strip())
    assert re.search(r"waits for an encoder since \d\d:\d\d:\d\d UTC: job ", done.stderr)
    assert version["thumbnail"] is not None
    assert "ftrackreview-image" in {one["name"] for one in version["components"]}


def test_publish_that_waits_too_long(run: Run, files: Path, task: Any, session: Session) -> None:
    """After --timeout the version stays, and the error names its job; the status is 1."""
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (64, 48), "orange").save(files / "still.png")
    done = run(
        *("publish", "scene.ma", "--context", task["id"], "--reviewable", "still.png"),
        *("--wait", "--timeout", "1e-9"),
    )
    assert done.returncode == 1
    version = session.get("AssetVersion", done.stdout.strip())
    assert version["is_published"]
    (job_id,) = re.findall(r"ftrack-like get Job (\S+)", done.stderr)
    assert session.get("Job", job_id) is not None


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["missing.ma", "--context", "x"], 2, "There is no file 'missing.ma'"),
        (["scene.ma", "--context", "nowhere"], 1, "There is no Context 'nowhere'"),
        (["scene.ma"], 2, "--context"),
        (["gone.####.exr", "--context", "x"], 2, "There are no frames for 'gone.%04d.exr'"),
        (["plate.%04d.exr [1001-1004]", "--context", "x"], 2, "plate.1004.exr"),
        (["*.mov", "--context", "x"], 2, r"No file matches '*.mov'"),
        ([".", "--context", "x"], 2, "is not a file"),
        (["scene.ma", "--context", "x", "--thumbnail", "t.png"], 2, "--thumbnail 't.png'"),
        (["scene.ma", "plate.1001.exr", "--name", "a", "--context", "x"], 2, "--name names one"),
        (["scene.ma", "--context", "x", "--wait"], 2, "--reviewable"),
        (["scene.ma", "--context", "x", "--timeout", "5"], 2, "--wait, which is missing"),
        (["a=scene.ma", "a=scene.ma", "--context", "x"], 2, "NAME=FILE"),
    ],
)
def test_mistakes_in_publish(
    run: Run, files: Path, arguments: list[str], status: int, words: str
) -> None:
    """A mistake is one line that names it, before anything is created."""
    assert words in one_line_error(run("publish", *arguments), status)


def test_unknown_status_and_type_are_named(run: Run, files: Path, task: Any) -> None:
    """An unknown status or type is an error, and so is another type for an existing asset."""
    publish = ("publish", "scene.ma", "--context", task["id"])
    assert "no Status 'Shiny'" in one_line_error(run(*publish, "--status", "Shiny"), 1)
    assert "no AssetType 'Shiny'" in one_line_error(run(*publish, "--asset-type", "Shiny"), 1)
    run(*publish)
    error = one_line_error(run(*publish, "--asset-type", "Animation"), 1)
    assert "has the type 'Upload', not 'Animation'" in error


# upload


def test_upload_to_a_version_and_to_a_location(
    run: Run, files: Path, project: ProjectFactory
) -> None:
    """Components are added to a version, or have none, and their ids are printed."""
    version = project.version()
    done = run("upload", "scene.ma", "plate.*.exr", "--to", version["id"], "--json")
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == ["scene", "plate"]
    loose = run("upload", "scene.ma", "--to", "ftrack.server", "--name", "loose").stdout
    identifier, name, size, path = loose.rstrip("\n").split("\t")
    assert (name, size, path) == ("loose", "5", "scene.ma")
    session = project.session
    component = session.get("Component", identifier)
    assert component["version"] is None
    session.populate(version, "components")
    assert {one["id"] for one in version["components"]} == {row["id"] for row in rows}


def test_upload_refuses_what_is_there(run: Run, files: Path, project: ProjectFactory) -> None:
    """A second component of the same name is an error; so are a task and an unknown place."""
    version = project.version(files=["scene"])
    error = one_line_error(run("upload", "scene.ma", "--to", version["id"]), 1)
    assert "already has a component 'scene'" in error
    task = project.task()
    error = one_line_error(run("upload", "scene.ma", "--to", task["id"]), 1)
    assert f"publish FILE --context {task['id']}" in error
    assert "no Location 'moon'" in one_line_error(run("upload", "scene.ma", "--to", "moon"), 1)
    missing = "11111111-1111-1111-1111-111111111111"
    assert missing in one_line_error(run("upload", "scene.ma", "--to", missing), 1)
    project.session.create("Location", {"name": "studio.disk"})
    project.session.commit()
    done = run("upload", "scene.ma", "--to", "studio.disk")
    assert "has no accessor" in one_line_error(done, 1)


@pytest.mark.usefixtures("_recovers")
def test_failed_upload_removes_earlier_files(
    run: Run, files: Path, project: ProjectFactory, sandbox: Sandbox, session: Session
) -> None:
    """If the second file fails, the first one is removed again."""
    version = project.version()
    sandbox.delay(0, path="/component/upload")  # The first file passes.
    sandbox.fail(next=403, path="/component/upload", times=40)
    (files / "notes.txt").write_text("x")
    done = run("upload", "scene.ma", "notes.txt", "--to", version["id"])
    one_line_error(done, 1)
    assert sandbox.planned_faults < 40
    sandbox.recover()
    assert session.query(f'Component where version_id is "{version["id"]}"').all() == []


# download


def test_download_a_version(run: Run, files: Path, project: ProjectFactory) -> None:
    """All files of a version arrive with their data and names, frames with their numbers."""
    version = project.version()
    run("upload", "scene.ma", "plate.*.exr", "--to", version["id"])
    done = run("download", version["id"], "--to", "got")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    names = ["plate.1001.exr", "plate.1002.exr", "plate.1003.exr", "scene.ma"]
    assert sorted(os.listdir(files / "got")) == names
    for name in names:
        assert (files / "got" / name).read_bytes() == (files / name).read_bytes()
    paths = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert sorted(paths) == [str(Path("got", name)) for name in names]
    only = run("download", version["id"], "--to", "only", "--component", "scene")
    assert only.returncode == 0
    assert os.listdir(files / "only") == ["scene.ma"]
    assert "The names are: plate, scene." in one_line_error(
        run("download", version["id"], "--to", "none", "--component", "cam"), 1
    )


def test_download_by_query_makes_folders(run: Run, files: Path, project: ProjectFactory) -> None:
    """Files of a query go into folders for project, contexts, asset and version."""
    shot = project.shot("sh010")
    for _ in range(2):
        version = project.version(shot, {"scene": files / "scene.ma"}, asset="layout")
    query = 'AssetVersion where asset.name is "layout"'
    assert run("download", "--query", query, "--to", "got").returncode == 0
    found = sorted(str(p.relative_to(files / "got")) for p in (files / "got").rglob("*.ma"))
    assert found == [f"harbour/sh010/layout/v00{number}/scene.ma" for number in (1, 2)]
    one = f'Component where version_id is "{version["id"]}"'
    assert run("download", "-q", one, "--to", "flat", "--no-structure").returncode == 0
    assert os.listdir(files / "flat") == ["scene.ma"]
    clash = run("download", "-q", query, "--to", "clash", "--no-structure")
    assert "Two components would become" in one_line_error(clash, 1)
    assert not (files / "clash").exists()


def test_thumbnails_of_versions_are_downloaded_on_request(
    run: Run, files: Path, project: ProjectFactory, session: Session
) -> None:
    """The thumbnail of a version is downloaded by its name or id, and not with the other files."""
    # The server reads only the type of the file.
    (files / "still.png").write_bytes(b"picture")
    version = project.version(None, {"scene": files / "scene.ma", "thumb": files / "still.png"})
    thumb = session.query(
        "Component where name is thumb and version_id is :id", values={"id": version["id"]}
    ).one()
    version = session.get("AssetVersion", version["id"])
    version["thumbnail_id"] = thumb["id"]
    session.commit()
    assert run("download", version["id"], "--to", "files").returncode == 0
    assert os.listdir(files / "files") == ["scene.ma"]
    for number, choice in enumerate(([version["id"], "--component", "thumb"], [thumb["id"]])):
        assert run("download", *choice, "--to", f"thumb{number}").returncode == 0
        assert os.listdir(files / f"thumb{number}") == ["thumb.png"]


def test_encodings_for_reviews_are_downloaded_on_request(
    run: Run, files: Path, project: ProjectFactory, session: Session
) -> None:
    """An encoding beside a file is downloaded by its name only; alone it is what people want."""
    (files / "clip.mp4").write_bytes(b"movie")  # The server reads only the type of the file.
    names = ("ftrackreview-mp4", "ftrackreview-mp4-1080")
    encodings = dict.fromkeys(names, files / "clip.mp4")
    both = project.version(None, {"scene": files / "scene.ma", **encodings})
    alone = project.version(None, encodings)
    assert run("download", both["id"], "--to", "files").returncode == 0
    assert os.listdir(files / "files") == ["scene.ma"]
    assert run("download", both["id"], "--component", names[0], "--to", "one").returncode == 0
    assert os.listdir(files / "one") == ["ftrackreview-mp4.mp4"]
    query = f'AssetVersion where id in ("{both["id"]}", "{alone["id"]}")'
    assert run("download", "-q", query, "--to", "found").returncode == 0
    found = sorted(each.name for each in (files / "found").rglob("*.*") if each.is_file())
    assert found == ["ftrackreview-mp4-1080.mp4", "ftrackreview-mp4.mp4", "scene.ma"]
    assert run("download", alone["id"], "--to", "alone").returncode == 0
    assert len(os.listdir(files / "alone")) == 2


def test_existing_files_are_kept(run: Run, files: Path, project: ProjectFactory) -> None:
    """Without --force an existing file is an error, and no other file is downloaded either."""
    version = project.version(None, {"scene": files / "scene.ma", "other": files / "scene.ma"})
    got = files / "got"
    got.mkdir()
    (got / "scene.ma").write_text("mine")
    error = one_line_error(run("download", version["id"], "--to", "got"), 1)
    assert "'got/scene.ma' exists already. Pass --force" in error
    assert os.listdir(got) == ["scene.ma"]
    done = run("download", version["id"], "--to", "got", "--skip-existing")
    assert done.stdout.startswith("got/other.ma\t5\t")
    assert (got / "scene.ma").read_text() == "mine"
    assert run("download", version["id"], "--to", "got", "--force").returncode == 0
    assert (got / "scene.ma").read_text() == "scene"
    plan = run("download", version["id"], "--to", "new", "--dry-run")
    assert len(plan.stdout.splitlines()) == 2
    assert not (files / "new").exists()


@pytest.mark.parametrize(
    "name",
    ["../../outside", "/etc/passwd", "..", ".", "", "a\\..\\b", "con", "x\x00y", "é" * 300, "a\nb"],
)
def test_names_never_leave_the_folder(tmp_path: Path, project: ProjectFactory, name: str) -> None:
    """Whatever a component is called, its file is directly in the folder."""
    safe = safe_name(name)
    assert safe not in ("", ".", "..")
    assert not set(safe) & set('/\\\0\n:*?"<>|')
    assert len(safe.encode()) <= 180
    assert (tmp_path / safe).resolve().parent == tmp_path.resolve()


def test_dangerous_component_stays_inside(run: Run, files: Path, project: ProjectFactory) -> None:
    """A component whose name climbs out of the folder becomes a harmless name in it."""
    version = project.version(None, {"../../evil": files / "scene.ma"})
    done = run("download", version["id"], "--to", "deep/inside")
    assert done.returncode == 0, done.stderr
    assert os.listdir(files / "deep" / "inside") == [".._.._evil.ma"]
    assert not list(files.parent.glob("evil*"))


@pytest.mark.parametrize("file_type", ["ma", ".ma"])
def test_names_of_files_have_a_dot(
    file_type: str, run: Run, files: Path, project: ProjectFactory, session: Session
) -> None:
    """A file type without its dot, as some programs store it, gives the same file name."""
    version = project.version(None, {"scene": files / "scene.ma"})
    version["components"][0]["file_type"] = file_type
    session.commit()
    assert run("download", version["id"], "--to", "got").returncode == 0
    assert os.listdir(files / "got") == ["scene.ma"]


@pytest.fixture
def large(project: ProjectFactory, tmp_path: Path) -> tuple[Any, bytes]:
    """Return a version with a large component, and its data."""
    data = os.urandom(LARGE)
    (tmp_path / "large.bin").write_bytes(data)
    return project.version(None, {"large": tmp_path / "large.bin"}), data


def parts(folder: Path) -> list[Path]:
    """Return the unfinished downloads in *folder*."""
    return sorted(folder.glob(".*.part")) if folder.exists() else []


@pytest.mark.usefixtures("_recovers")
def test_broken_download_goes_on(
    run: Run, tmp_path: Path, large: tuple[Any, bytes], sandbox: Sandbox
) -> None:
    """A connection that breaks is opened again within a run, and the file is complete."""
    version, data = large
    sandbox.fail(next=["half", "drop", 503], path="/component")
    assert run("download", version["id"], "--to", "got").returncode == 0
    assert (tmp_path / "got" / "large.bin").read_bytes() == data
    assert parts(tmp_path / "got") == []


@pytest.mark.usefixtures("_recovers")
def test_failed_download_leaves_no_file(
    run: Run, files: Path, project: ProjectFactory, sandbox: Sandbox
) -> None:
    """A small download that fails leaves nothing at all."""
    version = project.version(None, {"scene": files / "scene.ma"})
    sandbox.fail(next="half", path="/component", times=100)
    one_line_error(run("download", version["id"], "--to", "got", FTRACK_API_RETRY_SECONDS="0.5"), 1)
    assert os.listdir(files / "got") == []


def test_next_run_continues(tmp_path: Path, large: tuple[Any, bytes], session: Session) -> None:
    """A kept part is continued if its end matches the data, and discarded otherwise."""
    version, data = large
    component = session.query(
        f"select name, file_type, size, version, component_locations.location.name from Component "
        f'where version_id is "{version["id"]}"'
    ).one()
    (wanted,) = wanted_files(session, [component], tmp_path / "got", False)
    part = tmp_path / "got" / f".large.bin.{component['id'][:8]}.part"
    part.parent.mkdir()
    marked = b"MARK" + data[4 : LARGE // 2]
    part.write_bytes(marked)
    moved: list[int] = []
    place = wanted.location.get_resource_identifier(component)
    assert fetch(wanted, place, progress=moved.append) == LARGE
    assert wanted.target.read_bytes() == marked + data[LARGE // 2 :]
    assert sum(moved) == LARGE
    assert not part.exists()
    wanted.target.unlink()
    for unusable in (b"MARK" * 1000, data + b"more", b""):
        part.write_bytes(unusable)
        fetch(wanted, place)
        assert wanted.target.read_bytes() == data
        wanted.target.unlink()


def test_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, large: tuple[Any, bytes], session: Session
) -> None:
    """A file that another program creates during the download is not replaced."""
    version, _ = large
    component = session.query(
        "select name, file_type, size, version from Component "
        f'where version_id is "{version["id"]}"'
    ).one()
    (wanted,) = wanted_files(session, [component], tmp_path / "got", False)

    place = wanted.location.get_resource_identifier(component)

    def create(count: int) -> None:
        wanted.target.write_text("theirs")

    with pytest.raises(CommandError, match="exists already"):
        fetch(wanted, place, progress=create)
    assert wanted.target.read_text() == "theirs"


def test_interrupted_download(
    environment: dict[str, str], tmp_path: Path, large: tuple[Any, bytes], sandbox: Sandbox
) -> None:
    """Ctrl-C ends with status 130 and without an error, and leaves no half file."""
    version, _ = large
    sandbox.delay(60, path="/component")
    process = subprocess.Popen(
        [sys.executable, "-m", "ftrack_like", "download", version["id"], "--to", "got"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while sandbox.planned_faults and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (output, errors) == ("", "")
    assert not (tmp_path / "got" / "large.bin").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "Pass either ids or --query"),
        (["x", "--query", "Component"], 2, "Pass either ids or --query"),
        (["nothing"], 1, "is no component and no version"),
        (["--query", "Task"], 2, "must find components or asset versions, not Task"),
        (["--query", "Component where name is 'nothing'"], 1, "finds no component"),
        (["x", "--to", "scene.ma"], 2, "is a file"),
        (["x", "--force", "--skip-existing"], 2, "not allowed with"),
    ],
)
def test_mistakes_in_download(
    run: Run, files: Path, sandbox: Sandbox, arguments: list[str], status: int, words: str
) -> None:
    """A mistake is one line that names it."""
    assert words in one_line_error(run("download", *arguments), status)


def test_unreachable_data_are_explained(run: Run, session: Session, tmp_path: Path) -> None:
    """Data in a location that this machine cannot reach are an error with its name."""
    (tmp_path / "scene.ma").write_text("scene")
    component = session.create_component(str(tmp_path / "scene.ma"), {"name": "scene"}, None)
    studio = session.create("Location", {"name": "studio.disk"})
    session.create(
        "ComponentLocation",
        {"component": component, "location": studio, "resource_identifier": "a/scene.ma"},
    )
    session.commit()
    error = one_line_error(run("download", component["id"], "--to", "got"), 1)
    assert "It is in studio.disk." in error or "studio.disk" in error


def test_progress_on_a_terminal(
    environment: dict[str, str], tmp_path: Path, large: tuple[Any, bytes]
) -> None:
    """A terminal shows a bar and a summary on standard error, and the rows as a table."""
    version, data = large
    main, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ftrack_like", "download", version["id"], "--to", "got"],
        cwd=tmp_path,
        env={**environment, "TERM": "xterm", "COLUMNS": "80"},
        stdout=other,
        stderr=other,
    )
    os.close(other)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert process.wait(60) == 0
    os.close(main)
    text = shown.decode()
    assert "Downloading 1 file" in text
    assert "Downloaded 1 file (12.6 MB)." in text
    assert (tmp_path / "got" / "large.bin").read_bytes() == data


def test_csv_of_download(run: Run, files: Path, project: ProjectFactory) -> None:
    """The rows can be had as CSV with a header."""
    version = project.version(None, {"scene": files / "scene.ma"})
    done = run("download", version["id"], "--to", "got", "--csv")
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["path"], row["bytes"]) == ("got/scene.ma", "5")


# sources


def test_sources_are_recognised(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, sequences in all usual forms, wildcards and names of components."""
    monkeypatch.chdir(files)
    (files / "take=2.mov").write_text("x")
    frames = "plate.%04d.exr [1001-1003]"
    for pattern in ("plate.%04d.exr", "plate.####.exr", "plate.@@@@.exr", "plate.$F4.exr", frames):
        (found,) = sources_of([pattern])
        assert (found.name, found.path, len(found.files)) == ("plate", frames, 3), pattern
    (found,) = sources_of(["plate.####.exr [1001, 1003]"])
    assert (found.path, found.size) == ("plate.%04d.exr [1001, 1003]", 20)
    listed = [f"plate.{number}.exr" for number in (1001, 1002, 1003)]
    assert [one.name for one in sources_of(["scene.ma", *listed])] == ["scene", "plate"]
    assert [one.name for one in sources_of(["plate.*.exr", "scene.ma"])] == ["plate", "scene"]
    assert len(sources_of(listed, sequences=False)) == 3
    assert [one.name for one in sources_of(["take=2.mov"])] == ["take=2"]
    assert [one.name for one in sources_of(["main=scene.ma"])] == ["main"]
    (files / "scene.mb").write_text("x")
    assert [one.name for one in sources_of(["scene.ma", "scene.mb"])] == ["scene_ma", "scene_mb"]
    with pytest.raises(UsageMistake, match="frames are written like"):
        sources_of(["plate.####.exr [1001-]"])


def test_location_is_used(run: Run, files: Path, project: ProjectFactory) -> None:
    """The server's location has the identifier that the library knows."""
    version = project.version()
    run("upload", "scene.ma", "--to", version["id"], "--location", symbol.SERVER_LOCATION_ID)
    rows = project.session.query(
        f'select location_id from ComponentLocation where component.version_id is "{version["id"]}"'
    )
    assert {row["location_id"] for row in rows} == {symbol.SERVER_LOCATION_ID}
