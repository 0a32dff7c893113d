"""`ftrack-like migrate check`: find the places in a code base that are different here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tokenize
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftrack_like.cli._migration import CheckedModule, Finding

__all__ = ["SUMMARY", "Report", "add_arguments", "run"]

SUMMARY = "find what code written for ftrack_api has to know"

#: Folders that contain no code of the code base itself.
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="read code written for ftrack_api, and list the differences",
        description="Read Python files and list, with file and line, the places that this "
        "library handles differently or not at all. Nothing is run and nothing is changed. The "
        "status is 1 if something does not work here, 2 if there is nothing to read.",
    )
    check.add_argument("paths", metavar="PATH", nargs="+", help="a file, or a folder to search")
    check.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Check the files in *arguments* and print the findings; return the exit status."""
    missing = [path for path in arguments.paths if not os.path.exists(path)]
    if missing:
        print(f"ftrack-like: There is no {missing[0]!r}.", file=sys.stderr)
        return 2
    report = Report()
    for path in arguments.paths:
        for file in _python_files(path):
            report.read(file)
    report.check()
    if not report.files:
        print("ftrack-like: There is no Python file to read.", file=sys.stderr)
        return 2
    print(json.dumps(report.as_mapping(), indent=2) if arguments.json else report.as_text())
    return 1 if report.breaks or report.unreadable else 0


@dataclasses.dataclass
class Report:
    """The findings in the files that were read.

    *imports* counts the imports of the library, in *importing* of *files* files. *unreadable* maps
    paths to the reason why a file could not be read. *sources* are the modules that were read.
    """

    files: int = 0
    importing: int = 0
    imports: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)
    unreadable: dict[str, str] = dataclasses.field(default_factory=dict)
    sources: list[CheckedModule] = dataclasses.field(default_factory=list)

    def read(self, path: str) -> None:
        """Read the file at *path*."""
        from ftrack_like.cli._migration import CheckedModule  # lazy: "--help" answers at once

        self.files += 1
        try:
            with tokenize.open(path) as file:
                source = CheckedModule(path, file.read())
        except (OSError, SyntaxError, ValueError) as error:
            self.unreadable[path] = " ".join(str(error).split())
            return
        self.imports += source.imports
        self.importing += bool(source.imports)
        self.sources.append(source)

    def check(self) -> None:
        """Check all sources as one code base."""
        from ftrack_like.cli._migration import check  # lazy: likewise

        defined = {name for source in self.sources for name in source.defined}
        for source in self.sources:
            source.defined = defined
            self.findings += check(source)

    @property
    def breaks(self) -> int:
        """Return the number of findings that do not work here."""
        return sum(finding.kind == "breaks" for finding in self.findings)

    def as_mapping(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "files": self.files,
            "importing": self.importing,
            "imports": self.imports,
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "unreadable": self.unreadable,
        }

    def as_text(self) -> str:
        """Return lines for people, with a summary at the end."""
        lines = [_finding_line(finding) for finding in self.findings]
        lines += [f"{path}: cannot be read: {reason}" for path, reason in self.unreadable.items()]
        differs = len(self.findings) - self.breaks
        lines.append(
            f"{self.importing} of {self.files} files import the library, in {self.imports} places. "
            f"{self.breaks} places do not work here, {differs} work differently."
        )
        return "\n".join(lines)


def _finding_line(finding: Finding) -> str:
    """Return *finding* as one line."""
    number = "" if finding.number is None else f" (difference {finding.number})"
    return (
        f"{finding.path}:{finding.line}: {finding.kind}: {finding.subject}{number}. "
        f"{finding.advice}"
    )


def _python_files(path: str) -> Iterator[str]:
    """Yield the Python files at *path* and below, in order; also scripts without suffix."""
    if not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(
            name for name in folders if not (name.startswith(".") or name in _SKIPPED)
        )
        for name in sorted(names):
            file = os.path.join(folder, name)
            if name.endswith((".py", ".pyw")) or ("." not in name and _is_script(file)):
                yield file


def _is_script(path: str) -> bool:
    """Return whether the first line of the file at *path* calls Python."""
    try:
        with open(path, "rb") as file:
            first = file.readline(200)
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first
