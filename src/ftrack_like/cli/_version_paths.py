"""Asset versions by the words that people write: ``show/sq010/sh010/animation/v003``.

The path is that of the asset. It may be shorter, and the number may follow as commands print it:
``animation - v003``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._unknown import no_entity

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["VERSION_FORM", "is_version_path", "no_version", "versions_at", "versions_meant"]

#: The words of errors about the form.
VERSION_FORM = "show/sq010/sh010/animation/v003"

#: How many versions an error lists.
_LISTED = 5
_PATH = re.compile(r"(?P<asset>[^\s/].*?)(?:\s+-\s+|\s+|/)v(?P<number>\d{1,9})", re.IGNORECASE)


class _VersionPath(NamedTuple):
    """The names of the *contexts* above an *asset*, as far as given, and the *number*."""

    contexts: tuple[str, ...]
    asset: str
    number: int


def is_version_path(text: str) -> bool:
    """Return whether *text* has the form of the path of a version."""
    return _PATH.fullmatch(text) is not None


def versions_at(
    session: Session, texts: Iterable[str], projections: Iterable[str] = ()
) -> dict[str, list[Entity]]:
    """Return the versions that *texts* name, ``{text: versions}``, with *projections* loaded.

    Texts that name none are left out. A query finds the versions for up to 500 texts.
    """
    from ftrack_like._values.literals import groups, quoted  # lazy: "--help" answers at once

    paths = {text: path for text in texts for path in [_path_in(text)] if path is not None}
    loaded = ", ".join(dict.fromkeys(["version", "link", "asset.name", *projections]))
    conditions = dict.fromkeys(
        f"(asset.name is {quoted(each.asset)} and version is {each.number})"
        for each in paths.values()
    )
    rows = [
        row
        for some in groups(conditions)
        for row in session.query(f"select {loaded} from AssetVersion where {' or '.join(some)}")
    ]
    found: dict[str, list[Entity]] = {}
    for text, path in paths.items():
        matches = [row for row in rows if _is_below(row, path)]
        whole = [row for row in matches if len(_names_above(row)) == len(path.contexts)]
        if matches:
            found[text] = whole or matches
    return found


def no_version(session: Session, text: str, assets: Optional[Sequence[str]]) -> CommandError:
    """Return the error about *text*, which names no version.

    *assets* are the names of all assets, None if there are too many.
    """
    path = _path_in(text)
    if path is None:
        meant = versions_meant(session, text)
        if meant:
            return CommandError(f"{text!r} is not an AssetVersion. {meant}")
        return CommandError(
            f"{text!r} is not an AssetVersion. Write an id, or a path with the number of the "
            f"version, such as {VERSION_FORM}. Print the ids with: ftrack-like query AssetVersion"
        )
    others = session.query(
        "select version, link, asset.name from AssetVersion where asset.name is :name",
        values={"name": path.asset},
    )
    numbers = sorted({int(one["version"]) for one in others if _is_below(one, path, False)})
    if numbers:
        listed = ", ".join(f"v{number:03}" for number in numbers)
        return CommandError(f"There is no AssetVersion {text!r}. The versions are: {listed}.")
    if path.asset in (assets or ()):
        return CommandError(
            f"There is no AssetVersion {text!r}. Other contexts have an asset {path.asset!r}. "
            f"Write the path as {VERSION_FORM}."
        )
    return CommandError(no_entity(["Asset"], path.asset, assets))


def versions_meant(session: Session, text: str) -> str:
    """Return a sentence with the latest versions of the asset or task at *text*, or no text."""
    *contexts, name = [each.strip() for each in text.split("/") if each.strip()] or [text]
    rows = session.query(
        "select version, link, asset.name from AssetVersion where is_latest_version is true "
        "and (asset.name is :name or task.name is :name)",
        values={"name": name},
    )
    paths = [
        "/".join([*_names_above(row), str(row["asset"]["name"]), f"v{int(row['version']):03}"])
        for row in rows
        if not contexts or _names_above(row)[-len(contexts) :] == contexts
    ]
    if not paths:
        return ""
    listed = ", ".join(sorted(paths)[:_LISTED])
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return f"Its latest {'version is' if len(paths) == 1 else 'versions are'}: {listed}{more}."


def _path_in(text: str) -> Optional[_VersionPath]:
    """Return the parts of *text*; None if it is no path of a version."""
    match = _PATH.fullmatch(text)
    if match is None:
        return None
    *contexts, asset = [each.strip() for each in match["asset"].split("/") if each.strip()]
    return _VersionPath(tuple(contexts), asset, int(match["number"]))


def _is_below(version: Entity, path: _VersionPath, same_number: bool = True) -> bool:
    """Return whether *version* is at *path*; with *same_number* False, whether its asset is."""
    if str(version["asset"]["name"]).lower() != path.asset.lower():
        return False
    if same_number and int(version["version"]) != path.number:
        return False
    count = len(path.contexts)
    return not count or _names_above(version)[-count:] == list(path.contexts)


def _names_above(version: Entity) -> list[str]:
    """Return the names from the project to the context of *version*."""
    return [str(each["name"]) for each in (version["link"] or ())[:-1]]
