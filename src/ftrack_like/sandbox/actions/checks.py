"""Checks of the data when a batch ends; during the batch, the data may be incomplete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.actions.attributes import fits
from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.store import Row, chunks, key_columns, key_of
from ftrack_like.sandbox.errors import DuplicateEntryError, SandboxError, ValidationError
from ftrack_like.sandbox.schema.model import EntityType, Scalar

__all__ = ["check"]

#: The schema requires these, but a site does not: users who never log in have no user name, and
#: review sessions without an end stay open.
_MAY_BE_EMPTY = {("ReviewSession", "end_date"), ("User", "username")}

#: The schema requires these of all contexts, but the flags of an object type can rule them out.
_BY_FLAGS = frozenset({"priority_id", "status_id", "type_id"})


def check(batch: Batch) -> None:
    """Validate the data after *batch*.

    Raise :exc:`ValidationError` for a missing value or a broken reference, and
    :exc:`DuplicateEntryError` for a name that is taken.
    """
    _check_places(batch)
    # Before the required attributes, because a missing parent also leaves attributes empty that
    # follow from the parent.
    _check_references(batch)
    for type_, row in batch.made:
        if batch.store.get(type_.table, key_of(type_.table, row)) is row:
            _check_required(batch, type_, row)
    for type_, row, name, column in batch.emptied:
        if row[column] is None and batch.store.get(type_.table, key_of(type_.table, row)) is row:
            text = f"Attribute {name!r} of {type_.name} needs a value; it has none."
            raise _blamed(batch, type_.table, row, ValidationError(text))
    _check_names(batch)


def _blamed(batch: Batch, table: str, row: Row, error: SandboxError) -> SandboxError:
    """Return *error*, assigned to the operation that last touched *row* of *table*."""
    return batch.blame(error, batch.origins.get((table, key_of(table, row))))


def _check_required(batch: Batch, type_: EntityType, row: Row) -> None:
    missing = [name for name, column in required_columns(type_) if row[column] is None]
    if missing:
        names = ", ".join(map(repr, missing))
        text = (
            f"{type_.name} {_name(type_, row)} lacks the required attribute"
            f"{'s' if len(missing) > 1 else ''} {names}."
        )
        raise _blamed(batch, type_.table, row, ValidationError(text))


def required_columns(type_: EntityType) -> Iterator[tuple[str, str]]:
    """Yield name and column of the attributes that an entity of *type_* must have."""
    for name in type_.required:
        property_ = type_.properties.get(name)
        if (
            isinstance(property_, Scalar)
            and property_.column is not None
            and (type_.name, name) not in _MAY_BE_EMPTY
            and not (name in _BY_FLAGS and name in type_.immutable)
        ):
            yield name, property_.column


def _name(type_: EntityType, row: Row) -> str:
    """Return the name of *row* for an error."""
    return repr(row.get("name") or ", ".join(str(part) for part in key_of(type_.table, row)))


# References


def _check_references(batch: Batch) -> None:
    """Raise :exc:`ValidationError` if a reference points at a missing entity."""
    wanted: dict[tuple[str, str], dict[Any, tuple[Optional[int], str]]] = defaultdict(dict)
    for one, origin, where in batch.standing_references():
        wanted[(one.type_name, one.column)][one.value] = origin, where
    for (type_name, column), places in wanted.items():
        type_ = batch.entity_type(type_name)
        found = _rows_with(batch, type_, column, list(places))
        for value, (origin, where) in places.items():
            row = found.get(value)
            if row is None or not fits(batch, type_, row):
                text = f"Attribute {where} points at {value!r}, {_but(type_, row)}."
                raise batch.blame(ValidationError(text), origin)


def _rows_with(
    batch: Batch, type_: EntityType, column: str, values: Sequence[Any]
) -> dict[Any, Row]:
    """Return the rows of *type_*'s table with one of *values* in *column*, by that value."""
    if (column,) == key_columns(type_.table):
        batch.store.prefetch(type_.table, [(value,) for value in values])
        rows = {value: batch.store.get(type_.table, (value,)) for value in values}
        return {value: row for value, row in rows.items() if row is not None}
    return {
        row[column]: row
        for some in chunks(values)
        for row in batch.store.find(type_.table, **{column: list(some)})
    }


def _but(type_: EntityType, row: Optional[Row]) -> str:
    return "which does not exist" if row is None else f"which is not {with_article(type_.name)}"


# Places and names


def _check_places(batch: Batch) -> None:
    """Raise :exc:`ValidationError` if a context has no name or no parent."""
    for row in _placed(batch):
        if not (row["name"] or "").strip():
            text = "A context needs a name: attribute 'name' is empty."
            raise _blamed(batch, "context", row, ValidationError(text))
        if row["parent_id"] is None and row["context_type"] != "show":
            text = (
                f"{row['name']!r} lacks the required attribute 'parent': only a project has none."
            )
            raise _blamed(batch, "context", row, ValidationError(text))


def _placed(batch: Batch) -> list[Row]:
    """Return the contexts with a new place or name that still exist."""
    return [row for key, row in batch.placed.items() if batch.store.get("context", (key,)) is row]


def _check_names(batch: Batch) -> None:
    """Raise :exc:`DuplicateEntryError` if two contexts under one parent share a name."""
    by_place: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in _placed(batch):
        place = "parent_id" if row["parent_id"] is not None else "context_type"
        by_place[(place, row[place])].add(row["name"])
    for (place, value), names in by_place.items():
        for some in chunks(sorted(names)):
            found = batch.store.find_named("context", "name", some, **{place: value})
            _refuse_twins(batch, found, place)


def _refuse_twins(batch: Batch, rows: list[Row], place: str) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        name = row["name"] or ""
        other = seen.setdefault(name.lower(), row)
        if other is not row:
            # One of the two may be older than the batch, so blame the later one.
            last = max(other, row, key=lambda one: _origin(batch, one))
            among = "among projects" if place == "context_type" else "under one parent"
            text = f"DuplicateEntry: the name {name!r} is taken; a name is unique {among}."
            raise _blamed(batch, "context", last, DuplicateEntryError(text))


def _origin(batch: Batch, row: Row) -> int:
    """Return the index of the operation that placed the context *row*, -1 if none did."""
    origin = batch.origins.get(("context", key_of("context", row)))
    return -1 if origin is None else origin
