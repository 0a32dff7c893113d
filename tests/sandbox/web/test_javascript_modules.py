"""The JavaScript modules of the pages: each file of tests runs in Node.js."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

TESTS = sorted((pathlib.Path(__file__).parent / "static").glob("*.test.mjs"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_a_module_passes_its_tests(path: pathlib.Path) -> None:
    """All tests of the file pass, and there is at least one."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed (Debian: apt-get install nodejs)")
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nok 1 " in "\n" + done.stdout, done.stdout
