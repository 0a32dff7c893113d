"""The warning about versions in a review whose media no browser can show."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftrack_like.cli._text import amount, printable

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["version_title", "warn_of_missing_media"]

#: The names of components that browsers can show. Other sizes of the same have a suffix.
_SHOWN = ("ftrackreview-mp4", "ftrackreview-webm", "ftrackreview-image")
#: How many versions the warning names.
_LISTED = 5


def version_title(version: Entity) -> str:
    """Return the names of the context and the asset of *version*, as a review shows them."""
    asset = version["asset"]
    return f"{asset['parent']['name']} {asset['name']}" if asset["parent"] else str(asset["name"])


def warn_of_missing_media(session: Session, versions: Sequence[Entity]) -> None:
    """Print a line on standard error that names those of *versions* without media for browsers.

    A version that is being encoded will have them.
    """
    present = _with_media(session, [str(each["id"]) for each in versions])
    left = {str(each["id"]): each for each in versions if str(each["id"]) not in present}
    if not left:
        return
    listed = [f"{version_title(each)} v{each['version']}" for each in left.values()]
    more = len(listed) - _LISTED
    names = ", ".join(listed[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    wanted = next(iter(left)) if len(left) == 1 else "ID"
    text = (
        f"{amount(len(left), 'version')} without media that a browser can show: {names}. "
        f"Encode the media with: ftrack-like encode FILE --version {wanted}"
    )
    print(printable(f"ftrack-like: warning: {text}"), file=sys.stderr)


def _with_media(session: Session, ids: Sequence[str]) -> set[str]:
    """Return those of *ids* that are versions with media for browsers, or with an encoding."""
    from ftrack_like._values.literals import groups  # lazy: "--help" answers at once

    found = set()
    for some in groups(ids):
        components = session.query(
            "select name, version_id from Component where version_id in :ids "
            'and name like "ftrackreview-%"',
            values={"ids": some},
        )
        found |= {str(each["version_id"]) for each in components if is_encoding(each["name"])}
        jobs = session.query(
            "select component.version_id from JobComponent where component.version_id in :ids "
            'and job.status in ("queued", "running")',
            values={"ids": some},
        )
        found |= {str(each["component"]["version_id"]) for each in jobs}
    return found


def is_encoding(name: str) -> bool:
    """Return whether the component *name* is an encoding for browsers."""
    return any(name == each or name.startswith(f"{each}-") for each in _SHOWN)
