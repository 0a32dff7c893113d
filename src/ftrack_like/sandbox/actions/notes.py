"""Rules for notes and metadata: their parents, projects, recipients and labels."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.cascade import delete_rows
from ftrack_like.sandbox.actions.rows import change_row, complete_row, make_row
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Collection, EntityType, OneToMany

__all__ = ["HOOKS"]


@functools.cache
def _tables_with(collection: str) -> tuple[str, ...]:
    """Return the tables of the types whose *collection* goes by ``parent_id``."""
    found = {}
    for type_ in MODEL.types.values():
        one = type_.properties.get(collection)
        how = one.how if isinstance(one, Collection) else None
        if isinstance(how, OneToMany) and how.column == "parent_id":
            found[type_.table] = type_.name
    return tuple(found)


@functools.cache
def _widest(table: str) -> str:
    """Return the name of the most general type of *table*; it covers all rows."""
    owners = [one for one in MODEL.types.values() if one.table == table]
    return min(owners, key=lambda one: len(one.bases)).name


def find_parent(
    batch: Batch, collection: str, parent_id: Any, parent_type: Optional[str]
) -> Optional[tuple[str, Row]]:
    """Return type name and row of the entity *parent_id* that has *collection*, or None.

    *parent_type* is the type that the client named. It may be missing or wrong, so it only decides
    which table is searched first.
    """
    said = batch.model.types.get(parent_type or "")
    tables = _tables_with(collection)
    for table in sorted(tables, key=lambda one: said is None or one != said.table):
        row = batch.store.get(table, (parent_id,))
        if row is not None:
            return batch.model.type_of_row(_widest(table), row).name, row
    return None


# Notes


def _created_note(batch: Batch, type_: EntityType, row: Row) -> None:
    # Add the user at the end: a list of recipients that comes with the note would remove the user.
    batch.settle_later(lambda: _receive(batch, row["id"], batch.user_id))
    if not _settle_note(batch, row):
        batch.settle_later(lambda: _settle_note(batch, row))
    if row["category_id"] is not None:
        _label(batch, row["id"], row["category_id"])


def _receive(batch: Batch, note_id: str, resource_id: str) -> bool:
    """Make a resource a recipient of a note, unless the note is gone; return True."""
    if (
        batch.store.get("note", (note_id,)) is not None
        and batch.store.get("recipient", (note_id, resource_id)) is None
    ):
        recipient = MODEL.types["Recipient"]
        make_row(batch, recipient, {"note_id": note_id, "resource_id": resource_id})
    return True


def _settle_note(batch: Batch, row: Row) -> bool:
    """Set parent type and project of the new note *row*; return False if not known yet."""
    values: dict[str, Any] = {}
    if row["in_reply_to_id"] is not None:
        thread = batch.store.get("note", (row["in_reply_to_id"],))
        if thread is None:
            return False
        values["project_id"] = row["project_id"] or thread["project_id"]
        complete_row(batch, MODEL.types["Note"], thread, {"thread_activity": row["date"]})
    elif row["parent_id"] is not None:
        found = find_parent(batch, "notes", row["parent_id"], row["parent_type"])
        if found is None:
            return False
        name, parent = found
        values = {"parent_type": name, "project_id": _project(batch, parent)}
    else:
        return False
    complete_row(batch, MODEL.types["Note"], row, values)
    return True


def _project(batch: Batch, parent: Row) -> Optional[str]:
    if "project_id" in parent:
        return parent["project_id"]  # type: ignore[no-any-return]
    session = batch.store.get("review_session", (parent["review_session_id"],))
    return session["project_id"] if session is not None else None


def _changed_note(batch: Batch, type_: EntityType, row: Row, old: Mapping[str, Any]) -> None:
    if "parent_id" in old or "in_reply_to_id" in old:
        _settle_note(batch, row)
    if "category_id" in old:
        links = batch.store.find("note_label_link", note_id=row["id"], label_id=old["category_id"])
        delete_rows(batch, MODEL.types["NoteLabelLink"], links)
        if row["category_id"] is not None:
            _label(batch, row["id"], row["category_id"])


# Labels: the category of a note is the label of one of its links


def _label(batch: Batch, note_id: str, label_id: str) -> None:
    """Link a note to the label of its category."""
    if batch.store.get("note_label_link", (note_id, label_id)) is None:
        link = MODEL.types["NoteLabelLink"]
        make_row(batch, link, {"note_id": note_id, "label_id": label_id})


def _created_link(batch: Batch, type_: EntityType, row: Row) -> None:
    if not _show_label(batch, row):
        batch.settle_later(lambda: _show_label(batch, row))


def _show_label(batch: Batch, link: Row) -> bool:
    note = batch.store.get("note", (link["note_id"],))
    if note is None:
        return False
    if note["category_id"] is None:
        change_row(batch, MODEL.types["Note"], note, {"category_id": link["label_id"]})
    return True


def _deleting_links(batch: Batch, rows: Sequence[Row]) -> None:
    for link in rows:
        note = batch.store.get("note", (link["note_id"],))
        if note is not None and note["category_id"] == link["label_id"]:
            rest = batch.store.find("note_label_link", note_id=note["id"])
            others = [one["label_id"] for one in rest if one["label_id"] != link["label_id"]]
            left = {"category_id": others[0] if others else None}
            complete_row(batch, MODEL.types["Note"], note, left)


# Metadata


def _created_metadata(batch: Batch, type_: EntityType, row: Row) -> None:
    if not _settle_metadata(batch, row):
        batch.settle_later(lambda: _settle_metadata(batch, row))


def _settle_metadata(batch: Batch, row: Row) -> bool:
    """Set the parent type of *row*; return False if the parent does not exist yet."""
    found = find_parent(batch, "metadata", row["parent_id"], row["parent_type"])
    if found is None:
        return False
    batch.store.update("metadata", row, {"parent_type": found[0]})
    return True


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "Note": (Hooks(created=_created_note, changed=_changed_note),),
    "NoteLabelLink": (Hooks(created=_created_link, deleting=_deleting_links),),
    "Metadata": (Hooks(created=_created_metadata),),
}
