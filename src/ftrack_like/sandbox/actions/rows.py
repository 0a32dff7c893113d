"""Create and change rows, and call the hooks of their types."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.actions.filling import fill
from ftrack_like.sandbox.actions.store import Row, key_columns, key_of
from ftrack_like.sandbox.errors import DuplicateEntryError, IntegrityError
from ftrack_like.sandbox.schema.model import EntityType, Model

__all__ = ["change_row", "complete_row", "concrete_type", "make_row"]


def make_row(batch: Batch, type_: EntityType, values: Mapping[str, Any]) -> Row:
    """Return a new row of *type_* with *values* (by column), completed by its hooks.

    Raise :exc:`DuplicateEntryError` if an entity with the same key exists.
    """
    row = dict(values)
    fill(batch, type_, row)
    hooks = batch.hooks_of(type_)
    for one in hooks:
        if one.creating is not None:
            one.creating(batch, type_, row)
    key = tuple([row.get(name) for name in key_columns(type_.table)])
    if batch.store.get(type_.table, key) is not None:
        raise DuplicateEntryError(
            f"DuplicateEntry: there is already {with_article(type_.name)} with the key {list(key)}."
        )
    batch.going.discard((type_.table, key))
    batch.doomed.discard((type_.table, key))
    row = batch.store.insert(type_.table, row)
    batch.made.append((type_, row))
    batch.is_about(type_.table, key)
    batch.origins[type_.table, key] = batch.running
    batch.changes.append(Change("add", type_.name, key, row))
    for one in hooks:
        if one.created is not None:
            one.created(batch, type_, row)
    return row


def change_row(batch: Batch, type_: EntityType, row: Row, values: Mapping[str, Any]) -> None:
    """Set *values* (by column) on *row* of the concrete *type_*, and the values that hooks add.

    Ignore values that the row has already. If none are left, do nothing. Raise
    :exc:`IntegrityError` if a value changes the primary key.
    """
    changes = {name: value for name, value in values.items() if row[name] != value}
    if not changes:
        return
    hooks = batch.hooks_of(type_)
    for one in hooks:
        if one.changing is not None:
            one.changing(batch, type_, row, changes)
    if not changes:
        return
    _refuse_new_key(type_, row, changes)
    old = {name: row[name] for name in changes}
    batch.store.update(type_.table, row, changes)
    key = key_of(type_.table, row)
    batch.origins[type_.table, key] = batch.running
    batch.changes.append(Change("update", type_.name, key, row, old))
    for one in hooks:
        if one.changed is not None:
            one.changed(batch, type_, row, old)


def complete_row(batch: Batch, type_: EntityType, row: Row, values: Mapping[str, Any]) -> None:
    """Set *values* (by column) that the server computed on *row* of *type_*, without hooks."""
    old = {name: row[name] for name, value in values.items() if row[name] != value}
    if old:
        batch.store.update(type_.table, row, values)
        batch.changes.append(Change("update", type_.name, key_of(type_.table, row), row, old))


def concrete_type(batch: Batch, type_: EntityType, row: Row) -> EntityType:
    """Return the concrete type of *row*; *type_* is the type that the client used."""
    columns = _classifier_columns(batch.model, type_.name)
    values = tuple([row[column] for column in columns])
    return _concrete_type(batch.model, type_.name, values)


# The model searches all types for each answer, which is slow for thousands of rows.


@functools.lru_cache(maxsize=4096)
def _classifier_columns(model: Model, type_name: str) -> tuple[str, ...]:
    return model.classifier_columns(type_name)


@functools.lru_cache(maxsize=4096)
def _concrete_type(model: Model, type_name: str, values: tuple[Any, ...]) -> EntityType:
    row = dict(zip(_classifier_columns(model, type_name), values))
    return model.type_of_row(type_name, row)


def _refuse_new_key(type_: EntityType, row: Row, changes: Mapping[str, Any]) -> None:
    moved = [name for name in key_columns(type_.table) if name in changes]
    if moved:
        raise IntegrityError(
            f"The key of {with_article(type_.name)} cannot be changed: {', '.join(moved)} of "
            f"{list(key_of(type_.table, row))}."
        )
