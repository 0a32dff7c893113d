"""The conformance suite as a studio runs it: on a server, without traces, and on a recording."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_SUITE = ["tests/conformance", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--client", "http"]

#: What the server writes about all that happened. Nobody deletes these rows.
_ACTIVITY = ("Event", "Feed")


def _run(url: str, user: str, key: str, *options: str) -> tuple[int, str]:
    """Run the suite on the server at *url*; return its status and what it prints."""
    words = [*_SUITE, "--server", url, "--user", user, f"--key={key}", *options]
    environment = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=280,
    )
    return done.returncode, done.stdout


def _counts(sandbox: Any) -> dict[str, int]:
    """Return how many entities of each type there are."""
    counts = {}
    with sandbox.session() as session:
        for schema in session.schemas:
            counts[schema["id"]] = len(session.query(schema["id"]).all())
    return counts


def test_the_suite_leaves_nothing_and_can_be_replayed(fresh_sandbox: Any, tmp_path: Path) -> None:
    """A recorded run leaves no entity behind, shows no secret, and succeeds on the recording."""
    from ftrack_like.sandbox.recordings.recorder import Recorder

    before = _counts(fresh_sandbox)
    report, recording = tmp_path / "report.txt", tmp_path / "site.json"
    secrets = (fresh_sandbox.api_user, fresh_sandbox.api_key)
    with Recorder(fresh_sandbox.server_url, recording, keeps_names=True) as recorder:
        status, told = _run(recorder.server_url, *secrets, "--write", "--report", str(report))
    assert status == 0, told[-3000:]
    after = _counts(fresh_sandbox)
    left = {
        name: (before[name], after[name])
        for name in after
        if after[name] != before[name] and name not in _ACTIVITY
    }
    assert left == {}
    text = report.read_text(encoding="utf-8")
    assert fresh_sandbox.api_key not in text
    assert recorder.server_url not in text
    assert "custom_attributes" in text
    _replay(recording, secrets[0], "--write")


def test_what_reads_can_be_replayed(fresh_sandbox: Any, tmp_path: Path) -> None:
    """The checks that only read succeed on a recording, which is not written to by default."""
    from ftrack_like.sandbox.recordings.recorder import Recorder

    recording = tmp_path / "site.json"
    secrets = (fresh_sandbox.api_user, fresh_sandbox.api_key)
    with Recorder(fresh_sandbox.server_url, recording, keeps_names=True) as recorder:
        status, told = _run(recorder.server_url, *secrets, "-m", "not writes")
    assert status == 0, told[-3000:]
    _replay(recording, secrets[0])


def _replay(recording: Path, user: str, *options: str) -> None:
    """Run the suite on a recording; fail if a check fails or a request has no recording."""
    from ftrack_like.sandbox.recordings.replay import Replay

    with Replay(recording) as replay:
        status, told = _run(replay.server_url, user, "any", *options)
        assert status == 0, f"{told[-3000:]}\n{replay.missing[:5]}"
        assert " passed" in told
