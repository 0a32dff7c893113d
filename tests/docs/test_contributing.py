"""The pages for contributors name modules, functions and tests that exist."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

import ftrack_like

PROJECT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted((PROJECT / "docs" / "contributing").rglob("*.rst"))
LITERAL = re.compile(r"``([^`\n]+)``")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
FILE = re.compile(r"(?:tests|src|docs|tools|changes|plugins|compat)/[\w./]+")


def module_names() -> set[str]:
    """Return the names of the modules directly in the package."""
    return {module.name for module in pkgutil.iter_modules(ftrack_like.__path__)}


def exists(name: str) -> bool:
    """Return whether *name*, relative to the package, is a module or something defined in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(["ftrack_like", *parts[:end]]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def named(text: str) -> list[str]:
    """Return the names in literals of the page *text* that begin with a module of the package."""
    modules = module_names()
    return [
        literal
        for literal in LITERAL.findall(text)
        if DOTTED.fullmatch(literal) and literal.split(".")[0] in modules
        if literal != "session.event_hub"
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_exist(page: Path) -> None:
    """Each dotted name on the page is a module, class or function of the package."""
    text = page.read_text(encoding="utf-8")
    assert [name for name in named(text) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_exist(page: Path) -> None:
    """Each file or folder of the project that the page names exists."""
    literals = LITERAL.findall(page.read_text(encoding="utf-8"))
    paths = [literal for literal in literals if FILE.fullmatch(literal)]
    assert [path for path in paths if not (PROJECT / path).exists()] == []


def test_wrong_names_are_found() -> None:
    """A module, a class and a method that do not exist are told from those that do."""
    text = "``session.Session.query`` ``session.Session.qurey`` ``_session.lader.Loader`` ``a.b``"
    assert [name for name in named(text) if not exists(name)] == [
        "session.Session.qurey",
        "_session.lader.Loader",
    ]
