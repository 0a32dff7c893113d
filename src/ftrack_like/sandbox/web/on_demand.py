"""Import the pages on the first request for one. Most sandboxes in tests never need them."""

from __future__ import annotations

import functools

from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

__all__ = ["pages_on_demand"]


def pages_on_demand() -> Mount:
    """Return a route for all pages. It matches every path, so it must be the last route."""
    load = functools.cache(_load)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        router = await run_in_threadpool(load)
        await router(scope, receive, send)

    return Mount("/", answer)


def _load() -> Router:
    # lazy: the pages take a megabyte of memory and time to import.
    from ftrack_like.sandbox.web.routes import page_routes

    return Router(page_routes())
