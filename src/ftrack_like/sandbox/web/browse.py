"""The pages on which logged-in users browse projects, versions and review sessions."""

from __future__ import annotations

from typing import Any, Optional

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.http_app import server_url
from ftrack_like.sandbox.links import shared_link
from ftrack_like.sandbox.web.browse_data import (
    asset_of,
    assets_of,
    children_of,
    components_of,
    invitees_of,
    objects_of,
    projects,
    review_of,
    reviews,
    version_of,
    versions_of,
)
from ftrack_like.sandbox.web.facts import portray
from ftrack_like.sandbox.web.listing import part_of
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors
from ftrack_like.sandbox.web.media import address_maker
from ftrack_like.sandbox.web.note_data import notes_of
from ftrack_like.sandbox.web.pages import PageError, go_to, page_route, render
from ftrack_like.sandbox.web.player_facts import version_player
from ftrack_like.sandbox.web.reading import quoted
from ftrack_like.sandbox.web.review_data import decisions_of
from ftrack_like.sandbox.web.review_summary import send_csv, show_summary

__all__ = ["browse_routes"]

#: The most notes on the page of a version.
NOTES = 50


def browse_routes() -> list[BaseRoute]:
    """Return the routes of these pages and of their forms."""
    pages = {
        "": show_projects,
        "/reviews": show_reviews,
        "/review/{id}": show_review,
        "/review/{id}/summary": show_summary,
        "/review/{id}/summary.csv": send_csv,
        "/context/{id}": show_context,
        "/asset/{id}": show_asset,
        "/version/{id}": show_version,
        "/version/{id}/player": show_player,
    }
    forms = {"/version/{id}/note": write_note, "/version/{id}/status": set_status}
    return [
        *(page_route(f"/browse{path}", for_visitors(page)) for path, page in pages.items()),
        *(page_route(f"/browse{path}", for_visitors(form), "POST") for path, form in forms.items()),
    ]


def show_projects(visitor: Visitor) -> Response:
    """Return the page with all projects."""
    found = projects(visitor.reader, visitor.asked.query)
    return _render("browse_projects.html", visitor, projects=found)


def show_context(visitor: Visitor) -> Response:
    """Return the page of a project or another context, with its children and assets."""
    id_, reader = visitor.asked.part("id"), visitor.reader
    kind = reader.one(f"select id from Project where id is {quoted(id_)}")
    entity = portray(reader, "Project" if kind else "TypedContext", [id_])
    if entity is None:
        raise _gone("context")
    children = children_of(reader, id_, visitor.asked.query)
    return _render(
        "browse_context.html",
        visitor,
        entity=entity,
        children=children.listing,
        groups=children.groups,
        totals=children.totals,
        assets=assets_of(reader, id_, visitor.asked.query),
    )


def show_asset(visitor: Visitor) -> Response:
    """Return the page of an asset, with its versions."""
    id_, reader = visitor.asked.part("id"), visitor.reader
    asset = asset_of(reader, id_)
    if asset is None:
        raise _gone("asset")
    versions = versions_of(reader, id_, visitor.asked.query)
    return _render("browse_asset.html", visitor, asset=asset, versions=versions)


def show_version(visitor: Visitor) -> Response:
    """Return the page of a version, with its media, components and notes."""
    id_, reader = visitor.asked.part("id"), visitor.reader
    version = version_of(reader, id_)
    if version is None:
        raise _gone("version")
    return _render(
        "browse_version.html",
        visitor,
        version=version,
        **version_player(visitor, version),
        components=components_of(reader, id_, visitor.asked.query),
        notes=part_of(notes_of(reader, [id_]), visitor.asked.query, NOTES, "notes"),
        statuses=_statuses(visitor, version),
    )


def show_player(visitor: Visitor) -> Response:
    """Return the player of a version, without the rest of its page."""
    version = version_of(visitor.reader, visitor.asked.part("id"))
    if version is None:
        raise _gone("version")
    return render("player_alone.html", **version_player(visitor, version))


def show_reviews(visitor: Visitor) -> Response:
    """Return the page with all review sessions."""
    found = reviews(visitor.reader, visitor.asked.query)
    return _render("browse_reviews.html", visitor, reviews=found)


def show_review(visitor: Visitor) -> Response:
    """Return the page of a review session, with its invitees, decisions and notes."""
    reader, query = visitor.reader, visitor.asked.query
    found = review_of(reader, visitor.asked.part("id"))
    if found is None:
        raise _gone("review session")
    objects = objects_of(reader, found["id"], query)
    return _render(
        "browse_review.html",
        visitor,
        review=found,
        objects=objects,
        invitees=invitees_of(reader, found["id"], query),
        shared=_shared_address(visitor, found),
        decisions=decisions_of(reader, (one["id"] for one in objects.entries)),
        notes={one["id"]: notes_of(reader, [one["id"]]) for one in objects.entries},
    )


def _shared_address(visitor: Visitor, review: dict[str, Any]) -> str:
    """Return the shared address of a review session, or "" if it is not shared."""
    if not review["shareable_url_enabled"]:
        return ""
    asked = visitor.asked
    return server_url(asked.request) + shared_link(asked.api.media.signer, review["id"])


def write_note(visitor: Visitor) -> Response:
    """Save the posted note on a version."""
    id_ = visitor.asked.part("id")
    content = visitor.asked.form.get("content", "").replace("\r\n", "\n").strip()
    if not content:
        raise PageError(400, "The note is empty", "Write a text, then send the note again.")
    note = {"content": content, "parent_id": id_, "parent_type": "AssetVersion"}
    _execute(visitor, "create", "Note", None, note)
    return go_to(f"/browse/version/{id_}")


def set_status(visitor: Visitor) -> Response:
    """Set the status of a version to the posted one."""
    id_ = visitor.asked.part("id")
    values = {"status_id": visitor.asked.form.get("status", "")}
    _execute(visitor, "update", "AssetVersion", id_, values)
    return go_to(f"/browse/version/{id_}")


def _execute(
    visitor: Visitor, action: str, entity_type: str, id_: Optional[str], values: dict[str, Any]
) -> None:
    data = {"__entity_type__": entity_type, **values}
    operation = {"action": action, "entity_type": entity_type, "entity_data": data}
    if id_ is not None:
        operation["entity_key"] = [id_]
    visitor.asked.execute([operation], visitor.user)


def _statuses(visitor: Visitor, version: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statuses in the workflow of the version's project, in their order."""
    found = visitor.reader.one(
        "select project_schema.asset_version_workflow_schema.statuses.name,"
        " project_schema.asset_version_workflow_schema.statuses.sort"
        f" from Project where id is {quoted(version['project_id'])}"
    )
    schema = (found or {}).get("project_schema") or {}
    workflow = schema.get("asset_version_workflow_schema") or {}
    return sorted(workflow.get("statuses", []), key=lambda one: one.get("sort") or 0)


def _gone(what: str) -> PageError:
    return PageError(404, f"No such {what}", f"The {what} with this address does not exist.")


def _render(template: str, visitor: Visitor, **values: Any) -> Response:
    return render(
        template,
        visitor=visitor,
        component=address_maker(visitor.asked, visitor.user),
        has_data=visitor.asked.api.media.store.exists,
        href=_href,
        with_actions=True,
        theme=None,
        **values,
    )


def _href(step: dict[str, Any]) -> str:
    """Return the address of the page for an item of a ``link``, or "" if its type has no page."""
    places = {"Project": "context", "TypedContext": "context", "AssetVersion": "version"}
    place = places.get(step["type"])
    return f"/browse/{place}/{step['id']}" if place else ""
