"""The contracts of the import linter refuse the imports that they are there to refuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ftrack_like

pytest.importorskip("importlinter", reason="needs import-linter: tox run -e lint")

PACKAGE = Path(ftrack_like.__file__).resolve().parent
CONTRACTS = Path(__file__).resolve().parent.parent.parent / ".importlinter"

#: A module, an import to add to it, and the contract that refuses the import.
FORBIDDEN = [
    ("sandbox/limits.py", "ftrack_like.event.websockets", "Each part imports only"),
    ("wire/topics.py", "ftrack_like.event.base", "Imports of the client point downwards"),
    ("wire/topics.py", "ftrack_like.wire.events", "The wire is made of formats"),
    ("event/courier.py", "ftrack_like.event.hub", "The hub is made of parts"),
    ("event/added.py", "ftrack_like.wire.events", "The hub is made of parts"),
    ("entity/note.py", "ftrack_like.event.hub", "Each part imports only"),
]


@pytest.mark.parametrize(("module", "imported", "contract"), FORBIDDEN)
def test_linter_refuses(module: str, imported: str, contract: str, tmp_path: Path) -> None:
    """A forbidden import, or a module that no layer lists, breaks the contract that names it."""
    copy = tmp_path / "ftrack_like"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.html", "*.js"))
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write(f"\nimport {imported}\n")
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlinter.cli; importlinter.cli.lint_imports_command()",
            "--config",
            str(CONTRACTS),
            "--no-cache",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(CONTRACTS.parent)])},
        capture_output=True,
        text=True,
        check=False,
    )
    report = " ".join(found.stdout.split())
    assert re.search(re.escape(contract) + r"((?!KEPT).)*BROKEN", report), report + found.stderr
