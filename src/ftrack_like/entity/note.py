"""The behaviour of notes and of entities with notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional, cast

from ftrack_like.entity.base import Entity

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["CreateNoteMixin", "Note"]


class Note(Entity):
    """A note on an entity, or a reply to another note."""

    def create_reply(self, content: str, author: Entity) -> Note:
        """Return a new note with *content* by the user *author*, a reply to this note."""
        replies = self["replies"]  # Reading may fail, and must not leave a note without a place.
        answer = self.session.create("Note", {"content": content, "author": author})
        replies.append(answer)
        return cast("Note", answer)


class CreateNoteMixin:
    """A mixin for entities with an attribute ``notes``."""

    def create_note(
        self,
        content: str,
        author: Entity,
        recipients: Optional[Iterable[Entity]] = None,
        category: Optional[Entity] = None,
        labels: Optional[Iterable[Entity]] = None,
    ) -> Note:
        """Return a new note on this entity with *content* by the user *author*.

        *recipients* are the users and groups to notify. *labels* are the labels of the note.
        *category* is the older argument for one label. Raise :exc:`ValueError` if both are given.
        """
        entity = cast("Entity", self)
        labels = list(labels or ())
        if category:
            if labels:
                raise ValueError("A note takes either labels or a category, not both.")
            labels = [category]
        session = entity.session
        notes = entity["notes"]  # Reading may fail, and must not leave a note without a place.
        note = session.create("Note", {"content": content, "author": author})
        notes.append(note)
        note["recipients"].extend(
            [
                session.create("Recipient", {"resource_id": each["id"], "note_id": note["id"]})
                for each in recipients or ()
            ]
        )
        for label in labels:
            _link_label(session, note, label)
        return cast("Note", note)


def _link_label(session: Session, note: Entity, label: Entity) -> None:
    """Put *label* on *note*: as a link, or as its category on older servers without links."""
    if "NoteLabelLink" in session.types:
        session.create("NoteLabelLink", {"note_id": note["id"], "label_id": label["id"]})
    else:
        note["category"] = label
