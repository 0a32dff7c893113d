"""The sandbox's schema: all entity types, and the JSON schemas made from them.

Values that are not stored
--------------------------
``computed`` names of scalars and references and ``Derived`` names of collections; *row* is a row
of the type's table.

==============================  ====================================================================
name                            what it computes
==============================  ====================================================================
``context_link``                list of ``{"type", "id", "name"}`` from the project down to *row*,
                                by ``context_ancestry`` (deepest last); ``type`` is ``Project`` or
                                ``TypedContext``
``version_link``                the same for the ``context_id`` of the version's asset, then one
                                ``{"type": "AssetVersion", "id", "name"}`` for *row*, named after
                                asset and number: ``plate - v001``
``group_link``                  the same for groups, type ``Group``, by ``parent_id``
``thumbnail_url``               ``{"value": address}`` of the image of *row*'s ``thumbnail_id``
                                (``component/thumbnail?id=…``; for a ReviewSession of
                                ``review_session_thumbnail_id``), a placeholder's address without
``component_url``               ``{"value": address}`` of the data of *row*'s ``component_id``
                                (``component/get?id=…``)
``component_thumbnail_url``     ``{"value": address}`` of the image of *row*'s ``component_id``
``component_location_url``      as ``component_url`` when ``location_id`` is the server's or the
                                review location, else ``{"value": resource_identifier}``
``time_logged``                 sum of ``timelog.duration`` of *row* and all contexts below it
                                (seconds); 0 without any
``bid_time_logged_difference``  ``bid`` minus ``time_logged``
``latest_version``              the version of the asset with the highest ``version``, None without
``is_latest_version``           whether no version of the same asset has a higher ``version``
``recipient_user``              the resource with the id ``resource_id`` if it is a user, else None
``review_session_is_open``      whether ``start_date`` ≤ now < ``end_date``; by ``availability``
                                ``always`` or ``closed`` alone where it says so
``review_session_thumbnail_id`` ``thumbnail_id`` of the version ``thumbnail_source_id``, or of the
                                first review session object's version (by ``sort_order``)
``review_session_thumbnail``    the component with that id
``custom_attribute_key``        ``key`` of the configuration
``custom_attribute_value``      the typed value: ``text`` or ``number`` of *row* read by the type of
                                the configuration, the configuration's ``default_value`` where no
                                row is stored
``custom_attributes``           (collection) one value for each configuration that applies to the
                                owner, stored or not. A configuration with ``kind`` = ``value``
                                applies when its ``entity_type`` is the owner's (``task`` for typed
                                contexts, ``show`` for projects, ``assetversion``, ``asset``,
                                ``user``, ``list``, ``listobject``) or, with ``is_hierarchical``,
                                the owner is any context; when ``object_type_id`` is empty or the
                                owner's; and when ``project_id`` is empty or the owner's project
==============================  ====================================================================

Which type the values of ``<Family>CustomAttributeValue`` belong to says its ``entity_id``:
``properties["entity_id"].references == ("Context", "id")``. Querying such a type answers the dense
values of all entities of the family.

Conventions of stored values
----------------------------
- A project is its own ``project_id``; its ``parent_id`` is empty.
- ``parent_id`` with ``parent_type`` (notes, metadata, settings): ids are unique across types, so
  collections go by the id alone. ``parent_type`` is kept as it travels, ``Project``.
- ``status_change.parent_type`` is ``task`` or ``assetversion``.
- ``custom_attribute_link.from_entity_type`` and ``to_entity_type`` are kept as the name of the
  family (``Context`` for any context, else ``Asset``, ``AssetVersion``, ``Component``, ``Group``,
  ``List``, ``User``), whatever a client sends: they classify the rows.
- Two properties with one column (``is_all_projects``, ``Schema.type_id``) are the same value.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

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
from ftrack_like.sandbox.schema.export import type_schema
from ftrack_like.sandbox.schema.model import Model

__all__ = ["MODEL", "json_schemas", "schema_hash"]

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

#: All entity types by name, in the order in which they are served.
MODEL = Model(
    {
        type_.name: type_
        for type_ in sorted(
            (type_ for subject in _SUBJECTS for type_ in subject.TYPES),
            key=lambda type_: type_.name,
        )
    }
)


def json_schemas() -> list[dict[str, Any]]:
    """Return the schemas of all types as ``query_schemas`` answers them."""
    return [type_schema(type_) for type_ in MODEL.types.values()]


@lru_cache(maxsize=1)
def schema_hash() -> str:
    """Return the MD5 of the schemas, in hexadecimal, by which clients check their copy."""
    text = json.dumps(json_schemas(), sort_keys=True)
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()
