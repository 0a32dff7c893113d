"""What each security role allows, and to which family a type belongs.

Rights are by family: a role may ``create``, ``update`` or ``delete`` the things of a family in
the projects that a user has it for. Reading is a right of every role. A role that a site made
itself allows no more than reading; a renamed one keeps its rights.

What a user owns (``OWNERS`` in :mod:`.places`) that user may always create, change and delete.
What is in no family is for administrators.
"""

from __future__ import annotations

from collections.abc import Mapping

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.tables.rowset import named_id

__all__ = [
    "ADMINISTRATOR_ROLE_ID",
    "API_ROLE_ID",
    "DELEGATES",
    "FAMILIES",
    "ROLE_RIGHTS",
    "family_of",
]

ADMINISTRATOR_ROLE_ID = named_id("SecurityRole", "Administrator")
#: The role of programs that act for all users, as global keys of a site do.
API_ROLE_ID = named_id("SecurityRole", "API")

_ALL = frozenset({"create", "update", "delete"})
_NONE: frozenset[str] = frozenset()

#: By name of a seeded role, then family: what it allows beside reading.
_RIGHTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "Administrator": {"project": _ALL, "planning": _ALL, "work": _ALL, "diary": _ALL},
    "API": {"project": _ALL, "planning": _ALL, "work": _ALL, "diary": _ALL},
    "Project manager": {"project": _ALL, "planning": _ALL, "work": _ALL, "diary": _ALL},
    "User": {"planning": frozenset({"update"}), "work": _ALL},
    "Restricted user": {"work": _NONE},
}

#: By id of a role, then family: what it allows beside reading.
ROLE_RIGHTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    named_id("SecurityRole", name): rights for name, rights in _RIGHTS.items()
}

#: Family by table. Projects are rows of the table of contexts, and a family of their own.
FAMILIES: Mapping[str, str] = {
    one.table: one.family for one in MODEL.types.values() if one.family is not None
}

#: By table: the column with the entity that a row is a part of; writing it is updating that.
DELEGATES: Mapping[str, str] = {
    "custom_attribute_link": "from_id",
    "custom_attribute_value": "entity_id",
    "entity_setting": "parent_id",
    "metadata": "parent_id",
}


def family_of(type_name: str, table: str) -> str:
    """Return the family of the concrete type *type_name*, whose rows are in *table*."""
    return "project" if type_name == "Project" else FAMILIES.get(table, "administration")
