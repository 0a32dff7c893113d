"""Make the API operations that store the notes, drawings and decisions of invitees."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.sandbox.actions.compose import creation, server_component, update_operation
from ftrack_like.sandbox.actions.values import moment_text
from ftrack_like.sandbox.web.drawing import stored_drawing
from ftrack_like.sandbox.web.note_data import RESOLVED_BY

__all__ = [
    "REVIEW_FRAME",
    "collaborator_operations",
    "decision_operation",
    "deletion_operations",
    "guest_operations",
    "note_operations",
    "picture_operations",
    "resolve_operations",
]

#: The key under which the metadata of a note contain its frame number.
REVIEW_FRAME = "reviewFrame"


def note_operations(
    content: str,
    *,
    note_id: str,
    object_id: str,
    frame: Optional[int] = None,
    strokes: Sequence[Any] = (),
    in_reply_to_id: Optional[str] = None,
    category_id: Optional[str] = None,
) -> list[dict[str, Any]]:
    """Return the operations that create a note on an object, or a reply to a note.

    *note_id* is the id of the new note. *frame* is the number of the frame, or None for a note
    about the whole version. *strokes* are the drawing on this frame. *category_id* is the category
    of a new note.
    """
    note: dict[str, Any] = {"id": note_id, "content": content}
    if in_reply_to_id is not None:
        return [creation("Note", {**note, "in_reply_to_id": in_reply_to_id})]
    note.update(parent_id=object_id, parent_type="ReviewSessionObject", frame_number=frame)
    note["category_id"] = category_id
    operations = [creation("Note", note)]
    if frame is not None:
        operations.append(_note_metadata(note_id, REVIEW_FRAME, {"number": frame}))
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


def resolve_operations(
    note_id: str, person_id: Optional[str], *, is_user: bool, known: Collection[str]
) -> list[dict[str, Any]]:
    """Return the operations that store that a person resolved a note.

    *person_id* is None to open the note again. *is_user* says whether the person is a user.
    *known* contains the keys of the metadata of the note.
    """
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    moment = {"__type__": "datetime", "value": now.isoformat()}
    values = {
        "completed_at": moment if person_id else None,
        "completed_by_id": person_id if is_user else None,
    }
    operations = [update_operation("Note", note_id, values)]
    if RESOLVED_BY in known:
        key = {"action": "delete", "entity_type": "Metadata", "entity_key": [note_id, RESOLVED_BY]}
        operations.append(key)
    if person_id and not is_user:
        operations.append(_note_metadata(note_id, RESOLVED_BY, {"id": person_id}))
    return operations


def deletion_operations(
    note_id: str, annotation_ids: Iterable[str], component_ids: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the operations that delete a note, its drawings and the components of its files."""
    deleted = [
        *(("ReviewSessionObjectAnnotation", one) for one in annotation_ids),
        *(("FileComponent", one) for one in component_ids),
        ("Note", note_id),
    ]
    return [
        {"action": "delete", "entity_type": type_, "entity_key": [id_]} for type_, id_ in deleted
    ]


def decision_operation(
    status: str, *, object_id: str, invitee_id: str, resource_id: str, previous: Optional[str]
) -> dict[str, Any]:
    """Return the operation that stores an invitee's decision *status* about an object.

    *previous* is the id of the earlier decision to update, or None to create one. The time of an
    updated decision is that of the update.
    """
    if previous is not None:
        return {
            "action": "update",
            "entity_type": "ReviewSessionObjectStatus",
            "entity_key": [previous],
            "entity_data": {
                "__entity_type__": "ReviewSessionObjectStatus",
                "status": status,
                "created_at": moment_text(datetime.now(timezone.utc)),
            },
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


def _note_metadata(note_id: str, key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        "parent_id": note_id,
        "parent_type": "Note",
        "key": key,
        "value": json.dumps(value),
    }
    return creation("Metadata", values, key=("parent_id", "key"))
