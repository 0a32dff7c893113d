"""Finding what the names in an expression stand for, and saying which one stands for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union

from sqlalchemy import Table

from ftrack_like.sandbox.language import ExpressionError, Part, did_you_mean
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
    """The types of *model* and their *tables*; immutable, shared by all threads.

    What is compiled over a *restricted* one keeps to the rows that a user sees, by parameters of
    the statement (:mod:`ftrack_like.sandbox.storage.visibility`).
    """

    def __init__(
        self, model: Model, tables: Mapping[str, Table], *, restricted: bool = False
    ) -> None:
        self.restricted = restricted
        self.model = model
        self.tables = tables
        self.types: Mapping[str, EntityType] = model.types
        self._candidates: dict[tuple[str, str], tuple[Property, ...]] = {}

    def alternatives(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Return the column values that mark rows of the type *name*, see :class:`Model`."""
        return self.model.alternatives(name)

    def candidates(self, type_: EntityType, name: str) -> tuple[Property, ...]:
        """Return the properties that *name* may mean on a row of *type_*.

        That of the type itself, or else those of its sub-types: a relation to a base type may
        be left through what only some of its rows have.
        """
        key = (type_.name, name)
        found = self._candidates.get(key)
        if found is None:
            found = self._find_candidates(type_, name)
            # Names that stand for nothing have no end: they are not kept.
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
        """Return the names of all properties that rows of *type_* may have."""
        names = set(type_.properties)
        for other in self.types.values():
            if type_.name in other.bases:
                names.update(other.properties)
        return names


def _same(one: Property, other: Property) -> bool:
    """Return whether both read the same place; how they are described does not matter."""
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return (one.column, one.computed, one.type, one.format) == (
            other.column,
            other.computed,
            other.type,
            other.format,
        )
    return one == other


class Names:
    """The names of one expression, *text*, with the errors that point into it."""

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        self.catalogue = catalogue
        self.text = text

    def fail(self, message: str, position: int) -> ExpressionError:
        """Return the error that says *message* about *position*."""
        return ExpressionError(message, position, self.text)

    def type_(self, name: str, position: int) -> EntityType:
        """Return the type *name*."""
        found = self.catalogue.types.get(name)
        if found is None:
            hint = did_you_mean(name, self.catalogue.types)
            raise self.fail(f"Unknown entity type {name!r}.{hint}", position)
        return found

    def candidates(self, type_: EntityType, part: Part) -> tuple[Property, ...]:
        """Return what *part* may mean on *type_*, at least one property."""
        found = self.catalogue.candidates(type_, part.name)
        if not found:
            hint = did_you_mean(part.name, self.catalogue.names(type_))
            raise self.fail(f"{type_.name} has no attribute {part.name!r}.{hint}", part.position)
        return found

    def relation(self, type_: EntityType, part: Part) -> Relation:
        """Return the relation that *part* means on *type_*."""
        for property_ in self.candidates(type_, part):
            if isinstance(property_, (Reference, Collection)):
                return property_
        raise self.fail(
            f"{part.name!r} of {type_.name} is a plain value, not a relation.", part.position
        )

    def attribute(self, type_: EntityType, part: Part, *, relation: bool = False) -> Property:
        """Return the last property of a path, a scalar rather than a relation if both exist.

        With *relation* a relation rather than a scalar.
        """
        found = self.candidates(type_, part)
        chosen = [one for one in found if isinstance(one, Scalar) is not relation]
        if part.cast is not None and isinstance((chosen or found)[0], Scalar):
            raise self.fail(
                f"{part.name!r} of {type_.name} is a plain value and takes no '[{part.cast}]'.",
                part.cast_position,
            )
        return (chosen or found)[0]

    def target(self, relation: Relation, part: Part) -> EntityType:
        """Return the type that *relation* leads to, narrowed by the cast of *part*."""
        target = self.catalogue.types[relation.target]
        if part.cast is None:
            return target
        cast = self.type_(part.cast, part.cast_position)
        if cast.table != target.table:
            raise self.fail(
                f"{part.name!r} leads to {target.name}, which is never a {cast.name}.",
                part.cast_position,
            )
        return cast

    def narrowed(self, relation: Relation, part: Part) -> Optional[EntityType]:
        """Return the type of the cast of *part*, None without one."""
        return None if part.cast is None else self.target(relation, part)
