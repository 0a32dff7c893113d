"""The work of one publication: the content, and the facts about it."""

from __future__ import annotations

import functools
import hashlib
import json
import mimetypes
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._media.presets import Preset, digest_of, presets
from ftrack_like._session.components import files_of, sequence_of
from ftrack_like._session.media_sources import check_media

if TYPE_CHECKING:
    from ftrack_like._base.types import PathText, Progress
    from ftrack_like.entity.asset_version import AssetVersion
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.job import Job
    from ftrack_like.session import Session

__all__ = ["OPTIONS", "PROFILES", "Publication", "Task", "local_presets", "task_for"]

#: How this machine encodes movies, ``{profile: {parameter: value}}``. A profile makes the smallest
#: size, and the larger ones that the source has, up to its maximum. Every profile turns images into
#: JPEG.
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "mp4-1080p": {
        "container": "mp4",
        "video": "h264",
        "audio": "aac",
        "maximum_width": 1920,
        "maximum_height": 1080,
    },
    "mp4-2160p": {
        "container": "mp4",
        "video": "h264",
        "audio": "aac",
        "maximum_width": 3840,
        "maximum_height": 2160,
    },
    "webm-1080p": {
        "container": "webm",
        "video": "vp9",
        "audio": "opus",
        "maximum_width": 1920,
        "maximum_height": 1080,
    },
}

#: The metadata key with a text that identifies changed presets and the numbers of frames.
OPTIONS = "encoding_options"

_READ_SIZE = 1024 * 1024


class Publication(NamedTuple):
    """The result of :func:`~ftrack_like.media.publish_reviewable`.

    *component* is for players. *job* is the job on the server that encodes it, None if this machine
    encoded it. *is_new* is whether this call encoded anything.
    """

    component: Component
    job: Optional[Job]
    is_new: bool


class Task(NamedTuple):
    """The content to publish, and the way to publish it."""

    version: AssetVersion
    path: pathlib.Path
    #: The frames of a sequence with their numbers, or the single file.
    files: list[pathlib.Path]
    numbers: list[int]
    #: What identifies the state of each file before it was read for its checksum.
    states: list[tuple[int, int, int]]
    is_sequence: bool
    profile: str
    keep_original: bool
    force: bool
    first_frame: Optional[int]
    presets: Sequence[Preset]
    facts: dict[str, str]
    progress: Optional[Progress]
    #: The time of the monotonic clock at which everything ends, None for never.
    deadline: Optional[float]

    @property
    def session(self) -> Session:
        """Return the session of the version."""
        return self.version.session

    @property
    def content(self) -> str:
        """Return a text that identifies the content and its encoding."""
        parts = [self.facts["source_sha1"], self.profile, self.facts.get(OPTIONS, "")]
        return " ".join(parts).strip()

    def check_files(self) -> None:
        """Raise :exc:`~ftrack_like.exception.MediaError` if a file is not as its checksum says."""
        for file, state in zip(self.files, self.states):
            try:
                changed = "changed" if _file_state(file) != state else ""
            except OSError:
                changed = "removed"
            if changed:
                raise exception.MediaError(
                    f"{str(file)!r} was {changed} while it was published. Publish it again when "
                    "the program that writes it has finished."
                )

    def is_same(self, metadata: Mapping[str, str]) -> bool:
        """Return whether a component with *metadata* has the same content and encoding."""
        names = ("source_sha1", "encoding_profile", OPTIONS)
        return all(metadata.get(name) == self.facts.get(name) for name in names)


def local_presets(profile: str, path: Optional[PathText]) -> Sequence[Preset]:
    """Return the presets of *profile*: the smallest one, and larger ones up to its limit.

    *path* is the file of presets, by default the one that the environment names.
    """
    about = PROFILES[profile]
    return [
        one
        for one in presets(path)
        if one.container == about["container"]
        and (
            not one.minimum
            or (one.width <= about["maximum_width"] and one.height <= about["maximum_height"])
        )
    ]


def task_for(
    version: AssetVersion,
    path: str,
    *,
    profile: Optional[str],
    keep_original: bool,
    force: bool,
    first_frame: Optional[int],
    preset_file: Optional[PathText],
    progress: Optional[Progress],
    deadline: Optional[float],
) -> Task:
    """Return the task for the media at *path*; read the files once for their checksum.

    Without *profile*, the server encodes.
    """
    try:
        check_media(path)
    except exception.LocationError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise error.__cause__ from None
        raise
    chosen = [] if profile is None else local_presets(profile, preset_file)
    files = [pathlib.Path(each) for each in files_of(path)]
    collection = sequence_of(path)
    is_sequence = collection is not None
    numbers = [] if collection is None else sorted(collection.indexes)
    source = pathlib.Path(re.sub(r" \[[^\]]*\]$", "", path) if is_sequence else path)
    states = [_file_state(each) for each in files]
    facts = _facts_of(source.name, files, profile or "server")
    # The movie of a sequence has its numbers, so the same images with others are another result.
    ranges = None if collection is None else collection.format("{ranges}")
    options = _options(chosen, None if is_sequence else first_frame, ranges)
    if options is not None:
        facts[OPTIONS] = options
    return Task(
        version=version,
        path=pathlib.Path(path),
        files=files,
        numbers=numbers,
        states=states,
        is_sequence=is_sequence,
        profile=profile or "server",
        keep_original=keep_original,
        force=force,
        first_frame=first_frame,
        presets=chosen,
        facts=facts,
        progress=progress,
        deadline=deadline,
    )


def _file_state(file: pathlib.Path) -> tuple[int, int, int]:
    """Return the number, the size and the time of the last change of *file*."""
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _options(
    chosen: Sequence[Preset], first_frame: Optional[int], ranges: Optional[str]
) -> Optional[str]:
    """Return a text that identifies *chosen*, *first_frame* and the *ranges* of a sequence.

    It is None for a file with the usual values.
    """
    digest = digest_of(chosen)
    parts = {
        **({} if ranges is None else {"frames": ranges}),
        **({} if digest is None else {"presets": digest}),
        **({} if first_frame is None else {"first_frame": first_frame}),
    }
    return json.dumps(parts) if parts else None


def _facts_of(name: str, files: list[pathlib.Path], profile: str) -> dict[str, str]:
    """Return the metadata about *files*: the file *name*, or the frames of a sequence."""
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    for path in files:
        with path.open("rb") as file:
            for chunk in iter(functools.partial(file.read, _READ_SIZE), b""):
                digest.update(chunk)
                size += len(chunk)
    return {
        "source_file_name": os.fspath(name),
        "source_file_size": str(size),
        "source_mime_type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "source_sha1": digest.hexdigest(),
        "encoding_profile": profile,
    }
