"""Refusals of a creation that can be foreseen: missing attributes, and names that are taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like._base.words import with_article
from ftrack_like.cli._entities import described, identifying, schema_of
from ftrack_like.cli._errors import CommandError

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["refuse_incomplete", "refuse_taken_name"]

#: Attributes that schemas require and servers fill in.
_FILLED = frozenset(
    {
        "bid",
        "config",
        "context_type",
        "created_at",
        "created_by_id",
        "end",
        "duration",
        "end_date",
        "entity_type",
        "expiry",
        "from_entity_type",
        "is_active",
        "local",
        "parent_type",
        "priority_id",
        "resource_type",
        "schema_id",
        "sort",
        "sort_order",
        "start",
        "start_date",
        "status",
        "status_id",
        "system_type",
        "to_entity_type",
        "type_id",
        "user_id",
        "value",
        "version",
    }
)
#: What entities need although no schema says so: attributes, each with its other names.
_NEEDED: dict[str, Sequence[tuple[str, ...]]] = {
    "Asset": (("name",), ("parent", "context_id")),
    "AssetVersion": (("asset", "asset_id"),),
    "Note": (("parent_id", "in_reply_to", "in_reply_to_id"),),
    "User": (("username",),),
}
#: How many names an error lists.
_LISTED = 10
#: Types whose required attributes servers fill in all the same.
_LENIENT = frozenset({"ReviewSessionObjectAnnotation"})
#: Commands that do more than ``create`` for a type.
_BETTER = {
    "AssetVersion": "publish FILE… --context ID",
    "Note": "note TYPE ID TEXT",
    "ReviewSession": "review create NAME --project PROJECT",
    "Timelog": "log time TASK DURATION",
}


def refuse_incomplete(session: Session, entity_type: str, given: Iterable[str]) -> None:
    """Check that the attributes *given* are enough to create an *entity_type*.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` that lists the missing attributes.
    """
    names = set(given)
    missing = [each[0] for each in _needed(session, entity_type) if not names.intersection(each)]
    if not missing:
        return
    better = _BETTER.get(entity_type)
    advice = f", or use: ftrack-like {better}" if better else ""
    example = " ".join(f"{name}=…" for name in missing)
    kind = with_article(entity_type)
    listed = "".join(_choices(session, entity_type, name) for name in missing)
    raise CommandError(
        f"{kind[:1].upper()}{kind[1:]} needs {' and '.join(missing)}. Write: {example}"
        f"{advice}{listed}"
    )


def _choices(session: Session, entity_type: str, name: str) -> str:
    """Return a sentence with the few entities that *name* of *entity_type* can be, or no text."""
    from ftrack_like.cli._finding import stored_values  # lazy: only for mistakes

    target = schema_of(session, entity_type)["properties"].get(name, {}).get("$ref")
    naming = target and identifying(schema_of(session, target))
    values = stored_values(session, target, naming) if naming else None
    if not values or len(values) > _LISTED:
        return ""
    return f". The names for {name} are: {', '.join(values)}"


def _needed(session: Session, entity_type: str) -> list[tuple[str, ...]]:
    """Return the attributes that an *entity_type* must have, each with its other names."""
    schema = schema_of(session, entity_type)
    properties = schema["properties"]
    found = list(_NEEDED.get(entity_type, ()))
    bases = catalogue_of(session).bases(entity_type)
    if "Context" in bases:
        found.append(("name",))
        if entity_type != "Project":
            found.append(("parent", "parent_id"))
    known = {name for names in found for name in names}
    for name in () if entity_type in _LENIENT else schema.get("required") or ():
        has_default = properties.get(name, {}).get("default") is not None
        if has_default or name in known or name in _FILLED or name in schema["primary_key"]:
            continue
        reference = name[:-3] if name.endswith("_id") else name
        found.append(
            tuple(dict.fromkeys((reference, name))) if reference in properties else (name,)
        )
    return found


def refuse_taken_name(session: Session, entity: Entity) -> None:
    """Check that the new name of *entity*, if it has one, differs from those beside it.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` that says which entity has the name.
    """
    kind, values = entity.entity_type, entity.local_values or {}
    catalogue = catalogue_of(session)
    if kind == "User":
        _refuse_twin(session, entity, "User", "username")
    elif kind == "Project":
        _refuse_twin(session, entity, kind, "name")
    elif "Context" in catalogue.bases(kind):
        parent = values.get("parent") or values.get("parent_id")
        if not parent and values.get("name"):
            parent = entity["parent_id"]
        place = "parent_id is :place"
        _refuse_twin(session, entity, "Context", "name", place, _id_in(parent))


def _id_in(value: object) -> str:
    """Return the id of *value*, an entity or an id."""
    return str(value["id"]) if hasattr(value, "entity_type") else str(value or "")  # type: ignore[index]


def _refuse_twin(
    session: Session, entity: Entity, kind: str, name: str, place: str = "", where: str = ""
) -> None:
    """Raise an error if another entity of *kind* at *place* has the new *name* of *entity*."""
    text = str((entity.local_values or {}).get(name) or "")
    if not text:
        return
    link = ", link" if "link" in schema_of(session, kind)["properties"] else ""
    condition = f"{name} like :text{f' and {place}' if place else ''}"
    # The pattern may match more names, and upper and lower case do not matter to the server.
    rows = session.query(
        f"select {name}{link} from {kind} where {condition}",
        values={"text": text, **({"place": where} if place else {})},
    )
    for row in rows:
        if str(row[name]).lower() == text.lower() and row["id"] != entity["id"]:
            raise CommandError(
                f"The {name} {text!r} is taken: {row.entity_type} {described(row)}. "
                f"Choose another {name}."
            )
