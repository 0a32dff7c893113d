"""The queue of encode jobs: one worker thread that drives ffmpeg, a job at a time.

The queue lives in the database, as Job entities; a restarted server takes up what was queued or
running. Everything it tells the world goes through the same operations as a client's request,
so that events follow.
"""

from __future__ import annotations

import json
import logging
import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ftrack_like import _ffmpeg as ffmpeg
from ftrack_like._errors import MediaError
from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.media.plan import JOB_TYPE, THUMBNAIL, kind_of
from ftrack_like.sandbox.media.store import ComponentStore

__all__ = ["EncodeQueue"]

_LOGGER = logging.getLogger(__name__)

#: Seconds between two notes of progress in a job.
_PROGRESS_INTERVAL = 0.5

_SOURCE = (
    "select id, name, file_type, version_id, members.id, members.name, members.file_type"
    ' from Component where id is "{}"'
)

#: Runs operations of the protocol, as the server itself, in one transaction.
Execute = Callable[[Sequence[Mapping[str, Any]]], list[Any]]


class EncodeQueue:
    """Encodes for the jobs that :meth:`submit` names, in a thread of its own.

    *execute* runs protocol operations in one transaction and returns their results.
    """

    def __init__(self, store: ComponentStore, execute: Execute) -> None:
        """Prepare; nothing runs before :meth:`start`."""
        self._store = store
        self._execute = execute
        self._waiting: queue.Queue[Optional[str]] = queue.Queue()
        self._stop = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Start to work, first on what an earlier server left."""
        expression = (
            f'select id from Job where type is "{JOB_TYPE}" and status in ("queued", "running")'
            " order by created_at"
        )
        for job in self._query(expression):
            self.submit(job["id"])
        self._thread = threading.Thread(target=self._work, name="sandbox-encoding", daemon=True)
        self._thread.start()

    def submit(self, job_id: str) -> None:
        """Encode for the job *job_id* when its turn comes; call it once the job is committed."""
        self._waiting.put(job_id)

    def stop(self, timeout: float = 5.0) -> None:
        """Stop: a running job is ended and taken up by the next start. Wait *timeout* seconds."""
        self._stop.set()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    # -- in the thread -----------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            job_id = self._waiting.get()
            if job_id is None:
                return
            try:
                self._run(job_id)
            except Exception:
                # The worker outlives any job: the next one may do better.
                _LOGGER.exception("Encode job %s could not be worked on.", job_id)

    def _run(self, job_id: str) -> None:
        found = self._query(f'select id, data, status from Job where id is "{job_id}"')
        if not found or found[0]["status"] not in ("queued", "running"):
            return
        data = json.loads(found[0]["data"])
        self._update("Job", [job_id], {"status": "running"})
        try:
            changes = _Run(self._store, self._query, self._progress(job_id, data), self._stop)
            operations = changes.encode(data)
            data["progress"] = 1.0
            operations.append(_update("Job", [job_id], _finished("done", data)))
            # With the job, so that whoever sees it done does not see the source any more.
            removal, ids = ([], []) if data["keep_original"] else self._removal(data)
            self._execute(operations + removal)
        except (MediaError, SandboxError, OSError, LookupError) as error:
            if self._stop.is_set():
                return
            data["error"] = str(error)
            self._update("Job", [job_id], _finished("failed", data))
            return
        for each in ids:
            self._store.remove(each)

    def _progress(self, job_id: str, data: dict[str, Any]) -> Callable[[float], None]:
        told = time.monotonic()

        def progress(share: float) -> None:
            nonlocal told
            if time.monotonic() - told >= _PROGRESS_INTERVAL:
                told = time.monotonic()
                data["progress"] = round(min(max(share, 0.0), 1.0), 3)
                self._update("Job", [job_id], {"data": json.dumps(data)})

        return progress

    def _removal(self, data: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the operations that remove the source of the job, and whose data goes then."""
        found = self._query(_SOURCE.format(data["source_component_id"]))
        if not found:
            return [], []
        component_id = found[0]["id"]
        deletion = {
            "action": "delete",
            "entity_type": found[0]["__entity_type__"],
            "entity_key": [component_id],
        }
        return [deletion], [component_id, *(each["id"] for each in found[0].get("members") or ())]

    def _query(self, expression: str) -> list[dict[str, Any]]:
        result = self._execute([{"action": "query", "expression": expression}])
        return list(result[0]["data"])

    def _update(self, entity_type: str, key: list[str], values: Mapping[str, Any]) -> None:
        self._execute([_update(entity_type, key, values)])


class _Run:
    """One encoding: makes the files and returns the operations that tell of them."""

    def __init__(
        self,
        store: ComponentStore,
        query: Callable[[str], list[dict[str, Any]]],
        progress: Callable[[float], None],
        stop: threading.Event,
    ) -> None:
        self._store = store
        self._query = query
        self._progress = progress
        self._stop = stop
        self._program = ffmpeg.find_ffmpeg()

    def encode(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the operations after making all outputs of the job *data*."""
        found = self._query(_SOURCE.format(data["source_component_id"]))
        if not found:
            raise LookupError("The component to encode does not exist any more.")
        with tempfile.TemporaryDirectory(prefix="ftrack-like-encode-") as name:
            folder = pathlib.Path(name)
            inputs, described = self._inputs(found[0], folder)
            information = ffmpeg.probe(self._program, described)
            frames = information.frames
            if "-framerate" in inputs:
                frames = len(found[0]["members"])
            return [
                operation
                for output in data["output"]
                for operation in self._make(output, inputs, information, frames, folder, data)
            ]

    def _inputs(
        self, source: Mapping[str, Any], folder: pathlib.Path
    ) -> tuple[list[str], pathlib.Path]:
        """Return ffmpeg's input arguments for *source* and the file that describes it."""
        kind = kind_of(source)
        if kind == "sequence":
            return self._sequence_inputs(source, folder)
        if kind == "document":
            path = _first_page(self._data(source), folder)
        else:
            # In a folder of its own, where no playlist that somebody uploaded finds other data;
            # images have their type in the name, for ffmpeg tells some by nothing else.
            suffix = source["file_type"].lower() if kind == "image" else ""
            path = folder / f"source{suffix}"
            path.symlink_to(self._data(source).resolve())
        return ["-i", str(path)], path

    def _sequence_inputs(
        self, source: Mapping[str, Any], folder: pathlib.Path
    ) -> tuple[list[str], pathlib.Path]:
        members = sorted(source["members"], key=lambda member: _number(member["name"]))
        if not members:
            raise LookupError("The sequence has no frames.")
        suffix = members[0]["file_type"] or ""
        for number, member in enumerate(members):
            (folder / f"frame-{number:06d}{suffix}").symlink_to(self._data(member).resolve())
        pattern = str(folder / f"frame-%06d{suffix}")
        return ["-framerate", "24", "-i", pattern], folder / f"frame-000000{suffix}"

    def _data(self, component: Mapping[str, Any]) -> pathlib.Path:
        if not self._store.exists(component["id"]):
            raise LookupError(
                f"There is no data for the component {component['name']!r} on the server;"
                " add it to the server location first."
            )
        return self._store.path(component["id"])

    def _make(
        self,
        output: Mapping[str, Any],
        inputs: list[str],
        information: ffmpeg.MediaInformation,
        frames: int,
        folder: pathlib.Path,
        data: Mapping[str, Any],
    ) -> list[dict[str, Any]]:
        component_id, format_ = output["component_id"], output["format"]
        seconds = frames / 24 if "-framerate" in inputs else information.duration
        if format_ == "image/jpeg":
            target = folder / f"{component_id}.jpg"
            middle = min(seconds / 2, 5.0) if information.frame_rate and frames > 1 else 0.0
            ffmpeg.run(ffmpeg.frame_command(self._program, inputs, target, middle), stop=self._stop)
        else:
            extension = format_.partition("/")[2]
            target = folder / f"{component_id}.{extension}"
            ffmpeg.run(
                ffmpeg.video_command(self._program, inputs, target, extension),
                lambda done: self._progress(done / seconds if seconds else 0.0),
                self._stop,
            )
        size = self._keep(component_id, target)
        return self._tell(output, target, size, frames, data)

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

    def _tell(
        self,
        output: Mapping[str, Any],
        path: pathlib.Path,
        size: int,
        frames: int,
        data: Mapping[str, Any],
    ) -> list[dict[str, Any]]:
        component_id = output["component_id"]
        made = ffmpeg.probe(self._program, path)
        meta = ffmpeg.review_metadata(made, 0 if output["format"] == "image/jpeg" else frames)
        operations = [
            _update("FileComponent", [component_id], {"size": size}),
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
        if output["name"] == THUMBNAIL.name and data.get("version_id"):
            operations.append(
                _update("AssetVersion", [data["version_id"]], {"thumbnail_id": component_id})
            )
        return operations


def _first_page(path: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Return an image of the first page of the document at *path*."""
    program = shutil.which("pdftoppm")
    if program is None:
        raise MediaError(
            "A PDF can only be shown where pdftoppm is installed (Debian: poppler-utils)."
        )
    target = folder / "page"
    try:
        subprocess.run(
            [program, "-png", "-f", "1", "-singlefile", "-r", "150", str(path), str(target)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise MediaError(f"pdftoppm could not read the document: {error}") from error
    return target.with_suffix(".png")


def _number(name: str) -> tuple[int, str]:
    digits = "".join(character for character in name if character.isdigit())
    return (int(digits) if digits else 0, name)


def _finished(status: str, data: Mapping[str, Any]) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return {
        "status": status,
        "data": json.dumps(data),
        "finished_at": {"__type__": "datetime", "value": moment},
    }


def _update(entity_type: str, key: list[str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": "update",
        "entity_type": entity_type,
        "entity_key": key,
        "entity_data": {"__entity_type__": entity_type, **values},
    }
