"""Sphinx shows the setup of a page as a fold, so that readers can run its examples."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Callable, cast

import pytest
from tests.docs.test_docs import Block, blocks

DOCS = Path(__file__).resolve().parents[2] / "docs"
CONF = runpy.run_path(str(DOCS / "conf.py"))
START = cast(str, CONF["START"])
show_setup = cast("Callable[[str], str]", CONF["show_setup"])


def lines_to_run(found: list[Block]) -> list[str]:
    """Return the lines of the blocks that a reader pastes into Python."""
    pasted = [each.text for each in found if not each.not_run and not each.file]
    return [line for line in "".join(pasted).splitlines() if line.strip()]


def uses_a_session(page: Path) -> bool:
    """Return whether the examples of *page* use a session or a sandbox that the tests give."""
    text = page.read_text(encoding="utf-8")
    code = "".join(lines_to_run(blocks(text)))
    return ("session" in code or "sandbox" in code) and "sandbox = Sandbox()" not in text


PAGES = [page for page in sorted(DOCS.glob("*.rst")) if uses_a_session(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_readers_see_all_lines(page: Path) -> None:
    """A page shows the lines that start a sandbox, and then all lines that the tests run."""
    text = page.read_text(encoding="utf-8")
    shown = show_setup(text)
    assert not any(block.kind == "setup" for block in blocks(shown))
    started = [line for line in START.splitlines() if line]
    assert lines_to_run(blocks(shown)) == [*started, *lines_to_run(blocks(text))]


def test_front_page_is_not_changed() -> None:
    """A page that starts its own sandbox gets no second one."""
    text = (DOCS / "index.rst").read_text(encoding="utf-8")
    assert show_setup(text) == text
    assert "*Run these lines first*" in text


def test_first_lines_give_a_session() -> None:
    """The lines at the start of a page give the two names that its examples use."""
    names: dict[str, object] = {}
    exec(f"{START}found = session.query('User').one()['username']", names)
    exec("session.close()\nsandbox.stop()", names)
    assert names["found"] == "admin"
