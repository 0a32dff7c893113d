"""Load the attributes that a query selects, over all its relations.

The loader runs one statement for each relation of a page, never one for each row. It works level by
level: it makes records from the rows of the query, collects the keys in all of these rows, loads
the rows with these keys, and so on.

An entity has one record, even if several paths lead to it. In the answer the record appears in full
once, at its first place in the text. The later places contain only its key. Otherwise entities that
refer to each other would make the answer infinite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.query.names import Catalogue
from ftrack_like.sandbox.query.plans import (
    MAXIMUM_MEMBERS,
    MemberRows,
    QueryPlan,
    TypePlan,
    members_plan,
)

__all__ = ["MAXIMUM_DEPTH", "RecordLoader", "TooManyRowsError"]

#: How many records may be inside each other, unless a record has no other place. Tasks that depend
#: on each other form long chains, and clients cannot read text of any depth: the published Python
#: client fails at 200 folders inside each other.
MAXIMUM_DEPTH = 64


class TooManyRowsError(Exception):
    """A page leads to more rows than the loader may have in memory."""


class _Record:
    """An entity of the answer.

    *data* contains its values, *links* the records (or lists of records) to which its relations
    lead. *reference* contains only the key. *placed* is true when the answer contains *data*.
    """

    __slots__ = ("data", "links", "placed", "reference")

    def __init__(self, reference: dict[str, Any]) -> None:
        self.reference = reference
        self.data = dict(reference)
        self.links: dict[str, Any] = {}
        self.placed = False


#: The owners whose members are not loaded yet: their record, the name of the attribute, and the
#: values that the members must match.
_Waiting = dict[MemberRows, list[tuple[_Record, str, tuple[Any, ...]]]]


class RecordLoader:
    """Loads the records of an answer. Use each instance once."""

    def __init__(
        self, connection: Connection, catalogue: Catalogue, context: RequestContext
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._context = context
        self._records: dict[tuple[Any, ...], _Record] = {}

    def load(self, plan: QueryPlan, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Return JSON records for *rows* of *plan*, with the related records inside.

        Raise :exc:`TooManyRowsError` if a relation leads to too many rows.
        """
        waiting: _Waiting = {}
        roots = self._read(plan, rows, waiting)
        while waiting:
            deeper: _Waiting = {}
            for members, owners in waiting.items():
                self._follow(members, owners, deeper)
            waiting = deeper
        return _Placing().place(roots)

    # -- rows to records --------------------------------------------------------------

    def _read(self, plan: QueryPlan, rows: Sequence[Any], waiting: _Waiting) -> list[_Record]:
        """Return the records for *rows*, and add to *waiting* the relations to load for them."""
        found = []
        gathering: dict[Any, list[tuple[_Record, str, Any]]] = {}
        for row in rows:
            type_plan = plan.type_plan(row)
            record = self._record(type_plan, row)
            found.append(record)
            for name, place, computation in type_plan.gathered:
                gathering.setdefault(computation, []).append((record, name, row[place]))
            for relation in type_plan.relations:
                keys = tuple([row[place] for place in relation.places])
                if None in keys:
                    single = relation.members.way == "reference"
                    record.links[relation.name] = None if single else []
                else:
                    waiting.setdefault(relation.members, []).append((record, relation.name, keys))
        for computation, wanted in gathering.items():
            self._gather(computation, wanted)
        return found

    def _record(self, plan: TypePlan, row: Any) -> _Record:
        """Return the record for the entity of *row*, updated with the values in *row*."""
        key = (plan.type_.name, *[row[place] for _, place in plan.key])
        record = self._records.get(key)
        if record is None:
            reference = {"__entity_type__": plan.type_.name}
            reference.update({name: row[place] for name, place in plan.key})
            record = self._records[key] = _Record(reference)
        data = record.data
        for name, place, converter in plan.fields:
            data[name] = row[place] if converter is None else converter(row[place])
        for name, places, computation in plan.finished:
            parts = tuple([row[place] for place in places])
            assert computation.finish is not None
            data[name] = computation.finish(parts, self._context)
        return record

    def _gather(self, computation: Any, wanted: list[tuple[_Record, str, Any]]) -> None:
        keys = list(dict.fromkeys(key for _, _, key in wanted))
        found = computation.gather(self._connection, self._catalogue, keys)
        for record, name, key in wanted:
            record.data[name] = found.get(key, [])

    # -- relations --------------------------------------------------------------------

    def _follow(
        self,
        members: MemberRows,
        owners: list[tuple[_Record, str, tuple[Any, ...]]],
        waiting: _Waiting,
    ) -> None:
        """Load *members* for all *owners* with one statement, and link them."""
        plan = members_plan(self._catalogue, members)
        assert plan.statement is not None
        keys = list(dict.fromkeys(values[0] for _, _, values in owners))
        parameters = {"keys": keys, **self._context.parameters}
        rows = self._connection.execute(plan.statement, parameters).all()
        if len(rows) > MAXIMUM_MEMBERS:
            raise TooManyRowsError(
                f"{members.name!r} leads to more than {MAXIMUM_MEMBERS:,} entities at once."
            )
        records = self._read(plan, rows, waiting)
        by_owner: dict[tuple[Any, ...], list[_Record]] = {}
        for row, record in zip(rows, records):
            by_owner.setdefault(tuple([row[place] for place in plan.owner]), []).append(record)
        single = members.way == "reference"
        for owner, name, values in owners:
            found = by_owner.get(values, [])
            owner.links[name] = (found[0] if found else None) if single else found


class _Placing:
    """Puts the records of an answer inside each other.

    The search is depth-first, in the order of the text of the answer. So the first place of a
    record in this text contains the record in full. Clients keep what they read first.
    """

    def __init__(self) -> None:
        #: References that stand deeper than `MAXIMUM_DEPTH`, with the record of each.
        self._cut: list[tuple[dict[str, Any], _Record]] = []

    def place(self, roots: Iterable[_Record]) -> list[dict[str, Any]]:
        """Return the JSON records for *roots*, with the related records inside."""
        top = [self._placed(record, MAXIMUM_DEPTH) for record in roots]
        # A record that has no other place must be in full at its first deep place after all. The
        # list grows in this loop.
        for reference, record in self._cut:
            if not record.placed:
                record.placed = True
                self._fill(record, 0)
                reference.update(record.data)
        return top

    def _placed(self, record: _Record, depth: int) -> dict[str, Any]:
        if record.placed:
            return dict(record.reference)
        if not depth:
            reference = dict(record.reference)
            self._cut.append((reference, record))
            return reference
        record.placed = True
        if record.links:
            self._fill(record, depth - 1)
        return record.data

    def _fill(self, record: _Record, depth: int) -> None:
        """Put the related records of *record* inside its data."""
        data = record.data
        for name, linked in record.links.items():
            if linked is None:
                data[name] = None
            elif isinstance(linked, list):
                data[name] = [self._placed(one, depth) for one in linked]
            else:
                data[name] = self._placed(linked, depth)
