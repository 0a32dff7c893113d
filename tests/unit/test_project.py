"""The project around the code keeps its promises: commands, names, versions, layers."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

import ftrack_like
from ftrack_like import _version

PROJECT = Path(__file__).resolve().parent.parent.parent
PACKAGE = PROJECT / "src" / "ftrack_like"
DEMO_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox run -e demo"
TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox run"
TEXT_SUFFIXES = {".cfg", ".css", ".html", ".ini", ".js", ".json", ".md", ".py", ".rst", ".toml"}
#: Hosts of package registries and mirrors, written so that this file does not name them.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
    )
]


def read(name: str) -> str:
    """Return the text of the project's file *name*."""
    return (PROJECT / name).read_text(encoding="utf-8")


def ini(name: str) -> configparser.ConfigParser:
    """Return the parsed INI file *name* of the project."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(read(name))
    return parser


def own_files() -> list[Path]:
    """Return the text files that belong to the project, without what tools left there."""
    folders = [
        ".ci",
        "benchmarks",
        "changes",
        "docs",
        "examples",
        "packaging",
        "plugins",
        "src",
        "tests",
        "tools",
    ]
    files = [path for path in PROJECT.iterdir() if path.is_file()]
    for folder in folders:
        files += (PROJECT / folder).rglob("*")
    generated = {"__pycache__", "_build"}
    return [
        path
        for path in files
        if path.is_file()
        and not generated & set(path.parts)
        and (path.suffix in TEXT_SUFFIXES or path.parent.name == ".ci")
    ]


def test_version_is_said_once() -> None:
    """The package and pyproject.toml name the same version."""
    found = re.search(r'^version = "(.+)"$', read("pyproject.toml"), re.MULTILINE)
    assert found is not None
    assert ftrack_like.__version__ == _version.__version__ == found[1]


def test_readme_and_changelog_name_the_version() -> None:
    """The wheel in the README is that of this version, and the changelog has a section on it."""
    version = ftrack_like.__version__
    assert re.findall(r"ftrack_like-(.+?)-py3", read("README.rst")) == [version]
    newest = re.search(r"^(\S+) \(\d{4}-\d\d-\d\d\)$", read("CHANGELOG.rst"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_installation_needs_no_index() -> None:
    """No text tells users to install the distribution by its name: it is on no index yet."""
    told = [
        path.relative_to(PROJECT).as_posix()
        for path in own_files()
        if re.search(r"pip install '?ftrack-like\b", path.read_text(encoding="utf-8"))
    ]
    assert told == []


def test_readme_shows_code_and_output_first() -> None:
    """The first 30 lines of the README hold working code and what it prints."""
    first = "\n".join(read("README.rst").splitlines()[:30])
    code, _, output = first.partition(".. code-block:: text")
    assert ".. code-block:: python" in code
    assert output.strip()


@pytest.mark.parametrize("command", [DEMO_COMMAND, TEST_COMMAND])
def test_readme_gives_the_two_commands(command: str) -> None:
    """The README names the commands that set everything up, each on a line of its own."""
    assert command in [line.strip() for line in read("README.rst").splitlines()]


def test_continuous_integration_runs_the_readme_command() -> None:
    """What has to pass before landing starts with the very command of the README."""
    lines = read(".ci/run").splitlines()
    assert TEST_COMMAND in lines
    assert "set -euo pipefail" in lines


def test_bare_tox_runs_the_tests_alone() -> None:
    """A bare ``tox run`` needs no second interpreter: it runs one environment."""
    tox = ini("tox.ini")
    assert tox["tox"]["env_list"].split() == ["tests"]
    assert "base_python" not in tox["testenv"]


@pytest.mark.parametrize(
    "name",
    [
        "demo",
        "lint",
        "docs",
        "bench",
        "differential",
        "ecosystem",
        "lowest",
        "javascript",
        "browser",
    ],
)
def test_tox_has_the_environment(name: str) -> None:
    """Each check has an environment with a description."""
    assert ini("tox.ini")[f"testenv:{name}"]["description"]


def test_tox_keeps_a_studio_out() -> None:
    """Tests run in UTF-8 mode and never see a studio's FTRACK_SERVER or key."""
    environment = ini("tox.ini")["testenv"]
    assert "PYTHONUTF8 = 1" in environment["set_env"]
    passed = environment["pass_env"].split()
    assert [name for name in passed if name.startswith("FTRACK")] == ["FTRACK_LIKE_TEST_*"]


def test_licence_is_apache() -> None:
    """The licence is the whole Apache License 2.0, as the metadata says."""
    text = read("LICENSE")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = { text = "Apache-2.0" }' in read("pyproject.toml")


def test_fragments_are_named_by_kind() -> None:
    """Every change fragment has a name that the changelog understands, and says something."""
    fragments = [path for path in (PROJECT / "changes").iterdir() if path.name != "README.rst"]
    pattern = re.compile(r"\+[a-z0-9-]+\.(added|changed|fixed)\.md")
    wrong = [
        p.name for p in fragments if not pattern.fullmatch(p.name) or not p.read_text().strip()
    ]
    assert wrong == []


def test_no_registry_is_named() -> None:
    """No file names the host of a package registry: installers know theirs."""
    named = [
        f"{path.relative_to(PROJECT)}: {host}"
        for path in own_files()
        for host in REGISTRY_HOSTS
        if host in path.read_text(encoding="utf-8")
    ]
    assert named == []


def test_every_module_has_a_layer() -> None:
    """The import rules know every module of the package, so none escapes them."""
    layers = ini(".importlinter")["importlinter:contract:layers"]["layers"]
    known = {name.split(".")[0] for name in re.findall(r"[\w.]+", layers)}
    modules = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py"}
    modules |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert modules - known == {"__init__", "_version", "sandbox"}


def test_typing_marker_is_shipped() -> None:
    """Type checkers use the package's own annotations."""
    assert (PACKAGE / "py.typed").is_file()
