"""Types, and entities in messages: the words by which people name and recognise them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._unknown import no_such_type

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = [
    "NAMING",
    "described",
    "each_once",
    "identifying",
    "ids_in",
    "is_id",
    "schema_of",
    "shown_name",
    "summed_up",
    "type_among",
    "type_named",
]

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: The attributes by which people name an entity, best first.
NAMING = ("name", "username", "label", "key")
#: How many entities a question names.
_LISTED = 5


def is_id(text: str) -> bool:
    """Return whether *text* has the form of an id."""
    return _ID.fullmatch(text) is not None


def type_named(session: Session, name: str) -> str:
    """Return the name of the entity type *name*, which may differ in case.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` with a suggestion for an unknown type.
    """
    return type_among(list(map(str, session.types)), name, f"on {session.server_url}")


def type_among(types: Sequence[str], name: str, place: str) -> str:
    """Return the one of *types* with the *name*, which may differ in case.

    *place* says where the types are, such as ``on https://site.example``. Raise
    :exc:`~ftrack_like.cli._errors.CommandError` with a suggestion for an unknown type.
    """
    if name in types:
        return name
    alike = [each for each in types if each.lower() == name.lower().replace("_", "")]
    if len(alike) == 1:
        return alike[0]
    raise no_such_type(name, types, place)


def schema_of(session: Session, entity_type: str) -> Mapping[str, Any]:
    """Return the schema of *entity_type*."""
    return catalogue_of(session).schema(entity_type)


def identifying(schema: Mapping[str, Any]) -> Optional[str]:
    """Return the attribute by which people name the entities of *schema*, None without one."""
    return next((name for name in NAMING if name in schema.get("properties", ())), None)


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


def shown_name(entity: Entity) -> str:
    """Return the path or name of *entity* from loaded values; its key if none is loaded."""
    with entity.session.auto_populating(False):
        name = next((entity[each] for each in NAMING if entity.get(each)), None)
        link = entity.get("link")
    text = "/".join(str(each["name"]) for each in link) if isinstance(link, list) else name
    return text if isinstance(text, str) and text else _words_of_key(entity)


def described(entity: Entity) -> str:
    """Return the path or name of *entity*, with its id, from loaded values."""
    name, key = shown_name(entity), _words_of_key(entity)
    return key if name == key else f"{name} ({key})"


def _words_of_key(entity: Entity) -> str:
    """Return the id of *entity*, or the parts of a longer key with commas."""
    return ",".join(str(each) for each in entity.operation_key().values())


def each_once(entities: Iterable[Entity]) -> list[Entity]:
    """Return *entities* without repetitions; an id and a path may name the same one."""
    return list({id(each): each for each in entities}.values())


def summed_up(entities: Sequence[Entity]) -> str:
    """Return the paths or names of the first *entities* and the number of the others."""
    listed = ", ".join(map(shown_name, entities[:_LISTED]))
    more = len(entities) - _LISTED
    return f"{listed} and {more} more" if more > 0 else listed
