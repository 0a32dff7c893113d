"""Loading what a query selects: one statement for each relation of a page, never one for a row.

Rows become :class:`Record` values, one for each entity whichever way it was reached; relations
are followed level by level for all records at once. At the end the records become what
travels, each in full at the place nearest to the top and as a reference elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.query.names import Catalogue
from ftrack_like.sandbox.query.plans import (
    MAXIMUM_MEMBERS,
    Members,
    QueryPlan,
    TypePlan,
    members_plan,
)

__all__ = ["RecordLoader", "TooManyRowsError"]


class TooManyRowsError(Exception):
    """A page leads to more rows than may be held at once."""


class _Record:
    """An entity on its way out: plain values in *data*, records that it leads to in *links*."""

    __slots__ = ("data", "links", "placed", "reference")

    def __init__(self, reference: dict[str, Any]) -> None:
        self.reference = reference
        self.data = dict(reference)
        self.links: dict[str, Any] = {}
        self.placed = False


#: Owners that wait for members: the record, the name, and the values that members match.
_Waiting = dict[Members, list[tuple[_Record, str, tuple[Any, ...]]]]


class RecordLoader:
    """Loads the records of one answer over *connection*, on behalf of *context*."""

    def __init__(
        self, connection: Connection, catalogue: Catalogue, context: RequestContext
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._context = context
        self._records: dict[tuple[Any, ...], _Record] = {}

    def load(self, plan: QueryPlan, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Return *rows*, read by *plan*, and all that they lead to as they travel."""
        waiting: _Waiting = {}
        roots = self._read(plan, rows, waiting)
        while waiting:
            deeper: _Waiting = {}
            for members, owners in waiting.items():
                self._follow(members, owners, deeper)
            waiting = deeper
        return _place(roots)

    # -- rows to records --------------------------------------------------------------

    def _read(self, plan: QueryPlan, rows: Sequence[Any], waiting: _Waiting) -> list[_Record]:
        """Return the records of *rows*, and note in *waiting* what they lead to."""
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
        """Return the record of *row*'s entity with what *row* tells of it."""
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
        members: Members,
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


def _place(roots: Iterable[_Record]) -> list[dict[str, Any]]:
    """Return *roots* as they travel, with the records that they lead to inside them.

    A record stands in full where it is nearest to the top, so that what travels is never nested
    deeper than the paths that were selected.
    """
    queue: deque[_Record] = deque()

    def place(record: _Record) -> dict[str, Any]:
        if record.placed:
            return dict(record.reference)
        record.placed = True
        queue.append(record)
        return record.data

    top = [place(record) for record in roots]
    while queue:
        record = queue.popleft()
        for name, linked in record.links.items():
            if isinstance(linked, list):
                record.data[name] = [place(one) for one in linked]
            else:
                record.data[name] = None if linked is None else place(linked)
    return top
