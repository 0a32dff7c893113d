"""Find the component of a version that a browser can show, or the reason why there is none."""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.media.routes import GET_PATH, THUMBNAIL_PATH
from ftrack_like.sandbox.tables.values import read_json
from ftrack_like.sandbox.web.pages import Asked
from ftrack_like.sandbox.web.reading import PageReader, quoted

__all__ = ["Medium", "address_maker", "media_of"]

#: The names of components that browsers can show, best first, with the kind of player.
_KINDS = {
    "ftrackreview-mp4": "video",
    "ftrackreview-webm": "video",
    "ftrackreview-image": "image",
}

_COMPONENTS = (
    "select id, name, version_id, metadata.key, metadata.value from FileComponent"
    " where version_id in ({}) and name in ({})"
)
_ENCODING = (
    "select job.status, component.version_id from JobComponent"
    ' where component.version_id in ({}) and job.status in ("queued", "running")'
)


@dataclass(frozen=True)
class Medium:
    """The media of a version. *kind* is ``video``, ``image``, ``encoding`` or ``none``.

    *frame_rate* is in frames per second, and None for an image. Frames have the numbers from
    *first_frame* to *last_frame*. *width* and *height* are in pixels. *component_id* is the
    component whose data is at *url*.
    """

    kind: str
    url: str = ""
    frame_rate: Optional[float] = None
    first_frame: int = 0
    last_frame: int = 0
    width: int = 16
    height: int = 9
    component_id: Optional[str] = None


def media_of(
    asked: Asked, reader: PageReader, version_ids: Iterable[str], user: RequestUser
) -> dict[str, Medium]:
    """Return the media of each version by its id. The addresses in them are valid for *user*."""
    ids = sorted({one for one in version_ids if one})
    if not ids:
        return {}
    versions = ", ".join(map(quoted, ids))
    names = ", ".join(map(quoted, _KINDS))
    found: dict[str, dict[str, Medium]] = {}
    store, address = asked.api.media.store, address_maker(asked, user)
    for component in reader.query(_COMPONENTS.format(versions, names)):
        if store.exists(component["id"]):
            url = address(component["id"])
            shown = found.setdefault(component["version_id"], {})
            shown[component["name"]] = _medium(component, url)
    busy = {
        one["component"]["version_id"]
        for one in reader.query(_ENCODING.format(versions))
        if one.get("component")
    }
    return {id_: _best(found.get(id_, {}), id_ in busy) for id_ in ids}


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


def _best(shown: Mapping[str, Medium], busy: bool) -> Medium:
    for name in _KINDS:
        if name in shown:
            return shown[name]
    return Medium("encoding" if busy else "none")


def _medium(component: Mapping[str, Any], url: str) -> Medium:
    values = {one["key"]: one["value"] for one in component.get("metadata") or ()}
    described = _described(values.get("ftr_meta"))
    kind = _KINDS[component["name"]]
    rate = (_number(described.get("frameRate"), 0) or 24.0) if kind == "video" else None
    return Medium(
        kind,
        url,
        rate,
        int(_number(described.get("frameIn"), 0)),
        int(_number(described.get("frameOut"), 0)),
        int(_number(described.get("width"), 16)) or 16,
        int(_number(described.get("height"), 9)) or 9,
        component["id"],
    )


def _described(text: Optional[str]) -> dict[str, Any]:
    """Return the content of ``ftr_meta``, or {} if it is not valid. Any client can write it."""
    try:
        value = read_json(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: Any, otherwise: float) -> float:
    usable = isinstance(value, (int, float)) and 0 <= value < 1e9
    return float(value) if usable else otherwise
