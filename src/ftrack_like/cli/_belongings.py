"""The entities that a server deletes together with others: what belongs to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.cli._text import amount

if TYPE_CHECKING:
    from ftrack_like._values.catalogue import Catalogue
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["belongings_of", "counted"]

#: The collections whose members go with their owner, and the type that they lead to. Values such
#: as metadata and custom attributes are a part of their entity and are not counted.
_COLLECTIONS = {
    "appointments": "Appointment",
    "assets": "Asset",
    "calendar_events": "CalendarEvent",
    "children": "Context",
    "components": "Component",
    "members": "Component",
    "notes": "Note",
    "replies": "Note",
    "review_session_folders": "ReviewSessionFolder",
    "review_session_invitees": "ReviewSessionInvitee",
    "review_session_objects": "ReviewSessionObject",
    "review_sessions": "ReviewSession",
    "timelogs": "Timelog",
    "versions": "AssetVersion",
}
#: Types that belong to others through a column, without a collection.
_COLUMNS = {"Project": (("List", "project_id"),)}


def belongings_of(session: Session, entities: Sequence[Entity]) -> dict[str, Counter[str]]:
    """Return the number of entities that go with each of *entities* by type, by its id.

    The *entities* themselves and values such as metadata are not counted. Entities with a longer
    key than an id have no belongings.
    """
    catalogue = catalogue_of(session)
    keyed = [each for each in entities if list(each.operation_key()) == ["id"]]
    counts: dict[str, Counter[str]] = {str(each["id"]): Counter() for each in keyed}
    roots = {identifier: identifier for identifier in counts}
    level = {str(each["id"]): each.entity_type for each in keyed}
    while level:
        following: dict[str, str] = {}
        for owner, identifier, entity_type in _belonging_rows(session, catalogue, level):
            if identifier not in roots:
                roots[identifier] = roots[owner]
                counts[roots[owner]][entity_type] += 1
                following[identifier] = entity_type
        level = following
    return counts


def counted(counts: Mapping[str, int]) -> str:
    """Return *counts* as words such as ``3 Notes, 1 AssetVersion``, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(amount(number, name) for name, number in ordered if number)


def _belonging_rows(
    session: Session, catalogue: Catalogue, owners: Mapping[str, str]
) -> Iterable[tuple[str, str, str]]:
    """Yield the owner, id and type of all entities that belong to *owners*, types by id."""
    from ftrack_like._values.literals import groups  # lazy: "--help" answers at once

    by_type: dict[str, list[str]] = {}
    for identifier, entity_type in owners.items():
        by_type.setdefault(entity_type, []).append(identifier)
    for entity_type, ids in by_type.items():
        names = _collections_of(catalogue, entity_type)
        for chosen in groups(ids):
            if names:
                projections = ", ".join(f"{name}.id" for name in names)
                rows = session.query(
                    f"select {projections} from {entity_type} where id in :ids",
                    values={"ids": chosen},
                )
                for row in rows:
                    for name in names:
                        for each in row[name]:
                            yield str(row["id"]), str(each["id"]), each.entity_type
            for other, column in _COLUMNS.get(entity_type, ()):
                if column in catalogue.properties(other):
                    text = f"select {column} from {other} where {column} in :ids"
                    for each in session.query(text, values={"ids": chosen}):
                        yield str(each[column]), str(each["id"]), each.entity_type


def _collections_of(catalogue: Catalogue, entity_type: str) -> list[str]:
    """Return the collections of *entity_type* whose members go with it."""
    known = catalogue.properties(entity_type)
    return [
        name
        for name, target in _COLLECTIONS.items()
        if name in known and known[name].kind == "collection" and known[name].target == target
    ]
