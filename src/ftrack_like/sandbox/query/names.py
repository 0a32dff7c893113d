"""Find the types and properties that the names in an expression mean.

The errors for unknown names point at the name and suggest a similar one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional, Union

from sqlalchemy import Table

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.language import ExpressionError, Part, did_you_mean
from ftrack_like.sandbox.schema import OTHER_NAMES
from ftrack_like.sandbox.schema.model import (
    Collection,
    EntityType,
    Model,
    Property,
    Reference,
    Scalar,
)

__all__ = ["Catalogue", "Names", "Relation"]

Relation = Union[Reference, Collection]


class Catalogue:
    """The types of *model* and their *tables*. All threads share it and do not change it.

    Statements that are compiled with a *restricted* catalogue return only rows that the user can
    see. Their parameters contain the rights of the user; see
    :mod:`ftrack_like.sandbox.access.visibility`. With *all_projects* they are only for users who
    see all projects.
    """

    def __init__(
        self,
        model: Model,
        tables: Mapping[str, Table],
        *,
        restricted: bool = False,
        all_projects: bool = False,
    ) -> None:
        self.restricted = restricted
        self.all_projects = all_projects
        self.model = model
        self.tables = tables
        self.types: Mapping[str, EntityType] = model.types
        self._candidates: dict[tuple[str, str], tuple[Property, ...]] = {}

    def alternatives(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Return the column values that mark rows of *name*; see :meth:`Model.alternatives`."""
        return self.model.alternatives(name)

    def candidates(self, type_: EntityType, name: str) -> tuple[Property, ...]:
        """Return the properties that *name* may mean for a row of *type_*.

        If the type has no such property, these are the properties of its sub-types. The path
        ``parent.status`` is therefore valid, although ``parent`` leads to ``Context``, and only
        some contexts have a status.
        """
        key = (type_.name, name)
        found = self._candidates.get(key)
        if found is None:
            found = self._find_candidates(type_, name)
            # Unknown names are not cached. Clients could fill the memory with them.
            if found:
                self._candidates[key] = found
        return found

    def _find_candidates(self, type_: EntityType, name: str) -> tuple[Property, ...]:
        own = type_.properties.get(name)
        if own is not None:
            return (own,)
        below = [other for other in self.types.values() if type_.name in other.bases]
        found: list[Property] = []
        for other in below:
            property_ = other.properties.get(name)
            if property_ is not None and not any(_same(property_, one) for one in found):
                found.append(property_)
        return tuple(found)

    def names(self, type_: EntityType) -> set[str]:
        """Return the names of all properties of *type_* and its sub-types."""
        names = set(type_.properties)
        for other in self.types.values():
            if type_.name in other.bases:
                names.update(other.properties)
        return names


def _same(one: Property, other: Property) -> bool:
    """Return whether both properties read the same value. Their descriptions may differ."""
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return (one.column, one.computed, one.type, one.format) == (
            other.column,
            other.computed,
            other.type,
            other.format,
        )
    return one == other


class Names:
    """Resolves the names in the expression *text*.

    All methods raise :exc:`~ftrack_like.sandbox.language.ExpressionError`, pointing into *text*,
    if a name is unknown or cannot be used in its place.
    """

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        self.catalogue = catalogue
        self.text = text

    def fail(self, message: str, position: int) -> ExpressionError:
        """Return an error with *message* that points at *position*."""
        return ExpressionError(message, position, self.text)

    def type_(self, name: str, position: int) -> EntityType:
        """Return the type *name*."""
        found = self.catalogue.types.get(OTHER_NAMES.get(name, name))
        if found is None:
            hint = did_you_mean(name, self.catalogue.types)
            raise self.fail(f"Unknown entity type {name!r}.{hint}", position)
        return found

    def candidates(self, type_: EntityType, part: Part) -> tuple[Property, ...]:
        """Return the properties that *part* may mean for *type_*, at least one."""
        found = self.catalogue.candidates(type_, part.name)
        if not found:
            hint = did_you_mean(part.name, self.catalogue.names(type_))
            text = f"No attribute {part.name!r} exists for {type_.name}.{hint}"
            raise self.fail(text, part.position)
        return found

    def relation(self, type_: EntityType, part: Part) -> Relation:
        """Return the relation that *part* means for *type_*.

        Raise an error if the sub-types of *type_* have different relations of this name. One
        statement cannot follow both, and one alone would leave out rows without a word.
        """
        found = self._relations(type_, part)
        if len(found) > 1:
            raise self.fail(self._differs(type_, part, found), part.position)
        return found[0]

    def any_relation(self, type_: EntityType, part: Part) -> Relation:
        """Return the first relation that *part* may mean for *type_*, where it may be any."""
        return self._relations(type_, part)[0]

    def _relations(self, type_: EntityType, part: Part) -> list[Relation]:
        """Return the relations that *part* with its cast may mean for *type_*, at least one."""
        found = [
            one for one in self.candidates(type_, part) if isinstance(one, (Reference, Collection))
        ]
        if not found:
            raise self.fail(
                f"{part.name!r} of {type_.name} is a plain value, not a relation.", part.position
            )
        if part.cast is None or len(found) == 1:
            return found
        cast = self.type_(part.cast, part.cast_position)
        types = self.catalogue.types
        return [one for one in found if types[one.target].table == cast.table] or found

    def _differs(self, type_: EntityType, part: Part, found: list[Relation]) -> str:
        """Return the error for *part*, which means each of *found* for a sub-type of *type_*."""
        owners = sorted(
            other.name
            for other in self.catalogue.types.values()
            if type_.name in other.bases and other.properties.get(part.name) in found
        )
        targets = sorted({one.target for one in found})
        before = re.search(r"(\w+)(?:\[\w+\])?\s*\.\s*\Z", self.text[: part.position])
        if len(targets) > 1:
            advice = f"Name the type that it leads to: {part.name}[{targets[-1]}]."
        elif before is not None:
            advice = f"Name the type: {before[1]}[{owners[-1]}].{part.name}."
        else:
            advice = f"Query {owners[-1]} instead of {type_.name}."
        return (
            f"{part.name!r} of {type_.name} is an attribute of {' and '.join(owners)}, each with "
            f"its own meaning. {advice}"
        )

    def attribute(self, type_: EntityType, part: Part, *, relation: bool = False) -> Property:
        """Return the property for the last *part* of a path.

        If *part* may mean both a scalar and a relation, *relation* decides which to return.
        """
        found = self.candidates(type_, part)
        chosen = [one for one in found if isinstance(one, Scalar) is not relation]
        if part.cast is not None and isinstance((chosen or found)[0], Scalar):
            raise self.fail(
                f"{part.name!r} of {type_.name} is a plain value and cannot have '[{part.cast}]'.",
                part.cast_position,
            )
        return (chosen or found)[0]

    def target(self, relation: Relation, part: Part) -> EntityType:
        """Return the type of the cast of *part*, or without a cast the target of *relation*."""
        target = self.catalogue.types[relation.target]
        if part.cast is None:
            return target
        cast = self.type_(part.cast, part.cast_position)
        if cast.table != target.table:
            raise self.fail(
                f"{part.name!r} leads to {target.name}, which is never {with_article(cast.name)}.",
                part.cast_position,
            )
        return cast

    def narrowed(self, relation: Relation, part: Part) -> Optional[EntityType]:
        """Return the type of the cast of *part*, or None if it has no cast."""
        return None if part.cast is None else self.target(relation, part)
