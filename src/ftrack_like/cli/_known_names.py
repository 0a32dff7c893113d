"""The names that a column or a path may contain: those of the schemas, and custom attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.cli._entities import identifying
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._unknown import attributes_command, no_such_type, unknown_custom_attribute

if TYPE_CHECKING:
    from ftrack_like._values.catalogue import Property, Step
    from ftrack_like.cli._columns import Column
    from ftrack_like.session import Session

__all__ = [
    "check_columns",
    "custom_name_hint",
    "found_at",
    "require_path",
    "with_names_of_references",
]

_STEP = re.compile(r"(?P<name>[^\[\]]*)(?:\[(?P<cast>[^\[\]]*)\])?")
#: The kinds in the configurations of custom attributes, by type; other contexts are ``task``.
_KINDS = {"Project": "show", "AssetVersion": "assetversion", "Asset": "asset", "User": "user"}
#: Names that people expect for the people of a task.
_ASSIGNED = frozenset({"assigned", "assigned_to", "assignee", "assignees", "artist", "user"})
_CONTEXTS = ("Context", "TypedContext")


def _steps_of(words: Iterable[str]) -> list[Step]:
    """Return the steps of a path from its *words*, such as ``parent[Shot]`` and ``name``."""
    found: list[Step] = []
    for word in words:
        match = _STEP.fullmatch(word)
        found.append((word, None) if match is None else (match["name"], match["cast"]))
    return found


def found_at(session: Session, entity_type: str, path: str) -> Optional[Property]:
    """Return the attribute of *entity_type* at the dotted *path*, None if only the server knows.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` with a suggestion for an unknown name.
    """
    from ftrack_like import exception  # lazy: "--help" answers at once

    try:
        return catalogue_of(session).follow(entity_type, _steps_of(path.split(".")))
    except exception.UnrecognisedEntityTypeError as error:
        name, types = str(error.details["entity_type"]), list(session.types)
        raise no_such_type(name, types, f"on {session.server_url}").about(repr(path)) from error
    except exception.UnknownAttributeError as error:
        where = f"{path!r}: " if "." in path else ""
        owner, name = str(error.details["entity_type"]), str(error.details["attribute_name"])
        meant = custom_name_hint(session, owner, name)
        if meant:
            raise CommandError(f"{where}{owner} has no attribute {name!r}. {meant}") from error
        advice = ""
        if not error.details.get("suggestion"):
            advice = f" {attributes_command(owner)}"
        raise CommandError(f"{where}{str(error).strip()}{advice}") from error
    except exception.InvalidValueError as error:
        raise CommandError(f"{path!r}: {str(error).strip()}") from error


def custom_name_hint(session: Session, entity_type: str, name: str) -> str:
    """Return a sentence if *name* is no attribute but a key of *entity_type*, else no text.

    It is such as "Did you mean 'custom.fps'?", or for the people of a task how to assign them.
    """
    if name.lower() in _ASSIGNED and "assignments" in catalogue_of(session).properties(entity_type):
        return (
            "'assignments.resource.username' has the people of a task. To assign one, write: "
            "ftrack-like create Appointment context=TASK resource=USER type=assignment"
        )
    if "custom_attributes" not in catalogue_of(session).properties(entity_type):
        return ""
    keys = _CustomAttributes(session).keys_of(entity_type)
    key = next((each for each in keys if each.lower() == name.lower()), None)
    return f"Did you mean 'custom.{key}'?" if key else ""


def require_path(session: Session, entity_type: str, path: str) -> None:
    """Raise :exc:`~ftrack_like.cli._errors.CommandError` if *entity_type* has no *path*."""
    found_at(session, entity_type, path)


def with_names_of_references(
    session: Session, entity_type: str, columns: Iterable[Column]
) -> list[Column]:
    """Return *columns* of *entity_type*; those of references also load the name.

    A column that *entity_type* does not have stays as it is.
    """
    return [
        column._replace(naming=_naming_at(session, entity_type, column.projection))
        for column in columns
    ]


def _naming_at(session: Session, entity_type: str, path: str) -> str:
    """Return the attribute that names the entities at *path* of *entity_type*, or no text."""
    try:
        found = found_at(session, entity_type, path)
    except CommandError:
        return ""
    if found is None or found.kind not in ("reference", "collection"):
        return ""
    return identifying(catalogue_of(session).schema(found.target)) or ""


def check_columns(session: Session, entity_type: str, columns: Sequence[Column]) -> None:
    """Check that *entity_type* has all *columns*.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` with a suggestion for the first unknown one.
    The keys of custom attributes are compared with the configurations of the site.
    """
    custom: Optional[_CustomAttributes] = None
    for column in columns:
        found_at(session, entity_type, column.projection)
        before, _, last = column.projection.rpartition(".")
        if last != "custom_attributes" or len(column.path) <= column.projection.count(".") + 1:
            continue
        end = found_at(session, entity_type, before) if before else None
        if before and end is None:
            continue  # The path leads to types that differ.
        custom = custom or _CustomAttributes(session)
        custom.require(column, entity_type if end is None else end.target)


class _Configuration(NamedTuple):
    """A custom attribute: its *key*, and the *kind* and *object_type* of its entities."""

    key: str
    kind: str
    object_type: Optional[str]
    is_hierarchical: bool


class _CustomAttributes:
    """The custom attributes of a site, loaded by one query."""

    def __init__(self, session: Session) -> None:
        """Load the configurations of *session*."""
        self._catalogue = catalogue = catalogue_of(session)
        self._types = list(session.types)
        known = catalogue.properties("CustomAttributeConfiguration")
        names = ("key", "entity_type", "object_type_id", "is_hierarchical")
        wanted = [name for name in names if name in known]
        rows: Iterable[Mapping[str, object]] = session.query(
            f"select {', '.join(wanted)} from CustomAttributeConfiguration"
        )
        self._all = [
            _Configuration(
                str(row["key"]),
                str(row["entity_type"]),
                str(row["object_type_id"]) if row["object_type_id"] else None,
                bool("is_hierarchical" in wanted and row["is_hierarchical"]),
            )
            for row in rows
        ]

    def keys_of(self, entity_type: str) -> list[str]:
        """Return the keys that entities of *entity_type* may have, sorted."""
        return sorted({each.key for each in self._all if self._fits(each, entity_type)})

    def _fits(self, each: _Configuration, entity_type: str) -> bool:
        """Return whether entities of *entity_type* may have the custom attribute *each*."""
        bases = {entity_type, *self._catalogue.bases(entity_type)}
        kind = _KINDS.get(entity_type)
        if kind is None:
            kind = "task" if bases & set(_CONTEXTS) else "list" if "List" in bases else ""
        if each.is_hierarchical and kind not in ("", "user", "list"):
            return True
        if entity_type == "Context":
            return each.kind in ("task", "show")
        if each.kind != kind:
            return False
        own = self._object_type(entity_type) if kind == "task" else None
        return own is None or each.object_type in (None, own)

    def _object_type(self, entity_type: str) -> Optional[str]:
        """Return the id of the object type of the contexts of *entity_type*, None for a base."""
        fragment = self._catalogue.schema(entity_type)["properties"].get("object_type_id") or {}
        found = fragment.get("default")
        return None if found is None else str(found)

    def require(self, column: Column, entity_type: str) -> None:
        """Raise an error if entities of *entity_type* never have the key of *column*."""
        key, known = column.path[-1], self.keys_of(entity_type)
        if key not in known:
            raise unknown_custom_attribute(entity_type, key, known).about(repr(column.name))
