"""Criteria on attributes that name an entity type, such as ``parent_type`` of a note.

Clients write and read the name of the type: ``AssetVersion``. Criteria compare with the name of
its table instead: ``asset_version``, ``show`` for a project, ``task`` for any other context. The
schema declares both forms as the ``transform`` of the attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, false

from ftrack_like.sandbox.database.sql import Expression, member_of, negation
from ftrack_like.sandbox.language import Operator
from ftrack_like.sandbox.query.operands import Operand
from ftrack_like.sandbox.schema.declare import TYPE_TRANSFORM, snake_case
from ftrack_like.sandbox.schema.model import EntityType, Scalar

__all__ = ["TypeName", "names_type", "table_name"]


def names_type(scalar: Scalar) -> bool:
    """Return whether the values of *scalar* are names of entity types."""
    return scalar.facets.get("transform") == TYPE_TRANSFORM


def table_name(type_: EntityType) -> str:
    """Return the name with which criteria mean *type_*."""
    if type_.table == "context":
        return str(type_.classifier.get("context_type", type_.table))
    # Users and groups share a table here, but not on a site.
    return snake_case(type_.name) if type_.table == "resource" else type_.table


@dataclass(frozen=True)
class TypeName(Operand):
    """The name of an entity type as a value. *types* are all types, by name."""

    types: Mapping[str, EntityType]

    def compare(self, how: Operator, text: str) -> Expression:
        """Return the condition that compares the table of the named type with *text*."""
        if how.pattern is not None:
            pattern = _expression_of(how.pattern(text))
            fitting = [name for name, table in self._tables() if pattern.fullmatch(table)]
        else:
            assert how.test is not None, how
            fitting = [
                name
                for name, table in self._tables()
                if how.test(table, text.lower()) is not how.negated
            ]
        found = self._named(fitting)
        return and_(self.known(), negation(found)) if how.negated else found

    def one_of(self, texts: Sequence[str]) -> Expression:
        """Return the condition that the table of the named type is one of *texts*."""
        wanted = {text.lower() for text in texts}
        return self._named([name for name, table in self._tables() if table in wanted])

    def _tables(self) -> Iterator[tuple[str, str]]:
        return ((name, table_name(type_)) for name, type_ in self.types.items())

    def _named(self, names: Sequence[str]) -> Expression:
        return member_of(self.expression, list(names)) if names else false()


def _expression_of(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for a *pattern* of ``LIKE``."""
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    text = "".join(wild.get(one) or re.escape(one[-1]) for one in pieces)
    return re.compile(text, re.IGNORECASE | re.DOTALL)
