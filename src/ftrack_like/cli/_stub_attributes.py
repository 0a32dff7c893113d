"""The custom attributes of a site, as types for type checkers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, Optional

from ftrack_like._values.catalogue import Catalogue

__all__ = ["Configuration", "attribute_types"]


class Configuration(NamedTuple):
    """A custom attribute of a site.

    *entity_type* is ``task``, ``show``, ``assetversion``, ``asset``, ``user`` or ``list``. *kind*
    is the name of its type, such as ``number``. *settings* is JSON with details of the type.
    """

    key: str
    entity_type: str
    object_type_id: Optional[str]
    is_hierarchical: bool
    kind: str
    settings: str


#: The types of values to read and to write, by the kind of a custom attribute. The text of an
#: expression may be evaluated to a value of any type.
_KINDS = {
    "text": ("str", "str"),
    "boolean": ("bool", "bool"),
    "date": ("_Arrow", "_Moment"),
    "enumerator": ("list[str]", "str | _Iterable[str]"),
    "dynamic enumerator": ("list[str]", "str | _Iterable[str]"),
}

_OWNERS = {"show": "Project", "assetversion": "AssetVersion", "asset": "Asset", "user": "User"}


def attribute_types(
    catalogue: Catalogue, configurations: Iterable[Configuration]
) -> dict[str, dict[str, tuple[str, str]]]:
    """Return ``{type: {key: (type of values to read, type of values to write)}}``.

    A type is left out if no custom attribute applies to it.
    """
    found: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for each in configurations:
        types = _value_types(each)
        for name in _owners(catalogue, each):
            known = found[name].get(each.key, types)
            # Projects may have attributes with the same key and different types.
            found[name][each.key] = types if known == types else ("_Any", "_Any")
    return found


def _value_types(configuration: Configuration) -> tuple[str, str]:
    if configuration.kind == "number":
        try:
            is_decimal = json.loads(configuration.settings or "{}").get("isdecimal", True)
        except (ValueError, AttributeError):
            is_decimal = True
        return ("float", "float") if is_decimal else ("int", "int")
    return _KINDS.get(configuration.kind, ("_Any", "_Any"))


def _owners(catalogue: Catalogue, configuration: Configuration) -> list[str]:
    """Return the types whose entities have the custom attribute."""
    return [
        name
        for name in catalogue.names()
        if "custom_attributes" in catalogue.properties(name)
        and _applies(catalogue, name, configuration)
    ]


def _applies(catalogue: Catalogue, name: str, configuration: Configuration) -> bool:
    """Return whether entities of the type *name* have the custom attribute."""
    object_type = _object_type(catalogue, name)
    if configuration.is_hierarchical and (
        object_type is not None or name in ("Project", "Asset", "AssetVersion")
    ):
        return True
    if configuration.entity_type == "task":
        return object_type is not None and object_type == configuration.object_type_id
    if configuration.entity_type == "list":
        return name.endswith("List")
    return _OWNERS.get(configuration.entity_type) == name


def _object_type(catalogue: Catalogue, name: str) -> Optional[str]:
    """Return the id of the object type of the entities of *name*; None for other types."""
    fragment = catalogue.schema(name)["properties"].get("object_type_id") or {}
    default = fragment.get("default")
    return default if isinstance(default, str) else None
