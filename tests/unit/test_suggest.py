"""Guesses at what an unknown name meant."""

from __future__ import annotations

import pytest

from ftrack_like._base.suggest import closest, did_you_mean

TYPES = ["AssetVersion", "Asset", "Conversation", "Note", "NoteCategory", "Project", "Task", "User"]
ATTRIBUTES = ["description", "id", "name", "start_date", "status", "status_id", "type"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Version", "AssetVersion"),
        ("Versoin", "AssetVersion"),
        ("AssetVerison", "AssetVersion"),
        ("Asset_Version", "AssetVersion"),
        ("project", "Project"),
        ("Tsk", "Task"),
        ("Users", "User"),
        ("Category", "NoteCategory"),
    ],
)
def test_types_are_found(name: str, meant: str) -> None:
    """Slips, other case and the end of a longer name lead to the type that was meant."""
    assert did_you_mean(name, TYPES) == f"Did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("name", "meant"), [("stauts", "status"), ("startdate", "start_date"), ("nme", "name")]
)
def test_attributes_are_found(name: str, meant: str) -> None:
    """Slips and missing underscores lead to the attribute that was meant."""
    assert did_you_mean(name, ATTRIBUTES) == f"Did you mean {meant!r}?"


def test_nothing_near_gives_nothing() -> None:
    """A name that is like no other gets no guess, or the given text."""
    assert did_you_mean("xyzzy", TYPES) == ""
    assert did_you_mean("xyzzy", TYPES, "See the schemas.") == "See the schemas."
    assert did_you_mean("", []) == ""


def test_several_guesses_come_best_first() -> None:
    """More than one guess can be asked for."""
    assert closest("note", TYPES, limit=2) == ["Note", "NoteCategory"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Take", "Did you mean 'AssetVersion', which is what ftrack calls it, or 'Task'?"),
        ("Subset", "Did you mean 'Asset', which is what ftrack calls it?"),
        (
            "Representation",
            "Did you mean 'Component' or 'FileComponent', which is what ftrack calls it?",
        ),
    ],
)
def test_names_of_other_tools(name: str, text: str) -> None:
    """A name of another tool leads to ftrack's name, and maybe to a similar one."""
    types = ["Asset", "AssetVersion", "Component", "FileComponent", "Task", "User"]
    assert did_you_mean(name, types) == text
