"""Follow the paths of an expression from a row over relations to values."""

from __future__ import annotations

from typing import Optional

from sqlalchemy import FromClause, Integer, cast, func, select

from ftrack_like.sandbox.database.sql import Expression
from ftrack_like.sandbox.language import Part, Path
from ftrack_like.sandbox.query import custom_attributes
from ftrack_like.sandbox.query.computed import COMPUTATIONS
from ftrack_like.sandbox.query.names import Catalogue, Names, Relation
from ftrack_like.sandbox.query.operands import Operand
from ftrack_like.sandbox.query.sources import (
    RowSource,
    Step,
    collection_step,
    fits_type,
    table_source,
)
from ftrack_like.sandbox.query.type_names import TypeName, names_type
from ftrack_like.sandbox.schema.model import (
    Collection,
    Derived,
    EntityType,
    Property,
    Reference,
    Scalar,
)
from ftrack_like.sandbox.tables.values import kind_of

__all__ = ["MAXIMUM_STEPS", "Paths"]

#: The most relations and inner queries in one expression. Each adds tables to the statement, with
#: the conditions for the rights of the user: up to 0.3 MiB of memory and 10 ms.
MAXIMUM_STEPS = 500


class Paths:
    """Makes the sources, steps and values for the paths of an expression.

    *names* resolves the names, and its errors point into the expression.
    """

    def __init__(self, names: Names) -> None:
        self.names: Names = names
        self.catalogue: Catalogue = names.catalogue
        #: The number of relations and inner queries so far.
        self.steps: int = 0

    def count_step(self, position: int) -> None:
        """Count a relation or an inner query at *position*; raise an error beyond the maximum."""
        self.steps += 1
        if self.steps > MAXIMUM_STEPS:
            raise self.names.fail(
                f"The expression leads over more than {MAXIMUM_STEPS} relations and inner "
                "queries. Send several shorter ones.",
                position,
            )

    def any_row(self, type_: EntityType, *, has_hidden: bool = False) -> RowSource:
        """Return a source for all rows of *type_*. Its conditions exclude rows of other types.

        See :func:`~ftrack_like.sandbox.query.sources.table_source` for *has_hidden*.
        """
        if custom_attributes.is_dense(type_):
            return custom_attributes.all_values(self.catalogue, type_)
        source = table_source(self.catalogue, type_, has_hidden=has_hidden)
        condition = fits_type(self.catalogue, source, type_)
        if condition is None:
            return source
        return RowSource(type_, source.from_, source.columns, (condition, *source.conditions))

    # -- steps ------------------------------------------------------------------------

    def step(self, owner: RowSource, part: Part) -> tuple[Relation, Step]:
        """Return the relation that *part* means for *owner*, and the step over this relation."""
        self.count_step(part.position)
        relation = self.names.relation(owner.type_, part)
        cast = self.names.narrowed(relation, part)
        if isinstance(relation, Reference):
            return relation, self._reference_step(owner, relation, cast)
        return relation, self._collection_step(owner, relation, cast)

    def _reference_step(
        self, owner: RowSource, reference: Reference, cast: Optional[EntityType]
    ) -> Step:
        # A key always refers to a row of the target type, so only a cast needs a condition.
        target = (
            self.any_row(cast)
            if cast
            else table_source(self.catalogue, self.catalogue.types[reference.target])
        )
        also = tuple(
            target.column(theirs) == owner.column(ours) for theirs, ours in reference.also.items()
        )
        own = self.key(owner, reference)
        other = target.column(reference.target_column)
        return Step(target, target.from_, own, other, also, correlated=bool(also))

    def _collection_step(
        self, owner: RowSource, collection: Collection, cast: Optional[EntityType]
    ) -> Step:
        type_ = cast or self.catalogue.types[collection.target]
        if isinstance(collection.how, Derived):
            return custom_attributes.values_of(self.catalogue, owner, type_)
        return collection_step(self.catalogue, owner, collection, self.any_row(type_))

    # -- values -----------------------------------------------------------------------

    def key(self, owner: RowSource, reference: Reference) -> Expression:
        """Return the expression of the id in *reference*."""
        if reference.computed is not None:
            return COMPUTATIONS[reference.computed].expression(self.catalogue, owner)
        assert reference.column is not None
        return owner.column(reference.column)

    def operand(self, owner: RowSource, property_: Property) -> Operand:
        """Return the value of a scalar, or the id of a reference, as an operand."""
        if isinstance(property_, Reference):
            key = self.key(owner, property_)
            return Operand(key, "number" if isinstance(key.type, Integer) else "key")
        assert isinstance(property_, Scalar)
        if property_.computed is not None:
            computation = COMPUTATIONS[property_.computed]
            if computation.kind == "variable":
                return custom_attributes.operand(self.catalogue, owner)
            return Operand(computation.expression(self.catalogue, owner), computation.kind)
        assert property_.column is not None
        column = owner.column(property_.column)
        if names_type(property_):
            return TypeName(column, "text", self.catalogue.types)
        return Operand(column, kind_of(property_))

    def key_only(self, owner: RowSource, parts: tuple[Part, ...]) -> Optional[RowSource]:
        """Return a source for *parts* such as ``status.id`` that needs no join, or None.

        The owner's row already contains the id of the target. The source has only this column.
        """
        if len(parts) != 2 or parts[0].cast is not None:
            return None
        relation = self.names.any_relation(owner.type_, parts[0])
        if not isinstance(relation, Reference) or relation.also:
            return None
        target = self.catalogue.types[relation.target]
        if parts[1].name not in target.properties:
            return None
        property_ = self.names.attribute(target, parts[1])
        if not isinstance(property_, Scalar) or property_.column != relation.target_column:
            return None
        return RowSource(target, owner.from_, {relation.target_column: self.key(owner, relation)})

    def sortable(self, owner: RowSource, path: Path, *, descending: bool = False) -> Operand:
        """Return one value of *path* for each owner, by which to sort or group.

        It is NULL if a relation is empty. If a collection leads to several values, it is the
        smallest, or the largest if *descending*.
        """
        return self._sortable(owner, path.parts, descending)

    def is_single(self, type_: EntityType, path: Path) -> bool:
        """Return whether *path* from *type_* leads only over references, to one value."""
        for part in path.parts[:-1]:
            relation = self.names.relation(type_, part)
            if isinstance(relation, Collection):
                return False
            type_ = self.names.target(relation, part)
        return True

    def joined(self, owner: RowSource, path: Path, from_: FromClause) -> tuple[Operand, FromClause]:
        """Return the value of :meth:`sortable`, and *from_* joined with the rows on the way.

        A path over references needs no sub-query for each row then. Each owner stays one row.
        """
        parts = path.parts
        target, steps = owner, []
        while len(parts) > 1 and self.key_only(target, parts) is None:
            relation, step = self.step(target, parts[0])
            if not isinstance(relation, Reference) or relation.computed is not None:
                return self.sortable(owner, path), from_
            steps.append(step)
            target, parts = step.target, parts[1:]
        direct = self.key_only(target, parts)
        property_ = self.names.attribute((direct or target).type_, parts[-1])
        if not isinstance(property_, Scalar) or property_.computed is not None:
            return self.sortable(owner, path), from_
        for step in steps:
            from_ = from_.outerjoin(step.from_, step.joined())
        return self.final(direct or target, parts[-1]), from_

    def own_columns(self, owner: RowSource, path: Path) -> Optional[set[str]]:
        """Return the columns of *owner* that decide the value of *path*.

        Return None if anything else than these columns decides it, such as the key of *owner*.
        """
        if not self.is_single(owner.type_, path):
            return None
        part = path.parts[0]
        property_ = self.names.attribute(owner.type_, part, relation=len(path.parts) > 1)
        if not isinstance(property_, (Reference, Scalar)) or property_.computed is not None:
            return None
        if property_.column is None or property_.column not in owner.columns:
            return None
        also = property_.also.values() if isinstance(property_, Reference) else ()
        return {property_.column, *also}

    def _sortable(self, owner: RowSource, parts: tuple[Part, ...], descending: bool) -> Operand:
        if len(parts) == 1:
            return self.final(owner, parts[0])
        direct = self.key_only(owner, parts)
        if direct is not None:
            return self.final(direct, parts[1])
        relation, step = self.step(owner, parts[0])
        inner = self._sortable(step.target, parts[1:], descending)
        chosen = inner.expression
        if not isinstance(relation, Collection):
            statement = select(chosen).select_from(step.from_).where(step.joined())
        elif isinstance(relation.how, Derived):
            # An aggregate function fails here: such a value may contain columns of the owner, and
            # SQL would then compute the aggregate over all owners.
            value = chosen.label("value")
            key = value.desc() if descending else value.asc()
            statement = select(value).select_from(step.from_).where(step.joined())
            statement = statement.order_by(key.nulls_last()).limit(1)
        else:
            if inner.kind == "boolean":
                # PostgreSQL has no min() and max() for booleans.
                chosen = cast(chosen, Integer())
            first = func.max(chosen) if descending else func.min(chosen)
            statement = select(first).select_from(step.from_).where(step.joined())
        return Operand(statement.scalar_subquery(), inner.kind)

    def final(self, owner: RowSource, part: Part) -> Operand:
        """Return the value of the last *part* of a path. It must not be a collection."""
        property_ = self.names.attribute(owner.type_, part)
        if isinstance(property_, Collection):
            raise self.names.fail(
                f"{part.name!r} of {owner.type_.name} is a collection. Name an attribute of its "
                f"members, such as {part.name}.id.",
                part.position,
            )
        return self.operand(owner, property_)
