#!/usr/bin/env python3
"""Check that the project's prose is plain English.

::

    python tools/check_language.py [--all] [PATH ...]

Read the docstrings, the comments and the messages (of errors, log calls and command-line options)
of Python files, and the running text of ``.rst`` files. Count phrases that make a reader stop, per
1,000 words. Print each phrase that is more frequent than its limit, with the places, and end with
status 1. ``--all`` prints the places of every phrase.

Without paths the script checks :data:`CHECKED`. ``CONTRIBUTING.rst`` describes the style.
"""

from __future__ import annotations

import argparse
import ast
import io
import pathlib
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from typing import NamedTuple

PROJECT = pathlib.Path(__file__).resolve().parents[1]

#: The files and folders that the ``lint`` environment checks.
CHECKED = (
    "README.rst",
    "CONTRIBUTING.rst",
    "CHANGELOG.rst",
    "SECURITY.rst",
    "changes",
    "docs",
    "src",
)


class Rule(NamedTuple):
    """A *pattern* that may occur *limit* times in 1,000 words, and the words to use instead."""

    name: str
    pattern: re.Pattern[str]
    limit: float
    instead: str


class Place(NamedTuple):
    """One occurrence of a phrase."""

    path: pathlib.Path
    line: int
    text: str


def _rule(name: str, pattern: str, limit: float, instead: str, flags: int = re.IGNORECASE) -> Rule:
    return Rule(name, re.compile(pattern, flags), limit, instead)


#: A sentence, or a part of one after a colon, begins here.
_START = r"(?:^|(?<=[.:;]\s))"

#: The phrases. A question may use "what", and "There is no ..." is plain.
RULES = (
    _rule("what", r"\bwhat\b(?! is the\b)(?![^.?!\n]*\?)", 1.5, "name the thing: 'the answer'"),
    _rule("What ...", _START + r"what\b(?![^.?!\n]*\?)", 0.3, "start with the actor or a verb"),
    _rule("whoever", r"\b(?:who|wher|which)ever\b", 0.3, "'any caller', 'the user who'"),
    _rule("nobody", r"\b(?:nobody|somebody|someone|no one)\b", 0.2, "name the actor"),
    _rule(
        "old words",
        r"\b(?:albeit|anew|bears?|behold|beside|forthwith|hence|lest|there(?:of|in)|whence)\b",
        0.3,
        "'again', 'next to', 'has'",
    ),
    _rule("meanwhile", r"\bmeanwhile\b", 0.2, "'while the request is in flight'"),
    _rule(
        "of its own", r"\bof (?:(?:its|their|our|his|your) own|ours|theirs)\b", 0.3, "'a separate'"
    ),
    _rule("of it", r"\bof (?:it|them|those|that)\b", 0.7, "repeat the noun"),
    _rule("that which", r"\b(?:one|those|that) (?:that|which|who)\b", 0.4, "name the noun"),
    _rule(
        "is no",
        r"(?<!there )\b(?:is|are|was|were) no"
        r" (?!longer|more|need|way|guarantee|different)[a-z]",
        0.15,
        "'is not a'",
    ),
    _rule("tells of", r"\b(?:tells? of|told of|(?:is|are|was) told)\b", 0.1, "'reports'"),
    _rule("is asked", r"\b(?:is|are|was|were) asked\b", 0.15, "'the client queries the server'"),
    _rule("holds", r"\bholds?\b", 0.5, "'contains', 'is true', 'keeps'"),
    _rule("stands", r"\b(?:stands?|stood)\b", 0.15, "'is', 'appears'"),
    _rule("alone", r"\balone\b", 0.25, "'only'"),
    _rule("Let ...", _START + r"Let (?!us |me )", 0.15, "an imperative verb", 0),
)

#: Calls whose texts people read.
_MESSAGES = {
    *("critical", "debug", "error", "exception", "info", "log", "warn", "warning"),
    *("add_argument", "add_parser"),
}

#: Directives of reStructuredText whose content is not prose.
_NOT_PROSE = re.compile(r"\.\. (?:code-block|code|literalinclude|image|figure|toctree|raw|math)\b")


def texts_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield the first line and the text of each docstring, comment and message in *source*."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                yield node.body[0].lineno, text
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from _sentences(node.exc)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _MESSAGES
        ):
            yield from _sentences(node)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#: ")


def _sentences(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the string literals below *node* that have at least three words."""
    for below in ast.walk(node):
        text = below.value if isinstance(below, ast.Constant) else None
        if isinstance(text, str) and len(text.split()) >= 3:
            yield getattr(below, "lineno", 1), text


def texts_of_document(source: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line of prose in the reStructuredText *source*."""
    code_indent = None
    for number, line in enumerate(source.splitlines(), 1):
        text = line.strip()
        if not text:
            continue
        indent = len(line) - len(line.lstrip())
        if code_indent is not None and indent > code_indent:
            continue
        code_indent = None
        if _NOT_PROSE.match(text):
            code_indent = indent
            continue
        if text.endswith("::"):
            code_indent = indent
        yield number, text


def files_below(paths: Sequence[pathlib.Path]) -> Iterator[pathlib.Path]:
    """Yield the Python files and documents of *paths*, sorted, without built documentation."""
    for path in paths:
        if path.is_file():
            yield path
            continue
        for found in sorted(path.rglob("*")):
            if found.suffix in {".py", ".rst"} and "_build" not in found.parts:
                yield found


def count(paths: Sequence[pathlib.Path]) -> tuple[int, dict[str, list[Place]]]:
    """Return the number of words in *paths*, and the places of each phrase by its name."""
    words = 0
    places: dict[str, list[Place]] = {rule.name: [] for rule in RULES}
    for path in files_below(paths):
        source = path.read_text(encoding="utf-8")
        read = texts_of_python if path.suffix == ".py" else texts_of_document
        for line, raw in read(source):
            text = re.sub(r"``[^`]*``|`[^`\n]*`|\"[^\"\n]{3,}\"", "CODE", raw)
            words += len(text.split())
            for rule in RULES:
                for match in rule.pattern.finditer(text):
                    around = " ".join(text[max(match.start() - 40, 0) : match.end() + 40].split())
                    place = Place(path, line + text.count("\n", 0, match.start()), around)
                    places[rule.name].append(place)
    return words, places


def main(arguments: Sequence[str]) -> int:
    """Print the phrases that are too frequent; return 1 if there are any."""
    parser = argparse.ArgumentParser(description="Check that prose is plain English.")
    parser.add_argument("--all", action="store_true", help="print the places of every phrase")
    parser.add_argument("paths", nargs="*", type=pathlib.Path, metavar="PATH")
    options = parser.parse_args(arguments)
    words, places = count(options.paths or [PROJECT / name for name in CHECKED])
    failed = 0
    for rule in RULES:
        found = places[rule.name]
        rate = 1000 * len(found) / max(words, 1)
        # One or two in a short text are no habit, however short it is.
        is_over = rate > rule.limit and len(found) > 2
        failed += is_over
        if is_over or options.all:
            print(f"{rule.name}: {rate:.2f} in 1,000 words, limit {rule.limit:g}; {rule.instead}")
            for place in found:
                print(f"    {place.path}:{place.line}: {place.text}")
    print(f"{words} words, {failed} of {len(RULES)} phrases too frequent")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
