"""The projections of a query as a tree of names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from ftrack_like.sandbox.language import Part, Path
from ftrack_like.sandbox.query.names import Names
from ftrack_like.sandbox.schema.model import Collection, EntityType, Scalar

__all__ = ["NOTHING", "Branch", "SelectedNames", "selection_of"]


@dataclass(frozen=True)
class Branch:
    """Select *name* from rows of the type *of* (None: of any type), and *inner* from its target."""

    name: str
    of: Optional[str]
    inner: SelectedNames


@dataclass(frozen=True)
class SelectedNames:
    """The names to select from one row. It is hashable, so that plans can be cached by it."""

    branches: tuple[Branch, ...] = ()

    def names_for(self, type_: EntityType) -> dict[str, SelectedNames]:
        """Return the names to select from a row of the concrete *type_*, with their selections."""
        wanted: dict[str, SelectedNames] = {}
        for branch in self.branches:
            if branch.of is None or branch.of == type_.name or branch.of in type_.bases:
                merged = wanted.get(branch.name)
                wanted[branch.name] = (
                    branch.inner if merged is None else merged.joined(branch.inner)
                )
        return wanted

    def joined(self, other: SelectedNames) -> SelectedNames:
        """Return a selection of all names in this one and *other*."""
        return SelectedNames((*self.branches, *other.branches))


NOTHING = SelectedNames()

_Tree = dict[tuple[str, Optional[str]], Any]


def selection_of(names: Names, type_: EntityType, paths: Iterable[Path]) -> SelectedNames:
    """Return the selection of *paths* from *type_*.

    Raise :exc:`~ftrack_like.sandbox.language.ExpressionError` if a path is not valid.
    """
    tree: _Tree = {}
    for path in paths:
        _plant(names, tree, type_, path.parts)
    return _freeze(tree)


def _plant(names: Names, tree: _Tree, type_: EntityType, parts: tuple[Part, ...]) -> None:
    """Add *parts* from *type_* to *tree*."""
    of: Optional[str] = None
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if last and part.name == "id" and not names.catalogue.candidates(type_, part.name):
            # Programs select the id of any type. Each row has its primary key anyway.
            return
        property_ = (
            names.attribute(type_, part, relation=True) if last else names.any_relation(type_, part)
        )
        if isinstance(property_, Collection) and property_.facets.get("restricted_projection"):
            raise names.fail(
                f"{part.name!r} of {type_.name} can be used in criteria, but not selected.",
                part.position,
            )
        tree = tree.setdefault((part.name, of), {})
        if not isinstance(property_, Scalar):
            type_ = names.target(property_, part)  # type: ignore[arg-type]
            of = part.cast


def _freeze(tree: _Tree) -> SelectedNames:
    return SelectedNames(
        tuple(Branch(name, of, _freeze(inner)) for (name, of), inner in tree.items())
    )
