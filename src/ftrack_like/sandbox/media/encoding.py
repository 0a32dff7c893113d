"""One encoding: make the files of a job, and return the operations that describe them."""

from __future__ import annotations

import contextlib
import pathlib
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Optional

from ftrack_like._base.errors import MediaError
from ftrack_like._media.details import DETAILS_QUERY, details_of
from ftrack_like._media.pipeline import Encoded, Made, Pipeline, Source
from ftrack_like._media.presets import presets
from ftrack_like._media.scratch import encoding_folder
from ftrack_like._media.sequences import arranged, check_type, missing_frames
from ftrack_like._media.types import SLATE_FRAMES, UNREADABLE
from ftrack_like.sandbox.actions.compose import update_operation
from ftrack_like.sandbox.media.encode_jobs import EncodeJob, JobOutput
from ftrack_like.sandbox.media.incoming import IncomingFile
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.media.plan import (
    IMAGE,
    THUMBNAIL,
    kind_of,
    output_operations,
    suffix_of,
)
from ftrack_like.sandbox.media.tools import MediaTools

__all__ = ["Encoder", "FindRecords"]

#: Returns the records of an expression that the user of the job sees.
FindRecords = Callable[[str], list[dict[str, Any]]]

_SOURCE = (
    "select id, name, file_type, version_id, members.id, members.name, members.file_type"
    ' from Component where id is "{}"'
)


class Encoder:
    """Makes the files of jobs from the data in *store*, with *tools*.

    Setting *stop* ends a running program.
    """

    def __init__(self, store: MediaStore, tools: MediaTools, stop: threading.Event) -> None:
        self._store = store
        self._tools = tools.stopping_with(stop)

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
        self,
        job: EncodeJob,
        source: Mapping[str, Any],
        progress: Callable[[float], None],
        query: FindRecords,
    ) -> tuple[EncodeJob, list[dict[str, Any]], list[IncomingFile]]:
        """Make all outputs of *job* from *source*.

        Return the job with all its outputs, the operations that describe them, and their complete
        files. The caller lets each file appear or aborts it. *progress* is called with the finished
        share, from 0.0 to 1.0. *query* finds what a burn-in shows. Raise
        :exc:`~ftrack_like.exception.MediaError`, :exc:`LookupError` or :exc:`OSError` if the
        encoding fails.
        """
        with encoding_folder() as folder:
            try:
                return self._encode(job, source, progress, query, folder)
            except MediaError as error:
                raise MediaError(self._without_paths(str(error), source, folder)) from error

    def remove_data(self, job: EncodeJob) -> None:
        """Remove the data of all outputs of *job*."""
        names = [one.name for one in presets()]
        for id_ in {
            *(one.component_id for one in job.outputs),
            *(_more_id(job, name) for name in names),
        }:
            with contextlib.suppress(OSError, ValueError):
                self._store.remove(id_)

    def _encode(
        self,
        job: EncodeJob,
        source: Mapping[str, Any],
        progress: Callable[[float], None],
        query: FindRecords,
        folder: pathlib.Path,
    ) -> tuple[EncodeJob, list[dict[str, Any]], list[IncomingFile]]:
        """Do the work of :meth:`encode` in *folder*."""
        media, missing = self._media(job, source, folder)
        containers = [
            one.format.partition("/")[2] for one in job.outputs if one.format.startswith("video/")
        ]
        encoded = Pipeline(self._tools).make(
            media, folder, containers, progress, lambda: _details(job, source, query)
        )
        outputs, operations = list(job.outputs), []
        files: list[IncomingFile] = []
        try:
            for made in encoded.files:
                known = next((one for one in job.outputs if one.name == made.name), None)
                output = known or JobOutput(
                    made.name, f"video/{made.file_type[1:]}", _more_id(job, made.name)
                )
                files.append(self._store.receive(output.component_id))
                _copy(made.path, files[-1])
                if known is None:
                    outputs.append(output)
                    operations += output_operations(output, made.file_type, job.version_id, job.id)
                operations += _describe(job, output, made, files[-1].size)
                if output.name != THUMBNAIL.name:
                    operations += _more_metadata(output, missing, encoded)
        except BaseException:
            for one in files:
                one.abort()
            raise
        return replace(job, outputs=outputs), operations, files

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

    def _media(
        self, job: EncodeJob, source: Mapping[str, Any], folder: pathlib.Path
    ) -> tuple[Source, str]:
        """Return the media of *source*, and the numbers of missing frames as text."""
        name, kind = repr(source["name"]), kind_of(source)
        if kind == "sequence":
            return self._sequence(source, name, folder)
        is_image = any(one.name == IMAGE.name for one in job.outputs)
        if kind == "document":
            path = self._tools.first_page(self._data(source), folder)
        else:
            # The link is in a folder without other data. The link to an image keeps the file type,
            # because ffmpeg recognises some formats only by the name.
            suffix = str(source["file_type"]).lower() if is_image else ""
            path = folder / f"source{suffix}"
            path.symlink_to(self._data(source).resolve())
        return Source(name, str(path), is_image), ""

    def _sequence(
        self, source: Mapping[str, Any], name: str, folder: pathlib.Path
    ) -> tuple[Source, str]:
        members = sorted(source["members"], key=lambda member: _number(member["name"]))
        if not members:
            raise LookupError("The sequence has no frames.")
        # The type becomes a part of file names, so only known types are safe.
        suffix = suffix_of(members[0]["file_type"])
        check_type(suffix)
        numbers = [_number(member["name"])[0] for member in members]
        first, places = arranged(numbers)
        links = [folder / f"frame-{number:06d}{suffix}" for number in range(len(places))]
        for link, place in zip(links, places):
            link.symlink_to(self._data(members[place]).resolve())
        media = Source(
            name,
            str(folder / f"frame-%06d{suffix}"),
            frame_names=[str(members[place]["name"]) for place in places],
            frame_paths=[str(link) for link in links],
            first=first,
        )
        return media, missing_frames(numbers) if len(places) > len(members) else ""

    def _data(self, component: Mapping[str, Any]) -> pathlib.Path:
        if not self._store.exists(component["id"]):
            raise LookupError(
                f"There is no data for the component {component['name']!r} on the server;"
                " add it to the server location first."
            )
        return self._store.path(component["id"])


def _copy(path: pathlib.Path, incoming: IncomingFile) -> None:
    """Write the data of the file at *path* to *incoming*, and complete it."""
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1024 * 1024), b""):
            incoming.write(chunk)
    incoming.complete()


def _more_metadata(output: JobOutput, missing: str, encoded: Encoded) -> list[dict[str, Any]]:
    """Return the operations for the metadata of *output*, for those with a value."""
    more = {
        "missing_frames": missing,
        SLATE_FRAMES: str(encoded.slate_frames or ""),
        UNREADABLE: encoded.unreadable,
    }
    return [_metadata(output.component_id, key, value) for key, value in more.items() if value]


def _details(job: EncodeJob, source: Mapping[str, Any], query: FindRecords) -> Mapping[str, str]:
    """Return the values of fields for a burn-in of *source*; some only if it has a version."""
    found = [] if job.version_id is None else query(DETAILS_QUERY.format(job.version_id))
    values = details_of(found[0]) if found else {}
    return {**values, "file": f"{source['name']}{source['file_type'] or ''}"}


def _more_id(job: EncodeJob, name: str) -> str:
    """Return the id of the component called *name*, which exists only if the source is large.

    A job that is repeated after a restart uses the same id.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} of the job {job.id}"))


def _describe(job: EncodeJob, output: JobOutput, made: Made, size: int) -> list[dict[str, Any]]:
    component_id = output.component_id
    operations = [
        update_operation("FileComponent", component_id, {"size": size}),
        _metadata(component_id, "ftr_meta", made.meta),
    ]
    if output.name == THUMBNAIL.name and job.version_id is not None:
        thumbnail = {"thumbnail_id": component_id}
        operations.append(update_operation("AssetVersion", job.version_id, thumbnail))
    return operations


def _metadata(component_id: str, key: str, value: str) -> dict[str, Any]:
    """Return the operation that creates metadata of a component."""
    return {
        "action": "create",
        "entity_type": "Metadata",
        "entity_key": [component_id, key],
        "entity_data": {
            "__entity_type__": "Metadata",
            "parent_id": component_id,
            "parent_type": "FileComponent",
            "key": key,
            "value": value,
        },
    }


def _number(name: Optional[str]) -> tuple[int, str]:
    name = name or ""
    digits = "".join(one for one in name if one in "0123456789")[:18]
    return (int(digits) if digits else 0, name)
