"""The queries of the ``browse`` pages, one function for each list or entity."""

from __future__ import annotations

from typing import Optional

from ftrack_like.sandbox.web.reading import PageReader, Record, quoted
from ftrack_like.sandbox.web.review_data import objects_of

__all__ = [
    "asset_of",
    "assets_of",
    "children_of",
    "components_of",
    "projects",
    "review_of",
    "reviews",
    "version_of",
    "versions_of",
]

#: The most entities that a list shows.
_MOST = 500


def projects(reader: PageReader) -> list[Record]:
    """Return the projects, with the active ones first."""
    return reader.query(
        "select id, name, full_name, status, start_date, end_date, thumbnail_id"
        f" from Project order by status, full_name, name limit {_MOST}"
    )


def children_of(reader: PageReader, id_: str) -> dict[str, list[Record]]:
    """Return the children of the context *id_*, grouped by the name of their object type."""
    found = reader.query(
        "select id, name, object_type.name, object_type.sort, type.name, status.name,"
        f" status.color, thumbnail_id from TypedContext where parent_id is {quoted(id_)}"
        f" order by object_type.sort, sort, name limit {_MOST}"
    )
    groups: dict[str, list[Record]] = {}
    for record in found:
        kind = record.get("object_type") or {}
        groups.setdefault(kind.get("name") or record["__entity_type__"], []).append(record)
    return groups


def assets_of(reader: PageReader, id_: str) -> list[Record]:
    """Return the assets of the context *id_*, each with its latest version."""
    return reader.query(
        "select id, name, type.name, latest_version.version, latest_version.thumbnail_id,"
        " latest_version.status.name, latest_version.status.color"
        f" from Asset where context_id is {quoted(id_)} order by name limit {_MOST}"
    )


def asset_of(reader: PageReader, id_: str) -> Optional[Record]:
    """Return the asset *id_* with the link of its parent, or None if it does not exist."""
    return reader.one(
        f"select id, name, type.name, parent.link, parent.name from Asset where id is {quoted(id_)}"
    )


def versions_of(reader: PageReader, id_: str) -> list[Record]:
    """Return the versions of the asset *id_*, the latest first."""
    return reader.query(
        "select id, version, comment, date, thumbnail_id, status.name, status.color,"
        " user.first_name, user.last_name, user.username from AssetVersion"
        f" where asset_id is {quoted(id_)} order by version descending limit {_MOST}"
    )


def version_of(reader: PageReader, id_: str) -> Optional[Record]:
    """Return the version *id_* with its link, or None if it does not exist."""
    return reader.one(
        "select id, version, comment, date, link, project_id, thumbnail_id, asset.name, asset.id,"
        " status.name, status.color, task.name, user.first_name, user.last_name, user.username"
        f" from AssetVersion where id is {quoted(id_)}"
    )


def components_of(reader: PageReader, id_: str) -> list[Record]:
    """Return the components of the version *id_*, with the names of their locations."""
    return reader.query(
        "select id, name, file_type, size, component_locations.location.name from Component"
        f" where version_id is {quoted(id_)} order by name limit {_MOST}"
    )


def reviews(reader: PageReader) -> list[Record]:
    """Return the review sessions, the latest first."""
    return reader.query(
        "select id, name, is_open, start_date, end_date, thumbnail_id, project.full_name"
        f" from ReviewSession order by created_at descending, name limit {_MOST}"
    )


def review_of(reader: PageReader, id_: str) -> Optional[Record]:
    """Return the review session *id_* with its ``objects`` and ``invitees``, or None."""
    found = reader.one(
        "select id, name, description, is_open, availability, is_moderated,"
        " shareable_url_enabled, start_date, end_date, project.full_name, project_id"
        f" from ReviewSession where id is {quoted(id_)}"
    )
    if found is not None:
        found["objects"] = objects_of(reader, id_)
        found["invitees"] = reader.query(
            "select id, name, email, last_sent_at, created_from_shared_url"
            " from ReviewSessionInvitee"
            f" where review_session_id is {quoted(id_)} order by name, email limit {_MOST}"
        )
    return found
