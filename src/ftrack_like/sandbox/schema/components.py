"""Components, and the locations that contain their data.

``system_type`` of a component is ``file``, ``container`` or ``sequence``. A sequence is a
container whose members are frames.
"""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace, Use, part_of
from ftrack_like.sandbox.schema.declare import (
    custom_attributes,
    entity_type,
    foreign_key,
    integer,
    mapping,
    metadata,
    one_to_many,
    text,
    to_one,
    unique_id,
)

__all__ = ["TYPES"]

COMPONENT = entity_type(
    "Component",
    unique_id(),
    text("name", default="main"),
    text("file_type", alias="filetype"),
    integer("size", default=0),
    text("system_type"),
    to_one("container", "ContainerComponent"),
    to_one("version", "AssetVersion"),
    one_to_many("component_locations", "ComponentLocation", "component_id"),
    metadata(),
    custom_attributes(),
    concrete=False,
    required=("system_type", "name", "id"),
    default_projections=("id", "system_type"),
    system_projections=("system_type", "version_id", "container_id"),
    family="work",
    place=RowPlace(
        through=(("version_id", "asset_version"), ("container_id", "component")),
        uses=(
            Use("note_component", "component_id", ("note_id", "note")),
            Use("context", "thumbnail_id"),
            Use("asset_version", "thumbnail_id"),
            Use(
                "review_session_object_annotation_component",
                "component_id",
                ("review_session_object_id", "review_session_object"),
            ),
        ),
    ),
)

#: The ``id`` of the concrete component types. Their JSON schema describes it as a foreign key.
OWN_ID = foreign_key("id", "Component.id", default="{uid}")

FILE_COMPONENT = entity_type(
    "FileComponent", OWN_ID, extends=COMPONENT, classifier={"system_type": "file"}
)

CONTAINER_COMPONENT = entity_type(
    "ContainerComponent",
    OWN_ID,
    one_to_many("members", "Component", "container_id"),
    extends=COMPONENT,
    classifier={"system_type": "container"},
)

SEQUENCE_COMPONENT = entity_type(
    "SequenceComponent",
    integer("padding", default=0),
    extends=CONTAINER_COMPONENT,
    classifier={"system_type": "sequence"},
    required=("system_type", "name", "id", "padding"),
)

LOCATION = entity_type(
    "Location",
    unique_id(),
    text("name"),
    text("label"),
    text("description"),
    one_to_many("location_components", "ComponentLocation", "location_id"),
    required=("name", "id"),
)

COMPONENT_LOCATION = entity_type(
    "ComponentLocation",
    unique_id(),
    to_one("component", "Component"),
    to_one("location", "Location"),
    text("resource_identifier", alias="resourceIdentifier"),
    mapping("url", computed="component_location_url"),
    computed=("url",),
    system_projections=("location_id", "component_id"),
    family="work",
    place=part_of(("component_id", "component")),
)

TYPES = (
    COMPONENT,
    FILE_COMPONENT,
    CONTAINER_COMPONENT,
    SEQUENCE_COMPONENT,
    LOCATION,
    COMPONENT_LOCATION,
)
