"""The conformance suite as a studio runs it: on a server, without traces, and on a recording."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_SUITE = ["tests/conformance", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--client", "http"]


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


def _counts(api: Any) -> dict[str, int]:
    """Return how many entities of each type there are."""
    counts = {}
    for schema in api.call({"action": "query_schemas"})[0]:
        expression = f"select {', '.join(schema['primary_key'])} from {schema['id']}"
        counts[schema["id"]] = len(api.query(expression))
    return counts


def test_the_suite_leaves_nothing_and_can_be_replayed(
    fresh_sandbox: Any, api_of: Any, tmp_path: Path
) -> None:
    """A recorded run leaves no entity behind, shows no secret, and succeeds on the recording."""
    from ftrack_like.sandbox.recordings.recorder import Recorder
    from ftrack_like.sandbox.recordings.replay import Replay

    api = api_of(fresh_sandbox)
    before = _counts(api)
    report, recording = tmp_path / "report.txt", tmp_path / "site.json"
    secrets = (fresh_sandbox.api_user, fresh_sandbox.api_key)
    with Recorder(fresh_sandbox.server_url, recording) as recorder:
        status, told = _run(recorder.server_url, *secrets, "--write", "--report", str(report))
    assert status == 0, told[-3000:]
    after = _counts(api)
    left = {name: (before[name], after[name]) for name in after if after[name] != before[name]}
    assert left == {}
    text = report.read_text(encoding="utf-8")
    assert fresh_sandbox.api_key not in text
    assert recorder.server_url not in text
    assert "custom_attributes" in text
    with Replay(recording) as replay:
        for options in ([], ["--write"]):
            replay.rewind()
            status, told = _run(replay.server_url, secrets[0], "any", *options)
            assert status == 0, f"{told[-3000:]}\n{replay.missing[:5]}"
            assert " passed" in told


@pytest.mark.parametrize("options", [[], ["--write"]], ids=["reads", "writes"])
def test_a_site_is_only_written_to_when_asked(fresh_sandbox: Any, options: list[str]) -> None:
    """A sandbox is written to by default, a replay and other servers only with an option."""
    from tests.conformance.clients import HttpClient

    client = HttpClient(fresh_sandbox.server_url, fresh_sandbox.api_user, fresh_sandbox.api_key)
    answer = client.http.get(client.url, timeout=30)
    client.close()
    assert answer.headers["FTRACK_LIKE"] == "sandbox"
    assert options in ([], ["--write"])
