"""The attributes that have one of a few values: as the schemas say, or as ftrack writes them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.cli._entities import schema_of
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._text import printable
from ftrack_like.cli._unknown import unknown_choice

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["Choices", "check_choice", "choices_of", "table_of", "tables_for"]

#: The values that ftrack writes into attributes of plain text, by type and attribute.
_USUAL = {
    ("Appointment", "type"): ("allocation", "assignment"),
    ("List", "system_type"): ("assetversion", "task"),
    ("Project", "status"): ("active", "hidden"),
    ("ReviewSession", "availability"): ("always", "closed", "date_range"),
    ("ReviewSessionObjectStatus", "status"): ("approved", "require_changes", "seen"),
}
#: The names of types in conditions on ``parent_type`` and other attributes that name a table.
_TABLES = {"Project": "show", "User": "user"}


class Choices(NamedTuple):
    """The *values* of an attribute. Servers refuse others if *is_complete*."""

    values: tuple[str, ...]
    is_complete: bool


def choices_of(session: Session, entity_type: str, name: str) -> Optional[Choices]:
    """Return the values that the attribute *name* of *entity_type* has; None for any text."""
    fragment = schema_of(session, entity_type)["properties"].get(name) or {}
    listed = fragment.get("enum")
    if listed:
        return Choices(tuple(sorted(map(str, listed))), True)
    for kind in (entity_type, *catalogue_of(session).bases(entity_type)):
        if (kind, name) in _USUAL:
            return Choices(_USUAL[kind, name], False)
    return None


def check_choice(session: Session, entity_type: str, name: str, value: object, place: str) -> None:
    """Check that *value* is one of the values that the attribute *name* of *entity_type* has.

    *place* is where the value is, such as an assignment, for messages. Raise
    :exc:`~ftrack_like.cli._errors.CommandError` if the schema excludes the value. If it only
    differs from the values that ftrack writes, which a site may have more of, print a warning.
    """
    choices = choices_of(session, entity_type, name)
    if choices is None or value in (None, "", *choices.values):
        return
    text = f"{place}: {unknown_choice(entity_type, name, str(value), choices.values)}"
    if choices.is_complete:
        raise CommandError(text)
    print(printable(f"ftrack-like: warning: {text}"), file=sys.stderr)


def tables_for(session: Session, entity_type: str, name: str) -> bool:
    """Return whether servers compare the attribute *name* of *entity_type* with table names."""
    fragment = schema_of(session, entity_type)["properties"].get(name) or {}
    return "table_name" in str((fragment.get("transform") or {}).get("server"))


def table_of(session: Session, entity_type: str) -> str:
    """Return the name of *entity_type* in conditions on attributes that name a table."""
    import re  # lazy: only for mistakes

    if "Context" in catalogue_of(session).bases(entity_type) and entity_type != "Project":
        return "task"
    return _TABLES.get(entity_type) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", entity_type).lower()
