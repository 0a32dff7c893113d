"""The queries of the ``browse`` pages, one function for each list or entity.

*query* contains the parameters of the address, which say what part of a list to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ftrack_like.sandbox.web.listing import Listing, list_records
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = [
    "Children",
    "asset_of",
    "assets_of",
    "children_of",
    "components_of",
    "invitees_of",
    "objects_of",
    "projects",
    "review_of",
    "reviews",
    "version_of",
    "versions_of",
]

#: The most tiles, and the most rows of a table, on a page.
TILES = 120
ROWS = 50


@dataclass(frozen=True)
class Children:
    """A part of the children of a context.

    *groups* contains those of this part by the name of their object type, *totals* the number of
    all children of the type.
    """

    listing: Listing[Record]
    groups: Mapping[str, Sequence[Record]]
    totals: Mapping[str, int]


def projects(reader: PageReader, query: Mapping[str, str]) -> Listing[Record]:
    """Return the projects, with the active ones first."""
    return list_records(
        reader,
        "select id, name, full_name, status, start_date, end_date, thumbnail_id from Project",
        "",
        "status, full_name, name, id",
        query,
        TILES,
    )


def children_of(reader: PageReader, id_: str, query: Mapping[str, str]) -> Children:
    """Return the children of the context *id_*, grouped by the name of their object type."""
    criteria = f"parent_id is {quoted(id_)}"
    listing = list_records(
        reader,
        "select id, name, object_type.name, object_type.sort, type.name, status.name,"
        " status.color, thumbnail_id from TypedContext",
        criteria,
        "object_type.sort, object_type.name, sort, name, id",
        query,
        TILES,
        "children",
    )
    groups: dict[str, list[Record]] = {}
    for record in listing.entries:
        groups.setdefault(_kind_of(record), []).append(record)
    counts = reader.query(
        "select object_type.name, count(id) from TypedContext"
        f" where {criteria} group by object_type.name"
    )
    totals = {one["object_type.name"]: int(one["count_id"]) for one in counts}
    return Children(listing, groups, {kind: totals.get(kind, len(groups[kind])) for kind in groups})


def _kind_of(record: Record) -> str:
    kind = record.get("object_type") or {}
    return str(kind.get("name") or record["__entity_type__"])


def assets_of(reader: PageReader, id_: str, query: Mapping[str, str]) -> Listing[Record]:
    """Return the assets of the context *id_*, each with its latest version."""
    return list_records(
        reader,
        "select id, name, type.name, latest_version.version, latest_version.thumbnail_id,"
        " latest_version.status.name, latest_version.status.color from Asset",
        f"context_id is {quoted(id_)}",
        "name, id",
        query,
        TILES,
        "assets",
    )


def asset_of(reader: PageReader, id_: str) -> Optional[Record]:
    """Return the asset *id_* with the link of its parent, or None if it does not exist."""
    return reader.one(
        f"select id, name, type.name, parent.link, parent.name from Asset where id is {quoted(id_)}"
    )


def versions_of(reader: PageReader, id_: str, query: Mapping[str, str]) -> Listing[Record]:
    """Return the versions of the asset *id_*, the latest first."""
    return list_records(
        reader,
        "select id, version, comment, date, thumbnail_id, status.name, status.color,"
        " user.first_name, user.last_name, user.username from AssetVersion",
        f"asset_id is {quoted(id_)}",
        "version descending, id",
        query,
        TILES,
    )


def version_of(reader: PageReader, id_: str) -> Optional[Record]:
    """Return the version *id_* with its link, or None if it does not exist."""
    return reader.one(
        "select id, version, comment, date, link, project_id, thumbnail_id, asset.name, asset.id,"
        " status.name, status.color, task.name, user.first_name, user.last_name, user.username"
        f" from AssetVersion where id is {quoted(id_)}"
    )


def components_of(reader: PageReader, id_: str, query: Mapping[str, str]) -> Listing[Record]:
    """Return the components of the version *id_*, with the names of their locations."""
    return list_records(
        reader,
        "select id, name, file_type, size, component_locations.location.name from Component",
        f"version_id is {quoted(id_)}",
        "name, id",
        query,
        ROWS,
        "components",
    )


def reviews(reader: PageReader, query: Mapping[str, str]) -> Listing[Record]:
    """Return the review sessions, the latest first."""
    return list_records(
        reader,
        "select id, name, is_open, start_date, end_date, thumbnail_id, project.full_name"
        " from ReviewSession",
        "",
        "created_at descending, name, id",
        query,
        TILES,
    )


def review_of(reader: PageReader, id_: str) -> Optional[Record]:
    """Return the review session *id_*, or None if it does not exist."""
    return reader.one(
        "select id, name, description, is_open, availability, is_moderated,"
        " shareable_url_enabled, start_date, end_date, project.full_name, project_id"
        f" from ReviewSession where id is {quoted(id_)}"
    )


def objects_of(reader: PageReader, id_: str, query: Mapping[str, str]) -> Listing[Record]:
    """Return the objects of the review session *id_* in their order."""
    return list_records(
        reader,
        "select id, name, version, version_id, asset_version.version, asset_version.asset.name"
        " from ReviewSessionObject",
        f"review_session_id is {quoted(id_)}",
        "sort_order, name, id",
        query,
        ROWS,
        "objects",
    )


def invitees_of(reader: PageReader, id_: str, query: Mapping[str, str]) -> Listing[Record]:
    """Return the invitees of the review session *id_*."""
    return list_records(
        reader,
        "select id, name, email, last_sent_at, created_from_shared_url from ReviewSessionInvitee",
        f"review_session_id is {quoted(id_)}",
        "name, email, id",
        query,
        ROWS,
        "invitees",
    )
