"""What the player shows besides the picture: other versions, and the frame numbers of the shot."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from starlette.responses import Response

from ftrack_like.sandbox.web.log_in import Visitor
from ftrack_like.sandbox.web.media import Medium, media_of
from ftrack_like.sandbox.web.pages import Asked, PageError, render
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted
from ftrack_like.sandbox.web.review_access import Visit, open_visit

__all__ = [
    "PlayerFacts",
    "PlayerVersion",
    "object_player",
    "show_object_player",
    "version_player",
]

#: The most versions that the picker offers: the latest.
_MOST = 200

#: The custom attributes with the first and last frame of a shot, and its frames before and after.
_FIRST, _LAST, _HANDLES = "fstart", "fend", "handles"

_LINKS = "select link, task.link from AssetVersion where id is {}"
_NUMBERS = (
    "select id, custom_attributes.key, custom_attributes.value from TypedContext where id in ({})"
)
_OBJECTS = (
    "select id, name, version, asset_version.version from ReviewSessionObject"
    " where review_session_id is {} and asset_version.asset_id is {}"
    f" order by asset_version.version descending, sort_order, id limit {_MOST}"
)
_OBJECT = (
    "select id, name, version_id, asset_version.asset.name from ReviewSessionObject"
    " where id is {} and review_session_id is {}"
)
_ASSET = "select asset_id from AssetVersion where id is {}"
_VERSIONS = (
    "select id, version, comment from AssetVersion"
    f" where asset_id is {{}} order by version descending limit {_MOST}"
)


@dataclass(frozen=True)
class PlayerVersion:
    """A version that the picker offers.

    *page* is the address of its page, *player* that of its player alone. *is_current* is true for
    the version that the page shows.
    """

    label: str
    page: str
    player: str
    is_current: bool


@dataclass(frozen=True)
class PlayerFacts:
    """What the player shows besides the medium.

    *address* is the address of this player alone. *versions* are those of the same asset, the
    oldest first. *shot_start* is the shot's own number of the first frame, None if unknown.
    """

    address: str = ""
    versions: Sequence[PlayerVersion] = field(default=())
    shot_start: Optional[int] = None


def object_player(visit: Visit, object_: Record) -> tuple[Medium, PlayerFacts]:
    """Return the medium of an object, and what the player shows besides it."""
    reader, version_id = visit.reader, object_["version_id"]
    media = media_of(visit.asked, reader, [version_id], visit.user)
    medium = media.get(version_id, Medium("none"))
    facts = PlayerFacts(
        visit.address("/player", object=object_["id"]),
        _object_versions(visit, object_),
        _shot_start(reader, version_id, medium),
    )
    return medium, facts


def show_object_player(asked: Asked) -> Response:
    """Return the player of the object that the address names, without the rest of the page."""
    visit = open_visit(asked)
    id_, session_id = quoted(asked.query.get("object", "")), quoted(visit.session["id"])
    object_ = visit.reader.one(_OBJECT.format(id_, session_id))
    if object_ is None:
        raise PageError(404, "No such version", "The version is not part of this review.")
    medium, facts = object_player(visit, object_)
    version = object_["asset_version"] or {}
    title = object_["name"] or (version.get("asset") or {}).get("name") or "Untitled"
    return render("player_alone.html", medium=medium, title=title, facts=facts)


def version_player(visitor: Visitor, version: Record) -> dict[str, Any]:
    """Return the values ``medium``, ``facts`` and ``title`` of the player of a version."""
    reader, id_, asset = visitor.reader, version["id"], version["asset"]
    medium = media_of(visitor.asked, reader, [id_], visitor.user).get(id_, Medium("none"))
    facts = PlayerFacts(
        f"/browse/version/{_part(id_)}/player",
        _page_versions(reader, asset["id"], id_) if asset else (),
        _shot_start(reader, id_, medium),
    )
    title = f"{asset['name'] if asset else 'Version'} v{version['version']}"
    return {"medium": medium, "facts": facts, "title": title}


def _object_versions(visit: Visit, object_: Record) -> list[PlayerVersion]:
    """Return the objects of the review session that show versions of the same asset.

    A guest sees no other versions of the asset.
    """
    reader, address = visit.reader, visit.address
    asset = reader.one(_ASSET.format(quoted(object_["version_id"] or "")))
    if asset is None:
        return []
    found = reader.query(_OBJECTS.format(quoted(visit.session["id"]), quoted(asset["asset_id"])))
    labels = _labels(
        [
            (one["version"] or f"Version {one['asset_version']['version']}", one["name"])
            for one in found
        ]
    )
    return [
        PlayerVersion(
            label,
            address("", object=one["id"]),
            address("/player", object=one["id"]),
            one["id"] == object_["id"],
        )
        for label, one in zip(reversed(labels), reversed(found))
    ]


def _page_versions(reader: PageReader, asset_id: str, version_id: str) -> list[PlayerVersion]:
    """Return the versions of an asset that the visitor may see, for the page of a version."""
    found = reader.query(_VERSIONS.format(quoted(asset_id)))
    return [
        PlayerVersion(
            f"Version {one['version']}",
            f"/browse/version/{_part(one['id'])}",
            f"/browse/version/{_part(one['id'])}/player",
            one["id"] == version_id,
        )
        for one in reversed(found)
    ]


def _shot_start(reader: PageReader, version_id: Optional[str], medium: Medium) -> Optional[int]:
    """Return the shot's own number of the first frame of *medium*, or None if it has none.

    A medium that counts from 2 or more, such as that of an image sequence, has the numbers of the
    shot already. Another begins at ``fstart`` of the nearest context above the version that has
    the attribute. If it is as long as the shot with its ``handles``, it begins that much earlier.
    A slate comes before the first frame of the shot.
    """
    if medium.kind != "video" or version_id is None:
        return None
    if medium.first_frame > 1:
        return medium.first_frame
    numbers = _numbers(reader, version_id)
    first = numbers.get(_FIRST)
    if first is None:
        return None
    last, handles = numbers.get(_LAST), numbers.get(_HANDLES)
    frames = medium.last_frame - medium.first_frame + 1 - medium.slate_frames
    if last is not None and handles and frames == last - first + 1 + 2 * handles:
        first -= handles
    return first - medium.slate_frames


def _numbers(reader: PageReader, version_id: str) -> dict[str, int]:
    """Return the frame numbers of the nearest context above the version that has a first frame."""
    version = reader.one(_LINKS.format(quoted(version_id))) or {}
    above = [*_contexts(version.get("link")), *_contexts((version.get("task") or {}).get("link"))]
    if not above:
        return {}
    found = reader.query(_NUMBERS.format(", ".join(map(quoted, above))))
    values = {one["id"]: _whole_numbers(one["custom_attributes"]) for one in found}
    near = (values.get(id_, {}) for id_ in above)
    return next((one for one in near if _FIRST in one), {})


def _contexts(link: Any) -> list[str]:
    """Return the ids of the contexts in a ``link``, the nearest first."""
    steps = link if isinstance(link, list) else []
    return [step["id"] for step in reversed(steps) if step.get("type") == "TypedContext"]


def _whole_numbers(attributes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the frame numbers among custom *attributes*. Studios store them as text as well."""
    found = {}
    for one in attributes:
        if one["key"] in (_FIRST, _LAST, _HANDLES):
            try:
                number = float(one["value"])
                if abs(number) < 1e9:
                    found[one["key"]] = round(number)
            except (TypeError, ValueError):
                continue
    return found


def _labels(names: Sequence[tuple[str, Optional[str]]]) -> list[str]:
    """Return a label for each pair of version and name, with the name where the version repeats."""
    versions = [version for version, _ in names]
    return [
        f"{version} ({name})" if name and versions.count(version) > 1 else version
        for version, name in names
    ]


def _part(id_: str) -> str:
    return urllib.parse.quote(id_, safe="")
