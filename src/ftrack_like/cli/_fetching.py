"""Download components to files, which appear when they are complete."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like._base.renaming import put_into_place
from ftrack_like.cli._errors import CommandError

if TYPE_CHECKING:
    from ftrack_like.data import Data
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["DOWNLOADED", "WantedFile", "fetch", "file_name", "folder_of", "wanted_files"]

#: The projections of components and their versions that a download needs.
DOWNLOADED = (
    "id, name, file_type, size, version.version, version.asset.name, version.link, "
    "version.thumbnail_id, "
    "component_locations.location.name"
)
_MEMBERS = "members.name, members.file_type, members.size"

#: Bytes to copy at a time.
_PIECE = 1024 * 1024
#: A download of more bytes that broke off is kept, and continued by the next run.
_WORTH_KEEPING = 8 * 1024 * 1024
#: Bytes at the end of a kept part that are read again, to see that the data are the same.
_OVERLAP = 64 * 1024

#: Characters that a file system or a terminal cannot have in a name.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200e\u200f\u2028-\u202e\u2066-\u2069]')
#: Names of devices on Windows, with or without a file type.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
#: The maximum length of a name in bytes, with room for the ending of a part.
_LONGEST = 180


class WantedFile(NamedTuple):
    """A file to download: *component* has its data, in *location*, and goes to *target*."""

    component: Component
    location: Location
    target: pathlib.Path

    @property
    def size(self) -> int:
        """Return the size in bytes that the server has for the component."""
        return int(self.component["size"] or 0)


def wanted_files(
    session: Session, components: Sequence[Component], folder: pathlib.Path, structured: bool
) -> list[WantedFile]:
    """Return the files of *components*, with their places below *folder*.

    If *structured*, each is in folders for its project, contexts, asset and version. Raise
    :exc:`~ftrack_like.cli._errors.CommandError` for data that this machine cannot reach, and for
    two files with the same place.
    """
    containers = [one for one in components if one.entity_type != "FileComponent"]
    if containers:
        session.populate(containers, _MEMBERS)
    found: list[WantedFile] = []
    for component, location in zip(components, session.pick_locations(components)):
        if location is None:
            raise CommandError(_unreachable(component))
        parts = folder_of(component) if structured else []
        found += _files_of(component, location, folder.joinpath(*parts))
    _refuse_collisions(found)
    return found


def folder_of(component: Entity) -> list[str]:
    """Return the names of the folders for *component*: project, contexts, asset and version."""
    version = component["version"]
    if version is None:
        return []
    names = [str(each["name"]) for each in version["link"][:-1]]
    folders = [*names, str(version["asset"]["name"]), f"v{int(version['version']):03}"]
    return [safe_name(each) for each in folders]


def file_name(component: Entity) -> str:
    """Return the name of the file of *component*."""
    kind = _ending(component["file_type"])
    name = str(component["name"] or "")
    return safe_name(name if kind and name.lower().endswith(kind.lower()) else name + kind)


def _ending(file_type: object) -> str:
    """Return *file_type* with its dot, which some programs leave out."""
    kind = str(file_type or "")
    return kind if not kind or kind.startswith(".") else f".{kind}"


def safe_name(text: str) -> str:
    """Return *text* as the name of one file or folder, on every system.

    It never leads out of its folder: separators and control characters are replaced, and names
    like ``..`` and those of devices change.
    """
    name = _UNSAFE.sub("_", text).rstrip(". ")
    if not name.strip("."):
        name = "_"
    if _DEVICES.fullmatch(name):
        name = f"_{name}"
    stem, kind = os.path.splitext(name)
    while len(name.encode("utf-8", "surrogatepass")) > _LONGEST and len(stem) > 1:
        stem = stem[:-1]
        name = stem + kind[:20]
    return name


def _files_of(
    component: Component, location: Location, folder: pathlib.Path
) -> Iterator[WantedFile]:
    """Yield the files of *component*, a file, a sequence, or a container of components."""
    if component.entity_type == "FileComponent":
        yield WantedFile(component, location, folder / file_name(component))
    elif component.entity_type == "SequenceComponent":
        for member in component["members"]:
            kind = _ending(member["file_type"] or component["file_type"])
            name = safe_name(f"{component['name']}.{member['name']}{kind}")
            yield WantedFile(member, location, folder / name)
    else:
        inside = folder / safe_name(str(component["name"]))
        for member in component["members"]:
            yield from _files_of(member, location, inside)


def _unreachable(component: Component) -> str:
    places = sorted({str(one["location"]["name"]) for one in component["component_locations"]})
    where = f"It is in {', '.join(places)}." if places else "No location has it."
    return (
        f"The data of the component {component['name']!r} ({component['id']}) cannot be reached "
        f"from this machine. {where} A plugin in FTRACK_EVENT_PLUGIN_PATH sets a location up."
    )


def _refuse_collisions(files: Sequence[WantedFile]) -> None:
    """Raise an error if two of *files* have the same place, also where case does not count."""
    taken: dict[str, WantedFile] = {}
    for each in files:
        other = taken.setdefault(str(each.target).casefold(), each)
        if other is not each:
            raise CommandError(
                f"Two components would become {str(each.target)!r}: {other.component['id']} and "
                f"{each.component['id']}. Download them with --structure, or one by one."
            )


def fetch(
    wanted: WantedFile,
    identifier: str,
    *,
    force: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Download *wanted*, and return the number of its bytes.

    *identifier* is the place of the data in the location, for its accessor. *force* replaces an
    existing file. *progress* is called with the number of new bytes. The file appears complete or
    not at all. A large download that breaks off leaves a hidden file next to its place, with which
    the next one continues.
    """
    target = wanted.target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{str(wanted.component['id'])[:8]}.part")
    if part.is_symlink():
        part.unlink()
    try:
        with contextlib.closing(wanted.location.accessor.open(identifier, "rb")) as source:
            size = _copy(source, part, progress)
        _put_into_place(part, target, force)
    except BaseException:
        with contextlib.suppress(OSError):
            if part.stat().st_size < _WORTH_KEEPING:
                part.unlink()
        raise
    return size


def _copy(source: Data, part: pathlib.Path, progress: Callable[[int], object]) -> int:
    """Copy the data of *source* to *part*, after those that an earlier run has left there."""
    start = _continue_at(source, part)
    with open(part, "r+b" if start else "wb") as file:
        file.truncate(start)
        file.seek(start)
        progress(start)
        while True:
            piece: bytes = source.read(_PIECE)
            if not piece:
                break
            file.write(piece)
            progress(len(piece))
        return file.tell()


def _continue_at(source: Data, part: pathlib.Path) -> int:
    """Return the position at which to continue with *part*; move *source* there."""
    try:
        size = part.stat().st_size
    except OSError:
        return 0
    overlap = min(size, _OVERLAP)
    try:
        source.seek(size - overlap)
        again: Any = source.read(overlap)
    except Exception:  # The source cannot move, or it has fewer data.
        again = None
    with open(part, "rb") as file:
        file.seek(size - overlap)
        if again and again == file.read():
            return size
    source.seek(0)
    return 0


def _put_into_place(part: pathlib.Path, target: pathlib.Path, force: bool) -> None:
    """Rename *part* to *target*; without *force*, never replace a file."""
    if not force:
        refusal: Optional[OSError] = None
        try:
            os.link(part, target)  # Unlike a rename, it fails if the target exists.
        except FileExistsError as error:
            refusal = error
        except OSError:  # The file system has no links.
            if os.path.lexists(target):
                refusal = FileExistsError(str(target))
        else:
            part.unlink()
            return
        if refusal is not None:
            raise CommandError(existing_message([target])) from refusal
    put_into_place(part, target)


def existing_message(targets: Sequence[pathlib.Path]) -> str:
    """Return the error for *targets* that exist."""
    others = f" and {len(targets) - 1} more exist" if len(targets) > 1 else " exists"
    return (
        f"{str(targets[0])!r}{others} already. Pass --force to replace files, or "
        "--skip-existing to keep them."
    )
