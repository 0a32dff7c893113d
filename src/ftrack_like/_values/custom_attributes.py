"""Find the custom attribute configurations that apply to an entity.

A configuration names a kind of entity (``task``, ``show``, ``assetversion``, ``asset``, ``user`` or
``list``), an object type, and optionally a project. If there is a configuration with the same key
for the project of the entity and one for all projects, the first applies. Hierarchical
configurations apply to every context, asset and version.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._values.labels import known_values
from ftrack_like._values.references import referenced, referenced_id

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.collection import MappedCollectionProxy
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["applicable", "configuration", "known_keys", "missing_key", "site_keys"]

_FIELDS = ("key", "project_id", "id", "object_type_id", "entity_type", "is_hierarchical")

_KINDS = {"Project": "show", "AssetVersion": "assetversion", "Asset": "asset", "User": "user"}


#: Hierarchical configurations apply to all entities of these kinds.
_IN_HIERARCHY = frozenset({"task", "show", "asset", "assetversion"})


class _KnownKeys:
    """A hint with the existing keys. It is computed only when the error is printed.

    Most of these errors are caught without being printed.
    """

    def __init__(self, proxy: MappedCollectionProxy, key: object) -> None:
        """Initialise for the *key* that is missing in the mapping *proxy*."""
        self._proxy = proxy
        self._key = key

    def __str__(self) -> str:
        """Return a suggestion and the list of the keys."""
        keys = [str(key) for key in self._proxy]
        hint = did_you_mean(str(self._key), keys)
        listed = ", ".join(sorted(keys)) or "none"
        if self._proxy.collection.entity.is_created:
            known = f"The keys with values are: {listed}. The others exist after the commit."
        else:
            known = f"The keys are: {listed}."
        return f"{hint} {known}".strip()


def missing_key(proxy: MappedCollectionProxy, key: object) -> exception.UnknownAttributeError:
    """Return the error, a :exc:`KeyError`, for the missing custom attribute *key* of *proxy*."""
    hint: Any = _KnownKeys(proxy, key)
    return exception.UnknownAttributeError(
        key,
        proxy.collection.entity,
        suggestion=hint,
        message="{entity_type} has no custom attribute {attribute_name!r}.",
    )


def configuration(entity: Entity, key: str) -> Optional[Entity]:
    """Return the configuration with *key* that applies to *entity*, or None.

    Raise :exc:`ValueError` if entities of this type cannot have custom attributes.
    """
    return _choose(entity, [each for each in _all(entity.session) if each["key"] == key]).get(key)


def applicable(entity: Entity) -> dict[str, Entity]:
    """Return the configurations that apply to *entity* as ``{key: configuration}``.

    Raise :exc:`ValueError` if entities of this type cannot have custom attributes.
    """
    return _choose(entity, _all(entity.session))


def known_keys(session: Session) -> dict[str, str]:
    """Return ``{id: key}`` of the configurations that are loaded; send no request."""
    found = session.__dict__.get("_custom_attribute_configurations") or ()
    values = [known_values(each) for each in found]
    return {each["id"]: each["key"] for each in values if "id" in each and "key" in each}


class _SiteKeys(NamedTuple):
    """The *keys* of the site, None if they cannot be read, and the time *read_at* in seconds."""

    keys: Optional[frozenset[str]]
    read_at: float


#: Seconds after which keys are read again, if one is missing: somebody may have added it.
_KEYS_AGE = 60.0


def site_keys(session: Session, wanted: str) -> Optional[frozenset[str]]:
    """Return the keys of all custom attributes of the site; None if they cannot be read.

    They are read once in a session. If *wanted* is not among them, they are read again, but at most
    once a minute.
    """
    known: Optional[_SiteKeys] = session.__dict__.get("_custom_attribute_keys")
    if known is not None and (
        (known.keys is not None and wanted in known.keys)
        or time.monotonic() - known.read_at < _KEYS_AGE
    ):
        return known.keys
    if known is not None:
        session.__dict__.pop("_custom_attribute_configurations", None)
    try:
        found: Optional[frozenset[str]] = frozenset(str(each["key"]) for each in _all(session))
    except (exception.Error, KeyError):  # Not permitted, not known to this server, or no answer.
        found = None
    session.__dict__["_custom_attribute_keys"] = _SiteKeys(found, time.monotonic())
    return found


def _all(session: Session) -> list[Entity]:
    """Return all configurations; query them once until the session is reset."""
    known: Optional[list[Entity]] = session.__dict__.get("_custom_attribute_configurations")
    # A reset clears the identity map. Then the stored entities no longer belong to the session.
    if known and identity_map_of(session).resident(known[0]) is known[0]:
        return known
    attributes = session.types["CustomAttributeConfiguration"].attributes
    names = [name for name in _FIELDS if attributes.get(name) is not None]
    found = session.query(f"select {', '.join(names)} from CustomAttributeConfiguration").all()
    session.__dict__["_custom_attribute_configurations"] = found
    return list(found)


def _choose(entity: Entity, candidates: list[Entity]) -> dict[str, Entity]:
    """Return the *candidates* that apply to *entity* by key; prefer those of its project."""
    kind = _configuration_kind(entity)
    fitting = [each for each in candidates if _fits(each, entity, kind)]
    chosen = {each["key"]: each for each in fitting if not each["project_id"]}
    if any(each["project_id"] for each in fitting):
        project_id = _project_id(entity)
        chosen.update(
            {
                each["key"]: each
                for each in fitting
                if each["project_id"] and each["project_id"] == project_id
            }
        )
    return chosen


def _configuration_kind(entity: Entity) -> str:
    """Return the kind of *entity* by the names in configurations."""
    kind = _KINDS.get(entity.entity_type)
    if kind is not None:
        return kind
    if entity.attributes.get("object_type_id") is not None:
        return "task"
    if entity.entity_type.endswith("List"):
        return "list"
    raise ValueError(f"Entities of the type {entity.entity_type} have no custom attributes.")


def _fits(candidate: Entity, entity: Entity, kind: str) -> bool:
    """Return whether *candidate* is for *entity*, by its *kind* and its object type."""
    if kind in _IN_HIERARCHY and "is_hierarchical" in candidate and candidate["is_hierarchical"]:
        return True
    if candidate["entity_type"] != kind:
        return False
    if kind == "task":
        return bool(candidate["object_type_id"] == entity["object_type_id"])
    if kind == "list" and candidate["object_type_id"]:
        return bool(candidate["object_type_id"] == referenced_id(entity, "category"))
    return True


def _project_id(entity: Entity) -> Value:
    """Return the id of the project of *entity*, or None."""
    if entity.entity_type == "Project":
        return entity["id"]
    if entity.get("project_id"):
        return entity["project_id"]
    for name in ("project", "parent", "asset"):
        if name in entity:
            found = referenced(entity, name)
            if found:
                return _project_id(found)
    return None
