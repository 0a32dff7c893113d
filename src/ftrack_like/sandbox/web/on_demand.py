"""Import the pages on the first request for one. Most sandboxes in tests never need them."""

from __future__ import annotations

import functools

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount, Router
from starlette.types import Receive, Scope, Send

__all__ = ["pages_on_demand"]


def pages_on_demand() -> Mount:
    """Return a route for all pages. It matches every path, so it must be the last route."""
    load = functools.cache(_load)
    mount: Mount

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        methods = _other_methods(scope, mount)
        if methods:
            raise HTTPException(405, headers={"Allow": ", ".join(methods)})
        router = await run_in_threadpool(load)
        await router(scope, receive, send)

    mount = Mount("/", answer)
    return mount


def _other_methods(scope: Scope, mount: Mount) -> list[str]:
    """Return the methods that the routes before *mount* take for the address, if there are any."""
    outer = {**scope, "path": scope["path"], "root_path": scope.get("app_root_path", "")}
    found: set[str] = set()
    for route in scope["app"].routes:
        if route is not mount and route.matches(outer)[0] is Match.PARTIAL:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)


def _load() -> Router:
    # lazy: the pages take a megabyte of memory and time to import.
    from ftrack_like.sandbox.web.routes import page_routes

    return Router(page_routes())
