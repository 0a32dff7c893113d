"""Entities as text for people."""

from __future__ import annotations

from typing import Any

import pytest

from ftrack_like import formatter


@pytest.fixture
def task(tiny: Any, make_record: Any) -> Any:
    """Return a task with a status, children and metadata, on a session that asks nothing."""
    tiny.auto_populate = False
    return tiny.load(
        "Task",
        id="a",
        name="layout",
        status=make_record("Status", id="s", name="Open", sort=1),
        children=[make_record("Task", id="b", name="one"), make_record("Task", id="c", name="two")],
        metadata=[make_record("Metadata", parent_id="a", key="k", value="v")],
        parent=None,
    )


def only(*names: str) -> Any:
    """Return a filter that lets *names* pass."""
    return lambda entity, name, value: name in names


def test_attributes_are_listed_by_name_with_references_in_place(task: Any) -> None:
    """The lines of what is referred to stand below its type."""
    text = formatter.format(
        task, attribute_filter=only("name", "status", "parent", "metadata", "id")
    )
    assert text == "\n".join(
        [
            "Task",
            " id: a",
            " metadata: {'k': 'v'}",
            " name: layout",
            " parent: None",
            " status: Status",
            "          id: s",
            "          name: Open",
        ]
    )


def test_collections_are_entered_when_asked_for(task: Any) -> None:
    """Otherwise they are named on one line."""
    children = only("children", "name")
    assert formatter.format(task, attribute_filter=children).splitlines()[1] == (
        " children: <Collection(children) [<Task 'one' id=b>, <Task 'two' id=c>]>"
    )
    assert formatter.format(task, attribute_filter=children, recursive=True) == "\n".join(
        [
            "Task",
            " children: Task",
            "            children: ",
            "            name: one",
            "           Task",
            "            children: ",
            "            name: two",
            " name: layout",
        ]
    )


def test_the_text_can_be_moved_in(task: Any) -> None:
    """All lines, or all but the first."""
    names = only("name")
    assert formatter.format(task, attribute_filter=names, indent=4) == "    Task\n     name: layout"
    assert (
        formatter.format(task, attribute_filter=names, indent=4, indent_first_line=False)
        == "Task\n     name: layout"
    )


def test_types_and_names_can_be_dressed(task: Any) -> None:
    """By functions from text to text, which do not count for the layout."""
    formatters = {"header": lambda text: f"[{text}]", "label": lambda text: f"<{text}>"}
    text = formatter.format(task, formatters, only("name", "status"))
    assert text.splitlines() == [
        "[Task]",
        " <name>: layout",
        " <status>: [Status]",
        "          <name>: Open",
    ]


def test_one_formatter_may_be_left_out(task: Any) -> None:
    """The other keeps its default."""
    text = formatter.format(task, {"label": str.upper}, only("name"))
    assert text == "Task\n NAME: layout"


def test_circles_end(tiny: Any, task: Any) -> None:
    """An entity inside itself is only named."""
    tiny.load("Task", id="a", parent={"__entity_type__": "Task", "id": "a"})
    assert formatter.format(task, attribute_filter=only("parent")) == "Task\n parent: Task{...}"


def test_what_is_not_loaded_can_be_left_out(task: Any) -> None:
    """By the ready-made filter; without it, it shows as such."""
    assert "NOT_SET" in formatter.format(task)
    assert "NOT_SET" not in formatter.format(task, None, formatter.FILTER["ignore_unset"])


def test_terminals_get_colours(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other outputs, and those who want none, do not."""

    class Terminal:
        def isatty(self) -> bool:
            return True

    assert "\x1b" not in formatter.format(task)
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = formatter.format(task)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = formatter.format(task)
    monkeypatch.undo()
    assert "\x1b" in coloured
    assert "\x1b" not in plain
