"""Plans for people: the pending changes of a session, with names in place of ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ftrack_like._base.collaborators import identity_map_of
from ftrack_like.cli._entities import identifying, schema_of, shown_name

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like._session.planned_changes import PlannedChange
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["plan_of"]


def plan_of(session: Session, more: Mapping[str, str] | None = None) -> str:
    """Return the pending changes of *session*, a line each, and a line with their counts.

    *more* maps the id of a deleted entity to words for what goes with it.
    """
    changes = session.pending()
    if not changes:
        return str(changes)
    found = _referenced(session, changes)
    lines = [_change_line(session, each, found, more or {}) for each in changes]
    return "\n".join([*lines, *str(changes).splitlines()[len(changes) :]])


def _change_line(
    session: Session,
    change: PlannedChange,
    found: Mapping[tuple[str, str], Entity],
    more: Mapping[str, str],
) -> str:
    """Return *change* as one line. *found* are the entities that its ids refer to."""
    values = _with_names(session, change.entity_type, change.values, found)
    old = _with_names(session, change.entity_type, change.old_values, found)
    key = ",".join(map(str, change.entity_key.values()))
    named = change._replace(values=values, old_values=old)
    words = [change.action, change.entity_type]
    # Many contexts have the same name, so a path is better.
    entity = identity_map_of(session).find(change.entity_type, list(change.entity_key.values()))
    path = entity is not None and change.action != "create" and entity.remote_values.get("link")
    if entity is not None and isinstance(path, list):
        words.append(shown_name(entity))
    elif change.name:
        words.append(repr(change.name))
    words += [f"of {change.owner}"] if change.owner else []
    # A new entity has another id when the command runs without --dry-run. The value of a custom
    # attribute has the id of its owner.
    words += [f"({key})"] if change.action != "create" and not change.owner else []
    shown = [each for each in named.assignments() if each != f"name = {change.name!r}"]
    text = " ".join(words) + (f": {', '.join(shown)}" if shown else "")
    return f"{text} and with it {more[key]}" if more.get(key) else text


def _referenced(
    session: Session, changes: Iterable[PlannedChange]
) -> dict[tuple[str, str], Entity]:
    """Return the entities to which ids in *changes* refer, by type and id, with their names.

    One query for each type loads them.
    """
    from ftrack_like._values.literals import groups  # lazy: "--help" answers at once

    wanted: dict[str, dict[str, None]] = {}
    for change in changes:
        for name, value in [*change.values.items(), *change.old_values.items()]:
            target = _target_of(session, change.entity_type, name)
            if target and isinstance(value, str):
                wanted.setdefault(target, {})[value] = None
    found: dict[tuple[str, str], Entity] = {}
    for target, ids in wanted.items():
        attribute = identifying(schema_of(session, target))
        for some in groups(ids):
            query = f"select {attribute} from {target} where id in :ids"
            for entity in session.query(query, values={"ids": some}):
                found[target, str(entity["id"])] = entity
    return found


def _target_of(session: Session, entity_type: str, name: str) -> str:
    """Return the type to which the attribute *name*, an id, refers; "" if it has no names."""
    if not name.endswith("_id"):
        return ""
    properties = schema_of(session, entity_type)["properties"]
    target = str(properties.get(name[:-3], {}).get("$ref") or "")
    return target if target and identifying(schema_of(session, target)) else ""


def _with_names(
    session: Session,
    entity_type: str,
    values: Mapping[str, Value],
    found: Mapping[tuple[str, str], Entity],
) -> dict[str, Value]:
    """Return *values* with the entities that the ids in them refer to."""
    named: dict[str, Value] = {}
    for name, value in values.items():
        entity = found.get((_target_of(session, entity_type, name), str(value)))
        named.update({name: value} if entity is None else {name[:-3]: entity})
    return named
