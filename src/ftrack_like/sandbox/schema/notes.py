"""Notes with their labels, recipients and attachments; metadata."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace, part_of
from ftrack_like.sandbox.schema.declare import (
    boolean,
    date_time,
    entity_type,
    integer,
    mapping,
    metadata,
    one_to_many,
    reference,
    text,
    to_one,
    type_named,
    unique_id,
)
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["ATTACHMENT_ADDRESSES", "REVIEW_LABEL_ID", "TYPES"]

#: The label of notes that are made in a review session.
REVIEW_LABEL_ID = "42983ba0-53b0-11e4-916c-0800200c9a66"

#: The addresses of the data of a row's component and of its small image.
ATTACHMENT_ADDRESSES = (
    mapping("url", computed="component_url"),
    mapping("thumbnail_url", computed="component_thumbnail_url"),
)

NOTE = entity_type(
    "Note",
    unique_id("noteid"),
    text("content", alias="text"),
    date_time("date"),
    date_time("thread_activity", alias="triggerdate"),
    integer("frame_number"),
    boolean("is_todo", default=False),
    date_time("completed_at"),
    to_one("completed_by", "User", shown="user_id"),
    to_one("author", "BaseUser", alias="user", key="user_id", key_alias="userid"),
    to_one("category", "NoteCategory", key_alias="categoryid"),
    to_one("in_reply_to", "Note", alias="noteparent", key_alias="noteparentid"),
    to_one("project", "Project", shown="project_id"),
    text("parent_id"),
    type_named("parent_type"),
    one_to_many("replies", "Note", "in_reply_to_id", alias="notes"),
    one_to_many("recipients", "Recipient", "note_id", alias="note_recipients"),
    one_to_many("note_components", "NoteComponent", "note_id"),
    one_to_many("note_label_links", "NoteLabelLink", "note_id"),
    metadata(),
    required=("id", "user_id"),
    system_projections=("project_id",),
    family="work",
    place=RowPlace(project="project_id"),
    owner=("user_id", None),
)


def _label(name: str) -> EntityType:
    """Return the type *name*, one of the two names for note labels."""
    return entity_type(
        name,
        unique_id("categoryid"),
        text("name"),
        text("color"),
        integer("sort", default=0),
        table="note_category",
        alias_for="NoteCategory",
    )


NOTE_LABEL_LINK = entity_type(
    "NoteLabelLink",
    to_one("note", "Note"),
    to_one("label", "NoteLabel"),
    primary_key=("note_id", "label_id"),
    family="work",
    place=part_of(("note_id", "note")),
    owner=("note_id", "note"),
)

NOTE_COMPONENT = entity_type(
    "NoteComponent",
    to_one("component", "Component"),
    to_one("note", "Note"),
    ATTACHMENT_ADDRESSES,
    primary_key=("component_id", "note_id"),
    immutable=("component_id", "note_id", "thumbnail_url", "url"),
    computed=("thumbnail_url", "url"),
    system_projections=("note_component_type",),
    family="work",
    place=part_of(("note_id", "note")),
    owner=("note_id", "note"),
)

NOTE_ANNOTATION_COMPONENT = entity_type(
    "NoteAnnotationComponent",
    mapping("data"),
    extends=NOTE_COMPONENT,
    classifier={"note_component_type": "annotation"},
    mixin="NoteComponent",
)

RECIPIENT = entity_type(
    "Recipient",
    to_one("note", "Note", alias="recipient_note"),
    to_one("recipient", "Resource", alias="recipient_resource", key="resource_id"),
    reference("user", "User", column="resource_id", computed="recipient_user"),
    text("text_mentioned"),
    primary_key=("note_id", "resource_id"),
    family="work",
    place=part_of(("note_id", "note")),
    owner=("note_id", "note"),
)

METADATA = entity_type(
    "Metadata",
    text("parent_id", alias="meta_id"),
    type_named("parent_type", alias="meta_type"),
    text("key", alias="variable"),
    text("value"),
    alias_for="Meta",
    primary_key=("parent_id", "key"),
    required=("parent_id", "key", "value", "parent_type"),
    default_projections=("parent_id", "key", "value", "parent_type"),
    place=RowPlace(anything=("parent_id",)),
)

TYPES = (
    NOTE,
    _label("NoteCategory"),
    _label("NoteLabel"),
    NOTE_LABEL_LINK,
    NOTE_COMPONENT,
    NOTE_ANNOTATION_COMPONENT,
    RECIPIENT,
    METADATA,
)
