#!/usr/bin/env python3
"""Write ``docs/fidelity.rst`` from the checks in ``tests/conformance``.

::

    python tools/write_fidelity.py [--check]

``--check`` writes nothing and ends with status 1 if the page is out of date. The script reads the
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
PAGE = PROJECT / "docs" / "fidelity.rst"
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


def page(found: Sequence[Check]) -> str:
    """Return the text of the page about the checks *found*."""
    sections = sorted({each.section for each in found})
    lines = [
        ".. Made by tools/write_fidelity.py from tests/conformance and tools/fidelity.txt.",
        "",
    ]
    parts = TEXT.read_text(encoding="utf-8").split(".. table\n")
    lines.append(parts[0] + _table(found, sections) + parts[1])
    for section in sections:
        title = section.replace("_", " ").capitalize()
        lines += [title, "~" * len(title), ""]
        for each in found:
            if each.section == section:
                word = CONFIDENCES[each.confidence]
                differs = f" **The sandbox differs**: {each.differs}." if each.differs else ""
                lines.append(f"- {_literal(each.sentence)} *({each.source}, {word})*{differs}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


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
    """Write the page, or say whether it is up to date; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    text = page(list(checks()))
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is out of date. Run: python tools/write_fidelity.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
