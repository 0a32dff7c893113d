"""The pages, loaded when the first of them is asked for: a server without visitors is smaller."""

from __future__ import annotations

import functools

from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

__all__ = ["PAGES"]


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    router = await run_in_threadpool(_load)
    await router(scope, receive, send)


@functools.cache
def _load() -> Router:
    # lazy: they take a megabyte and some time, which most sandboxes of tests never need.
    from ftrack_like.sandbox.web.routes import page_routes

    return Router(page_routes())


#: Everything that no other route answers; to stand behind those.
PAGES = Mount("/", _answer)
