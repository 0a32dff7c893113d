"""A reader finds each everyday task from the front page with one click."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

#: A word of each everyday task, and a heading or call on the page that the front page links.
TASKS = {
    "install": ("installing", "pip install"),
    "Maya": ("applications", "PYTHONPATH"),
    "render worker": ("installing", "ftrack-like doctor"),
    "log in": ("configuration", "ftrack-like login"),
    "find tasks": ("querying", "session.query("),
    "my tasks": ("querying", "assignments any (resource.username is"),
    "custom attribute": ("using_custom_attributes", '["custom_attributes"]["fstart"] ='),
    "set a status": ("working_with_entities", '["status"]'),
    "thousands": ("bulk_work", "session.commit()"),
    "publish a version": ("publishing", "create_component("),
    "image sequence": ("publishing", "[1001-1008]"),
    "with a movie": ("publishing", "publish_reviewable(version"),
    "download": ("downloads", "accessor.open("),
    "newest version of a shot": ("downloads", "is_latest_version is true"),
    "move files": ("locations", "remove_component("),
    "statuses of all tasks": ("bulk_work", 'task["status"] ='),
    "notes": ("notes", "create_note("),
    "review": ("using_review_sessions", "ReviewSession"),
    "invite a client": ("using_review_sessions", "send_review_session_invite("),
    "movies": ("encoding_media", "encode_media("),
    "log time": ("time_logs", "start_timer("),
    "list": ("lists", "TypedContextList"),
    "status change": ("handling_events", '"statusid"'),
    "events": ("handling_events", "subscribe("),
    "action": ("developing_actions", "register"),
    "loses no event": ("durable_listeners", "ftrack-like listen"),
    "several processes": ("farm_processes", "--workers"),
    "terminal": ("command_line", "$ ftrack-like"),
    "test my tools": ("testing", "ftrack_session"),
    "does not work": ("troubleshooting", "ftrack-like doctor"),
}


def labels() -> dict[str, str]:
    """Return the page of each label that ``:ref:`` can link."""
    return {
        label: page.stem
        for page in DOCS.glob("*.rst")
        for label in re.findall(r"^\.\. _([\w-]+):$", page.read_text("utf-8"), re.MULTILINE)
    }


def rows() -> list[tuple[str, list[str]]]:
    """Return the tasks of the table on the front page, each with the pages that it links."""
    places = labels()
    text = (DOCS / "index.rst").read_text(encoding="utf-8")
    table = text.partition(".. _everyday-tasks:")[2].partition("\nThe first minutes\n")[0]
    found = re.findall(r"^   \* - (.+)\n     - (.+)$", table, re.MULTILINE)
    return [
        (task, [places.get(link, link) for link in re.findall(r":(?:doc|ref):`([\w-]+)`", links)])
        for task, links in found
    ]


@pytest.mark.parametrize("word", TASKS)
def test_task_is_one_click_away(word: str) -> None:
    """The table of the front page has the task, and links the page that shows it."""
    page, shown = TASKS[word]
    linked = {each for task, pages in rows() if word in task for each in pages}
    assert page in linked
    assert shown in (DOCS / f"{page}.rst").read_text(encoding="utf-8")


def test_table_comes_first() -> None:
    """The table is above the first code of the front page."""
    text = (DOCS / "index.rst").read_text(encoding="utf-8")
    assert 0 < text.index(".. _everyday-tasks:") < text.index(".. code-block::")


def test_every_page_is_listed() -> None:
    """Each page of the documentation is in a table of contents."""
    listed = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.rst"))
    for page in DOCS.glob("*.rst"):
        assert page.stem == "index" or re.search(rf"^   {page.stem}$", listed, re.MULTILINE), page


PAGES = [page for page in sorted(DOCS.glob("*.rst")) if ".. setup" in page.read_text("utf-8")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_says_what_its_examples_use(page: Path) -> None:
    """Readers see the setup of a page folded, so the text before it names the objects."""
    text = page.read_text(encoding="utf-8")
    setup, _, _ = text.partition(".. setup")
    assert "code-block:: python" in setup or re.search(r"[Oo]n this page", setup)
