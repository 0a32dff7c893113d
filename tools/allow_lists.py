"""A contract for import-linter: each part of the package names everything that it may import.

import-linter comes with contracts that forbid imports. A module that such a contract does not name
may be imported by everything. Here a new module belongs to no part, which is an error, and a new
import breaks the contract until the part names it.

::

    type = allow_list
    parts =
        foundation = symbol exception :
        values = data operation : foundation
        sandbox.events : foundation wire.packets

Each line declares one part: its name, its modules (by default the module of that name), and what
it may import. That are names of parts, or of modules. A module includes its submodules, unless
another part names those. All modules are relative to the root package; ``.`` is the root package
without its submodules. A part may import itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from importlinter import Contract, ContractCheck, fields, output

__all__ = ["AllowListContract", "Part", "broken_imports", "read_parts"]


@dataclass(frozen=True)
class Part:
    """A part of the package: its *modules*, and the parts and modules that it *imports*."""

    name: str
    modules: tuple[str, ...]
    imports: tuple[str, ...]


class AllowListContract(Contract):  # type: ignore[misc]
    """Each part imports only itself and what its line names."""

    parts = fields.ListField(subfield=fields.StringField())

    def check(self, graph: Any, verbose: bool) -> ContractCheck:
        """Return the result, with the broken imports as sentences in ``metadata["broken"]``."""
        (root,) = self.session_options["root_packages"]
        known = {_relative(root, module) for module in graph.modules}
        imports = [
            (_relative(root, importer), _relative(root, imported))
            for importer in graph.modules
            for imported in graph.find_modules_directly_imported_by(importer)
        ]
        broken = sorted(broken_imports(read_parts(self.parts), known, imports))
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print a line for each broken import."""
        for sentence in check.metadata["broken"]:
            output.print_error(f"- {sentence}", bold=False)
        output.new_line()


def _relative(root: str, module: str) -> str:
    return "." if module == root else module[len(root) + 1 :]


def read_parts(lines: Sequence[str]) -> list[Part]:
    """Return the parts that *lines* declare; raise :exc:`ValueError` for a line without ``:``."""
    parts = []
    for line in lines:
        declared, colon, imports = line.partition(":")
        if not colon:
            raise ValueError(f"The line {line!r} has no ':' before the imports.")
        name, _, modules = declared.partition("=")
        parts.append(
            Part(name.strip(), tuple(modules.split()) or (name.strip(),), tuple(imports.split()))
        )
    return parts


def broken_imports(
    parts: Sequence[Part], known: set[str], imports: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """Yield a sentence for each mistake in *parts*, and for each of *imports* that they forbid.

    *known* are all modules. *imports* are pairs of the importing and the imported module.
    """
    by_name = {part.name: part for part in parts}
    by_module = {module: part for part in parts for module in part.modules}
    for part in parts:
        for module in (*part.modules, *(one for one in part.imports if one not in by_name)):
            if module not in known:
                yield f"{part.name} names {module}, which does not exist."
    for module in known:
        if _owner(by_module, module) is None:
            yield f"{module} belongs to no part. Add it to one."
    for importer, imported in imports:
        part, other = _owner(by_module, importer), _owner(by_module, imported)
        if part is None or other is None or part is other or other.name in part.imports:
            continue
        if not any(_contains(one, imported) for one in part.imports if one not in by_name):
            yield f"{importer} imports {imported}: {part.name} may import " + (
                f"only {' '.join(part.imports)}." if part.imports else "nothing."
            )


def _owner(by_module: dict[str, Part], module: str) -> Optional[Part]:
    """Return the part that names *module*, or the innermost package around it."""
    while module not in by_module and "." in module.strip("."):
        module = module.rpartition(".")[0]
    return by_module.get(module)


def _contains(package: str, module: str) -> bool:
    return module == package or module.startswith(f"{package}.")
