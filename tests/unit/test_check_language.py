"""The check of the project's prose: which texts it reads, and when it fails."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from typing import Any

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "tools" / "check_language.py"


@pytest.fixture
def language(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the script as a module."""
    if not SCRIPT.is_file():
        pytest.skip("the tools are part of the repository, not of this copy")
    spec = importlib.util.spec_from_file_location("check_language", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "check_language", module)
    spec.loader.exec_module(module)
    return module


def test_docstrings_comments_and_messages_are_read(language):
    """Docstrings, comments, errors, log calls and options are prose; other strings are not."""
    source = (
        '"""First text."""\n'
        'name = "not a message at all"\n'
        "# Second text.\n"
        "def call(log, parser):\n"
        '    """Third text."""\n'
        '    log.warning("Fourth text is logged")\n'
        '    parser.add_argument("--x", help="Fifth text is help")\n'
        '    raise ValueError("Sixth text is raised")\n'
    )
    found = dict(language.texts_of_python(source))
    assert sorted(found.values()) == sorted(
        [
            "First text.",
            "Second text.",
            "Third text.",
            "Fourth text is logged",
            "Fifth text is help",
            "Sixth text is raised",
        ]
    )
    assert found[8] == "Sixth text is raised"


def test_code_in_documents_is_not_read(language):
    """Indented blocks after "::" and a directive of code are left out."""
    source = "Prose::\n\n    nobody\n\nMore.\n\n.. code-block:: python\n\n    nobody\n\nEnd.\n"
    assert [text for _, text in language.texts_of_document(source)] == ["Prose::", "More.", "End."]


def test_a_frequent_phrase_fails_the_check_with_its_places(language, tmp_path, capsys):
    """The check ends with status 1 and names the file and the line of each occurrence."""
    page = tmp_path / "page.rst"
    page.write_text("Plain words.\n\nNobody reads it.\nSomebody does.\nNobody else.\n")
    assert language.main([str(page)]) == 1
    printed = capsys.readouterr().out
    assert f"{page}:3: " in printed
    assert f"{page}:5: " in printed
    assert "name the actor" in printed


def test_plain_words_pass(language, tmp_path, capsys):
    """A page without the phrases passes, and so do phrases that are quoted as code."""
    page = tmp_path / "page.rst"
    page.write_text("Reject these: ``nobody`` ``nobody`` ``nobody``\n")
    assert language.main([str(page)]) == 0
    assert capsys.readouterr().out == "5 words, 0 of 16 phrases too frequent\n"


@pytest.mark.parametrize(
    "text",
    [
        "It shows what was changed.",
        "What follows is a list.",
        "Whoever calls it gets a list.",
        "Somebody calls it.",
        "It is read anew.",
        "The file is written meanwhile.",
        "It has a thread of its own.",
        "The last of them is sent.",
        "Use those that exist.",
        "It is no list.",
        "The client is told.",
        "The server is asked.",
        "The cache holds entities.",
        "The name stands first.",
        "The name alone decides.",
        "Let the server start.",
    ],
)
def test_each_phrase_is_found(language, tmp_path, text):
    """Each phrase of the table is found in a sentence that has it."""
    page = tmp_path / "page.rst"
    page.write_text(f"{text}\n")
    _, places = language.count([page])
    assert any(places.values()), text
