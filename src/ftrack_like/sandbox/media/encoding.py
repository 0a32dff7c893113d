"""One encoding: make the files of a job, and return the operations that describe them."""

from __future__ import annotations

import pathlib
import re
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ftrack_like._base import ffmpeg
from ftrack_like._base.errors import MediaError
from ftrack_like.sandbox.media.encode_jobs import EncodeJob, JobOutput
from ftrack_like.sandbox.media.plan import IMAGE_TYPES, THUMBNAIL, kind_of, suffix_of
from ftrack_like.sandbox.media.store import ComponentStore
from ftrack_like.sandbox.media.tools import MediaTools

__all__ = ["Encoder", "FindRecords", "update_operation"]

#: Returns the records of an expression that the user of the job sees.
FindRecords = Callable[[str], list[dict[str, Any]]]

#: Frames per second of a sequence of images.
_RATE = 24

#: The file types of frames: the types of single images, and some more.
_FRAME_TYPES = IMAGE_TYPES | {
    *(".bw", ".dds", ".j2c", ".j2k", ".jxl", ".pam", ".pbm", ".pcx", ".pgm", ".pnm", ".qoi"),
    *(".ras", ".rgb", ".rgba", ".sun", ".xbm", ".xwd"),
}

_SOURCE = (
    "select id, name, file_type, version_id, members.id, members.name, members.file_type"
    ' from Component where id is "{}"'
)


class Encoder:
    """Makes the files of jobs from the data in *store*, with *tools*.

    Setting *stop* ends a running program.
    """

    def __init__(self, store: ComponentStore, tools: MediaTools, stop: threading.Event) -> None:
        self._store = store
        self._tools = tools
        self._stop = stop

    def source_of(self, job: EncodeJob, query: FindRecords) -> dict[str, Any]:
        """Return the record of the component to encode, with its members.

        Raise :exc:`LookupError` if it does not exist, or if the user of the job does not see it.
        """
        found = query(_SOURCE.format(job.source_component_id))
        if not found:
            raise LookupError(
                "The component to encode does not exist any more, or you no longer see it."
            )
        return found[0]

    def encode(
        self, job: EncodeJob, source: Mapping[str, Any], progress: Callable[[float], None]
    ) -> list[dict[str, Any]]:
        """Make all outputs of *job* from *source*; return the operations that describe them.

        *progress* is called with the finished share, from 0.0 to 1.0. Raise
        :exc:`~ftrack_like.exception.MediaError`, :exc:`LookupError` or :exc:`OSError` if the
        encoding fails.
        """
        with tempfile.TemporaryDirectory(prefix="ftrack-like-encode-") as name:
            folder = pathlib.Path(name)
            try:
                return self._encode(job, source, progress, folder)
            except MediaError as error:
                raise MediaError(self._without_paths(str(error), source, folder)) from error

    def _encode(
        self,
        job: EncodeJob,
        source: Mapping[str, Any],
        progress: Callable[[float], None],
        folder: pathlib.Path,
    ) -> list[dict[str, Any]]:
        """Do the work of :meth:`encode` in *folder*."""
        inputs, described = self._inputs(source, folder)
        information = self._tools.probe(described, self._stop)
        frames, seconds = information.frames, information.duration
        if kind_of(source) == "sequence":
            frames = len(source["members"])
            seconds = frames / _RATE
        operations = []
        for number, output in enumerate(job.outputs):
            target = folder / f"output-{number}"
            if output.format == "image/jpeg":
                middle = min(seconds / 2, 5.0) if information.frame_rate and frames > 1 else 0.0
                self._tools.frame(inputs, target, middle, self._stop)
            else:
                self._tools.encode(
                    inputs,
                    target,
                    output.format.partition("/")[2],
                    lambda done: progress(done / seconds if seconds else 0.0),
                    self._stop,
                )
            size = self._keep(output.component_id, target)
            operations += self._describe(job, output, target, size, frames)
        return operations

    def _without_paths(self, text: str, source: Mapping[str, Any], folder: pathlib.Path) -> str:
        """Return *text* of a tool with the name of *source* for files of the server."""
        paths = {self._store.path(source["id"]), self._store.path(source["id"]).resolve()}
        found = "|".join(
            [
                re.escape(str(folder)) + r"(?:[/\\][\w%-]+(?:\.\w+)?)?",
                *(re.escape(str(one)) for one in paths),
            ]
        )
        return re.sub(found, lambda match: repr(source["name"]), text)

    def _inputs(
        self, source: Mapping[str, Any], folder: pathlib.Path
    ) -> tuple[list[str], pathlib.Path]:
        """Return ffmpeg's input arguments for *source*, and the file to probe."""
        kind = kind_of(source)
        if kind == "sequence":
            return self._sequence_inputs(source, folder)
        if kind == "document":
            path = self._tools.first_page(self._data(source), folder, self._stop)
        else:
            # The link is in a folder without other data. The link to an image keeps the file type,
            # because ffmpeg recognises some formats only by the name.
            suffix = suffix_of(source["file_type"]) if kind == "image" else ""
            path = folder / f"source{suffix}"
            path.symlink_to(self._data(source).resolve())
        return self._tools.inputs(path), path

    def _sequence_inputs(
        self, source: Mapping[str, Any], folder: pathlib.Path
    ) -> tuple[list[str], pathlib.Path]:
        members = sorted(source["members"], key=lambda member: _number(member["name"]))
        if not members:
            raise LookupError("The sequence has no frames.")
        # The type becomes a part of file names, so only known types are safe.
        suffix = suffix_of(members[0]["file_type"])
        if suffix not in _FRAME_TYPES:
            raise MediaError(
                f"A sequence of files of the type {suffix[:32]!r} cannot be encoded; its frames "
                "must be images."
            )
        for number, member in enumerate(members):
            (folder / f"frame-{number:06d}{suffix}").symlink_to(self._data(member).resolve())
        pattern = folder / f"frame-%06d{suffix}"
        return self._tools.inputs(pattern, _RATE), folder / f"frame-000000{suffix}"

    def _data(self, component: Mapping[str, Any]) -> pathlib.Path:
        if not self._store.exists(component["id"]):
            raise LookupError(
                f"There is no data for the component {component['name']!r} on the server;"
                " add it to the server location first."
            )
        return self._store.path(component["id"])

    def _keep(self, component_id: str, path: pathlib.Path) -> int:
        incoming = self._store.receive(component_id)
        try:
            with path.open("rb") as file:
                for chunk in iter(lambda: file.read(1024 * 1024), b""):
                    incoming.write(chunk)
            incoming.commit()
        finally:
            incoming.abort()
        return incoming.size

    def _describe(
        self, job: EncodeJob, output: JobOutput, path: pathlib.Path, size: int, frames: int
    ) -> list[dict[str, Any]]:
        component_id = output.component_id
        made = self._tools.probe(path, self._stop)
        meta = ffmpeg.review_metadata(made, 0 if output.format == "image/jpeg" else frames)
        operations = [
            update_operation("FileComponent", component_id, {"size": size}),
            {
                "action": "create",
                "entity_type": "Metadata",
                "entity_key": [component_id, "ftr_meta"],
                "entity_data": {
                    "__entity_type__": "Metadata",
                    "parent_id": component_id,
                    "parent_type": "FileComponent",
                    "key": "ftr_meta",
                    "value": meta,
                },
            },
        ]
        if output.name == THUMBNAIL.name and job.version_id is not None:
            thumbnail = {"thumbnail_id": component_id}
            operations.append(update_operation("AssetVersion", job.version_id, thumbnail))
        return operations


def update_operation(entity_type: str, id_: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation that sets *values* on an entity."""
    return {
        "action": "update",
        "entity_type": entity_type,
        "entity_key": [id_],
        "entity_data": {"__entity_type__": entity_type, **values},
    }


def _number(name: Optional[str]) -> tuple[int, str]:
    name = name or ""
    digits = "".join(one for one in name if one in "0123456789")[:18]
    return (int(digits) if digits else 0, name)
