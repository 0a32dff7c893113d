"""Whether the calling user may do what an operation asks for.

An operation is checked before it changes a row (:func:`require`), and once more when the batch
ends and all rows are at their places (:func:`claim`, :func:`check`): a row must be the user's to
change both where it was and where it is now. What a batch says about other rows must point at
rows that the user sees. None of this costs those anything who may do everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.access.places import ANY_PARENT, OWNERS, PLACES
from ftrack_like.sandbox.access.rights import Rights
from ftrack_like.sandbox.access.roles import DELEGATES, family_of
from ftrack_like.sandbox.access.visibility import is_narrowed, visible
from ftrack_like.sandbox.actions import identity, shared_ids
from ftrack_like.sandbox.actions.batch import Batch, Existence, Operation
from ftrack_like.sandbox.actions.notes import find_parent
from ftrack_like.sandbox.actions.rows import concrete_type
from ftrack_like.sandbox.actions.store import Row, chunks, key_columns, key_of
from ftrack_like.sandbox.errors import PermissionDeniedError, ValidationError
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = [
    "administrators_only",
    "check",
    "claim",
    "component_data",
    "require",
    "require_component",
    "require_seen",
    "require_value",
    "seen_rows",
]

#: What users may change of their own record.
_OWN_RECORD = {"email", "first_name", "last_name", "thumbnail", "thumbnail_id"}

#: Containers within containers are followed this far to the project that they belong to.
_DEPTH = 8


def claim(
    batch: Batch, action: str, type_: EntityType, row: Row, names: Iterable[str] = ()
) -> None:
    """Let *batch* end only if its user may do *action* to *row* as it is then.

    *type_* is the concrete one, *names* are the attributes that were sent. Raise
    :exc:`PermissionDeniedError` at once for what nobody but an administrator may do.
    """
    if batch.rights is None:
        return
    if _family(type_) == "administration":
        _refuse(batch, action, type_, row, names)
    batch.claims.append((action, type_, row, tuple(names)))


def require(
    batch: Batch, action: str, type_: EntityType, row: Row, names: Iterable[str] = ()
) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may do *action* to *row*.

    *action* is ``create``, ``update`` or ``delete``; see :func:`claim` for the rest.
    """
    if batch.rights is not None:
        _refuse(batch, action, type_, row, names)


def require_seen(batch: Batch) -> None:
    """Raise :exc:`ValidationError` if an operation points at components that the user sees not.

    To be called before the operation changes rows: using a component makes it a part of what
    uses it, and so would make it seen.
    """
    if batch.rights is None:
        return
    known = batch.notes.setdefault("components seen", set())
    new = [one for one in batch.references if _uses_decide(one) and one not in known]
    known.update(new)
    there = [one for one in new if batch.store.get("component", (one.value,)) is not None]
    if there:
        seen = _seen(batch, "component", "id", [one.value for one in there])
        for one in there:
            if one.value not in seen:
                raise _unseen(batch, one)


def _uses_decide(one: Existence) -> bool:
    return MODEL.types[one.type_name].table == "component" and one.column == "id"


def _unseen(batch: Batch, one: Existence) -> ValidationError:
    error = ValidationError(
        f"Attribute {batch.references[one]} points at {one.value!r}, which does not exist."
    )
    batch.blame(error, batch.origins.get(one))
    return error


def require_value(batch: Batch, type_: EntityType, row: Row) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may set the custom attribute of *row*.

    One of the user's roles must be among those that may write the configuration. Whether the
    entity is the user's to change is looked at as for anything else that is a part of it.
    """
    rights = batch.rights
    if rights is None:
        return
    configuration_id = row["configuration_id"]
    known = batch.notes.setdefault("writing roles", {})
    if configuration_id not in known:
        known[configuration_id] = batch.store.values(
            "custom_attribute_write_role", "role_id", configuration_id=configuration_id
        )
    if not rights.roles.keys() & known[configuration_id]:
        raise _denied(
            batch, "update", type_.name, "none of your roles may write this custom attribute"
        )
    if _part_of(batch, type_.table, row) is not None:
        _refuse(batch, "update", type_, row, ())
    batch.claims.append(("update", type_, row, ()))


def require_component(batch: Batch, action: str, component_id: str) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may do *action* to a component's data.

    *action* may also be ``read``. Data come before their component: an unknown id is anybody's.
    """
    row = None if batch.rights is None else batch.store.get("component", (component_id,))
    if row is None:
        return
    type_ = concrete_type(batch, MODEL.types["Component"], row)
    if action != "read":
        _refuse(batch, action, type_, row, ())
    elif not seen_rows(batch, type_.table, [row]):
        raise _denied(batch, action, type_.name, "you do not see what it belongs to")


def seen_rows(batch: Batch, table: str, rows: Sequence[Row]) -> list[Row]:
    """Return those of *rows* of *table* that the user sees, by one statement for many."""
    key = key_columns(table)
    if batch.rights is None or not rows or len(key) > 1 or not is_narrowed(table):
        return list(rows)
    seen = _seen(batch, table, key[0], [row[key[0]] for row in rows])
    return [row for row in rows if row[key[0]] in seen]


def check(batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError` if *batch* leaves what its user may not do.

    Raise :exc:`ValidationError` if it points at what the user does not see, in the words for
    what does not exist.
    """
    if batch.rights is None:
        return
    for action, type_, row, names in batch.claims:
        if batch.store.get(type_.table, key_of(type_.table, row)) is not None:
            try:
                _refuse(batch, action, type_, row, names)
            except PermissionDeniedError as error:
                batch.blame(error, batch.origins.get((type_.table, key_of(type_.table, row))))
                raise
    identity.check(batch)
    shared_ids.check(batch)
    wanted: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one in batch.references:
        wanted[(one.type_name, one.column)].append(one.value)
    for (type_name, column), values in wanted.items():
        table = MODEL.types[type_name].table
        seen = _seen(batch, table, column, values) if is_narrowed(table) else values
        for value in values:
            if value not in seen:
                raise _unseen(batch, Existence(type_name, column, value))


def _seen(batch: Batch, table: str, column: str, values: Sequence[Any]) -> set[Any]:
    """Return those of *values* of *column* that rows have which the user sees."""
    rights = batch.rights
    assert rights is not None
    columns = TABLES[table].c
    found: set[Any] = set()
    for some in chunks(values):
        statement = sqlalchemy.select(columns[column]).where(
            columns[column].in_(some), visible(TABLES, table, dict(columns.items()))
        )
        found.update(batch.store.execute(statement, rights.parameters).scalars())
    return found


# Whose a row is


def _refuse(batch: Batch, action: str, type_: EntityType, row: Row, names: Iterable[str]) -> None:
    """Raise :exc:`PermissionDeniedError` if the user may not do *action* to *row*."""
    rights = batch.rights
    assert rights is not None
    table, family = type_.table, _family(type_)
    projects = _projects(batch, table, row, _DEPTH)
    if not all(map(rights.sees_project, projects)):
        raise _denied(batch, action, type_.name, "you have no role for its project")
    if table in DELEGATES:
        owner = _part_of(batch, table, row)
        if owner is not None:
            # What is a part of an entity is written by changing that.
            _refuse(batch, "update", *owner, ())
            return
    if family == "administration":
        if not _is_own_record(rights, action, type_, row, names):
            raise _denied(batch, action, type_.name, "only an administrator may")
        return
    if _is_own(batch, rights, table, row):
        return
    if family == "personal":
        raise _denied(batch, action, type_.name, "it is another user's")
    for project_id in projects or (None,):
        if not rights.allow(action, family, project_id):
            raise _denied(batch, action, type_.name, _lacking(rights, action, family, project_id))
    if not projects and action != "create" and not seen_rows(batch, table, [row]):
        raise _denied(batch, action, type_.name, "you do not see what it belongs to")


def _family(type_: EntityType) -> str:
    return "delegated" if type_.table in DELEGATES else family_of(type_.name, type_.table)


def _is_own_record(
    rights: Rights, action: str, type_: EntityType, row: Row, names: Iterable[str]
) -> bool:
    """Return whether *row* is the user's own record, changed where a user may."""
    if type_.name != "User" or action != "update" or row["id"] != rights.user_id:
        return False
    # Members of a collection are looked at one by one.
    properties = (type_.properties[name] for name in names)
    return all(one.name in _OWN_RECORD for one in properties if not hasattr(one, "how"))


def _is_own(batch: Batch, rights: Rights, table: str, row: Row) -> bool:
    found: Optional[Row] = row
    while found is not None and table in OWNERS:
        column, other = OWNERS[table]
        if other is None:
            return bool(found[column] == rights.user_id)
        table, found = other, batch.store.get(other, (found[column],))
    return False


def _part_of(batch: Batch, table: str, row: Row) -> Optional[tuple[EntityType, Row]]:
    """Return type and row of the entity that *row* of *table* is a part of, if it is there."""
    id_ = row[DELEGATES[table]]
    found = find_parent(batch, "metadata", id_, row.get("parent_type"))
    if found is not None:
        return MODEL.types[found[0]], found[1]
    other = batch.store.get("list_object", (id_,))
    return None if other is None else (MODEL.types["ListObject"], other)


def _projects(batch: Batch, table: str, row: Row, depth: int) -> set[str]:
    """Return the ids of the projects that *row* of *table* belongs to."""
    place = PLACES.get(table)
    if place is None or depth == 0:
        return set()
    found = {row[place.project]} if place.project and row[place.project] else set()
    for column, other in place.through:
        above = batch.store.get(other, (row[column],)) if row.get(column) else None
        if above is not None:
            found |= _projects(batch, other, above, depth - 1)
    for column in place.anything:
        found |= _projects_of_anything(batch, row.get(column), depth - 1)
    return found


def _projects_of_anything(batch: Batch, id_: Optional[str], depth: int) -> set[str]:
    """Return the ids of the projects of the entity *id_*, of whatever type it is."""
    for table in ANY_PARENT if id_ else ():
        row = batch.store.get(table, (id_,))
        if row is not None:
            return _projects(batch, table, row, depth)
    return set()


def _lacking(rights: Rights, action: str, family: str, project_id: Optional[str]) -> str:
    names = sorted(rights.roles[one] for one in rights.roles_in(project_id))
    roles = " and ".join(map(repr, names)) or "none"
    there = "anywhere" if project_id is None else "in its project"
    return f"it takes a role {there} that may {action} {family}, yours: {roles}"


def _denied(batch: Batch, action: str, type_name: str, missing: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"{batch.context.username!r} may not {action} a {type_name}: {missing}."
    )


# Rules of actions


def administrators_only(operation: Operation, batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError`: a user with limited rights is not an administrator."""
    raise PermissionDeniedError(
        f"{batch.context.username!r} may not {operation['action']}: only an administrator may."
    )


def component_data(operation: Operation, batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may change the ``component_id``'s data."""
    batch.settle()
    require_component(batch, "update", str(operation.get("component_id")))
