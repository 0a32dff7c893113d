"""The pages, loaded when the first of them is asked for: a server without visitors is smaller."""

from __future__ import annotations

import functools

from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

__all__ = ["pages_on_demand"]


def pages_on_demand() -> Mount:
    """Return what answers all that no other route does; to stand behind those."""
    load = functools.cache(_load)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        router = await run_in_threadpool(load)
        await router(scope, receive, send)

    return Mount("/", answer)


def _load() -> Router:
    # lazy: they take a megabyte and some time, which most sandboxes of tests never need.
    from ftrack_like.sandbox.web.routes import page_routes

    return Router(page_routes())
