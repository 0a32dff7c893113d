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
    **dict.fromkeys(
        (
            "appointment",
            "calendar_event",
            "calendar_event_resource",
            "context",
            "manager",
            "split_task_part",
            "typed_context_link",
        ),
        "planning",
    ),
    **dict.fromkeys(
        (
            "asset",
            "asset_version",
            "asset_version_link",
            "component",
            "component_location",
            "list",
            "list_object",
            "note",
            "note_component",
            "note_label_link",
            "recipient",
            "review_session",
            "review_session_folder",
            "review_session_invitee",
            "review_session_object",
            "review_session_object_annotation",
            "review_session_object_annotation_component",
            "review_session_object_status",
        ),
        "work",
    ),
    **dict.fromkeys(("timelog", "timer"), "diary"),
    **dict.fromkeys(
        (
            "conversation",
            "dashboard",
            "dashboard_resource",
            "dashboard_widget",
            "job",
            "job_component",
            "message",
            "participant",
            "user_application_state",
            "user_task_type_link",
            "user_view",
        ),
        "personal",
    ),
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
