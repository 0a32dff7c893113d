"""Find the versions that a player shows for an entity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like.sandbox.tables.values import read_json
from ftrack_like.sandbox.web.listing import Listing, list_records
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = ["versions_to_play"]

#: The most versions on a page, and the most that temporary data can name.
ROWS = 100
_MOST = 500

#: The versions for an entity, by its type.
_CRITERIA = {
    "Asset": "asset_id is {}",
    "AssetVersion": "id is {}",
    "AssetVersionList": "lists any (id is {})",
    "Project": "project_id is {}",
    "ReviewSession": "review_session_objects any (review_session_id is {})",
    "ReviewSessionObject": "review_session_objects any (id is {})",
    "Task": "task_id is {}",
}

#: The versions for any other context.
_BELOW = "asset.ancestors any (id is {})"


def versions_to_play(
    reader: PageReader, type_name: str, id_: str, query: Mapping[str, str]
) -> Listing[Record]:
    """Return the versions of the entity *id_*, with the newest first.

    Temporary data contain the ids of the versions as a JSON list: ``[{"id": …, "type": …}]``.
    """
    if type_name == "TempData":
        criteria = _listed(reader.one(f"select data from TempData where id is {quoted(id_)}"))
    else:
        criteria = _CRITERIA.get(type_name, _BELOW).format(quoted(id_))
    return list_records(
        reader,
        "select id, link, date, version, thumbnail_id, status.name, status.color from AssetVersion",
        criteria,
        "date desc, id",
        query,
        ROWS,
    )


def _listed(record: Optional[Record]) -> str:
    """Return the criteria for the versions in the data of *record*."""
    try:
        entries = read_json(record["data"]) if record else []
    except ValueError:
        entries = []
    ids = [_id_of(one) for one in entries] if isinstance(entries, list) else []
    known = [quoted(one) for one in ids[:_MOST] if one is not None]
    return f"id in ({', '.join(known)})" if known else "id is none"


def _id_of(entry: Any) -> Optional[str]:
    id_ = entry.get("id") if isinstance(entry, dict) else entry
    return id_ if isinstance(id_, str) else None
