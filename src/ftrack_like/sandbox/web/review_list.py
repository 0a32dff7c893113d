"""The list of the objects of a review, which the page shows a part at a time.

A review can contain hundreds of objects. The page therefore contains the rows around the chosen
object, and links to the rows before and after them. A script follows these links as the list
scrolls (``static/objects.js``). Without a script they open the page with other rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from starlette.responses import Response

from ftrack_like.sandbox.web.listing import count_of, offset_of
from ftrack_like.sandbox.web.media import address_maker
from ftrack_like.sandbox.web.pages import render
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted
from ftrack_like.sandbox.web.review_access import Visit
from ftrack_like.sandbox.web.review_data import ReviewDecision, decisions_of

__all__ = [
    "DecisionCount",
    "ObjectList",
    "ObjectRow",
    "count_notes",
    "list_objects",
    "object_ids",
    "object_records",
    "show_rows",
]

#: The number of rows on a page, and the most rows that a request can ask for.
ROWS = 40
MOST_ROWS = 200

_ORDER = "sort_order, name, id"
_IDS = f"select id from ReviewSessionObject where review_session_id is {{}} order by {_ORDER}"
_SELECTED = (
    "select id, name, description, version, version_id, asset_version.thumbnail_id,"
    " asset_version.version, asset_version.asset.name from ReviewSessionObject"
)
_NOTE_COUNTS = (
    "select parent_id, user_id, count(id) from Note where parent_id in ({})"
    " and in_reply_to_id is none group by parent_id, user_id"
)


@dataclass(frozen=True)
class DecisionCount:
    """The number of invitees with the same decision. *who* contains their names."""

    status: str
    words: str
    who: Sequence[str]


@dataclass(frozen=True)
class ObjectRow:
    """A row of the list. *position* counts from 1. *notes* is the number of notes."""

    id: str
    position: int
    name: str
    version: str
    thumbnail_id: Optional[str]
    decisions: Sequence[DecisionCount]
    notes: int


@dataclass(frozen=True)
class ObjectList:
    """A part of the list, and the *chosen* object with its place in the list.

    *rows* begin at the offset *first*. *total* is the number of all objects. *position* is that of
    the chosen object and counts from 1. *previous* and *following* are the ids of its neighbours.
    *chosen*, and the rest about it, are None or 0 if the review is empty.
    """

    rows: Sequence[ObjectRow]
    first: int
    total: int
    chosen: Optional[Record] = None
    position: int = 0
    previous: Optional[str] = None
    following: Optional[str] = None

    @property
    def earlier(self) -> Optional[int]:
        """Return the offset of the rows before these, or None if these are the first."""
        return max(self.first - ROWS, 0) if self.first else None

    @property
    def later(self) -> Optional[int]:
        """Return the offset of the rows after these, or None if these are the last."""
        end = self.first + len(self.rows)
        return end if end < self.total else None


def object_ids(reader: PageReader, session_id: str) -> list[str]:
    """Return the ids of the objects of a review session in their order."""
    return [one["id"] for one in reader.query(_IDS.format(quoted(session_id)))]


def object_records(reader: PageReader, ids: Sequence[str]) -> list[Record]:
    """Return the objects *ids* in this order."""
    if not ids:
        return []
    found = {
        one["id"]: one
        for one in reader.query(f"{_SELECTED} where id in ({', '.join(map(quoted, ids))})")
    }
    return [found[id_] for id_ in ids if id_ in found]


def list_objects(visit: Visit) -> ObjectList:
    """Return the part of the list that the address asks for.

    ``object`` is the id of the chosen object, by default the first. ``from`` is the offset of the
    first row. Without it the chosen object is in the middle of the rows.
    """
    query, reader = visit.asked.query, visit.reader
    ids = object_ids(reader, visit.session["id"])
    if not ids:
        return ObjectList((), 0, 0)
    wanted = query.get("object", "")
    index = ids.index(wanted) if wanted in ids else 0
    middle = max(min(index - ROWS // 2, len(ids) - ROWS), 0)
    first = min(offset_of(query, "from", middle), len(ids) - 1)
    shown = ids[first : first + ROWS]
    records = object_records(reader, [*shown, *({ids[index]} - set(shown))])
    chosen = next((one for one in records if one["id"] == ids[index]), None)
    return ObjectList(
        _rows(visit, [one for one in records if one["id"] in set(shown)], first),
        first,
        len(ids),
        chosen,
        index + 1,
        ids[index - 1] if index else None,
        ids[index + 1] if index + 1 < len(ids) else None,
    )


def show_rows(visit: Visit) -> Response:
    """Return only the rows from the offset ``from``, at most ``count``, for the script."""
    query, reader = visit.asked.query, visit.reader
    first = offset_of(query, "from", 0)
    count = max(min(offset_of(query, "count", ROWS), MOST_ROWS), 1)
    criteria = f"review_session_id is {quoted(visit.session['id'])}"
    total = count_of(reader, "ReviewSessionObject", criteria)
    # Not all ids: the script asks again and again, and a review can have thousands of objects.
    records = reader.query(
        f"{_SELECTED} where {criteria} order by {_ORDER} limit {count} offset {first}"
    )
    listing = ObjectList(_rows(visit, records, first), first, total)
    return render(
        "review_rows.html",
        visit=visit,
        listing=listing,
        chosen_id=query.get("object", ""),
        component=address_maker(visit.asked, visit.user),
    )


def _rows(visit: Visit, records: Sequence[Record], first: int) -> list[ObjectRow]:
    reader = visit.reader
    ids = [one["id"] for one in records]
    own = visit.invitee["id"]
    decisions = decisions_of(reader, ids, own if visit.session["is_moderated"] else None)
    notes = count_notes(reader, ids, visit.sees_only)
    return [
        ObjectRow(
            record["id"],
            first + number,
            object_name(record),
            object_version(record),
            (record["asset_version"] or {}).get("thumbnail_id"),
            _counted(decisions.get(record["id"], ()), own),
            notes.get(record["id"], 0),
        )
        for number, record in enumerate(records, 1)
    ]


def object_name(record: Record) -> str:
    """Return the name of an object, by default that of the asset."""
    asset = (record["asset_version"] or {}).get("asset") or {}
    return record["name"] or asset.get("name") or "Untitled"


def object_version(record: Record) -> str:
    """Return the text about the version of an object, by default its number."""
    version = record["asset_version"]
    return record["version"] or (f"Version {version['version']}" if version else "")


def count_notes(
    reader: PageReader, ids: Iterable[str], sees_only: Optional[str] = None
) -> dict[str, int]:
    """Return the number of notes, without replies, on each of the objects *ids*.

    With *sees_only*, count only the notes that :func:`.note_data.notes_of` shows to this person.
    """
    names = ", ".join(map(quoted, ids))
    found = reader.query(_NOTE_COUNTS.format(names)) if names else []
    if sees_only is not None:
        seen = users_among(reader, (one["user_id"] for one in found)) | {sees_only}
        found = [one for one in found if one["user_id"] in seen]
    counts: dict[str, int] = {}
    for one in found:
        counts[one["parent_id"]] = counts.get(one["parent_id"], 0) + one["count_id"]
    return counts


def users_among(reader: PageReader, ids: Iterable[Optional[str]]) -> set[str]:
    """Return those of *ids* that belong to users of the site."""
    wanted = ", ".join(quoted(one) for one in sorted(filter(None, set(ids))))
    found = reader.query(f"select id from User where id in ({wanted})") if wanted else []
    return {one["id"] for one in found}


def _counted(decisions: Iterable[ReviewDecision], own: str) -> list[DecisionCount]:
    """Return the decisions, those with the same status as one."""
    counts: dict[str, DecisionCount] = {}
    for one in decisions:
        who = "You" if one.invitee_id == own else one.who
        known = counts.get(one.status, DecisionCount(one.status, one.words, ()))
        counts[one.status] = DecisionCount(one.status, one.words, (*known.who, who))
    return list(counts.values())
