"""The import rules of ``.importlinter``: a forbidden import fails the linter."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("importlinter", reason="import-linter is not installed")

from tools.allow_lists import broken_imports, read_parts

ROOT = pathlib.Path(__file__).parents[2]

LAYERS = "Imports of the client point downwards"
CYCLES = "No module or package imports itself by way of others"
ALLOWED = "Each part imports only what its line names"
BASE = "The modules of the lowest layer know only smaller ones"
SETTINGS = "The modules about settings know only smaller ones"
VALUES = "The private modules about values know only smaller ones"
WIRE = "The wire is made of formats that know only smaller ones"
HUB = "The hub is made of parts, which never import the hub"

#: A contract, a module, a line that the module must not contain, and the answer of the linter. An
#: empty line adds only the module.
FORBIDDEN = [
    (
        ALLOWED,
        "sandbox/events/audit",
        "from ftrack_like.event import swift_websocket",
        "sandbox.events.audit imports event.swift_websocket: sandbox.events may import only",
    ),
    (
        ALLOWED,
        "sandbox/language/tree",
        "from ftrack_like.sandbox.tables import layout",
        "sandbox.language.tree imports sandbox.tables.layout: sandbox.language may import only",
    ),
    (
        ALLOWED,
        "sandbox/schema/model",
        "import requests, ftrack_like.symbol",
        "sandbox.schema.model imports symbol: sandbox.schema may import nothing.",
    ),
    (
        ALLOWED,
        "sandbox/limits",
        "import ftrack_like.event.websockets",
        "sandbox.limits imports event.websockets: sandbox may import only _base.file_locks.",
    ),
    (
        ALLOWED,
        "accessor/disk",
        "from ftrack_like.sandbox import limits",
        "accessor.disk imports sandbox.limits: behaviour may import only",
    ),
    (ALLOWED, "newcomer", "", "newcomer belongs to no part."),
    (
        LAYERS,
        "cache/keys",
        "import ftrack_like.attribute",
        "ftrack_like.cache is not allowed to import ftrack_like.attribute:",
    ),
    (
        CYCLES,
        "query/_text",
        "import ftrack_like.query._rows",
        "No cycles are allowed in ftrack_like.query.",
    ),
    (
        BASE,
        "_base/errors",
        "import ftrack_like._base.ffmpeg",
        "ftrack_like._base.errors is not allowed to import ftrack_like._base.ffmpeg:",
    ),
    (
        SETTINGS,
        "_configuration/files",
        "import ftrack_like._configuration.profiles",
        "ftrack_like._configuration.files is not allowed to import "
        "ftrack_like._configuration.profiles:",
    ),
    (VALUES, "_values/added", "", "- ftrack_like._values.added (Since this contract is marked"),
    (
        WIRE,
        "wire/topics",
        "import ftrack_like.wire.events",
        "ftrack_like.wire.topics is not allowed to import ftrack_like.wire.events:",
    ),
    (
        HUB,
        "event/courier",
        "import ftrack_like.event.hub",
        "ftrack_like.event.courier is not allowed to import ftrack_like.event.hub:",
    ),
    (HUB, "event/added", "", "- ftrack_like.event.added (Since this contract is marked"),
]
#: The names of all contracts in ``.importlinter``.
CONTRACTS = re.findall(
    r"^name = (.+)$", (ROOT / ".importlinter").read_text(encoding="utf-8"), re.MULTILINE
)


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
    for _, module, line, _ in FORBIDDEN:
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


def section(answer: subprocess.CompletedProcess[str], contract: str) -> str:
    """Return what the *answer* of the linter says about a broken *contract*, empty if nothing."""
    underlined = re.split(r"^(.+)\n-+\n", answer.stdout, flags=re.MULTILINE)
    return dict(zip(underlined[1::2], underlined[2::2])).get(contract, "")


@pytest.mark.parametrize(("contract", "module", "line", "sentence"), FORBIDDEN)
def test_forbidden_import_fails_the_linter(
    answer: subprocess.CompletedProcess[str],
    contract: str,
    module: str,
    line: str,
    sentence: str,
) -> None:
    """The linter fails, and the contract names the import, or the module that no line lists."""
    assert answer.returncode == 1, answer.stderr
    said = " ".join(section(answer, contract).split())
    assert sentence in said, f"{module} with {line!r}: {answer.stdout}"


def test_each_contract_is_tried() -> None:
    """There is a forbidden import for each contract of the project."""
    assert {contract for contract, *_ in FORBIDDEN} == set(CONTRACTS)


def test_linter_names_only_what_is_forbidden(answer: subprocess.CompletedProcess[str]) -> None:
    """The allow-lists report one line for each forbidden import, and none for the others."""
    lines = section(answer, ALLOWED).splitlines()
    reported = [line for line in lines if line.startswith("- ")]
    expected = [sentence for contract, _, _, sentence in FORBIDDEN if contract == ALLOWED]
    assert len(reported) == len(expected), answer.stdout


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
