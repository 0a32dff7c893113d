"""The sandbox's schema: all entity types, and the JSON schemas made from them.

Values that are not stored
--------------------------
The query compiler computes some values when a query selects them. The declarations name the
computation: ``computed`` of a scalar or reference, ``Derived`` of a collection. In this table *row*
is a row of the type's table.

==============================  ====================================================================
name                            computed value
==============================  ====================================================================
``context_link``                list of ``{"type", "id", "name"}`` from the project down to *row*,
                                by ``context_ancestry`` (deepest last); ``type`` is ``Project`` or
                                ``TypedContext``
``version_link``                the same for the ``context_id`` of the version's asset, then one
                                ``{"type": "AssetVersion", "id", "name"}`` for *row*, named after
                                asset and number: ``plate - v001``
``group_link``                  the same for groups, type ``Group``, by ``parent_id``
``thumbnail_url``               ``{"url": address, "value": address}`` of the image of *row*'s
                                ``thumbnail_id``
                                (``component/thumbnail?id=…``; for a ReviewSession of
                                ``review_session_thumbnail_id``). Without an image, the address of
                                a placeholder
``component_url``               ``{"value": address}`` of the data of *row*'s ``component_id``
                                (``component/get?id=…``)
``component_thumbnail_url``     ``{"value": address}`` of the image of *row*'s ``component_id``
``component_location_url``      as ``component_url`` when ``location_id`` is the server's or the
                                review location, else ``{"value": resource_identifier}``
``time_logged``                 sum of ``timelog.duration`` of *row* and all contexts below it
                                in seconds; 0 if there are none
``bid_time_logged_difference``  ``bid`` minus ``time_logged``
``latest_version``              the version of the asset with the highest ``version``, or None
``is_latest_version``           whether no version of the same asset has a higher ``version``
``recipient_user``              the resource with the id ``resource_id`` if it is a user, else None
``review_session_is_open``      true if ``availability`` is ``always``, false if it is ``closed``,
                                otherwise whether ``start_date`` ≤ now < ``end_date``; an empty date
                                sets no limit
``review_session_thumbnail_id`` ``thumbnail_id`` of the version ``thumbnail_source_id``, or of the
                                first review session object's version (by ``sort_order``)
``review_session_thumbnail``    the component with that id
``custom_attribute_key``        ``key`` of the configuration
``custom_attribute_value``      ``text`` or ``number`` of *row*, converted to the type of the
                                configuration; the configuration's ``default_value`` if there is no
                                stored row
``custom_attributes``           (collection) one value for each configuration that applies to the
                                owner, whether a row is stored or not
==============================  ====================================================================

A configuration with ``kind`` = ``value`` applies to an entity if all of these are true:

- ``entity_type`` is that of the entity: ``task`` for typed contexts, ``show`` for projects,
  ``assetversion``, ``asset``, ``user``, ``list`` or ``listobject``. With ``is_hierarchical`` the
  configuration applies to every context.
- ``object_type_id`` is empty, or that of the entity.
- ``project_id`` is empty, or the entity's project.

``entity_id`` of ``<Family>CustomAttributeValue`` names the type that has the values:
``properties["entity_id"].references == ("Context", "id")``. A query of such a type returns the
values of all entities of the family. It includes the default values, for which no row is stored.

Conventions of stored values
----------------------------
- ``project_id`` of a project is its own id. Its ``parent_id`` is empty.
- Notes, metadata and settings have ``parent_id`` and ``parent_type``. Ids are unique across types,
  so collections compare only the id. ``parent_type`` is stored as clients send it: ``Project``.
- ``status_change.parent_type`` is ``task`` or ``assetversion``.
- ``custom_attribute_link.from_entity_type`` and ``to_entity_type`` classify the rows. They are
  therefore always the name of a family, whatever type a client sends: ``Asset``, ``AssetVersion``,
  ``Component``, ``Context``, ``Group``, ``List`` or ``User``.
- Two properties with the same column have the same value (``Schema.type_id`` and
  ``object_type_id``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Optional

from ftrack_like.sandbox.schema import (
    assets,
    automation,
    components,
    contexts,
    custom_attributes,
    lists,
    notes,
    people,
    review_sessions,
    schedule,
    security,
    site_settings,
    workflow,
)
from ftrack_like.sandbox.schema.contexts import DEFAULT_PRIORITY_ID
from ftrack_like.sandbox.schema.export import type_schema
from ftrack_like.sandbox.schema.model import EntityType, Model
from ftrack_like.sandbox.schema.object_types import (
    STOCK_OBJECT_TYPES,
    ObjectType,
    context_type,
    is_type_name,
)

__all__ = [
    "MODEL",
    "OTHER_NAMES",
    "general_type",
    "json_schemas",
    "model_with",
    "schema_hash",
    "stock_type",
]

#: Other names that programs use for a type, with its name.
OTHER_NAMES: Mapping[str, str] = {"tempdata": "TempData"}

_SUBJECTS = (
    assets,
    automation,
    components,
    contexts,
    custom_attributes,
    lists,
    notes,
    people,
    review_sessions,
    schedule,
    security,
    site_settings,
    workflow,
)

#: The types that every site has.
_DECLARED = {type_.name: type_ for subject in _SUBJECTS for type_ in subject.TYPES}


@lru_cache(maxsize=64)
def model_with(object_types: tuple[ObjectType, ...], default_priority_id: Optional[str]) -> Model:
    """Return the model of a site with *object_types*: each has an entity type of its own.

    The types are in the order in which the server sends them. An object type without a name of its
    own has no entity type. Equal arguments give the same object, as long as few sites are in use.
    """
    types = dict(_DECLARED)
    for one in object_types:
        type_ = context_type(one, default_priority_id)
        if is_type_name(type_.name):
            types.setdefault(type_.name, type_)
    return Model({name: types[name] for name in sorted(types)})


#: The model of a stock site. Tables follow from it; object types of a studio need no further ones.
MODEL = model_with(STOCK_OBJECT_TYPES, DEFAULT_PRIORITY_ID)


def stock_type(name: str) -> EntityType:
    """Return the type *name*; for an entity type that a studio added, ``TypedContext``.

    Both have the same table, key and attributes. Use the site's own model where the name matters.
    """
    return MODEL.types.get(name) or MODEL.types["TypedContext"]


@cache
def general_type(table: str) -> str:
    """Return the name of the most general type whose rows are in *table*."""
    names = [one.name for one in MODEL.types.values() if one.table == table]
    return next(name for name in names if not set(MODEL.types[name].bases) & set(names))


def json_schemas(model: Model = MODEL) -> list[dict[str, Any]]:
    """Return the JSON schemas of all types of *model*, the answer to ``query_schemas``."""
    return [type_schema(type_) for type_ in model.types.values()]


@lru_cache(maxsize=64)
def schema_hash(model: Model = MODEL) -> str:
    """Return the MD5 of the schemas in hexadecimal. Clients compare it with their cached copy."""
    text = json.dumps(json_schemas(model), sort_keys=True)
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()
