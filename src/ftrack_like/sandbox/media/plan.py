"""Choose the outputs of an encoding, and return the operations that create their entities.

A movie becomes a file that browsers can play, an image becomes a file that browsers can show. Each
also gets a thumbnail. The components exist as soon as the job exists, and belong to their version.
Their data follow later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ftrack_like._media.types import IMAGE_TYPES, SLATE_FRAMES
from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.sandbox.actions.compose import creation, server_component
from ftrack_like.sandbox.media.encode_jobs import EncodeJob, JobOutput

__all__ = [
    "IMAGE",
    "JOB_TYPE",
    "REVIEWABLE",
    "SLATE_FRAMES",
    "THUMBNAIL",
    "Encoding",
    "Output",
    "file_type_of",
    "kind_of",
    "output_operations",
    "plan_encoding",
    "suffix_of",
]

#: The ``type`` of encode jobs.
JOB_TYPE = "encode_media"


#: How the names of the components begin that players show.
REVIEWABLE = "ftrackreview-"


@dataclass(frozen=True)
class Output:
    """A file to make: *name* and *file_type* of its component, and its MIME *format*."""

    name: str
    file_type: str
    format: str


MP4 = Output("ftrackreview-mp4", ".mp4", "video/mp4")
WEBM = Output("ftrackreview-webm", ".webm", "video/webm")
IMAGE = Output("ftrackreview-image", ".jpg", "image/jpeg")
#: A site writes the type of its thumbnails without a dot.
THUMBNAIL = Output("thumbnail", "jpg", "image/jpeg")

_FILE_TYPES = {one.name: one.file_type for one in (MP4, WEBM, IMAGE, THUMBNAIL)}

_OUTPUTS: dict[str, tuple[Output, ...]] = {
    "video": (MP4, THUMBNAIL),
    "sequence": (MP4, THUMBNAIL),
    "image": (IMAGE, THUMBNAIL),
    "document": (IMAGE, THUMBNAIL),
}


@dataclass(frozen=True)
class Encoding:
    """A new encode job, and the *operations* that create its entities."""

    job: EncodeJob
    operations: Sequence[Mapping[str, Any]]


def suffix_of(file_type: Optional[str]) -> str:
    """Return *file_type* in lower case with its dot, which some programs leave out."""
    name = (file_type or "").lower()
    return name if not name or name.startswith(".") else f".{name}"


def file_type_of(name: str) -> str:
    """Return the file type of the output component called *name*."""
    return _FILE_TYPES[name]


def kind_of(component: Mapping[str, Any]) -> str:
    """Return ``video``, ``image``, ``document`` or ``sequence`` for a component's record.

    An unknown file type counts as a video: ffmpeg reads hundreds of formats, and reports clearly if
    it cannot read a file.
    """
    file_type = suffix_of(component.get("file_type"))
    if component.get("__entity_type__") == "SequenceComponent":
        return "sequence"
    if file_type == ".pdf":
        return "document"
    return "image" if file_type in IMAGE_TYPES else "video"


def plan_encoding(
    component: Mapping[str, Any],
    *,
    version_id: Optional[str],
    keep_original: bool,
    user_id: str,
    webm: bool = False,
    animated: bool = False,
) -> Encoding:
    """Return the job and the operations that encode *component*.

    *component* is its record with ``id`` and ``file_type``. Without *version_id*, the outputs
    belong to no version. *webm* adds that format to mp4. An *animated* image becomes a movie.
    """
    outputs = _OUTPUTS["video" if animated else kind_of(component)]
    if webm and MP4 in outputs:
        outputs = (*outputs, WEBM)
    job_id, made = new_id(), [(output, new_id()) for output in outputs]
    job = EncodeJob(
        job_id,
        user_id,
        component["id"],
        version_id,
        keep_original,
        [JobOutput(output.name, output.format, id_) for output, id_ in made],
    )
    shown = {
        "id": job_id,
        "type": JOB_TYPE,
        "status": "queued",
        "user_id": user_id,
        "data": job.shown(),
    }
    operations = [creation("Job", shown)]
    for output, id_ in made:
        link = JobOutput(output.name, output.format, id_)
        operations += output_operations(link, output.file_type, version_id, job_id)
    return Encoding(job, operations)


def output_operations(
    output: JobOutput, file_type: str, version_id: Optional[str], job_id: str
) -> list[dict[str, Any]]:
    """Return the operations that create the component of *output*, and its link to the job."""
    component = {"id": output.component_id, "name": output.name, "file_type": file_type}
    if version_id is not None:
        component["version_id"] = version_id
    link = {"component_id": output.component_id, "job_id": job_id}
    return [
        *server_component(component),
        creation("JobComponent", link, key=("component_id", "job_id")),
    ]
