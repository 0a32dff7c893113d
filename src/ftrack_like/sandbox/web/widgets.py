"""Widgets: pages that other programs embed. ``get_widget_url`` returns their addresses.

An address is valid for six minutes. The open page works longer, because its links have new
signatures that are valid as long as a log-in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.links import WIDGET_PATH, check_link, widget_link
from ftrack_like.sandbox.media.signing import SignatureError
from ftrack_like.sandbox.web.facts import portray
from ftrack_like.sandbox.web.listing import Listing, part_of
from ftrack_like.sandbox.web.media import address_maker
from ftrack_like.sandbox.web.pages import Asked, PageError, error_page, page_route, render
from ftrack_like.sandbox.web.playlist import versions_to_play
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted
from ftrack_like.sandbox.web.tasks import choices, find_tasks, scope_of

__all__ = ["widget_routes"]

#: The time for which the links in an open page are valid, in seconds.
_PAGE_SECONDS = 12 * 3600

_SIGNED = ("name", "user", "theme", "type", "key")


@dataclass(frozen=True)
class Widget:
    """A request for a widget by *user*. *entity* is a type name and a primary key, or None."""

    asked: Asked
    user: RequestUser
    theme: Optional[str]
    entity: Optional[tuple[str, list[Any]]]

    @property
    def reader(self) -> PageReader:
        """Return a reader with the permissions of the user."""
        return self.asked.reader(self.user)

    def link(self, name: str, entity: Optional[tuple[str, list[Any]]] = None) -> str:
        """Return the address of the widget *name* for the same user."""
        return widget_link(
            self.asked.api.media.signer,
            name,
            self.user.id,
            theme=self.theme,
            entity=(entity[0], json.dumps(entity[1])) if entity else None,
            seconds=_PAGE_SECONDS,
        )

    def link_parts(self, name: str) -> Mapping[str, str]:
        """Return the parameters of the widget's address, for the hidden fields of a form."""
        return dict(parse_qsl(self.link(name, self.entity).partition("?")[2]))


def widget_routes() -> list[BaseRoute]:
    """Return the route of the widgets."""
    return [page_route(WIDGET_PATH, show)]


def show(asked: Asked) -> Response:
    """Return the page of the widget that the signed address names."""
    try:
        signed = check_link(asked.api.media.signer, WIDGET_PATH, asked.query, _SIGNED)
        return _PAGES[signed["name"]](_open(asked, signed))
    except SignatureError as error:
        return error_page(403, "This widget cannot be shown", str(error), embeddable=True)
    except PageError as error:
        return error_page(error.status, error.title, error.text, embeddable=True)
    except SandboxError as error:
        return error_page(error.status, "The request failed", error.content, embeddable=True)


def show_info(widget: Widget) -> Response:
    """Return a page with the facts of the entity, or of the user if there is no entity."""
    type_name, key = widget.entity or ("User", [widget.user.id])
    portrait = portray(widget.reader, type_name, key)
    if portrait is None:
        raise PageError(404, "Nothing to show", f"This {type_name} does not exist any more.")
    return _render("widget_info.html", widget, entity=portrait)


def show_tasks(widget: Widget) -> Response:
    """Return a page with the tasks of the entity, or of the user if there is no entity."""
    type_name, key = widget.entity or ("User", [widget.user.id])
    portrait = portray(widget.reader, type_name, key)
    if portrait is None:
        raise PageError(404, "Nothing to show", f"This {type_name} does not exist any more.")
    page = find_tasks(widget.reader, widget.asked.query, scope_of(type_name, key[0]))
    return _render("widget_tasks.html", widget, entity=portrait, page=page)


def show_tasks_browser(widget: Widget) -> Response:
    """Return a page with the tasks of the entity or of all projects, with filters."""
    reader, chosen = widget.reader, dict(widget.asked.query)
    scope = scope_of(widget.entity[0], widget.entity[1][0]) if widget.entity else None
    return _render(
        "widget_tasks_browser.html",
        widget,
        page=find_tasks(reader, chosen, scope),
        choices=choices(reader),
        chosen=chosen,
    )


def show_review_navigation(widget: Widget) -> Response:
    """Return a page with the versions of the entity, which a player shows beside the pictures."""
    query = widget.asked.query
    versions: Listing[Record] = part_of([], query, 1)
    if widget.entity:
        type_name, key = widget.entity
        versions = versions_to_play(widget.reader, type_name, str(key[0]), query)
    return _render("widget_review_navigation.html", widget, versions=versions)


_PAGES: Mapping[str, Callable[[Widget], Response]] = {
    "info": show_info,
    "review_action": show_info,
    "review_navigation": show_review_navigation,
    "tasks": show_tasks,
    "tasks_browser": show_tasks_browser,
}


def _open(asked: Asked, signed: Mapping[str, str]) -> Widget:
    entity = (signed["type"], json.loads(signed["key"])) if "type" in signed else None
    nobody = asked.reader(RequestUser("", "", unrestricted=True))
    user = nobody.one(
        f"select username from User where id is {quoted(signed['user'])} and is_active is true"
    )
    if user is None:
        raise PageError(403, "This widget cannot be shown", "Its user is no longer active.")
    return Widget(
        asked,
        RequestUser(user["id"], user["username"], has_account=True),
        signed.get("theme"),
        entity,
    )


def _render(template: str, widget: Widget, **values: Any) -> Response:
    return render(
        template,
        embeddable=True,
        widget=widget,
        theme=widget.theme,
        component=address_maker(widget.asked, widget.user),
        **values,
    )
