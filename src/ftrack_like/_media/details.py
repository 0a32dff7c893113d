"""The facts about a version that a burn-in and a slate show."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

__all__ = ["DETAILS_QUERY", "FRAME_FIELDS", "TEXT_FIELDS", "details_of", "plain"]

#: The fields that change with each frame.
FRAME_FIELDS = frozenset({"frame", "timecode"})

#: The fields of templates. A slate cannot show those of :data:`FRAME_FIELDS`.
TEXT_FIELDS = FRAME_FIELDS | {
    *("artist", "asset", "date", "file", "frames", "note", "project", "shot", "task", "version"),
}

#: The query for the record that :func:`details_of` reads; it needs the id of the version.
DETAILS_QUERY = (
    "select version, date, comment, link, asset.name, task.name, user.username, user.first_name, "
    'user.last_name from AssetVersion where id is "{}"'
)

#: Marks that only change the direction of text. They could turn the text beside them around.
_DIRECTIONS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def details_of(record: Any) -> Mapping[str, str]:  # noqa: ANN401 - an entity or a record
    """Return the values of fields for the version in *record*, a result of the query."""
    link = record["link"] or []
    names = [str(one["name"]) for one in link]
    user, asset, task = record["user"], record["asset"], record["task"]
    artist = ""
    if user:
        full = " ".join(str(user[name] or "") for name in ("first_name", "last_name"))
        artist = full.strip() or str(user["username"] or "")
    return {
        "artist": artist,
        "asset": str(asset["name"] or "") if asset else "",
        "date": str(_plain_date(record["date"])),
        "note": str(record["comment"] or ""),
        "project": names[0] if len(names) > 1 else "",
        # The name of the context with the asset: a shot, or whatever else has the asset.
        "shot": names[-2] if len(names) > 2 else "",
        "task": str(task["name"] or "") if task else "",
        "version": f"v{int(record['version'] or 0):03d}",
    }


def plain(text: str) -> str:
    """Return *text* on one line, without characters that control a terminal or its direction."""
    kept = (
        " " if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} else one
        for one in text
        if one not in _DIRECTIONS
    )
    return " ".join("".join(kept).split())


def _plain_date(value: Any) -> str:  # noqa: ANN401 - text or a date, or a wire value
    """Return the day of *value*, such as ``2025-06-30``."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return "" if value is None else str(value)[:10]
