"""The API reference leaves no public module out, and the pages stay readable."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

import ftrack_like

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"

#: Public by name, but not there to be imported by users: the commands, the protocol, the server's
#: inside. Packages that hold nothing themselves are documented by their modules.
LEFT_OUT = re.compile(
    r"ftrack_like\.(cli|wire)(\..*)?"
    r"|ftrack_like\.sandbox(\.(?!server$).*)?"
    r"|ftrack_like\.event\.(?!(base|durability|expression|hub|subscriber|subscription)$).*"
    r"|ftrack_like\.(attribute|cache)\..*"
    r"|ftrack_like\.(accessor|entity|event|resource_identifier_transformer|structure)"
)


def public_modules() -> list[str]:
    """Return the names of the modules that users may import."""
    found = pkgutil.walk_packages(ftrack_like.__path__, "ftrack_like.")
    names = [module.name for module in found if "._" not in module.name]
    return [name for name in names if not LEFT_OUT.fullmatch(name)]


def test_public_modules_are_documented() -> None:
    """Each public module is on a page of the API reference, once."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.rst"))
    assert sorted(re.findall(r"^\.\. automodule:: (\S+)$", text, re.MULTILINE)) == sorted(
        public_modules()
    )


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.rst")), ids=lambda page: page.stem)
def test_pages_are_short(page: Path) -> None:
    """A page is read in one sitting."""
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 400
