"""The webhooks, what waits for delivery, and the log of deliveries, for administrators.

Addresses are shown without their path, and headers without their values, because both may contain
secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.web.listing import list_records
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors
from ftrack_like.sandbox.web.pages import PageError, page_route, render
from ftrack_like.sandbox.webhooks.queue import Waiting
from ftrack_like.sandbox.webhooks.targets import shown_host

__all__ = ["webhook_routes"]

#: The most webhooks and the most entries of the log on a page.
_WEBHOOKS = 50
_ENTRIES = 100

_SELECTED = (
    "select webhook_url, automation.name, automation.description, automation.enabled,"
    " automation.triggers.filter from WebhookAction"
)
_LOGGED = "select created_at, status, message, action.automation.name from ActionLog"


def webhook_routes() -> list[BaseRoute]:
    """Return the route of the page."""
    return [page_route("/webhooks", for_visitors(show))]


def show(visitor: Visitor) -> Response:
    """Return the page; the latest deliveries come first."""
    if not visitor.is_administrator:
        raise PageError(403, "For administrators", "Only administrators may see the webhooks.")
    waiting = visitor.asked.api.webhooks.waiting()
    reader, query = visitor.reader, visitor.asked.query
    webhooks = list_records(reader, _SELECTED, "", "automation.name, id", query, _WEBHOOKS)
    return render(
        "webhooks.html",
        visitor=visitor,
        webhooks=webhooks,
        shown=[_shown(one, waiting) for one in webhooks.entries],
        entries=list_records(reader, _LOGGED, "", "id desc", query, _ENTRIES, "log"),
        theme=None,
    )


def _shown(webhook: Mapping[str, Any], waiting: Mapping[str, Waiting]) -> dict[str, Any]:
    """Return the values of *webhook* for the page."""
    automation = webhook["automation"] or {}
    left = waiting.get(webhook["id"])
    return {
        "name": automation.get("name") or "Unnamed automation",
        "description": automation.get("description") or "",
        "enabled": bool(automation.get("enabled")),
        "host": shown_host(webhook["webhook_url"]),
        "filters": [one["filter"] for one in automation.get("triggers") or ()],
        "waiting": 0 if left is None else left.count,
        "next": None if left is None else _moment(left.due_at),
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
