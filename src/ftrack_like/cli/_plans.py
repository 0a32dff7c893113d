"""Plans for people: the pending changes of a session, with names in place of ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.collaborators import identity_map_of
from ftrack_like.cli._entities import described, identifying, schema_of

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
    found: dict[tuple[str, str], Optional[Entity]] = {}
    lines = [_change_line(session, each, found, more or {}) for each in changes]
    return "\n".join([*lines, *str(changes).splitlines()[len(changes) :]])


def _change_line(
    session: Session,
    change: PlannedChange,
    found: dict[tuple[str, str], Optional[Entity]],
    more: Mapping[str, str],
) -> str:
    """Return *change* as one line. *found* are the entities that earlier lines have loaded."""
    values = _with_names(session, change.entity_type, change.values, found)
    old = _with_names(session, change.entity_type, change.old_values, found)
    key = ",".join(map(str, change.entity_key.values()))
    named = change._replace(values=values, old_values=old)
    words = [change.action, change.entity_type]
    # Many contexts have the same name, so a path is better.
    entity = identity_map_of(session).find(change.entity_type, list(change.entity_key.values()))
    path = entity is not None and change.action != "create" and entity.remote_values.get("link")
    if entity is not None and isinstance(path, list):
        words.append(described(entity, key=False))
    elif change.name:
        words.append(repr(change.name))
    words += [f"of {change.owner}"] if change.owner else []
    # A new entity has another id when the command runs without --dry-run. The value of a custom
    # attribute has the id of its owner.
    words += [f"({key})"] if change.action != "create" and not change.owner else []
    shown = [each for each in named.assignments() if each != f"name = {change.name!r}"]
    text = " ".join(words) + (f": {', '.join(shown)}" if shown else "")
    return f"{text} and with it {more[key]}" if more.get(key) else text


def _with_names(
    session: Session,
    entity_type: str,
    values: Mapping[str, Value],
    found: dict[tuple[str, str], Optional[Entity]],
) -> dict[str, Value]:
    """Return *values* with the entities that the ids in them refer to."""
    properties = schema_of(session, entity_type)["properties"]
    named: dict[str, Value] = {}
    for name, value in values.items():
        reference = name[:-3] if name.endswith("_id") else ""
        target = properties.get(reference, {}).get("$ref")
        attribute = identifying(schema_of(session, target)) if target else None
        if attribute is None or not isinstance(value, str):
            named[name] = value
            continue
        if (target, value) not in found:
            found[target, value] = session.query(
                f"select {attribute} from {target} where id is :id", values={"id": value}
            ).first()
        entity = found[target, value]
        named.update({name: value} if entity is None else {reference: entity})
    return named
