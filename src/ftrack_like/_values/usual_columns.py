"""The columns of a table that names none, by type."""

from __future__ import annotations

__all__ = ["GENERAL", "OF_TYPES"]

#: The columns of most types, as far as a type has them, after the primary key.
GENERAL = """name username label key value asset.name version content file_type type.name
    status.name parent.name"""
#: The columns of types that the general ones describe badly, best first.
OF_TYPES = {
    "Appointment": "type resource.name resource.username context.name start_date end_date",
    "Asset": "name type.name parent.name latest_version.version",
    "AssetVersion": "asset.name version status.name asset.parent.name user.username date comment",
    "CalendarEvent": "name type.name project.name start end",
    "Component": "name file_type size version.asset.name version.version",
    "ComponentLocation": "component.name location.name resource_identifier",
    "CustomAttributeConfiguration": "key label entity_type object_type.name type.name",
    "Event": "action parent_type parent_id user.username created_at",
    "Job": "type status user.username created_at finished_at",
    "List": "name category.name project.name owner.username is_open",
    "Membership": "group.name user.username user.first_name user.last_name",
    "Metadata": "key value parent_type parent_id",
    "Note": "content author.name author.username date category.name parent_type",
    "Project": "name full_name status start_date end_date",
    "ReviewSession": "name project.name start_date end_date is_open",
    "ReviewSessionInvitee": "name email review_session.name",
    "ReviewSessionObject": "name version review_session.name",
    "ReviewSessionObjectStatus": """review_session_object.name review_session_object.version status
        invitee.name resource.username created_at""",
    "Timelog": "user.username context.name start duration comment",
    "User": "username first_name last_name email is_active",
}
