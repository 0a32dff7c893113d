"""The published JavaScript client speaks with the sandbox: a round through its whole surface.

Wants Node.js with npm, and fetches the client; the environment ``tox run -e javascript`` asks
for it by setting ``FTRACK_LIKE_TEST_JAVASCRIPT``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CLIENT = "@ftrack/api@1.11.2"
HERE = Path(__file__).resolve().parent

#: What each step of round.mjs has to tell, in order.
EXPECTED: dict[str, Any] = {
    "session starts and knows the schemas": True,
    "server tells its version": True,
    "primary key of a type": ["parent_id", "key"],
    "create answers the entity": ["Project", "javascript"],
    "several creates in one batch": ["sh010", "sh020", "sh030"],
    "query with projections": [
        ["sh010", "javascript", "Not started"],
        ["sh020", "javascript", "Not started"],
        ["sh030", "javascript", "Not started"],
    ],
    "a page and where the next begins": [["sh010", "sh020"], 2],
    "search by a term": ["sh020"],
    "update answers what was sent": 'quotes " and \\ and Ünïcode',
    "changes and dates are stored": ['quotes " and \\ and Ünïcode', "2023-10-10T09:50:34.000Z"],
    "ensure finds and changes": [True, "ensured"],
    "ensure makes what is missing": "sh040",
    "metadata is found": [[["k", "v"]]],
    "a deleted entity is gone": 0,
    "an unknown attribute": [
        False,  # its class of validation errors stands beside the one of server errors
        "ServerValidationError",
        "No attribute 'nmae' exists for Shot. Did you mean 'name'? (operation 0: update Shot)",
    ],
    "a syntax error": [
        True,
        "ServerError",
        "Expected ',' or 'from' after the projections, found 'fro'.",
    ],
    "a name that is taken": [
        True,
        "ServerError",
        "DuplicateEntry: the name 'sh010' is taken; a name is unique under one parent. "
        "(operation 0: create Shot)",
    ],
    "an unknown action": [True, "ServerError", "Invalid action u'dance'"],
    "a wrong key": [
        True,
        "ServerError",
        "The supplied API key is not valid. There is no such user, or it is not the user's key. "
        "Check the headers ftrack-user and ftrack-api-key; the page /browse takes the same two "
        "values.",
    ],
    "a batch is all or nothing": [
        True,
        "ServerError",
        "There is no Shot with the key ['nothing']. (operation 1: update Shot)",
    ],
    "nothing of it is left": 0,
    "a published event comes back": [1, "admin"],
    "a change is told": ["update", "task", {"old": "sh010", "new": "sh011"}],
    "a question is replied to": {"answer": 42},
    "a small file goes up and comes down": ["main", True, 1000, True],
    "a file of several parts goes up and comes down": ["main", True, 20 * 1024 * 1024, True],
    "a thumbnail is an image": "image",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the steps of the round told, by name."""
    if not os.environ.get("FTRACK_LIKE_TEST_JAVASCRIPT"):
        pytest.skip("fetches the published JavaScript client: tox run -e javascript")
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js with npm is not installed")
    from ftrack_like.testing import Sandbox

    folder = tmp_path_factory.mktemp("javascript")
    (folder / "package.json").write_text('{"private": true}')
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--silent", CLIENT],
        cwd=folder,
        check=True,
        timeout=240,
    )
    script = shutil.copy(HERE / "round.mjs", folder)
    with Sandbox() as sandbox:
        result = subprocess.run(
            [node, script, sandbox.server_url, sandbox.api_user, sandbox.api_key],
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )
    lines = [line for line in result.stdout.splitlines() if line.startswith('{"step"')]
    steps = [json.loads(line) for line in lines]
    assert result.returncode == 0, result.stderr[-3000:]
    return {step["step"]: step["value"] for step in steps}


@pytest.mark.parametrize("step", EXPECTED)
def test_step(told: dict[str, Any], step: str) -> None:
    """Each step of the round tells what it should."""
    assert told.get(step, "nothing was told") == EXPECTED[step]


def test_no_step_is_left_out(told: dict[str, Any]) -> None:
    """What the script tells and what is expected are the same steps, in the same order."""
    assert list(told) == list(EXPECTED)
