"""Find the ids of seeded rows: the known id of a stock row, or one that follows from the names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.object_types import STOCK_OBJECT_TYPES
from ftrack_like.sandbox.seed.data import attributes, project_schemas, site, work
from ftrack_like.sandbox.tables.rowset import named_id

__all__ = ["configuration_id", "row_id"]


def row_id(type_name: str, *names: str) -> str:
    """Return the id of the seeded row of *type_name* with *names*."""
    known = _stock_ids().get((MODEL.types[type_name].table, *names))
    return known or named_id(type_name, *names)


def configuration_id(one: attributes.Configuration) -> str:
    """Return the id of the custom attribute configuration *one*."""
    names = (one.entity_type, one.object_type or "", one.key)
    return row_id("CustomAttributeConfiguration", *names)


@cache
def _stock_ids() -> Mapping[tuple[str, ...], str]:
    """Return the known ids by table and names."""
    found: dict[tuple[str, ...], str] = {}
    for table, rows in (
        ("state", work.STATES),
        ("status", work.STATUSES),
        ("type", work.TYPES),
        ("priority", work.PRIORITIES),
        ("asset_type", work.ASSET_TYPES),
        ("object_type", STOCK_OBJECT_TYPES),
        ("project_schema", project_schemas.PROJECT_SCHEMAS),
        ("list_category", site.LIST_CATEGORIES),
        ("note_category", site.NOTE_LABELS),
        ("user_type", site.USER_TYPES),
        ("location", site.LOCATIONS),
    ):
        found.update({(table, one.name): one.id for one in rows if one.id})
    for name, id_ in attributes.CUSTOM_ATTRIBUTE_TYPES.items():
        found["custom_attribute_type", name] = id_
    table = "custom_attribute_configuration"
    for one in attributes.STOCK_CONFIGURATIONS:
        if one.id:
            found[table, one.entity_type, one.object_type or "", one.key] = one.id
    return found
