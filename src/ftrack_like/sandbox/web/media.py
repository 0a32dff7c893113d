"""Find the components of a version that a browser can show, or the reason why there are none."""

from __future__ import annotations

import functools
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.media.plan import JOB_TYPE, SLATE_FRAMES
from ftrack_like.sandbox.media.routes import GET_PATH, THUMBNAIL_PATH
from ftrack_like.sandbox.tables.values import read_json
from ftrack_like.sandbox.web.pages import Asked
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = ["Medium", "Size", "address_maker", "media_of"]

#: The names of components that browsers can show, best first, with the kind of player. Other sizes
#: of the same have a suffix: ``ftrackreview-mp4-1080``.
_KINDS = {
    "ftrackreview-mp4": "video",
    "ftrackreview-webm": "video",
    "ftrackreview-image": "image",
}

#: The rates that programs write rounded, such as 23.98, and the largest error of the rounding.
_FRACTIONAL_RATES = tuple(rate * 1000 / 1001 for rate in (24, 30, 48, 60, 120))
_ROUNDING = 0.006

#: The longest reason for a failed encoding that a page shows, in characters.
_LONGEST_PROBLEM = 500

_COMPONENTS = (
    "select id, name, version_id, metadata.key, metadata.value from FileComponent"
    ' where version_id in ({}) and name like "ftrackreview-%"'
)
_ENCODING = (
    "select job.status, component.version_id from JobComponent"
    ' where component.version_id in ({}) and job.status in ("queued", "running")'
)
_LATEST_JOB = (
    f'select status, data from Job where type is "{JOB_TYPE}" and data like {{}}'
    " order by created_at descending, id"
)


@dataclass(frozen=True)
class Size:
    """A file of a version that a browser can show: its *label* for people, and its *url*."""

    label: str
    url: str


@dataclass(frozen=True)
class Medium:
    """The media of a version. *kind* is ``video``, ``image``, ``encoding``, ``failed`` or ``none``.

    *frame_rate* is in frames per second, and None for an image. Frames have the numbers from
    *first_frame* to *last_frame*. *width* and *height* are in pixels. *component_id* is the
    component whose data is at *url*. *sizes* are all files of this kind, the one at *url* first.
    *problem* is the reason why the encoding failed. The first *slate_frames* frames are a slate.
    """

    kind: str
    url: str = ""
    frame_rate: Optional[float] = None
    first_frame: int = 0
    last_frame: int = 0
    width: int = 16
    height: int = 9
    component_id: Optional[str] = None
    sizes: Sequence[Size] = ()
    problem: str = ""
    slate_frames: int = 0


def media_of(
    asked: Asked, reader: PageReader, version_ids: Iterable[str], user: RequestUser
) -> dict[str, Medium]:
    """Return the media of each version by its id. The addresses in them are valid for *user*."""
    ids = sorted({one for one in version_ids if one})
    if not ids:
        return {}
    versions = ", ".join(map(quoted, ids))
    found: dict[str, dict[str, Medium]] = {}
    store, address = asked.api.media.store, address_maker(asked, user)
    for component in reader.query(_COMPONENTS.format(versions)):
        if _kind(component["name"]) and store.exists(component["id"]):
            url = address(component["id"])
            shown = found.setdefault(component["version_id"], {})
            shown[component["name"]] = _medium(component, url)
    busy = {
        one["component"]["version_id"]
        for one in reader.query(_ENCODING.format(versions))
        if one.get("component")
    }
    return {
        id_: _best(found[id_]) if id_ in found else _absent(reader, id_, id_ in busy) for id_ in ids
    }


def address_maker(asked: Asked, user: RequestUser) -> Callable[..., str]:
    """Return a function that returns the signed address of a component's data for its id.

    With *size*, in pixels, the address is that of the component's image, scaled to this size.
    Addresses contain no host, so that they work under each name of the server. They work as long
    as *user* may read the data. The addresses of a guest expire.
    """
    sign = functools.partial(asked.api.media.sign, holder=None if user.is_guest else user.id)

    def address(component_id: str, size: Optional[int] = None) -> str:
        id_ = urllib.parse.quote(component_id, safe="")
        return sign(
            f"{GET_PATH}?id={id_}" if size is None else f"{THUMBNAIL_PATH}?id={id_}&size={size}"
        )

    return address


def _kind(name: str) -> Optional[str]:
    """Return the key of :data:`_KINDS` for a component called *name*, None if there is none."""
    return next((one for one in _KINDS if name == one or name.startswith(f"{one}-")), None)


def _best(shown: Mapping[str, Medium]) -> Medium:
    """Return the medium to show first, with all sizes. *shown* are the media by name."""
    order = list(_KINDS)

    def rank(name: str) -> tuple[int, bool, int]:
        family = _kind(name) or ""
        return order.index(family), name != family, shown[name].width * shown[name].height

    names = sorted(shown, key=rank)
    best = shown[names[0]]
    same = [name for name in names if shown[name].kind == best.kind]
    return replace(best, sizes=[Size(_label(name, shown[name]), shown[name].url) for name in same])


def _label(name: str, medium: Medium) -> str:
    family = _kind(name) or name
    size = name[len(family) + 1 :] or "Standard"
    if medium.width > 16:  # the writer of ftr_meta gave the size
        size = f"{medium.width} \N{MULTIPLICATION SIGN} {medium.height}"
    return f"{size} (WebM)" if family.endswith("webm") else size


def _absent(reader: PageReader, version_id: str, is_busy: bool) -> Medium:
    """Return the medium of a version that has no data to show."""
    if is_busy:
        return Medium("encoding")
    # A failed job has no components any more; only its data name the version.
    job = reader.one(_LATEST_JOB.format(quoted(f'%"version_id": "{version_id}"%')))
    if job is None or job["status"] != "failed":
        return Medium("none")
    return Medium("failed", problem=_problem(job))


def _problem(job: Record) -> str:
    error = _described(job["data"]).get("error")
    reason = error.strip()[:_LONGEST_PROBLEM] if isinstance(error, str) else ""
    return reason or "The job gives no reason."


def _medium(component: Mapping[str, Any], url: str) -> Medium:
    values = {one["key"]: one["value"] for one in component.get("metadata") or ()}
    described = _described(values.get("ftr_meta"))
    kind = _KINDS[_kind(component["name"]) or ""]
    rate = _exact(_number(described.get("frameRate"), 0) or 24.0) if kind == "video" else None
    return Medium(
        kind,
        url,
        rate,
        int(_number(described.get("frameIn"), 0)),
        int(_number(described.get("frameOut"), 0)),
        int(_number(described.get("width"), 16)) or 16,
        int(_number(described.get("height"), 9)) or 9,
        component["id"],
        slate_frames=_whole(values.get(SLATE_FRAMES)),
    )


def _whole(text: Optional[str]) -> int:
    """Return the whole number *text*, or 0 if it is not one. Any client can write it."""
    return int(text) if text and re.fullmatch("[0-9]{1,6}", text) else 0


def _described(text: Optional[str]) -> dict[str, Any]:
    """Return the JSON object *text*, or {} if it is not valid. Any client can write it."""
    try:
        value = read_json(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _exact(rate: float) -> float:
    """Return *rate*, or the exact rate if it is a rounded one: frame 3000 would be another one."""
    nearest = min(_FRACTIONAL_RATES, key=lambda one: abs(one - rate))
    return nearest if abs(nearest - rate) < _ROUNDING else rate


def _number(value: Any, otherwise: float) -> float:
    usable = isinstance(value, (int, float)) and 0 <= value < 1e9
    return float(value) if usable else otherwise
