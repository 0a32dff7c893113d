"""Types and entities by the words that people write: ids, names and paths."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._base.words import with_article
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._known_names import require_path

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = [
    "described",
    "find_entity",
    "identifying",
    "ids_in",
    "is_id",
    "reference_by",
    "schema_of",
    "stored_values",
    "summed_up",
    "type_named",
]

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: The attributes by which people name an entity, best first.
_NAMING = ("name", "username", "label", "key")
#: Types without names whose entities have one of these types.
_KINDS = {"Resource": ("User", "Group"), "BaseUser": ("User", "Collaborator")}
#: How many names are compared for a suggestion, and how many candidates an error lists.
_MOST_NAMES, _LISTED = 1000, 5


def is_id(text: str) -> bool:
    """Return whether *text* has the form of an id."""
    return _ID.fullmatch(text) is not None


def type_named(session: Session, name: str) -> str:
    """Return the name of the entity type *name*, which may differ in case.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` with a suggestion for an unknown type.
    """
    from ftrack_like._base.suggest import did_you_mean  # lazy: "--help" answers at once

    types = [str(each) for each in session.types]
    if name in types:
        return name
    alike = [each for each in types if each.lower() == name.lower().replace("_", "")]
    if len(alike) == 1:
        return alike[0]
    hint = did_you_mean(name, types, "'ftrack-like schema show' lists the types.")
    raise CommandError(f"{session.server_url} has no type {name!r}. {hint}")


def schema_of(session: Session, entity_type: str) -> Mapping[str, Any]:
    """Return the schema of *entity_type*."""
    return next(each for each in session.schemas if each["id"] == entity_type)


def identifying(schema: Mapping[str, Any]) -> Optional[str]:
    """Return the attribute by which people name the entities of *schema*, None without one."""
    return next((name for name in _NAMING if name in schema.get("properties", ())), None)


def ids_in(words: Iterable[str]) -> list[str]:
    """Return the ids, names and paths in *words*, each once; ``-`` reads ids from standard input.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake` if there are none.
    """
    found: list[str] = []
    for word in words:
        found += sys.stdin.read().split() if word == "-" else [word]
    if not found:
        raise UsageMistake("Standard input has no ids.")
    return list(dict.fromkeys(found))


def find_entity(
    session: Session, entity_type: str, text: str, projections: Iterable[str] = ()
) -> Entity:
    """Return the entity of *entity_type* that *text* names, with *projections* loaded.

    *text* is an id (the parts of a longer key with commas), a name, or for contexts a path such as
    ``show/sq010/sh010``. Raise :exc:`~ftrack_like.cli._errors.CommandError` if there is none or
    more than one.
    """
    schema = schema_of(session, entity_type)
    keys: Sequence[str] = schema["primary_key"]
    loaded = list(dict.fromkeys([*keys, *_describing(schema), *projections]))
    select = f"select {', '.join(loaded)} from {entity_type} where "
    parts = text.split(",") if len(keys) > 1 else [text]
    if _ID.fullmatch(text) or len(keys) > 1:
        if len(parts) != len(keys):
            raise CommandError(
                f"The key of {with_article(entity_type)} has {len(keys)} parts "
                f"({', '.join(keys)}), not {len(parts)}: write them with commas between them."
            )
        conditions = [f"{key} is :k{index}" for index, key in enumerate(keys)]
        values = {f"k{index}": part for index, part in enumerate(parts)}
        found = session.query(select + " and ".join(conditions), values=values).first()
        if found is None:
            raise CommandError(f"There is no {entity_type} with the id {text!r}.")
        return found
    if identifying(schema) is None and entity_type in _KINDS:
        return _of_kinds(session, entity_type, text)
    return _by_name(session, schema, text, select)


def _of_kinds(session: Session, entity_type: str, text: str) -> Entity:
    """Return the entity that *text* names of one of the types that *entity_type* stands for."""
    faults = []
    for kind in _KINDS[entity_type]:
        if kind in session.types:
            try:
                return find_entity(session, kind, text)
            except CommandError as error:
                faults.append(str(error))
    raise CommandError(" ".join(faults) or f"There is no {entity_type} {text!r}.")


def _describing(schema: Mapping[str, Any]) -> list[str]:
    """Return the attributes that describe an entity of *schema* in messages."""
    found = identifying(schema)
    names = [] if found is None else [found]
    return [*names, "link"] if "link" in schema["properties"] else names


def _by_name(session: Session, schema: Mapping[str, Any], text: str, select: str) -> Entity:
    """Return the only entity of *schema* with the name or path *text*."""
    entity_type, name = schema["id"], identifying(schema)
    if name is None:
        raise CommandError(
            f"{text!r} is not an id, and the type {entity_type} has no names. "
            f"Print the ids with: ftrack-like query {entity_type}"
        )
    steps = [each for each in text.split("/") if each]
    has_path = "link" in schema["properties"] and len(steps) > 1
    wanted = steps[-1] if has_path else text
    found = session.query(f"{select}{name} is :name", values={"name": wanted}).all()
    if has_path:
        found = [each for each in found if _path(each)[-len(steps) :] == steps]
    if not found and not has_path:
        found = [
            each
            for each in session.query(f"{select}{name} like :name", values={"name": wanted})
            if str(each[name]).lower() == wanted.lower()
        ]
    if len(found) > 1 and "link" in schema["properties"]:
        # A complete path wins: a project and a context below it may have the same name.
        found = [each for each in found if _path(each) == steps] or found
    if len(found) == 1:
        return found[0]
    if not found:
        hint = _names_like(session, entity_type, name, wanted)
        raise CommandError(f"There is no {entity_type} {text!r}. {hint}".rstrip())
    listed = "; ".join(described(each) for each in found[:_LISTED])
    more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    remedy = "the id, or a longer path" if "link" in schema["properties"] else "the id"
    raise CommandError(
        f"There are {len(found)} {entity_type} entities {text!r}: {listed}{more}. Use {remedy}."
    )


def _path(entity: Entity) -> list[str]:
    """Return the names from the project to *entity*."""
    return [str(each["name"]) for each in entity["link"] or ()]


def stored_values(session: Session, entity_type: str, name: str) -> Optional[list[str]]:
    """Return the values of the attribute *name* of all *entity_type* entities, each once, sorted.

    Return None if there are too many entities.
    """
    rows = session.query(
        f"select {name} from {entity_type} limit {_MOST_NAMES}", page_size=_MOST_NAMES
    ).all()
    if len(rows) == _MOST_NAMES:
        return None
    return sorted({str(each[name]) for each in rows if each[name]})


def _names_like(session: Session, entity_type: str, name: str, wanted: str) -> str:
    """Return a sentence that suggests existing names, or an empty text."""
    from ftrack_like._base.suggest import did_you_mean  # lazy: only for mistakes

    known = stored_values(session, entity_type, name) or []
    short = f"The names are: {', '.join(known)}." if 0 < len(known) <= 3 * _LISTED else ""
    return did_you_mean(wanted, known, short)


def described(entity: Entity, key: bool = True) -> str:
    """Return the path or name of *entity*, with its id if *key* is true, from loaded values."""
    with entity.session.auto_populating(False):
        name = next((entity[each] for each in _NAMING if entity.get(each)), None)
        link = entity.get("link")
    text = "/".join(str(each["name"]) for each in link) if isinstance(link, list) else name
    words = ",".join(str(each) for each in entity.operation_key().values())
    if not isinstance(text, str) or not text:
        return words
    return f"{text} ({words})" if key else text


def summed_up(entities: Sequence[Entity]) -> str:
    """Return the paths or names of the first *entities* and the number of the others."""
    listed = ", ".join(described(each, key=False) for each in entities[:_LISTED])
    more = len(entities) - _LISTED
    return f"{listed} and {more} more" if more > 0 else listed


def reference_by(session: Session, entity_type: str, path: str, value: str) -> Entity:
    """Return the only entity of *entity_type* whose attribute at *path* is *value*.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` if there is none or more than one.
    """
    require_path(session, entity_type, path)
    schema = schema_of(session, entity_type)
    loaded = ", ".join([*schema["primary_key"], *_describing(schema)])
    found = session.query(
        f"select {loaded} from {entity_type} where {path} is :value", values={"value": value}
    )[: _LISTED + 1]
    if len(found) == 1:
        return found[0]
    if not found:
        hint = _names_like(session, entity_type, path, value) if "." not in path else ""
        raise CommandError(f"There is no {entity_type} whose {path} is {value!r}. {hint}".rstrip())
    listed = "; ".join(described(each) for each in found[:_LISTED])
    raise CommandError(
        f"Several {entity_type} entities have the {path} {value!r}: {listed}. Use the id."
    )
