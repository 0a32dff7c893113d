"""`ftrack-like demo`: the review that it encodes while the server already answers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from ftrack_like.exception import MediaError
from ftrack_like.media import find_ffmpeg
from ftrack_like.session import Session

pytest.importorskip("uvicorn", reason="the extra 'sandbox' is not installed")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a process")

DEMO = [sys.executable, "-m", "ftrack_like", "demo"]

#: Seconds that the demo may take on a busy machine for a line that a test waits for.
LONGEST = 120


def require_media() -> str:
    """Return the path of ffmpeg; skip the test where the demo cannot encode."""
    for name in ("av", "PIL"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the extra 'media' is not installed (no {name})")
    try:
        return find_ffmpeg()
    except MediaError as error:
        pytest.skip(str(error))


class Running:
    """A demo, as a process with *options* and more variables; a context manager that ends it."""

    def __init__(
        self, *options: str, command: list[str] = DEMO, environment: dict[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [*command, *options],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # A demo that never prints the expected line ends the test with an error.
        self._guard = threading.Timer(LONGEST, self.process.kill)
        self._guard.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *error: object) -> None:
        self._guard.cancel()
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def read_until(self, words: str) -> str:
        """Return the printed text up to the line that contains *words*."""
        assert self.process.stdout is not None
        text = ""
        while words not in text.rpartition("\n")[0].rpartition("\n")[2]:
            line = self.process.stdout.readline()
            assert line, f"the demo has ended: {text}"
            text += line
        return text

    def interrupt(self) -> tuple[int, str, str]:
        """Press Ctrl-C; return the status, and the further output and errors."""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=60)
        return self.process.returncode, output, errors


def sources(page: str) -> list[str]:
    """Return the addresses of the media in the player of *page*."""
    found = re.findall(r'<video[^>]*? src="([^"]+)"|<source[^>]*? src="([^"]+)"', page)
    return [(one or other).replace("&amp;", "&") for one, other in found]


@pytest.mark.ffmpeg
def test_review_can_be_opened() -> None:
    """The guest's address shows two versions and plays; the other one is for logged-in users."""
    require_media()
    with Running() as demo:
        text = demo.read_until("/browse/review/")
        assert text.index("The demo server answers") < text.index("review: http")
        (link,) = re.findall(r"^    review: (http://\S+)$", text, re.MULTILINE)
        (page,) = re.findall(r"^    (http://\S+/browse/review/\S+)$", text, re.MULTILINE)
        url, key = (re.findall(p, text)[0] for p in (r"answers at (\S+)", r"API key +(\S+)"))

        guest = requests.get(link, timeout=20)
        assert guest.status_code == 200
        assert "Ines Ferreira" in guest.text
        assert {"Version 2", "Version 3"} <= set(re.findall(r"Version \d", guest.text))
        (movie, *_) = sources(guest.text)
        data = requests.get(requests.compat.urljoin(url, movie), timeout=20).content
        assert data[4:8] == b"ftyp"

        with requests.Session() as browser:
            form = {"username": "admin", "key": key, "next": page[len(url) :]}
            shown = browser.post(f"{url}/log-in", data=form, headers={"Origin": url}, timeout=20)
            assert shown.url == page
            assert shown.status_code == 200
            assert "ines@producer.example" in shown.text

        with Session(server_url=url, api_user="admin", api_key=key) as session:
            review = session.query(
                "select review_session_invitees.email, review_session_objects.asset_version"
                " from ReviewSession"
            ).one()
            assert [one["email"] for one in review["review_session_invitees"]] == [
                "ines@producer.example"
            ]
            movies = session.query(
                "select version_id from FileComponent where name is ftrackreview-mp4"
            ).all()
            assert {one["version_id"] for one in movies} == {
                one["asset_version"]["id"] for one in review["review_session_objects"]
            }
            assert len(movies) == 2


@pytest.mark.ffmpeg
def test_json_has_a_line_for_the_review() -> None:
    """With --json, the second line has the two addresses, and both answer."""
    require_media()
    with Running("--json") as demo:
        demo.read_until("server_url")
        made: dict[str, Any] = json.loads(demo.read_until("review"))
        assert set(made) == {"review", "review_page"}
        assert all(requests.get(each, timeout=20).status_code == 200 for each in made.values())
        assert demo.interrupt() == (130, "", "")


@pytest.mark.parametrize("package", ["av", "PIL"])
def test_without_the_extra(package: str) -> None:
    """Without a package of the extra, one sentence names the extra, and the demo goes on."""
    code = (
        f"import sys; sys.modules[{package!r}] = None; from ftrack_like.cli import main; "
        "sys.exit(main(['demo', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code]
    with Running(command=command) as demo:
        text = demo.read_until("A review to look at")
        assert (
            " Install the extra 'media' of ftrack-like: python -m pip install '.[media]' " in text
        )
        (url,) = re.findall(r"answers at (\S+)", text)
        assert requests.get(url, timeout=20).status_code == 200
        assert demo.interrupt() == (130, "", "")
    with Running("--json", command=command) as demo:
        demo.read_until("server_url")
        made = json.loads(demo.read_until("review"))
        assert made["review"] is None
        assert "extra 'media'" in made["reason"]


def test_without_ffmpeg(tmp_path: Path) -> None:
    """Without ffmpeg, one sentence says how to install it, and the demo goes on."""
    if importlib.util.find_spec("av") is None or importlib.util.find_spec("PIL") is None:
        pytest.skip("the extra 'media' is not installed")
    code = (
        "import sys; sys.modules['imageio_ffmpeg'] = None; from ftrack_like.cli import main; "
        "sys.exit(main(['demo']))"
    )
    environment = {"PATH": str(tmp_path), "FTRACK_FFMPEG": ""}
    with Running(command=[sys.executable, "-c", code], environment=environment) as demo:
        text = demo.read_until("There is no review")
        assert "ffmpeg was not found. Install it" in text.splitlines()[-1]
        assert demo.interrupt() == (130, "", "")


@pytest.mark.ffmpeg
def test_broken_ffmpeg(tmp_path: Path) -> None:
    """If ffmpeg fails, one sentence says so, no address is printed, and the demo goes on."""
    require_media()
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho 'no such filter' >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    with Running(environment={"FTRACK_FFMPEG": str(program)}) as demo:
        text = demo.read_until("There is no review")
        assert "no such filter" in text.splitlines()[-1]
        assert "review: " not in text
        assert demo.interrupt() == (130, "", "")


def is_running(pid: int) -> bool:
    """Return whether the process exists and is not just waiting to be read."""
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except ProcessLookupError:
        return False


def wait_for_end(pid: int) -> None:
    """Wait until the process *pid* has ended; the kernel ends it after its parent."""
    end = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < end, "the program still runs"
        time.sleep(0.02)


@pytest.mark.ffmpeg
@pytest.mark.parametrize("hanging", ["making the clip", "encoding it"])
def test_ctrl_c_during_the_work(hanging: str, tmp_path: Path) -> None:
    """Ctrl-C while ffmpeg works ends it and the demo, silently; no file and no process is left."""
    real = require_media()
    reached, temporary = tmp_path / "reached", tmp_path / "temporary"
    temporary.mkdir()
    os.mkfifo(reached)
    program = tmp_path / "ffmpeg"
    works = "false" if hanging == "making the clip" else 'test "$5" = -f'
    program.write_text(
        f'#!/bin/sh\nif {works}; then exec "{real}" "$@"; fi\n'
        f'echo $$ > "{reached}"\nexec sleep 600\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    environment = {"FTRACK_FFMPEG": str(program), "TMPDIR": str(temporary)}
    with Running(environment=environment) as demo:
        demo.read_until("task[")
        pid = int(reached.read_text(encoding="utf-8"))  # waits for the program
        status, output, errors = demo.interrupt()
    assert (status, output.strip(), errors) == (130, "", "")
    wait_for_end(pid)
    assert [path for path in temporary.rglob("*") if path.parent != temporary] == []
    # The empty folder for the encodings of a user stays.
    assert [path.name for path in temporary.iterdir()] == [f"ftrack-like-encode-{os.getuid()}"]


def test_ctrl_c_at_once(tmp_path: Path) -> None:
    """Ctrl-C as soon as the address is printed ends the demo silently, and leaves no file."""
    with Running(environment={"TMPDIR": str(tmp_path)}) as demo:
        demo.read_until("answers at")
        status, _, errors = demo.interrupt()
    assert (status, errors) == (130, "")
    assert [path for path in tmp_path.rglob("*") if path.parent != tmp_path] == []
