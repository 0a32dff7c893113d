"""The import rules of ``.importlinter``: a forbidden import fails the linter."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("importlinter", reason="import-linter is not installed")

from tools.allow_lists import broken_imports, read_parts

ROOT = pathlib.Path(__file__).parents[2]

#: By module: a line that it must not contain, and the answer of the linter.
FORBIDDEN = {
    "sandbox/events/audit": (
        "from ftrack_like.event import swift_websocket",
        "sandbox.events.audit imports event.swift_websocket: sandbox.events may import only",
    ),
    "sandbox/language/tree": (
        "from ftrack_like.sandbox.tables import layout",
        "sandbox.language.tree imports sandbox.tables.layout: sandbox.language may import only",
    ),
    "sandbox/schema/model": (
        "import requests, ftrack_like.symbol",
        "sandbox.schema.model imports symbol: sandbox.schema may import nothing.",
    ),
    "accessor/disk": (
        "from ftrack_like.sandbox import limits",
        "accessor.disk imports sandbox.limits: behaviour may import only",
    ),
    "newcomer": ("", "newcomer belongs to no part."),
}


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Return the answer of the linter to a copy of the source with all forbidden imports."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / ".importlinter", copy)
    shutil.copytree(ROOT / "tools", copy / "tools")
    source = copy / "src" / "ftrack_like"
    shutil.copytree(
        ROOT / "src" / "ftrack_like", source, ignore=shutil.ignore_patterns("__pycache__")
    )
    for module, (line, _) in FORBIDDEN.items():
        with open(source / f"{module}.py", "a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("module", FORBIDDEN)
def test_forbidden_import_fails_the_linter(
    answer: subprocess.CompletedProcess[str], module: str
) -> None:
    """The linter fails, and names the import and the part that must not contain it."""
    assert answer.returncode == 1, answer.stderr
    assert FORBIDDEN[module][1] in " ".join(answer.stdout.split())


def test_linter_names_only_what_is_forbidden(answer: subprocess.CompletedProcess[str]) -> None:
    """The linter reports one line for each forbidden import, and none for the others."""
    reported = [line for line in answer.stdout.splitlines() if line.startswith("- ")]
    assert len(reported) == len(FORBIDDEN), answer.stdout


def test_parts_name_existing_modules() -> None:
    """A part that names a missing module is reported: a renamed module keeps no allowance."""
    parts = read_parts(["core = a :", "edge = b : core gone"])
    assert list(broken_imports(parts, {"a", "b"}, [])) == ["edge names gone, which does not exist."]


def test_part_includes_the_modules_below_it() -> None:
    """A part may import the submodules of what it names, and a named submodule goes its own way."""
    parts = read_parts(["core = a :", "inner = a.inner : edge", "edge = b : a.open"])
    known = {"a", "a.open", "a.open.deep", "a.inner", "b"}
    imports = [("b", "a.open.deep"), ("a.inner", "b"), ("b", "a.other"), ("a.open", "b")]
    assert [one.partition(":")[0] for one in broken_imports(parts, known, imports)] == [
        "b imports a.other",
        "a.open imports b",
    ]
