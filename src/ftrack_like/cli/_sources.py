"""The files that people name on the command line: files, sequences, and patterns for frames."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._units import as_size

__all__ = ["SourceFile", "sources_of"]

#: Places for the frame number: ``%04d``, ``####``, ``@@@@`` and Houdini's ``$F4``.
_PLACE = re.compile(r"%0?(?P<printf>\d*)d|(?P<hashes>#+)|(?P<ats>@+)|\$F(?P<houdini>\d*)")
#: The end of a pattern with frames: ``x.####.exr [1001-1010]``.
_FRAMES = re.compile(r"(?P<name>.*\S)\s*(?P<frames>\[[\d\s,-]*\])\s*", re.DOTALL)
_COMPONENT = re.compile(r"(?P<name>[^=/\\]+)=(?P<path>.+)", re.DOTALL)


class SourceFile(NamedTuple):
    """A file or a sequence: the *name* of its component, its *path* or expression, its *files*."""

    name: str
    path: str
    files: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return the size of all files in bytes."""
        return sum(os.path.getsize(path) for path in self.files)

    def __str__(self) -> str:
        """Return the path, and the number of files of a sequence."""
        count = f", {len(self.files)} files" if len(self.files) > 1 else ""
        return f"{self.path}{count} ({as_size(self.size)}) as the component {self.name!r}"


def sources_of(
    texts: Sequence[str], *, name: Optional[str] = None, sequences: bool = True
) -> list[SourceFile]:
    """Return the files that *texts* name; every file exists.

    A text is a path, a path with wildcards, or a pattern such as ``x.%04d.exr`` or ``x.####.exr``,
    with or without frames like ``[1001-1010]``. ``NAME=`` before it names the component. With
    *sequences*, files whose names differ in the frame number become one sequence. *name* is the
    name of the only component. Raise :exc:`~ftrack_like.cli._errors.UsageMistake` otherwise.
    """
    found: list[SourceFile] = []
    plain: list[str] = []
    order: dict[str, int] = {}
    for text in texts:
        chosen, path = _split_name(text)
        frames = _frames_of(path)
        if frames is not None:
            found.append(_sequence(chosen, frames))
            files = list(found[-1].files)
        elif chosen is not None:
            files = [_existing(path)]
            found.append(SourceFile(chosen, path, tuple(files)))
        else:
            files = _expanded(path)
            plain += files
        for file in files:
            order.setdefault(file, len(order))
    found += _assembled(dict.fromkeys(plain), sequences)
    found.sort(key=lambda source: order[source.files[0]])
    if name is not None:
        if len(found) != 1:
            raise UsageMistake(
                f"--name names one component, but there are {len(found)}. "
                "Write NAME=FILE for each instead."
            )
        found = [found[0]._replace(name=name)]
    return _named_apart(found)


def _split_name(text: str) -> tuple[Optional[str], str]:
    """Return the name of the component in *text*, None without one, and the path."""
    match = None if os.path.lexists(text) else _COMPONENT.fullmatch(text)
    return (match["name"], match["path"]) if match else (None, text)


class _Frames(NamedTuple):
    """A pattern: the parts before and after the number, its digits, and the given frames."""

    head: str
    tail: str
    padding: int
    given: Optional[str]


def _frames_of(path: str) -> Optional[_Frames]:
    """Return the pattern in *path*, None if it is the path of a file."""
    if os.path.lexists(path):
        return None
    match = _FRAMES.fullmatch(path)
    name, given = (match["name"], match["frames"]) if match else (path, None)
    places = list(_PLACE.finditer(os.path.basename(name)))
    if not places:
        return None
    place, start = places[-1], len(name) - len(os.path.basename(name))
    text = place["hashes"] or place["ats"]
    padding = len(text) if text else int(place["printf"] or place["houdini"] or 0)
    head, tail = name[: start + place.start()], name[start + place.end() :]
    return _Frames(head, tail, padding, given)


def _sequence(chosen: Optional[str], frames: _Frames) -> SourceFile:
    """Return the sequence of *frames*; look for them on the disk if none are given."""
    import clique  # lazy: "--help" answers at once

    name = f"{frames.head}%0{frames.padding}d{frames.tail}".replace("%00d", "%d")
    if frames.given is not None:
        try:
            collection = clique.parse(f"{name} {frames.given}", "{head}{padding}{tail} [{ranges}]")
        except ValueError:
            raise UsageMistake(
                f"{name} {frames.given}: frames are written like [1001-1010, 1012]."
            ) from None
        files = [_existing(path) for path in collection]
    else:
        files = _frames_on_disk(frames)
        if not files:
            raise UsageMistake(f"There are no frames for {name!r}.")
        numbers = {int(path[len(frames.head) : len(path) - len(frames.tail)]) for path in files}
        collection = clique.Collection(frames.head, frames.tail, frames.padding, numbers)
    expression = collection.format("{head}{padding}{tail} [{ranges}]")
    return SourceFile(chosen or _stem(frames.head), expression, tuple(files))


def _frames_on_disk(frames: _Frames) -> list[str]:
    """Return the paths of all files that *frames* match."""
    digits = rf"\d{{{frames.padding}}}" if frames.padding else r"\d+"
    pattern = re.compile(re.escape(frames.head) + digits + re.escape(frames.tail))
    listed = glob.glob(f"{glob.escape(frames.head)}*{glob.escape(frames.tail)}")
    return sorted(path for path in listed if pattern.fullmatch(path))


def _expanded(path: str) -> list[str]:
    """Return the files of *path*, which may have wildcards that the shell did not expand."""
    if os.path.lexists(path) or not glob.has_magic(path):
        return [_existing(path)]
    found = sorted(each for each in glob.glob(path) if os.path.isfile(each))
    if not found:
        raise UsageMistake(f"No file matches {path!r}.")
    return found


def _existing(path: str) -> str:
    """Return *path*, which must be a file."""
    if not os.path.exists(path):
        raise UsageMistake(f"There is no file {path!r}.")
    if not os.path.isfile(path):
        raise UsageMistake(f"{path!r} is not a file. Name the files in it.")
    if not os.access(path, os.R_OK):
        raise UsageMistake(f"The file {path!r} cannot be read: permission denied.")
    return path


def _assembled(paths: Iterable[str], sequences: bool) -> list[SourceFile]:
    """Return *paths* as sequences and single files, in their order."""
    paths = list(paths)
    if not sequences or len(paths) < 2:
        return [SourceFile(_stem(path), path, (path,)) for path in paths]
    import clique  # lazy: "--help" answers at once

    collections, _ = clique.assemble(paths, patterns=[clique.PATTERNS["frames"]], minimum_items=2)
    members = {path: each for each in collections for path in each}
    found: dict[str, SourceFile] = {}
    for path in paths:
        collection = members.get(path)
        if collection is None:
            found[path] = SourceFile(_stem(path), path, (path,))
        else:
            expression = collection.format("{head}{padding}{tail} [{ranges}]")
            found.setdefault(
                expression, SourceFile(_stem(collection.head), expression, tuple(collection))
            )
    return list(found.values())


def _stem(path: str) -> str:
    """Return the name of a component for *path*, or for its part before the frame number."""
    name = os.path.basename(path)
    stem = name.rstrip("._- ") if name.endswith((".", "_", "-")) else os.path.splitext(name)[0]
    return stem or name or "main"


def _named_apart(sources: Sequence[SourceFile]) -> list[SourceFile]:
    """Return *sources* with different names: the file type is added to names that are equal."""
    names = [source.name for source in sources]
    found = []
    for source in sources:
        if names.count(source.name) > 1:
            kind = os.path.splitext(source.files[0])[1].lstrip(".")
            source = source._replace(name=f"{source.name}_{kind}" if kind else source.name)
        found.append(source)
    names = [source.name for source in found]
    for source in found:
        if names.count(source.name) > 1:
            raise UsageMistake(
                f"Several files would be the component {source.name!r}. Write NAME=FILE to name "
                "each component."
            )
    return found
