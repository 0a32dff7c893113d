"""Make the API operations that store the notes, drawings and decisions of invitees."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.sandbox.actions.compose import creation, server_component
from ftrack_like.sandbox.web.drawing import stored_drawing

__all__ = [
    "REVIEW_FRAME",
    "collaborator_operations",
    "guest_operations",
    "note_operations",
    "picture_operations",
    "verdict_operation",
]

#: The key under which the metadata of a note contain its frame number.
REVIEW_FRAME = "reviewFrame"


def note_operations(
    content: str,
    *,
    object_id: str,
    frame: Optional[int] = None,
    strokes: Sequence[Any] = (),
    in_reply_to_id: Optional[str] = None,
    category_id: Optional[str] = None,
) -> list[dict[str, Any]]:
    """Return the operations that create a note on an object, or a reply to a note.

    *frame* is the number of the frame, or None for a note about the whole version. *strokes* are
    the drawing on this frame. *category_id* is the category of a new note.
    """
    note_id = new_id()
    note: dict[str, Any] = {"id": note_id, "content": content}
    if in_reply_to_id is not None:
        return [creation("Note", {**note, "in_reply_to_id": in_reply_to_id})]
    note.update(parent_id=object_id, parent_type="ReviewSessionObject", frame_number=frame)
    note["category_id"] = category_id
    operations = [creation("Note", note)]
    if frame is not None:
        operations.append(_frame_metadata(note_id, frame))
    if strokes:
        annotation = {
            "id": new_id(),
            "review_session_object_id": object_id,
            "frame_number": frame or 0,
            "data": stored_drawing(strokes, note_id),
        }
        operations.append(creation("ReviewSessionObjectAnnotation", annotation))
    return operations


def picture_operations(
    component_id: str, size: int, *, note_id: str, object_id: str, frame: Optional[int]
) -> list[dict[str, Any]]:
    """Return the operations that attach the picture of a drawing to a note and to an object.

    The data of the component, *size* bytes, must be stored already. *frame* is the number of the
    frame with the drawing, or None.
    """
    name = "drawing" if frame is None else f"drawing.{frame:04d}"
    component = {"id": component_id, "name": name, "file_type": ".jpg", "size": size}
    on_note = {"component_id": component_id, "note_id": note_id, "data": {"frame": frame}}
    on_object = {
        "component_id": component_id,
        "review_session_object_id": object_id,
        "frame_number": str(frame or 0),
    }
    return [
        *server_component(component),
        creation("NoteAnnotationComponent", on_note, key=("component_id", "note_id")),
        creation(
            "ReviewSessionObjectAnnotationComponent",
            on_object,
            key=("component_id", "review_session_object_id"),
        ),
    ]


def verdict_operation(
    status: str, *, object_id: str, invitee_id: str, resource_id: str, previous: Optional[str]
) -> dict[str, Any]:
    """Return the operation that stores an invitee's decision *status* about an object.

    *previous* is the id of the earlier decision to update, or None to create one.
    """
    if previous is not None:
        return {
            "action": "update",
            "entity_type": "ReviewSessionObjectStatus",
            "entity_key": [previous],
            "entity_data": {"__entity_type__": "ReviewSessionObjectStatus", "status": status},
        }
    values = {
        "id": new_id(),
        "status": status,
        "review_session_object_id": object_id,
        "review_session_invitee_id": invitee_id,
        "resource_id": resource_id,
    }
    return creation("ReviewSessionObjectStatus", values)


def collaborator_operations(
    invitee: Mapping[str, Any], known_id: Optional[str]
) -> tuple[str, list[dict[str, Any]]]:
    """Return the id of a collaborator for *invitee*, and the operations that assign it.

    *known_id* is the collaborator with the invitee's mail address. If it is None, the operations
    create a collaborator.
    """
    resource_id = known_id
    operations: list[dict[str, Any]] = []
    if resource_id is None:
        resource_id = new_id()
        operations.append(_collaborator(resource_id, invitee["name"], invitee["email"]))
    operations.append(
        {
            "action": "update",
            "entity_type": "ReviewSessionInvitee",
            "entity_key": [invitee["id"]],
            "entity_data": {
                "__entity_type__": "ReviewSessionInvitee",
                "resource_id": resource_id,
            },
        }
    )
    return resource_id, operations


def guest_operations(
    invitee_id: str, session_id: str, name: str, email: str
) -> list[dict[str, Any]]:
    """Return the operations that create an invitee for a visitor with the shared link.

    The visitor has not proved that the mail address is theirs. The operations therefore always
    create a new collaborator, even if one with this address exists.
    """
    resource_id = new_id()
    invitee = {
        "id": invitee_id,
        "name": name,
        "email": email,
        "review_session_id": session_id,
        "resource_id": resource_id,
        "created_from_shared_url": True,
    }
    person = _collaborator(resource_id, name, email)
    person["entity_data"]["created_from_shared_url"] = "true"
    return [person, creation("ReviewSessionInvitee", invitee)]


def _collaborator(id_: str, name: Optional[str], email: str) -> dict[str, Any]:
    first_name, _, last_name = (name or email).partition(" ")
    names = {"first_name": first_name, "last_name": last_name.strip()}
    return creation("Collaborator", {"id": id_, "email": email, **names})


def _frame_metadata(note_id: str, frame: int) -> dict[str, Any]:
    values = {
        "parent_id": note_id,
        "parent_type": "Note",
        "key": REVIEW_FRAME,
        "value": json.dumps({"number": frame}),
    }
    return creation("Metadata", values, key=("parent_id", "key"))
