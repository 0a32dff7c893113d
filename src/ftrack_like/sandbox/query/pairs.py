"""Conditions on the entries of a dictionary, such as ``custom_attributes`` and ``metadata``.

``custom_attributes.key is "fstart" and custom_attributes.value is 1`` reads as two conditions that
two entries could meet. Scripts mean one entry, and so does a site. :class:`Pairs` therefore joins
such conditions to one ``custom_attributes any (key is "fstart" and value is 1)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional, Union

from ftrack_like.sandbox.language import And, Compare, Criteria, Part, Path, Some, Within
from ftrack_like.sandbox.query.names import Names
from ftrack_like.sandbox.schema.model import Collection, EntityType

__all__ = ["Pairs"]


@dataclass
class _Entry:
    """Conditions on one entry of the dictionary at the end of *prefix*.

    *place* is the index of the first condition among the operands.
    """

    prefix: tuple[Part, ...]
    place: int
    conditions: list[Union[Compare, Within]]

    def has(self, path: Path) -> bool:
        return any(one.path == path for one in self.conditions)

    def criteria(self) -> Some:
        return Some(Path(self.prefix), "any", And(tuple(self.conditions)))


class Pairs:
    """Joins conditions on one entry of a dictionary. *names* resolves the names of paths."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def join(self, operands: Sequence[Criteria], type_: EntityType) -> list[Criteria]:
        """Return the *operands* of an ``and``, with the conditions on one entry joined.

        The paths begin at *type_*. A second condition on the same attribute begins a new entry:
        two keys belong to two entries.
        """
        joined: list[Optional[Criteria]] = list(operands)
        entries: dict[tuple[Part, ...], list[_Entry]] = {}
        for place, operand in enumerate(operands):
            if not isinstance(operand, (Compare, Within)):
                continue
            length = self._length_to_entry(operand.path.parts, type_)
            if length is None:
                continue
            prefix, inner = operand.path.parts[:length], Path(operand.path.parts[length:])
            known = entries.setdefault(prefix, [])
            if not known or known[-1].has(inner):
                known.append(_Entry(prefix, place, []))
            else:
                joined[place] = None
            known[-1].conditions.append(replace(operand, path=inner))
        for several in entries.values():
            for entry in several:
                if len(entry.conditions) > 1:
                    joined[entry.place] = entry.criteria()
        return [one for one in joined if one is not None]

    def _length_to_entry(self, parts: tuple[Part, ...], type_: EntityType) -> Optional[int]:
        """Return how many of *parts* lead to the entry of a dictionary, None if none do."""
        for length, part in enumerate(parts[:-1], 1):
            relation = self._names.relation(type_, part)
            if isinstance(relation, Collection) and relation.key_value is not None:
                return length
            type_ = self._names.target(relation, part)
        return None
