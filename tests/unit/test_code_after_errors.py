"""Type checkers check the code after a call that raises an error."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "ftrack_like"

#: Programs of users do not call these.
INTERNAL = ("cli", "sandbox", "wire")


def visible(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """Yield the functions in *node* that type checkers see, without those of private classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "not TYPE_CHECKING":
            continue
        if isinstance(child, ast.FunctionDef):
            yield child
        elif isinstance(child, ast.ClassDef) and child.name.startswith("_"):
            continue
        else:
            yield from visible(child)


def test_no_public_method_ends_the_checks() -> None:
    """Checkers see no public or special method that returns NoReturn: they would stop there."""
    found = [
        f"{path.relative_to(SOURCES)}:{function.lineno} {function.name}"
        for path in sorted(SOURCES.rglob("*.py"))
        if path.relative_to(SOURCES).parts[0] not in INTERNAL
        for function in visible(ast.parse(path.read_text(encoding="utf-8")))
        if function.returns is not None and ast.unparse(function.returns) == "NoReturn"
        if function.name.startswith("__") or not function.name.startswith("_")
    ]
    assert found == []
