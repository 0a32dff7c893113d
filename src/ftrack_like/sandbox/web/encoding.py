"""The queue of encodings, for administrators, who can repeat and cancel them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.media.encode_jobs import QueuedJob
from ftrack_like.sandbox.media.manager import QueueManager
from ftrack_like.sandbox.web.listing import part_of
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors
from ftrack_like.sandbox.web.pages import PageError, go_to, page_route, render
from ftrack_like.sandbox.web.reading import quoted

__all__ = ["encoding_routes"]

_PATH = "/encoding"

#: The most jobs on a page.
_JOBS = 50

#: The order of the states on the page.
_ORDER = ("running", "waiting", "failed")

_COMPONENTS = (
    "select name, file_type, version.version, version.asset.name from Component where id in ({})"
)


def encoding_routes() -> list[BaseRoute]:
    """Return the routes of the page and of its forms."""
    return [
        page_route(_PATH, for_visitors(show)),
        page_route(f"{_PATH}/repeat", for_visitors(_change(QueueManager.repeat)), "POST"),
        page_route(f"{_PATH}/cancel", for_visitors(_change(QueueManager.cancel)), "POST"),
    ]


def show(visitor: Visitor) -> Response:
    """Return the page: running jobs first, then those that wait, then those that have failed."""
    _require_administrator(visitor)
    jobs = visitor.asked.api.media.manager.list_jobs()
    jobs.sort(key=lambda one: _ORDER.index(one.state))
    part = part_of(jobs, visitor.asked.query, _JOBS)
    names = _names(visitor, part.entries)
    return render(
        "encoding.html",
        visitor=visitor,
        jobs=part,
        shown=[_shown(one, names) for one in part.entries],
        counts={state: sum(one.state == state for one in jobs) for state in _ORDER},
        theme=None,
    )


def _change(do: Callable[[QueueManager, str], None]) -> Callable[[Visitor], Response]:
    """Return a handler that calls *do* with the job of the form, and shows the page again."""

    def handler(visitor: Visitor) -> Response:
        _require_administrator(visitor)
        try:
            do(visitor.asked.api.media.manager, visitor.asked.form.get("job", ""))
        except SandboxError as error:
            raise PageError(409, "The job was not changed", error.content) from error
        return go_to(_PATH)

    return handler


def _require_administrator(visitor: Visitor) -> None:
    if not visitor.is_administrator:
        raise PageError(403, "For administrators", "Only administrators may see the encodings.")


def _names(visitor: Visitor, jobs: Sequence[QueuedJob]) -> Mapping[str, str]:
    """Return the names of the sources of *jobs* by the ids of their components."""
    ids = sorted({one.job.source_component_id for one in jobs})
    if not ids:
        return {}
    expression = _COMPONENTS.format(", ".join(map(quoted, ids)))
    return {one["id"]: _name_of(one) for one in visitor.reader.query(expression)}


def _name_of(component: Mapping[str, Any]) -> str:
    name = f"{component['name']}{component['file_type'] or ''}"
    version = component.get("version")
    if not version:
        return name
    return f"{name} of {(version.get('asset') or {}).get('name')} v{version['version']}"


def _shown(queued: QueuedJob, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of *queued* for the page."""
    return {
        "id": queued.job.id,
        "name": names.get(queued.job.source_component_id, "A removed component"),
        "state": queued.state,
        "created_at": datetime.fromisoformat(queued.created_at),
        "worker": "" if queued.worker is None else str(queued.worker),
        "attempts": queued.attempts,
        "started_at": _moment(queued.started_at),
        "beat_at": _moment(queued.beat_at),
        "ended_at": _moment(queued.ended_at),
        "error": queued.error or "",
    }


def _moment(seconds: Optional[float]) -> Optional[datetime]:
    """Return *seconds* (Unix time) as a moment in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
