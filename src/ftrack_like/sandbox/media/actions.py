"""The API actions about files: uploads and encoding."""

from __future__ import annotations

import hmac
import re
from typing import Any, Optional

from ftrack_like._media.animation import ANIMATED_TYPES, is_animated
from ftrack_like.sandbox.actions import write
from ftrack_like.sandbox.actions.attributes import required_key
from ftrack_like.sandbox.actions.batch import Batch, Operation, new_id
from ftrack_like.sandbox.actions.permissions import component_data
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.actions.values import shown
from ftrack_like.sandbox.errors import NotFoundError, ValidationError
from ftrack_like.sandbox.media.encode_jobs import keep_job
from ftrack_like.sandbox.media.incoming import TransferError
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.media.plan import plan_encoding
from ftrack_like.sandbox.media.routes import GET_PATH, UPLOAD_PATH
from ftrack_like.sandbox.media.signing import HOLDER, Signer

__all__ = ["ENCODE_JOBS", "MAXIMUM_PARTS", "UPLOAD_SECONDS", "MediaActions"]

#: The key in ``Batch.notes`` of the jobs to start after the commit.
ENCODE_JOBS = "encode jobs"

#: The lifetime of an upload address in seconds, and the maximum number of parts of an upload.
UPLOAD_SECONDS = 6 * 3600
MAXIMUM_PARTS = 10_000

_IDENTIFIER = re.compile(r"\A[0-9A-Za-z_-]{1,64}\Z")


class MediaActions:
    """The actions over *store* and *signer*."""

    def __init__(self, store: MediaStore, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    def actions(self) -> tuple[ApiAction, ...]:
        """Return the API actions. Uploads write files only, not to the database."""
        return (
            ApiAction(
                "complete_multipart_upload",
                self.complete_multipart_upload,
                reads=True,
                rule=component_data,
            ),
            ApiAction("encode_media", self.encode_media, rule=component_data),
            ApiAction(
                "get_upload_metadata", self.get_upload_metadata, reads=True, rule=component_data
            ),
        )

    def get_upload_metadata(self, operation: Operation, batch: Batch) -> Any:
        """Return the address for the data of a component, which need not exist yet."""
        component_id = _identifier(operation, "component_id")
        size = _whole_number(operation, "file_size", minimum=0)
        checksum = operation.get("checksum")
        if checksum is not None and not isinstance(checksum, str):
            raise ValidationError("checksum must be the MD5 of the data as base64 text.")
        if operation.get("parts"):
            return self._upload_in_parts(component_id, size, operation, batch)
        signed = {
            "id": component_id,
            "size": size,
            "checksum": checksum,
            HOLDER: batch.user_id,
        }
        headers = {"Content-Type": "application/octet-stream"}
        if checksum:
            headers["Content-MD5"] = checksum
        return {
            "url": batch.context.server_url
            + self._signer.sign(UPLOAD_PATH, signed, UPLOAD_SECONDS),
            "component_id": component_id,
            "headers": headers,
        }

    def complete_multipart_upload(self, operation: Operation, batch: Batch) -> Any:
        """Join the parts of an upload to the data of a component."""
        component_id = _identifier(operation, "component_id")
        upload_id = _identifier(operation, "upload_id")
        try:
            parts = [
                (int(part["part_number"]), str(part["e_tag"]))
                for part in required_key(operation, "parts")
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValidationError(
                'parts must be a list of {"part_number": number, "e_tag": text}.'
            ) from error
        if not hmac.compare_digest(upload_id, self._upload_id(component_id, upload_id[:36])):
            raise ValidationError(
                f"There is no upload {upload_id!r} for the component {component_id!r}."
            )
        try:
            self._store.join(component_id, upload_id, parts)
        except TransferError as error:
            raise ValidationError(str(error)) from error
        return {
            "action": "complete_multipart_upload",
            "component_id": component_id,
            "url": f"{batch.context.server_url}{GET_PATH}?id={component_id}",
        }

    def encode_media(self, operation: Operation, batch: Batch) -> Any:
        """Create a job that encodes a component, and the components for its outputs."""
        component_id = _identifier(operation, "component_id")
        batch.settle()
        row = batch.store.get("component", (component_id,))
        if row is None:
            raise NotFoundError(f"There is no Component with the id {component_id!r}.")
        version_id = operation.get("version_id")
        if version_id is not None:
            version_id = _identifier(operation, "version_id")
        formats = operation.get("formats") or []
        if not isinstance(formats, list):
            raise ValidationError(f"formats must be a list of media types, not {shown(formats)}.")
        if version_id is not None and batch.store.get("asset_version", (version_id,)) is None:
            raise NotFoundError(f"There is no AssetVersion with the id {version_id!r}.")
        sequence = row["system_type"] == "sequence"
        encoding = plan_encoding(
            {
                "__entity_type__": "SequenceComponent" if sequence else "FileComponent",
                "id": component_id,
                "file_type": row["file_type"],
            },
            version_id=version_id,
            keep_original=bool(operation.get("keep_original", True)),
            user_id=batch.user_id,
            webm="video/webm" in formats,
            animated=not sequence and self._is_animated(component_id, row["file_type"]),
        )
        for each in encoding.operations:
            write.create(each, batch)
        keep_job(batch, encoding.job)
        batch.notes.setdefault(ENCODE_JOBS, []).append(encoding.job.id)
        return {"action": "encode_media", "job_id": encoding.job.id}

    def _is_animated(self, component_id: str, file_type: Optional[str]) -> bool:
        """Return whether the data of a component is an animated image."""
        may_be = str(file_type or "").lower() in ANIMATED_TYPES
        return (
            may_be
            and self._store.exists(component_id)
            and is_animated(self._store.path(component_id))
        )

    def _upload_in_parts(
        self, component_id: str, size: int, operation: Operation, batch: Batch
    ) -> dict[str, Any]:
        count = _whole_number(operation, "parts", minimum=1)
        if count > MAXIMUM_PARTS:
            raise ValidationError(f"An upload has at most {MAXIMUM_PARTS} parts, not {count}.")
        self._store.remove_old_parts()
        upload_id = self._upload_id(component_id, new_id())
        urls = []
        for number in range(1, count + 1):
            signed = {
                "id": component_id,
                "upload": upload_id,
                "part": number,
                "parts": count,
                "size": size,
                HOLDER: batch.user_id,
            }
            address = self._signer.sign(UPLOAD_PATH, signed, UPLOAD_SECONDS)
            urls.append({"part_number": number, "signed_url": batch.context.server_url + address})
        return {"urls": urls, "upload_id": upload_id, "component_id": component_id}

    def _upload_id(self, component_id: str, beginning: str) -> str:
        """Return the id of an upload, which is valid for a single component."""
        return f"{beginning}-{self._signer.mark(component_id, beginning)}"


def _identifier(operation: Operation, name: str) -> str:
    value: Optional[Any] = required_key(operation, name)
    if not isinstance(value, str) or not _IDENTIFIER.match(value):
        raise ValidationError(f"{name} must be an id, not {shown(value)}.")
    return value


def _whole_number(operation: Operation, name: str, minimum: int) -> int:
    value = required_key(operation, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValidationError(f"{name} must be a whole number from {minimum}, not {shown(value)}.")
    return value
