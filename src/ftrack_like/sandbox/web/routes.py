"""The routes of all pages."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ftrack_like.sandbox.http_app import server_url
from ftrack_like.sandbox.version import KIND_HEADER, SERVER_VERSION
from ftrack_like.sandbox.web.actions import action_routes
from ftrack_like.sandbox.web.assets import ASSETS_ROUTE
from ftrack_like.sandbox.web.browse import browse_routes
from ftrack_like.sandbox.web.encoding import encoding_routes
from ftrack_like.sandbox.web.fields import field_routes
from ftrack_like.sandbox.web.log_in import log_in_routes
from ftrack_like.sandbox.web.outbox import outbox_routes
from ftrack_like.sandbox.web.pages import render
from ftrack_like.sandbox.web.review import review_routes
from ftrack_like.sandbox.web.webhooks import webhook_routes
from ftrack_like.sandbox.web.widgets import widget_routes

__all__ = ["page_routes"]


def page_routes() -> list[BaseRoute]:
    """Return the routes of all pages."""
    return [
        Route("/", welcome, methods=["GET"]),
        ASSETS_ROUTE,
        *log_in_routes(),
        *browse_routes(),
        *action_routes(),
        *encoding_routes(),
        *field_routes(),
        *outbox_routes(),
        *review_routes(),
        *webhook_routes(),
        *widget_routes(),
    ]


async def welcome(request: Request) -> Response:
    """Return the page at "/". Log-in dialogues check its header ``FTRACK_VERSION``."""
    response = render("welcome.html", server_url=server_url(request), theme=None)
    response.headers["FTRACK_VERSION"] = SERVER_VERSION
    response.headers[KIND_HEADER] = "sandbox"
    return response
