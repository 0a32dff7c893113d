"""The actions that each security role allows.

Entity types form families: ``project``, ``planning``, ``work``, ``diary``, ``personal`` and
``administration``. A role allows ``create``, ``update`` or ``delete`` for a family, in the projects
for which a user has the role. Each role allows reading.

- A role that a site has added allows only reading. A renamed role keeps its rights, because the
  table uses ids.
- Users may always create, update and delete the entities that they own; see ``OWNERS`` in
  :mod:`.places`.
- Only administrators may change entities of the family ``administration``.
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
#: The role of programs that act for all users, like the global API keys of a site.
API_ROLE_ID = named_id("SecurityRole", "API")

_ALL = frozenset({"create", "update", "delete"})
_NONE: frozenset[str] = frozenset()

#: The actions besides reading, by the name of a seeded role and the family.
_RIGHTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "Administrator": {"project": _ALL, "planning": _ALL, "work": _ALL, "diary": _ALL},
    "API": {"project": _ALL, "planning": _ALL, "work": _ALL, "diary": _ALL},
    "Project manager": {"project": _ALL, "planning": _ALL, "work": _ALL, "diary": _ALL},
    "User": {"planning": frozenset({"update"}), "work": _ALL},
    "Restricted user": {"work": _NONE},
}

#: The same actions by the id of the role and the family.
ROLE_RIGHTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    named_id("SecurityRole", name): rights for name, rights in _RIGHTS.items()
}

#: The family by table. Projects are rows of ``context``, but form a separate family.
FAMILIES: Mapping[str, str] = {
    one.table: one.family for one in MODEL.types.values() if one.family is not None
}

#: The column with the id of the parent entity, by table. To write such a row, a user needs the
#: right to update the parent.
DELEGATES: Mapping[str, str] = {
    "custom_attribute_link": "from_id",
    "custom_attribute_value": "entity_id",
    "entity_setting": "parent_id",
    "metadata": "parent_id",
}


def family_of(type_name: str, table: str) -> str:
    """Return the family of the concrete type *type_name*, whose rows are in *table*."""
    return "project" if type_name == "Project" else FAMILIES.get(table, "administration")
