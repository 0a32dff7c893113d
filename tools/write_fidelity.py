#!/usr/bin/env python3
"""Write the pages about fidelity from the checks in ``tests/conformance``.

::

    python tools/write_fidelity.py [--check]

``--check`` writes nothing and ends with status 1 if a page is out of date. The script reads the
source of the checks and does not run them: each check of the suite passes on the sandbox in the
tests of this project, except for those with the marker ``differs``.
"""

from __future__ import annotations

import argparse
import ast
import pathlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

PROJECT = pathlib.Path(__file__).resolve().parents[1]
CHECKS = PROJECT / "tests" / "conformance"
DOCS = PROJECT / "docs"
TEXT = PROJECT / "tools" / "fidelity.txt"

#: The words for the confidences, as ``tests/conformance/facts.py`` has them.
CONFIDENCES = {
    "M": "measured",
    "P": "relied on",
    "D": "documented",
    "I": "inferred",
    "protocol": "protocol",
}


class Check(NamedTuple):
    """A check: a function of the suite with its sentence, source and confidence."""

    section: str
    name: str
    sentence: str
    source: str
    confidence: str
    differs: Optional[str]


def checks() -> Iterator[Check]:
    """Yield the checks of the suite, by section, in the order of the files."""
    for path in sorted(CHECKS.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield _check(path.stem.replace("test_", "", 1), node)


def _check(section: str, node: ast.FunctionDef) -> Check:
    """Return the check that *node* defines."""
    marks = {
        mark.func.id: [ast.literal_eval(each) for each in mark.args]
        for mark in node.decorator_list
        if isinstance(mark, ast.Call)
        and isinstance(mark.func, ast.Name)
        and mark.func.id in ("fact", "differs")
    }
    sentence = ast.get_docstring(node)
    if "fact" not in marks or not sentence:
        raise SystemExit(f"{section}: {node.name} needs a sentence, a source and a confidence.")
    source, confidence = marks["fact"]
    why = marks["differs"][0] if "differs" in marks else None
    return Check(section, node.name, " ".join(sentence.split()), source, confidence, why)


_MADE = ".. Made by tools/write_fidelity.py from tests/conformance and tools/fidelity.txt.\n\n"

_CHECKS = """\
The checks of fidelity
======================

These are the checks behind :doc:`fidelity`. The source ``site-facts`` with a letter names a part of
the collected facts, ``protocol`` a part of the description of the protocol.

"""


def pages(found: Sequence[Check]) -> dict[str, str]:
    """Return the texts of the pages about the checks *found*, by the name of the file."""
    sections = sorted({each.section for each in found})
    parts = TEXT.read_text(encoding="utf-8").split(".. table\n")
    lines: list[str] = []
    for section in sections:
        title = section.replace("_", " ").capitalize()
        lines += [title, "-" * len(title), ""]
        for each in found:
            if each.section == section:
                word = CONFIDENCES[each.confidence]
                differs = f" **The sandbox differs**: {each.differs}." if each.differs else ""
                lines.append(f"- {_literal(each.sentence)} *({each.source}, {word})*{differs}")
        lines.append("")
    return {
        "fidelity.rst": _MADE + parts[0] + _table(found, sections) + parts[1],
        "fidelity_checks.rst": _MADE + _CHECKS + "\n".join(lines).rstrip() + "\n",
    }


def _literal(sentence: str) -> str:
    """Return *sentence* with the characters escaped that mean something in the page."""
    return sentence.replace("\\", "\\\\").replace("*", "\\*").replace("_", "\\_")


def _table(found: Sequence[Check], sections: Sequence[str]) -> str:
    """Return a table: how many checks of each section have which confidence."""
    head = ["section", *CONFIDENCES.values(), "differs"]
    rows = []
    for section in [*sections, "all"]:
        chosen = [each for each in found if section in (each.section, "all")]
        counts = Counter(each.confidence for each in chosen)
        differs = sum(each.differs is not None for each in chosen)
        cells = [section.replace("_", " "), *(str(counts[name]) for name in CONFIDENCES)]
        rows.append([*cells, str(differs)])
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *rows]:
        lines += [f"   {'* -' if place == 0 else '  -'} {cell}" for place, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the pages, or say whether they are up to date; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    status = 0
    for name, text in pages(list(checks())).items():
        path = DOCS / name
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{name} is out of date. Run: python tools/write_fidelity.py", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
