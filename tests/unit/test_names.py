"""The package shows its public modules, and each name of the client has one meaning."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import ftrack_like

PACKAGE = Path(ftrack_like.__file__).resolve().parent

#: The modules and packages for programs. The sandbox shares ``wire`` with the client.
PUBLIC = set(
    "accessor actions aio attribute cache cli collection compat data entity event exception "
    "formatter inspection logging media operation plugin pytest_plugin query "
    "resource_identifier_transformer sandbox "
    "session structure symbol testing wire".split()
)
PRIVATE_PACKAGES = {"_base", "_configuration", "_media", "_session", "_transport", "_values"}
#: Modules that studios import by their private names.
KNOWN_TO_STUDIOS = {"_centralized_storage_scenario", "_weakref"}
FILES_OF_THE_PACKAGE = {"__init__", "__main__", "_version"}

#: Functions and constants with which each module of one kind answers the same question.
SHARED = {"SUMMARY", "add_arguments", "main", "run"}


def test_top_level_shows_public_modules() -> None:
    """The package holds public modules, private packages, and names that programs import."""
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert modules | packages == PUBLIC | PRIVATE_PACKAGES | KNOWN_TO_STUDIOS | FILES_OF_THE_PACKAGE
    assert packages >= PRIVATE_PACKAGES


def defined(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the classes, functions, types and constants of a module."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def shared_names(sources: dict[str, str]) -> dict[str, list[str]]:
    """Return each name that several modules of *sources* (text by name) define, with the modules.

    Functions count even if they are private. Private constants do not.
    """
    modules = defaultdict(set)
    for module, text in sources.items():
        tree = ast.parse(text)
        blocks = {node.name for node in tree.body if hasattr(node, "name")}
        for name in defined(tree):
            is_special = name.startswith("__") and name.endswith("__")
            if not is_special and (name in blocks or not name.startswith("_")):
                modules[name].add(module)
    return {name: sorted(found) for name, found in modules.items() if len(found) > 1}


def test_each_name_of_the_client_has_one_meaning() -> None:
    """No two modules of the client define a class, a function or a public constant alike."""
    sources = {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*.py")
        if "sandbox" not in path.relative_to(PACKAGE).parts[:1]
    }
    found = shared_names(sources)
    assert {name: modules for name, modules in found.items() if name not in SHARED} == {}


def test_shared_names_are_found() -> None:
    """A class, a private function and a type that two modules define are reported."""
    one = "class Plan: ...\ndef _load(): ...\nKey = str\n_LIMIT = 1\n__all__ = ['Plan']\n"
    other = "class Plan: ...\ndef _load(): ...\nKey: type = int\n_LIMIT = 2\n__all__ = ['Key']\n"
    found = shared_names({"one": one, "other": other, "third": "def load(): ..."})
    assert found == {name: ["one", "other"] for name in ("Plan", "_load", "Key")}
