"""The examples run as a reader would run them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from ftrack_like.exception import MediaError
from ftrack_like.media import find_ffmpeg

PROJECT = Path(__file__).resolve().parent.parent.parent
DEMO = PROJECT / "examples" / "publish_shots.py"

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")


def run_demo(folder: Path, *arguments: str) -> str:
    """Return what the demo prints; its temporary files go below *folder*."""
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, str(DEMO), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=True,
    ).stdout


def test_demo_publishes_the_shot_list(tmp_path: Path) -> None:
    """The demo creates the show in one commit, publishes the frames and finds them again."""
    printed = run_demo(tmp_path)
    assert "3 sequences, 12 shots, 41 tasks, 6 artists" in printed
    assert re.search(r"in one commit +1 request,", printed)
    assert re.search(r"from the warm schema cache +2 requests,", printed)
    assert len(re.findall(r"^    HRB_0\d0_00\d0  1001-", printed, re.MULTILINE)) == 12
    assert "HRB_010_0010 / plate v001 / main in harbour.disk" in printed
    assert "harbour/hrb_010/hrb_010_0010/plate/v001/main.1001.png" in printed
    # The folder that locks the encodings of a user stays, and it is empty.
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_demo_has_a_clip_reviewed(tmp_path: Path) -> None:
    """The demo has a clip encoded, checks the movie and prints the link to its review."""
    try:
        find_ffmpeg()
    except MediaError as error:
        pytest.skip(str(error))
    printed = run_demo(tmp_path)
    assert re.search(r"MB uploaded, the job is done", printed)
    assert "h264 640x360 with aac sound, plays while it loads, seekable" in printed
    assert re.search(r"Invited Ines Ferreira .*\n +the link went to ines@", printed)


def test_demo_prints_no_dead_links(tmp_path: Path) -> None:
    """Without --keep, no address is printed that no longer answers when the demo has ended."""
    assert "http" not in run_demo(tmp_path)


def test_demo_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo says that there is no ffmpeg, and goes on to its end without."""
    monkeypatch.setenv("FTRACK_FFMPEG", "/nowhere/ffmpeg")
    printed = run_demo(tmp_path)
    assert "No clip is encoded and reviewed: FTRACK_FFMPEG names '/nowhere/ffmpeg'" in printed
    assert "are gone again" in printed


def test_demo_leaves_the_sandbox_running(tmp_path: Path) -> None:
    """With --keep the sandbox answers after the demo has ended, where the demo says."""
    printed = run_demo(tmp_path, "--keep")
    found = dict(re.findall(r"export (FTRACK_\w+)=(\S+)", printed))
    process = int(re.search(r"kill (\d+)", printed)[1])
    assert printed.splitlines()[-1] == f"Open {found['FTRACK_SERVER']}/browse"
    assert printed.splitlines()[-2] == (
        f"Log in as {found['FTRACK_API_USER']} with the API key {found['FTRACK_API_KEY']}"
    )
    links = set(re.findall(r"http://\S+", printed))
    try:
        for link in links:
            assert requests.get(link, timeout=30).status_code == 200, link
        log_in = {"username": found["FTRACK_API_USER"], "key": found["FTRACK_API_KEY"]}
        with requests.Session() as browser:
            browser.post(
                f"{found['FTRACK_SERVER']}/log-in",
                data={**log_in, "next": "/browse"},
                headers={"Origin": found["FTRACK_SERVER"]},
                timeout=30,
            )
            assert "Harbour" in browser.get(f"{found['FTRACK_SERVER']}/browse", timeout=30).text
        answer = requests.post(
            f"{found['FTRACK_SERVER']}/api",
            json=[{"action": "query", "expression": "select name from Project"}],
            headers={
                "ftrack-user": found["FTRACK_API_USER"],
                "ftrack-api-key": found["FTRACK_API_KEY"],
            },
            timeout=30,
        )
    finally:
        os.kill(process, signal.SIGTERM)
    assert [record["name"] for record in answer.json()[0]["data"]] == ["harbour"]
    assert len(list(tmp_path.rglob("published/**/*.png"))) == 8
