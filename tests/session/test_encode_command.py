"""`ftrack-like encode`: a render node publishes what it has rendered."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ftrack_like import cli, exception
from ftrack_like._base import ffmpeg
from ftrack_like.media import find_media, publish_reviewable

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")
pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytestmark = pytest.mark.ffmpeg


@pytest.fixture(scope="module")
def program() -> str:
    """The path of ffmpeg, or a skip with the reason."""
    try:
        return ffmpeg.find_ffmpeg()
    except exception.MediaError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def renders(program: str, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a movie, and a folder with a sequence of six frames."""
    folder = tmp_path_factory.mktemp("renders")
    (folder / "frames").mkdir()
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x36:rate=24:duration=0.25")
    for target in ("shot.mov", "frames/plate.%04d.png"):
        start = ("-start_number", "1001") if "%" in target else ()
        command = [program, "-loglevel", "error", *picture, *start, str(folder / target)]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="module")
def long_movie(program: str, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A movie whose encoding takes seconds."""
    path = tmp_path_factory.mktemp("long") / "long.mov"
    picture = ("-f", "lavfi", "-i", "testsrc=size=1920x1080:rate=24:duration=10")
    fast = ("-c:v", "mpeg4", "-q:v", "8")
    subprocess.run([program, "-loglevel", "error", *picture, *fast, str(path)], check=True)
    return path


@pytest.fixture
def version(session: Any) -> Any:
    """A committed version to publish for."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    asset = session.create("Asset", {"name": "edit", "parent": shot})
    made = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return made


@pytest.fixture
def access(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address and the key of the sandbox in the environment."""
    monkeypatch.setenv("FTRACK_SERVER", sandbox.server_url)
    monkeypatch.setenv("FTRACK_API_USER", sandbox.api_user)
    monkeypatch.setenv("FTRACK_API_KEY", sandbox.api_key)


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ftrack_like", "encode", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that runs the command in this process, and returns its lines of JSON.

    It requires the status 0 and no errors.
    """

    def run_with(*arguments: Any) -> list[dict[str, Any]]:
        status = cli.main(["encode", *map(str, arguments), "--json"])
        shown = capsys.readouterr()
        assert (status, shown.err) == (0, "")
        return [json.loads(line) for line in shown.out.splitlines()]

    return run_with


def media_of(session: Any, version: Any) -> list[str]:
    """Return the names of all components, and check that the version has one thumbnail."""
    session.reset()
    version = session.get("AssetVersion", version["id"])
    found = session.query("select id, name from Component").all()
    thumbnails = [one["id"] for one in found if one["name"] == "thumbnail"]
    assert thumbnails == [version["thumbnail_id"]]
    return sorted(one["name"] for one in found if one["name"] != "thumbnail")


@pytest.mark.usefixtures("access")
def test_a_movie_is_published_once(session: Any, version: Any, renders: Any) -> None:
    """A second run finds the result; --force replaces it, and one remains."""
    first = run(renders / "shot.mov", "--version", version["id"])
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("Published ftrackreview-mp4 (64 x 36 pixels, frames 0-5) as ")
    again = run(renders / "shot.mov", "--version", version["id"])
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.split()[:2] == ["Already", "published:"]
    assert again.stdout.split()[-1] == first.stdout.split()[-1]
    forced = run(renders / "shot.mov", "--version", version["id"], "--force")
    assert forced.stdout.startswith("Published")
    assert forced.stdout.split()[-1] != first.stdout.split()[-1]
    assert media_of(session, version) == ["ftrackreview-mp4"]


@pytest.mark.usefixtures("access")
def test_a_pattern_that_the_shell_expanded(
    session: Any, version: Any, renders: Any, run_here: Any, capsys: Any
) -> None:
    """All frames of one sequence are that sequence; other files are refused with their names."""
    frames = sorted((renders / "frames").glob("plate.*.png"))
    done = run_here(*frames, "--version", "film/sh010/edit/v001")[-1]
    assert (done["frameIn"], done["frameOut"]) == (1001, 1001 + len(frames) - 1)
    status = cli.main(["encode", *map(str, frames), str(renders / "shot.mov"), "--version", "x"])
    assert status == 2
    errors = capsys.readouterr().err
    assert "one movie, one image or one sequence, but these are 2: " in errors
    assert errors.strip().endswith(f"{renders / 'shot.mov'}. Run encode for each.")


@pytest.mark.usefixtures("access")
def test_missing_frames_are_named(session: Any, version: Any, renders: Any) -> None:
    """A sequence with a gap is published, and each run says which frames are missing."""
    folder = renders / "gap"
    folder.mkdir()
    for number in (1001, 1002, 1005, 1006):
        (folder / f"plate.{number}.png").write_bytes(
            (renders / f"frames/plate.{number}.png").read_bytes()
        )
    first = run(folder / "plate.%04d.png", "--version", version["id"])
    assert (first.returncode, first.stderr) == (0, "")
    assert "frames 1001-1006" in first.stdout
    assert "Missing frames, which show the frame before: 1003-1004" in first.stdout
    again = run(folder, "--version", version["id"], "--json")
    result = json.loads(again.stdout.splitlines()[-1])
    assert (result["is_new"], result["missing_frames"]) == (False, "1003-1004")


@pytest.mark.usefixtures("access")
def test_two_nodes_at_once_make_one_result(session: Any, version: Any, renders: Any) -> None:
    """Three runs at once end well; one has encoded."""
    arguments = (renders / "shot.mov", "--version", version["id"], "--json")
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: run(*arguments), range(3)))
    assert [one.returncode for one in runs] == [0, 0, 0]
    results = [json.loads(one.stdout.splitlines()[-1]) for one in runs]
    assert sorted(one["is_new"] for one in results) == [False, False, True]
    assert len({one["component_id"] for one in results}) == 1
    assert media_of(session, version) == ["ftrackreview-mp4"]
    assert session.query(f'Metadata where parent_id is "{version["id"]}"').all() == []


@pytest.mark.usefixtures("access")
@pytest.mark.parametrize(
    "media", ["frames", "frames/plate.%04d.png", "frames/plate.####.png", "frames/plate.*.png"]
)
def test_sequences_are_published(
    session: Any, version: Any, renders: Any, media: str, run_here: Any
) -> None:
    """A folder and a pattern name all frames, which keep their numbers."""
    result = run_here(renders / media, "--version", version["id"])[-1]
    assert result["event"] == "done"
    assert (result["frameIn"], result["frameOut"]) == (1001, 1006)
    assert media_of(session, version) == ["ftrackreview-mp4"]


@pytest.mark.usefixtures("access")
def test_a_part_of_a_sequence_is_another_result(
    session: Any, version: Any, renders: Any, run_here: Any
) -> None:
    """The frames in brackets are published in the place of all frames."""
    run_here(renders / "frames", "--version", version["id"])
    part = renders / "frames/plate.%04d.png [1002-1004]"
    result = run_here(part, "--version", version["id"])[-1]
    assert (result["frameIn"], result["frameOut"], result["is_new"]) == (1002, 1004, True)
    assert media_of(session, version) == ["ftrackreview-mp4"]


@pytest.mark.usefixtures("access")
def test_the_same_images_with_other_numbers_are_another_result(
    session: Any, version: Any, renders: Any, run_here: Any, tmp_path: pathlib.Path
) -> None:
    """A sequence that was renumbered is published again, with its new numbers."""
    run_here(renders / "frames", "--version", version["id"])
    for number in range(1001, 1007):
        image = (renders / f"frames/plate.{number}.png").read_bytes()
        (tmp_path / f"plate.{number + 1000}.png").write_bytes(image)
    for is_new in (True, False):
        result = run_here(tmp_path / "plate.%04d.png", "--version", version["id"])[-1]
        assert (result["frameIn"], result["frameOut"], result["is_new"]) == (2001, 2006, is_new)
    assert media_of(session, version) == ["ftrackreview-mp4"]


@pytest.mark.usefixtures("access")
def test_progress_is_for_machines_or_people(version: Any, renders: Any) -> None:
    """With --json each line is JSON; progress rises to 100, then the result follows."""
    done = run(renders / "shot.mov", "--version", version["id"], "--json")
    news = [json.loads(line) for line in done.stdout.splitlines()]
    percents = [one["percent"] for one in news if one["event"] == "progress"]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert [one["event"] for one in news][-1] == "done"
    assert set(news[-1]) == {
        *("event", "version_id", "component_id", "name", "is_new"),
        *("width", "height", "frameIn", "frameOut", "frameRate"),
    }


@pytest.mark.usefixtures("access")
@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_terminal_shows_a_bar(version: Any, renders: Any) -> None:
    """The bar fills up on standard error; nothing of it is in the output."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ftrack_like", "encode", str(renders / "shot.mov")]
    with subprocess.Popen(
        [*command, "--version", version["id"]], stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the end
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"Published")
    os.close(ours)
    assert process.returncode == 0
    assert b"\r[" in shown
    assert b"] 100 %" in shown


#: Presets for a small movie.
SMALL = {"ftrackreview-mp4": {"width": 32}}


@pytest.mark.usefixtures("access")
def test_presets_and_the_first_frame(
    session: Any, version: Any, renders: Any, tmp_path: pathlib.Path, run_here: Any
) -> None:
    """A file of presets adds a slate, which is the frame before the first one."""
    chosen = tmp_path / "presets.json"
    chosen.write_text(json.dumps({"*": {"slate": True, "burn_in": True}, **SMALL}))
    arguments = (renders / "shot.mov", "--version", version["id"])
    run_here(*arguments)
    more = ("--presets", chosen, "--first-frame", 1001)
    done = run_here(*arguments, *more)[-1]
    assert (done["is_new"], done["width"]) == (True, 32)
    assert (done["frameIn"], done["frameOut"]) == (1000, 1006)
    component = session.get("Component", done["component_id"])
    assert component["metadata"]["slate_frames"] == "1"
    assert not run_here(*arguments, *more)[-1]["is_new"]
    # Other presets are another result.
    chosen.write_text(json.dumps({"ftrackreview-mp4": {"width": 16}}))
    assert run_here(*arguments, *more)[-1]["is_new"]
    assert media_of(session, version) == ["ftrackreview-mp4"]


@pytest.mark.usefixtures("access")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["missing.mov", "--version", "ID"], 2, "There is no file 'missing.mov'."),
        (["missing.%04d.png [1-2]", "--version", "ID"], 2, "There is no file 'missing.0001.png'"),
        (["missing.%04d.png", "--version", "ID"], 1, "No file has a name like"),
        ([".", "--version", "ID"], 1, "does not contain exactly one sequence"),
        (["notes.txt", "--version", "ID"], 1, "files of the type .txt"),
        (["notes.mov", "--version", "ID"], 1, "contains no picture and no sound"),
        (["empty.mov", "--version", "ID"], 1, "is empty"),
        (
            ["shot.mov", "--version", "nothing"],
            1,
            "'nothing' is not an AssetVersion. Write an id, or a path",
        ),
        (
            ["shot.mov", "--version", "ID", "--format", "x"],
            2,
            "no format 'x'. The formats are: mp4-1080p",
        ),
        (["shot.mov", "--version", "ID", "--profile", "x"], 1, "no profile 'x'"),
        (["shot.mov", "--version", "ID", "--profile", "x", "--user", "y"], 2, "cannot be combined"),
        (["shot.mov", "--version", "ID", "--presets", "x.json"], 1, "'x.json', which cannot"),
        (["shot.mov", "--version", "ID", "--first-frame", "-1"], 2, "first-frame"),
        (["shot.mov", "--version", "ID", "--first-frame", "x"], 2, "not a whole number"),
        (["shot.mov", "--version", "ID", "--first-frame", "9" * 10], 2, "to 999999999"),
        (["shot.mov", "--version", "ID", "--timeout", "0"], 2, "not a number of seconds"),
        (["shot.mov"], 2, "--version"),
        (["shot.mov", "--version", "ID", "--server", "http://127.0.0.1:9"], 1, "127.0.0.1:9"),
    ],
)
def test_mistakes_are_named(
    session: Any,
    version: Any,
    renders: Any,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    """The status says whether the command is wrong, or something failed; nothing is published."""
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "notes.mov"):
        (tmp_path / name).write_text("words")
    (tmp_path / "empty.mov").write_bytes(b"")
    (tmp_path / "shot.mov").write_bytes((renders / "shot.mov").read_bytes())
    given = [version["id"] if one == "ID" else one for one in arguments]
    try:
        found = cli.main(["encode", *given])
    except SystemExit as error:
        found = int(str(error.code))
    shown = capsys.readouterr()
    assert (found, shown.out) == (status, "")
    assert words in shown.err
    assert os.environ["FTRACK_API_KEY"] not in shown.err
    assert session.query("Component").all() == []


@pytest.mark.usefixtures("access")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_an_interrupted_run_leaves_nothing(
    session: Any, version: Any, long_movie: pathlib.Path, number: int
) -> None:
    """Ctrl-C, and the signal of a farm that ends a task, give the status 130."""
    command = [sys.executable, "-m", "ftrack_like", "encode", str(long_movie), "--json"]
    with subprocess.Popen(
        [*command, "--version", version["id"]], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert b"progress" in process.stdout.readline()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Interrupted; nothing was published" in said
    assert session.query("Component").all() == []
    assert session.query(f'Metadata where parent_id is "{version["id"]}"').all() == []


@pytest.mark.usefixtures("access")
@pytest.mark.skipif(os.name == "nt", reason="needs pipes of POSIX")
def test_a_reader_that_has_gone_does_not_stop_the_work(
    session: Any, version: Any, renders: Any
) -> None:
    """The result is published although no program reads the progress any more."""
    command = [sys.executable, "-m", "ftrack_like", "encode", str(renders / "shot.mov"), "--json"]
    with subprocess.Popen(
        [*command, "--version", version["id"]], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(120) == 0
    assert media_of(session, version) == ["ftrackreview-mp4"]


# Names of media


@pytest.fixture
def files(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that creates files in the current folder."""
    monkeypatch.chdir(tmp_path)

    def made(*names: str) -> None:
        for name in names:
            path = pathlib.Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")

    return made


@pytest.mark.parametrize(
    ("names", "path", "found"),
    [
        (["a.0001.exr", "a.0002.exr", "a.0005.exr"], "a.%04d.exr", "a.%04d.exr [1-2, 5]"),
        (["a.0001.exr", "a.0002.exr"], "a.####.exr", "a.%04d.exr [1-2]"),
        (["a.0001.exr", "a.0002.exr"], "a.@@@@.exr", "a.%04d.exr [1-2]"),
        (["a.0001.exr", "a.0002.exr"], "a.$F4.exr", "a.%04d.exr [1-2]"),
        (["a.0001.exr", "a.0002.exr"], "a.*.exr", "a.%04d.exr [1-2]"),
        (["a.9999.exr", "a.10000.exr"], "a.%04d.exr", "a.%04d.exr [9999-10000]"),
        (["a.1.exr", "a.10.exr", "a.2.exr"], "a.%d.exr", "a.%d.exr [1-2, 10]"),
        (["a.0998.exr", "a.1001.exr"], "a.*.exr", "a.%04d.exr [998, 1001]"),
        (["a.1001.exr", "a.1002.exr"], "a.%04d.exr", "a.%04d.exr [1001-1002]"),
        (["a.0001.exr", "a.1.exr"], "a.%04d.exr", "a.%04d.exr [1]"),
        (["a.0001.exr", "a.x.exr", "a.0002.png"], "a.%04d.exr", "a.%04d.exr [1]"),
        (["f/a.0001.exr", "f/a.0002.exr", "f/notes.txt"], "f", "f/a.%04d.exr [1-2]"),
        (["f/v2_a.0001.exr", "f/v2_a.0002.exr"], "f", "f/v2_a.%04d.exr [1-2]"),
        (["f/a.mov", "f/.hidden"], "f", "f/a.mov"),
        (["[x]/a.0001.exr"], "[x]/a.%04d.exr", "[x]/a.%04d.exr [1]"),
        (["a.%04d.exr"], "a.%04d.exr", "a.%04d.exr"),
        (["a#1.mov"], "a#1.mov", "a#1.mov"),
        ([], "missing.mov", "missing.mov"),
        ([], "a.%04d.exr [1-3]", "a.%04d.exr [1-3]"),
    ],
)
def test_media_are_found(files: Any, names: list[str], path: str, found: str) -> None:
    """A pattern and a folder name one sequence; an existing file and an expression are kept."""
    files(*names)
    assert find_media(path).replace(os.sep, "/") == found


@pytest.mark.parametrize(
    ("names", "path", "words"),
    [
        ([], "a.%04d.exr", "No file has a name like"),
        (["a.001.exr"], "a.%04d.exr", "No file has a name like"),
        (["a.01.exr", "a.001.exr"], "a.*.exr", "several sequences"),
        ([], "a.%04d.%04d.exr", "several places"),
        (["f/a.1.exr", "f/a.2.exr", "f/b.1.exr", "f/b.2.exr"], "f", "It contains 'a.%d.exr "),
        (["f/a.mov", "f/b.mov"], "f", "It contains 'a.mov', 'b.mov'"),
    ],
)
def test_what_is_not_one_sequence_is_an_error(
    files: Any, names: list[str], path: str, words: str
) -> None:
    """The error says what is there."""
    files(*names)
    with pytest.raises(exception.MediaError, match=words):
        find_media(path)


def test_arguments_for_the_other_way_are_refused(version: Any, renders: Any) -> None:
    """The server has its own presets; a frame number is a whole number."""
    with pytest.raises(ValueError, match="encode='local'"):
        publish_reviewable(version, renders / "shot.mov", first_frame=1001)
    for number in (-1, 10**9, True, 1001.0):
        with pytest.raises(ValueError, match="first_frame must be"):
            publish_reviewable(version, renders / "shot.mov", encode="local", first_frame=number)
