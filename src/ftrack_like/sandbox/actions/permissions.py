"""Check that the calling user may do the operations of a batch.

The *place* of a row is the project or the users to which it belongs
(:mod:`ftrack_like.sandbox.access.places`). A batch can move a row to another place. The user must
have the right to change the row in both places: otherwise, a user could first move a row into their
own project and then change it there. So the server checks an operation twice:

- before it changes a row (:func:`require`);
- when the batch ends and each row has its final place. :func:`check_later` records the check, and
  :func:`check` performs all recorded checks.

The right depends on the *family* of the entity type (:mod:`ftrack_like.sandbox.access.roles`). The
references of a batch may only point at rows that the user sees. For users without restrictions
``batch.rights`` is None, and all checks return at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import sqlalchemy

from ftrack_like._base.words import with_article
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
from ftrack_like.sandbox.schema import MODEL, stock_type
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = [
    "administrators_only",
    "check",
    "check_later",
    "component_data",
    "may",
    "projects_of",
    "require",
    "require_component",
    "require_seen",
    "require_value",
    "seen_rows",
]

#: The attributes that users may change on their own record.
_OWN_RECORD = {"email", "first_name", "last_name", "thumbnail", "thumbnail_id"}

#: How many levels of nested containers to follow when looking for the project of a row.
_DEPTH = 8


def check_later(
    batch: Batch, action: str, type_: EntityType, row: Row, names: Iterable[str] = ()
) -> None:
    """Have :func:`check` test that the user may do *action* to *row*, in its final state.

    *type_* is the concrete type, *names* are the attributes that the client sent. If only
    administrators may change the type, also check now, and raise :exc:`PermissionDeniedError`.
    """
    if batch.rights is None:
        return
    if _family(type_) == "administration":
        _refuse(batch, action, type_, row, names)
    batch.later_checks.append((action, type_, row, tuple(names)))


def require(
    batch: Batch, action: str, type_: EntityType, row: Row, names: Iterable[str] = ()
) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may do *action* to *row*.

    *action* is ``create``, ``update`` or ``delete``. :func:`check_later` explains the other
    arguments.
    """
    if batch.rights is not None:
        _refuse(batch, action, type_, row, names)


def may(
    batch: Batch, action: str, type_: EntityType, place: Optional[tuple[EntityType, Row]]
) -> bool:
    """Return whether the user may do *action* to an entity of *type_*.

    *place* is type and row of this entity if it exists. Otherwise it is the entity to which the new
    one would belong, or None.
    """
    rights = batch.rights
    if rights is None:
        return True
    family = _family(type_)
    if place is not None and (action != "create" or family == "delegated"):
        try:
            _refuse(batch, "update" if family == "delegated" else action, *place, ())
        except PermissionDeniedError:
            return False
        return True
    projects = set() if place is None else _projects(batch, place[0].table, place[1], _DEPTH)
    if not all(map(rights.sees_project, projects)) or family == "administration":
        return False
    return family == "personal" or all(
        rights.allow(action, family, project_id) for project_id in projects or (None,)
    )


def require_seen(batch: Batch) -> None:
    """Raise :exc:`ValidationError` if a reference points at a component that the user cannot see.

    :func:`check` does this for other references, but would be too late here. A component becomes a
    part of the entity that uses it, so the operation itself makes the component visible. Call this
    before the operation changes rows.
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
    """Return whether the rows that use the entity of *one* decide who sees it: a component."""
    return stock_type(one.type_name).table == "component" and one.column == "id"


def _unseen(batch: Batch, one: Existence) -> ValidationError:
    where = batch.references[one][batch.origins[one]]
    error = ValidationError(f"Attribute {where} points at {one.value!r}, which does not exist.")
    batch.blame(error, batch.origins.get(one))
    return error


def require_value(batch: Batch, type_: EntityType, row: Row) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may set the custom attribute of *row*.

    A role of the user must be among the writing roles of the configuration. The user must also be
    allowed to change the entity, as for its other parts.
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
    batch.later_checks.append(("update", type_, row, ()))


def require_component(batch: Batch, action: str, component_id: str) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may do *action* to a component's data.

    *action* may also be ``read``. Clients send the data before they create the component, so any
    user may use an unknown id.
    """
    row = None if batch.rights is None else batch.store.get("component", (component_id,))
    if row is None:
        return
    type_ = concrete_type(batch, MODEL.types["Component"], row)
    if action != "read":
        _refuse(batch, action, type_, row, ())
    elif not seen_rows(batch, type_.table, [row]):
        raise _denied(batch, action, type_.name, "you do not see the entity that it belongs to")


def seen_rows(batch: Batch, table: str, rows: Sequence[Row]) -> list[Row]:
    """Return the *rows* of *table* that the user sees, with few statements."""
    key = key_columns(table)
    if batch.rights is None or not rows or len(key) > 1 or not is_narrowed(table):
        return list(rows)
    seen = _seen(batch, table, key[0], [row[key[0]] for row in rows])
    return [row for row in rows if row[key[0]] in seen]


def check(batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError` if the user lacks a right for the result of *batch*.

    Raise :exc:`ValidationError` if a reference points at a row that the user does not see. The text
    is the same as for a missing row, so that it does not reveal the row.
    """
    if batch.rights is None:
        return
    for action, type_, row, names in batch.later_checks:
        if batch.store.get(type_.table, key_of(type_.table, row)) is not None:
            try:
                _refuse(batch, action, type_, row, names)
            except PermissionDeniedError as error:
                batch.blame(error, batch.origins.get((type_.table, key_of(type_.table, row))))
                raise
    identity.check(batch)
    shared_ids.check(batch)
    wanted: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one, _, _ in batch.standing_references():
        wanted[(one.type_name, one.column)].append(one.value)
    for (type_name, column), values in wanted.items():
        table = stock_type(type_name).table
        seen = _seen(batch, table, column, values) if is_narrowed(table) else values
        for value in values:
            if value not in seen:
                raise _unseen(batch, Existence(type_name, column, value))


def _seen(batch: Batch, table: str, column: str, values: Sequence[Any]) -> set[Any]:
    """Return the *values* of *column* that occur in rows that the user sees."""
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


# Owners, projects and rights


def _refuse(batch: Batch, action: str, type_: EntityType, row: Row, names: Iterable[str]) -> None:
    """Raise :exc:`PermissionDeniedError` if the user may not do *action* to *row*.

    The rules apply in this order:

    1. A user without a role in every project of the row may do nothing.
    2. A part of an entity, such as its metadata, needs the right to change the entity.
    3. Administration is for administrators, but users may change their own record.
    4. Users may do everything with rows that they own, and nothing with other users' personal rows.
    5. Otherwise, a role must allow *action* in each project of the row. Without a project, a
       role anywhere is enough, but the user must see the row to update or delete it.
    """
    rights = batch.rights
    assert rights is not None
    table, family = type_.table, _family(type_)
    projects = _projects(batch, table, row, _DEPTH)
    if not all(map(rights.sees_project, projects)):
        raise _denied(batch, action, type_.name, "you have no role for its project")
    if table in DELEGATES:
        owner = _part_of(batch, table, row)
        if owner is not None:
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
        raise _denied(batch, action, type_.name, "you do not see the entity that it belongs to")


def _family(type_: EntityType) -> str:
    return "delegated" if type_.table in DELEGATES else family_of(type_.name, type_.table)


def _is_own_record(
    rights: Rights, action: str, type_: EntityType, row: Row, names: Iterable[str]
) -> bool:
    """Return whether the user updates the user's own record, and only attributes that users may."""
    if type_.name != "User" or action != "update" or row["id"] != rights.user_id:
        return False
    # Skip collections, which have ``how``: their members have separate checks.
    properties = (type_.properties[name] for name in names)
    return all(one.name in _OWN_RECORD for one in properties if not hasattr(one, "how"))


def _is_own(batch: Batch, rights: Rights, table: str, row: Row) -> bool:
    """Return whether the user owns *row* of *table*, directly or through the row in ``OWNERS``."""
    found: Optional[Row] = row
    while found is not None and table in OWNERS:
        column, other = OWNERS[table]
        if other is None:
            return bool(found[column] == rights.user_id)
        table, found = other, batch.store.get(other, (found[column],))
    return False


def _part_of(batch: Batch, table: str, row: Row) -> Optional[tuple[EntityType, Row]]:
    """Return type and row of the entity of which *row* is a part; None if that does not exist.

    *table* is in ``DELEGATES``.
    """
    id_ = row[DELEGATES[table]]
    found = find_parent(batch, "metadata", id_, row.get("parent_type"))
    if found is not None:
        return batch.model.types[found[0]], found[1]
    other = batch.store.get("list_object", (id_,))
    return None if other is None else (MODEL.types["ListObject"], other)


def projects_of(batch: Batch, table: str, row: Row) -> set[str]:
    """Return the ids of the projects that *row* of *table* belongs to."""
    return _projects(batch, table, row, _DEPTH)


def _projects(batch: Batch, table: str, row: Row, depth: int) -> set[str]:
    """Return the result of :func:`projects_of`, from at most *depth* levels."""
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
    """Return the ids of the projects of the entity *id_*, which may have any type."""
    for table in ANY_PARENT if id_ else ():
        row = batch.store.get(table, (id_,))
        if row is not None:
            return _projects(batch, table, row, depth)
    return set()


def _lacking(rights: Rights, action: str, family: str, project_id: Optional[str]) -> str:
    names = sorted(rights.roles[one] for one in rights.roles_in(project_id))
    roles = " and ".join(map(repr, names)) or "none"
    there = "anywhere" if project_id is None else "in its project"
    return f"you need a role {there} that may {action} {family}; your roles: {roles}"


def _denied(batch: Batch, action: str, type_name: str, missing: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"{batch.context.username!r} may not {action} {with_article(type_name)}: {missing}."
    )


# Rules of actions


def administrators_only(operation: Operation, batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError`. Rules run only for users with limited rights."""
    raise PermissionDeniedError(
        f"{batch.context.username!r} may not {operation['action']}: only an administrator may."
    )


def component_data(operation: Operation, batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may change the data of a component.

    *operation* names the component as ``component_id``.
    """
    batch.settle()
    require_component(batch, "update", str(operation.get("component_id")))
