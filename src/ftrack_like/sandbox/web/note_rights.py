"""Decide who may change a note on the review page."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Optional

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.errors import PermissionDeniedError
from ftrack_like.sandbox.web.note_data import ReviewNote
from ftrack_like.sandbox.web.review_access import Visit

__all__ = ["NoteRights"]


class NoteRights:
    """The rights of the visitor of a review on *notes*.

    Authors may edit and delete their own notes. A host, which is an invitee with an account, may
    also delete the notes that the roles of the account allow to delete.
    """

    def __init__(self, visit: Visit, notes: Sequence[ReviewNote]) -> None:
        """Initialise; the rights of a host are read when they are needed."""
        self._visit = visit
        self._notes = notes

    @functools.cached_property
    def host(self) -> Optional[RequestUser]:
        """Return the visitor's account, None if the visitor has none."""
        person = self._visit.user.id
        if not person:
            return None
        try:
            return self._visit.asked.api.find_user(person)
        except PermissionDeniedError:
            return None

    def may_edit(self, note: ReviewNote) -> bool:
        """Return whether the visitor is the author of *note*."""
        return note.author_id is not None and note.author_id == self._visit.user.id

    def may_delete(self, note: ReviewNote) -> bool:
        """Return whether the visitor may delete *note* with its replies.

        An author may not delete the replies of others. *note* must have all its replies.
        """
        if note.id in self._deletable:
            return True
        return self.may_edit(note) and all(map(self.may_edit, note.replies))

    @functools.cached_property
    def _deletable(self) -> set[str]:
        """Return the ids of the notes that the roles of a host allow to delete."""
        if self.host is None:
            return set()
        ids = [one.id for note in self._notes for one in (note, *note.replies)]
        operations = [
            {
                "action": "_authorize_operation",
                "data": {
                    "action": "delete",
                    "data": {"entity_type": "Note"},
                    "context": {"entity_type": "Note", "entity_key": [id_]},
                },
            }
            for id_ in ids
        ]
        answers = self._visit.asked.execute(operations, self.host) if operations else []
        return {id_ for id_, answer in zip(ids, answers) if answer["result"]}
