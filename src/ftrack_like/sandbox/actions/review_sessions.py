"""The order of the objects of a review session."""

from __future__ import annotations

from ftrack_like.sandbox.actions.batch import Batch, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["HOOKS"]


def _creating_object(batch: Batch, type_: EntityType, row: Row) -> None:
    """Put a new object without a place after the others.

    The batch has the turn to write, so objects that several clients add at once get different
    places.
    """
    session_id = row.get("review_session_id")
    if row.get("sort_order") is not None:
        return
    places = batch.store.values(type_.table, "sort_order", review_session_id=session_id)
    row["sort_order"] = max((one for one in places if one is not None), default=-1.0) + 1.0


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "ReviewSessionObject": (Hooks(creating=_creating_object),),
}
